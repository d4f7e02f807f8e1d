"""
What to type about a server's own certificate: the exact commands, with this organization's names.

A thumbprint stands in a command only if that certificate was seen in a store or in the directory.  What was
only presented may live in memory alone, or be another machine's; it is looked up by its serial number, in a
command that does nothing where it is not in the store.
"""

from __future__ import annotations

from datetime import timedelta

from cryptography import x509

from mailtrust.core.exchange.case import Case, some
from mailtrust.core.exchange.facts import StoreCertificate
from mailtrust.core.exchange.judgement import Step
from mailtrust.core.exchange.risks import of_a_new_certificate
from mailtrust.core.exchange.shell import Expression, cmdlet, literal
from mailtrust.core.exchange.tls_name import written_value
from mailtrust.core.exchange.typed import reading, step, writing
from mailtrust.core.model.certificate import Certificate
from mailtrust.core.model.event import Said

_SHOW = "Format-List Thumbprint,Subject,Issuer,NotAfter,HasPrivateKey,Services"
_PLACEHOLDER = "THUMBPRINT"
_WARNING = timedelta(days=90)


def look_by_name(case: Case) -> Step:
    """See what Exchange would choose for its name, before anything is made."""
    enable = writing(case, "Enable-ExchangeCertificate", Thumbprint=_PLACEHOLDER, Services="SMTP")
    looked = reading(case, "Get-ExchangeCertificate", DomainName=case.own_names[-1])
    return step(
        case,
        Said(
            "step.look-by-name", {"server": case.server.name, "enable": enable, "placeholder": _PLACEHOLDER}
        ),
        f"{looked} | {_SHOW}",
    )


def look_at_its_controllers(case: Case) -> Step:
    """See which controller the server itself reads at this moment."""
    looked = cmdlet("Get-ExchangeServer", case.server.name)
    return Step(
        case.say("step.its-controllers"),
        (f"{looked} -Status | Format-List CurrentConfigDomainController,CurrentDomainControllers",),
    )


def look_for(case: Case, published: Certificate) -> Step:
    """See whether a certificate that the directory publishes is in the server's store."""
    looked = reading(case, "Get-ExchangeCertificate", Thumbprint=_full(published.thumbprint))
    return step(case, case.say("step.look-for"), f"{looked} | {_SHOW},AccessRules")


def make_new(case: Case, old: Certificate | None, *, old_is_lost: bool, instead: bool = False) -> Step:
    """Make a certificate of the server's own names, and publish it; *instead*: if the last step did not."""
    command = writing(
        case,
        "New-ExchangeCertificate",
        SubjectName=f"CN={written_value(case.own_names[0])}",
        DomainName=case.own_names,
        Services="SMTP",
    )
    return step(
        case,
        case.say("step.make-new-instead" if instead else "step.make-new"),
        command,
        asks=None if instead else Said("asks.overwrite"),
        risks=() if instead else of_a_new_certificate(case, old, old_is_lost=old_is_lost),
        mends=not instead,
    )


def enable_again(case: Case, thumbprint: str, *, mends: bool = False) -> Step:
    """Give the transport its right to the key of what is published already."""
    command = writing(case, "Enable-ExchangeCertificate", Thumbprint=_full(thumbprint), Services="SMTP")
    return step(case, case.say("step.enable-again"), command, mends=mends)


def enable_at(case: Case, published: Certificate, at: str, *, mends: bool) -> Step:
    """Write what is published elsewhere at that controller too."""
    command = writing(
        case, "Enable-ExchangeCertificate", at=at, Thumbprint=_full(published.thumbprint), Services="SMTP"
    )
    return step(
        case, case.say("step.enable-at", controller=at), command, asks=Said("asks.overwrite"), mends=mends
    )


def enable_stored(
    case: Case, stored: StoreCertificate, old: Certificate | None, *, old_is_lost: bool
) -> Step:
    """Publish a certificate that was seen in the server's store."""
    command = writing(
        case, "Enable-ExchangeCertificate", Thumbprint=_full(stored.thumbprint), Services="SMTP"
    )
    return step(
        case,
        case.say("step.enable-stored"),
        command,
        asks=Said("asks.overwrite"),
        risks=of_a_new_certificate(case, old, old_is_lost=old_is_lost),
        mends=True,
    )


def enable_presented(case: Case, presented: Certificate, old: Certificate | None) -> Step:
    """Publish what the server presents, if it is in its store."""
    serial = f"{x509.load_der_x509_certificate(presented.der).serial_number:X}"
    listed = reading(case, "Get-ExchangeCertificate")
    enable = writing(
        case, "Enable-ExchangeCertificate", Thumbprint=Expression("$_.Thumbprint"), Services="SMTP"
    )
    # Windows may or may not show the zeros in front.
    command = f"{listed} | Where-Object {{ $_.SerialNumber.TrimStart('0') -eq '{serial}' }}"
    return step(
        case,
        case.say("step.enable-presented"),
        f"{command} | ForEach-Object {{ {enable} }}",
        asks=Said("asks.overwrite"),
        risks=of_a_new_certificate(case, old, old_is_lost=True),
        mends=True,
    )


def best_in_store(case: Case) -> StoreCertificate | None:
    """What fits best as internal certificate: its own rather than a CA's, then the longest to live."""
    fit = [
        (leaf.self_signed, leaf.not_after, one)
        for one in case.store or ()
        if (leaf := one.certificate) is not None
        and one.has_key is not False
        and leaf.key_type == "RSA"
        and case.is_named_by(leaf)
        and not leaf.expired(case.now)
    ]
    return max(fit, key=lambda one: one[:2])[2] if fit else None


def replace_certificate(case: Case, old: Certificate | None, *, old_is_lost: bool) -> tuple[Step, ...]:
    """The way to a good published certificate: out of the store where that is known, else a new one."""
    best = best_in_store(case)
    if best is not None and _is_worth_it(case, best, old):
        return enable_stored(case, best, old, old_is_lost=old_is_lost), *tell_edges(case)
    made = make_new(case, old, old_is_lost=old_is_lost)
    looked = () if case.store is not None else (look_by_name(case),)
    return *looked, made, *tell_edges(case)


def _is_worth_it(case: Case, best: StoreCertificate, old: Certificate | None) -> bool:
    """False for the very one that is to be replaced, and for one that would soon have to be."""
    leaf = best.certificate
    lives_on = leaf is not None and leaf.not_after - case.now > _WARNING
    return lives_on and (old is None or best.thumbprint != old.thumbprint)


def tell_edges(case: Case) -> tuple[Step, ...]:
    """Carry a new key to the Edge servers that have to believe it."""
    if not case.trusting or case.server.is_edge:
        return ()
    said = Said("step.start-edgesync", {"edges": some(one.name for one in case.trusting)})
    return (Step(said, ("Start-EdgeSynchronization", "Test-EdgeSynchronization")),)


def _full(thumbprint: str) -> Expression:
    return Expression(literal(thumbprint.upper()))

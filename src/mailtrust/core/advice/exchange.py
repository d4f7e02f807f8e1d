"""
The certificates in the stores of Exchange servers: what HealthChecker (CSS-Exchange) looks at.

Only a server itself can tell what is in its store, so all of this rests on what the collector wrote there.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from mailtrust.core.advice.facts import Facts
from mailtrust.core.advice.value import Area, Need, Profile, Remedy, Rule, Told, Where
from mailtrust.core.events import catalog
from mailtrust.core.exchange.case import Case, some, thumb
from mailtrust.core.exchange.choice import at_connector, named
from mailtrust.core.exchange.facts import StoreCertificate
from mailtrust.core.exchange.shell import Expression, literal
from mailtrust.core.exchange.tls_name import TlsName, tls_name, written_value
from mailtrust.core.exchange.typed import reading, writing
from mailtrust.core.model.certificate import Certificate
from mailtrust.core.model.event import Severity, when

_RED, _YELLOW = timedelta(days=30), timedelta(days=60)
_SHORTEST_RSA = 2048
_WEAK_HASHES = ("md2", "md4", "md5", "sha1")
_BAD = ("Revoked", "Invalid")
_DOUBTFUL = ("Unknown", "Untrusted", "RevocationCheckFailure", "PendingRequest")
_MOST_NAMES = 256
"""Above that Exchange ignores all of them, and logs 11024."""


def ends(facts: Facts) -> Iterator[Told]:
    """Bound to a service, and near its end: green from 60 days on, red below 30."""
    for case, one, leaf in _bound(facts):
        left = leaf.not_after - case.now
        if left >= _YELLOW or one.thumbprint == _internal(case):
            continue
        values = {**_named(one, leaf), "days": str(left.days), "at": when(leaf.not_after)}
        severity = Severity.ERROR if left < _RED else None
        found = reading(case, "Get-ExchangeCertificate", Thumbprint=_full(one))
        renew = f"{found} | New-ExchangeCertificate{'' if leaf.self_signed else ' -GenerateRequest'}"
        yield Told(
            case.name, values, one.thumbprint, severity, remedies=(_shell(renew),), until=leaf.not_after
        )


def short_key(facts: Facts) -> Iterator[Told]:
    """Below 2048 bits of RSA."""
    for case, one, leaf in _bound(facts):
        if leaf.key_type == "RSA" and leaf.key_bits < _SHORTEST_RSA:
            values = {**_named(one, leaf), "key": f"RSA {leaf.key_bits}"}
            yield Told(case.name, values, one.thumbprint, remedies=(_new(case, leaf),))


def weak_hash(facts: Facts) -> Iterator[Told]:
    """Signed with what can be forged."""
    for case, one, leaf in _bound(facts):
        if leaf.signature_hash in _WEAK_HASHES and not leaf.self_signed:
            values = {**_named(one, leaf), "hash": leaf.signature_hash.upper()}
            yield Told(case.name, values, one.thumbprint, remedies=(_new(case, leaf),))


def without_key(facts: Facts) -> Iterator[Told]:
    """Bound to a service that cannot use it: "NoCredentials" in the protocol log."""
    for case, one, leaf in _bound(facts):
        if one.has_key is False:
            again = reading(case, "Import-ExchangeCertificate", FileData=_PFX, Password=_ASKED)
            yield Told(case.name, _named(one, leaf), one.thumbprint, remedies=(_shell(again),))


def without_right(facts: Facts) -> Iterator[Told]:
    """The transport's account may not read the key."""
    for case, one, leaf in _bound(facts):
        if one.has_key is not False and one.network_service_reads is False and "SMTP" in one.services:
            again = writing(case, "Enable-ExchangeCertificate", Thumbprint=_full(one), Services="SMTP")
            yield Told(case.name, _named(one, leaf), one.thumbprint, remedies=(_shell(again),))


def doubtful(facts: Facts) -> Iterator[Told]:
    """Exchange itself does not call it valid."""
    for case, one, leaf in _bound(facts):
        if one.status in (*_BAD, *_DOUBTFUL) and not leaf.expired(case.now):
            shown = f"{reading(case, 'Get-ExchangeCertificate', Thumbprint=_full(one))} | Format-List *"
            severity = Severity.ERROR if one.status in _BAD else None
            values = {**_named(one, leaf), "status": one.status}
            yield Told(case.name, values, one.thumbprint, severity, remedies=(_shell(shown),))


def too_many_names(facts: Facts) -> Iterator[Told]:
    """Then none of its names counts."""
    for case, one, leaf in _bound(facts):
        if len(leaf.names) > _MOST_NAMES:
            values = {**_named(one, leaf), "count": str(len(leaf.names))}
            yield Told(case.name, values, one.thumbprint, remedies=(_new(case, None),))


def issued_internal(facts: Facts) -> Iterator[Told]:
    """The default SMTP certificate came from an authority: each of its renewals is one of direct trust."""
    for case in facts.cases or ():
        leaf = case.internal_certificate
        if leaf is not None and not leaf.self_signed:
            values = {"thumbprint": thumb(leaf), "issuer": leaf.issuer or "-", "at": when(leaf.not_after)}
            yield Told(case.name, values, remedies=(_new(case, None),), until=leaf.not_after)


def not_for_edgesync(facts: Facts) -> Iterator[Told]:
    """EdgeSync takes an RSA key alone, and says 1035 of any other."""
    for case in facts.cases or ():
        leaf = case.internal_certificate
        if leaf is not None and leaf.key_type != "RSA":
            edges = some(one.name for one in case.trusting)
            values = {
                "thumbprint": thumb(leaf),
                "key": f"{leaf.key_type} {leaf.key_bits}",
                "edges": edges or "-",
            }
            severity = Severity.ERROR if edges else None
            yield Told(case.name, values, severity=severity, remedies=(_new(case, None),))


def one_name_for_several(facts: Facts) -> Iterator[Told]:
    """Issuer and subject stay the same when a certificate is renewed, so that the name means both."""
    for case in facts.cases or ():
        for connector in case.connectors:
            wanted = tls_name(connector.tls_certificate_name) if connector.tls_certificate_name else None
            held = named(case, wanted) if isinstance(wanted, TlsName) else ()
            if len(held) > 1:
                used = at_connector(case, connector).chosen
                values = {
                    "connector": connector.name, "count": str(len(held)),
                    "thumbprints": ", ".join(thumb(one) for one in held),
                    "used": thumb(used) if used else "-",
                }  # fmt: skip
                # Where none can be used, nobody knows which of them is to stay.
                gone = [one for one in held if used is not None and one.certificate != used]
                lines = [reading(case, "Remove-ExchangeCertificate", Thumbprint=_full(one)) for one in gone]
                listed = reading(case, "Get-ExchangeCertificate")
                yield Told(case.name, values, connector.name, remedies=(_shell(*(lines or [listed])),))


def expired_in_the_way(facts: Facts) -> Iterator[Told]:
    """The newest comes first, also where it has ended: a valid one behind it may never be reached."""
    for case in facts.cases or ():
        for connector in case.connectors if case.store is not None else ():
            choice = at_connector(case, connector)
            if choice.older_would_do is not None:
                values = {
                    "connector": connector.name, "name": choice.name,
                    "thumbprint": thumb(choice.older_would_do),
                }  # fmt: skip
                found = reading(case, "Get-ExchangeCertificate", DomainName=choice.name)
                seen = f"{found} | Sort-Object NotBefore"
                yield Told(case.name, values, connector.name, remedies=(_shell(seen),))


_MAKE = "New-ExchangeCertificate"
_PFX = Expression(r"([System.IO.File]::ReadAllBytes('C:\certificate.pfx'))")
_ASKED = Expression("(Read-Host -AsSecureString)")


def _bound(facts: Facts) -> Iterator[tuple[Case, StoreCertificate, Certificate]]:
    """What is in a store that was seen, and bound to a service."""
    for case in facts.cases or ():
        for one in case.store or ():
            if one.is_bound and one.certificate is not None:
                yield case, one, one.certificate


def _internal(case: Case) -> str:
    """Of that one the audit itself says when it ends: 12015, 12017."""
    return case.internal_certificate.thumbprint if case.internal_certificate else ""


def _named(one: StoreCertificate, leaf: Certificate) -> dict[str, str]:
    return {
        "thumbprint": thumb(one), "subject": leaf.subject or "-", "services": ", ".join(sorted(one.services)),
    }  # fmt: skip


def _new(case: Case, leaf: Certificate | None) -> Remedy:
    """A new one with the names of that one, to be issued as it was; None: of the server's own names."""
    names = leaf.names if leaf is not None else case.own_names
    subject = f"CN={written_value(names[0])}" if names else None
    bits = Expression("2048")
    if leaf is not None and not leaf.self_signed:
        made = reading(case, _MAKE, SubjectName=subject, DomainName=names or None, KeySize=bits)
        return _shell(f"{made} -GenerateRequest")
    return _shell(
        writing(case, _MAKE, SubjectName=subject, DomainName=names or None, KeySize=bits, Services="SMTP")
    )


def _full(one: StoreCertificate) -> Expression:
    return Expression(literal(one.thumbprint.upper()))


def _shell(*lines: str) -> Remedy:
    return Remedy(lines, Where.EXCHANGE)


_FOR_ALL = frozenset({Profile.DEFAULT, Profile.EXCHANGE})
_E, _W, _I = Severity.ERROR, Severity.WARNING, Severity.INFORMATION
_X = Need.EXCHANGE

RULES = (
    Rule(
        601, Area.EXCHANGE, _W, _X, ends, _FOR_ALL, (catalog.STARTTLS_EXPIRED, catalog.STARTTLS_EXPIRES_SOON)
    ),
    Rule(602, Area.EXCHANGE, _W, _X, short_key, _FOR_ALL, (catalog.WEAK_KEY,)),
    Rule(603, Area.EXCHANGE, _W, _X, weak_hash, _FOR_ALL, (catalog.WEAK_KEY,)),
    Rule(604, Area.EXCHANGE, _E, _X, without_key, _FOR_ALL, (catalog.STARTTLS_NOT_IN_STORE,)),
    Rule(605, Area.EXCHANGE, _E, _X, without_right, _FOR_ALL, (catalog.NOT_IN_STORE,)),
    Rule(606, Area.EXCHANGE, _W, _X, doubtful, _FOR_ALL),
    Rule(607, Area.EXCHANGE, _E, _X, too_many_names, _FOR_ALL, (catalog.STARTTLS_NOT_IN_STORE,)),
    Rule(608, Area.EXCHANGE, _W, _X, issued_internal, _FOR_ALL, (catalog.PEER_NOT_TRUSTED_OUTBOUND,)),
    Rule(609, Area.EXCHANGE, _W, _X, not_for_edgesync, _FOR_ALL),
    Rule(610, Area.EXCHANGE, _W, _X, one_name_for_several, _FOR_ALL, (catalog.STARTTLS_NOT_IN_STORE,)),
    Rule(611, Area.EXCHANGE, _E, _X, expired_in_the_way, _FOR_ALL, (catalog.STARTTLS_EXPIRED,)),
)

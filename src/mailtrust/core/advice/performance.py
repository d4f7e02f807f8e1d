"""What costs time: signatures, sessions that begin anew, and replication that a rotation waits for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta

from mailtrust.core.advice.facts import Facts
from mailtrust.core.advice.value import Area, Need, Profile, Remedy, Rule, Told, Where
from mailtrust.core.events import catalog
from mailtrust.core.exchange.case import shown, thumb
from mailtrust.core.exchange.shell import Expression, cmdlet
from mailtrust.core.model.certificate import Certificate, short
from mailtrust.core.model.event import Severity, said_duration

_COSTLY_BITS = 3072
"""Signing takes about seven times as long with 4096 bits of RSA as with 2048 (`openssl speed`)."""
_SLOW = timedelta(hours=1)
_EVERYWHERE = frozenset({Profile.DEFAULT, Profile.PERFORMANCE, Profile.EXCHANGE, Profile.POSTFIX})
_SPEED = frozenset({Profile.PERFORMANCE, Profile.POSTFIX})


def costly_key(facts: Facts) -> Iterator[Told]:
    """Each session signs once, and the server that is presented pays."""
    for server, leaves in facts.published().items():
        for leaf in _costly(leaves):
            lines = ("mailtrust rotate start",)
            settings = Remedy(("[policy]", 'key = "rsa2048"'), Where.CONFIGURATION)
            yield Told(server, _key(leaf, short(leaf.fingerprint)), leaf.fingerprint,
                       remedies=(settings, Remedy(lines)))  # fmt: skip


def costly_exchange_key(facts: Facts) -> Iterator[Told]:
    """The same at an Exchange server, of what it presents."""
    for case in facts.cases or ():
        leaves = [leaf for _, leaf in shown(case.server.wires)]
        leaves += [one for one in (case.internal_certificate,) if one is not None]
        leaves += [
            one.certificate
            for one in case.store or ()
            if one.certificate is not None and "SMTP" in one.services
        ]
        for leaf in _costly(leaves):
            made = cmdlet(
                "New-ExchangeCertificate", Server=case.server.name, KeySize=Expression("2048"),
                DomainName=leaf.names, Services="SMTP",
            )  # fmt: skip
            yield Told(case.name, _key(leaf, thumb(leaf)), leaf.thumbprint,
                       remedies=(Remedy((made,), Where.EXCHANGE),))  # fmt: skip


def begins_anew(facts: Facts) -> Iterator[Told]:
    """A session for each message: a handshake, two signatures and three round trips each."""
    assert facts.postfix is not None  # noqa: S101  # who has the need has the fact
    for hub in facts.postfix.hubs:
        if not hub.reuses_connections:
            here = "" if hub.folder == "/etc/postfix" else f"-c {hub.folder} "
            lines = (
                f"postconf {here}-P {hub.name}/smtp_tls_connection_reuse=yes",
                f"postfix {here}reload",
            )
            yield Told(facts.postfix.server, {"transport": hub.name}, hub.name,
                       remedies=(Remedy(lines),))  # fmt: skip


def slow_replication(facts: Facts) -> Iterator[Told]:
    """A rotation is as slow as its slowest replica."""
    assert facts.past is not None  # noqa: S101  # who has the need has the fact
    for name in facts.servers[:1]:
        for url, took in facts.past.usual_latencies().items():
            if took >= _SLOW:
                values = {"replica": url, "took": said_duration(took.total_seconds())}
                yield Told(name, values, url, remedies=(Remedy(("mailtrust directory show",)),))


def slow_topology(facts: Facts) -> Iterator[Told]:
    """What site links add up to, on the longest way."""
    told: set[str] = set()
    for case in facts.cases or ():
        for look in case.server.published:
            worst = max(look.latencies.values(), default=timedelta())
            controller = next((one for one in case.organization.controllers if one.url == look.place), None)
            if worst < _SLOW or controller is None or controller.name in told:
                continue
            told.add(controller.name)
            values = {
                "replica": controller.name, "site": controller.site or "-",
                "took": said_duration(worst.total_seconds()),
            }  # fmt: skip
            lines = (
                "Get-ADReplicationSiteLink -Filter * -Properties options,replInterval,cost",
                "Set-ADReplicationSiteLink -Identity LINK -Replace @{options=1}",
            )
            yield Told(controller.name, values, remedies=(Remedy(lines, Where.EXCHANGE),))


def _costly(leaves: Iterable[Certificate]) -> Iterator[Certificate]:
    return (leaf for leaf in dict.fromkeys(leaves) if leaf.key_type == "RSA" and leaf.key_bits > _COSTLY_BITS)


def _key(leaf: Certificate, name: str) -> dict[str, str]:
    return {"fingerprint": name, "key": f"{leaf.key_type} {leaf.key_bits}"}


RULES = (
    Rule(801, Area.PERFORMANCE, Severity.INFORMATION, Need.VIEW, costly_key, _EVERYWHERE),
    Rule(802, Area.PERFORMANCE, Severity.INFORMATION, Need.EXCHANGE, costly_exchange_key, _EVERYWHERE),
    Rule(803, Area.PERFORMANCE, Severity.INFORMATION, Need.POSTFIX, begins_anew, _SPEED,
         (catalog.SESSION_CACHE_KEEPS,)),
    Rule(804, Area.PERFORMANCE, Severity.WARNING, Need.PAST, slow_replication, _EVERYWHERE,
         (catalog.ROTATION_BLOCKED,)),
    Rule(805, Area.PERFORMANCE, Severity.WARNING, Need.EXCHANGE, slow_topology, _EVERYWHERE,
         (catalog.CERTIFICATE_MISSING,)),
)  # fmt: skip

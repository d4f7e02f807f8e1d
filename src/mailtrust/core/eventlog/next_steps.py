"""
What to look at next, after what a server logged: the exact commands, with the names that its log gives.

Nothing here is a verdict: a log says what was, and not what is.  So what only looks comes first, and what
changes something says that it should be done only if the look bears it out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from mailtrust.core.eventlog.history import ServerLog, Trouble
from mailtrust.core.eventlog.known import Family
from mailtrust.core.exchange.shell import Expression, cmdlet, host, literal
from mailtrust.core.model.event import Said

SHOWN = "Format-List Thumbprint,Subject,Issuer,NotAfter,HasPrivateKey,Services"
PLACEHOLDER = "THUMBPRINT"
_CONNECTOR = "Format-List Identity,Fqdn,TlsCertificateName,AuthMechanism,RemoteIPRanges"
_EXCHANGE, _HERE, _PROMPT = "shell.exchange", "shell.powershell", "shell.prompt"
_DIGITS = frozenset("0123456789abcdefABCDEF")
_THUMBPRINT_DIGITS = 40


@dataclass(frozen=True, slots=True)
class NextStep:
    """One thing to look at, or to do if the look bears it out."""

    said: Said
    commands: tuple[str, ...]
    where: Said
    """Where they are to be typed."""
    asks: Said | None = None
    """What the shell will ask, and which answer to give."""
    about: tuple[int, ...] = ()
    """The numbers of the events that lead to it."""


@dataclass(frozen=True, slots=True)
class _Server:
    name: str
    """As ``-Server`` takes it."""
    fqdn: str

    @property
    def names(self) -> tuple[str, ...]:
        return (self.name,) if self.name == self.fqdn else (self.name, self.fqdn)


_Advice = Callable[[_Server, Trouble], Iterator[NextStep]]


def next_steps(log: ServerLog) -> tuple[NextStep, ...]:
    """What to do about one server's log, causes before consequences; the same thing once."""
    if not log.name:
        return ()
    server = _Server(log.name.partition(".")[0], log.name)
    found: dict[tuple[str, ...], NextStep] = {}
    troubles = sorted(log.timeline(), key=lambda one: _RANK.get(_kind(one), len(_RANK)))
    for trouble in troubles:
        for step in _ADVICE.get(_kind(trouble), _nothing)(server, trouble):
            number = trouble.known.number
            former = found.get(step.commands)
            about = (*former.about, number) if former and number not in former.about else (number,)
            base = former or step
            if former is None or number not in former.about:
                found[step.commands] = NextStep(base.said, base.commands, base.where, base.asks, about)
    return (*_audit(server, troubles), *found.values())


def _kind(trouble: Trouble) -> tuple[Family, int]:
    return trouble.known.family, trouble.known.number


def _audit(server: _Server, troubles: Iterable[Trouble]) -> Iterator[NextStep]:
    """Whatever it was: what holds now is seen from outside."""
    about = tuple(dict.fromkeys(one.known.number for one in troubles if one.known.page is not None))
    name = host(server.name)
    if about and name:
        command = f"mailtrust audit exchange --server {name}"
        yield NextStep(Said("logged.audit", {"server": server.name}), (command,), Said(_HERE), None, about)


def _missing(server: _Server, _: Trouble) -> Iterator[NextStep]:
    yield _look(server, Said("logged.look-by-name", {"name": server.fqdn}), DomainName=server.fqdn)
    yield _enable(server, PLACEHOLDER)
    yield _make(server)


def _not_in_store(server: _Server, trouble: Trouble) -> Iterator[NextStep]:
    thumbprint = _thumbprint(trouble)
    if thumbprint:
        said = Said("logged.look-for", {"server": server.name, "thumbprint": thumbprint})
        yield _look(server, said, Thumbprint=Expression(literal(thumbprint)))
    else:
        yield _look(server, Said("logged.look-by-name", {"name": server.fqdn}), DomainName=server.fqdn)
    yield _enable(server, PLACEHOLDER)
    yield _make(server)


def _expiring(server: _Server, trouble: Trouble) -> Iterator[NextStep]:
    thumbprint = _thumbprint(trouble)
    if thumbprint:
        said = Said("logged.look-at", {"thumbprint": thumbprint})
        yield _look(server, said, Thumbprint=Expression(literal(thumbprint)))
    yield _make(server)


def _starttls(server: _Server, trouble: Trouble) -> Iterator[NextStep]:
    yield _connectors(server)
    name = trouble.values.get("name", "")
    # Issuer and subject of a certificate, which is what TlsCertificateName asked for, are no domain name.
    if name and not name.startswith("<"):
        yield _look(server, Said("logged.look-by-name", {"name": name}), DomainName=name)
    else:
        yield _look(server, Said("logged.look-at-all", {"server": server.name}))


def _public_expiring(server: _Server, trouble: Trouble) -> Iterator[NextStep]:
    yield from _starttls(server, trouble)
    said = Said("logged.renew-public", {"server": server.name})
    yield NextStep(said, (_enabling(server, PLACEHOLDER),), Said(_EXCHANGE), Said("asks.keep"))


def _untrusted(server: _Server, _: Trouble) -> Iterator[NextStep]:
    yield NextStep(Said("logged.whole-audit"), ("mailtrust audit exchange",), Said(_HERE))
    yield _edges()
    yield _published(server)


def _kerberos(server: _Server, trouble: Trouble) -> Iterator[NextStep]:
    spn = trouble.values.get("spn", "")
    target = host(spn.rpartition("/")[2]) or server.fqdn
    commands = (f"setspn -Q SMTPSVC/{target}", "setspn -X", "w32tm /monitor", "Test-ComputerSecureChannel")
    if host(target):
        yield NextStep(
            Said("logged.kerberos", {"target": target}), commands, Said(_PROMPT, {"server": server.name})
        )


def _inbound_failure(server: _Server, trouble: Trouble) -> Iterator[NextStep]:
    """Only between Exchange servers is it about clocks and names; else somebody guesses passwords."""
    if trouble.values.get("mechanism", "").lower() in ("exchangeauth", "gssapi"):
        yield from _kerberos(server, trouble)


def _on_connectors(server: _Server, _: Trouble) -> Iterator[NextStep]:
    yield _connectors(server)


def _partners(server: _Server, _: Trouble) -> Iterator[NextStep]:
    yield _connectors(server)
    command = "Get-TransportConfig | Format-List TLSSendDomainSecureList,TLSReceiveDomainSecureList"
    yield NextStep(Said("logged.secure-domains"), (command,), Said(_EXCHANGE))


def _edge_credentials(server: _Server, _: Trouble) -> Iterator[NextStep]:
    yield _published(server)
    yield _look(server, Said("logged.look-at-all", {"server": server.name}))
    yield _edges()


def _edge(_: _Server, __: Trouble) -> Iterator[NextStep]:
    yield _edges()


def _all_certificates(server: _Server, _: Trouble) -> Iterator[NextStep]:
    yield _look(server, Said("logged.look-at-all", {"server": server.name}))


def _auth(_: _Server, __: Trouble) -> Iterator[NextStep]:
    command = "Get-AuthConfig | Format-List CurrentCertificateThumbprint,NextCertificateThumbprint"
    yield NextStep(Said("logged.auth-config"), (command,), Said(_EXCHANGE))


def _nothing(_: _Server, __: Trouble) -> Iterator[NextStep]:
    yield from ()


def _look(server: _Server, said: Said, **which: str | Expression) -> NextStep:
    looked = cmdlet("Get-ExchangeCertificate", Server=server.name, **which)
    return NextStep(said, (f"{looked} | {SHOWN}",), Said(_EXCHANGE))


def _enabling(server: _Server, thumbprint: str) -> str:
    return cmdlet("Enable-ExchangeCertificate", Server=server.name, Thumbprint=thumbprint, Services="SMTP")


def _enable(server: _Server, thumbprint: str) -> NextStep:
    said = Said("logged.publish", {"server": server.name, "placeholder": PLACEHOLDER})
    return NextStep(said, (_enabling(server, thumbprint),), Said(_EXCHANGE), Said("asks.overwrite"))


def _make(server: _Server) -> NextStep:
    command = cmdlet(
        "New-ExchangeCertificate",
        Server=server.name,
        SubjectName=f"CN={server.name}",
        DomainName=server.names,
        Services="SMTP",
    )
    return NextStep(
        Said("logged.make", {"server": server.name}), (command,), Said(_EXCHANGE), Said("asks.overwrite")
    )


def _connectors(server: _Server) -> NextStep:
    receive = f"{cmdlet('Get-ReceiveConnector', Server=server.name)} | {_CONNECTOR}"
    send = (
        "Get-SendConnector | Format-List Identity,Fqdn,TlsCertificateName,TlsAuthLevel,SourceTransportServers"
    )
    return NextStep(Said("logged.connectors", {"server": server.name}), (receive, send), Said(_EXCHANGE))


def _published(server: _Server) -> NextStep:
    looked = cmdlet("Get-TransportService", server.name)
    command = f"{looked} | Format-List InternalTransportCertificateThumbprint"
    return NextStep(Said("logged.published", {"server": server.name}), (command,), Said(_EXCHANGE))


def _edges() -> NextStep:
    commands = ("Get-EdgeSubscription", "Test-EdgeSynchronization")
    return NextStep(Said("logged.edges"), commands, Said(_EXCHANGE))


def _thumbprint(trouble: Trouble) -> str:
    """The one that the event names, as cmdlets take it; empty where that is none."""
    digits = "".join(one for one in trouble.values.get("thumbprint", "") if one in _DIGITS)
    return digits.upper() if len(digits) == _THUMBPRINT_DIGITS else ""


_TRANSPORT: dict[int, _Advice] = {
    12022: _missing, 12012: _missing, 12013: _not_in_store, 12024: _not_in_store, 12023: _not_in_store,
    12015: _expiring, 12017: _expiring, 12016: _public_expiring, 12014: _starttls, 12018: _public_expiring,
    2018: _untrusted, 1036: _untrusted, 12019: _untrusted, 12020: _untrusted,
    12011: _kerberos, 2017: _kerberos, 2016: _kerberos, 2003: _kerberos, 1034: _kerberos, 2011: _kerberos,
    1035: _inbound_failure, 12021: _on_connectors, 1032: _on_connectors, 2015: _on_connectors,
    2022: _on_connectors, 1037: _all_certificates, 2019: _all_certificates, 11024: _all_certificates,
    **dict.fromkeys((11005, *range(11011, 11024)), _partners),
}  # fmt: skip
_ADVICE: dict[tuple[Family, int], _Advice] = {
    **{(Family.TRANSPORT, number): advice for number, advice in _TRANSPORT.items()},
    (Family.EDGESYNC, 1032): _edge_credentials,
    (Family.EDGESYNC, 1033): _edge_credentials,
    (Family.EDGESYNC, 1035): _edge_credentials,
    **{(Family.EDGESYNC, number): _edge for number in (10104, 1004, 1024, 1025)},
    **{(Family.NOTIFICATION, number): _all_certificates for number in (2001, 2002, 2003)},
    **{(Family.AUTH, number): _auth for number in (2001, 2003, 2004, 2005, 2011, 2012)},
}
_RANK = {kind: rank for rank, kind in enumerate(_ADVICE)}

"""Who is let in by a listener, by what, and what everybody else is told."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

from mailtrust.core.events import catalog
from mailtrust.core.model.event import Event, Finding, Said, Severity
from mailtrust.transports.postfix.configuration import pieces
from mailtrust.transports.postfix.doctor.restrictions import (
    AT_DATA,
    LISTS,
    PINNED,
    Client,
    Decided,
    Outcome,
    decide,
    decide_postmaster,
    mentions,
)
from mailtrust.transports.postfix.doctor.seen import Receiver, Seen, host_of

SETUP, COMPILE = "mailtrust postfix setup", "mailtrust postfix compile"
_MOST_PEERS = 5
_STRANGER = Client()
_PEER = Client(known=True)
_NEIGHBOUR = Client(neighbour=True)
_USER = Client(logged_in=True)


def listener_missing(seen: Seen) -> Iterator[Finding]:
    """Nothing receives where the configuration says that this server presents."""
    for endpoint in seen.unheard():
        said = Said("postfix.no-service", {"file": _master(seen), "endpoint": str(endpoint)})
        yield Finding(
            catalog.POSTFIX_LISTENER_MISSING, seen.server, str(endpoint),
            values={"endpoint": str(endpoint)}, evidence=(said,), action=SETUP,
        )  # fmt: skip


def tls_not_offered(seen: Seen) -> Iterator[Finding]:
    """No TLS, no certificate."""
    for receiver in seen.receivers():
        level = seen.instance.setting(receiver.service, "smtpd_tls_security_level")
        if receiver.ours and level in ("", "none"):
            evidence = _setting(seen, receiver, "smtpd_tls_security_level")
            yield _about(seen, receiver, catalog.TLS_NOT_OFFERED, evidence)


def certificate_not_asked(seen: Seen) -> Iterator[Finding]:
    """Postfix asks only where it is told to."""
    for receiver in seen.receivers():
        asks = any(seen.instance.holds(receiver.service, f"smtpd_tls_{one}_ccert") for one in ("ask", "req"))
        if not asks:
            evidence = _setting(seen, receiver, "smtpd_tls_ask_ccert")
            yield _about(seen, receiver, catalog.CLIENT_CERTIFICATE_NOT_ASKED, evidence)


def asks_authority(seen: Seen) -> Iterator[Finding]:
    """``smtpd_tls_req_ccert`` insists on an authority, and sends published peers away."""
    for receiver in seen.receivers():
        if seen.instance.holds(receiver.service, "smtpd_tls_req_ccert"):
            names = ("smtpd_tls_req_ccert", "smtpd_tls_security_level")
            said = (_setting(seen, receiver, name) for name in names)
            finding = _about(seen, receiver, catalog.POSTFIX_ASKS_AUTHORITY, *said)
            # Where TLS is optional Postfix ignores it: nobody is turned away before somebody sets `encrypt`.
            optional = seen.instance.setting(receiver.service, "smtpd_tls_security_level") == "may"
            yield replace(finding, severity_here=Severity.WARNING if optional else None)


def does_not_decide(seen: Seen) -> Iterator[Finding]:
    """Something else than the certificate lets a client in, or nothing does."""
    for receiver in seen.receivers():
        for cause, evidence in _why_not_the_certificate(seen, receiver):
            yield _about(seen, receiver, catalog.CERTIFICATE_DOES_NOT_DECIDE, *evidence, cause=cause)


def takes_postmaster(seen: Seen) -> Iterator[Finding]:
    """Mail for a bare ``<postmaster>`` is taken from strangers: only the lists at DATA are asked then."""
    for receiver in seen.receivers():
        told = decide_postmaster(seen.instance, receiver.service, _STRANGER)
        if receiver.ours and told.outcome is Outcome.ACCEPTED:
            said = Said("postfix.postmaster", {"service": receiver.service.key})
            lists = (_setting(seen, receiver, name) for name in AT_DATA)
            event, cause = catalog.CERTIFICATE_DOES_NOT_DECIDE, catalog.OPEN_TO_ALL
            yield replace(_about(seen, receiver, event, said, *lists, cause=cause), action=SETUP)


def gap_bounces(seen: Seen) -> Iterator[Finding]:
    """A peer whose new certificate has not arrived yet is refused for good, and its mail bounces."""
    for receiver in seen.receivers():
        refusals = (_decided(seen, receiver, _STRANGER, local=local) for local in (False, True))
        refused = next((one for one in refusals if one.outcome is Outcome.REFUSED), None)
        if refused is not None:
            list_ = _list_with(seen, receiver, refused.by)
            finding = _about(seen, receiver, catalog.GAP_BOUNCES, _setting(seen, receiver, list_))
            yield _with_value(finding, "restriction", refused.by)


def plain_bounces(seen: Seen) -> Iterator[Finding]:
    """
    Where TLS is required, whoever comes without is told 530, and gives up.

    A peer does so in a gap: it could not load its own certificate, or we not ours (454 at STARTTLS), and it
    tries again in plain text.
    """
    for receiver in seen.receivers():
        level = seen.instance.setting(receiver.service, "smtpd_tls_security_level")
        if not receiver.ours or level in ("", "none", "may"):
            continue
        # Where it also insists on an authority nobody comes so far, and 12131 says it.
        holds = (seen.instance.holds(receiver.service, one) for one in ("soft_bounce", "smtpd_tls_req_ccert"))
        if not any(holds):
            name = "smtpd_tls_security_level"
            finding = _about(seen, receiver, catalog.GAP_BOUNCES, _setting(seen, receiver, name))
            yield _with_value(finding, "restriction", f"{name} = {level}")


def authorities_hinted(seen: Seen) -> Iterator[Finding]:
    """A server that names authorities is shown nothing by clients that have nothing of theirs."""
    for receiver in seen.receivers():
        for name in ("smtpd_tls_CAfile", "smtpd_tls_CApath"):
            if receiver.ours and seen.instance.setting(receiver.service, name):
                yield _about(seen, receiver, catalog.AUTHORITIES_HINTED, _setting(seen, receiver, name))
                break


def reads_elsewhere(seen: Seen) -> Iterator[Finding]:
    """What we compile is of no use to a listener that reads other files."""
    for receiver in seen.receivers():
        if not receiver.ours or not mentions(seen.instance, receiver.service, *PINNED):
            continue
        for name, ours in (
            ("relay_clientcerts", seen.places.relay_clientcerts),
            ("smtpd_tls_chain_files", str(seen.places.chain)),
        ):
            read = seen.instance.setting(receiver.service, name)
            if ours not in pieces(read):
                yield elsewhere(seen, receiver.service.key, name, read, ours)


def elsewhere(seen: Seen, service: str, name: str, read: str, ours: str) -> Finding:
    """12145 about that setting of a service."""
    values = {"service": service, "setting": name, "file": ours}
    said = Said("postfix.setting", {"service": service, "setting": name, "value": read or "-"})
    return Finding(
        catalog.POSTFIX_READS_ELSEWHERE, seen.server, f"{service}/{name}", values=values, evidence=(said,)
    )


def _why_not_the_certificate(seen: Seen, receiver: Receiver) -> Iterator[tuple[str, tuple[Said, ...]]]:
    instance, service = seen.instance, receiver.service
    lists = tuple(_setting(seen, receiver, name) for name in LISTS if instance.setting(service, name))
    strangers, peers = (
        {_decided(seen, receiver, who, local=local).outcome for local in (False, True)}
        for who in (_STRANGER, _PEER)
    )
    # The public port 25 takes mail for its own domains from everybody, and shall.
    if receiver.ours and Outcome.ACCEPTED in strangers:
        yield catalog.OPEN_TO_ALL, lists
    if peers != {Outcome.ACCEPTED}:
        asked_first = "permit_tls_clientcerts" in instance.setting(service, LISTS[0])
        if asked_first and not instance.holds(service, "smtpd_delay_reject"):
            yield catalog.TOO_EARLY, (_setting(seen, receiver, "smtpd_delay_reject"), *lists)
        else:
            yield catalog.NO_RULE, lists
    if _gains(seen, receiver, _NEIGHBOUR):
        networks = _setting(seen, receiver, "mynetworks")
        peers_there = islice(_neighbours(seen, receiver), _MOST_PEERS)
        yield catalog.MYNETWORKS, (networks, *peers_there, *lists)
    if receiver.ours and _gains(seen, receiver, _USER):
        yield catalog.PASSWORD, (_setting(seen, receiver, "smtpd_sasl_auth_enable"), *lists)


def lets_neighbours_in(seen: Seen) -> bool:
    """True if a listener lets in whoever comes from mynetworks: then the peers' addresses matter."""
    return any(_gains(seen, one, _NEIGHBOUR) for one in seen.receivers())


def _gains(seen: Seen, receiver: Receiver, client: Client) -> bool:
    """True if *client* is let in where a stranger is not."""
    return any(
        _decided(seen, receiver, client, local=local).outcome is Outcome.ACCEPTED
        and _decided(seen, receiver, _STRANGER, local=local).outcome is not Outcome.ACCEPTED
        for local in (False, True)
    )


def _neighbours(seen: Seen, receiver: Receiver) -> Iterator[Said]:
    """Peers that are known to stand in mynetworks."""
    networks = tuple(_networks(seen.instance.setting(receiver.service, "mynetworks")))
    for hop in seen.table(seen.places.tls_policy).rows or {}:
        host = host_of(hop)
        for address in sorted(seen.addresses.get(host, frozenset({host}))):
            if any(_within(address, network) for network in networks):
                yield Said("postfix.in-mynetworks", {"peer": hop, "address": address})


def _networks(text: str) -> Iterator[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    for word in re.split(r"[,\s]+", text):
        try:
            yield ipaddress.ip_network(word.replace("[", "").replace("]", ""), strict=False)
        except ValueError:
            continue


def _within(address: str, network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    try:
        return ipaddress.ip_address(address) in network
    except ValueError:
        return False


def _decided(seen: Seen, receiver: Receiver, client: Client, *, local: bool) -> Decided:
    return decide(seen.instance, receiver.service, client, local=local)


def _list_with(seen: Seen, receiver: Receiver, restriction: str) -> str:
    lists = (one for one in LISTS if restriction in seen.instance.setting(receiver.service, one))
    return next(lists, LISTS[-1])


def _about(
    seen: Seen, receiver: Receiver, event: Event, *evidence: Said, cause: str | None = None
) -> Finding:
    return Finding(
        event,
        seen.server,
        receiver.endpoint,
        cause,
        values={"endpoint": receiver.endpoint},
        evidence=evidence,
    )


def _with_value(finding: Finding, name: str, value: str) -> Finding:
    values = {**finding.values, name: value}
    return Finding(finding.event, finding.server, finding.place, values=values, evidence=finding.evidence)


def _setting(seen: Seen, receiver: Receiver, name: str) -> Said:
    value = seen.instance.setting(receiver.service, name)
    values = {"service": receiver.service.key, "setting": name, "value": value or "-"}
    return Said("postfix.setting", values)


def _master(seen: Seen) -> str:
    return str(seen.instance.folder / "master.cf")

"""Where mail for peers goes, by which transport, and what that transport insists on."""

from __future__ import annotations

from collections.abc import Iterator

from mailtrust.core.events import catalog
from mailtrust.core.model.event import Finding, Said, Severity
from mailtrust.transports.postfix.compile import NOBODY
from mailtrust.transports.postfix.configuration import Program, pieces
from mailtrust.transports.postfix.doctor.receiving import SETUP, elsewhere
from mailtrust.transports.postfix.doctor.seen import Route, Seen, may_mean
from mailtrust.transports.postfix.ours import HUB

_INSIST = ("fingerprint", "secure", "verify", "dane-only")
"""Levels at which Postfix delivers to nobody whom it could not verify."""


def hub_missing(seen: Seen) -> Iterator[Finding]:
    """Mail to peers has no transport that insists on their certificate."""
    if not seen.hubs():
        said = Said("postfix.no-hub", {"file": str(seen.instance.folder / "master.cf"), "transport": HUB})
        yield Finding(
            catalog.HUB_TRANSPORT_MISSING, seen.server, HUB, values={"transport": HUB}, evidence=(said,),
            action=SETUP,
        )  # fmt: skip


def hub_fails_open(seen: Seen) -> Iterator[Finding]:
    """The transport delivers to a peer that it did not verify."""
    for hub in seen.hubs():
        if hub.name != HUB:
            continue
        if seen.instance.setting(hub, "smtp_tls_security_level") != "fingerprint":
            yield _open(seen, hub, catalog.LEVEL, _setting(seen, hub, "smtp_tls_security_level"))
        elif seen.instance.setting(hub, "smtp_tls_fingerprint_cert_match"):
            yield _open(seen, hub, catalog.ANY_PIN, _setting(seen, hub, "smtp_tls_fingerprint_cert_match"))
        for table in seen.policies(hub):
            lax = sorted(key for key, policy in (table.rows or {}).items() if _level(policy) not in _INSIST)
            said = [
                Said("postfix.entry", {"table": table.name, "key": key, "value": (table.rows or {})[key]})
                for key in lax[:5]
            ]
            if said:
                yield _open(seen, hub, catalog.ENTRY, *said)


def session_cache_keeps(seen: Seen) -> Iterator[Finding]:
    """A resumed session goes on with the certificate that it began with."""
    for hub in seen.hubs():
        if seen.instance.setting(hub, "smtp_tls_session_cache_database"):
            yield Finding(
                catalog.SESSION_CACHE_KEEPS, seen.server, hub.key, values={"transport": hub.key},
                evidence=(_setting(seen, hub, "smtp_tls_session_cache_database"),),
            )  # fmt: skip


def reads_elsewhere(seen: Seen) -> Iterator[Finding]:
    """What we compile is of no use to a transport that reads other files."""
    for hub in seen.hubs():
        if hub.name != HUB:
            continue
        for name, ours in (
            ("smtp_tls_policy_maps", seen.places.tls_policy),
            ("smtp_tls_chain_files", str(seen.places.chain)),
        ):
            read = seen.instance.setting(hub, name)
            if ours not in pieces(read):
                yield elsewhere(seen, hub.key, name, read, ours)


def next_hops(seen: Seen) -> Iterator[Finding]:
    """Every route to a peer: through a transport that insists, to a next hop that its table knows."""
    told: set[str] = set()
    hubs = {hub.name for hub in seen.hubs()}
    for route in seen.routes:
        service = seen.instance.service(f"{route.transport}/unix")
        if service is None or not service.sends:
            continue
        if _insists(seen, service, route):
            if _pins_nobody(_policy(seen, service, route.next_hop)):
                yield _without_policy(seen, route, Said("postfix.nobody", {"next_hop": route.next_hop}))
            continue
        near = _near(seen, route.next_hop)
        if route.transport in hubs:
            # An entry that does not insist is the table's fault, and 12144.
            if not _readable(seen, service) or _policy(seen, service, route.next_hop) is not None:
                continue
            if near:
                told.add(near)
                yield _unmatched(seen, near, catalog.WAITS, route)
            else:
                yield _without_policy(seen, route)
        elif near is not None:
            told.add(near)
            # Its own table would have known it, under that spelling.
            if near != route.next_hop.lower() and _knows(seen, service, near):
                yield _unmatched(seen, near, catalog.FAILS_OPEN, route)
            else:
                yield _bypassing(seen, route, service)
    yield from _unused(seen, told)


def _unused(seen: Seen, told: set[str]) -> Iterator[Finding]:
    if not seen.every_route:
        return
    routed = {route.next_hop.lower() for route in seen.routes}
    for key in sorted(seen.table(seen.places.tls_policy).rows or {}):
        if key not in routed and key not in told:
            yield _unmatched(seen, key, catalog.UNUSED, None)


def _unmatched(seen: Seen, key: str, cause: str, route: Route | None) -> Finding:
    evidence = [_routed(route)] if route else [Said("postfix.no-route", {"key": key})]
    return Finding(
        catalog.POLICY_KEY_UNMATCHED, seen.server, key, cause, values={"key": key}, evidence=tuple(evidence),
        severity_here=Severity.INFORMATION if cause == catalog.UNUSED else None,
    )  # fmt: skip


def _without_policy(seen: Seen, route: Route, *more: Said) -> Finding:
    return Finding(
        catalog.NEXT_HOP_WITHOUT_POLICY, seen.server, route.next_hop,
        values={"next_hop": route.next_hop}, evidence=(_routed(route), *more),
    )  # fmt: skip


def _bypassing(seen: Seen, route: Route, service: Program) -> Finding:
    return Finding(
        catalog.NEXT_HOP_BYPASSES_HUB, seen.server, route.next_hop,
        values={"next_hop": route.next_hop, "transport": route.transport},
        evidence=(_routed(route), _setting(seen, service, "smtp_tls_security_level")),
    )  # fmt: skip


def _insists(seen: Seen, service: Program, route: Route) -> bool:
    """True if mail by that route goes to nobody who was not verified."""
    policy = _policy(seen, service, route.next_hop)
    if policy is not None:
        return _level(policy) in _INSIST and ("match=" in policy or _level(policy) != "fingerprint")
    level = seen.instance.setting(service, "smtp_tls_security_level")
    pinned = bool(seen.instance.setting(service, "smtp_tls_fingerprint_cert_match"))
    # At the level `fingerprint`, and without a pin, nothing is delivered at all.
    return level in _INSIST and (level != "fingerprint" or pinned)


def _policy(seen: Seen, service: Program, next_hop: str) -> str | None:
    """What the transport's tables say of a next hop; Postfix looks it up in lower case, as it is written."""
    for table in seen.policies(service):
        found = (table.rows or {}).get(next_hop.lower())
        if found is not None:
            return found
    return None


def _pins_nobody(policy: str | None) -> bool:
    """True for the entry that stands where none of the next hop's servers publishes a key."""
    return policy is not None and policy.endswith(f"match={NOBODY}")


def _knows(seen: Seen, service: Program, key: str) -> bool:
    return any(key in (table.rows or {}) for table in seen.policies(service))


def _readable(seen: Seen, service: Program) -> bool:
    return all(table.rows is not None for table in seen.policies(service))


def _near(seen: Seen, next_hop: str) -> str | None:
    """The policy entry that was meant for this next hop."""
    keys = [
        key
        for name in dict.fromkeys((seen.places.tls_policy, *seen.tables))
        for key, policy in (seen.table(name).rows or {}).items()
        if _level(policy) == "fingerprint" and may_mean(key, next_hop)
    ]
    return min(keys, key=lambda key: (key != next_hop.lower(), key), default=None)


def _level(policy: str) -> str:
    return policy.split(None, 1)[0] if policy.strip() else ""


def _open(seen: Seen, hub: Program, cause: str, *evidence: Said) -> Finding:
    return Finding(
        catalog.HUB_TRANSPORT_FAILS_OPEN, seen.server, hub.key, cause, values={"transport": hub.key},
        evidence=evidence,
    )  # fmt: skip


def _routed(route: Route) -> Said:
    return Said("postfix.routed", {
        "pattern": route.pattern, "transport": route.transport, "next_hop": route.next_hop,
        "table": route.table,
    })  # fmt: skip


def _setting(seen: Seen, service: Program, name: str) -> Said:
    value = seen.instance.setting(service, name)
    return Said("postfix.setting", {"service": service.key, "setting": name, "value": value or "-"})

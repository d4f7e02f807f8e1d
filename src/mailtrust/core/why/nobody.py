"""Nobody listens: the next hop cannot be reached, or not in a way that could prove anything."""

from __future__ import annotations

from mailtrust.core.events import catalog
from mailtrust.core.model.event import Said, when
from mailtrust.core.model.sighting import WireFailure, WireSighting
from mailtrust.core.why.facts import Facts
from mailtrust.core.why.value import Conclusion, Direction, Owner

_NOBODY = Direction.NOBODY


def nobody_listens(facts: Facts) -> Conclusion | None:
    """Why nobody could be talked to; None where it came to a certificate, or where nobody was called."""
    wire = facts.wire
    if wire is None or wire.found is not None:
        return None
    match wire.failure:
        case WireFailure.UNREACHABLE if wire.phase == "resolve":
            return _unreachable(
                facts, wire, "peer-no-name", "why.peer-no-name", "act.peer-no-name", Owner.NETWORK
            )
        case WireFailure.UNREACHABLE:
            return _unreachable(facts, wire, "peer-down", "why.peer-down", "act.peer-down", Owner.PEER)
        case WireFailure.HANDSHAKE:
            return _unreachable(
                facts, wire, "peer-handshake", "why.peer-handshake", "act.peer-handshake", Owner.PEER
            )
        case WireFailure.NOT_OFFERED:
            return _no_tls(facts, wire)
        case _:
            # We did not look, for a reason of our own.
            return None


def _unreachable(facts: Facts, wire: WireSighting, code: str, why: str, act: str, owner: Owner) -> Conclusion:
    values = {"endpoint": wire.place, "why": wire.why}
    # A handshake also breaks where the peer's own key or certificate cannot be used.
    certain = wire.failure is WireFailure.UNREACHABLE
    return Conclusion(
        code, _NOBODY, owner, facts.say(why, **values), facts.say(act, **values), facts.look_again,
        facts.finding(facts.peer, catalog.SERVER_UNREACHABLE), evidence=_before(facts, wire),
        otherwise=facts.say("else.certificates-are-fine" if certain else "else.no-certificate-seen"),
    )  # fmt: skip


def _no_tls(facts: Facts, wire: WireSighting) -> Conclusion:
    """Without a certificate a hub offers no TLS on purpose; with one, a device on the way is suspected."""
    published = any(look.found for look in facts.theirs.readable)
    before = _before(facts, wire)
    suspected = published or bool(before)
    values = {"endpoint": wire.place, "why": wire.why}
    host, port = wire.endpoint.host, wire.endpoint.port
    if suspected:
        return Conclusion(
            "no-tls-on-the-way", _NOBODY, Owner.NETWORK, facts.say("why.no-tls-on-the-way", **values),
            facts.say("act.no-tls-on-the-way"),
            f"openssl s_client -starttls smtp -connect {_address(host)}:{port}",
            facts.finding(facts.peer, catalog.TLS_NOT_OFFERED), facts.last_known, before,
            facts.say("else.not-in-the-clear"), there=True,
        )  # fmt: skip
    return Conclusion(
        "peer-without-tls", _NOBODY, Owner.PEER, facts.say("why.peer-without-tls", **values),
        facts.say("act.peer-without-tls"), "mailtrust check",
        facts.finding(facts.peer, catalog.TLS_NOT_OFFERED), otherwise=facts.say("else.not-in-the-clear"),
        there=True,
    )  # fmt: skip


def _address(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _before(facts: Facts, wire: WireSighting) -> tuple[Said, ...]:
    """When it was first seen to do what it does not do now."""
    seen = [
        (at, fingerprint)
        for (server, place, fingerprint), at in facts.view.history.first_seen.items()
        if (server, place) == (facts.peer, wire.place)
    ]
    if not seen:
        return ()
    at, fingerprint = max(seen)
    return (facts.say("proof.tls-before", endpoint=wire.place, at=when(at), fingerprint=fingerprint[:12]),)

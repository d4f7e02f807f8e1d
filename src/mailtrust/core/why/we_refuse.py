"""
We do not believe them: what the peer presents does not stand where we read, or we read too old a picture.
"""

from __future__ import annotations

from mailtrust.core.checks.case import enable_command
from mailtrust.core.events import catalog
from mailtrust.core.model.certificate import Certificate, short
from mailtrust.core.model.event import Said, when
from mailtrust.core.model.replication import Fate
from mailtrust.core.why.facts import Facts
from mailtrust.core.why.stuck import Complaint
from mailtrust.core.why.value import Conclusion, Direction, Owner

_WE = Direction.WE_REFUSE


def we_refuse(facts: Facts) -> Conclusion | None:
    """Why we do not believe them; None where we see no reason for it."""
    found = _transport(facts) or _tls(facts) or _blind(facts) or _tables(facts) or _not_listed(facts)
    return found or (_judged(facts, facts.met) if facts.met is not None else None)


def _complaint(facts: Facts) -> Complaint:
    return facts.stuck.complaint if facts.stuck else Complaint.UNTRIED


def _blind(facts: Facts) -> Conclusion | None:
    """Home cannot be read: we judge by an old picture, or by none."""
    home = facts.home
    if home is None or home.found is not None:
        return None
    snapshot = facts.view.snapshot(facts.here)
    stale = facts.finding(facts.here, catalog.SNAPSHOT_STALE)
    finding = stale or facts.finding(facts.here, catalog.REPLICA_UNREADABLE)
    taken = when(snapshot.taken_at) if snapshot is not None and snapshot.taken_at is not None else "-"
    met = facts.met
    evidence = (facts.say("proof.home-unread", place=home.place, why=home.why, seen=when(home.seen_at)),)
    return Conclusion(
        "home-unreadable", _WE, Owner.DIRECTORY,
        facts.say("why.home-unreadable", place=home.place, taken=taken),
        facts.say("act.readable", place=home.place), "mailtrust directory show", finding,
        (facts.peer, met) if met is not None else None, evidence, facts.say("else.picture-stays"),
    )  # fmt: skip


def _tables(facts: Facts) -> Conclusion | None:
    if _complaint(facts) is not Complaint.OUR_TABLES:
        return None
    return Conclusion(
        "our-tables", _WE, Owner.HERE, facts.say("why.our-tables"), facts.say("act.our-tables"),
        facts.compile or facts.restart or None,
    )  # fmt: skip


def _transport(facts: Facts) -> Conclusion | None:
    """Whoever is there: nobody here goes to them."""
    if _complaint(facts) is not Complaint.OUR_TRANSPORT:
        return None
    command = "mailtrust postfix setup" if facts.compile else facts.restart
    return Conclusion(
        "our-transport", _WE, Owner.HERE, facts.say("why.our-transport"),
        facts.say("act.our-transport", reload=facts.restart), command or None,
        otherwise=facts.say("else.certificates-are-fine"),
    )  # fmt: skip


def _tls(facts: Facts) -> Conclusion | None:
    """No session of ours begins, whoever is there: what is wrong only a look at the chain file tells."""
    if _complaint(facts) is not Complaint.OUR_TLS:
        return None
    return Conclusion(
        "our-tls", _WE, Owner.HERE, facts.say("why.our-tls"), facts.say("act.our-tls"),
        "mailtrust postfix check" if facts.compile else facts.restart or None,
    )  # fmt: skip


def _not_listed(facts: Facts) -> Conclusion | None:
    """The tables have no row for this next hop: whoever answers there is believed by nothing."""
    if facts.listed or _complaint(facts) is not Complaint.WE_REFUSE:
        return None
    about = (facts.peer, facts.met) if facts.met is not None else None
    return Conclusion(
        "hop-not-listed", _WE, Owner.HERE, facts.say("why.hop-not-listed"), facts.say("act.list-hop"),
        facts.compile or None, about=about,
    )  # fmt: skip


def _judged(facts: Facts, leaf: Certificate) -> Conclusion | None:
    case = facts.theirs
    values = {"fingerprint": short(leaf.fingerprint)}
    if not facts.known:
        return Conclusion(
            "peer-unknown", _WE, Owner.PEER, facts.say("why.peer-unknown", **values),
            facts.say("act.peer-unknown"), enable_command(leaf.fingerprint), about=(facts.peer, leaf),
            otherwise=facts.say("else.never-for-them"), there=True,
        )  # fmt: skip
    home = case.home
    if home is None:
        return None
    revoked = _revoked(facts, leaf)
    if revoked is not None:
        return revoked
    if leaf.pin in home.pins:
        return _authority(facts, leaf) or _picture(facts, leaf)
    if case.publishing(leaf.pin) and leaf.fingerprint not in case.withdrawals:
        return _on_its_way(facts, leaf)
    return _nowhere(facts, leaf)


def _revoked(facts: Facts, leaf: Certificate) -> Conclusion | None:
    """The key is on record as stolen, at whatever server: nobody is believed by it any more."""
    blamed = [
        (server, look)
        for server in facts.view.servers()
        for look in facts.view.replicas(server)
        if leaf.pin in look.withdrawn_pins
    ]
    if not blamed:
        return None
    server, look = blamed[0]
    values = {"fingerprint": short(leaf.fingerprint), "whose": server, "place": look.place}
    return Conclusion(
        "peer-key-revoked", _WE, Owner.PEER, facts.say("why.peer-key-revoked", **values),
        facts.say("act.peer-new"), "mailtrust new", facts.finding(
            facts.peer, catalog.PRESENTED_NOT_PUBLISHED, catalog.KEY_SHARED
        ), (facts.peer, leaf), (facts.say("proof.key-revoked", **values),),
        facts.say("else.withdrawn-never-returns", **values), there=True,
    )  # fmt: skip


def _authority(facts: Facts, leaf: Certificate) -> Conclusion | None:
    """It is published, and may issue others: no snapshot takes it."""
    if not leaf.is_ca:
        return None
    return Conclusion(
        "theirs-authority", _WE, Owner.PEER,
        facts.say("why.theirs-authority", fingerprint=short(leaf.fingerprint)), facts.say("act.peer-new"),
        "mailtrust new", facts.finding(facts.peer, catalog.AUTHORITY_PUBLISHED), (facts.peer, leaf),
        there=True,
    )  # fmt: skip


def _impostor(facts: Facts, leaf: Certificate) -> Conclusion | None:
    """It stands there, where anybody might have put it, and so nobody believes it."""
    found = [
        one for look in facts.theirs.readable for one in look.impostors if one.certificate.pin == leaf.pin
    ]
    if not found:
        return None
    one = found[0]
    values = {"fingerprint": short(leaf.fingerprint), "entry": one.entry, "at": when(one.published_at)}
    said = {**values, "server": facts.peer}
    return Conclusion(
        "theirs-impostor", _WE, Owner.DIRECTORY, facts.say("why.theirs-impostor", **values),
        facts.say("act.account"), "mailtrust directory show", None, (facts.peer, leaf),
        (Said("entry.impostor", said), Said(one.why, said)),
    )  # fmt: skip


def _picture(facts: Facts, leaf: Certificate) -> Conclusion | None:
    """Home has it: what we decide by is older, or was not made from it."""
    snapshot = facts.view.snapshot(facts.here)
    home = facts.theirs.home
    assert home is not None  # noqa: S101  # the caller saw its key there
    one = home.publication(leaf.pin)
    assert one is not None  # noqa: S101
    values = {"fingerprint": short(leaf.fingerprint), "at": when(one.published_at)}
    old = facts.finding(facts.here, catalog.SNAPSHOT_STALE)
    behind = snapshot is not None and (snapshot.taken_at is None or snapshot.taken_at < one.published_at)
    refused = _complaint(facts) in (Complaint.WE_REFUSE, Complaint.OUR_VIEW_IS_OLD)
    # A transport looks once more before it refuses: an old picture alone keeps nobody out.
    if not refused or not (old or behind or facts.compile):
        return None
    taken = when(snapshot.taken_at) if snapshot is not None and snapshot.taken_at is not None else "-"
    command = facts.compile or facts.restart or None
    why = "why.our-tables-old" if facts.compile else "why.our-picture"
    return Conclusion(
        "our-picture", _WE, Owner.HERE, facts.say(why, taken=taken, **values),
        facts.say("act.our-picture"), command, old, (facts.peer, leaf),
        (facts.say("proof.home-has-it", place=home.place, **values),),
    )  # fmt: skip


def _on_its_way(facts: Facts, leaf: Certificate) -> Conclusion:
    home = facts.theirs.home
    place = home.place if home is not None else ""
    values = {"fingerprint": short(leaf.fingerprint), "place": place}
    travelling = facts.finding(facts.peer, catalog.REPLICATING, leaf=leaf, places=(place,))
    if travelling is not None:
        return Conclusion(
            "theirs-travelling", _WE, Owner.NOBODY, facts.say("why.theirs-travelling", **values),
            facts.say("act.wait", until=when(travelling.until or facts.now)), "mailtrust status", travelling,
            (facts.peer, leaf), otherwise=facts.say("else.no-sooner"), until=travelling.until,
        )  # fmt: skip
    finding = facts.finding(
        facts.peer, catalog.CERTIFICATE_MISSING, catalog.REPLICA_BEHIND, catalog.REPLICA_WENT_BACK,
        leaf=leaf, places=(place,),
    )  # fmt: skip
    if home is not None and facts.theirs.fate_at(home, leaf.pin) is Fate.LOST:
        return Conclusion(
            "theirs-lost", _WE, Owner.PEER, facts.say("why.theirs-lost", **values),
            facts.say("act.peer-publish"), enable_command(leaf.fingerprint), finding, (facts.peer, leaf),
            otherwise=facts.say("else.never-for-them"), there=True,
        )  # fmt: skip
    brings = None
    if not facts.policy.replicates_itself:
        brings = "mailtrust directory replicate --once"
    elif facts.policy.pulls:
        brings = f"mailtrust directory pull {facts.peer}"
    return Conclusion(
        "theirs-overdue", _WE, Owner.HERE if brings else Owner.DIRECTORY,
        facts.say("why.theirs-overdue", **values),
        facts.say("act.bring-it", **values) if brings else facts.mend_link(place),
        brings or "mailtrust directory show", finding, (facts.peer, leaf),
        otherwise=facts.say("else.publishing-again"),
    )  # fmt: skip


def _nowhere(facts: Facts, leaf: Certificate) -> Conclusion:
    """No replica publishes it for them."""
    case = facts.theirs
    values = {"fingerprint": short(leaf.fingerprint)}
    home = case.home
    damaged = facts.finding(facts.peer, catalog.CORRUPTED)
    if damaged is not None and home is not None and not home.found:
        return Conclusion(
            "theirs-damaged", _WE, Owner.PEER, facts.say("why.theirs-damaged", **damaged.values),
            facts.say("act.peer-publish", **values), enable_command(leaf.fingerprint), damaged,
            (facts.peer, leaf), otherwise=facts.say("else.never-for-them"), there=True,
        )  # fmt: skip
    impostor = _impostor(facts, leaf)
    if impostor is not None:
        return impostor
    finding = facts.finding(facts.peer, catalog.PRESENTED_NOT_PUBLISHED, leaf=leaf)
    others = [short(one.certificate.fingerprint) for look in case.readable for one in look.found or ()]
    left = case.withdrawals.get(leaf.fingerprint)
    places = {look.place for look in case.replicas}
    stood = [
        at for (server, place, name), at in case.history.first_seen.items()
        if (server, name) == (facts.peer, leaf.fingerprint) and place in places
    ]  # fmt: skip
    if left is None and not stood:
        return Conclusion(
            "theirs-not-published", _WE, Owner.PEER, facts.say("why.theirs-not-published", **values),
            facts.say("act.peer-publish-if-held", **values), enable_command(leaf.fingerprint), finding,
            (facts.peer, leaf), otherwise=facts.say("else.never-for-them"), there=True,
        )  # fmt: skip
    evidence = () if left is not None else (facts.say("proof.stood-here", at=when(min(stood)), **values),)
    if others:
        return Conclusion(
            "theirs-old-process", _WE, Owner.PEER,
            facts.say("why.theirs-old-process", current=others[-1], **values),
            facts.say("act.peer-restart"), "mailtrust check", finding, (facts.peer, leaf), evidence,
            facts.say("else.withdrawn-never-returns", **values), there=True,
        )  # fmt: skip
    return Conclusion(
        "theirs-withdrawn", _WE, Owner.PEER, facts.say("why.theirs-withdrawn", **values),
        facts.say("act.peer-new"), "mailtrust new", finding, (facts.peer, leaf), evidence,
        facts.say("else.withdrawn-never-returns", **values), there=True,
    )  # fmt: skip

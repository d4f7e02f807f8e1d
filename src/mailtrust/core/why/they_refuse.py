"""
They do not believe us: something is wrong with our own certificate, or with how they see it.

What we present has to stand wherever a peer may read.  We do not know which replica is theirs, so every
one that lacks it is suspected; and where all have it, what is left is the peer's own picture.
"""

from __future__ import annotations

from mailtrust.core.events import catalog
from mailtrust.core.events.catalog import NO_CERTIFICATE, NOT_WRITTEN, RESTORED_IMAGE
from mailtrust.core.model.certificate import Certificate, short
from mailtrust.core.model.event import Finding, when
from mailtrust.core.model.server import ServerName
from mailtrust.core.why.facts import Facts
from mailtrust.core.why.stuck import Complaint, Stuck
from mailtrust.core.why.value import Conclusion, Direction, Owner

_THEY = Direction.THEY_REFUSE
_AT_THEIR_SIDE = {
    Complaint.THEIR_VIEW_IS_OLD: ("peer-view-old", "why.peer-view-old", "act.peer-view-old"),
    Complaint.THEIR_TABLES: ("peer-tables", "why.peer-tables", "act.peer-tables"),
    Complaint.THEIR_TLS: ("peer-tls", "why.peer-tls", "act.peer-tls"),
}


def they_refuse(facts: Facts) -> Conclusion | None:
    """Why they do not believe us; None where we see no reason for it."""
    complaint = facts.stuck.complaint if facts.stuck else Complaint.UNTRIED
    if complaint in _AT_THEIR_SIDE:
        code, why, act = _AT_THEIR_SIDE[complaint]
        return Conclusion(
            code,
            _THEY,
            Owner.PEER,
            facts.say(why),
            facts.say(act),
            "mailtrust check",
            about=_about(facts),
            there=True,
        )
    return (
        (_unknown(facts) if complaint is Complaint.THEY_REFUSE else None)
        or _nothing_to_show(facts)
        or _nobody_asks(facts)
        or _authority(facts)
        or _not_published(facts)
        or _not_everywhere(facts)
        or (
            _their_picture(facts, facts.stuck) if facts.stuck and complaint is Complaint.THEY_REFUSE else None
        )
    )


def _about(facts: Facts) -> tuple[ServerName, Certificate] | None:
    leaf = facts.shown
    return (facts.here, leaf) if leaf is not None else None


def _unknown(facts: Facts) -> Conclusion | None:
    """They met one that is neither in our store nor on our entry: the transport has a file of its own."""
    name = facts.met_unknown
    if not name:
        return None
    return Conclusion(
        "ours-unknown", _THEY, Owner.HERE, facts.say("why.ours-unknown", fingerprint=name),
        facts.say("act.ours-foreign"), "mailtrust list",
        facts.finding(facts.here, catalog.CERTIFICATE_MISSING),
    )  # fmt: skip


def _nothing_to_show(facts: Facts) -> Conclusion | None:
    """No certificate is in use here at all."""
    case = facts.ours
    if facts.shown is not None or case.store is None or case.store.found is None:
        return None
    finding = facts.finding(facts.here, catalog.CERTIFICATE_MISSING)
    return _ours_missing(facts, finding, case.installed.certificate if case.installed else None)


def _ours_missing(facts: Facts, finding: Finding | None, leaf: Certificate | None) -> Conclusion | None:
    """12012 as it keeps mail from going: nothing made, not enabled, or not written."""
    if finding is None:
        return None
    about = (facts.here, leaf) if leaf is not None else None
    named = {"fingerprint": short(leaf.fingerprint) if leaf is not None else "-"}
    if finding.cause == NO_CERTIFICATE:
        why, act, code = "why.ours-none", "act.ours-none", "ours-none"
    elif leaf is not None and facts.ours.is_withdrawn(leaf):
        why, act, code = "why.ours-withdrawn", "act.ours-none", "ours-withdrawn"
    elif finding.cause == catalog.NOT_ENABLED:
        why, act, code = "why.ours-not-enabled", "act.ours-publish", "ours-not-enabled"
    else:
        why, act, code = "why.ours-not-written", "act.ours-publish", "ours-not-written"
    return Conclusion(
        code, _THEY, Owner.HERE, facts.say(why, **named), facts.say(act, **named), finding.action, finding,
        about, otherwise=None if act == "act.ours-none" else facts.say("else.make-no-other"),
    )  # fmt: skip


def _nobody_asks(facts: Facts) -> Conclusion | None:
    finding = facts.finding(facts.peer, catalog.CLIENT_CERTIFICATE_NOT_ASKED)
    if finding is None:
        return None
    port = (finding.place or "").rpartition(":")[2]
    # As master.cf names it, unless it also has the address.
    listener = "smtp" if port == "25" else port
    return Conclusion(
        "peer-asks-nobody", _THEY, Owner.PEER,
        facts.say("why.peer-asks-nobody", endpoint=finding.place or ""), facts.say("act.peer-asks-nobody"),
        f"postconf -P {listener}/inet/smtpd_tls_ask_ccert=yes && postfix reload",
        finding, _about(facts), otherwise=facts.say("else.nothing-to-publish"), there=True,
    )  # fmt: skip


def _authority(facts: Facts) -> Conclusion | None:
    """What we present may issue others: published or not, nobody takes it."""
    leaf = facts.shown
    if leaf is None or not leaf.is_ca:
        return None
    return Conclusion(
        "ours-authority", _THEY, Owner.HERE,
        facts.say("why.ours-authority", fingerprint=short(leaf.fingerprint)),
        facts.say("act.ours-none"), "mailtrust new", facts.finding(facts.here, catalog.AUTHORITY_PUBLISHED),
        (facts.here, leaf),
    )  # fmt: skip


def _not_published(facts: Facts) -> Conclusion | None:
    """No replica that answered publishes what we present."""
    case, leaf = facts.ours, facts.shown
    if leaf is None or not case.readable or case.publishing(leaf.pin):
        return None
    restored = _restored(facts, leaf)
    if restored is not None:
        return restored
    missing = facts.finding(facts.here, catalog.CERTIFICATE_MISSING)
    current = case.current
    replaced = current is not None and current.certificate.pin != leaf.pin
    if replaced or (case.is_withdrawn(leaf) and case.installed and case.installed.certificate != leaf):
        return _old_process(facts, leaf)
    damaged = facts.finding(facts.here, catalog.CORRUPTED)
    if damaged is not None and not any(look.found for look in case.readable):
        return Conclusion(
            "ours-damaged", _THEY, Owner.HERE, facts.say("why.ours-damaged", **damaged.values),
            facts.say("act.ours-damaged"), "mailtrust fix", damaged, (facts.here, leaf),
        )  # fmt: skip
    if missing is not None and case.expected is not None and case.expected.pin == leaf.pin:
        return _ours_missing(facts, missing, leaf)
    finding = facts.finding(facts.here, catalog.PRESENTED_NOT_PUBLISHED, leaf=leaf)
    return Conclusion(
        "ours-foreign", _THEY, Owner.HERE, facts.say("why.ours-foreign", fingerprint=short(leaf.fingerprint)),
        facts.say("act.ours-foreign"), "mailtrust list", finding, (facts.here, leaf),
        otherwise=facts.say("else.make-no-other"),
    )  # fmt: skip


def _restored(facts: Facts, leaf: Certificate) -> Conclusion | None:
    """The store itself is older than what this host did: a restart would bring nothing."""
    finding = facts.finding(
        facts.here, catalog.PRESENTED_NOT_PUBLISHED, catalog.PRESENTED_NOT_CURRENT, leaf=leaf
    )
    if finding is None or finding.cause != RESTORED_IMAGE:
        return None
    values = {"fingerprint": short(leaf.fingerprint)}
    return Conclusion(
        "ours-restored", _THEY, Owner.HERE, facts.say("why.ours-restored", **values),
        facts.say("act.ours-restored"), finding.action, finding, (facts.here, leaf),
        otherwise=facts.say("else.restart-brings-nothing"),
    )  # fmt: skip


def _old_process(facts: Facts, leaf: Certificate) -> Conclusion:
    """What peers meet was replaced here, and the process does not know it."""
    finding = facts.finding(
        facts.here, catalog.PRESENTED_NOT_PUBLISHED, catalog.PRESENTED_NOT_CURRENT, leaf=leaf
    )
    now = facts.ours.current or facts.ours.installed
    current = short(now.certificate.fingerprint) if now is not None else "-"
    values = {"fingerprint": short(leaf.fingerprint), "current": current}
    gone = facts.ours.withdrawals.get(leaf.fingerprint)
    evidence = (facts.say("proof.withdrawn", at=when(gone), **values),) if gone and finding is None else ()
    # A second hub beside the one that runs would not even come up: the port is taken.
    restart, command = "act.restart-hub" if facts.one_process else "act.restart", facts.restart
    if facts.compile and finding is not None:
        # A listener shows it, which begins anew with every session: it may be the file that is old.
        restart, command = "act.chain", "mailtrust agent --once"
    return Conclusion(
        "ours-old-process", _THEY, Owner.HERE, facts.say("why.ours-old-process", **values),
        facts.say(restart, **values), command or None, finding, (facts.here, leaf), evidence,
        facts.say("else.withdrawn-never-returns", **values),
    )  # fmt: skip


def _not_everywhere(facts: Facts) -> Conclusion | None:
    """Some replica, and perhaps theirs, does not have what we present."""
    case, leaf = facts.ours, facts.shown
    if leaf is None or not case.publishing(leaf.pin):
        return None
    lacking = {look.place for look in case.readable if leaf.pin not in look.pins}
    late = facts.finding(
        facts.here, catalog.CERTIFICATE_MISSING, catalog.REPLICA_BEHIND, catalog.REPLICA_WENT_BACK,
        leaf=leaf, places=lacking,
    )  # fmt: skip
    if late is not None:
        return _overdue(facts, late, leaf)
    travelling = facts.finding(facts.here, catalog.REPLICATING, leaf=leaf, places=lacking)
    if travelling is None:
        return None
    values = {"fingerprint": short(leaf.fingerprint), "place": travelling.place or ""}
    return Conclusion(
        "ours-travelling", _THEY, Owner.NOBODY, facts.say("why.ours-travelling", **values),
        facts.say("act.wait", until=when(travelling.until or facts.now)), "mailtrust wait", travelling,
        (facts.here, leaf),
        otherwise=facts.say("else.no-sooner"), until=travelling.until,
    )  # fmt: skip


def _overdue(facts: Facts, finding: Finding, leaf: Certificate) -> Conclusion:
    values = {"fingerprint": short(leaf.fingerprint), "place": finding.place or ""}
    here = finding.action is not None
    place = finding.place or ""
    act = facts.say("act.bring-it", place=place) if here else facts.mend_link(place)
    why = "why.ours-overdue"
    if finding.event is catalog.REPLICA_WENT_BACK:
        why = "why.ours-went-back"
    elif finding.cause == NOT_WRITTEN:
        why = "why.ours-lost"
    return Conclusion(
        "ours-overdue", _THEY, Owner.HERE if here else Owner.DIRECTORY, facts.say(why, **values),
        act, finding.action or "mailtrust directory show", finding, (facts.here, leaf),
        otherwise=facts.say("else.publishing-again"),
    )  # fmt: skip


def _their_picture(facts: Facts, held: Stuck) -> Conclusion | None:
    """All that we can read has it: their own snapshot is not so far, or is never renewed."""
    case, leaf = facts.ours, facts.shown
    if leaf is None or not case.publishing(leaf.pin) or _is_outdated(facts, held, leaf):
        return None
    values = {"fingerprint": short(leaf.fingerprint)}
    blind = [look.place for look in case.replicas if look.found is None]
    if blind:
        return Conclusion(
            "peer-replica-unseen", _THEY, Owner.DIRECTORY,
            facts.say("why.peer-replica-unseen", places=", ".join(blind), **values),
            facts.say("act.readable", place=", ".join(blind)), "mailtrust directory show",
            facts.finding(facts.here, catalog.REPLICA_UNREADABLE), (facts.here, leaf),
        )  # fmt: skip
    published = max(
        one.published_at
        for look in case.readable
        for one in look.found or ()
        if one.certificate.pin == leaf.pin
    )
    act = case.history.last("present", facts.here, leaf.fingerprint)
    if act is not None and not act.failed:
        published = max(published, act.done_at)
    # A peer may judge by a snapshot of that age.
    until = published + facts.policy.latency + facts.policy.snapshot_max_age
    if facts.now < until:
        return Conclusion(
            "peer-not-so-far", _THEY, Owner.NOBODY, facts.say("why.peer-not-so-far", **values),
            facts.say("act.wait", until=when(until)),"mailtrust why --queue", about=(facts.here, leaf),
            otherwise=facts.say("else.no-sooner"), until=until,
        )  # fmt: skip
    return Conclusion(
        "peer-picture", _THEY, Owner.PEER, facts.say("why.peer-picture", **values),
        facts.say("act.peer-picture"), "mailtrust check", about=(facts.here, leaf),
        otherwise=facts.say("else.make-no-other"), there=True,
    )  # fmt: skip


def _is_outdated(facts: Facts, held: Stuck, leaf: Certificate) -> bool:
    """What they said is about another certificate than the one that we present now."""
    about_another = held.met_nobody or held.named not in ("", short(leaf.fingerprint))
    return about_another and facts.ours.presented == (leaf,)

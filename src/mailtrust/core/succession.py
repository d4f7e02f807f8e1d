"""
Which rotation a server is to make: the one that was asked for, the one that was left half-way, the next one.

A server always has its *next* certificate made and published, long before it is needed, so that a planned
rotation waits for nothing and an emergency is a switch.  That one grows old beside the current one and is
replaced in time, too.  Nothing here is stored but what somebody asked for: all else is read off the view.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from mailtrust.core.model.certificate import Certificate, Fingerprint
from mailtrust.core.model.event import Said
from mailtrust.core.model.plan import Install, Obstacle, Pace, Phase, Plan, Rotation
from mailtrust.core.model.server import ServerName
from mailtrust.core.model.sighting import Installed, Intent, Slot, View
from mailtrust.core.policy import Policy
from mailtrust.core.rotation import plan

ENABLE_PACE = Pace()
"""`enable` switches as soon as every replica that can be read has the new certificate."""
_NOT_MADE_YET = Fingerprint("")


@dataclass(frozen=True, slots=True)
class Course:
    """What a server is to do about its certificates, as far as it has come."""

    why: str
    """``start``, ``now``, ``undo``, ``compromised``, ``due``, ``enable``, ``finish`` or ``successor``."""
    plan: Plan
    begins: Intent | None = None
    """A rotation that nobody asked for yet: it is due, and to be put on record before anything is done."""

    @property
    def is_done(self) -> bool:
        """True where nothing is left to do or to wait for."""
        return self.plan.phase is Phase.DONE


def outcome(server: ServerName, view: View, policy: Policy, now: datetime) -> str:
    """
    How the rotation on record has ended: ``done``, or ``void`` where it leads nowhere; empty while it has
    not.
    """
    if view.history.intent is None or _cannot_look(server, view):
        return ""
    found = asked(server, view, policy, now)
    if found is None or found.why != view.history.intent.why:
        return "void"
    return "done" if found.is_done else ""


def course(server: ServerName, view: View, policy: Policy, now: datetime) -> Course | None:
    """The next thing to do or to wait for; None where there is nothing, or where its store cannot be read."""
    if _cannot_look(server, view):
        return None
    unfinished = tuple(_unfinished(server, view, policy, now))
    # What has to wait must not keep the successor from being made.
    return next((one for one in unfinished if one.plan.action is not None), next(iter(unfinished), None))


def asked(server: ServerName, view: View, policy: Policy, now: datetime) -> Course | None:
    """What somebody asked for, or what was due, and is under way: a rotation, or else an `enable`."""
    intent, enabled = view.history.intent, pending(server, view)
    if intent is not None and intent.rotation.server == server and not _is_void(intent.rotation, view):
        return _course(intent.why, intent.rotation, view, policy, now)
    return _course("enable", enabled, view, policy, now) if enabled is not None else None


def pace_of(why: str, policy: Policy) -> Pace:
    """How careful to be with a rotation that was begun for that reason."""
    if why in ("enable", "compromised", "successor"):
        return ENABLE_PACE
    return Pace(policy.spread, policy.settle, unreadable_blocks=True, rehearses=why != "now")


def is_step_back(held: Installed, current: Installed | None, now: datetime) -> bool:
    """
    True where *held* is not valid now and was never in use, and would take the place of what is valid.

    What was in use is no mistake: a way back must stay open, and peers believe it whatever its dates say.
    """
    if held.slot in (Slot.CURRENT, Slot.PREVIOUS) or held.certificate.valid(now):
        return False
    return current is not None and current.certificate.valid(now)


def pending(server: ServerName, view: View) -> Rotation | None:
    """
    What `enable` was asked for here and is not finished: the last one whose certificate is in the store, was
    not withdrawn, and is not the current one yet.

    Where nobody knows of an `enable` and nothing is current, what home publishes of the store was asked for.
    """
    store = view.store(server)
    if store is None or store.found is None:
        return None
    asked = [act for act in view.history.acts if act.what == "enable" and act.server == server]
    latest = asked[-1].fingerprint if asked else _published_at_home(server, view)
    held = next((one for one in store.found if one.certificate.fingerprint == latest), None)
    if held is None or held.slot is Slot.CURRENT or view.is_withdrawn(server, held.certificate):
        return None
    presented = [act for act in view.history.acts if act.what == "present" and act.server == server]
    if (
        asked
        and presented
        and presented[-1].done_at > asked[-1].done_at
        and presented[-1].fingerprint != latest
    ):
        # Something else was made current since then.
        return None
    return Rotation(server, held.certificate.fingerprint)


def start(server: ServerName, view: View) -> Rotation | None:
    """The rotation from the current certificate to the next one; None where there is none that is fit."""
    successor = _successor_of(server, view)
    current = view.current(server)
    if successor is None or current is None:
        return None
    return Rotation(
        server, successor.certificate.fingerprint, old=frozenset({current.certificate.fingerprint})
    )


def undo(server: ServerName, view: View) -> Rotation | None:
    """
    The way back from the rotation under way, or from the last one while what it replaced is still published.

    None where there is none: then only a rotation to another certificate leads away from the current one.
    """
    current, intent = view.current(server), view.history.intent
    if current is None:
        return None
    if intent is not None and intent.rotation.compromised:
        # Whoever goes back presents a key that somebody else has.
        return None
    shown = current.certificate.fingerprint
    if intent is not None and shown in intent.rotation.old:
        return intent.rotation.undone(shown)
    presented = [
        act.fingerprint for act in view.history.acts if (act.what, act.server) == ("present", server)
    ]
    shown_there = published(server, view)
    fit = {
        one.certificate.fingerprint: one
        for one in _usable(server, view, Slot.PREVIOUS) if one.certificate.fingerprint in shown_there
    }  # fmt: skip
    # Among what was replaced may be a successor that grew old and was never presented.
    latest = next((one for one in reversed(presented) if one in fit), None) or next(iter(fit), None)
    if latest is None:
        return None
    begun = intent.rotation if intent else Rotation(server, shown)
    return begun.undone(latest)


def compromised(server: ServerName, view: View, new: Fingerprint) -> Rotation:
    """The rotation to a key that was made after all others were stolen: each of them goes."""
    held = {one.certificate.fingerprint for one in view.installed(server)}
    return Rotation(server, new, old=frozenset((held | published(server, view)) - {new}), compromised=True)


def lead(leaf: Certificate, policy: Policy) -> timedelta:
    """How long before its end a certificate is to be replaced; never more than a third of its life."""
    life = leaf.not_after - leaf.not_before
    return min(policy.soon(life), life / 3)


def due_at(server: ServerName, leaf: Certificate, policy: Policy) -> datetime:
    """When its planned rotation begins: before anybody warns of its end, and not all servers on one day."""
    jitter = int.from_bytes(hashlib.sha256(server.encode()).digest()[:4], "big") / 2**32
    return leaf.not_after - lead(leaf, policy) * (1 + jitter / 3)


def _unfinished(server: ServerName, view: View, policy: Policy, now: datetime) -> Iterator[Course]:
    courses = (
        asked(server, view, policy, now),
        _finish(server, view, policy, now),
        _successor(server, view, policy, now),
    )
    found = [one for one in courses if one is not None and not one.is_done]
    yield from found
    # One rotation at a time, and never to a successor that is not known yet.
    due = None if found else _due(server, view, policy, now)
    if due is not None:
        yield due


def _course(
    why: str, rotation: Rotation, view: View, policy: Policy, now: datetime, begins: Intent | None = None
) -> Course:
    return Course(why, plan(rotation, view, pace_of(why, policy), now), begins)


def _cannot_look(server: ServerName, view: View) -> bool:
    store = view.store(server)
    return store is None or store.found is None


def _is_void(rotation: Rotation, view: View) -> bool:
    """True for one that leads to what was withdrawn since: somebody decided otherwise."""
    held = [
        one.certificate
        for one in view.installed(rotation.server)
        if one.certificate.fingerprint == rotation.new
    ]
    return not held or view.is_withdrawn(rotation.server, held[0])


def _finish(server: ServerName, view: View, policy: Policy, now: datetime) -> Course | None:
    """What was replaced is still published: nobody is to believe it for ever."""
    current = view.current(server)
    previous = (one for one in view.installed(server) if one.slot is Slot.PREVIOUS)
    replaced = {one.certificate.fingerprint for one in previous} & published(server, view)
    if current is None or not replaced:
        return None
    rotation = Rotation(server, current.certificate.fingerprint, old=frozenset(replaced))
    return _course("finish", rotation, view, policy, now)


def _successor(server: ServerName, view: View, policy: Policy, now: datetime) -> Course | None:
    if view.current(server) is None:
        return None
    successor = _successor_of(server, view)
    # Twice as long as a current one has left: it is to be known everywhere before its turn comes.
    if successor is None or successor.certificate.not_after - now < 2 * lead(successor.certificate, policy):
        made = Install(server, successor=True)
        lacking = Obstacle(Said("obstacle.no-successor"), is_gap=True)
        rotation = Rotation(server, _NOT_MADE_YET, standing=True)
        return Course("successor", Plan(rotation, Phase.INSTALL, made, (lacking,)))
    rotation = Rotation(server, successor.certificate.fingerprint, standing=True)
    return _course("successor", rotation, view, policy, now)


def _due(server: ServerName, view: View, policy: Policy, now: datetime) -> Course | None:
    current, rotation = view.current(server), start(server, view)
    if not policy.rotates_when_due:
        return None
    if current is None or rotation is None or now < due_at(server, current.certificate, policy):
        return None
    return _course("due", rotation, view, policy, now, Intent(rotation, "due", now))


def _successor_of(server: ServerName, view: View) -> Installed | None:
    return next(iter(_usable(server, view, Slot.NEXT)), None)


def _usable(server: ServerName, view: View, slot: Slot) -> list[Installed]:
    """What is in that slot and could be presented, the newest first."""
    intent = view.history.intent
    # What is to go because it was stolen is not gone yet.
    stolen = intent.rotation.old if intent is not None and intent.rotation.compromised else frozenset()
    fit = [
        one
        for one in view.installed(server)
        if one.slot is slot
        and one.has_key
        and one.certificate.fingerprint not in stolen
        and not view.is_withdrawn(server, one.certificate)
    ]
    return sorted(fit, key=lambda one: one.arrived_at, reverse=True)


def published(server: ServerName, view: View) -> frozenset[Fingerprint]:
    """Whatever any replica that could be read publishes for that server."""
    looks = (look for look in view.replicas(server) if look.found is not None)
    return frozenset(one.certificate.fingerprint for look in looks for one in look.found or ())


def _published_at_home(server: ServerName, view: View) -> Fingerprint | None:
    """The newest usable certificate that home publishes, where nothing is current: both diaries were lost."""
    home, store = view.home(server), view.store(server)
    if home is None or store is None or view.current(server) is not None:
        return None
    published = {one.certificate.fingerprint for one in home.found or ()}
    fit = [one for one in store.found or () if one.has_key and one.certificate.fingerprint in published]
    newest = max(fit, key=lambda one: one.arrived_at, default=None)
    return newest.certificate.fingerprint if newest else None

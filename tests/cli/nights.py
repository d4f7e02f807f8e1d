"""Nights that a screen is drawn of, with certificates whose names do not change from run to run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from mailtrust.agent.why import Answers
from mailtrust.core.checks import diagnose
from mailtrust.core.model.certificate import Certificate, Fingerprint, Pin
from mailtrust.core.model.server import Endpoint, ServerName
from mailtrust.core.model.sighting import (
    Act,
    History,
    ReplicaSighting,
    Sighting,
    Slot,
    SnapshotSighting,
    View,
    WireFailure,
)
from mailtrust.core.policy import Policy
from mailtrust.core.why import Facts, Waiting, Why, stuck, why
from tests.make import (
    DC1,
    DC2,
    DC3,
    NOON,
    a_certificate,
    a_dead_wire,
    a_replica,
    a_store,
    a_view,
    a_wire,
    an_unread_replica,
    garbage,
    installed,
)

AT_THREE = datetime(2026, 6, 2, 3, 7, 12, tzinfo=NOON.tzinfo)
HOURS = timedelta(hours=1)


class Pair:
    """Two servers and their certificates, under the names that a test wants."""

    def __init__(self, ours: str, theirs: str, urls: tuple[str, str, str]) -> None:
        self.here, self.peer = ServerName(ours), ServerName(theirs)
        self.dc1, self.dc2, self.dc3 = self.urls = urls
        self.ours, self.old = self._named(self.here, "3f9a2c71e5b0"), self._named(self.here, "a01d77c2b35e")
        self.theirs = self._named(self.peer, "c1e04d5a9f62")
        self.hop, self.there = f"{self.peer}:25", Endpoint(self.peer, 25)

    @staticmethod
    def _named(name: str, digits: str) -> Certificate:
        # A common name has at most 64 characters (RFC 5280, upper bounds).
        leaf = a_certificate("hub.example.test", key=digits, names=[name])
        whole = (digits * 6)[:64]
        return replace(leaf, fingerprint=Fingerprint(whole), pin=Pin(whole))

    def at(self, *leaves: Certificate, peer: bool = False, **more: Any) -> list[ReplicaSighting]:
        server = self.peer if peer else self.here
        given = {"published_at": AT_THREE - 9 * HOURS, **more}
        return [
            self._seen(a_replica(url, *leaves, server=server, home=url == self.dc1, **given))
            for url in self.urls
        ]

    def one(self, url: str, *leaves: Certificate, peer: bool = False, **more: Any) -> ReplicaSighting:
        return next(look for look in self.at(*leaves, peer=peer, **more) if look.place == url)

    def unread(self, url: str, *, peer: bool) -> ReplicaSighting:
        look = an_unread_replica(url, server=self.peer if peer else self.here, home=url == self.dc1)
        return self._seen(look)

    def our_wire(self, *leaves: Certificate) -> Sighting:
        return self._seen(
            a_wire(*(leaves or (self.ours,)), server=self.here, endpoint=Endpoint(self.here, 25))
        )

    def their_wire(self, *leaves: Certificate, **more: Any) -> Sighting:
        return self._seen(a_wire(*(leaves or (self.theirs,)), server=self.peer, endpoint=self.there, **more))

    def dead(self, failure: WireFailure, *, peer: bool = True, why: str = "connection refused") -> Sighting:
        where = self.there if peer else Endpoint(self.here, 25)
        dead = a_dead_wire(failure, server=self.peer if peer else self.here)
        return self._seen(replace(dead, endpoint=where, why=why))

    def store(self, *held: Any) -> Sighting:
        return self._seen(a_store(*held, server=self.here))

    def current(self) -> Any:
        return installed(self.ours, Slot.CURRENT, arrived_at=AT_THREE - 8 * HOURS)

    def well(self) -> tuple[Sighting, ...]:
        return (
            self.store(self.current()), self.our_wire(), *self.at(self.ours),
            *self.at(self.theirs, peer=True), self.their_wire(),
        )  # fmt: skip

    @staticmethod
    def _seen(look: Any) -> Any:
        return replace(look, seen_at=AT_THREE - timedelta(seconds=2))

    def waits(self, answer: str = "", words: str = "") -> tuple[Waiting, ...]:
        return tuple(
            Waiting(
                f"C0FFEE{number:02}", self.hop, (self.peer,), AT_THREE - timedelta(minutes=70 - number),
                answer, words, AT_THREE + timedelta(minutes=12),
                AT_THREE - timedelta(minutes=70 - number) + timedelta(days=5),
            )
            for number in range(14)
        )  # fmt: skip

    def answer(
        self, *looks: Sighting, waiting: tuple[Waiting, ...] = (), acts: tuple[Act, ...] = (), **more: Any
    ) -> Why:
        view = self.view(*looks, acts=acts)
        policy = more.pop("policy", Policy())
        diagnosis = diagnose(view, {}, policy, AT_THREE, (self.here, self.peer), self.here)
        held = stuck(waiting)[0] if waiting else None
        facts = Facts(
            view, diagnosis, policy, AT_THREE, self.here, self.peer, True, self.hop, held,
            restart="mailtrust hub", one_process=True,
        )  # fmt: skip
        return why(self.peer, facts, more.pop("fine", ("hub3.example.test", "hub4.example.test")))

    def view(self, *looks: Sighting, acts: tuple[Act, ...] = ()) -> View:
        seen = {(self.peer, str(self.there), self.theirs.fingerprint): AT_THREE - 7 * HOURS}
        return a_view(*self.well(), *looks, history=History(acts, seen))

    def answers(self, *looks: Sighting, waiting: tuple[Waiting, ...] = (), **more: Any) -> Answers:
        found = self.answer(*looks, waiting=waiting, **more)
        return Answers(self.view(*looks), (found,), (), found.fine)

    # What the next hop or our own transport said last

    def they_said(self, leaf: Certificate | None = None) -> tuple[Waiting, ...]:
        words = "no certificate was presented; mail is taken from known servers only"
        if leaf is not None:
            words = f"nobody publishes the key of certificate {leaf.fingerprint[:12]}"
        return self.waits(f"454 4.7.1 1036 {words}")

    def we_said(self) -> tuple[Waiting, ...]:
        name = self.theirs.fingerprint[:12]
        return self.waits(
            words=f"2018 nobody publishes the key of certificate {name} that {self.hop} presented"
        )


SHORT = Pair("hub1.example.test", "hub2.example.test", (DC1, DC2, DC3))
LONG = Pair(
    "mail-gateway-of-the-northern-subsidiary-01.frankfurt.infrastructure.example.test",
    "mail-gateway-of-the-southern-subsidiary-02.stellenbosch.infrastructure.example.test",
    (
        "ldaps://directory-server-of-the-northern-subsidiary-01.frankfurt.infrastructure.example.test",
        "ldaps://directory-server-of-the-southern-subsidiary-02.stellenbosch.infrastructure.example.test",
        "ldaps://directory-server-of-the-western-subsidiary-03.reykjavik.infrastructure.example.test",
    ),
)
_LABEL = "a" * 63
WORST = Pair(
    f"{_LABEL}.{_LABEL}.{_LABEL}.example.test", f"{'b' * 63}.{_LABEL}.{_LABEL}.example.test",
    (
        f"ldaps://{'x' * 63}.{_LABEL}.{_LABEL}.example.test:6636",
        f"ldaps://{'y' * 63}.{_LABEL}.{_LABEL}.example.test:6636",
        f"ldaps://{'z' * 63}.{_LABEL}.{_LABEL}.example.test:6636",
    ),
)  # fmt: skip
"""As long as names may be (RFC 1035 section 2.3.4)."""


def _never_enabled(on: Pair) -> Answers:
    made = installed(on.ours, arrived_at=AT_THREE - 2 * HOURS)
    return on.answers(
        on.store(made), *on.at(), on.dead(WireFailure.NOT_OFFERED, peer=False), waiting=on.they_said(),
        acts=(Act("install", on.here, on.ours.fingerprint, AT_THREE - 2 * HOURS),),
    )  # fmt: skip


def _acts(on: Pair) -> tuple[Act, ...]:
    return (
        Act("enable", on.here, on.ours.fingerprint, AT_THREE - timedelta(minutes=5), on.dc1),
        Act("present", on.here, on.ours.fingerprint, AT_THREE - timedelta(minutes=5)),
    )


def _travelling(on: Pair) -> Answers:
    fresh = AT_THREE - timedelta(minutes=5)
    store = on.store(installed(on.ours, Slot.CURRENT, arrived_at=AT_THREE - timedelta(minutes=6)))
    looks = [
        on.one(on.dc1, on.ours, published_at=fresh),
        on.one(on.dc2),
        on.one(on.dc3, on.ours, published_at=fresh),
    ]
    return on.answers(store, *looks, waiting=on.they_said(on.ours), acts=_acts(on))


def _overdue(on: Pair) -> Answers:
    policy = Policy(every_replica_takes_writes=False, replicates_itself=True)
    late = replace(on.one(on.dc2), partners=(on.dc1,))
    return on.answers(late, waiting=on.they_said(on.ours), policy=policy)


def _not_published(on: Pair) -> Answers:
    return on.answers(*on.at(peer=True), waiting=on.we_said())


def _old_process(on: Pair) -> Answers:
    gone = {on.old.fingerprint: AT_THREE - timedelta(minutes=80)}
    store = on.store(on.current(), installed(on.old, Slot.PREVIOUS, arrived_at=AT_THREE - 9000 * HOURS))
    return on.answers(
        store, on.our_wire(on.old), *on.at(on.ours, withdrawn=gone), waiting=on.they_said(on.old),
        acts=(Act("withdraw", on.here, on.old.fingerprint, AT_THREE - timedelta(minutes=80)),),
    )  # fmt: skip


def _down(on: Pair) -> Answers:
    words = f"cannot connect to {on.hop}: Connection refused"
    return on.answers(on.dead(WireFailure.UNREACHABLE), waiting=on.waits(words=words))


def _stripped(on: Pair) -> Answers:
    why = "the answer to EHLO does not offer STARTTLS or X-ANONYMOUSTLS"
    dead = on.dead(WireFailure.NOT_OFFERED, why=why)
    return on.answers(dead, waiting=on.waits(words=f"2018 TLS is required: {why}"))


def _asks_nobody(on: Pair) -> Answers:
    return on.answers(on.their_wire(asks=False), waiting=on.they_said())


def _stale(on: Pair) -> Answers:
    taken = AT_THREE - timedelta(minutes=95)
    snapshot = SnapshotSighting(on.here, "/var/lib/mailtrust/snapshot.jsonl", AT_THREE, taken, on.dc1)
    unread = [on.unread(on.dc1, peer=peer) for peer in (False, True)]
    words = "12111 our view of the directory is too old to trust anybody"
    return on.answers(*unread, snapshot, waiting=on.waits(words=words))


def _damaged(on: Pair) -> Answers:
    bad = replace(garbage(), published_at=AT_THREE - timedelta(minutes=72))
    return on.answers(*on.at(peer=True, unparsable=(bad,)), waiting=on.we_said())


def _stolen(on: Pair) -> Answers:
    return on.answers(*on.at(peer=True, withdrawn_pins=frozenset({on.theirs.pin})), waiting=on.we_said())


def _quiet(on: Pair) -> Answers:
    return on.answers()


def _unseen(on: Pair) -> Answers:
    return on.answers(*(on.unread(on.dc3, peer=peer) for peer in (False, True)))


def _over(on: Pair) -> Answers:
    return on.answers(waiting=on.they_said())


NIGHTS: Mapping[str, Callable[[Pair], Answers]] = {
    "never-enabled": _never_enabled,
    "travelling": _travelling,
    "overdue": _overdue,
    "not-published": _not_published,
    "old-process": _old_process,
    "down": _down,
    "stripped": _stripped,
    "asks-nobody": _asks_nobody,
    "stale": _stale,
    "damaged": _damaged,
    "stolen": _stolen,
    "quiet": _quiet,
    "unseen": _unseen,
    "over": _over,
}

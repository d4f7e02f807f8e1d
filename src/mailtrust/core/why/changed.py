"""What changed last on either side: the journal's acts, the directory's writes, arrivals in the store."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from mailtrust.core.checks.case import Case
from mailtrust.core.model.certificate import short
from mailtrust.core.model.event import Said, when
from mailtrust.core.model.sighting import Published
from mailtrust.core.why.facts import Facts
from mailtrust.core.why.value import Change

_MOST = 20
_PUBLISHED = {
    (): "change.published",
    ("writer",): "change.published-at",
    ("author",): "change.published-by",
    ("writer", "author"): "change.published-at-by",
}
"""By what the directory tells of the write: at which replica, and by which account."""


def changes(facts: Facts) -> tuple[Change, ...]:
    """The latest first, and no more than a page of them."""
    found = [*_acts(facts), *_arrivals(facts)]
    for case in (facts.ours, facts.theirs):
        found += (*_entry(case), *_wire(case))
    past = [one for one in found if one.at <= facts.now]
    return tuple(sorted(past, key=lambda one: one.at, reverse=True)[:_MOST])


def _change(at: datetime, phrase: str, **values: str) -> Change:
    return Change(at, Said(phrase, {"at": when(at), **values}))


def _acts(facts: Facts) -> Iterator[Change]:
    acts = [act for act in facts.view.history.acts if act.server == facts.here]
    for at, act in enumerate(acts):
        done = (act.what, act.fingerprint)
        values = {"server": act.server, "what": act.what, "fingerprint": short(act.fingerprint)}
        if not act.failed:
            # What was installed came into the store, and withdrawals are told with the entry.
            if act.what not in ("install", "withdraw"):
                yield _change(act.done_at, "change.act", **values)
        # An act is on record as failed from its beginning until it comes to its end.
        elif not any((one.what, one.fingerprint) == done for one in acts[at + 1 :]):
            yield _change(act.done_at, "change.act-failed", why=act.failed, **values)


def _arrivals(facts: Facts) -> Iterator[Change]:
    store = facts.ours.store
    for one in (store.found if store else None) or ():
        yield _change(
            one.arrived_at,
            "change.arrived",
            server=facts.here,
            fingerprint=short(one.certificate.fingerprint),
        )


def _entry(case: Case) -> Iterator[Change]:
    """What was written to a server's entry, once for all replicas; and by which of them, where they tell."""
    written: dict[str, tuple[Published, str]] = {}
    for look in case.readable:
        for one in look.found or ():
            held, _ = written.setdefault(one.certificate.fingerprint, (one, look.author))
            if one.published_at < held.published_at:
                written[one.certificate.fingerprint] = (one, look.author)
    for one, author in written.values():
        values = {"server": case.server, "fingerprint": short(one.certificate.fingerprint)}
        told = {"writer": _writer(case, one), "author": author}
        known = {name: value for name, value in told.items() if value}
        yield _change(one.published_at, _PUBLISHED[tuple(known)], **values, **known)
    for digest, (at, place) in _damaged(case).items():
        yield _change(at, "change.damaged", server=case.server, digest=short(digest), place=place)
    for fingerprint, at in case.withdrawals.items():
        yield _change(at, "change.withdrawn", server=case.server, fingerprint=short(fingerprint))


def _damaged(case: Case) -> dict[str, tuple[datetime, str]]:
    return {
        value.digest: (value.published_at, look.place) for look in case.readable for value in look.unparsable
    }


def _writer(case: Case, one: Published) -> str:
    """The replica at which it was written; where none signs so, as the directory has it."""
    if one.stamp is None:
        return ""
    return next((look.place for look in case.replicas if look.writer == one.stamp.writer), one.stamp.writer)


def _wire(case: Case) -> Iterator[Change]:
    places = {wire.place for wire in case.wires}
    for (server, place, fingerprint), at in case.history.first_seen.items():
        if server == case.server and place in places:
            yield _change(
                at, "change.presented", server=server, endpoint=place, fingerprint=short(fingerprint)
            )

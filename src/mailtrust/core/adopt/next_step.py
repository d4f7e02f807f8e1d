"""What to do next for a pair of hosts, on the way from old rules to the directory; one step at a time."""

from __future__ import annotations

from typing import assert_never

from mailtrust.core.adopt.pairs import Adoption, How, Pair, Published, State, Written
from mailtrust.core.model.event import Said


def next_step(pair: Pair, adoption: Adoption, published: Published | None) -> Said | None:
    """
    The next step of a pair; None where no mail goes and nothing would let it in.

    *published* is None where the directory could not be looked at.
    """
    if not pair.hops and all(one.how in (How.NOTHING, How.UNKNOWN) for one in pair.known_by):
        return None
    values = {"sender": pair.sender, "receiver": pair.receiver}
    if not pair.receiver_collected:
        return Said("adopt.collect", values)
    if published is None:
        return Said("adopt.directory", values)
    missing = [name for name in (pair.sender, pair.receiver) if not published.get(name)]
    if missing:
        return Said("adopt.publish", {"server": missing[0]})
    receiver = adoption.places.find(pair.receiver)
    if receiver is None or not any(one.is_ours for one in receiver.listeners):
        return Said("adopt.listen", values)
    if pair.hops and not pair.is_switched:
        return Said("adopt.switch", values)
    if pair.on_old_rules:
        by = ", ".join(dict.fromkeys(one.by for one in pair.on_old_rules))
        return Said("adopt.clean", {**values, "by": by})
    return Said("adopt.done", values)


def mending(row: Written) -> Said | None:
    """What to do about a written fingerprint; None for one that is as it should be."""
    values = {"host": row.host, "table": row.table, "text": row.text, "owner": row.owner or "?"}
    match row.state:
        case State.CURRENT:
            return None
        case State.STALE:
            return Said("adopt.stale", values)
        case State.UNKNOWN:
            return Said("adopt.unknown", values)
        case State.OTHER_FUNCTION:
            return Said("adopt.other-function", {**values, "function": row.function})
        case State.MALFORMED:
            return Said("adopt.malformed", values)
        case _:
            assert_never(row.state)

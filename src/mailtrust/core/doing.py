"""What an action does, in a phrase that can be said in every language."""

from __future__ import annotations

from typing import assert_never

from mailtrust.core.model.certificate import short
from mailtrust.core.model.event import Said
from mailtrust.core.model.plan import (
    Action,
    Install,
    Present,
    Publish,
    Rehearse,
    Replicate,
    Restrict,
    Withdraw,
)


def doing(action: Action) -> Said:
    """In a few words, as the object of "to be done"."""
    match action:
        case Install(server=server, successor=successor):
            return Said("doing.install-next" if successor else "doing.install", {"server": server})
        case Publish(fingerprint=leaf, replica=replica):
            values = {"fingerprint": short(leaf)}
            if replica is None:
                return Said("doing.publish", values)
            return Said("doing.publish-at", {**values, "place": replica})
        case Rehearse(fingerprint=leaf):
            return Said("doing.rehearse", {"fingerprint": short(leaf)})
        case Present(fingerprint=leaf):
            return Said("doing.present", {"fingerprint": short(leaf)})
        case Withdraw(server=server, fingerprint=leaf, pin=pin):
            phrase = "doing.withdraw" if pin is None else "doing.withdraw-key"
            return Said(phrase, {"fingerprint": short(leaf), "server": server})
        case Replicate():
            return Said("doing.replicate")
        case Restrict(file=file):
            return Said("doing.restrict", {"file": file})
        case _:
            assert_never(action)

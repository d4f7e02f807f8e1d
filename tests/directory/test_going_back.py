"""Whatever becomes of embedded replicas, only a withdrawal costs trust, and each does."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from mailtrust.core.model.certificate import Certificate
from mailtrust.core.model.trust import Snapshot, Trusted
from mailtrust.directory.contents import Added, Contents
from mailtrust.directory.sqlite_entries import column
from tests.make import DC1, HUB1, HUB2, NOON, a_certificate

STEADY = a_certificate(HUB1, key="steady")
LEAVES = [a_certificate(HUB2, key=f"leaf {number}") for number in range(3)]
STEPS = ["publish", "withdraw", "withdraw its key", "unite", "back up", "restore", "read elsewhere"]


@dataclass
class Home:
    """A replica that is read, another one, a backup, and what is true of all of them together."""

    home: Contents
    other: Contents
    backup: Contents
    snapshot: Snapshot = field(default_factory=Snapshot)
    ever_read: set[Certificate] = field(default_factory=set)
    withdrawn: set[Certificate] = field(default_factory=set)

    def do(self, step: str, leaf: Certificate) -> None:
        key = (HUB2, leaf.fingerprint)
        match step:
            case "publish":
                value = {**self.home.values, key: Added(NOON, leaf.der)}
                self.home = replace(self.home, values=value).pruned()
            case "withdraw":
                self.withdrawn.add(leaf)
                self.home = replace(self.home, withdrawn={**self.home.withdrawn, key: NOON}).pruned()
            case "withdraw its key":
                self.withdrawn.add(leaf)
                keys = {**self.home.withdrawn_keys, (HUB2, leaf.pin): NOON}
                self.home = replace(self.home, withdrawn_keys=keys).pruned()
            case "unite":
                self.home = self.other = self.home.united(self.other)
            case "back up":
                self.backup = self.home
            case "restore":
                self.home = self.backup
            case _:
                self.home, self.other = self.other, self.home


# Without a deadline: other people are at work on this machine.
@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(STEPS), st.sampled_from(range(len(LEAVES)))), max_size=25))
def test_only_a_withdrawal_takes_a_key_away_and_it_does(steps: list[tuple[str, int]]) -> None:
    first = Contents({(HUB1, STEADY.fingerprint): Added(NOON, STEADY.der)})
    held = Home(first, first, first)
    for second, (step, at) in enumerate(steps):
        held.do(step, LEAVES[at])
        held.snapshot = held.snapshot.renewed(column(held.home), DC1, NOON + timedelta(seconds=second))
        held.ever_read |= {one for one in LEAVES if (HUB2, one.fingerprint) in held.home.values}

        believed = {one for one in LEAVES if isinstance(held.snapshot.judge(one), Trusted)}
        told = {one for one in LEAVES if held.home.withdrawal(HUB2, one.fingerprint, one.der) is not None}
        assert believed >= held.ever_read - held.withdrawn
        assert not believed & told
        assert isinstance(held.snapshot.judge(STEADY), Trusted)

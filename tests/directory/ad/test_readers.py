"""A trust snapshot of a real Active Directory: a withdrawal counts, a loss does not."""

from __future__ import annotations

from mailtrust.core.model.trust import Snapshot, Stranger, Trusted
from tests.directory.ad.test_replica import ONE, TWO, leaf_of, published, replica_at
from tests.make import NOON, minutes
from tests.samba.fixtures import needs_forest
from tests.samba.forest import Forest

pytestmark = needs_forest


async def test_a_withdrawal_is_proved_by_how_far_the_controller_has_seen(forest: Forest) -> None:
    first, second = leaf_of(ONE, "first"), leaf_of(TWO, "second")
    await published(forest, ONE, first, forest.dc1)
    await published(forest, TWO, second, forest.dc1)
    async with replica_at(forest, forest.dc1) as reader, replica_at(forest, forest.dc1, "HUB2$") as own:
        before = Snapshot().renewed(await reader.column(NOON), reader.url, NOON)
        behind = dict(before.seen)
        await own.withdraw(TWO, second.fingerprint, NOON)
        column = await reader.column(NOON)
        after = before.renewed(column, reader.url, NOON + minutes(1))

        # The same answer by a controller that has seen less: as it is while it lags, or comes from a backup.
        writer = max(column.seen, key=lambda one: column.seen[one])
        column.seen = {**behind, writer: behind[writer] - 1}
        lagging = before.renewed(column, reader.url, NOON + minutes(1))

    assert before.judge(second) == Trusted(TWO)
    assert before.seen
    assert after.judge(second) == Stranger(second)
    assert after.judge(first) == Trusted(ONE)
    assert not after.kept
    assert lagging.judge(second) == Trusted(TWO)

"""What a time series database is told of servers while no replica can be read."""

from __future__ import annotations

import math

from mailtrust.core.metrics import table
from mailtrust.core.metrics.carried import carried, is_blind
from mailtrust.core.metrics.facts import Known
from mailtrust.core.metrics.samples import samples
from mailtrust.core.metrics.table import UNSEEN, Metric
from tests.core.metrics.seen import FAILING, Shown, known
from tests.make import DC1, HUB1, HUB2, NOON


def carry(looked: Known, *before: tuple[Metric, dict[str, str], float]) -> dict[Metric, Shown]:
    given: dict[str, list[tuple[dict[str, str], float]]] = {}
    for metric, labels, value in before:
        given.setdefault(metric.name, []).append((labels, value))
    found = carried(samples([looked], "1.0"), given)
    return {metric: dict(held) for metric, held in found.items()}


def test_servers_are_not_forgotten_while_no_replica_can_be_read() -> None:
    """Who there is stands in the directory: the others are not gone, only unseen."""
    blind = known(*FAILING["nothing can be seen"])
    there, at = {"server": HUB2}, {"server": HUB2, "replica": DC1}
    about = {**there, "event": "12012", "severity": "error", "place": DC1, "cause": ""}

    found = carry(
        blind,
        (table.LAST_LOOK, there, 7.0), (table.LAST_LOOK, {"server": HUB1}, 7.0),
        (table.INSTALLED_PUBLISHED, there, 1.0), (table.PUBLISHED_REPLICA, at, 0.0),
        (table.REPLICA_LAG, at, 5.0),
        (table.FINDING, about, 1.0), (table.QUEUE_READABLE, there, 1.0),
    )  # fmt: skip

    assert found[table.LAST_LOOK] == {(HUB1,): NOON.timestamp(), (HUB2,): 7.0}
    assert found[table.INSTALLED_PUBLISHED] == {(HUB1,): UNSEEN, (HUB2,): UNSEEN}
    assert found[table.PUBLISHED_REPLICA][HUB2, DC1] == UNSEEN
    assert math.isnan(found[table.REPLICA_LAG][HUB2, DC1])
    assert found[table.FINDING][HUB2, "12012", "error", DC1, ""] == UNSEEN
    assert found[table.QUEUE_READABLE] == {}


def test_a_server_is_gone_when_a_replica_that_can_be_read_does_not_know_it() -> None:
    assert not is_blind(samples([known(*FAILING["home is down"])], "1.0"))
    assert is_blind(samples([known(*FAILING["nothing can be seen"])], "1.0"))
    assert not is_blind(samples((), "1.0"))

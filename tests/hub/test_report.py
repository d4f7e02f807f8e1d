"""Report mode on a hub: the verdicts stay what they were, and the counts are right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from mailtrust import clock
from mailtrust.agent.journal import Journal
from mailtrust.core.sessions import Count, Reason, Way, Withdrawn, reports
from mailtrust.errors import StoreUnavailable
from tests.hub.organization import Held, Organization, Peer, held
from tests.hub.servers import scripted
from tests.loopback import LOOPBACK, eventually
from tests.make import HUB1, HUB2

BOX = f"postmaster@{HUB1}"
GOOD, STALE = held(HUB2), held("hub3.example.test", "of the image")
UNKNOWN = held("stranger.example.test", "unheard-of")
CALLERS: dict[str, tuple[Held | None, bool]] = {
    "127.0.0.2": (GOOD, True),
    "127.0.0.3": (UNKNOWN, True),
    "127.0.0.4": (STALE, True),
    "127.0.0.5": (None, True),
    "127.0.0.6": (None, False),
}
DUE = {
    "127.0.0.2": {},
    "127.0.0.3": {Reason.UNKNOWN_KEY: 1},
    "127.0.0.4": {Reason.WITHDRAWN_KEY: 1},
    "127.0.0.5": {Reason.NO_CERTIFICATE: 1},
    "127.0.0.6": {Reason.NO_TLS: 1},
}


async def told(organization: Organization, journal: Journal, **options: Any) -> list[str]:
    """The codes that the callers hear, after a peer was believed once and its key was withdrawn."""
    await organization.publish(GOOD, STALE)
    async with (
        organization.hub(keep=journal.count_sessions, **options) as hub1,
        Peer.meets(hub1.endpoint, STALE, source="127.0.0.4") as session,
    ):
        assert (await session.mails(BOX)).startswith("250")
    await organization.withdraw(STALE)
    heard = []
    async with organization.hub(keep=journal.count_sessions, **options) as hub1:
        for source, (presenting, tls) in CALLERS.items():
            async with Peer.meets(hub1.endpoint, presenting, tls=tls, source=source) as session:
                heard.append((await session.mails(BOX, BOX))[:3])
                # Another message of the same session is not another session.
                await session.mails(BOX)
    return heard


@pytest.mark.parametrize(
    ("options", "verdicts"),
    [
        ({"mode": "report"}, ["250"] * 5),
        ({"mode": "enforce"}, ["250", "454", "454", "454", "454"]),
        ({"mode": "enforce", "peer_modes": {"127.0.0.4": "report"}}, ["250", "454", "250", "454", "454"]),
    ],
)
async def test_each_session_is_counted_as_enforce_would_judge_it(
    organization: Organization, options: dict[str, Any], verdicts: list[str]
) -> None:
    journal = Journal(organization.folder / "store")
    heard = await told(organization, journal, **options)
    found = {one.peer: one for one in reports(journal.sessions(), Withdrawn())}

    assert heard == verdicts
    assert {peer: dict(one.would_defer) for peer, one in found.items()} == DUE
    assert [one.would_accept for one in found.values()] == [1, 0, 1, 0, 0]
    assert {one.way for one in found.values()} == {Way.FROM}
    assert found["127.0.0.2"].servers == (HUB2,)
    assert [one.clean_days for one in found.values()] == [1, 0, 0, 0, 0]


@pytest.mark.parametrize("mode", ["report", "enforce"])
async def test_the_next_hop_is_counted_by_the_host_of_its_route(
    organization: Organization, mode: str
) -> None:
    journal = Journal(organization.folder / "store")
    async with (
        scripted(UNKNOWN) as hop,
        organization.hub(
            routes={HUB2: hop.endpoint},
            mode=mode,
            keep=journal.count_sessions,
            accept_local_from_anybody=True,
        ) as hub1,
    ):
        await hub1.hub.submit("a@example.test", (f"b@{HUB2}",), b"Hello.\r\n", clock.now())
        await eventually(journal.sessions, "the next hop was called")
        if mode == "report":
            await eventually(lambda: hop.mails, "it has the mail all the same")

    [report] = reports(journal.sessions(), Withdrawn())
    assert (report.peer, report.way) == (LOOPBACK, Way.TO)
    assert set(report.would_defer) == {Reason.UNKNOWN_KEY}


async def test_counts_that_cannot_be_written_are_written_later(organization: Organization) -> None:
    """A full disk costs no mail and no count."""
    await organization.publish(GOOD)
    kept: list[Count] = []
    tried = 0

    def keep(counts: Sequence[Count]) -> None:
        nonlocal tried
        tried += 1
        if tried == 1:
            raise StoreUnavailable("the disk is full")
        kept.extend(counts)

    async with organization.hub(keep=keep) as hub1:
        async with Peer.meets(hub1.endpoint, GOOD) as session:
            assert (await session.mails(BOX)).startswith("250")
        await eventually(lambda: kept, "they are kept at the second try")

    assert [(one.met.reason, one.met.server, one.sessions) for one in kept] == [(Reason.PUBLISHED, HUB2, 1)]

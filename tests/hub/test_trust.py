"""Who may send to a hub: whoever presents a key that the directory publishes, and nobody else."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from mailtrust.core.model.server import ServerName
from mailtrust.core.model.sighting import ReplicaSighting
from mailtrust.core.model.trust import Column, Stranger, Trusted
from mailtrust.errors import DirectoryUnavailable
from mailtrust.transports.hub.trust import Trust
from tests.hub.organization import Organization, Peer, held
from tests.loopback import eventually
from tests.make import HUB1, HUB2, NOON, minutes

BOX = f"postmaster@{HUB1}"
PEER = held(HUB2)
STRANGER = held(HUB2, "another-key")


@pytest.mark.parametrize("kind", ["p256", "rsa2048"])
async def test_mail_of_a_published_peer_lands_in_the_mailbox(organization: Organization, kind: str) -> None:
    peer = held(HUB2, kind, kind=kind)
    await organization.publish(peer)
    async with organization.hub() as hub1:
        async with Peer.meets(hub1.endpoint, peer) as session:
            assert (await session.mails(BOX)).startswith("250 2.0.0 queued as ")
        [mail] = await hub1.mails_come(BOX)

    assert b"authenticated as hub2.example.test" in mail
    assert mail.startswith(b"Return-Path: <a@peer.example.test>\r\nReceived: from peer.example.test")
    assert mail.endswith(b"\r\n\r\nHello.\r\n")
    assert (hub1.hub.counters.accepted, hub1.hub.counters.authenticated) == (1, 1)
    assert hub1.raised == []


@pytest.mark.parametrize("presenting", [STRANGER, None])
async def test_who_is_not_published_is_deferred_with_the_number(
    organization: Organization, presenting: object
) -> None:
    await organization.publish(PEER)
    async with organization.hub() as hub1:
        async with Peer.meets(hub1.endpoint, presenting) as session:  # type: ignore[arg-type]
            answer = await session.mails(BOX)
        assert hub1.hub.waiting() == 0

    assert answer.startswith("454 4.7.1 1036 ")
    assert hub1.hub.counters.deferred == 1
    # Without a certificate there is no key to raise an event about.
    assert hub1.codes == ([1036] if presenting is STRANGER else [])


async def test_the_event_names_the_stranger(organization: Organization) -> None:
    async with organization.hub() as hub1, Peer.meets(hub1.endpoint, STRANGER) as session:
        answer = await session.mails(BOX)

    [raised] = hub1.raised
    assert raised.values["fingerprint"] == STRANGER.certificate.fingerprint
    assert STRANGER.certificate.fingerprint[:12] in answer


async def test_no_tls_is_deferred_with_the_number(organization: Organization) -> None:
    async with organization.hub() as hub1, Peer.meets(hub1.endpoint, tls=False) as session:
        assert (await session.mails(BOX)).startswith("454 4.7.1 1036 TLS is required")


@pytest.mark.parametrize("verb", ["STARTTLS", "X-ANONYMOUSTLS"])
async def test_both_verbs_lead_to_trust(organization: Organization, verb: str) -> None:
    await organization.publish(PEER)
    async with organization.hub() as hub1, Peer.meets(hub1.endpoint, PEER, verb=verb) as session:
        assert (await session.mails(BOX)).startswith("250")


async def test_ehlo_names_what_the_hub_can_do(organization: Organization) -> None:
    async with (
        organization.hub(message_size_bytes=12345) as hub1,
        Peer.meets(hub1.endpoint, tls=False) as session,
    ):
        before = await session.says("EHLO peer.example.test")
        await session.secure(None)
        behind = await session.says("EHLO peer.example.test")

    offered = ["PIPELINING", "SIZE 12345", "8BITMIME", "ENHANCEDSTATUSCODES"]
    assert [line[4:] for line in before.split("\n")[1:]] == [*offered, "STARTTLS", "X-ANONYMOUSTLS"]
    assert [line[4:] for line in behind.split("\n")[1:]] == offered


async def test_report_mode_takes_the_mail_and_counts_what_enforce_would_do(
    organization: Organization,
) -> None:
    async with organization.hub(mode="report") as hub1:
        for presenting, tls in ((STRANGER, True), (None, True), (None, False)):
            async with Peer.meets(hub1.endpoint, presenting, tls=tls) as session:
                assert (await session.mails(BOX)).startswith("250")
        await hub1.mails_come(BOX, 3)

    assert hub1.hub.counters.would_defer == 3
    assert hub1.hub.counters.deferred == 0
    assert hub1.codes == [1036]


async def test_one_peer_may_be_reported_while_the_others_are_held_to_it(organization: Organization) -> None:
    async with (
        organization.hub(peer_modes={"127.0.0.1": "report"}) as hub1,
        Peer.meets(hub1.endpoint) as session,
    ):
        assert (await session.mails(BOX)).startswith("250")


async def test_in_report_mode_a_stranger_gets_no_open_relay(organization: Organization) -> None:
    """Else a hub that was only asked to watch would send anybody's mail anywhere."""
    async with organization.hub(mode="report") as hub1, Peer.meets(hub1.endpoint) as session:
        assert (await session.mails("a@elsewhere.test")).startswith("550 5.7.1")


async def test_anybody_may_send_to_local_mailboxes_where_that_is_wanted(organization: Organization) -> None:
    async with (
        organization.hub(accept_local_from_anybody=True) as hub1,
        Peer.meets(hub1.endpoint, tls=False) as session,
    ):
        assert (await session.mails(BOX)).startswith("250")
        assert (await session.mails("a@elsewhere.test")).startswith("454 4.7.1 1036")


async def test_a_key_that_is_published_a_moment_later_is_believed_at_the_next_try(
    organization: Organization,
) -> None:
    async with organization.hub() as hub1:
        async with Peer.meets(hub1.endpoint, PEER) as session:
            assert (await session.mails(BOX)).startswith("454 4.7.1 1036")
        await organization.publish(PEER)
        async with Peer.meets(hub1.endpoint, PEER) as session:
            assert (await session.mails(BOX)).startswith("250")


async def test_a_withdrawal_holds_in_a_session_that_stays_open(organization: Organization) -> None:
    await organization.publish(PEER, held("hub3.example.test"))
    async with organization.hub() as hub1, Peer.meets(hub1.endpoint, PEER) as session:
        assert (await session.mails(BOX)).startswith("250")
        await organization.withdraw(PEER)
        answers: list[str] = []

        async def asked() -> bool:
            answers.append(await session.says("MAIL FROM:<>"))
            await session.says("RSET")
            return answers[-1].startswith("454")

        async with asyncio.timeout(20):
            while not await asked():  # noqa: ASYNC110  # nobody sets an event
                await asyncio.sleep(0.05)

    assert answers[-1].startswith("454 4.7.1 1036")


class Unreadable:
    """A replica that never answers."""

    url = "sqlite:///srv/gone.db"

    def __init__(self, before: Organization) -> None:
        self._before = before
        self.gone = False

    async def look(self, servers: object, now: object) -> list[ReplicaSighting]:
        return [] if self.gone else list(await self._before.replica.look(servers, now))  # type: ignore[arg-type]

    async def column(self, now: datetime) -> Column:
        if self.gone:
            raise DirectoryUnavailable(f"{self.url} never answers")
        return await self._before.replica.column(now)

    async def unchanged(self) -> bool:
        return False

    async def watch(self, every: object):  # type: ignore[no-untyped-def]
        await asyncio.Event().wait()
        yield


async def test_the_hub_believes_after_a_restart_without_the_directory_whom_it_believed_before(
    organization: Organization,
) -> None:
    await organization.publish(PEER)
    home = Unreadable(organization)
    async with organization.hub(home=home):
        pass
    home.gone = True
    async with organization.hub(home=home) as hub1, Peer.meets(hub1.endpoint, PEER) as session:
        assert (await session.mails(BOX)).startswith("250")


@pytest.mark.parametrize(("on_stale", "answer"), [("keep", "250"), ("defer", "454 4.7.1 12111 ")])
async def test_an_old_snapshot_keeps_its_peers_or_defers_them_as_the_site_chose(
    organization: Organization, on_stale: str, answer: str
) -> None:
    await organization.publish(PEER)
    home = Unreadable(organization)
    max_age = timedelta(seconds=0.2)
    async with organization.hub(home=home, on_stale=on_stale, snapshot_max_age=max_age) as hub1:
        home.gone = True
        await eventually(lambda: 12111 in hub1.codes)
        async with Peer.meets(hub1.endpoint, PEER) as session:
            assert (await session.mails(BOX)).startswith(answer)

    assert hub1.codes == [12111]


async def test_without_a_certificate_the_hub_offers_no_tls(organization: Organization) -> None:
    async with organization.hub(current=None) as hub1, Peer.meets(hub1.endpoint, tls=False) as session:
        answer = await session.says("EHLO peer.example.test")

    assert "STARTTLS" not in answer


async def test_the_next_session_sees_the_certificate_that_is_current_now(organization: Organization) -> None:
    new = held(HUB1, "renewed")
    async with organization.hub() as hub1:
        assert await presented(hub1) == held(HUB1).certificate.der
        hub1.current = new
        assert await presented(hub1) == new.certificate.der


async def test_a_frozen_hub_keeps_presenting_what_it_has(organization: Organization) -> None:
    async with organization.hub() as hub1:
        hub1.hub.freeze()
        hub1.current = held(HUB1, "renewed")
        assert await presented(hub1) == held(HUB1).certificate.der


async def test_a_certificate_that_cannot_be_presented_leaves_the_old_one_and_says_so(
    organization: Organization,
) -> None:
    async with organization.hub() as hub1:
        hub1.current = replace(held(HUB1, "renewed"), key=held(HUB2).key)
        assert await presented(hub1) == held(HUB1).certificate.der

    assert hub1.codes == [12023]


async def presented(hub1) -> bytes:  # type: ignore[no-untyped-def]
    async with Peer.meets(hub1.endpoint) as session:
        found = session.writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    assert isinstance(found, bytes)
    return found


async def test_a_stranger_who_hangs_up_takes_nobody_elses_look_along(organization: Organization) -> None:
    """Two share a look at the directory; it is not over because the one that caused it has gone."""
    home = Unreadable(organization)
    looking, go_on = asyncio.Event(), asyncio.Event()
    column = home.column

    async def slow(now: datetime) -> Column:
        looking.set()
        await go_on.wait()
        return await column(now)

    async with organization.hub(home=home) as hub1:
        home.column = slow  # type: ignore[method-assign]
        async with Peer.meets(hub1.endpoint, STRANGER) as first:
            await first.says("NOOP")
            # Of the same second, so both wait for one look.
            async with Peer.meets(hub1.endpoint, PEER) as second:
                await second.says("NOOP")
                await looking.wait()
                await organization.publish(PEER)
                first.writer.transport.abort()
                await eventually(lambda: hub1.hub.connections() == 1)
                go_on.set()
                answer = await second.mails(BOX)

    assert answer.startswith("250")


async def test_strangers_at_once_cost_one_look_at_the_directory(organization: Organization) -> None:
    """Else a stranger could make us hammer the directory."""
    looks = 0
    home = Unreadable(organization)
    column = home.column

    async def counted(now: datetime) -> Column:
        nonlocal looks
        looks += 1
        return await column(now)

    home.column = counted  # type: ignore[method-assign]
    async with organization.hub(home=home) as hub1:
        started = looks

        async def come() -> str:
            async with Peer.meets(hub1.endpoint, STRANGER) as session:
                return await session.mails(BOX)

        answers = await asyncio.gather(*(come() for _ in range(20)))
        await eventually(lambda: hub1.codes)

    assert all(answer.startswith("454 4.7.1 1036") for answer in answers)
    assert looks - started <= 3


async def test_while_home_is_silent_another_replica_vouches_for_new_keys(
    organization: Organization,
) -> None:
    home = Unreadable(organization)
    async with organization.hub(home=home, stand_ins=(organization.replica,)) as hub1:
        home.gone = True
        await organization.publish(PEER)
        async with Peer.meets(hub1.endpoint, PEER) as session:
            assert (await session.mails(BOX)).startswith("250")


async def test_a_change_of_one_entry_is_one_look_at_one_entry(
    organization: Organization, tmp_path: Path
) -> None:
    """What it costs to stay up to date does not grow with the directory."""
    home = Telling(organization)
    trust = Trust(ServerName(HUB1), home, tmp_path / "snapshot.jsonl", lambda _: None)
    await trust.start()
    keeping = asyncio.create_task(trust.keep())
    await organization.publish(PEER)
    home.changed.put_nowait(frozenset([HUB2]))

    await eventually(lambda: trust.judge(PEER.certificate) == Trusted(ServerName(HUB2)))

    keeping.cancel()
    assert home.asked == [None, frozenset([HUB2])]


class Telling(Unreadable):
    """A replica that tells whose entry changed."""

    def __init__(self, before: Organization) -> None:
        super().__init__(before)
        self.asked: list[object] = []
        self.has_nothing_new = False
        self.changed: asyncio.Queue[frozenset[str]] = asyncio.Queue()

    async def look(self, servers: object, now: object) -> list[ReplicaSighting]:
        self.asked.append(servers)
        return await super().look(servers, now)

    async def column(self, now: datetime) -> Column:
        self.asked.append(None)
        return await super().column(now)

    async def unchanged(self) -> bool:
        return self.has_nothing_new and not self.gone

    async def watch(self, every: object):  # type: ignore[no-untyped-def]
        while True:
            yield await self.changed.get()


async def test_a_home_with_nothing_new_is_not_read_again(organization: Organization, tmp_path: Path) -> None:
    """Neither to know that it answers, nor for a stranger."""
    home = Telling(organization)
    home.has_nothing_new = True
    later = NOON + minutes(10)
    moments = iter([NOON] * 3)
    trust = Trust(
        ServerName(HUB1), home, tmp_path / "snapshot.jsonl", lambda _: None,
        max_age=timedelta(seconds=0.2), now=lambda: next(moments, later),
    )  # fmt: skip
    await organization.publish(PEER)
    await trust.start()
    keeping = asyncio.create_task(trust.keep())

    assert await trust.judge_again(STRANGER.certificate) == Stranger(STRANGER.certificate)
    await eventually(lambda: trust.snapshot.taken_at == later)

    keeping.cancel()
    assert trust.judge(PEER.certificate) == Trusted(ServerName(HUB2))
    assert home.asked == [None]


async def test_what_could_not_be_looked_at_is_looked_at_again(
    organization: Organization, tmp_path: Path
) -> None:
    """A change that was told once is not told again."""
    home = Telling(organization)
    home.has_nothing_new = True
    trust = Trust(
        ServerName(HUB1), home, tmp_path / "snapshot.jsonl", lambda _: None, max_age=timedelta(seconds=1)
    )
    await trust.start()
    keeping = asyncio.create_task(trust.keep())
    await organization.publish(PEER)
    home.gone = True
    home.changed.put_nowait(frozenset([HUB2]))
    await eventually(lambda: len(home.asked) > 1)
    home.gone = False

    await eventually(lambda: trust.judge(PEER.certificate) == Trusted(ServerName(HUB2)))
    keeping.cancel()

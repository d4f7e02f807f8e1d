"""A rehearsal: what real peers say to a certificate that is not presented yet, and that no mail is moved."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import mailtrust.cli
from mailtrust import clock
from mailtrust.agent.hands import hands
from mailtrust.agent.look import look
from mailtrust.agent.rehearse import peers_in, rehearse, rehearse_with_everybody
from mailtrust.agent.site import Site, open_site
from mailtrust.config import load
from mailtrust.core.model.certificate import Certificate
from mailtrust.core.model.rehearsal import Rehearsed, Verdict
from mailtrust.core.model.server import Endpoint, ServerName
from tests.hub.organization import Held, Organization, Running, held
from tests.hub.servers import scripted, silent
from tests.hub.test_trust import Unreadable
from tests.loopback import LOOPBACK, eventually, free_port
from tests.make import HUB1, HUB2
from tests.shapes import reads

HUB3 = "hub3.example.test"
NEXT = held(HUB1, "next")


@dataclass
class Stage:
    """hub1, which has a next certificate, and peers that it asks."""

    organization: Organization
    site: Site
    hubs: list[Running] = field(default_factory=list)

    async def publish(self, one: Held, server: str, *listeners: Endpoint) -> None:
        der = one.certificate.der
        await self.organization.replica.publish(ServerName(server), der, clock.now(), listeners or None)

    async def ask(self, leaf: Certificate = NEXT.certificate) -> list[Rehearsed]:
        view, _ = await look(self.site, wire=False)
        peers = peers_in(view, self.site.server)
        return list(await rehearse(self.site, leaf.fingerprint, peers))

    def type(self, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
        capsys.readouterr()
        config = str(self.organization.folder / "mailtrust.toml")
        code = mailtrust.cli.run(["--config", config, "flow", *words])
        return code, "".join(capsys.readouterr())


@asynccontextmanager
async def staged(folder: Path, *hubs: str, **options: Any) -> AsyncIterator[Stage]:
    """Hubs that publish their certificates and listeners, all with these options."""
    organization = Organization(folder)
    file = folder / "mailtrust.toml"
    file.write_text(
        f"""\
[server]
name = "{HUB1}"
store = "{folder / "store"}"
listeners = []

[directory]
home = "{organization.replica.url}"

[policy]
probe_timeout = "2s"
"""
    )
    async with AsyncExitStack() as stack:
        site = await stack.enter_async_context(open_site(load(file, {}, default_name=lambda: HUB1)))
        key: Any = NEXT.key
        made: Any = NEXT
        site.store.add_made(key, _x509(made), clock.now())
        stage = Stage(organization, site)
        for name in hubs:
            hub = await stack.enter_async_context(organization.hub(name, **options))
            stage.hubs.append(hub)
            await stage.publish(held(name), name, hub.endpoint)
        yield stage


def _x509(one: Held) -> Any:
    from cryptography import x509

    return x509.load_der_x509_certificate(one.certificate.der)


@pytest.fixture(autouse=True)
def _in_english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANG", "C.UTF-8")


async def test_a_peer_that_does_not_know_the_key_yet_says_no_with_the_number(tmp_path: Path) -> None:
    async with staged(tmp_path, HUB2) as stage:
        [before] = await stage.ask()
        await stage.publish(NEXT, HUB1)
        [after] = await stage.ask()

    assert (before.peer, before.verdict, before.event) == (HUB2, Verdict.DEFERRED, 1036)
    assert before.why.startswith("454 4.7.1 1036")
    assert (after.verdict, after.asked, after.believed, after.event) == (Verdict.ACCEPTED, True, True, None)
    assert after.presented == held(HUB2).certificate


async def test_no_mail_is_moved_and_nothing_waits(tmp_path: Path) -> None:
    async with staged(tmp_path, HUB2, HUB3) as stage:
        await stage.publish(NEXT, HUB1)
        answers = await stage.ask()
        counted = [(hub.hub.counters.accepted, hub.hub.waiting()) for hub in stage.hubs]

    assert [one.verdict for one in answers] == [Verdict.ACCEPTED, Verdict.ACCEPTED]
    assert counted == [(0, 0), (0, 0)]


async def test_who_takes_local_mail_from_anybody_still_says_no_to_a_stranger(tmp_path: Path) -> None:
    """So an address is asked for that takes trust."""
    async with staged(tmp_path, HUB2, accept_local_from_anybody=True) as stage:
        [told] = await stage.ask()

    assert (told.verdict, told.event) == (Verdict.DEFERRED, 1036)


async def test_a_peer_that_has_no_mailbox_for_anybody_says_yes_all_the_same(tmp_path: Path) -> None:
    """Every server takes mail for its postmaster."""
    async with staged(tmp_path, HUB2, local_domains=()) as stage:
        await stage.publish(NEXT, HUB1)
        [told] = await stage.ask()

    assert told.verdict is Verdict.ACCEPTED


async def test_a_peer_with_a_stale_snapshot_that_defers_says_so(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        await stage.publish(NEXT, HUB1)
        home = Unreadable(stage.organization)
        max_age = timedelta(seconds=0.2)
        async with stage.organization.hub(
            HUB2, home=home, on_stale="defer", snapshot_max_age=max_age
        ) as hub2:
            await stage.publish(held(HUB2), HUB2, hub2.endpoint)
            home.gone = True
            await eventually(lambda: 12111 in hub2.codes)
            [told] = await stage.ask()

    assert (told.verdict, told.event) == (Verdict.DEFERRED, 12111)


async def test_who_cannot_be_asked_has_not_said_no(tmp_path: Path) -> None:
    """Nobody listens, nobody speaks, no TLS: each with its reason, and each in its own time."""
    async with staged(tmp_path) as stage, silent() as mute, scripted(None) as plain:
        await stage.publish(held(HUB2), HUB2, Endpoint(LOOPBACK, free_port()), mute)
        await stage.publish(held(HUB3), HUB3, plain.endpoint)
        view, _ = await look(stage.site, wire=False)
        began = asyncio.get_running_loop().time()
        told = await rehearse(
            stage.site,
            NEXT.certificate.fingerprint,
            peers_in(view, stage.site.server),
            timeout=timedelta(seconds=0.5),
        )
        took = asyncio.get_running_loop().time() - began
        evidence = await rehearse_with_everybody(stage.site, view, NEXT.certificate.fingerprint)

    assert [one.verdict for one in told] == [Verdict.UNKNOWN] * 3
    assert all(one.why for one in told)
    assert not any(one.holds_back for one in told)
    assert took < 5
    assert [one.accepted for one in evidence] == [None, None, None]


async def test_a_peer_that_we_would_not_believe_ourselves_is_asked_and_reported(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage, stage.organization.hub(HUB2, current=held(HUB2, "odd")) as hub2:
        await stage.publish(NEXT, HUB1)
        await stage.publish(held(HUB2), HUB2, hub2.endpoint)
        [told] = await stage.ask()

    assert (told.verdict, told.believed) == (Verdict.ACCEPTED, False)
    assert told.presented == held(HUB2, "odd").certificate


async def test_an_answer_is_evidence_for_a_rotation_and_a_line_in_the_journal(tmp_path: Path) -> None:
    async with staged(tmp_path, HUB2) as stage:
        view, _ = await look(stage.site, wire=False)
        rehearsing = hands(stage.site).rehearse
        assert rehearsing is not None
        [refused] = await rehearsing(stage.site, view, NEXT.certificate.fingerprint)
        await stage.publish(NEXT, HUB1)
        [taken] = await rehearsing(stage.site, view, NEXT.certificate.fingerprint)
        acts = [one for one in stage.site.journal.history().acts if one.what == "rehearse"]

    assert (refused.server, refused.accepted) == (HUB1, False)
    assert refused.place.startswith(f"{HUB2} {LOOPBACK}:")
    assert taken.accepted is True
    assert [bool(one.failed) for one in acts] == [True, False]
    assert acts[1].place == "1 of 1 peers"


async def test_a_certificate_without_its_key_asks_nobody(tmp_path: Path) -> None:
    async with staged(tmp_path, HUB2) as stage:
        view, _ = await look(stage.site, wire=False)
        [told] = await rehearse_with_everybody(stage.site, view, held(HUB3).certificate.fingerprint)

    assert told.accepted is None
    assert told.why


async def test_the_command_names_who_would_not_and_what_to_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    short = NEXT.certificate.fingerprint[:12]
    async with staged(tmp_path, HUB2, HUB3) as stage:
        code, said = await asyncio.to_thread(stage.type, capsys, "--rehearse", "--certificate", short)
        await stage.publish(NEXT, HUB1)
        words = ("--rehearse", HUB3, "--certificate", short, "--json")
        json_code, report = await asyncio.to_thread(stage.type, capsys, *words)

    assert code == 1
    assert f"{HUB2} at {LOOPBACK}:" in said
    assert "would defer our mail" in said
    assert "mailtrust explain 1036" in said
    assert "0 of 2 would take our mail; none was moved." in said
    told = reads("rehearsal", json.loads(report))
    assert (json_code, told["schema"], told["verdict"]) == (0, "mailtrust.rehearsal/1", "accepted")
    [peer] = told["peers"]
    assert (peer["server"], peer["verdict"], peer["event"], peer["believed"]) == (
        HUB3,
        "accepted",
        None,
        True,
    )
    assert peer["reply"].startswith("250")


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ((), "say FROM and TO, or --all alone, or --rehearse"),
        (("--rehearse",), "no next certificate to rehearse with"),
        (("--rehearse", "hub9.example.test", "--certificate", "{next}"), "another server hub9.example.test"),
        (("--rehearse", "--certificate", "{next}"), "there is nobody to ask"),
    ],
)
async def test_what_cannot_be_rehearsed_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], complaint: str
) -> None:
    async with staged(tmp_path) as stage:
        filled = [one.format(next=NEXT.certificate.fingerprint) for one in words]
        code, said = await asyncio.to_thread(stage.type, capsys, *filled)

    assert code == (2 if not words else 1)
    assert complaint in said


async def test_a_server_without_listeners_is_named_and_not_passed_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with staged(tmp_path, HUB2) as stage:
        await stage.publish(NEXT, HUB1)
        await stage.publish(held(HUB3), HUB3)
        words = ("--rehearse", "--certificate", NEXT.certificate.fingerprint)
        code, said = await asyncio.to_thread(stage.type, capsys, *words)
        asked_by_name, _ = await asyncio.to_thread(stage.type, capsys, "--rehearse", HUB3, *words[1:])

    assert f"{HUB3} publishes no listener" in said
    assert (code, asked_by_name) == (0, 1)

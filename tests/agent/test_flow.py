"""Mail followed stage by stage: real hubs, a real device on the way, and each fault at its stage."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from mailtrust import clock
from mailtrust.cli.flow_screen import show_flow
from mailtrust.cli.frame import texts
from mailtrust.core.flow import State, Verdict
from mailtrust.core.flow.stages import Stage
from mailtrust.core.model.server import ServerName
from mailtrust.lab.middlebox import TLS_VERBS, Conduct, middlebox
from tests.agent.flow_desk import HUB3, desk, failing, not_reached
from tests.hub.organization import held
from tests.hub.servers import scripted, silent
from tests.make import HUB1, HUB2


async def test_every_stage_is_seen_and_timed_and_no_mail_is_moved(tmp_path: Path) -> None:
    async with desk(tmp_path) as here, here.organization.hub(HUB2, port=here.port) as hub2:
        await here.publish(held(HUB2), HUB2, hub2.endpoint)
        told = await here.follow()
        counted = (hub2.hub.counters.accepted, hub2.hub.waiting())

    [hop] = told.hops
    assert (told.verdict, hop.trouble, hop.receiver) == (Verdict.FLOWS, None, HUB2)
    assert [one.state for one in hop.lines] == [State.OK] * len(hop.lines)
    timed = [one.stage for one in hop.lines if one.took is not None]
    assert timed == [
        Stage.RESOLVE, Stage.CONNECT, Stage.BANNER, Stage.EHLO, Stage.VERBS, Stage.HANDSHAKE,
        Stage.EHLO_AGAIN, Stage.MAIL, Stage.RCPT, Stage.RSET, Stage.QUIT,
    ]  # fmt: skip
    assert counted == (0, 0)


@pytest.mark.parametrize("overwrites", [False, True])
async def test_a_device_that_takes_starttls_out_is_12117_at_the_verbs(
    tmp_path: Path, overwrites: bool
) -> None:
    conduct = Conduct(TLS_VERBS, overwrites=overwrites)
    async with desk(tmp_path) as here, here.organization.hub(HUB2) as hub2:
        await here.publish(held(HUB2), HUB2, hub2.endpoint)
        async with middlebox(here.route, hub2.endpoint, conduct):
            told = await here.follow()
        itself = str(hub2.endpoint)

    assert failing(told) == (Stage.VERBS, 12117, Verdict.BLOCKED)
    [hop] = told.hops
    assert hop.trouble is not None
    assert not_reached(hop)[0] is Stage.HANDSHAKE
    said = {one.phrase: one.values for one in hop.trouble.evidence}
    assert said["flow.offers-directly"]["endpoint"] == itself
    assert said["flow.offers-directly"]["verbs"] == "X-ANONYMOUSTLS, STARTTLS"
    assert ("flow.overwritten" in said) is overwrites


async def test_what_a_listener_offered_before_is_remembered(tmp_path: Path) -> None:
    """Where the device stands before the published address itself, only memory can tell."""
    async with desk(tmp_path) as here, here.organization.hub(HUB2) as hub2:
        await here.publish(held(HUB2), HUB2, here.route)
        async with middlebox(here.route, hub2.endpoint, Conduct()):
            before = await here.follow()
        async with middlebox(here.route, hub2.endpoint, Conduct({"X-ANONYMOUSTLS"})):
            one_gone = await here.follow()
        async with middlebox(here.route, hub2.endpoint, Conduct(TLS_VERBS)):
            both_gone = await here.follow()

    assert (before.verdict, before.hops[0].warnings) == (Verdict.FLOWS, ())
    assert one_gone.verdict is Verdict.FLOWS
    assert [(one.stage, one.event.code) for one in one_gone.hops[0].warnings] == [(Stage.VERBS, 12117)]
    assert one_gone.hops[0].line(Stage.VERBS).state is State.WARNING
    assert failing(both_gone)[:2] == (Stage.VERBS, 12117)
    trouble = both_gone.hops[0].trouble
    assert trouble is not None
    assert {"flow.offered-before", "proof.tls-before"} <= {one.phrase for one in trouble.evidence}


async def test_a_key_that_nobody_publishes_is_12104_at_their_certificate(tmp_path: Path) -> None:
    async with desk(tmp_path) as here:
        odd = held(HUB2, "odd")
        async with here.organization.hub(HUB2, port=here.port, current=odd) as hub2:
            await here.publish(held(HUB2), HUB2, hub2.endpoint)
            told = await here.follow()

    assert failing(told) == (Stage.THEIR_CERTIFICATE, 12104, Verdict.BLOCKED)
    assert not_reached(told.hops[0])[0] is Stage.OUR_CERTIFICATE


async def test_a_server_that_the_directory_does_not_know_is_2018(tmp_path: Path) -> None:
    async with desk(tmp_path) as here, here.organization.hub(HUB2, port=here.port):
        told = await here.follow()

    assert failing(told) == (Stage.THEIR_CERTIFICATE, 2018, Verdict.BLOCKED)


async def test_another_server_that_answers_is_told(tmp_path: Path) -> None:
    async with desk(tmp_path) as here, here.organization.hub(HUB3, port=here.port, local_domains=(HUB2,)):
        await here.publish(held(HUB3), HUB3)
        await here.publish(held(HUB2), HUB2, here.route)
        told = await here.follow()

    [hop] = told.hops
    assert (hop.verdict, hop.trouble) == (Verdict.FLOWS, None)
    assert [(one.stage, one.why.phrase) for one in hop.warnings] == [
        (Stage.THEIR_CERTIFICATE, "flow.another")
    ]


async def test_a_closed_port_is_12116_at_the_connection(tmp_path: Path) -> None:
    async with desk(tmp_path) as here:
        await here.publish(held(HUB2), HUB2, here.route)
        told = await here.follow()

    assert failing(told) == (Stage.CONNECT, 12116, Verdict.BLOCKED)
    assert Stage.BANNER in not_reached(told.hops[0])


async def test_a_name_that_nobody_has_is_12116_at_the_name(tmp_path: Path) -> None:
    async with desk(tmp_path) as here:
        told = await here.follow("mx.mailtrust.invalid:25", seconds=10)

    assert failing(told) == (Stage.RESOLVE, 12116, Verdict.BLOCKED)


async def test_our_own_certificate_that_was_never_enabled_is_12012_at_ours(tmp_path: Path) -> None:
    async with desk(tmp_path, enabled=False) as here, here.organization.hub(HUB2, port=here.port) as hub2:
        await here.publish(held(HUB2), HUB2, hub2.endpoint)
        told = await here.follow()

    assert failing(told) == (Stage.OUR_CERTIFICATE, 12012, Verdict.BLOCKED)
    [hop] = told.hops
    assert hop.trouble is not None
    assert (hop.trouble.cause, hop.line(Stage.MAIL).state) == ("not-enabled", State.FOLLOWS)
    assert (hop.trouble.command or "").startswith("mailtrust enable ")
    assert "1036" in hop.line(Stage.MAIL).words


async def test_our_own_certificate_that_was_taken_out_is_found_at_ours(tmp_path: Path) -> None:
    async with desk(tmp_path) as here:
        [own] = here.site.store.installed()
        await here.organization.replica.withdraw(ServerName(HUB1), own.certificate.fingerprint, clock.now())
        async with here.organization.hub(HUB2, port=here.port) as hub2:
            await here.publish(held(HUB2), HUB2, hub2.endpoint)
            told = await here.follow()

    stage, event, _ = failing(told)
    assert (stage, event) == (Stage.OUR_CERTIFICATE, 12012)


async def test_a_receiver_that_takes_everybody_proves_nothing(tmp_path: Path) -> None:
    async with desk(tmp_path) as here, scripted(held(HUB2), port=here.port) as plain:
        await here.publish(held(HUB2), HUB2, plain.endpoint)
        told = await here.follow()

    [hop] = told.hops
    assert (hop.verdict, hop.trouble) == (Verdict.UNPROVEN, None)
    assert [(one.stage, one.event.code) for one in hop.warnings] == [(Stage.OUR_CERTIFICATE, 12118)]


async def test_one_that_never_asks_and_says_no_is_12118_at_our_certificate(tmp_path: Path) -> None:
    answers = {"RCPT": "454 4.7.1 <x>: Relay access denied"}
    async with desk(tmp_path) as here, scripted(held(HUB2), answers, port=here.port) as plain:
        await here.publish(held(HUB2), HUB2, plain.endpoint)
        told = await here.follow()

    assert failing(told) == (Stage.OUR_CERTIFICATE, 12118, Verdict.BLOCKED)


async def test_a_no_about_the_mailbox_is_12182_at_rcpt(tmp_path: Path) -> None:
    async with (
        desk(tmp_path) as here,
        here.organization.hub(HUB2, port=here.port, local_domains=()) as hub2,
    ):
        await here.publish(held(HUB2), HUB2, hub2.endpoint)
        told = await here.follow(f"ann@{HUB2}")

    assert failing(told) == (Stage.RCPT, 12182, Verdict.BLOCKED)
    assert told.hops[0].line(Stage.RCPT).words.startswith("550 5.7.1")


async def test_a_server_without_its_own_name_among_its_domains_is_asked_for_its_postmaster(
    tmp_path: Path,
) -> None:
    async with (
        desk(tmp_path) as here,
        here.organization.hub(HUB2, port=here.port, local_domains=("example.test",)) as hub2,
    ):
        await here.publish(held(HUB2), HUB2, hub2.endpoint)
        told = await here.follow(HUB2)

    [hop] = told.hops
    assert hop.trouble is None
    assert hop.line(Stage.RCPT).words.startswith("550 5.7.1")
    assert hop.line(Stage.RCPT).words.endswith("250 2.1.5 recipient ok")


@pytest.mark.parametrize(
    ("stalls", "stage", "event"),
    [
        ("BANNER", Stage.BANNER, 12116), ("EHLO", Stage.EHLO, 12116), ("STAR", Stage.VERBS, 12116),
        ("TLS", Stage.HANDSHAKE, 12116), ("EHLO-TLS", Stage.EHLO_AGAIN, 12181),
        ("MAIL", Stage.MAIL, 12181), ("RCPT", Stage.RCPT, 12181),
    ],
)  # fmt: skip
async def test_a_server_that_falls_silent_is_found_at_its_stage(
    tmp_path: Path, stalls: str, stage: Stage, event: int
) -> None:
    delays = {stalls: 60.0}
    async with desk(tmp_path) as here, scripted(held(HUB2), port=here.port, delays=delays) as slow:
        await here.publish(held(HUB2), HUB2, slow.endpoint)
        told = await here.follow(seconds=0.5)

    assert failing(told) == (stage, event, Verdict.BLOCKED)


@pytest.mark.parametrize(
    ("slow", "stage"),
    [("BANNER", Stage.BANNER), ("EHLO", Stage.EHLO), ("TLS", Stage.HANDSHAKE), ("RCPT", Stage.RCPT)],
)
async def test_a_slow_stage_is_marked_12180_and_mail_still_flows(
    tmp_path: Path, slow: str, stage: Stage
) -> None:
    async with desk(tmp_path) as here, scripted(held(HUB2), port=here.port, delays={slow: 2.3}) as server:
        await here.publish(held(HUB2), HUB2, server.endpoint)
        told = await here.follow(seconds=10)

    [hop] = told.hops
    assert hop.line(stage).state is State.SLOW
    assert (stage, 12180) in [(one.stage, one.event.code) for one in hop.warnings]


async def test_a_slow_device_makes_every_answer_slow(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    conduct = Conduct(delay=timedelta(seconds=1.2))
    async with desk(tmp_path) as here, here.organization.hub(HUB2) as hub2:
        await here.publish(held(HUB2), HUB2, hub2.endpoint)
        async with middlebox(here.route, hub2.endpoint, conduct):
            told = await here.follow(seconds=10)

    [hop] = told.hops
    assert hop.verdict is Verdict.SLOW
    assert {Stage.EHLO, Stage.VERBS, Stage.HANDSHAKE, Stage.MAIL} <= {one.stage for one in hop.warnings}
    show_flow(told, texts("en"), str)
    screen = capsys.readouterr().out
    assert screen.count("12180 FlowStageSlow") == 1
    assert "slow as well: " in screen


async def test_what_is_no_smtp_and_what_is_silent_stop_at_the_banner(tmp_path: Path) -> None:
    async with desk(tmp_path) as here, silent() as mute:
        told = await here.follow(str(mute), seconds=0.5)

    assert failing(told) == (Stage.BANNER, 12116, Verdict.BLOCKED)


async def test_a_directory_that_cannot_be_read_is_12103_at_their_certificate(tmp_path: Path) -> None:
    async with desk(tmp_path) as here, here.organization.hub(HUB2, port=here.port) as hub2:
        await here.publish(held(HUB2), HUB2, hub2.endpoint)
        (tmp_path / "dc1.db").write_bytes(b"not a database any more\n" * 400)
        told = await here.follow()

    assert failing(told) == (Stage.THEIR_CERTIFICATE, 12103, Verdict.BLOCKED)

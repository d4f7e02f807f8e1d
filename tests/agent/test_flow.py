"""Mail followed stage by stage: real hubs, a real device on the way, and each fault at its stage."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

import mailtrust.cli
from mailtrust import clock
from mailtrust.agent import act
from mailtrust.agent.arrival import arrival, marked
from mailtrust.agent.flow import Flow, flow, open_desk
from mailtrust.agent.site import Site, open_site
from mailtrust.cli.flow_screen import show_flow
from mailtrust.cli.frame import texts
from mailtrust.config import load
from mailtrust.core.flow import Hop, State, Verdict
from mailtrust.core.flow.stages import Stage
from mailtrust.core.model.plan import Install
from mailtrust.core.model.server import Endpoint, ServerName
from mailtrust.lab.middlebox import TLS_VERBS, Conduct, middlebox
from tests.hub.organization import Held, Organization, Running, held
from tests.hub.servers import scripted, silent
from tests.loopback import LOOPBACK, free_port
from tests.make import HUB1, HUB2
from tests.shapes import reads

HUB3 = "hub3.example.test"


@dataclass
class Desk:
    """hub1, enabled, with a route to hub2; and whatever a test puts in the way."""

    organization: Organization
    site: Site
    port: int
    """Where the route to hub2 leads."""
    hubs: list[Running] = field(default_factory=list)

    @property
    def route(self) -> Endpoint:
        return Endpoint(LOOPBACK, self.port)

    async def publish(self, one: Held, server: str, *listeners: Endpoint) -> None:
        der = one.certificate.der
        await self.organization.replica.publish(ServerName(server), der, clock.now(), listeners or None)

    async def follow(self, to: str = HUB2, sender: str | None = None, seconds: float = 3) -> Flow:
        desk = await open_desk(self.site, timedelta(seconds=seconds))
        return await flow(desk, sender, to)

    async def type(self, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
        capsys.readouterr()
        config = str(self.organization.folder / "hub1.toml")
        code = await asyncio.to_thread(mailtrust.cli.run, ["--config", config, "flow", *words])
        return code, "".join(capsys.readouterr())


@asynccontextmanager
async def desk(
    folder: Path, *, enabled: bool = True, more: str = "", routes: str = ""
) -> AsyncIterator[Desk]:
    organization, port = Organization(folder), free_port()
    file = folder / "hub1.toml"
    file.write_text(
        f"""\
[server]
name = "{HUB1}"
store = "{folder / "store"}"
listeners = []

[directory]
home = "{organization.replica.url}"

[policy]
key = "p256"
probe_timeout = "3s"

[transport]
kind = "hub"
bind = ["{LOOPBACK}:{free_port()}"]

[transport.routes]
"{HUB2}" = "{LOOPBACK}:{port}"
{routes}
"""
    )
    async with AsyncExitStack() as stack:
        site = await stack.enter_async_context(open_site(load(file, {}, default_name=lambda: HUB1)))
        await act.perform(site, Install(ServerName(HUB1)))
        [made] = site.store.installed()
        if enabled:
            await act.enable(site, made.certificate.fingerprint)
        yield Desk(organization, site, port)


def failing(told: Flow) -> tuple[Stage, int, Verdict]:
    """The first failing stage with its event; everything behind it was not reached."""
    [hop] = told.hops
    assert hop.trouble is not None
    stages = [one.stage for one in hop.lines]
    behind = hop.lines[stages.index(hop.trouble.stage) + 1 :]
    assert hop.line(hop.trouble.stage).state is State.FAILED
    assert all(one.state is not State.FAILED for one in behind)
    return hop.trouble.stage, hop.trouble.event.code, hop.verdict


def not_reached(hop: Hop) -> list[Stage]:
    return [one.stage for one in hop.lines if one.state is State.NOT_REACHED]


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


async def test_a_domain_s_way_goes_on_by_the_routes_of_the_next_hop(tmp_path: Path) -> None:
    """Which are known where its configuration lies beside ours."""
    async with (
        desk(tmp_path) as here,
        here.organization.hub(HUB2, port=here.port) as hub2,
        here.organization.hub(HUB3) as hub3,
    ):
        await here.publish(held(HUB2), HUB2, hub2.endpoint)
        await here.publish(held(HUB3), HUB3, hub3.endpoint)
        config = (tmp_path / "hub1.toml").read_text()
        (tmp_path / "hub1.toml").write_text(f'{config}"*" = "{here.route}"\n')
        neighbour = config.replace(HUB1, HUB2).replace(f'"{HUB2}" = ', "#")
        neighbour = neighbour.replace(str(tmp_path / "store"), str(tmp_path / HUB2))
        (tmp_path / "hub2.toml").write_text(f'{neighbour}"{HUB3}" = "{hub3.endpoint}"\n')
        async with open_site(load(tmp_path / "hub1.toml", {}, default_name=lambda: HUB1)) as site:
            here.site = site
            told = await here.follow(f"ann@{HUB3}")

    assert [(one.sender, one.receiver, one.how.value, one.verdict) for one in told.hops] == [
        (HUB1, HUB2, "seen", Verdict.BLOCKED), (HUB2, HUB3, "concluded", Verdict.FLOWS),
    ]  # fmt: skip
    trouble = told.hops[0].trouble
    assert trouble is not None
    assert (trouble.stage, trouble.event.code) == (Stage.RCPT, 12182)


async def test_a_sender_elsewhere_is_concluded_about_and_says_so(tmp_path: Path) -> None:
    async with desk(tmp_path) as here:
        odd = held(HUB3, "odd")
        async with (
            here.organization.hub(HUB2) as hub2,
            here.organization.hub(HUB3, current=odd) as hub3,
        ):
            await here.publish(held(HUB2), HUB2, hub2.endpoint)
            await here.publish(held(HUB3), HUB3, hub3.endpoint)
            to_hub3 = await here.follow(HUB3, HUB2)
            from_hub3 = await here.follow(HUB2, HUB3)
            counted = hub2.hub.counters.deferred + hub3.hub.counters.deferred

    [first], [second] = to_hub3.hops, from_hub3.hops
    assert (first.how.value, first.verdict) == ("concluded", Verdict.BLOCKED)
    assert first.trouble is not None
    assert (first.trouble.stage, first.trouble.event.code) == (Stage.THEIR_CERTIFICATE, 12104)
    assert second.trouble is not None
    assert (second.trouble.stage, second.trouble.event.code) == (Stage.OUR_CERTIFICATE, 12104)
    assert counted == 0


async def test_nowhere_to_send_is_12184(tmp_path: Path) -> None:
    async with desk(tmp_path) as here:
        told = await here.follow("elsewhere.example")
        await here.publish(held(HUB3), HUB3)
        unheard = await here.follow(HUB3)

    assert failing(told) == (Stage.RESOLVE, 12184, Verdict.BLOCKED)
    assert failing(unheard) == (Stage.RESOLVE, 12184, Verdict.BLOCKED)


async def test_a_marked_message_is_seen_to_arrive(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with desk(tmp_path) as here, here.organization.hub(HUB2, port=here.port) as hub2:
        await here.publish(held(HUB2), HUB2, hub2.endpoint)
        config = (tmp_path / "hub1.toml").read_text()
        neighbour = config.replace(HUB1, HUB2).replace(str(tmp_path / "store"), str(tmp_path / HUB2))
        (tmp_path / "hub2.toml").write_text(neighbour)
        asked, _ = await here.type(capsys, HUB1, HUB2, "--send")
        before = hub2.hub.counters.accepted
        code, said = await here.type(capsys, HUB1, HUB2, "--send", "--yes", "--json")
        [mail] = await hub2.mails_come(f"postmaster@{HUB2}")

    told = reads("flow", json.loads(said))
    assert (asked, before) == (1, 0)
    assert (code, told["verdict"], told["message"]["arrived"]) == (0, "flows", True)
    assert told["message"]["id"].encode() in mail
    assert told["hops"][0]["stages"][-1]["stage"] == "arrival"


async def test_the_screen_names_stage_event_and_what_to_type_in_both_languages(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANG", "C.UTF-8")
    async with desk(tmp_path) as here, here.organization.hub(HUB2) as hub2:
        await here.publish(held(HUB2), HUB2, hub2.endpoint)
        async with middlebox(here.route, hub2.endpoint, Conduct(TLS_VERBS)):
            code, english = await here.type(capsys, "hub1", "hub2")
            _, chinese = await here.type(capsys, "hub1", "hub2", "--lang", "zh")
            _, said = await here.type(capsys, HUB1, HUB2, "--json")

    assert code == 1
    assert "12117 TLSNotOffered  [TLS offered]" in english
    assert "explain 12117" in english
    assert english.count("not reached") == 8
    assert "停在“提供 TLS”（12117）" in chinese
    told = reads("flow", json.loads(said))
    assert (told["schema"], told["verdict"], told["event"], told["stage"]) == (
        "mailtrust.flow/1", "blocked", 12117, "verbs",
    )  # fmt: skip
    assert {one["state"] for one in told["hops"][0]["stages"]} == {"ok", "failed", "not-reached"}


async def test_the_matrix_tells_what_was_seen_from_what_was_concluded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANG", "C.UTF-8")
    async with (
        desk(tmp_path) as here,
        here.organization.hub(HUB2, port=here.port) as hub2,
        here.organization.hub(HUB3, current=held(HUB3, "odd")) as hub3,
    ):
        await here.publish(held(HUB2), HUB2, hub2.endpoint)
        await here.publish(held(HUB3), HUB3, hub3.endpoint)
        code, screen = await here.type(capsys, "--all")
        json_code, said = await here.type(capsys, "--all", "--json")

    told = reads("flow-matrix", json.loads(said))
    pairs = {
        (one["from"][:4], one["to"][:4]): (one["verdict"], one["how"], one["event"]) for one in told["pairs"]
    }
    assert (code, json_code, told["schema"], told["verdict"]) == (1, 1, "mailtrust.flow-matrix/1", "blocked")
    assert pairs == {
        ("hub1", "hub2"): ("flows", "seen", None),
        ("hub1", "hub3"): ("blocked", "seen", 12104),
        ("hub2", "hub1"): ("unknown", "concluded", None),
        ("hub2", "hub3"): ("blocked", "concluded", 12104),
        ("hub3", "hub1"): ("blocked", "concluded", 12104),
        ("hub3", "hub2"): ("blocked", "concluded", 12104),
    }
    assert told["counts"] == {"flows": 1, "slow": 0, "unproven": 0, "unknown": 1, "blocked": 4}
    assert [line.split() for line in screen.splitlines()[3:6]] == [
        ["1", "hub1", "●", "✗"], ["2", "hub2", "?", "×"], ["3", "hub3", "×", "×"],
    ]  # fmt: skip
    assert "12104 PresentedNotPublished" in screen


@pytest.mark.parametrize(
    ("words", "code", "complaint"),
    [
        ((HUB1, HUB1), 1, "is this server itself"),
        ((HUB1, "no address@@x"), 1, "is not an address"),
        (("hub9.example.test", HUB2), 1, "no replica that could be read has an entry"),
        ((HUB1, HUB2, HUB3), 2, "say FROM and TO"),
        ((HUB1, "--all"), 2, "say FROM and TO"),
        ((HUB2, HUB3, "--send", "--yes"), 1, "can only be sent from there"),
    ],
)
async def test_what_cannot_be_followed_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], code: int, complaint: str
) -> None:
    async with desk(tmp_path) as here:
        ended, said = await here.type(capsys, *words)

    assert (ended, complaint in said) == (code, True), said


async def test_only_a_hub_s_mailboxes_are_looked_into(tmp_path: Path) -> None:
    """Postfix keeps its mail where no configuration of ours says: nobody could look."""
    hub, other = tmp_path / "hub2.toml", tmp_path / "mx2.toml"
    for file, kind in ((hub, "hub"), (other, "postfix")):
        file.write_text(
            f'[server]\nname = "{HUB2}"\nstore = "{tmp_path}"\n[transport]\nkind = "{kind}"\n'
            + (f'bind = ["{LOOPBACK}:{free_port()}"]\n' if kind == "hub" else "")
        )
    sent = marked(ServerName(HUB1), f"postmaster@{HUB2}", clock.now())
    beside = {one: load(one, {}, default_name=lambda: HUB2) for one in (hub, other)}
    patience = timedelta(milliseconds=1)

    unseen = await arrival(sent, [(ServerName(HUB2), beside[other])], patience)
    not_there = await arrival(sent, [(ServerName(HUB2), beside[hub])], patience)

    assert (unseen.server, not_there.server, not_there.took) == (None, HUB2, patience)

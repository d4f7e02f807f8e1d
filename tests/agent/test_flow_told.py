"""Mail followed beyond one session, and what is told of it: other servers' hops, the screen, the matrix."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from mailtrust import clock
from mailtrust.agent.arrival import arrival, marked
from mailtrust.agent.site import open_site
from mailtrust.config import load
from mailtrust.core.flow import Verdict
from mailtrust.core.flow.stages import Stage
from mailtrust.core.model.server import ServerName
from mailtrust.lab.middlebox import TLS_VERBS, Conduct, middlebox
from tests.agent.flow_desk import HUB3, desk, failing
from tests.hub.organization import held
from tests.loopback import LOOPBACK, free_port
from tests.make import HUB1, HUB2
from tests.shapes import reads


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

"""`postfix check` without a trap: it is quiet about what is sound, and says what it could not look at."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mailtrust import clock
from mailtrust.agent.doctor import blind, examine, judged
from mailtrust.agent.site import open_site
from mailtrust.config import load
from mailtrust.core.checks import Verdict
from mailtrust.core.model.sighting import WireFailure, WireSighting
from tests import postfix
from tests.transports.postfix_desk import MX2, NEXT_HOP, PEER, PostfixDesk, a_desk
from tests.transports.postfix_traps import ENTRY, desk, running, written

__all__ = ["desk", "written"]
pytestmark = postfix.MARKS


def test_a_sound_configuration_is_quiet(desk: PostfixDesk) -> None:
    """Although main.cf has everything that would defeat direct trust: none of it holds here."""
    ran = desk.must("check")

    assert ran.out.startswith(f"MAILTRUST OK - {desk.one.config}: no error and no warning | errors=0")
    assert "the certificate decides, in both directions" in ran.out
    assert ran.err == ""


def test_a_content_filter_of_this_machine_is_sound(desk: PostfixDesk) -> None:
    desk.set("-e", "content_filter = smtp:[127.0.0.1]:10024")

    assert desk.findings() == []


def test_a_name_that_an_authority_vouches_for_is_no_digest(desk: PostfixDesk) -> None:
    own = desk.one.tables / "own"
    own.write_text("partner.test secure match=nexthop\n")
    desk.edit("smtp_tls_policy_maps=", f"smtp_tls_policy_maps=texthash:{own},")

    assert desk.findings() == []


def test_another_port_of_the_same_host_is_another_server(desk: PostfixDesk) -> None:
    """A filter on this machine, or a peer's public port."""
    routes = f"{{ x.test = smtp:[127.0.0.1]:25 }}, {{ {MX2} = hub:{NEXT_HOP} }}"
    desk.set("-e", f"transport_maps = inline:{{ {routes} }}")

    assert desk.findings() == []


def test_what_somebody_wrote_by_hand_is_judged_by_what_it_comes_to(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Other settings than ours: nobody is let in without a certificate, and so it is sound."""
    with a_desk(capsys, trusting=True) as desk:
        desk.compiled(clients={PEER: MX2}, policy={NEXT_HOP: ENTRY})
        desk.route(f"hub:{NEXT_HOP}")

        with running(desk):
            assert desk.findings() == []


def test_a_postfix_that_does_not_run_is_told(written: PostfixDesk) -> None:
    [finding] = written.type("check", "--json").json["findings"]

    assert finding["event"] == 12116
    assert f"(then: postfix -c {written.one.config} start)" in finding["evidence"][1]


async def test_a_listener_that_could_not_be_looked_at_is_unknown(written: PostfixDesk) -> None:
    """For a reason of our own, as when no file can be opened any more: nothing is known then."""
    config = load(written.folder / "mailtrust.toml", {}, default_name=str)
    async with open_site(config, looking_only=True) as site:
        [endpoint] = config.server.listeners
        examined = await examine(site, written.one.config, "")
    look = WireSighting(config.server.name, endpoint, None, clock.now(), "no", WireFailure.NO_ANSWER)

    assert examined.verdict is Verdict.OK
    assert blind(replace(examined.seen, wires=(look,))) == (f"{endpoint} was not looked at: no",)
    assert judged(replace(examined.seen, wires=(look,)), examined.diagnosis) is Verdict.UNKNOWN


def test_a_transport_table_that_cannot_be_listed_is_said_and_is_no_finding(desk: PostfixDesk) -> None:
    desk.set("-e", "transport_maps = regexp:/etc/nowhere")
    desk.compiled(clients={PEER: MX2}, policy={NEXT_HOP: ENTRY})

    ran = desk.must("check")

    assert "where mail is routed cannot be told in full" in ran.err
    assert "errors=0 warnings=0 information=0" in ran.out


def test_what_cannot_be_read_is_unknown_and_not_well(desk: PostfixDesk) -> None:
    ran = desk.type("check", "--instance", desk.folder)

    assert ran.code == 3
    assert ran.out.startswith(
        f"MAILTRUST UNKNOWN - {desk.folder} is not the configuration folder of a Postfix"
    )


def test_it_speaks_chinese(desk: PostfixDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")

    assert "两个方向上都由证书决定" in desk.must("check").out

"""
Ten conditions that stop mail, each planted for real, and what the screen then says is to be done.

A reader with nothing but the screen has to do the right thing; so each asserts whose job it is and what is
typed.  How the screens look stands in tests/cli/golden.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from mailtrust import clock
from mailtrust.agent import act
from mailtrust.core.model.certificate import short
from tests.agent.night import Night, night
from tests.hub.organization import held
from tests.make import HUB1, HUB2


@pytest.fixture
async def tonight(tmp_path: Path) -> AsyncIterator[Night]:
    async with night(tmp_path) as made:
        yield made


async def test_our_certificate_was_never_enabled(tonight: Night) -> None:
    leaf = await tonight.made()
    await tonight.publish(held(HUB2))
    await tonight.peer_hub()
    await tonight.sends(3)

    answer = await tonight.why()

    print(tonight.screen("zh"))
    assert (answer["conclusion"], answer["event"], answer["cause"]) == (
        "ours-not-enabled",
        12012,
        "not-enabled",
    )
    assert (answer["owner"], answer["command"]) == (
        "this-host",
        f"mailtrust enable {short(leaf.fingerprint)}",
    )


async def test_our_certificate_is_on_its_way_to_the_peers_home(tonight: Night) -> None:
    await tonight.enabled("dc1", ago=timedelta(minutes=1))
    await tonight.publish(held(HUB2))
    await tonight.peer_hub(home="dc2")
    await tonight.sends()

    answer = await tonight.why()

    print(tonight.screen("zh"))
    assert (answer["conclusion"], answer["event"], answer["owner"]) == ("ours-travelling", 12101, "nobody")


async def test_our_certificate_is_overdue_at_the_peers_home(tonight: Night) -> None:
    leaf = await tonight.enabled("dc1", "dc3")
    await tonight.publish(held(HUB2))
    await tonight.peer_hub(home="dc2")
    await tonight.sends()

    answer = await tonight.why()

    print(tonight.screen("zh"))
    assert (answer["conclusion"], answer["event"], answer["owner"]) == ("ours-overdue", 12102, "this-host")
    assert answer["command"] == (
        f"mailtrust enable {short(leaf.fingerprint)} --replica sqlite://{tonight.folder}/dc2.db"
    )


async def test_the_peer_presents_what_nobody_published(tonight: Night) -> None:
    await tonight.enabled()
    await tonight.publish(held(HUB2, "another"))
    await tonight.peer_hub()
    await tonight.sends()

    answer = await tonight.why()

    print(tonight.screen("zh"))
    assert (answer["conclusion"], answer["event"]) == ("theirs-not-published", 12104)
    assert (answer["owner"], answer["typed_at"]) == ("peer-administrator", "peer")
    assert answer["command"] == f"mailtrust enable {short(held(HUB2).certificate.fingerprint)}"
    assert "another host answers" in answer["action"]


async def test_the_peer_is_down(tonight: Night) -> None:
    await tonight.enabled()
    await tonight.publish(held(HUB2))
    await tonight.sends()

    answer = await tonight.why()

    print(tonight.screen("zh"))
    assert (answer["conclusion"], answer["event"]) == ("peer-down", 12116)
    assert (answer["owner"], answer["command"]) == ("peer-administrator", f"mailtrust why {HUB2}")


async def test_our_process_serves_the_file_of_yesterday(tonight: Night) -> None:
    old = await tonight.enabled()
    await tonight.publish(held(HUB2))
    hub = await tonight.starts()
    hub.freeze()
    new = await tonight.enabled()
    for name in ("dc1", "dc2", "dc3"):
        await tonight.replica(name).withdraw(HUB1, old.fingerprint, clock.now())
    await tonight.peer_hub()
    await tonight.sends()

    answer = await tonight.why()

    print(tonight.screen("zh"))
    assert (answer["conclusion"], answer["event"]) == ("ours-old-process", 12104)
    assert (answer["owner"], answer["command"]) == ("this-host", "mailtrust hub")
    assert short(new.fingerprint) in answer["action"]


async def test_something_on_the_way_strips_starttls(tonight: Night) -> None:
    await tonight.enabled()
    await tonight.publish(held(HUB2))
    await tonight.meets(None)
    await tonight.sends()

    answer = await tonight.why()

    print(tonight.screen("zh"))
    assert (answer["conclusion"], answer["event"]) == ("no-tls-on-the-way", 12117)
    assert (answer["owner"], answer["typed_at"]) == ("network-administrator", "peer")
    assert answer["command"] == f"openssl s_client -starttls smtp -connect {tonight.peer}"


async def test_the_peer_asks_for_no_certificate(tonight: Night) -> None:
    await tonight.enabled()
    await tonight.publish(held(HUB2))
    await tonight.meets(held(HUB2), {"MAIL": "454 4.7.1 1036 no certificate was presented"})
    await tonight.sends()

    answer = await tonight.why()

    print(tonight.screen("zh"))
    assert (answer["conclusion"], answer["event"]) == ("peer-asks-nobody", 12118)
    assert (answer["owner"], answer["typed_at"]) == ("peer-administrator", "peer")
    assert "smtpd_tls_ask_ccert=yes" in answer["command"]


async def test_our_picture_is_old_because_home_cannot_be_read(tmp_path: Path) -> None:
    async with night(
        tmp_path, policy='snapshot_max_age = "1s"\nspread = "1s"', transport='on_stale = "defer"'
    ) as tonight:
        await tonight.enabled()
        await tonight.publish(held(HUB2))
        await tonight.peer_hub()
        await tonight.starts()
        tonight.damage("dc1")
        await asyncio.sleep(1.5)
        await tonight.sends()

        answer = await tonight.why()

        print(tonight.screen("zh"))
        assert (answer["conclusion"], answer["event"]) == ("home-unreadable", 12111)
        assert (answer["owner"], answer["command"]) == ("directory-administrator", "mailtrust directory show")
        assert any("dc1.db could not be looked at" in one for one in answer["unseen"])


async def test_what_stands_for_the_peer_is_no_certificate(tonight: Night) -> None:
    await tonight.enabled()
    await tonight.garbage(HUB2)
    await tonight.peer_hub()
    await tonight.sends()

    answer = await tonight.why()

    print(tonight.screen("zh"))
    assert (answer["conclusion"], answer["event"]) == ("theirs-damaged", 12022)
    assert (answer["owner"], answer["typed_at"]) == ("peer-administrator", "peer")


async def test_the_peers_key_was_withdrawn_as_stolen(tonight: Night) -> None:
    await tonight.enabled()
    await tonight.publish(held(HUB2))
    for name in ("dc1", "dc2", "dc3"):
        await tonight.replica(name).withdraw_key(HUB2, held(HUB2).certificate.pin, clock.now())
    await tonight.peer_hub()
    await tonight.sends()

    answer = await tonight.why()

    print(tonight.screen("zh"))
    assert (answer["conclusion"], answer["event"]) == ("peer-key-revoked", 12104)
    assert (answer["owner"], answer["command"], answer["typed_at"]) == (
        "peer-administrator", "mailtrust new", "peer",
    )  # fmt: skip


async def test_where_nothing_is_wrong_it_says_so_and_what_was_looked_at(tonight: Night) -> None:
    await tonight.enabled()
    await tonight.publish(held(HUB2))
    await tonight.peer_hub()
    await tonight.starts()

    answer = await tonight.why()

    print(tonight.screen("zh"))
    assert (answer["conclusion"], answer["blocked"], answer["event"]) == ("nothing", None, None)
    assert len(answer["looked"]) == 3
    assert answer["unseen"] == []


async def test_what_could_not_be_looked_at_is_never_green(tonight: Night) -> None:
    await tonight.enabled()
    await tonight.publish(held(HUB2))
    await tonight.peer_hub()
    await tonight.starts()
    tonight.damage("dc3")

    answer = await tonight.why()

    print(tonight.screen("zh"))
    assert (answer["conclusion"], answer["blocked"]) == ("nothing-seen", None)
    assert any("dc3.db could not be looked at" in one for one in answer["unseen"])


async def test_what_was_mended_meanwhile_goes_with_the_next_try(tonight: Night) -> None:
    leaf = await tonight.made()
    await tonight.publish(held(HUB2))
    await tonight.peer_hub()
    await tonight.sends()
    await tonight.publish(leaf)
    await act.enable(tonight.site, leaf.fingerprint)

    answer = await tonight.why()

    print(tonight.screen("zh"))
    assert (answer["conclusion"], answer["owner"]) == ("over", "nobody")


async def test_the_whole_queue_is_told_by_what_holds_up_most(tonight: Night) -> None:
    await tonight.made()
    await tonight.publish(held(HUB2))
    await tonight.peer_hub()
    await tonight.sends(2)

    answer = await tonight.why(None)

    print(tonight.screen("zh"))
    assert (answer["conclusion"], answer["blocked"]["messages"]) == ("ours-not-enabled", 2)


async def test_our_own_hub_does_not_run(tonight: Night) -> None:
    await tonight.enabled()
    await tonight.publish(held(HUB2))
    await tonight.sends()
    assert tonight.hub is not None
    await tonight.hub.stop()
    await tonight.peer_hub()

    answer = await tonight.why()

    assert (answer["conclusion"], answer["owner"]) == ("ours-down", "this-host")
    assert answer["command"] == "mailtrust hub"


async def test_doing_what_the_screen_says_ends_it(tonight: Night) -> None:
    """From a certificate that nobody enabled to mail that goes, by one act after the other."""
    await tonight.made()
    await tonight.publish(held(HUB2))
    await tonight.peer_hub()
    await tonight.sends()

    first = await tonight.why()
    await act.enable(tonight.site, first["fingerprint"])
    second = await tonight.why()
    await tonight.publish(held(HUB2))
    current = tonight.site.store.installed()[0].certificate
    await tonight.publish(current, ago=timedelta(0))
    third = await tonight.why()

    assert (first["conclusion"], first["command"]) == (
        "ours-not-enabled", f"mailtrust enable {short(first['fingerprint'])}",
    )  # fmt: skip
    assert (second["conclusion"], second["owner"]) == ("ours-travelling", "nobody")
    assert (third["conclusion"], third["owner"]) == ("over", "nobody")

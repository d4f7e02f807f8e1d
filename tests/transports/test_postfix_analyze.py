"""`analyze` and a Postfix: it finds each trap that was planted in a sound one, and what costs time."""

from __future__ import annotations

import pytest

from tests import postfix
from tests.transports.postfix_desk import PostfixDesk
from tests.transports.postfix_traps import TRAPS, written

__all__ = ["written"]
pytestmark = postfix.MARKS


@pytest.fixture
def desk(written: PostfixDesk) -> PostfixDesk:
    """It does not run: what is written is what is advised about."""
    return written


def advised(desk: PostfixDesk, *more: object) -> list[tuple[str, str | None]]:
    found = desk.typed("analyze", "--profile", "postfix", "--json", *more).json["advice"]
    return [(one["rule"], one["cause"]) for one in found if one["rule"] != "A803"]


def test_a_sound_configuration_is_only_told_what_costs_time(desk: PostfixDesk) -> None:
    ran = desk.typed("analyze", "--profile", "postfix", "--json")

    [one] = ran.json["advice"]
    assert one["rule"] == "A803"
    assert one["type"][0]["lines"][0] == (
        f"postconf -c {desk.one.config} -P hub/unix/smtp_tls_connection_reuse=yes"
    )


@pytest.mark.parametrize("trap", TRAPS)
def test_a_planted_trap_is_advised_against(desk: PostfixDesk, trap: str) -> None:
    plant, expected = TRAPS[trap]
    plant(desk)

    assert sorted(advised(desk), key=str) == sorted(((str(code), why) for code, why in expected), key=str)


def test_what_is_typed_against_a_session_for_each_message_is_taken_by_postfix(desk: PostfixDesk) -> None:
    [one] = desk.typed("analyze", "--profile", "postfix", "--json").json["advice"]
    words = one["type"][0]["lines"][0].split()

    desk.set(*words[words.index("-P") :])

    assert desk.typed("analyze", "--profile", "postfix", "--json").json["advice"] == []


def test_an_instance_that_cannot_be_read_is_not_well(desk: PostfixDesk) -> None:
    ran = desk.typed("analyze", "--profile", "postfix", "--instance", desk.folder, "--json")

    assert ran.code == 3
    assert ran.json["verdict"] == "unknown"
    assert any(str(desk.folder) in one["what"] for one in ran.json["not_looked_at"])

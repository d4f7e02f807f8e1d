"""Two reports side by side: what is gone is gone only where somebody looked."""

from __future__ import annotations

from dataclasses import replace

from mailtrust.core.advice.compare import Compared, Line, compared
from tests.core.advice.given import exchange, facts
from tests.forest import a_server, stored, with_store
from tests.forest import public as a_public
from tests.make import HUB1, HUB2, NOON


def line(rule: str, server: str = HUB1) -> Line:
    return Line(f"{rule}/{server}/", rule, server, "warning", "said")


SITE = facts()


def after(
    before: tuple[Line, ...], now: tuple[Line, ...] = (), asked: tuple[int, ...] = (101, 12012)
) -> Compared:
    return compared(NOON, before, now, SITE, asked, ("A101", "A202", "12012"))


def test_what_is_new_gone_and_still_there_is_told_apart() -> None:
    found = after((line("A101"), line("12012")), (line("12012"), line("A202")))

    assert (found.new, found.gone, found.still) == ((line("A202"),), (line("A101"),), (line("12012"),))
    assert (found.not_now, found.not_then) == ((), ())


def test_what_nobody_asked_before_is_not_new() -> None:
    """The profile was a narrower one."""
    found = after((), (line("A203"),))

    assert (found.new, found.not_then) == ((), (line("A203"),))


def test_what_was_not_judged_is_not_gone() -> None:
    assert after((line("A102"),)).not_now == (line("A102"),)
    assert after((line("A101", HUB2),)).not_now == (line("A101", HUB2),)


def test_what_could_not_be_seen_is_not_gone() -> None:
    blind = replace(SITE, blind=frozenset({HUB1}))

    assert compared(NOON, (line("A101"),), (), blind, (101,), ()).gone == ()


def test_a_store_that_nobody_sees_any_more_proves_nothing() -> None:
    before = (line("A604", "mbx1.corp.example"), line("A702", "mbx1.corp.example"))
    outside = exchange(a_server())
    inside = exchange(with_store(a_server(), stored(a_public())))

    assert [one.rule for one in compared(NOON, before, (), outside, (604, 702), ()).gone] == ["A702"]
    assert [one.rule for one in compared(NOON, before, (), inside, (604, 702), ()).gone] == ["A604", "A702"]

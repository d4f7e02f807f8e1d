"""Which certificate one of our own servers has installed, and why."""

from __future__ import annotations

from dataclasses import replace

from mailtrust.core.advice.which import own_choice
from mailtrust.core.checks.case import Case
from mailtrust.core.exchange.choice import Choice
from mailtrust.core.model.sighting import Sighting, Slot
from mailtrust.core.policy import Policy
from mailtrust.texts import LANGUAGES, load
from tests.make import (
    AUTHORITY,
    DC1,
    HUB1,
    HUB2,
    NOON,
    a_certificate,
    a_replica,
    a_store,
    a_view,
    an_unread_store,
    installed,
    minutes,
)

CURRENT = installed(a_certificate(), Slot.CURRENT)


def asked(*looks: Sighting, name: str = HUB1) -> tuple[Choice, list[str]]:
    choice = own_choice(Case(HUB1, a_view(*looks), Policy(), NOON), name)
    for texts in (load(language, strict=True) for language in LANGUAGES):
        for said in choice.steps:
            texts.say(said)
    return choice, [said.phrase.partition(".")[2] for said in choice.steps]


def test_the_current_one_is_presented() -> None:
    choice, steps = asked(a_store(CURRENT))

    assert choice.chosen == CURRENT.certificate
    assert steps == ["fits", "newest", "current"]


def test_each_of_the_others_is_passed_by_for_its_reason() -> None:
    withdrawn = installed(a_certificate(key="w"))
    held = (
        CURRENT,
        withdrawn,
        installed(a_certificate(key="n"), Slot.NEXT, arrived_at=NOON),
        installed(a_certificate(key="k"), has_key=False, arrived_at=NOON - minutes(1)),
        installed(a_certificate(HUB2, key="o"), arrived_at=NOON - minutes(2)),
        installed(a_certificate(key="c", extensions=AUTHORITY), arrived_at=NOON - minutes(3)),
    )
    gone = a_replica(DC1, CURRENT.certificate, withdrawn={withdrawn.certificate.fingerprint: NOON})

    _, steps = asked(a_store(*held), gone)

    assert steps[:4] == ["slot", "no-key", "other-name", "authority"]
    assert set(steps[4:]) == {"withdrawn", "fits", "newest", "current"}


def test_a_newer_one_is_not_presented_before_it_is_enabled() -> None:
    newer = installed(a_certificate(key="b"), arrived_at=NOON)

    choice, steps = asked(a_store(CURRENT, newer))

    assert choice.chosen == newer.certificate
    assert steps[-1] == "not-current"


def test_a_first_certificate_has_no_current_one_before_it() -> None:
    _, steps = asked(a_store(replace(CURRENT, slot=Slot.NONE)))

    assert steps == ["fits", "newest"]


def test_a_name_that_it_does_not_carry_is_told_and_decides_nothing() -> None:
    choice, steps = asked(a_store(CURRENT), name="mail.example.test")

    assert choice.chosen == CURRENT.certificate
    assert steps[-1] == "name"


def test_where_none_fits_there_is_none() -> None:
    assert asked(a_store())[1] == ["empty", "none"]
    assert asked(a_store(replace(CURRENT, has_key=False, slot=Slot.NONE)))[1] == ["no-key", "none"]


def test_a_store_that_was_not_seen_is_not_empty() -> None:
    for looks, step in (((), "store-elsewhere"), ((an_unread_store(),), "store-unread")):
        choice, steps = asked(*looks)
        assert steps == [step]
        assert not choice.known

"""The page of an event: names and numbers from the catalog, prose from outside."""

from __future__ import annotations

from mailtrust.core.events import catalog
from mailtrust.core.events.explain import (
    EventText,
    contents,
    contents_as_json,
    explain,
    filled,
    page_as_json,
    placeholders,
)

TEXT = EventText(
    title="It is not there",
    message="The certificate of {server} is not on {replica}.",
    explanation="Peers of {server} look there.",
    conditions=("{replica} answered.",),
    user_action=("Enable it on {server}.",),
    see_also=("12101",),
    causes={cause: f"{cause} of {{fingerprint}}" for cause in catalog.CERTIFICATE_MISSING.causes},
)


def test_a_page_has_no_braces_left() -> None:
    """It is about the event, and not about one server: a reader shall see a word, not our syntax."""
    text = explain(catalog.CERTIFICATE_MISSING, TEXT, "1.0").text
    prose = (text.message, text.explanation, *text.conditions, *text.user_action, *text.causes.values())

    assert [one for one in prose if "{" in one] == []
    assert text.message == "The certificate of SERVER is not on REPLICA."


def test_an_event_of_exchange_names_where_it_is_logged() -> None:
    theirs = explain(catalog.CERTIFICATE_MISSING, TEXT, "1.0")
    ours = explain(catalog.REPLICATING, TEXT, "1.0")

    assert theirs.exchange_source == "MSExchangeTransport"
    assert ours.exchange_source == ""
    assert page_as_json(ours)["exchange_source"] is None


def test_the_page_as_json_has_every_field_of_the_page() -> None:
    found = page_as_json(explain(catalog.CERTIFICATE_MISSING, TEXT, "1.0"))

    assert found["event"] == 12012
    assert found["version"] == "1.0"
    assert found["severity"] == "error"
    assert found["parameters"] == ["server", "replica"]
    assert [one["cause"] for one in found["causes"]] == list(catalog.CERTIFICATE_MISSING.causes)
    assert found["user_action"] == ["Enable it on SERVER."]


def test_the_contents_are_in_the_order_of_numbers() -> None:
    entries = contents((catalog.REPLICATING, catalog.CERTIFICATE_MISSING), str)

    assert [entry["event"] for entry in contents_as_json(entries)["events"]] == [12012, 12101]
    assert entries[0].title == "12012"


def test_a_value_that_is_missing_leaves_its_place() -> None:
    """A sentence with a gap that can be seen is better than one that reads as if it were whole."""
    assert filled("{server} on {replica}", {"server": "hub1"}) == "hub1 on {replica}"
    assert placeholders("{server} on {replica}") == {"server", "replica"}

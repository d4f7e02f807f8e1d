"""The page of an event."""

from __future__ import annotations

import json

import pytest

from mailtrust.core.events.catalog import (
    BY_CODE,
    CATALOG,
    CERTIFICATE_MISSING,
    NO_CERTIFICATE,
    NO_SUCCESSOR,
    NOT_ENABLED,
    NOT_WRITTEN,
    OVERDUE,
)
from mailtrust.core.events.explain import (
    EventText,
    contents,
    contents_as_json,
    explain,
    filled,
    in_capitals,
    page_as_json,
    placeholders,
)

TEXT = EventText(
    title="It is gone",
    message="{server} looked at {replica}.",
    explanation="Once it was there.",
    conditions=("It is not there.",),
    user_action=("Bring it back.",),
    see_also=("12101", "`mailtrust check`"),
    causes={
        OVERDUE: "It has not arrived at {replica}.",
        NOT_WRITTEN: "Nobody wrote {fingerprint}.",
        NOT_ENABLED: "Nobody asked.",
        NO_CERTIFICATE: "There never was one.",
    },
)
PAGE = explain(CERTIFICATE_MISSING, TEXT, "1.2.3")


def test_a_page_names_what_it_wants_in_capitals() -> None:
    """As the pages of Exchange do, where there is no finding to take values from."""
    assert PAGE.text.message == "SERVER looked at REPLICA."
    assert PAGE.text.causes[OVERDUE] == "It has not arrived at REPLICA."


def test_causes_stand_in_the_catalogs_order() -> None:
    """However the page happens to be written."""
    assert tuple(PAGE.text.causes) == CERTIFICATE_MISSING.causes


def test_a_page_has_every_field_of_those_that_administrators_know() -> None:
    written = page_as_json(PAGE)

    assert json.loads(json.dumps(written)) == {
        "schema": "mailtrust.explain/1",
        "product": "mailtrust",
        "version": "1.2.3",
        "event": 12012,
        "source": "mailtrust",
        "exchange_source": "MSExchangeTransport",
        "category": "TransportService",
        "name": "InternalTransportCertificateMissingInAD",
        "severity": "error",
        "title": "It is gone",
        "message": "SERVER looked at REPLICA.",
        "parameters": ["server", "replica"],
        "explanation": "Once it was there.",
        "conditions": ["It is not there."],
        "causes": [
            {"cause": "no-certificate", "text": "There never was one."},
            {"cause": "not-enabled", "text": "Nobody asked."},
            {"cause": "not-written", "text": "Nobody wrote FINGERPRINT."},
            {"cause": "overdue", "text": "It has not arrived at REPLICA."},
        ],
        "user_action": ["Bring it back."],
        "see_also": ["12101", "`mailtrust check`"],
    }


def test_an_event_of_ours_has_no_source_in_exchange() -> None:
    ours = EventText("None stands by", "{server} has no next one.", "…", ("…",), ("…",), ("12017",))

    assert page_as_json(explain(NO_SUCCESSOR, ours, "1.2.3"))["exchange_source"] is None


def test_the_list_of_events_is_in_the_order_of_their_numbers() -> None:
    entries = contents(CATALOG, lambda code: f"title of {code}")

    codes = [entry.event_id for entry in entries]
    assert codes == sorted(BY_CODE)
    assert contents_as_json(entries[:1]) == {
        "schema": "mailtrust.explain/1",
        "events": [
            {
                "event": 1036,
                "name": "SmtpReceiveDirectTrustFailed",
                "severity": "error",
                "title": "title of 1036",
            }
        ],
    }


def test_no_number_and_no_name_is_given_twice() -> None:
    """People search for both."""
    assert len(BY_CODE) == len({event.name for event in CATALOG}) == len(CATALOG)


def test_exchange_has_the_same_number_for_what_it_knows() -> None:
    """And ours begin where its do not reach."""
    for event in CATALOG:
        assert event.known_as == ("" if event.code > 12100 else f"MSExchangeTransport {event.code}")


def test_a_template_is_filled_with_what_there_is() -> None:
    """A value in braces is not filled again."""
    template = "{server} met {subject} at {address}; {not a name} stays"

    assert placeholders(template) == {"server", "subject", "address"}
    assert filled(template, {"server": "hub1", "subject": "{address}"}) == (
        "hub1 met {address} at {address}; {not a name} stays"
    )


@pytest.mark.parametrize(
    ("count", "said"), [("0", "0 keys are"), ("1", "1 key is"), ("2", "2 keys are"), ("11", "11 keys are")]
)
def test_a_number_and_its_noun_agree(count: str, said: str) -> None:
    """And where there is no value the words are the general ones."""
    template = "{count} {count:key is|keys are} there"

    assert placeholders(template) == {"count"}
    assert filled(template, {"count": count}) == f"{said} there"
    assert in_capitals(template) == "COUNT keys are there"

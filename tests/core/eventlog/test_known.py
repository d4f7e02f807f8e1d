"""Which events of Exchange we know: by a source in any spelling, and a number."""

from __future__ import annotations

import pytest

from mailtrust.core.eventlog.event import WindowsEvent
from mailtrust.core.eventlog.known import KNOWN, Family, family, is_exchange, known, severity_of
from mailtrust.core.events.catalog import CATALOG
from mailtrust.core.model.event import Severity


@pytest.mark.parametrize(
    ("source", "of"),
    [
        ("MSExchangeTransport", Family.TRANSPORT),
        ("MSExchangeFrontEndTransport", Family.TRANSPORT),
        ("MSExchange TransportDelivery", Family.TRANSPORT),
        ("msexchangetransport", Family.TRANSPORT),
        ("MSExchange EdgeSync", Family.EDGESYNC),
        ("MSExchangeCertificateDeployment", Family.DEPLOYMENT),
        ("MSExchange Certificate Deployment Servicelet", Family.DEPLOYMENT),
        ("MSExchange Certificate Notification", Family.NOTIFICATION),
        ("MSExchangeIS", None),
        ("Transport", None),
        ("", None),
    ],
)
def test_a_source_is_known_in_any_spelling(source: str, of: Family | None) -> None:
    assert family(source) is of


def test_a_number_means_something_only_with_its_source() -> None:
    transport, edgesync = known("MSExchangeTransport", 1035), known("MSExchange EdgeSync", 1035)

    assert transport is not None
    assert edgesync is not None
    assert (transport.name, edgesync.name) == ("SmtpReceiveAuthenticationFailed", "CAPICertificateRequired")
    assert (transport.page, edgesync.page) == (None, None)
    assert known("MSExchangeIS", 1035) is None
    assert known("MSExchangeTransport", 7005) is None


def test_every_event_that_exchange_shares_with_us_is_known_by_the_same_name() -> None:
    shared = {one.code: one.name for one in CATALOG if one.known_as}

    assert {one.number: one.name for one in KNOWN if one.page} == shared


def test_what_makes_two_entries_the_same_trouble_is_among_their_values() -> None:
    assert [one.number for one in KNOWN if not set(one.same or ()) <= set(one.parameters)] == []
    assert len({(one.family, one.number) for one in KNOWN}) == len(KNOWN)


def test_values_have_their_names_by_their_place() -> None:
    starttls = known("MSExchangeTransport", 12014)

    assert starttls is not None
    assert starttls.named(("mail.example", "", "more")) == {"name": "mail.example"}


@pytest.mark.parametrize(
    ("level", "severity"),
    [(1, Severity.ERROR), (2, Severity.ERROR), (3, Severity.WARNING), (4, Severity.INFORMATION),
     (-1, Severity.WARNING), (77, Severity.WARNING)],
)  # fmt: skip
def test_the_log_says_how_bad_it_is_if_it_does(level: int, severity: Severity) -> None:
    assert severity_of(level, Severity.WARNING) is severity


def test_what_is_exchanges_is_told_apart() -> None:
    assert is_exchange("MSExchange ADAccess")
    assert not is_exchange("Schannel")


def test_an_identifier_is_whole_only_with_its_head() -> None:
    assert WindowsEvent("MSExchangeTransport", 12012, qualifiers=0xC004).identifier == 3221499628
    assert WindowsEvent("MSExchangeTransport", 12012).identifier is None

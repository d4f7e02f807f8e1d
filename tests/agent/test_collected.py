"""What the collector wrote, read back: in every encoding, and damaged in every way."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mailtrust.cli
from mailtrust.agent.collected import read_collected
from mailtrust.core.exchange.facts import Collected, Direction, EdgeSubscription, Logged, Role, Version
from mailtrust.core.model.certificate import certificate
from mailtrust.errors import BadInput
from tests.collected import RAW, a_certificate, a_file, written
from tests.make import NOON
from tests.powershell import commands, faults

SCRIPT = Path(mailtrust.cli.__file__).parent / "collector.ps1"


def read(**parts: Any) -> Collected:
    return read_collected(written(a_file(**parts)), "mbx1.json")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_it_is_read_in_every_encoding_of_powershell(encoding: str) -> None:
    found = read_collected(written(a_file(organization="Körper"), encoding), "mbx1.json")

    assert (found.server, found.fqdn, found.organization) == ("MBX1", "mbx1.corp.example", "Körper")
    assert (found.collected_at, found.place) == (NOON, "mbx1.json")


def test_utf_16_may_be_the_other_way_round() -> None:
    data = b"\xfe\xff" + written(a_file(), "utf-16-be")

    assert read_collected(data, "mbx1.json").server == "MBX1"


def test_everything_in_it_is_read() -> None:
    found = read()

    assert found.roles == Role.MAILBOX | Role.HUB_TRANSPORT | Role.FRONT_END_TRANSPORT
    assert found.version == Version(15, 2, 1118, 7)
    assert found.internal_thumbprint == ""
    assert found.edge_subscriptions == (EdgeSubscription("EDGE1", "HQ"),)
    assert found.logged == (
        Logged(datetime(2026, 5, 31, 23, 0, tzinfo=UTC), "MSExchangeTransport", 12012, "missing"),
    )


def test_a_certificate_is_named_by_its_bytes() -> None:
    [held] = read().certificates or ()

    assert held.certificate == certificate(RAW)
    assert held.thumbprint == certificate(RAW).thumbprint
    assert held.services == {"IMAP", "POP", "SMTP"}
    assert (held.has_key, held.network_service_reads, held.status) == (True, True, "Valid")


@pytest.mark.parametrize(
    ("readers", "may"), [(["S-1-5-18"], False), ("S-1-1-0", True), ([], None), (None, None)]
)
def test_who_may_read_the_key_is_known_only_where_its_file_was_found(
    readers: list[str] | str | None, *, may: bool | None
) -> None:
    [held] = read(certificates=[a_certificate(readers=readers)]).certificates or ()

    assert held.network_service_reads is may


@pytest.mark.parametrize("raw", ["", "not base64!", "AAAA", None])
def test_a_certificate_without_readable_bytes_keeps_its_thumbprint(raw: str | None) -> None:
    [held] = (
        read(certificates=[a_certificate(raw=b"", thumbprint="AB CD ef") | {"raw": raw}]).certificates or ()
    )

    assert (held.certificate, held.thumbprint) == (None, "abcdef")


def test_connectors_are_read_as_the_cmdlets_show_them() -> None:
    receive, send = read().connectors or ()

    assert receive.name == "MBX1\\Default Frontend MBX1"
    assert receive.auth == {"Tls", "Integrated", "BasicAuth", "ExchangeServer"}
    assert receive.bindings == ("[::]:25", "0.0.0.0:25")
    assert (send.direction, send.servers, send.bindings, send.auth) == (
        Direction.SEND,
        ("MBX1", "MBX2"),
        None,
        None,
    )


def test_what_a_connector_does_not_tell_is_unknown() -> None:
    [one] = read(connectors={"kind": "receive", "name": "x"}).connectors or ()

    assert (one.bindings, one.remote_ranges, one.auth, one.enabled) == (None, None, None, None)


def test_a_list_of_one_may_be_its_only_element() -> None:
    """ConvertTo-Json unrolls where it can."""
    found = read(
        certificates=a_certificate(),
        events=a_file()["events"][0],
        internalThumbprint=" AB ",
        organization="Corp",
    )

    assert len(found.certificates or ()) == len(found.logged or ()) == 1
    assert (found.internal_thumbprint, found.organization) == ("AB", "Corp")


def test_what_could_not_be_collected_is_unknown_and_not_empty() -> None:
    parts = ("certificates", "connectors", "edgeSubscriptions", "events", "internalThumbprint")
    problems = {"certificates": "Access is denied."}

    found = read(**dict.fromkeys(parts), problems=problems, roles=None, site=None)

    assert found.certificates is found.connectors is found.edge_subscriptions is found.logged is None
    assert found.internal_thumbprint is None
    assert found.why == problems
    assert found.roles is Role.UNKNOWN


@pytest.mark.parametrize(
    ("roles", "version", "meant"),
    [
        ("Mailbox, ClientAccess", "Version 14.3 (Build 123.4)", Role.MAILBOX | Role.CLIENT_ACCESS),
        ("HubTransport", "Version 14.3 (Build 123.4)", Role.HUB_TRANSPORT),
        ("Edge", "Version 15.2 (Build 1118.7)", Role.EDGE),
        ("ClientAccess", "Version 15.0 (Build 1497.2)", Role.CLIENT_ACCESS | Role.FRONT_END_TRANSPORT),
        ("Mailbox", None, Role.MAILBOX),
        ("Something", "x", Role.UNKNOWN),
    ],
)
def test_roles_carry_mail_by_themselves_since_2013(roles: str, version: str | None, meant: Role) -> None:
    assert read(roles=roles, version=version).roles == meant


def test_a_time_without_a_zone_is_utc() -> None:
    assert read(collectedAt="2026-06-01T12:00:00").collected_at == NOON
    assert read(collectedAt="2026-06-01T14:00:00+02:00").collected_at == NOON


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\xff\xfe", b"\xff", b"{", b"[]", b"null", b"not json", b"\x00" * 40, RAW,
        written(a_file())[:200], written(a_file(server=7)), written(a_file(certificates="x")),
        written(a_file(collectedAt="yesterday")), written(a_file(events=[{"at": 1}])),
        written(a_file(connectors=[{"kind": "other", "name": "x"}])), b'{"a":' * 5000 + b"1" + b"}" * 5000,
    ],
)  # fmt: skip
def test_a_damaged_or_foreign_file_is_one_sentence(data: bytes) -> None:
    with pytest.raises(BadInput, match=r"^mbx1\.json is not what the collector wrote, or it is damaged$"):
        read_collected(data, "mbx1.json")


@pytest.mark.parametrize("parts", [{"schema": "mailtrust.check/1"}, {"server": " "}])
def test_another_kind_of_file_is_named(parts: dict[str, str]) -> None:
    with pytest.raises(BadInput, match="which this release does not read"):
        read(**parts)


@settings(deadline=None)
@given(st.binary())
def test_no_bytes_are_a_fault_of_ours(data: bytes) -> None:
    with pytest.raises(BadInput):
        read_collected(data, "mbx1.json")


@settings(deadline=None)
@given(st.integers(0, len(written(a_file())) - 1), st.integers(0, 255))
def test_no_damage_is_a_fault_of_ours(at: int, byte: int) -> None:
    data = bytearray(written(a_file()))
    data[at] = byte
    with contextlib.suppress(BadInput):
        read_collected(bytes(data), "mbx1.json")


def test_the_script_is_powershell_and_short_enough_to_be_read() -> None:
    script = SCRIPT.read_text("utf-8")

    assert faults(script) == []
    assert len(script.splitlines()) <= 60
    assert script.isascii()


def test_the_script_only_gets() -> None:
    """But for what puts its result together, and writes the one file."""
    ours = {"Part", "Last", "Texts", "Time", "Readers"}
    harmless = {"ForEach-Object", "Where-Object", "ConvertTo-Json", "Out-Null", "Out-File"}

    called = set(commands(SCRIPT.read_text("utf-8"))) - ours - harmless

    assert {one for one in called if one[0].isalpha() and not one.startswith("Get-")} == set()
    assert {"Get-ExchangeCertificate", "Get-TransportService", "Get-ReceiveConnector"} <= called
    assert SCRIPT.read_text("utf-8").count("Out-File") == 1


def test_the_script_writes_what_is_read() -> None:
    """Every key of the file stands in it."""
    script = SCRIPT.read_text("utf-8")
    keys = {*a_file(), *a_certificate(), *a_file()["connectors"][0], *a_file()["connectors"][1]}

    assert {key for key in keys if f"{key} =" not in script} == set()

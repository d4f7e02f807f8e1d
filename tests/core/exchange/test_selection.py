"""Which Receive connector answers whom."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mailtrust.core.exchange.selection import answering, fitting_by_name, ports
from mailtrust.core.model.server import Endpoint
from tests.forest import a_receive_connector, a_send_connector, its_own, public
from tests.make import NOON

HERE = Endpoint("mbx1.corp.example", 25)
EVERYBODY = a_receive_connector()
RELAY = a_receive_connector(name="Relay", remote_ranges=("10.0.0.0/24",))


def names(*connectors: object, caller: str | None = "10.0.0.9", endpoint: Endpoint = HERE) -> list[str]:
    return [one.name.partition("\\")[2] for one in answering(connectors, caller, endpoint).connectors]  # type: ignore[arg-type]


def test_the_narrowest_range_around_the_caller_answers() -> None:
    assert names(EVERYBODY, RELAY) == ["Relay MBX1"]
    assert names(EVERYBODY, RELAY, caller="192.0.2.1") == ["Default Frontend MBX1"]
    assert names(EVERYBODY, RELAY, caller="2001:db8::1") == ["Default Frontend MBX1"]


@pytest.mark.parametrize(
    "range_", ["10.0.0.0-10.0.0.255", "10.0.0.0(255.255.255.0)", "10.0.0.9", " 10.0.0.0/24 "]
)
def test_a_range_is_read_in_each_of_its_forms(range_: str) -> None:
    assert names(EVERYBODY, a_receive_connector(name="Relay", remote_ranges=(range_,))) == ["Relay MBX1"]


@pytest.mark.parametrize("range_", ["", "everybody", "10.0.0.0-", "10.0.0.0-2001:db8::1", "10.0.0.0/99"])
def test_a_range_that_is_none_holds_nobody(range_: str) -> None:
    assert names(EVERYBODY, a_receive_connector(name="Relay", remote_ranges=(range_,))) == [
        "Default Frontend MBX1"
    ]


def test_only_who_listens_there_can_answer() -> None:
    submission = a_receive_connector(name="Client", bindings=("0.0.0.0:587",), remote_ranges=("10.0.0.9",))
    off = a_receive_connector(name="Off", enabled=False, remote_ranges=("10.0.0.9",))
    other = a_receive_connector(name="Other address", bindings=("10.9.9.9:25",), remote_ranges=("10.0.0.9",))

    assert names(submission, off, EVERYBODY, a_send_connector()) == ["Default Frontend MBX1"]
    assert names(other, EVERYBODY, endpoint=Endpoint("10.0.0.1", 25)) == ["Default Frontend MBX1"]
    assert names(other, EVERYBODY, endpoint=Endpoint("10.9.9.9", 25)) == ["Other address MBX1"]
    assert names(other, EVERYBODY) == ["Other address MBX1"]


def test_what_is_not_known_may_always_be_the_one() -> None:
    vague = a_receive_connector(name="Vague", remote_ranges=None)

    assert names(vague, RELAY) == ["Vague MBX1", "Relay MBX1"]
    assert names(EVERYBODY, RELAY, caller=None) == ["Default Frontend MBX1", "Relay MBX1"]
    assert names(a_receive_connector(name="Vague", bindings=None)) == ["Vague MBX1"]
    assert answering((EVERYBODY, RELAY), "10.0.0.9", HERE).certain is RELAY
    assert answering((vague, RELAY), "10.0.0.9", HERE).certain is None
    assert answering((), "10.0.0.9", HERE).certain is None


def test_two_of_the_same_width_are_both_possible() -> None:
    assert names(EVERYBODY, a_receive_connector(name="Twin")) == ["Default Frontend MBX1", "Twin MBX1"]


def test_the_ports_of_a_connector_are_those_of_its_bindings() -> None:
    assert ports(a_receive_connector(bindings=("0.0.0.0:25", "[::]:587", "nonsense"))) == {25, 587}
    assert ports(a_receive_connector(bindings=None)) == frozenset()


def test_a_public_certificate_comes_before_one_that_signed_itself() -> None:
    """And among those the newest; an expired one only where there is no other."""
    name = "mail.corp.example"
    own = its_own("mail", names=(name,))
    older = public(key="older", age=timedelta(days=100))
    ended = public(key="ended", age=timedelta(days=30), life=timedelta(days=20))

    assert fitting_by_name(name, [own, older, public(), ended], NOON) == public()
    assert fitting_by_name(name, [own, ended], NOON) == own
    assert fitting_by_name(name, [ended], NOON) == ended
    assert fitting_by_name("other.example", [own, public()], NOON) is None

"""Who stands behind a next hop."""

from __future__ import annotations

import pytest

from mailtrust.core.model.server import Endpoint
from mailtrust.core.why.peers import endpoint_of, means, owner_of, server_at, stand_in
from tests.core.why.both_sides import HOP, OLD, THEIRS, THERE, at
from tests.make import DC1, HUB2, a_replica, a_view


@pytest.mark.parametrize(
    ("hop", "expected"),
    [
        ("192.0.2.2:2525", Endpoint("192.0.2.2", 2525)),
        ("hub2.example.test", Endpoint("hub2.example.test", 25)),
        ("hub:[192.0.2.2]:2525", Endpoint("192.0.2.2", 2525)),
        ("[192.0.2.2]", Endpoint("192.0.2.2", 25)),
        ("hub:[hub2.example.test]", Endpoint("hub2.example.test", 25)),
        ("smtp:hub2.example.test:587", Endpoint("hub2.example.test", 587)),
        ("[2001:db8::2]:25", Endpoint("2001:db8::2", 25)),
        ("localhost:25", Endpoint("localhost", 25)),
        ("local", None), ("", None),
    ],
)  # fmt: skip
def test_a_next_hop_is_read_as_transports_write_it(hop: str, expected: Endpoint | None) -> None:
    assert endpoint_of(hop) == expected


def test_the_server_that_says_it_listens_there() -> None:
    view = a_view(a_replica(DC1, THEIRS, server=HUB2, listeners=(THERE,)))

    assert server_at(view, THERE) == HUB2
    assert server_at(view, Endpoint(HUB2, 2525)) == HUB2, "by its name"
    assert server_at(view, Endpoint("192.0.2.9", 25), (HUB2,)) == HUB2, "by the only domain"
    assert server_at(view, Endpoint("192.0.2.9", 25), (HUB2, "example.test")) is None
    assert server_at(view, None, ("example.test",)) is None


def test_a_key_tells_whose_it_is() -> None:
    view = a_view(*at(THEIRS))

    assert owner_of(view, THEIRS) == HUB2
    assert owner_of(view, OLD) is None


def test_looks_at_nobody_have_a_name_too() -> None:
    assert stand_in("x", Endpoint("mx.example.test", 25)) == "mx.example.test"
    assert stand_in("x", THERE) == "192.0.2.2:25"
    assert stand_in("nowhere", None) == "nowhere"


@pytest.mark.parametrize(
    "asked", [HUB2, "HUB2.Example.Test.", HOP, "[192.0.2.2]:25", "192.0.2.2", "example.test"]
)
def test_a_peer_is_meant_by_its_name_its_hop_its_host_or_a_domain(asked: str) -> None:
    assert means(asked, HOP, ("example.test",), HUB2)


@pytest.mark.parametrize("asked", ["", "hub3.example.test", "192.0.2.3:25", "192.0.2.2:26"])
def test_and_by_nothing_else(asked: str) -> None:
    assert not means(asked, HOP, ("example.test",), HUB2)
    assert not means(asked, "", (), None)

"""The network that tools/in_own_network.sh makes: names, all ports, and no way out."""

from __future__ import annotations

import errno
import socket
from pathlib import Path

import pytest

from tests.programs import needs

pytestmark = [pytest.mark.own_network, needs("ip")]


@pytest.mark.parametrize(
    ("name", "address"),
    [("dc2", "127.0.0.12"), ("hub9", "127.0.2.9"), ("mbx1", "127.0.1.1"), ("edge3", "127.0.1.23")],
)
def test_a_name_is_an_address_in_here(name: str, address: str) -> None:
    assert socket.gethostbyname(name) == socket.gethostbyname(f"{name}.corp.example") == address


def test_a_low_port_is_free_to_take() -> None:
    with socket.create_server((socket.gethostbyname("mbx1.corp.example"), 25)) as one:
        assert one.getsockname() == ("127.0.1.1", 25)


def test_nothing_else_can_be_reached() -> None:
    with pytest.raises(OSError) as caught:
        socket.create_connection(("192.0.2.1", 25), timeout=5)

    assert caught.value.errno == errno.ENETUNREACH


def test_resolver_and_names_are_those_of_the_tests() -> None:
    for file in ("hosts", "resolv.conf"):
        ours = Path(__file__).parent / "own_network" / file
        assert ours.samefile(f"/etc/{file}")

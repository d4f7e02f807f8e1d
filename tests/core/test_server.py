"""Names and endpoints."""

from __future__ import annotations

import pytest

from mailtrust.core.model.server import Endpoint, endpoint, server_name
from mailtrust.errors import BadInput


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("hub1.example.test", "hub1.example.test"),
        (" HUB1.Example.Test. ", "hub1.example.test"),
        ("a_b.c", "a_b.c"),
    ],
)
def test_a_server_name_is_written_one_way(text: str, name: str) -> None:
    """The directory is keyed by it."""
    assert server_name(text) == name


@pytest.mark.parametrize(
    "text", ["", "hub1", "-a.b", "a-.b", "a..b", "a b.c", "10.0.0.1", "x" * 64 + ".test", "a.b/c"]
)
def test_what_is_no_server_name_is_refused(text: str) -> None:
    """A path or an address would end up as a file name or an entry."""
    with pytest.raises(BadInput, match="not a fully qualified server name"):
        server_name(text)


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:25", "127.0.0.1", 25),
        ("[::1]:2525", "::1", 2525),
        ("Hub1.example.test:25", "hub1.example.test", 25),
    ],
)
def test_an_endpoint_reads_and_writes_the_same(text: str, host: str, port: int) -> None:
    """IPv6 stands in brackets, both ways."""
    read = endpoint(text)

    assert read == Endpoint(host, port)
    assert endpoint(str(read)) == read


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hub1",
        ":25",
        "hub1:",
        "hub1:0",
        "hub1:65536",
        "hub1:x",
        "::1:25",
        "[hub1]:25",
        "a b:25",
        "[::1:25",
    ],
)
def test_what_is_no_endpoint_is_refused_with_the_form(text: str) -> None:
    """The hint is the sentence people need."""
    with pytest.raises(BadInput, match="not an endpoint") as refused:
        endpoint(text)
    assert "HOST:PORT" in refused.value.hint

"""What OpenLDAP's own clients send, byte for byte beside what we send for the same wish."""

from __future__ import annotations

import socket
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from mailtrust.ldap import controls
from mailtrust.ldap.ber import Splitter
from mailtrust.ldap.connection import Connection
from mailtrust.ldap.controls import PAGED
from mailtrust.ldap.filters import Equal, parse
from mailtrust.ldap.requests import (
    WHO_AM_I,
    Add,
    Change,
    Delete,
    Extended,
    How,
    Modify,
    Request,
    Scope,
    Search,
    SimpleBind,
    Unbind,
)
from mailtrust.ldap.responses import Control, Response, Result
from tests.ldap import wire
from tests.programs import needs

pytestmark = needs("ldapsearch")

NAME = "cn=hub1,dc=example,dc=org"
BIG = bytes(range(256)) * 300
PATIENCE_SECONDS = 20
# What a result is tagged as, by the tag of the request: OpenLDAP's client looks at it, other than ours.
RESULT_TAGS = {0x60: 0x61, 0x63: 0x65, 0x66: 0x67, 0x68: 0x69, 0x4A: 0x6B, 0x77: 0x78}


def sent_by(command: list[str], answers: int, text: bytes = b"") -> bytes:
    """All that a client sends to a server which says yes to its first requests and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(PATIENCE_SECONDS)
        url = f"ldap://127.0.0.1:{server.getsockname()[1]}"
        program, *arguments = command
        client = subprocess.Popen(
            [program, "-H", url, "-x", *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        try:
            connection, _ = server.accept()
            with connection:
                connection.settimeout(PATIENCE_SECONDS)
                assert client.stdin is not None
                client.stdin.write(text)
                client.stdin.close()
                return _listen(connection, answers)
        finally:
            client.kill()
            client.wait()
            assert client.stdout is not None
            client.stdout.close()


def _listen(connection: socket.socket, answers: int) -> bytes:
    stream, answered = b"", 0
    while chunk := connection.recv(65536):
        stream += chunk
        for message in _whole(stream)[answered:answers]:
            answered += 1
            # 02 01 and the number, and then the request's own tag.
            number, tag = message[2], message[3]
            yes = Response(number, Result(0), _needed(message))
            connection.sendall(wire.message(yes, tag=RESULT_TAGS[tag]))
    return stream


def _whole(stream: bytes) -> list[bytes]:
    splitter = Splitter(2**24)
    splitter.receive(stream)
    found = []
    while (message := splitter.next_message()) is not None:
        found.append(message)
    return found


def _needed(message: bytes) -> tuple[Control, ...]:
    """ldapsearch asks for pages until it is told that there are no more."""
    _, _, asked = wire.asked(message)
    return tuple(controls.paged(0) for one in asked if one.kind == PAGED)


def ours(*requests: tuple[Request, tuple[Control, ...]]) -> bytes:
    connection = Connection(confidential=True)
    for request, with_these in requests:
        number = connection.send(request, with_these)
        connection.receive(wire.message(Response(number, Result(0))))
    connection.unbind()
    return connection.take_output()


@pytest.mark.parametrize(
    "text",
    [
        "(objectClass=*)", "(cn=a*b*c)", "(cn=*b)", "(cn=a*)", "(&(cn=a)(|(!(cn=b))(sn>=1)(sn<=2)(sn~=3)))",
        "(cn:dn:1.2.3:=x)", "(cn:=x)", "(:caseExactMatch:=x)", r"(cn=\28\2a\29\5c\00\c3\a9)", "(&)", "(|)",
        "(userAccountControl:1.2.840.113556.1.4.803:=8192)", "(userCertificate;binary=*)",
        f"(&(cn={'x' * 200}))",
    ],
)  # fmt: skip
def test_a_search_is_the_same_from_both(text: str) -> None:
    """Their parser of filters, and ours, from the text to the wire."""
    theirs = sent_by(
        ["ldapsearch", "-b", NAME, "-s", "sub", "-z", "7", "-l", "300", text, "cn", "userCertificate;binary"],
        2,
    )

    search = Search(
        NAME, Scope.SUBTREE, parse(text), ("cn", "userCertificate;binary"), 7, timedelta(minutes=5)
    )
    assert theirs == ours((SimpleBind(), ()), (search, ()))


def test_pages_are_the_same_from_both() -> None:
    theirs = sent_by(["ldapsearch", "-b", NAME, "-s", "base", "-E", "!pr=500/noprompt", "(cn=a)"], 2)

    search = Search(NAME, Scope.BASE, parse("(cn=a)"))
    assert theirs == ours((SimpleBind(), ()), (search, (controls.paged(500),)))


def test_a_write_with_all_its_controls_is_the_same_from_both(tmp_path: Path) -> None:
    """A value of 76,800 bytes has a length of three."""
    (tmp_path / "value").write_bytes(BIG)
    change = (
        f"dn: {NAME}\nchangetype: modify\ndelete: sn\nsn: old\n-\nadd: sn\nsn:< file://{tmp_path}/value\n-\n"
        "replace: description\n-\n"
    )
    options = ["-e", "!assert=(sn=old)", "-e", "!preread=sn", "-e", "!postread=sn,entryCSN"]

    theirs = sent_by(["ldapmodify", *options], 2, change.encode())

    changes = (
        Change(How.DELETE, "sn", (b"old",)),
        Change(How.ADD, "sn", (BIG,)),
        Change(How.REPLACE, "description"),
    )
    # Their controls come in an order of their own.
    asked = wire.all_asked(theirs)
    expected = wire.all_asked(
        ours(
            (SimpleBind(), ()),
            (
                Modify(NAME, changes),
                (
                    controls.only_if(Equal("sn", b"old")),
                    controls.pre_read("sn"),
                    controls.post_read("sn", "entryCSN"),
                ),
            ),
        )
    )
    assert [(number, request, set(with_these)) for number, request, with_these in asked] == [
        (number, request, set(with_these)) for number, request, with_these in expected
    ]


def test_an_entry_is_added_and_deleted_the_same_by_both() -> None:
    text = f"dn: {NAME}\nobjectClass: device\nobjectClass: pkiUser\ncn: hub1\n"

    added = sent_by(["ldapadd"], 2, text.encode())
    deleted = sent_by(["ldapdelete", NAME], 2)

    new = Add(NAME, (("objectClass", (b"device", b"pkiUser")), ("cn", (b"hub1",))))
    assert added == ours((SimpleBind(), ()), (new, ()))
    assert deleted == ours((SimpleBind(), ()), (Delete(NAME), ()))


def test_signing_in_is_the_same_from_both() -> None:
    theirs = sent_by(["ldapwhoami", "-D", NAME, "-w", "sesame"], 2)

    assert theirs == ours((SimpleBind(NAME, b"sesame"), ()), (Extended(WHO_AM_I), ()))
    assert wire.all_asked(theirs)[-1][1] == Unbind()

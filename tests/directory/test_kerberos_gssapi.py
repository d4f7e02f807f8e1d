"""MIT's library through ctypes: what it hands out is given back, however a conversation ends."""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mailtrust.directory.kerberos import Account, KerberosFailed, SecurityContext, Target, Trouble, begin
from mailtrust.directory.kerberos_mit import NAMES, Library
from tests import kdc
from tests.directory.ldap import realm
from tests.directory.ldap.acceptor import Acceptor
from tests.programs import needs

pytestmark = needs(*kdc.PROGRAMS)

TARGET = Target("localhost", b"tls-server-end-point:" + bytes(32))
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@pytest.fixture(scope="module")
def mx1() -> Iterator[Account]:
    """An account of a realm in which this process may also be ldap/localhost."""
    folder = Path(tempfile.mkdtemp(prefix="mt-"))
    with pytest.MonkeyPatch.context() as environment, realm.joined(folder, environment) as made:
        environment.setenv("KRB5_KTNAME", str(made.keytab("ldap/localhost")))
        # That every ticket is new need not be written to a disk two thousand times.
        environment.setenv("KRB5RCACHENAME", "none:")
        yield Account("mx1", made.keytab("mx1"))
    shutil.rmtree(folder)


def introduced(account: Account) -> tuple[SecurityContext, Acceptor]:
    client, server = begin(TARGET, account), Acceptor()
    assert client.step(server.step(client.step(b""))) == b""
    return client, server


def test_both_ends_know_each_other_and_encrypt(mx1: Account) -> None:
    client, server = introduced(mx1)

    assert (client.complete, server.complete, client.seals) == (True, True, True)
    assert server.unwrap(client.wrap(b"question", encrypt=True)) == b"question"
    assert client.unwrap(server.wrap(b"answer")) == (b"answer", True)
    assert client.unwrap(server.wrap(b"answer", encrypt=False)) == (b"answer", False)


def test_nothing_is_sealed_where_it_was_not_asked_for(mx1: Account) -> None:
    client = begin(Target("localhost", seal=False), mx1)

    client.step(Acceptor().step(client.step(b"")))

    assert (client.complete, client.seals) == (True, False)


@pytest.mark.parametrize("size", [200, 1000, 65536, 2**24 - 1])
def test_what_there_is_room_for_fits(mx1: Account, size: int) -> None:
    client, _ = introduced(mx1)
    room = client.room(size)

    assert size - 100 < room
    assert len(client.wrap(bytes(room), encrypt=True)) <= size
    assert (client.room(10), client.room(0)) == (0, 0)


def test_each_step_may_be_in_another_thread(mx1: Account) -> None:
    server = Acceptor()

    def in_a_thread(work: Callable[[], bytes]) -> bytes:
        with ThreadPoolExecutor(1) as other:
            return other.submit(work).result()

    client = begin(TARGET, mx1)
    token = in_a_thread(lambda: client.step(b""))
    answer = server.step(token)
    in_a_thread(lambda: client.step(answer))

    assert server.unwrap(client.wrap(b"question", encrypt=True)) == b"question"


def test_a_library_that_is_missing_is_a_trouble_of_its_own() -> None:
    for missing in (("libno-such-thing.so.2", NAMES[1]), (NAMES[0], "libno-such-thing.so.3")):
        with pytest.raises(KerberosFailed, match="libno-such-thing") as caught:
            Library(*missing)
        assert caught.value.trouble is Trouble.NO_LIBRARY


def test_a_library_of_somebody_elses_is_no_library() -> None:
    with pytest.raises(KerberosFailed) as caught:
        Library("libc.so.6", NAMES[1])

    assert caught.value.trouble is Trouble.NO_LIBRARY


def whole(account: Account) -> None:
    client, server = introduced(account)
    client.unwrap(server.wrap(bytes(1000)))
    server.unwrap(client.wrap(bytes(1000), encrypt=True))
    server.close()


def left_half_way(account: Account) -> None:
    begin(TARGET, account).step(b"")


def never_begun(account: Account) -> None:
    begin(TARGET, account)


def of_no_account(account: Account) -> None:
    with pytest.raises(KerberosFailed):
        begin(TARGET, Account("mx2", account.keytab))


def to_nobody(account: Account) -> None:
    with pytest.raises(KerberosFailed):
        begin(Target("nowhere.example.test"), account).step(b"")


def answered_with_nonsense(account: Account) -> None:
    client = begin(TARGET, account)
    client.step(b"")
    with pytest.raises(KerberosFailed):
        client.step(b"nonsense")


def told_nonsense(account: Account) -> None:
    client, server = introduced(account)
    with pytest.raises(KerberosFailed):
        client.unwrap(b"nonsense")
    with pytest.raises(KerberosFailed):
        client.unwrap(server.wrap(bytes(1000))[:-1])
    server.close()


@pytest.mark.parametrize(
    "conversation",
    [whole, left_half_way, never_begun, of_no_account, to_nobody, answered_with_nonsense, told_nonsense],
)
def test_conversations_leave_nothing_behind_however_they_end(
    mx1: Account, conversation: Callable[[Account], None]
) -> None:
    """The smallest thing that could be forgotten, a name, would be twice the bound."""
    for _ in range(200):
        conversation(mx1)
    gc.collect()  # what other tests left lying about
    files, before = open_files(), resident_bytes()

    for _ in range(2000):
        conversation(mx1)

    assert resident_bytes() - before < 150_000
    assert open_files() == files


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())

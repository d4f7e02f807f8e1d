"""
Direct trust as Postfix keeps it, both ways, by what we write: the same questions that the hub is asked.

mx1 sends to mx2; each is a real Postfix with tables of ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from mailtrust import clock
from mailtrust.certificates.store import Credential
from mailtrust.core.model.certificate import certificate
from mailtrust.core.model.server import Endpoint, ServerName
from mailtrust.core.model.trust import Snapshot
from mailtrust.transports.postfix.compile import CLIENTS, POLICY, NextHops, tables
from mailtrust.transports.postfix.instance import Instance
from mailtrust.transports.postfix.present import present
from tests import postfix
from tests.loopback import eventually, free_port
from tests.make import DC1, NOON, a_certificate, a_key, an_x509, der
from tests.postfix import Postfix, answer, chain_pem, session

pytestmark = postfix.MARKS

MX1, MX2, MX3 = (ServerName(f"mx{number}.example.test") for number in (1, 2, 3))
BOX = f"bob@{MX2}"


@dataclass
class Pair:
    """mx1 and mx2, and what the directory says."""

    mx1: Postfix
    mx2: Postfix
    published: dict[str, tuple[str, ...]]
    """The labels of each server's published keys."""

    @property
    def hop(self) -> str:
        return f"[127.0.0.1]:{self.mx2.inner}"

    def compile(self, next_hops: NextHops | None = None) -> None:
        """What the directory says, into the tables of both."""
        servers = {
            a_certificate(name, key=label).pin: ServerName(name)
            for name, labels in self.published.items()
            for label in labels
        }
        for one in (self.mx1, self.mx2):
            instance = Instance(one.config, one.tables)
            instance.write(tables(Snapshot(servers, NOON, DC1), next_hops or {self.hop: (MX2,)}))
            instance.close()

    def publish(self, **labels: tuple[str, ...]) -> None:
        self.published.update({f"{name}.example.test": held for name, held in labels.items()})
        self.compile()

    def sent(self) -> str:
        """Send a message; what became of the first attempt."""
        before = len(self.mx1.log)
        self.mx1.send(BOX)
        return self.mx1.says(f"to=<{BOX}>", "status=", after=before)


@pytest.fixture(scope="module")
def both() -> Iterator[Pair]:
    with postfix.folder() as folder:
        for label in ("mx1", "stranger"):
            (folder / f"{label}.pem").write_text(chain_pem(MX1, key=label))
        empty: Mapping[str, Mapping[str, str]] = {CLIENTS: {}, POLICY: {}}
        with postfix.started(
            folder / "mx2", chain=chain_pem(MX2, key="mx2"), name=MX2, trusting=True, tables=empty
        ) as mx2:
            routes = {MX2: f"hub:[127.0.0.1]:{mx2.inner}", "plain.test": f"smtp:[127.0.0.1]:{mx2.inner}"}
            with postfix.started(
                folder / "mx1",
                chain=chain_pem(MX1, key="mx1"),
                name=MX1,
                trusting=True,
                tables=empty,
                routes=routes,
            ) as mx1:
                yield Pair(mx1, mx2, {})


@pytest.fixture
def pair(both: Pair) -> Pair:
    """Both with what belongs to them: mx1's key and mx2's."""
    for one, name, label in ((both.mx1, MX1, "mx1"), (both.mx2, MX2, "mx2")):
        chain = one.tables / "chain.pem"
        if chain.read_text() != chain_pem(name, key=label):
            instance = Instance(one.config, one.tables)
            instance.install(chain_pem(name, key=label).encode())
            instance.reload()
    both.published = {MX1: ("mx1",), MX2: ("mx2",)}
    both.compile()
    return both


def test_mail_between_published_servers_arrives(pair: Pair) -> None:
    before = len(pair.mx1.log)

    assert "status=sent" in pair.sent()

    pair.mx1.says("Verified TLS connection established", after=before)


def test_a_published_peer_may_send_and_anybody_else_is_deferred(pair: Pair) -> None:
    codes = []
    for label in ("mx1", "stranger", None):
        chain = pair.mx1.folder.parent / f"{label}.pem" if label else None
        with session(pair.mx2.inner, chain=chain) as peer:
            codes.append(answer(peer, BOX).code)
    with session(pair.mx2.inner, tls=False) as peer:
        codes.append(answer(peer, BOX).code)

    assert codes == [250, 450, 450, 450]


def test_a_next_hop_with_another_key_is_not_sent_to(pair: Pair) -> None:
    pair.publish(mx2=("another",))
    before = len(pair.mx1.log)

    assert "dsn=4.7.5, status=deferred (Server certificate not verified)" in pair.sent()

    assert "MAIL FROM" not in pair.mx1.log[before:]
    assert "status=sent" not in pair.mx1.log[before:]


def test_one_of_two_published_keys_is_enough(pair: Pair) -> None:
    pair.publish(mx2=("another", "mx2"))

    assert "status=sent" in pair.sent()


def test_a_next_hop_of_several_servers_takes_each_of_them(pair: Pair) -> None:
    pair.published[MX2] = ("another",)
    pair.published[MX3] = ("mx2",)
    pair.compile({pair.hop: (MX2, MX3)})

    # The label alone does not make the key: it is the one that mx2 presents.
    assert "status=sent" in pair.sent()


def test_a_next_hop_where_nobody_publishes_is_deferred(pair: Pair) -> None:
    pair.publish(mx2=())

    assert "status=deferred (Server certificate not verified)" in pair.sent()


def test_a_next_hop_that_was_not_compiled_is_deferred(pair: Pair) -> None:
    pair.compile({"[192.0.2.7]:25": (MX2,)})

    assert "status=deferred" in pair.sent()


def test_a_table_that_is_gone_defers(pair: Pair) -> None:
    table = pair.mx1.tables / f"{POLICY}.lmdb"
    table.rename(pair.mx1.tables / "aside")
    pair.mx1.reload()
    try:
        assert "status=deferred" in pair.sent()
    finally:
        (pair.mx1.tables / "aside").rename(table)
        pair.mx1.reload()


async def test_a_new_key_is_presented_and_no_message_is_lost_on_the_way(pair: Pair) -> None:
    """Both published, then presented, then the old one withdrawn: the receiver is asked in between."""
    pair.publish(mx1=("mx1", "new"))
    assert "status=sent" in pair.sent()
    made = an_x509(MX1, key="new")
    credential = Credential(certificate(der(made)), (), a_key("new", "p256"))
    instance = Instance(pair.mx1.config, pair.mx1.tables)
    listener = Endpoint("127.0.0.1", pair.mx1.inner)

    seen = await present(instance, credential, MX1, (listener,), timeout=timedelta(seconds=20), now=clock.now)
    instance.close()
    pair.publish(mx1=("new",))

    assert seen.not_yet == ()
    await eventually(lambda: seen.older == (), "the processes that read the old file end")
    assert "status=sent" in pair.sent()


async def test_a_listener_that_does_not_answer_is_not_called_new(pair: Pair) -> None:
    credential = Credential(certificate(der(an_x509(MX1, key="mx1"))), (), a_key("mx1", "p256"))
    instance = Instance(pair.mx1.config, pair.mx1.tables)
    nobody = Endpoint("127.0.0.1", free_port())

    seen = await present(instance, credential, MX1, (nobody,), timeout=timedelta(seconds=0.3), now=clock.now)

    [look] = seen.not_yet
    assert look.found is None
    assert look.why


def test_what_is_withdrawn_is_refused_in_a_session_that_is_open(pair: Pair, tmp_path: Path) -> None:
    with session(pair.mx2.inner, chain=pair.mx1.folder.parent / "mx1.pem") as peer:
        before = answer(peer, BOX).code
        pair.publish(mx1=())
        after = answer(peer, BOX).code

    assert (before, after) == (250, 450)

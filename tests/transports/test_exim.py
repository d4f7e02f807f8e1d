"""
Exim with the configuration of its page, word for word, and files of ours; and with Postfix at the other end.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mailtrust.core.model.certificate import Certificate, certificate
from mailtrust.core.model.server import ServerName
from mailtrust.core.model.trust import Snapshot
from mailtrust.errors import BadInput, TransportUnavailable
from mailtrust.transports.exim.compile import PEERS, PINS, files, host, known_in
from mailtrust.transports.exim.folder import held, write
from mailtrust.transports.postfix.compile import tables
from mailtrust.transports.postfix.instance import Instance
from tests import exim, postfix
from tests.exim import Exim
from tests.make import AUTHORITY, DC1, NOON, a_certificate, days
from tests.postfix import Postfix, answer, chain_pem, leaf_of, session

PAGE = Path(__file__).parents[2] / "docs" / "transports" / "exim.md"
MX1, MX3 = ServerName("mx1.example.test"), ServerName("mx3.example.test")
BOX, BOX_AT_POSTFIX = f"bob@{MX3}", f"ann@{MX1}"
HOST = "127.0.0.1"

PEER, NEXT = (a_certificate(MX1, key=label) for label in ("peer", "next"))


def believing(*leaves: Certificate, server: ServerName = MX1) -> Snapshot:
    return Snapshot({leaf.pin: server for leaf in leaves}, NOON, DC1)


def test_there_is_a_file_for_each_certificate_and_one_for_each_host() -> None:
    made = files(believing(PEER, NEXT), [PEER, NEXT], {"mx1.example.test:25": (MX1,), "[192.0.2.7]": (MX3,)})

    assert made.keys() == {
        f"{PEERS}/{PEER.fingerprint}", f"{PEERS}/{NEXT.fingerprint}", f"{PINS}/mx1.example.test"
    }  # fmt: skip
    assert made[f"{PEERS}/{PEER.fingerprint}"].startswith(b"mx1.example.test\n-----BEGIN CERTIFICATE-----\n")
    assert made[f"{PINS}/mx1.example.test"].count(b"BEGIN CERTIFICATE") == 2


def test_only_what_is_believed_is_written_and_never_an_authority() -> None:
    authority = a_certificate(MX1, key="authority", extensions=AUTHORITY)

    assert files(believing(PEER, authority), [PEER, NEXT, authority], {}).keys() == {
        f"{PEERS}/{PEER.fingerprint}"
    }


def test_what_was_written_is_known_again_and_other_files_are_passed_over() -> None:
    made = files(believing(PEER), [PEER], {"mx1.example.test": (MX1,)})

    assert known_in({**made, f"{PEERS}/stray": b"no certificate"}) == (PEER,)


@pytest.mark.parametrize(
    ("hop", "name"),
    [
        ("192.0.2.7::25", "192.0.2.7"),
        ("[192.0.2.7]:25", "192.0.2.7"),
        ("[MX1.example.test]", "mx1.example.test"),
        ("mx1.example.test:2525", "mx1.example.test"),
        ("mx1.example.test", "mx1.example.test"),
        ("[2001:db8::1]:25", "2001:db8::1"),
    ],
)
def test_a_next_hops_host_is_what_exim_has_in_its_variable(hop: str, name: str) -> None:
    assert host(hop) == name


@pytest.mark.parametrize("hop", ["../../etc/passwd", ".hidden", "", "[]:25", "a/b", "two words"])
def test_a_next_hop_that_would_be_another_file_is_refused(hop: str) -> None:
    with pytest.raises(BadInput):
        host(hop)


def test_the_folder_comes_to_have_those_files_and_no_others(tmp_path: Path) -> None:
    first = files(believing(PEER, NEXT), [PEER, NEXT], {"mx1.example.test": (MX1,)})
    write(tmp_path, {}, first)
    (tmp_path / PEERS / ".left.new").write_bytes(b"by a crash")
    assert held(tmp_path) == first

    second = files(believing(NEXT), [NEXT], {})
    write(tmp_path, held(tmp_path), second)

    assert held(tmp_path) == second


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / PEERS).write_text("in the way")

    with pytest.raises(TransportUnavailable):
        write(tmp_path, {}, files(believing(PEER), [PEER], {}))


def block(name: str) -> str:
    return PAGE.read_text("utf-8").partition(f"```exim-{name}\n")[2].partition("```")[0]


REST = """\
begin routers
{router}
local:
  driver = accept
  domains = mx3.example.test
  transport = drop
begin transports
{transport}
drop:
  driver = appendfile
  file = /dev/null
  user = Debian-exim
begin retry
* * F,1h,1s
"""


def configuration(one: Exim, next_port: int) -> str:
    """The page's blocks, for this port and these folders."""
    main = block("main").replace("daemon_smtp_ports = 25 : 2525\n", "")
    acl = f"begin acl\n{block('acl')}  accept\n"
    router = block("router").replace("  no_more", "  self = send\n  no_more")
    router = router.replace("mx2.example.org", MX1).replace("192.0.2.7::25", f"{HOST}::{next_port}")
    text = main + acl + REST.format(router=router, transport=block("transport"))
    changes = {
        "2525": str(one.port),
        "/var/lib/mailtrust/exim": str(one.files),
        "/etc/exim4/mailtrust.pem": str(one.files / "chain.pem"),
    }
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    return text


@dataclass
class Both:
    """An Exim, mx3, that sends to a Postfix, mx1, and back."""

    mx1: Postfix
    mx3: Exim
    folder: Path

    def leaf(self, label: str) -> Certificate:
        return certificate(leaf_of((self.folder / f"{label}.pem").read_text()))

    def publish(self, *, mx1: tuple[str, ...] = (), mx3: tuple[str, ...] = ()) -> None:
        """What the directory says, into the files of both."""
        leaves = {label: self.leaf(label) for label in (*mx1, *mx3)}
        servers = {leaves[label].pin: MX1 for label in mx1} | {leaves[label].pin: MX3 for label in mx3}
        snapshot = Snapshot(servers, NOON, DC1)
        before = held(self.mx3.files)
        write(self.mx3.files, before, files(snapshot, leaves.values(), {f"{HOST}::25": (MX1,)}))
        instance = Instance(self.mx1.config, self.mx1.tables)
        instance.write(tables(snapshot, {f"[{HOST}]:{self.mx3.port}": (MX3,)}))
        instance.close()

    def sent(self) -> str:
        """Let Exim send once; what it says of it."""
        for one in (self.mx3.folder / "spool" / "db").glob("*"):
            # It remembers a host that deferred, and would not try.
            one.unlink()
        return self.mx3.send(BOX_AT_POSTFIX)

    def asked(self, label: str | None, *, tls: bool = True) -> int:
        chain = self.folder / f"{label}.pem" if label else None
        with session(self.mx3.port, chain=chain, tls=tls) as peer:
            return answer(peer, BOX).code


@pytest.fixture(scope="module")
def both() -> Iterator[Both]:
    with postfix.folder() as folder:
        for label, name in (("mx1", MX1), ("mx3", MX3), ("other", MX1), ("stranger", MX1)):
            (folder / f"{label}.pem").write_text(chain_pem(name, key=label))
        old = chain_pem(MX1, key="expired", not_before=NOON - days(900), life=days(30))
        (folder / "expired.pem").write_text(old)
        mx3 = Exim(folder / "mx3", MX3)
        with postfix.started(
            folder / "mx1", chain=chain_pem(MX1, key="mx1"), name=MX1, trusting=True,
            tables={"relay_clientcerts": {}, "tls_policy": {}},
            routes={MX3: f"hub:[{HOST}]:{mx3.port}"},
        ) as mx1:  # fmt: skip
            mx3.make(chain_pem(MX3, key="mx3"))
            with exim.running(mx3, configuration(mx3, mx1.inner)):
                yield Both(mx1, mx3, folder)


def real(test: object) -> object:
    for mark in (*postfix.MARKS, *exim.MARKS):
        test = mark(test)
    return test


@real
def test_a_published_peer_may_send_and_anybody_else_is_deferred(both: Both) -> None:
    both.publish(mx1=("mx1", "expired"))

    asked = [both.asked(label) for label in ("mx1", "expired", "stranger", None)]

    # Expiry never breaks direct trust.
    assert asked == [250, 250, 451, 451]
    assert both.asked(None, tls=False) == 451


@real
def test_a_session_that_is_open_sees_a_certificate_come_and_go(both: Both) -> None:
    both.publish()
    with session(both.mx3.port, chain=both.folder / "mx1.pem") as peer:
        codes = [answer(peer, BOX).code]
        both.publish(mx1=("mx1",))
        codes.append(answer(peer, BOX).code)
        both.publish()
        codes.append(answer(peer, BOX).code)

    assert codes == [451, 250, 451]


@real
def test_without_the_folder_everybody_is_deferred(both: Both) -> None:
    both.publish(mx1=("mx1",))
    (both.mx3.files / PEERS).rename(both.mx3.files / "aside")
    try:
        assert both.asked("mx1") == 451
    finally:
        (both.mx3.files / "aside").rename(both.mx3.files / PEERS)


@real
def test_exim_sends_to_a_postfix_that_presents_what_is_published(both: Both) -> None:
    both.publish(mx1=("mx1",), mx3=("mx3",))
    before = len(both.mx1.log)

    said = both.sent()

    assert "=>" in said
    assert "CV=yes" in said
    both.mx1.says("status=sent", after=before)


@real
def test_one_of_two_published_certificates_is_enough(both: Both) -> None:
    both.publish(mx1=("other", "mx1"), mx3=("mx3",))

    assert "CV=yes" in both.sent()


@real
@pytest.mark.parametrize("published", [("other",), ()])
def test_a_host_with_another_certificate_or_none_is_deferred(both: Both, published: tuple[str, ...]) -> None:
    both.publish(mx1=published, mx3=("mx3",))

    said = both.sent()

    assert "==" in said
    assert "=>" not in said


@real
def test_postfix_sends_to_exim_and_is_known(both: Both) -> None:
    both.publish(mx1=("mx1",), mx3=("mx3",))
    before = len(both.mx1.log)

    both.mx1.send(BOX)

    assert "status=sent" in both.mx1.says(f"to=<{BOX}>", "status=", after=before)


@real
def test_postfix_does_not_send_to_an_exim_with_another_key(both: Both) -> None:
    both.publish(mx1=("mx1",), mx3=("other",))
    before = len(both.mx1.log)

    both.mx1.send(BOX)

    assert "status=deferred" in both.mx1.says(f"to=<{BOX}>", "status=", after=before)


@real
def test_exim_does_not_send_to_a_server_whose_certificate_has_expired(both: Both) -> None:
    """GnuTLS looks at the dates; the page says so."""
    both.publish(mx1=("expired",), mx3=("mx3",))
    instance = Instance(both.mx1.config, both.mx1.tables)
    instance.install((both.folder / "expired.pem").read_bytes())
    instance.reload()
    try:
        assert "==" in both.sent()
    finally:
        instance.install((both.folder / "mx1.pem").read_bytes())
        instance.reload()
        instance.close()

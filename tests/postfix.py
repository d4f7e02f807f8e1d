"""
Real Postfix instances of a test's own: nothing of the machine's is read, written or restarted.

    with postfix.folder() as folder, postfix.started(folder / "mx1", chain=chain_pem(HUB1)) as mx1:
        with postfix.session(mx1.port) as peer:
            assert postfix.answer(peer, "ann@mx1.example.test").code == 250

Each has its own configuration, queue, log, tables and ports, and no DNS.  As shipped it is a stranger's usual
mail server with a public listener (`port`).  With ``trusting=True`` it has besides what direct trust needs: a
listener of its own (`inner`) and the transport `hub`, by tables in the folder `tables`.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import signal
import smtplib
import ssl
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from tests.loopback import LOOPBACK, PATIENCE, free_port
from tests.make import a_key, an_x509
from tests.postfix_cf import MAIN, MASTER, TRUSTING
from tests.programs import needs, program

PROGRAMS = ("postconf", "/usr/lib/postfix/postfix-lmdb.so")
MARKS = [
    needs(*PROGRAMS),
    pytest.mark.skipif(os.geteuid() != 0, reason="Postfix's master starts as root only"),
]
"""For `pytestmark` of a file that starts one."""


class Answer(NamedTuple):
    """What the server said to a command."""

    code: int
    text: str


@dataclass
class Postfix:
    """One instance; `started` makes, starts and stops it."""

    folder: Path
    name: str = "mx1.example.test"
    port: int = field(default_factory=free_port)
    """Where its public listener is, as on port 25."""
    inner: int = field(default_factory=free_port)
    """Where the listener of direct trust is, if it has one."""

    @property
    def config(self) -> Path:
        """Its configuration directory, as after ``postfix -c``."""
        return self.folder / "etc"

    @property
    def tables(self) -> Path:
        """Where tables and chain file of direct trust are, root's alone."""
        return self.folder / "tables"

    @property
    def log(self) -> str:
        """All that it has logged so far."""
        file = self.folder / "log"
        return file.read_text("utf-8") if file.exists() else ""

    @property
    def master(self) -> int:
        """The process id of its master(8)."""
        return int((self.folder / "queue/pid/master.pid").read_text().split()[0])

    def make(self, *, chain: str, main: Mapping[str, str], master: str, routes: Mapping[str, str]) -> None:
        """Write its files; *routes* is a transport table: ``{"mx2.test": "hub:[127.0.0.1]:2525"}``."""
        for name in ("queue", "data", "tables"):
            (self.folder / name).mkdir(parents=True)
        owner = pwd.getpwnam("postfix")
        os.chown(self.folder / "data", owner.pw_uid, owner.pw_gid)
        for place in (self.folder / "chain.pem", self.tables / "chain.pem"):
            place.write_text(chain)
            place.chmod(0o600)
        self.make_configuration(main, master, routes)

    def make_configuration(
        self,
        main: Mapping[str, str] | None = None,
        master: str = "",
        routes: Mapping[str, str] | None = None,
    ) -> None:
        """Its configuration alone, which is all that postmap and postconf need."""
        self.config.mkdir(parents=True)
        hops = ", ".join(f"{{ {domain} = {hop} }}" for domain, hop in (routes or {}).items())
        own = {
            "queue_directory": "{folder}/queue",
            "data_directory": "{folder}/data",
            "maillog_file": "{folder}/log",
            "maillog_file_prefixes": "{folder}",
            "myhostname": self.name,
            "transport_maps": f"inline:{{ {hops} }}" if hops else "",
        }
        lines = {**own, **MAIN, **(main or {})}
        text = "".join(f"{name} = {value}\n" for name, value in lines.items())
        main_cf = self.config / "main.cf"
        main_cf.write_text(text.replace("{folder}", str(self.folder)))
        # Every program of Postfix waits until this file is two seconds old, lest it is being edited.
        os.utime(main_cf, (0, 0))
        filled = master.format(port=self.port, inner=self.inner, tables=self.tables, folder=self.folder)
        (self.config / "master.cf").write_text(filled)

    def run(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """One of Postfix's programs on this instance: ``run("postmap", "-q", key, table)``."""
        path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
        line = [program(words[0]) or words[0], "-c", str(self.config), *words[1:]]
        return subprocess.run(line, capture_output=True, text=True, check=check, env={"PATH": path})

    def start(self) -> None:
        """Raises: AssertionError with what Postfix said."""
        ran = self.run("postfix", "start", check=False)
        assert ran.returncode == 0, f"{self.name} did not start: {ran.stderr} {self.log[-2000:]}"
        until(lambda: answers(self.port), "its public listener answers")

    def stop(self) -> None:
        """Wait until it has ended; nothing where it does not run."""
        try:
            master = self.master
            name = Path(f"/proc/{master}/comm").read_text().strip()
        except (OSError, IndexError):
            return
        if name == "master":
            # As `postfix abort`, which waits for a second: it ends its children as well.
            os.kill(master, signal.SIGTERM)
            until(lambda: not Path(f"/proc/{master}").exists(), "it has stopped")

    def runs(self) -> bool:
        """True while its master does."""
        return self.run("postfix", "status", check=False).returncode == 0

    def reload(self) -> None:
        """As an administrator would."""
        self.run("postfix", "reload")

    def processes(self, name: str) -> list[int]:
        """The process ids of its daemons of that name, such as ``smtpd``."""
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                text = stat.read_text()
                parent = text.rpartition(")")[2].split()[1]
                if f"({name})" in text and parent == str(self.master):
                    found.append(int(stat.parent.name))
        return found

    def send(self, *recipients: str, sender: str = "ann@example.test", text: str = "hello") -> None:
        """Put a message into its queue, as a program of this machine does."""
        line = [program("sendmail") or "sendmail", "-C", str(self.config), "-f", sender, "-i", *recipients]
        mail = f"From: {sender}\nTo: {', '.join(recipients)}\nSubject: a test\n\n{text}\n"
        subprocess.run(line, input=mail, text=True, check=True, capture_output=True)

    def says(self, *what: str, after: int = 0) -> str:
        """Wait for a log line that has all of *what*, behind the first *after* characters; the line."""
        found: list[str] = []

        def there() -> bool:
            lines = self.log[after:].splitlines()
            found[:] = [line for line in lines if all(one in line for one in what)]
            return bool(found)

        until(there, f"the log of {self.name} says {what}: {self.log[-2000:]}")
        return found[0]


@cache
def chain_pem(name: str, *, key: str = "a", kind: str = "p256", **options: object) -> str:
    """A chain file as Postfix takes it: the key labelled *key*, then its certificate."""
    private = a_key(key, kind).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    leaf = an_x509(name, key=key, kind=kind, **options)  # type: ignore[arg-type]
    return (private + leaf.public_bytes(serialization.Encoding.PEM)).decode()


def leaf_of(chain: str) -> bytes:
    """The first certificate (DER) of a chain file."""
    begins = chain.index("-----BEGIN CERTIFICATE")
    return x509.load_pem_x509_certificate(chain[begins:].encode()).public_bytes(serialization.Encoding.DER)


@contextmanager
def folder() -> Iterator[Path]:
    """A temporary one into which Postfix's accounts may go; into pytest's own they may not."""
    with tempfile.TemporaryDirectory(prefix="mailtrust-postfix-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        yield Path(name)


def made(
    where: Path,
    *,
    chain: str,
    name: str = "mx1.example.test",
    trusting: bool = False,
    inner: int | None = None,
    main: Mapping[str, str] | None = None,
    master: str = "",
    routes: Mapping[str, str] | None = None,
) -> Postfix:
    """One that does not run yet, and need not; the rest is as in `started`."""
    one = Postfix(where, name) if inner is None else Postfix(where, name, inner=inner)
    more = (TRUSTING if trusting else "") + master
    one.make(chain=chain, main=main or {}, master=MASTER + more, routes=routes or {})
    return one


@contextmanager
def started(
    where: Path,
    *,
    chain: str,
    name: str = "mx1.example.test",
    trusting: bool = False,
    inner: int | None = None,
    main: Mapping[str, str] | None = None,
    master: str = "",
    routes: Mapping[str, str] | None = None,
    tables: Mapping[str, Mapping[str, str]] | None = None,
) -> Iterator[Postfix]:
    """
    One that answers; stopped in the end.

    *chain* is its key and certificate (PEM).  *inner* is the port of the listener of direct trust, where
    others have to know it beforehand.  *main* has more settings for main.cf, *master* more lines for
    master.cf, in which ``{folder}``, ``{tables}``, ``{port}`` and ``{inner}`` stand for its own.  *tables*
    are written by postmap before it starts: ``{"relay_clientcerts": {}, "tls_policy": {}}``.
    """
    one = made(
        where, chain=chain, name=name, trusting=trusting, inner=inner, main=main, master=master, routes=routes
    )
    for table, rows in (tables or {}).items():
        by_postmap(one, table, rows)
    try:
        one.start()
        yield one
    finally:
        one.stop()


def by_postmap(one: Postfix, table: str, rows: Mapping[str, str]) -> None:
    """Write one of its tables as an administrator does."""
    source = one.tables / table
    source.write_text("".join(f"{key} {value}\n" for key, value in rows.items()))
    one.run("postmap", f"lmdb:{source}")


@contextmanager
def session(
    port: int, *, chain: Path | None = None, tls: bool = True, source: str = LOOPBACK
) -> Iterator[smtplib.SMTP]:
    """
    An SMTP session from *source* behind STARTTLS, with the key and certificate in the file *chain*, if any.
    """
    client = smtplib.SMTP(
        LOOPBACK, port, local_hostname="peer.example.test", timeout=PATIENCE, source_address=(source, 0)
    )
    try:
        client.ehlo()
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            if chain is not None:
                context.load_cert_chain(chain)
            client.starttls(context=context)
            client.ehlo()
        yield client
    finally:
        client.close()


def answer(client: smtplib.SMTP, recipient: str, sender: str = "ann@peer.example.test") -> Answer:
    """What the server says to a recipient; the transaction is given up, the session goes on."""
    client.mail(sender)
    code, text = client.rcpt(recipient)
    client.rset()
    return Answer(code, text.decode())


def presented(port: int) -> bytes:
    """The certificate (DER) that a listener presents now."""
    with session(port) as client:
        assert isinstance(client.sock, ssl.SSLSocket)
        return client.sock.getpeercert(binary_form=True) or b""


def answers(port: int) -> bool:
    """True if something that speaks SMTP is there."""
    try:
        with smtplib.SMTP(LOOPBACK, port, timeout=PATIENCE):
            return True
    except OSError:
        return False


def until(holds: Callable[[], bool], what: str) -> None:
    """Wait until it holds; for what a program of Postfix's does tells nobody when it is done."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > deadline:
            raise AssertionError(f"it never came to that: {what}")
        time.sleep(0.01)

"""
The two mail servers that are loaded: mailtrust's hub, and the Postfix that one would take instead.

Both are started afresh for every measurement, on loopback, know the sender by its certificate's fingerprint,
and answer 250 when the message is on disk.  Each either delivers to a Maildir at the same time, or only keeps
what it takes: the hub because its next hop never says a word, Postfix because everything is put on hold.
"""

from __future__ import annotations

import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from mailtrust.transports.hub import queue_view

HUB, SENDER, ELSEWHERE = "hub.example.test", "sender.example.test", "elsewhere.example.test"
LOOPBACK = "127.0.0.1"
PATIENCE_SECONDS = 120.0
_TICKS = os.sysconf("SC_CLK_TCK")

_HUB = """\
[server]
name = "{hub}"
store = "{folder}/hub"
listeners = ["127.0.0.1:{port}"]
[directory]
home = "sqlite://{folder}/dc1.db"
[transport]
kind = "hub"
local_domains = ["{hub}"]
routes = {{ "{elsewhere}" = "127.0.0.1:{silent}" }}
"""
_SENDER = """\
[server]
name = "{sender}"
store = "{folder}/sender"
listeners = []
[directory]
home = "sqlite://{folder}/dc1.db"
"""
_MAIN = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
import_environment = MAIL_CONFIG={folder}/etc
inet_interfaces = loopback-only
inet_protocols = ipv4
myhostname = {hub}
mydestination =
alias_maps =
alias_database =
local_recipient_maps =
virtual_mailbox_domains = {hub}
virtual_mailbox_base = {folder}/mail
virtual_mailbox_maps = static:box/
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_minimum_uid = 1
smtpd_tls_security_level = may
smtpd_tls_chain_files = {pem}
smtpd_tls_ask_ccert = yes
smtpd_tls_fingerprint_digest = sha256
relay_clientcerts = texthash:{folder}/etc/peers
smtpd_relay_restrictions = permit_tls_clientcerts, reject
smtpd_recipient_restrictions = {hold}permit_tls_clientcerts, reject
smtpd_tls_loglevel = 0
"""
_MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
proxymap unix - - n - - proxymap
postlog unix-dgram n - n - 1 postlogd
"""


@dataclass(frozen=True, slots=True)
class Server:
    """One that runs."""

    port: int
    recipient: str
    process: int
    """Itself; its children count as well."""
    stored: Callable[[], int]
    """Messages that have come to where they stay."""
    left: Callable[[], int]
    """Messages that are on their way there."""

    def wait(self, messages: int) -> None:
        """Until so many have come to where they stay, and none is on its way."""
        ends = time.monotonic() + PATIENCE_SECONDS
        while self.stored() < messages or self.left():
            if time.monotonic() > ends:
                raise SystemExit(f"{self.stored()} of {messages} acknowledged messages came")
            time.sleep(0.02)
        if self.stored() != messages:
            raise SystemExit(f"{self.stored()} messages came, {messages} were acknowledged")

    def cpu_seconds(self) -> float:
        """User and system time so far, of all its processes, also of those that ended."""
        return sum(_ticks(process) for process in _family(self.process)) / _TICKS


@dataclass(frozen=True, slots=True)
class Site:
    """Certificates for both ends, each published for its own name, in one replica."""

    folder: Path
    hub_config: Path
    port: int
    silent_port: int

    @property
    def sender_pem(self) -> Path:
        return self.folder / "sender.pem"

    @property
    def hub_pem(self) -> Path:
        return self.folder / "hub.pem"


@contextmanager
def site(folder: Path) -> Iterator[Site]:
    """A site for a hub; its next hop takes connections and never says a word, inside the block."""
    with socket.create_server((LOOPBACK, 0)) as silent:
        hop = silent.getsockname()[1]
        made = Site(folder, folder / "hub.toml", free_port(), hop)
        names = {"folder": folder, "hub": HUB, "sender": SENDER, "elsewhere": ELSEWHERE}
        made.hub_config.write_text(_HUB.format(**names, port=made.port, silent=hop))
        sender_config = folder / "sender.toml"
        sender_config.write_text(_SENDER.format(**names))
        for config, pem in ((made.hub_config, made.hub_pem), (sender_config, made.sender_pem)):
            print_ = json.loads(_mailtrust(config, "new", "--json"))["fingerprint"]
            _mailtrust(config, "enable", print_, "--wait")
            _mailtrust(config, "export", print_, "--with-key", "--output", str(pem))
        yield made


@contextmanager
def hub(at: Site, *, delivering: bool) -> Iterator[Server]:
    """mailtrust's hub, with an empty queue and without mailboxes."""
    store = at.folder / "hub"
    for name in ("queue", "mail"):
        shutil.rmtree(store / name, ignore_errors=True)
    words = _words(at.hub_config, "hub", "--json")
    with _process(words, at.folder / "hub.log", at.port) as process:
        box = store / "mail" / HUB / "box" / "new"
        yield (
            Server(at.port, f"box@{HUB}", process, lambda: _files(box), lambda: len(queue_view(store)))
            if delivering
            else Server(at.port, f"box@{ELSEWHERE}", process, lambda: len(queue_view(store)), lambda: 0)
        )


@contextmanager
def postfix(at: Site, *, delivering: bool) -> Iterator[Server]:
    """A Postfix of our own, with an empty queue and without mailboxes; needs root."""
    folder, port = at.folder / "postfix", free_port()
    shutil.rmtree(folder, ignore_errors=True)
    owner = pwd.getpwnam("postfix")
    for name in ("etc", "queue", "data", "mail"):
        (folder / name).mkdir(parents=True)
    for name in ("data", "mail"):
        os.chown(folder / name, owner.pw_uid, owner.pw_gid)
    hold = "" if delivering else "check_recipient_access static:HOLD, "
    main = _MAIN.format(folder=folder, hub=HUB, uid=owner.pw_uid, gid=owner.pw_gid, pem=at.hub_pem, hold=hold)
    (folder / "etc" / "main.cf").write_text(main)
    (folder / "etc" / "master.cf").write_text(_MASTER.format(port=port))
    (folder / "etc" / "peers").write_text(f"{_fingerprint(at.sender_pem)} sender\n")
    subprocess.run(["/usr/sbin/postfix", "-c", folder / "etc", "check"], check=True)
    words = ["/usr/lib/postfix/sbin/master", "-c", str(folder / "etc"), "-d"]
    with _process(words, folder / "master.log", port) as process:
        box, queue = folder / "mail" / "box" / "new", folder / "queue"
        waiting = [queue / name for name in ("maildrop", "incoming", "active", "deferred")]
        yield Server(
            port,
            f"box@{HUB}",
            process,
            (lambda: _files(box)) if delivering else (lambda: _files(queue / "hold")),
            lambda: sum(map(_files, waiting)),
        )


def free_port() -> int:
    """Below the range from which the kernel hands out ports for connections."""
    for port in range(24000, 32000):
        with socket.socket() as one:
            try:
                one.bind((LOOPBACK, port))
            except OSError:
                continue
        return port
    raise SystemExit("no port is free")


@contextmanager
def _process(words: Sequence[str], log: Path, port: int) -> Iterator[int]:
    """Its process once the port answers; ended with its children behind the block."""
    with log.open("ab") as file:
        process = subprocess.Popen(words, stdout=file, stderr=file, start_new_session=True)
    try:
        ends = time.monotonic() + PATIENCE_SECONDS
        while not _answers(port):
            if process.poll() is not None or time.monotonic() > ends:
                raise SystemExit(f"{words[0]} did not start:\n{log.read_text()[-2000:]}")
            time.sleep(0.05)
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def _answers(port: int) -> bool:
    try:
        with socket.create_connection((LOOPBACK, port), timeout=5) as one:
            return one.recv(3) == b"220"
    except OSError:
        return False


def _words(config: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "mailtrust", "--config", str(config), *words]


def _mailtrust(config: Path, *words: str) -> str:
    done = subprocess.run([*_words(config, *words), "--yes"], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"mailtrust {' '.join(words)}: {done.stdout}{done.stderr}")
    return done.stdout


def _fingerprint(pem: Path) -> str:
    """As Postfix writes it."""
    made = x509.load_pem_x509_certificate(pem.read_bytes())
    return made.fingerprint(hashes.SHA256()).hex(":").upper()


def _files(folder: Path) -> int:
    """All below it; folders that vanish meanwhile hold none."""
    return sum(len(files) for _, _, files in os.walk(folder))


def _family(process: int) -> Iterator[int]:
    yield process
    try:
        children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    except FileNotFoundError:
        return
    for child in children:
        yield from _family(int(child))


def _ticks(process: int) -> int:
    """Of the process, and of the children that it waited for; see proc(5)."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return 0
    return sum(map(int, fields[11:15]))

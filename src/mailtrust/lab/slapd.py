"""
An OpenLDAP server of our own: one process, with its configuration, its data and its log in one folder.

It is started in the foreground and ended by its process id.  It ends by itself when we are killed, and
Ctrl-C, which a terminal sends to everybody, does not reach it: whoever started it stops it, in order.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mailtrust.errors import DirectoryUnavailable
from mailtrust.lab.ports import LOOPBACK

PATIENCE_SECONDS = 20.0
_LOOK_AGAIN_SECONDS = 0.01
# An ordinary account's PATH may not lead there.
_MORE_FOLDERS = ("/usr/sbin", "/sbin")
# Debian's; then those of others, where it was not tried.
_SCHEMA_FOLDERS = (Path("/etc/ldap/schema"), Path("/etc/openldap/schema"))
_MODULE_FOLDERS = (Path("/usr/lib/ldap"), Path("/usr/lib64/openldap"), Path("/usr/lib/openldap"))
_MODULES = ("back_mdb", "syncprov")
_APPARMOR = Path("/etc/apparmor.d/usr.sbin.slapd")
_STARTING = "slapd starting"
_SAYS_NOTHING = (
    _STARTING,
    "slapd stopped",
    "connections_destroy",
    "bad configuration file",
    "@(#)",
    "Maintainers",
)
_TIME_AND_THREAD = re.compile(r"^[0-9a-f]{8}\.[0-9a-f]{8} 0x[0-9a-f]+ ")
_LAST_WORDS = 2

# slapd takes 650 bytes for every descriptor that it may open, and some containers allow a million.
# setpriv has the kernel end it when whoever started it is gone.
_START = 'ulimit -n 1024; command -v setpriv >/dev/null && exec setpriv --pdeathsig TERM -- "$@"; exec "$@"'


@dataclass(frozen=True, slots=True)
class Copier:
    """The account by which replicas read each other, all of it."""

    name: str
    password: str = field(repr=False)


@dataclass
class Slapd:
    """One server; `configure` it, `load` it, then it may be started and stopped again and again."""

    folder: Path
    number: int
    """Among its replicas, from 1."""
    port: int
    tls_port: int
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False, kw_only=True)
    log_level: str = field(default="none", kw_only=True)
    """``none`` is not nothing, but what always has to be said."""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False, kw_only=True)
    """What it finds there besides ours."""

    @property
    def ldap(self) -> str:
        """Where it turns to TLS if it is asked."""
        return f"ldap://{LOOPBACK}:{self.port}"

    @property
    def ldaps(self) -> str:
        """Where it speaks TLS from the first byte."""
        return f"ldaps://{LOOPBACK}:{self.tls_port}"

    @property
    def urls(self) -> tuple[str, ...]:
        """Where it listens."""
        return self.ldap, self.ldaps

    def configure(self, text: str) -> None:
        """Write its configuration, in a folder that nobody else may look into; see `configuration`."""
        for folder in (self.folder, self.folder / "db"):
            folder.mkdir(mode=0o700, exist_ok=True)
        file = self.folder / "slapd.conf"
        file.touch(mode=0o600)
        file.write_text(text, "utf-8")

    def load(self, ldif: bytes) -> None:
        """Fill its empty database, while it does not run.  Raises: DirectoryUnavailable."""
        self._offline("slapadd", "-w", given=ldif)

    def dump(self) -> bytes:
        """Everything it holds, for `reload`; whether it runs or not.  Raises: DirectoryUnavailable."""
        return self._offline("slapcat")

    def reload(self, ldif: bytes) -> None:
        """Forget everything, and hold that instead, while it does not run.  Raises: DirectoryUnavailable."""
        for file in (self.folder / "db").iterdir():
            file.unlink()
        self.load(ldif)

    def start(self) -> None:
        """
        Start it, unless it runs; it listens when this returns.

        Raises: DirectoryUnavailable, with what it said.
        """
        if self.process is not None and self.process.poll() is None:
            return
        command = [
            program("slapd"), "-f", str(self.folder / "slapd.conf"),
            "-h", " ".join(self.urls), "-d", self.log_level,
        ]  # fmt: skip
        said_before = self._log_size()
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                ["/bin/sh", "-c", _START, "sh", *command],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, process_group=0,
                env={**os.environ, **self.environment},
            )  # fmt: skip
        self._until_it_listens(self.process, said_before)

    def stop(self) -> None:
        """End it in order, or by force where that takes too long; nothing happens if it does not run."""
        self.end(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        self.end(signal.SIGKILL)

    def end(self, by: signal.Signals) -> None:
        """End it by that signal, even if it is frozen."""
        process, self.process = self.process, None
        if process is None:
            return
        process.send_signal(by)
        if by != signal.SIGKILL:
            # A frozen one hears it when it goes on.
            process.send_signal(signal.SIGCONT)
        try:
            process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def log(self) -> str:
        """What it has said so far."""
        return self._said(0)

    def _until_it_listens(self, process: subprocess.Popen[bytes], said_before: int) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline and process.poll() is None:
            # Its own word first: at a port that it did not get somebody else answers.
            if _STARTING in self._said(said_before) and self._answers():
                return
            time.sleep(_LOOK_AGAIN_SECONDS)
        self.kill()
        raise _did_not("slapd did not start", self._said(said_before))

    def _answers(self) -> bool:
        try:
            with socket.create_connection((LOOPBACK, self.tls_port), 1):
                return True
        except OSError:
            return False

    def _said(self, since: int) -> str:
        return (self.folder / "log").read_bytes()[since:].decode("utf-8", "replace")

    def _offline(self, name: str, *options: str, given: bytes = b"") -> bytes:
        command = [program(name), "-f", str(self.folder / "slapd.conf"), *options]
        done = subprocess.run(command, input=given, capture_output=True, check=False)
        if done.returncode != 0:
            raise _did_not(f"{name} did not do its work", done.stderr.decode("utf-8", "replace"))
        return done.stdout

    def _log_size(self) -> int:
        file = self.folder / "log"
        return file.stat().st_size if file.exists() else 0


def program(name: str) -> str:
    """The path of one of OpenLDAP's programs.  Raises: DirectoryUnavailable where it is not installed."""
    found = shutil.which(name, path=os.pathsep.join((os.environ.get("PATH", ""), *_MORE_FOLDERS)))
    if found is None:
        raise DirectoryUnavailable(
            f"{name} is not installed, and the lab starts OpenLDAP servers of its own",
            hint="on Debian or Ubuntu: apt install slapd; it need not run as a service",
        )
    return found


def configuration(
    server: Slapd,
    suffix: str,
    copier: Copier,
    providers: Mapping[int, str],
    *,
    general: str = "",
    database: str,
) -> str:
    """
    What stands in a server's slapd.conf: one database below *suffix*, TLS, and replication.

    It copies from *providers*, by their numbers, and begins anew every second where it cannot.  *general*
    lines are for the server as a whole, *database* lines, such as access rules, for its entries.  Its
    certificate is ``server.pem`` in the folder above its own.  Raises: DirectoryUnavailable.
    """
    top = server.folder.parent
    links = "".join(_link(suffix, copier, number, url) for number, url in providers.items())
    return f"""\
include {_schema()}/core.schema
{_modules()}serverID {server.number}
loglevel 0
TLSCertificateFile "{top}/server.pem"
TLSCertificateKeyFile "{top}/server.key"
TLSCACertificateFile "{top}/ca.pem"
{general}
database mdb
suffix "{suffix}"
rootdn "cn=admin,{suffix}"
directory "{server.folder}/db"
maxsize 1073741824
index objectClass,entryUUID,entryCSN eq
index cn eq
limits dn.exact="{copier.name}" time=unlimited size=unlimited
{database}
overlay syncprov
syncprov-checkpoint 100 1
syncprov-sessionlog 10000
{links}{"multiprovider on" if links else ""}
"""


def _link(suffix: str, copier: Copier, number: int, provider: str) -> str:
    return (
        f'syncrepl rid={number:03d} provider={provider} type=refreshAndPersist retry="1 +"\n'
        f'  searchbase="{suffix}" scope=sub schemachecking=off attrs="*,+"\n'
        # No time-out: it would hold for the answers as well, and those may lag as long as they like.
        f'  bindmethod=simple binddn="{copier.name}" credentials={copier.password}\n'
    )


def _modules() -> str:
    """Nothing where they are part of the program."""
    folder = next((one for one in _MODULE_FOLDERS if (one / f"{_MODULES[0]}.so").exists()), None)
    if folder is None:
        return ""
    return f"modulepath {folder}\n" + "".join(f"moduleload {one}\n" for one in _MODULES)


def _schema() -> Path:
    found = next((folder for folder in _SCHEMA_FOLDERS if (folder / "core.schema").exists()), None)
    if found is None:
        raise DirectoryUnavailable(
            f"OpenLDAP's schema files are in none of {', '.join(map(str, _SCHEMA_FOLDERS))}",
            hint="is slapd installed whole?",
        )
    return found


def _did_not(what: str, said: str) -> DirectoryUnavailable:
    lines = [_TIME_AND_THREAD.sub("", line).strip() for line in said.splitlines()]
    telling = [line for line in lines if line and not any(one in line for one in _SAYS_NOTHING)]
    return DirectoryUnavailable(
        f"{what}; it said: {'; '.join(telling[-_LAST_WORDS:]) or 'nothing'}",
        hint=f"AppArmor may keep it from other folders: see {_APPARMOR}" if _APPARMOR.exists() else "",
    )

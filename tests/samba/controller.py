"""
One Samba domain controller in a folder: start, stop, kill, freeze, thaw, pause.

Samba's ports are fixed, so two controllers differ by their loopback addresses, and whoever runs them has a
network of its own (tools/in_own_network.sh).
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from mailtrust.ldap.connection import Connection
from mailtrust.ldap.requests import Scope, Search
from tests.programs import program

REALM = "CORP.EXAMPLE"
BASE = "DC=corp,DC=example"
CONFIGURATION = f"CN=Configuration,{BASE}"
SCHEMA = f"CN=Schema,{CONFIGURATION}"
SITE, BRANCH = (f"CN={name},CN=Sites,{CONFIGURATION}" for name in ("Default-First-Site-Name", "Branch"))
NAMING_CONTEXTS = (BASE, CONFIGURATION, SCHEMA, f"DC=DomainDnsZones,{BASE}", f"DC=ForestDnsZones,{BASE}")
PATIENCE_SECONDS = 30

# DNS, Kerberos, RPC, LDAP with and without TLS: each is a process of its own, and ready when it is.
_PORTS = (53, 88, 135, 389, 636)
# One process for all would hang for half a minute when its partner is down, and crash when the schema changes
# (4.17).
_HOW = ("--model=standard", "--debuglevel=1")
_FOLDERS = ("cache", "lock", "run/ncalrpc", "run/ntp_signd", "run/winbindd")


@dataclass
class Controller:
    """A domain controller; nothing runs before `start`.  Every method returns when it is so."""

    name: str
    address: str
    folder: Path
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def host(self) -> str:
        return f"{self.name}.{REALM.lower()}"

    @property
    def url(self) -> str:
        return f"ldaps://{self.host}"

    @property
    def ldap(self) -> str:
        return f"ldap://{self.host}"

    @property
    def settings(self) -> str:
        """The name of its NTDS Settings, which stand for the controller in replication."""
        return f"CN=NTDS Settings,CN={self.name.upper()},CN=Servers,{SITE}"

    @property
    def database(self) -> Path:
        return self.folder / "private" / "sam.ldb"

    @property
    def configuration(self) -> Path:
        return self.folder / "smb.conf"

    def configure(self) -> None:
        """Write smb.conf, the only file that holds paths: with a new one a copy of the folder works."""
        for one in _FOLDERS:
            (self.folder / one).mkdir(parents=True, exist_ok=True)
        self.configuration.write_text(_configuration(self))

    def start(self) -> None:
        """Start it, and wait until every service answers."""
        self.begin()
        self.until_it_answers()

    def begin(self) -> None:
        """Start it, and do not wait."""
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [found("samba"), "--interactive", "--no-process-group", *_HOW, "-s", self.configuration],
                # A pipe: it ends itself should the tests end without a word.
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                # Its tasks outlive a killed parent, so that only the session as a whole can be stopped.
                start_new_session=True,
            )

    def until_it_answers(self) -> None:
        self._until(self._answers, "it answers")

    def stop(self) -> None:
        """End it as the system would; frozen or not.  Nothing if it does not run."""
        if self.process is None:
            return
        self._signal(signal.SIGTERM)
        # A frozen one hears it when it goes on.
        self._signal(signal.SIGCONT)
        self._bury(self.process, PATIENCE_SECONDS)

    def kill(self) -> None:
        """End it at once, with all it had in hand."""
        if self.process is not None:
            self._bury(self.process, 0)

    def freeze(self) -> None:
        """It stays, and does nothing: connections to it are made by the kernel and never answered."""
        self._signal(signal.SIGSTOP)
        self._until(lambda: set(self._states().values()) == {"T"}, "it is frozen")

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def pause(self) -> None:
        """Take in no changes from the other controller (DISABLE_INBOUND_REPL); its own go out as before."""
        self._set_options(3)

    def resume(self) -> None:
        """
        Take in changes again.

        Nothing comes by itself until the other one writes again, or five minutes are over: see
        `Forest.replicate`.
        """
        self._set_options(1)

    def edit(self, ldif: str, *, adding: bool = False) -> None:
        """
        Change its database behind its back, as one transaction; it may run meanwhile.

        Nobody's rights are asked for, and what only the system itself may write is written, too.
        """
        run(
            found("ldbadd" if adding else "ldbmodify"),
            f"--url={self.database}",
            "--controls=relax:0",
            "--option=dsdb:schema update allowed=true",
            "--option=ldb:nosync=true",
            said=ldif,
        )

    def log(self) -> str:
        return (self.folder / "log").read_text("utf-8", "replace")

    def _set_options(self, options: int) -> None:
        # 1: it is a global catalogue, as every controller here.
        self.edit(f"dn: {self.settings}\nchangetype: modify\nreplace: options\noptions: {options}\n")

    def _signal(self, number: signal.Signals) -> None:
        assert self.process is not None, f"{self.name} does not run"
        try:
            os.killpg(self.process.pid, number)
        except ProcessLookupError:
            return

    def _bury(self, process: subprocess.Popen[bytes], patience_seconds: float) -> None:
        deadline = time.monotonic() + patience_seconds
        while self._states() and time.monotonic() < deadline:
            time.sleep(0.005)
        self._signal(signal.SIGKILL)
        self._until(lambda: not self._states(), "it is gone")
        # Last, for until then its number is nobody else's.
        process.wait(PATIENCE_SECONDS)
        if process.stdin is not None:
            process.stdin.close()
        self.process = None

    def _states(self) -> dict[int, str]:
        """The state of each living process of its session."""
        assert self.process is not None
        states = {}
        for one in Path("/proc").glob("[0-9]*/stat"):
            try:
                state, _, _, session = one.read_text().rpartition(")")[2].split()[:4]
            except OSError:
                continue
            if int(session) == self.process.pid and state != "Z":
                states[int(one.parent.name)] = state
        return states

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"{self.name} ended: {self.log()[-2000:]}"
        try:
            for port in _PORTS:
                socket.create_connection((self.address, port), 1).close()
            return _has_a_root(self.address)
        except OSError:
            return False

    def _until(self, holds: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not holds():
            assert time.monotonic() < deadline, f"{self.name}: in vain until {what}: {self.log()[-2000:]}"
            time.sleep(0.01)


def found(name: str) -> str:
    """The path of a program that the test said it needs."""
    path = program(name)
    assert path is not None, f"{name} is not installed"
    return path


def run(*command: str, said: str = "") -> str:
    """What a command says.  It must succeed."""
    done = subprocess.run(command, input=said, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command[:4])} …: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout


def _has_a_root(address: str) -> bool:
    asked = Connection(confidential=False)
    asked.send(Search("", Scope.BASE, attributes=("dnsHostName",)))
    with socket.create_connection((address, 389), 1) as link:
        link.settimeout(1)
        link.sendall(asked.take_output())
        return bool(asked.receive(link.recv(4096)))


def _configuration(one: Controller) -> str:
    at = one.folder
    # interfaces: /32 would be "no network interfaces found".
    # ldb:nosync: it has nothing to keep that a power cut must not take.
    # server services: what is left out serves files, or asks DNS to change by itself.
    return f"""\
[global]
netbios name = {one.name.upper()}
workgroup = {REALM.partition(".")[0]}
realm = {REALM}
server role = active directory domain controller
server services = rpc, ldap, cldap, kdc, drepl, kcc, dns
interfaces = {one.address}/8
bind interfaces only = yes
private dir = {at}/private
state directory = {at}/state
cache directory = {at}/cache
lock directory = {at}/lock
pid directory = {at}/run
ncalrpc dir = {at}/run/ncalrpc
winbindd socket directory = {at}/run/winbindd
ntp signd socket directory = {at}/run/ntp_signd
binddns dir = {at}/private
dns forwarder =
allow dns updates = disabled
ldap server require strong auth = yes
tls certfile = {at}/tls/cert.pem
tls keyfile = {at}/tls/key.pem
tls cafile = {at.parent}/ca.pem
ldb:nosync = yes
dsdb:schema update allowed = yes
dreplsrv:notify_interval = 1
dreplsrv:periodic_startup_interval = 1
kccsrv:periodic_startup_interval = 3600
kccsrv:periodic_interval = 86400
"""

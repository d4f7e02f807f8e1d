"""
Real OpenLDAP servers of a test's own: TLS by their own authority, access rules, and replication.

    with slapd.started(folder, 3) as servers:
        servers[1].freeze()

Each has `ldap://`, `ldaps://` and `ldapi://`, the tree of `_TREE`, and in it accounts that may write their
own certificates and nothing else.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from mailtrust.lab.authority import Authority
from mailtrust.lab.slapd import PATIENCE_SECONDS, Copier, Slapd, configuration, program
from tests.loopback import free_port

BASE = "dc=example,dc=org"
SERVERS = f"ou=servers,{BASE}"
ADMIN = f"cn=admin,{BASE}"
MX1, MX2 = f"cn=mx1,{SERVERS}", f"cn=mx2,{SERVERS}"
PASSWORD = "sesame"

_COPIES = f"cn=copies,{BASE}"
_TREE = f"""\
dn: {BASE}
objectClass: dcObject
objectClass: organization
dc: example
o: Example

dn: {SERVERS}
objectClass: organizationalUnit
ou: servers

dn: {_COPIES}
objectClass: applicationProcess
objectClass: simpleSecurityObject
cn: copies
userPassword: {PASSWORD}
""" + "".join(
    f"""
dn: {name}
objectClass: device
objectClass: pkiUser
objectClass: simpleSecurityObject
cn: {name[3:6]}
userPassword: {PASSWORD}
"""
    for name in (MX1, MX2)
)


@dataclass
class Server(Slapd):
    """One slapd; started by `started`, and started again by `start` after it was killed or stopped."""

    extra: str = ""
    first: str = ""
    log_level: str = field(default="stats,sync", kw_only=True)

    @property
    def ca_file(self) -> Path:
        return self.folder.parent / "ca.pem"

    @property
    def ldapi(self) -> str:
        return f"ldapi://{str(self.folder / 's').replace('/', '%2F')}"

    @property
    def urls(self) -> tuple[str, ...]:
        return self.ldap, self.ldaps, self.ldapi

    def freeze(self) -> None:
        """It stays, and does nothing: connections to it are made by the kernel and never answered."""
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGSTOP)
        # The signal is on its way until the kernel says so.
        stat = Path(f"/proc/{self.process.pid}/stat")
        deadline = time.monotonic() + PATIENCE_SECONDS
        while stat.read_text().rpartition(")")[2].split()[0] != "T" and time.monotonic() < deadline:
            time.sleep(0.001)

    def thaw(self) -> None:
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGCONT)


Way = Callable[[Server, Server], str]
"""Where the first finds the second, to copy from it."""


@contextmanager
def started(
    folder: Path,
    count: int = 1,
    *,
    extra: str = "",
    first: str = "",
    environment: Mapping[str, str] | None = None,
    way: Way | None = None,
    entries: Path | None = None,
) -> Iterator[tuple[Server, ...]]:
    """
    Servers that answer; stopped in the end, frozen or not.

    *extra* lines go into each server's database section, such as ``sizelimit 10``; *first* ones stand before
    it, for the whole server.  *way* is where one of them finds another that it copies from, if not directly.
    *entries* is a file with more of them, in LDIF.
    """
    authority(folder)
    servers = [
        Server(
            folder / f"r{number}",
            number,
            free_port(),
            free_port(),
            extra,
            first,
            environment=environment or {},
        )
        for number in range(1, count + 1)
    ]
    for one in servers:
        one.configure(_configuration(one, servers, way or _directly))
    servers[0].load(_TREE.encode())
    if entries is not None:
        # Without asking after each entry whether the disk has it.
        words = [program("slapadd"), "-f", servers[0].folder / "slapd.conf", "-w", "-q", "-l", entries]
        subprocess.run(words, check=True, capture_output=True)
    for other in servers[1:]:
        shutil.copytree(servers[0].folder / "db", other.folder / "db", dirs_exist_ok=True)
    with ExitStack() as stack:
        for one in servers:
            stack.callback(one.stop)
            one.start()
        yield tuple(servers)


def authority(folder: Path) -> Path:
    """A certificate authority; beside it a certificate and key of a server, for 127.0.0.1 and localhost."""
    certificate, key = _authority().issue("ldap.example.test", _now())
    for name, held in (("ca.pem", _authority().pem), ("server.pem", certificate), ("server.key", key)):
        (folder / name).write_bytes(held)
    return folder / "ca.pem"


def client_pem(folder: Path, name: str) -> Path:
    """A file with a certificate for *name* by the authority, and its key."""
    file = folder / f"{name}.pem"
    file.write_bytes(b"".join(_authority().issue(name, _now())))
    return file


def password_file(folder: Path, password: str = PASSWORD) -> Path:
    file = folder / f"password-{password}"
    file.write_text(f"{password}\nwhat follows the first line is a remark\n")
    return file


@cache
def _authority() -> Authority:
    return Authority("Test authority", _now())


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - slapd and OpenSSL look at the real clock


def _directly(reader: Server, source: Server) -> str:
    return source.ldap


def _configuration(server: Server, servers: list[Server], way: Way) -> str:
    general = f"""\
{server.first}
include /etc/ldap/schema/cosine.schema
TLSVerifyClient try
authz-regexp "^cn=([^,]+)$" "cn=$1,{SERVERS}"
authz-regexp "^gidNumber=.*,cn=peercred,cn=external,cn=auth$" "{ADMIN}"
"""
    database = f"""\
rootpw {PASSWORD}
access to attrs=userPassword by dn.exact="{_COPIES}" read by self write by anonymous auth by * none
access to dn.onelevel="{SERVERS}" attrs=userCertificate
  by self write by dn.exact="{_COPIES}" read by users read by * none
access to * by dn.exact="{_COPIES}" read by users read by anonymous auth
{server.extra}
"""
    providers = {one.number: way(server, one) for one in servers if one is not server}
    return configuration(
        server, BASE, Copier(_COPIES, PASSWORD), providers, general=general, database=database
    )

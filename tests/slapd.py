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
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests import make
from tests.loopback import LOOPBACK, free_port
from tests.programs import program

BASE = "dc=example,dc=org"
SERVERS = f"ou=servers,{BASE}"
ADMIN = f"cn=admin,{BASE}"
MX1, MX2 = f"cn=mx1,{SERVERS}", f"cn=mx2,{SERVERS}"
PASSWORD = "sesame"
PATIENCE_SECONDS = 20

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
class Server:
    """One slapd; started by `started`, and started again by `start` after it was killed or stopped."""

    folder: Path
    number: int
    port: int
    tls_port: int
    ca_file: Path
    extra: str = ""
    first: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def ldap(self) -> str:
        return f"ldap://{LOOPBACK}:{self.port}"

    @property
    def ldaps(self) -> str:
        return f"ldaps://{LOOPBACK}:{self.tls_port}"

    @property
    def ldapi(self) -> str:
        return f"ldapi://{str(self.folder / 's').replace('/', '%2F')}"

    def start(self) -> None:
        slapd = program("slapd")
        assert slapd is not None
        urls = f"{self.ldap} {self.ldaps} {self.ldapi}"
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [slapd, "-f", self.folder / "slapd.conf", "-h", urls, "-d", "stats,sync"],
                stdout=log,
                stderr=log,
                env={**os.environ, **self.environment},
            )
        self._until_it_listens(self.process)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

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

    def log(self) -> str:
        return (self.folder / "log").read_text("utf-8", "replace")

    def _end(self, by: signal.Signals) -> None:
        if self.process is None:
            return
        self.process.send_signal(by)
        if by != signal.SIGKILL:
            # A frozen one hears it when it goes on.
            self.process.send_signal(signal.SIGCONT)
        self.process.wait(PATIENCE_SECONDS)
        self.process = None

    def _until_it_listens(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            assert process.poll() is None, f"slapd ended: {self.log()}"
            try:
                with socket.create_connection((LOOPBACK, self.tls_port), 1):
                    return
            except OSError:
                time.sleep(0.01)
        raise AssertionError("slapd does not listen")


@contextmanager
def started(
    folder: Path,
    count: int = 1,
    *,
    extra: str = "",
    first: str = "",
    environment: Mapping[str, str] | None = None,
    entries: Path | None = None,
) -> Iterator[tuple[Server, ...]]:
    """
    Servers that answer; stopped in the end, frozen or not.

    *extra* lines go into each server's database section, such as ``sizelimit 10``; *first* ones stand at the
    top, for the whole server.  *entries* is a file with more of them, in LDIF.
    """
    ca_file = authority(folder)
    servers = []
    for number in range(1, count + 1):
        its = folder / f"r{number}"
        (its / "db").mkdir(parents=True)
        servers.append(
            Server(its, number, free_port(), free_port(), ca_file, extra, first, environment or {})
        )
    for one in servers:
        (one.folder / "slapd.conf").write_text(_configuration(one, servers), "utf-8")
    _load(servers[0], _TREE)
    if entries is not None:
        _load(servers[0], entries)
    for other in servers[1:]:
        shutil.copytree(servers[0].folder / "db", other.folder / "db", dirs_exist_ok=True)
    with ExitStack() as stack:
        for one in servers:
            stack.callback(one.stop)
            one.start()
        yield tuple(servers)


def authority(folder: Path) -> Path:
    """A certificate authority; beside it a certificate and key of a server, for 127.0.0.1 and localhost."""
    ca = _signed("Test authority", "Test authority", "ldap-ca", "ldap-ca", is_ca=True)
    (folder / "ca.pem").write_bytes(ca.public_bytes(Encoding.PEM))
    server = _signed("ldap.example.test", "Test authority", "ldap-server", "ldap-ca")
    (folder / "server.pem").write_bytes(server.public_bytes(Encoding.PEM))
    (folder / "server.key").write_bytes(_key("ldap-server"))
    return folder / "ca.pem"


def client_pem(folder: Path, name: str) -> Path:
    """A file with a certificate for *name* by the authority, and its key."""
    file = folder / f"{name}.pem"
    made = _signed(name, "Test authority", f"client-{name}", "ldap-ca")
    file.write_bytes(made.public_bytes(Encoding.PEM) + _key(f"client-{name}"))
    return file


def password_file(folder: Path, password: str = PASSWORD) -> Path:
    file = folder / f"password-{password}"
    file.write_text(f"{password}\nwhat follows the first line is a remark\n")
    return file


def _signed(name: str, by: str, key: str, signing_key: str, *, is_ca: bool = False) -> x509.Certificate:
    now = datetime.now(UTC)  # noqa: TID251 - slapd and OpenSSL look at the real clock
    names = [x509.DNSName("localhost"), x509.IPAddress(ip_address(LOOPBACK))]
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, by)]))
        .public_key(make.a_key(key).public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(make.a_key(signing_key), hashes.SHA256())
    )


def _key(label: str) -> bytes:
    return make.a_key(label).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _load(server: Server, ldif: str | Path) -> None:
    slapadd = program("slapadd")
    assert slapadd is not None
    words: list[str | Path] = [slapadd, "-f", server.folder / "slapd.conf", "-w"]
    if isinstance(ldif, Path):
        # Without asking after each entry whether the disk has it.
        subprocess.run([*words, "-q", "-l", ldif], check=True, capture_output=True)
    else:
        subprocess.run(words, input=ldif.encode(), check=True, capture_output=True)


def _configuration(server: Server, servers: list[Server]) -> str:
    links = "".join(
        f"syncrepl rid={one.number:03d} provider={one.ldap} type=refreshAndPersist\n"
        f'  retry="1 60 5 +" searchbase="{BASE}" scope=sub schemachecking=off attrs="*,+"\n'
        f'  bindmethod=simple binddn="{_COPIES}" credentials={PASSWORD} keepalive=60:5:5 timeout=3\n'
        for one in servers
        if one is not server
    )
    folder, top = server.folder, server.ca_file.parent
    return f"""\
{server.first}
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload syncprov
serverID {server.number}
TLSCertificateFile {top}/server.pem
TLSCertificateKeyFile {top}/server.key
TLSCACertificateFile {server.ca_file}
TLSVerifyClient try
authz-regexp "^cn=([^,]+)$" "cn=$1,{SERVERS}"
authz-regexp "^gidNumber=.*,cn=peercred,cn=external,cn=auth$" "{ADMIN}"
database mdb
suffix "{BASE}"
rootdn "{ADMIN}"
rootpw {PASSWORD}
directory {folder}/db
maxsize 1073741824
index objectClass,entryUUID,entryCSN eq
index cn eq
limits dn.exact="{_COPIES}" time=unlimited size=unlimited
access to attrs=userPassword by dn.exact="{_COPIES}" read by self write by anonymous auth by * none
access to dn.onelevel="{SERVERS}" attrs=userCertificate
  by self write by dn.exact="{_COPIES}" read by users read by * none
access to * by dn.exact="{_COPIES}" read by users read by anonymous auth
{server.extra}
overlay syncprov
syncprov-checkpoint 100 1
syncprov-sessionlog 10000
{links}{"multiprovider on" if links else ""}
"""

"""
Real 389 Directory Servers of a test's own: TLS by their own authority, and each writes to all the others.

    with ds389.started(folder, 2) as servers:
        servers[0].change("dn: ou=servers,dc=example,dc=org\\nobjectClass: organizationalUnit\\n")

Each has `ldap://` and `ldaps://`, and a tree with nothing in it and no access rule: to an account it shows
nothing.
"""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import textwrap
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import permutations
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    load_pem_private_key,
    pkcs12,
)

from tests import slapd
from tests.loopback import LOOPBACK, free_port
from tests.programs import needs, program
from tests.slapd import ADMIN, BASE, PASSWORD

needs_ds389 = needs("ns-slapd", "certutil", "pk12util", "ldapmodify")

TELLING = ("Retro Changelog Plugin", "Content Synchronization")
"""The plugins with which a server tells its changes."""
PAGE = (Path(__file__).parents[1] / "docs" / "directories" / "389-ds.md").read_text("utf-8")

PATIENCE_SECONDS = 30

_TEMPLATE = Path("/usr/share/dirsrv/data/template-dse.ldif")
_COPIES = "cn=copies,cn=config"
_TREE = BASE.replace("=", r"\3D").replace(",", r"\2C")
_REPLICA = f"cn=replica,cn={_TREE},cn=mapping tree,cn=config"
_FOLDERS = ("schema", "lock", "tmp", "ldif", "bak", "run", "log", "db")
# A server begins with a schema of its own beside that of the package, be it empty.
_SCHEMA = "dn: cn=schema\nobjectClass: top\nobjectClass: subschema\ncn: schema\n"


@dataclass
class Server:
    """One ns-slapd; started by `started`, and started again by `start` after it was killed or stopped."""

    folder: Path
    number: int
    port: int
    tls_port: int
    ca_file: Path
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def ldap(self) -> str:
        return f"ldap://{LOOPBACK}:{self.port}"

    @property
    def ldaps(self) -> str:
        return f"ldaps://{LOOPBACK}:{self.tls_port}"

    def start(self) -> None:
        ns_slapd = program("ns-slapd")
        assert ns_slapd is not None
        with (self.folder / "log" / "said").open("ab") as log:
            # The level of debugging is what keeps it in the foreground; this is the usual one.
            self.process = subprocess.Popen(
                [ns_slapd, "-D", self.folder, "-i", self.folder / "pid", "-d", "16384"],
                stdout=log,
                stderr=log,
            )
        self._until_it_listens(self.process)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)
        # It takes this away itself, where it has the time.
        Path(f"/dev/shm/sem.{self.folder.name}.stats").unlink(missing_ok=True)

    def change(self, ldif: str) -> None:
        """Do what *ldif* says, as the directory's administrator."""
        _run("ldapmodify", "-a", "-x", "-H", self.ldap, "-D", ADMIN, "-w", PASSWORD, said=ldif)

    def put(self, entry: str, attribute: str, value: str) -> None:
        """Let an attribute of an entry hold this value alone."""
        self.change(f"dn: {entry}\nchangetype: modify\nreplace: {attribute}\n{attribute}: {value}\n")

    def _end(self, by: signal.Signals) -> None:
        if self.process is not None:
            self.process.send_signal(by)
            self.process.wait(PATIENCE_SECONDS)
            self.process = None

    def _until_it_listens(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            said = (self.folder / "log" / "said").read_text("utf-8", "replace")
            assert process.poll() is None, f"ns-slapd ended: {said}"
            try:
                with socket.create_connection((LOOPBACK, self.tls_port), 1):
                    return
            except OSError:
                time.sleep(0.01)
        raise AssertionError("ns-slapd does not listen")


@contextmanager
def apart(*servers: Server) -> Iterator[None]:
    """Meanwhile nobody sends anything to the others."""

    def link(state: str) -> None:
        for one, other in permutations(servers, 2):
            one.put(_agreement(other), "nsds5ReplicaEnabled", state)

    link("off")
    try:
        yield
    finally:
        link("on")


def documented(line: str, kind: str = "ldif") -> str:
    """The one block of that kind in docs/directories/389-ds.md that has that line."""
    blocks = [textwrap.dedent(one.partition("```")[0].rstrip(" ")) for one in PAGE.split(f"```{kind}\n")[1:]]
    [block] = [one for one in blocks if line in one.splitlines()]
    return block


@contextmanager
def started(
    folder: Path,
    count: int = 1,
    *,
    plugins: Sequence[str] = (),
    settings: Mapping[str, str] | None = None,
) -> Iterator[tuple[Server, ...]]:
    """
    Servers that answer, and are killed in the end.

    *plugins* are turned on besides those that are on by default.  *settings* are attributes of ``cn=config``,
    such as ``nsslapd-sizelimit``.
    """
    ca_file = slapd.authority(folder)
    _database_of_certificates(folder)
    servers = []
    for number in range(1, count + 1):
        # The folder's name is the server's for the whole machine.
        its = folder / f"{folder.name}-r{number}"
        for one in _FOLDERS:
            (its / one).mkdir(parents=True)
        for one in ("cert9.db", "key4.db", "pkcs11.txt"):
            shutil.copy(folder / one, its)
        (its / "schema" / "99user.ldif").write_text(_SCHEMA, "utf-8")
        (its / "certmap.conf").write_text(documented("certmap default default", "certmap"), "utf-8")
        servers.append(Server(its, number, free_port(), free_port(), ca_file))
    for each in servers:
        text = _configuration(each, servers, settings or {})
        for plugin in plugins:
            text = re.sub(rf"(\ncn: {plugin}\n(?:.+\n)*?nsslapd-pluginenabled: )off", r"\1on", text)
        (each.folder / "dse.ldif").write_text(text, "utf-8")
    with ExitStack() as stack:
        for each in servers:
            # Nobody reads it again, and to stop in good order takes it seconds.
            stack.callback(each.kill)
            each.start()
        servers[0].change(f"dn: {BASE}\nobjectClass: domain\n")
        for other in servers[1:]:
            _fill(servers[0], other)
        yield tuple(servers)


def _database_of_certificates(folder: Path) -> None:
    """The authority, and the server's certificate with its key, as NSS keeps them."""
    certificate = x509.load_pem_x509_certificate((folder / "server.pem").read_bytes())
    key = load_pem_private_key((folder / "server.key").read_bytes(), None)
    bundle = pkcs12.serialize_key_and_certificates(
        b"Server-Cert", key, certificate, None, BestAvailableEncryption(PASSWORD.encode())
    )
    (folder / "server.p12").write_bytes(bundle)
    _run("certutil", "-d", folder, "-N", "--empty-password")
    _run("certutil", "-d", folder, "-A", "-n", "authority", "-t", "CT,,", "-a", "-i", folder / "ca.pem")
    _run("pk12util", "-d", folder, "-i", folder / "server.p12", "-W", PASSWORD)


def _fill(source: Server, other: Server) -> None:
    """Let another server begin with all that one has."""
    agreement = _agreement(other)
    source.put(agreement, "nsds5BeginReplicaRefresh", "start")
    deadline = time.monotonic() + PATIENCE_SECONDS
    said = ""
    while time.monotonic() < deadline:
        words = ("-LLL", "-x", "-o", "ldif-wrap=no", "-H", source.ldap, "-D", ADMIN, "-w", PASSWORD)
        said = _run("ldapsearch", *words, "-s", "base", "-b", agreement, "nsds5ReplicaLastInitStatus")
        if "Total update succeeded" in said:
            return
        time.sleep(0.05)
    raise AssertionError(f"{other.ldap} was not filled: {said}")


def _agreement(other: Server) -> str:
    return f"cn=to {other.number},{_REPLICA}"


def _run(name: str, *words: object, said: str = "") -> str:
    path = program(name)
    assert path is not None
    ran = subprocess.run(
        [path, *map(str, words)], input=said, capture_output=True, text=True, timeout=PATIENCE_SECONDS
    )
    assert ran.returncode == 0, f"{name}: {ran.stdout}{ran.stderr}"
    return ran.stdout


def _configuration(server: Server, servers: list[Server], settings: Mapping[str, str]) -> str:
    """The server's own entries, from those of the package and ours."""
    folder = server.folder
    words = {
        **{f"{one}_dir": folder / one for one in _FOLDERS},
        **dict.fromkeys(("cert_dir", "inst_dir", "config_dir"), folder),
        "db_home_dir": folder / "db",
        "db_lib": "bdb",
        "ds_port": server.port,
        "ds_user": pwd.getpwuid(os.getuid()).pw_name,
        "fqdn": "localhost",
        "rootdn": ADMIN,
        "ds_passwd": f"{{CLEAR}}{PASSWORD}",
        "ds_suffix": BASE,
        "ldapi": folder / "s",
        "ldapi_enabled": "off",
        "ldapi_autobind": "off",
    }
    text = _TEMPLATE.read_text("utf-8")
    for word, value in words.items():
        text = text.replace(f"%{word}%", str(value))
    own = {
        "nsslapd-listenhost": LOOPBACK,
        "nsslapd-securelistenhost": LOOPBACK,
        "nsslapd-secureport": str(server.tls_port),
        "nsslapd-security": "on",
        **settings,
    }
    held = "".join(f"{attribute}: {value}\n" for attribute, value in own.items())
    text = text.replace("cn: config\n", f"cn: config\n{held}", 1)
    # Two empty lines in a row are one too many for it.
    return text.rstrip("\n") + "\n\n" + _database() + (_links(server, servers) if servers[1:] else "")


def _database() -> str:
    return f"""\
dn: cn=userroot,cn=ldbm database,cn=plugins,cn=config
objectClass: top
objectClass: extensibleObject
objectClass: nsBackendInstance
nsslapd-suffix: {BASE}
cn: userroot

dn: cn={_TREE},cn=mapping tree,cn=config
objectClass: top
objectClass: extensibleObject
objectClass: nsMappingTree
cn: {BASE}
nsslapd-state: backend
nsslapd-backend: userroot
"""


def _links(server: Server, servers: list[Server]) -> str:
    return f"""
dn: {_COPIES}
objectClass: top
objectClass: applicationProcess
objectClass: simpleSecurityObject
cn: copies
userPassword: {{CLEAR}}{PASSWORD}

dn: {_REPLICA}
objectClass: top
objectClass: nsDS5Replica
cn: replica
nsDS5ReplicaRoot: {BASE}
nsDS5ReplicaType: 3
nsDS5Flags: 1
nsDS5ReplicaId: {server.number}
nsDS5ReplicaBindDN: {_COPIES}
""" + "".join(
        f"""
dn: {_agreement(one)}
objectClass: top
objectClass: nsDS5ReplicationAgreement
cn: to {one.number}
nsDS5ReplicaRoot: {BASE}
nsDS5ReplicaHost: {LOOPBACK}
nsDS5ReplicaPort: {one.port}
nsDS5ReplicaTransportInfo: LDAP
nsDS5ReplicaBindMethod: SIMPLE
nsDS5ReplicaBindDN: {_COPIES}
nsDS5ReplicaCredentials: {PASSWORD}
"""
        for one in servers
        if one is not server
    )

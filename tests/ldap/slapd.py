"""A real OpenLDAP server of a test's own: a folder, a port on loopback, stopped by its pid."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests import make
from tests.hub.organization import LOOPBACK, free_port
from tests.programs import program

BASE = "dc=example,dc=org"
ADMIN = f"cn=admin,{BASE}"
PASSWORD = b"sesame"
_PATIENCE_SECONDS = 20


@dataclass(frozen=True, slots=True)
class Slapd:
    """A server that answers."""

    port: int
    trusted: Path
    """Its own certificate, which a client has to trust."""

    @property
    def url(self) -> str:
        return f"ldap://{LOOPBACK}:{self.port}"


@contextmanager
def running(folder: Path) -> Iterator[Slapd]:
    """A server with the folder's database, at first an empty one, and ADMIN who may write it."""
    trusted, port = _with_certificate(folder), free_port()
    (folder / "db").mkdir(exist_ok=True)
    (folder / "slapd.conf").write_text(_configuration(folder), "utf-8")
    slapd = program("slapd")
    assert slapd is not None
    with (folder / "slapd.log").open("wb") as log:
        process = subprocess.Popen(
            [slapd, "-f", folder / "slapd.conf", "-h", f"ldap://{LOOPBACK}:{port}", "-d", "none"],
            stdout=log,
            stderr=log,
        )
    try:
        _until_it_listens(process, port, folder / "slapd.log")
        yield Slapd(port, trusted)
    finally:
        process.terminate()
        process.wait(_PATIENCE_SECONDS)


def _with_certificate(folder: Path) -> Path:
    made = make.an_x509("localhost", key="slapd")
    (folder / "slapd.pem").write_bytes(made.public_bytes(Encoding.PEM))
    key = make.a_key("slapd", "p256").private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "slapd.key").write_bytes(key)
    return folder / "slapd.pem"


def _configuration(folder: Path) -> str:
    return f"""\
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload syncprov
serverID 1
TLSCertificateFile {folder}/slapd.pem
TLSCertificateKeyFile {folder}/slapd.key
database mdb
suffix "{BASE}"
rootdn "{ADMIN}"
rootpw {PASSWORD.decode()}
directory {folder}/db
maxsize 67108864
index objectClass,entryUUID,entryCSN eq
overlay syncprov
"""


def _until_it_listens(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """A server that has just been started says nothing when it is ready: knock."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise AssertionError(f"slapd ended: {log.read_text('utf-8', 'replace')}")
        try:
            with socket.create_connection((LOOPBACK, port), 1):
                return
        except OSError:
            time.sleep(0.01)
    raise AssertionError("slapd does not listen")

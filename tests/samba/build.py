"""
How the forest is built, once: half a minute, then a folder in .cache/samba of which tests take copies.

The folder's name holds a digest of everything that went into it, and the month: what is deleted is forgotten
after 180 days, and a copy that is older than that would not replicate.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests import make
from tests.samba import exchange_schema
from tests.samba.controller import BASE, NAMING_CONTEXTS, REALM, SCHEMA, Controller, found, run
from tests.samba.forest import (
    ADMINISTRATOR,
    HUB1,
    HUB2,
    HUB3,
    HUB4,
    HUB9,
    MAIL_SERVERS,
    PASSWORD,
    PUBLISHER,
    READER,
    Forest,
)

_HERE = Path(__file__).parent
_CACHE = _HERE.parent.parent / ".cache" / "samba"
_SYSTEM_PYTHON = "/usr/bin/python3"
_AUTHORITY = "Corp directory authority"
_LOGIN = f"--user={ADMINISTRATOR}%{PASSWORD}"
# Class of serviceConnectionPoints, and of computers.
_POINT, _COMPUTER = "28630ec1-41d5-11d1-a9c1-0000f80367c1", "bf967a86-0de6-11d0-a285-00aa003049e2"


def snapshot() -> Path:
    """The folder with a forest that is at rest; built if there is none.  Any number may ask at once."""
    made = _CACHE / _name()
    with _alone():
        if not made.exists():
            _forget_old_ones()
            _build(made)
    return made


def _name() -> str:
    digest = hashlib.sha256(run(found("samba"), "--version").encode())
    for file in ("build.py", "controller.py", "exchange_schema.py", "forest.py", "provision.py", "*.ldif"):
        for one in sorted(_HERE.glob(file)):
            digest.update(one.read_bytes())
    now = datetime.now(UTC)  # noqa: TID251 - Samba looks at the real clock
    return f"{digest.hexdigest()[:16]}-{now:%Y-%m}"


@contextmanager
def _alone() -> Iterator[None]:
    _CACHE.mkdir(parents=True, exist_ok=True)
    with (_CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _forget_old_ones() -> None:
    for one in _CACHE.iterdir():
        # A day: somebody else may be taking copies of what another branch made.
        if one.is_dir() and time.time() - one.stat().st_mtime > 86_400:
            shutil.rmtree(one)


def _build(made: Path) -> None:
    folder = Path(tempfile.mkdtemp(prefix="mt-forest-"))
    forest = Forest.at(folder)
    try:
        _first(forest)
        _second(forest)
        _replicate(forest)
        forest.stop()
        half = Path(tempfile.mkdtemp(prefix="half-", dir=_CACHE))
        for one in forest.controllers:
            for part in ("private", "state", "tls"):
                shutil.copytree(one.folder / part, half / one.name / part, ignore=_sockets)
        shutil.copy(forest.ca_file, half)
        half.rename(made)
    finally:
        forest.stop()
        shutil.rmtree(folder)


def _first(forest: Forest) -> None:
    one = forest.dc1
    # Without one of our own the system's smb.conf and resolver would be copied in.
    (forest.folder / "empty.conf").touch()
    run(
        *(_SYSTEM_PYTHON, str(_HERE / "provision.py"), found("samba-tool")),
        *("domain", "provision", f"--configfile={forest.folder}/empty.conf", f"--targetdir={one.folder}"),
        *(f"--realm={REALM}", f"--domain={REALM.partition('.')[0]}", f"--adminpass={PASSWORD}"),
        *("--server-role=dc", "--dns-backend=SAMBA_INTERNAL"),
        *(f"--host-name={one.name}", f"--host-ip={one.address}", f"--option=interfaces={one.address}/8"),
        *("--option=bind interfaces only=yes", "--option=ldb:nosync=yes", "--option=dns forwarder="),
    )
    one.configure()
    # While nothing runs: one process that serves everything would crash on a changed schema (4.17).
    for step in exchange_schema.steps(SCHEMA):
        one.edit(step)
    for file in ("exchange.ldif", "sites.ldif", "accounts.ldif"):
        one.edit((_HERE / file).read_text(), adding=True)
    one.edit("\n".join(_passwords()))
    _let_publish(forest)
    _certify(one)
    _name_services(one)
    one.start()


def _second(forest: Forest) -> None:
    one = forest.dc2
    configuration = forest.folder / "join.conf"
    configuration.write_text(
        f"[global]\nnetbios name = {one.name.upper()}\nworkgroup = {REALM.partition('.')[0]}\n"
        f"realm = {REALM}\ninterfaces = {one.address}/8\nbind interfaces only = yes\n"
        "ldb:nosync = yes\ndns forwarder =\n"
    )
    run(
        found("samba-tool"),
        *("domain", "join", REALM.lower(), "DC", _LOGIN, "--dns-backend=SAMBA_INTERNAL"),
        *(f"--configfile={configuration}", f"--targetdir={one.folder}", f"--server={forest.dc1.host}"),
    )
    one.configure()
    _certify(one)
    _name_services(one)
    # Controllers find each other by these two names, and nobody registers a loopback address by itself.
    identity = _value(one, one.settings, "objectGUID")
    for record in (
        (REALM.lower(), one.name, "A", one.address),
        (f"_msdcs.{REALM.lower()}", identity, "CNAME", one.host),
    ):
        forest.tool("dns", "add", forest.dc1.address, *record, _LOGIN)
    one.start()


def _replicate(forest: Forest) -> None:
    dc1, dc2 = forest.controllers
    # Joining made one direction only.
    for one in forest.controllers:
        forest.tool("drs", "kcc", one.host, _LOGIN)
    for naming_context in NAMING_CONTEXTS:
        for into, out_of in ((dc1, dc2), (dc2, dc1)):
            forest.tool("drs", "replicate", into.host, out_of.host, naming_context, "--add-ref", _LOGIN)


def _passwords() -> Iterator[str]:
    secret = base64.b64encode(PASSWORD.encode("utf-16-le")).decode()
    users = (f"CN={name},CN=Users,{BASE}" for name in (READER, PUBLISHER))
    # The default is 42 days, and a copy of this forest would let nobody in after that.
    yield (
        f"dn: {BASE}\nchangetype: modify\nreplace: maxPwdAge\nmaxPwdAge: -9223372036854775808\n-\n"
        "replace: minPwdAge\nminPwdAge: 0\n"
    )
    for name in (HUB1, HUB2, HUB3, HUB4, HUB9, *users):
        yield (f"dn: {name}\nchangetype: modify\nreplace: clearTextPassword\nclearTextPassword:: {secret}\n")


def _let_publish(forest: Forest) -> None:
    who = _value(forest.dc1, f"CN={PUBLISHER},CN=Users,{BASE}", "objectSid")
    rights = f"(OA;CI;CCDC;{_POINT};{_COMPUTER};{who})(OA;CIIO;RPWP;;{_POINT};{who})"
    forest.tool(
        "dsacl", "set", f"--objectdn={MAIL_SERVERS}", f"--sddl={rights}", f"--URL={forest.dc1.database}"
    )


def _name_services(one: Controller) -> None:
    """Write what a controller's DNS updates would register: else replication says WERR_INVALID_PARAMETER."""
    run(found("samba_spnupdate"), "-s", str(one.configuration))


def _value(one: Controller, name: str, attribute: str) -> str:
    said = run(found("ldbsearch"), f"--url={one.database}", "--scope=base", f"--basedn={name}", attribute)
    return next(line for line in said.splitlines() if line.startswith(f"{attribute}: ")).partition(": ")[2]


def _certify(one: Controller) -> None:
    """Give the controller a certificate, by an authority whose key lives as long as this process."""
    (one.folder.parent / "ca.pem").write_bytes(_certificate(_AUTHORITY, is_authority=True))
    at = one.folder / "tls"
    at.mkdir()
    names = x509.DNSName(one.host), x509.IPAddress(ip_address(one.address))
    (at / "cert.pem").write_bytes(_certificate(one.host, *names))
    key = make.a_key(one.host).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (at / "key.pem").write_bytes(key)
    # Samba refuses a key that others may read.
    (at / "key.pem").chmod(0o600)


def _certificate(name: str, *names: x509.GeneralName, is_authority: bool = False) -> bytes:
    now = datetime.now(UTC)  # noqa: TID251 - Samba and OpenSSL look at the real clock
    builder = (
        x509.CertificateBuilder()
        .subject_name(_called(name))
        .issuer_name(_called(_AUTHORITY))
        .public_key(make.a_key(name).public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=60))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(make.a_key(_AUTHORITY), hashes.SHA256()).public_bytes(Encoding.PEM)


def _called(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])


def _sockets(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if (Path(folder) / name).is_socket()]

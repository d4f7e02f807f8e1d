"""A server that is not believed is told nothing, whatever the environment says: no switch asks for less."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from mailtrust.config import KEYS
from mailtrust.directory.ldap_bind import ClientCertificate, Credentials, Password
from mailtrust.directory.ldap_wire import Wire
from mailtrust.errors import DirectoryUnavailable
from mailtrust.ldap.requests import START_TLS, Extended, SimpleBind
from mailtrust.ldap.responses import Result
from tests.directory.ldap import hostile
from tests.directory.ldap.hostile import asked, message
from tests.make import HUB1, an_x509
from tests.slapd import MX1, PASSWORD, client_pem, password_file

PATIENCE = timedelta(seconds=20)
Reader, Writer = asyncio.StreamReader, asyncio.StreamWriter

OPENSSL = """\
openssl_conf = all
[all]
ssl_conf = settings
[settings]
system_default = less
[less]
VerifyMode = None
MinProtocol = TLSv1
CipherString = ALL:@SECLEVEL=0
"""
ELSEWHERE = (
    {},
    {"SSL_CERT_FILE": "FOLDER/ca.pem", "SSL_CERT_DIR": "FOLDER"},
    {"OPENSSL_CONF": "FOLDER/openssl.cnf"},
    {"LDAPTLS_REQCERT": "never", "LDAPTLS_CACERT": "FOLDER/ca.pem", "LDAPCONF": "FOLDER/ldap.conf"},
    {"PYTHONHTTPSVERIFY": "0", "REQUESTS_CA_BUNDLE": "FOLDER/ca.pem", "CURL_CA_BUNDLE": "FOLDER/ca.pem"},
)
"""What switches verification off, or has other authorities believed, in other programs."""


async def shown(folder: Path, url: str, environment: Mapping[str, str], ca_file: str = "") -> str:
    """What the program says of a directory there, to which it has a password."""
    (folder / "openssl.cnf").write_text(OPENSSL)
    (folder / "ldap.conf").write_text("TLS_REQCERT never\n")
    (folder / "mailtrust.toml").write_text(
        f"""\
[server]
name = "{HUB1}"
store = "{folder}/store"
[directory]
home = "{url}"
base = "dc=example,dc=org"
bind = "simple"
bind_dn = "{MX1}"
password_file = "{password_file(folder)}"
{ca_file}
[policy]
probe_timeout = "5s"
""",
        "utf-8",
    )
    more = {name: value.replace("FOLDER", str(folder)) for name, value in environment.items()}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "mailtrust", "--config", folder / "mailtrust.toml", "directory", "show",
        stdout=asyncio.subprocess.PIPE, env={**os.environ, **more},
    )  # fmt: skip
    said, _ = await asyncio.wait_for(process.communicate(), PATIENCE.total_seconds())
    return " ".join(said.decode().split())


def listening() -> tuple[list[object], hostile.Script]:
    """What a server hears behind TLS, and the server that hears it."""
    heard: list[object] = []

    async def listen(reader: Reader, writer: Writer) -> None:
        heard.append((await asked(reader))[1])

    return heard, listen


@pytest.mark.parametrize("environment", ELSEWHERE)
async def test_no_environment_has_a_stranger_believed(short: Path, environment: dict[str, str]) -> None:
    ours = short / "ours.pem"
    ours.write_bytes(an_x509("Our authority").public_bytes(Encoding.PEM))
    heard, listen = listening()

    async with hostile.server(listen, short) as url:
        said = await shown(short, url, environment, f'ca_file = "{ours}"')

    assert "comes from a certificate authority that we were not given" in said
    assert heard == []


@pytest.mark.parametrize("environment", ELSEWHERE)
async def test_without_a_file_of_ours_only_the_systems_authorities_are_believed(
    short: Path, environment: dict[str, str]
) -> None:
    """SSL_CERT_FILE is how a system says where they stand; see docs/directories/openldap.md."""
    heard, listen = listening()

    async with hostile.server(listen, short) as url:
        said = await shown(short, url, environment)

    named = "SSL_CERT_FILE" in environment
    assert ("authority that we were not given" in said) is not named
    assert [type(one) for one in heard] == ([SimpleBind] if named else [])


def test_there_is_no_key_that_asks_for_less() -> None:
    words = ("verif", "insecure", "check_", "allow", "trust_any", "require", "skip")

    assert [key.path for key in KEYS for word in words if word in key.name] == []


def by_password(folder: Path) -> Credentials:
    return Password(MX1, password_file(folder))


def by_certificate(folder: Path) -> Credentials:
    return ClientCertificate(client_pem(folder, "mx1"))


@pytest.mark.parametrize("credentials", [by_password, by_certificate])
@pytest.mark.parametrize("code", [1, 2, 8, 52, 53])
async def test_whoever_takes_tls_away_learns_no_credential(
    short: Path, credentials: Callable[[Path], Credentials], code: int
) -> None:
    """Somebody in between answers for the server that it does not do TLS."""
    heard: list[object] = []
    rest = bytearray()

    async def refuse(reader: Reader, writer: Writer) -> None:
        number, request, _ = await asked(reader)
        heard.append(request)
        writer.write(message(number, Result(code, diagnostic="no TLS here"), tag=0x78))
        rest.extend(await reader.read())

    async with hostile.server(refuse, short, plain=True) as url:
        with pytest.raises(DirectoryUnavailable, match="told and asked nothing"):
            await Wire.open(url, credentials=credentials(short), ca_file=short / "ca.pem", timeout=PATIENCE)

    assert heard == [Extended(START_TLS)]
    assert MX1.encode() not in rest
    assert PASSWORD.encode() not in rest

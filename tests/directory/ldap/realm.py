"""slapd in a Kerberos realm of its own, and this process as a client of both."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from mailtrust.directory.ldap_kerberos import Kerberos
from mailtrust.directory.ldap_wire import Wire
from mailtrust.errors import DirectoryUnavailable
from tests import kdc, slapd
from tests.kdc import Realm
from tests.programs import needs
from tests.slapd import ADMIN, SERVERS, Server

HOST = "localhost"
PATIENCE = timedelta(seconds=20)
NEEDS = needs("slapd", "slapadd", *kdc.PROGRAMS, "/usr/lib/*/sasl2/libgssapiv2.so")

_FIRST = f"""\
sasl-host {HOST}
sasl-cbinding tls-endpoint
authz-regexp "^uid=admin,cn=gssapi,cn=auth$" "{ADMIN}"
authz-regexp "^uid=([^,]+),cn=gssapi,cn=auth$" "cn=$1,{SERVERS}"
"""


@dataclass(frozen=True)
class Place:
    """A directory server that knows mx1 of a realm by its entry, and admin as its administrator."""

    realm: Realm
    server: Server
    keytab: Path

    @property
    def ldap(self) -> str:
        return f"ldap://{HOST}:{self.server.port}"

    @property
    def ldaps(self) -> str:
        return f"ldaps://{HOST}:{self.server.tls_port}"

    @property
    def mx1(self) -> Kerberos:
        return Kerberos("mx1", self.keytab)

    @property
    def admin(self) -> Kerberos:
        """Who may write everything."""
        return Kerberos("admin", self.keytab)

    async def opened(
        self, url: str, credentials: Kerberos | None = None, timeout: timedelta = PATIENCE
    ) -> Wire:
        return await Wire.open(
            url, credentials=credentials or self.mx1, ca_file=self.server.ca_file, timeout=timeout
        )

    async def why_not(self, url: str, credentials: Kerberos | None = None) -> str:
        """The sentence with which a server is not signed in to, its hint behind it."""
        with pytest.raises(DirectoryUnavailable) as caught:
            await self.opened(url, credentials)
        return f"{caught.value.message} | {caught.value.hint}"


@contextmanager
def joined(folder: Path, environment: pytest.MonkeyPatch) -> Iterator[Realm]:
    """A realm that this process belongs to, with a cache of its own in which there is no ticket."""
    with kdc.started(folder) as realm:
        for name, value in realm.environment.items():
            environment.setenv(name, value)
        environment.setenv("KRB5CCNAME", f"FILE:{folder}/cache")
        yield realm


@contextmanager
def place(folder: Path, environment: pytest.MonkeyPatch, *, first: str = "") -> Iterator[Place]:
    """All of it, started; *first* are more lines at the top of slapd's configuration."""
    with joined(folder, environment) as realm:
        key = realm.keytab(f"ldap/{HOST}")
        its = {**realm.environment, "KRB5_KTNAME": str(key)}
        with slapd.started(folder, first=_FIRST + first, environment=its) as (server,):
            yield Place(realm, server, realm.keytab("mx1", "admin"))

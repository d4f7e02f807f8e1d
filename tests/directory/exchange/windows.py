"""
A domain controller that answers as Windows does, as far as Microsoft documents it and Samba does otherwise.

Stamps come in words (``msDS-ReplAttributeMetaData``) or under the key that the schema gives (``msDS-IntId``),
and the account is told.  It keeps every request, so that a test can say that none of them writes.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from mailtrust.directory.exchange_entries import CERTIFICATE
from mailtrust.ldap.controls import PAGED
from mailtrust.ldap.filters import And, Equal, Filter, Or, Present
from mailtrust.ldap.names import Name, parse
from mailtrust.ldap.requests import WHO_AM_I, Abandon, Extended, Request, Scope, Search, Unbind
from mailtrust.ldap.responses import Control, Entry, Result
from tests.directory.ldap.hostile import asked, message

FOREST = "CN=Configuration,DC=corp,DC=example"
SITE = f"CN=HQ,CN=Sites,{FOREST}"
SETTINGS = f"CN=NTDS Settings,CN=DC1,CN=Servers,{SITE}"
SCHEMA = f"CN=Schema,{FOREST}"
EXCHANGE = f"CN=Microsoft Exchange,CN=Services,{FOREST}"
WRITER = UUID("5d6d1d3c-7a0a-4c1c-9e54-4f8f0a9f2b11")
WRITTEN_AT = datetime(2026, 3, 1, 6, 0, tzinfo=UTC)
_NO_MORE_PAGES = Control(PAGED, b"\x30\x05\x02\x01\x00\x04\x00")

Values = Mapping[str, tuple[bytes, ...]]


@dataclass
class Controller:
    """dc1.corp.example, which knows the entries *held* beside those that every forest has."""

    held: Mapping[str, Values]
    requests: list[Request | Abandon | Unbind] = field(default_factory=list)

    async def script(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            number, request, _ = await asked(reader)
            self.requests.append(request)
            match request:
                case Search():
                    for one in self._found(request):
                        writer.write(message(number, one))
                    writer.write(message(number, Result(0), _NO_MORE_PAGES))
                case Extended(kind) if kind == WHO_AM_I:
                    writer.write(message(number, Result(0, value=b"u:CORP\\auditor"), tag=0x78))
                case Unbind():
                    return
                case _:
                    writer.write(message(number, Result(0), tag=0x61))

    def _found(self, search: Search) -> list[Entry]:
        base = parse(search.base)
        return [
            Entry(dn, {key: one for key, one in values.items() if key in search.attributes})
            for dn, values in {**_EVERYWHERE, **self.held}.items()
            if _is_in(parse(dn), base, search.scope) and _holds(search.wanted, values)
        ]


def worded(version: int, number: int, attribute: str = CERTIFICATE) -> bytes:
    """A stamp as Windows words it."""
    return f"""\
<DS_REPL_ATTR_META_DATA>
\t<pszAttributeName>{attribute}</pszAttributeName>
\t<dwVersion>{version}</dwVersion>
\t<ftimeLastOriginatingChange>{WRITTEN_AT:%Y-%m-%dT%H:%M:%SZ}</ftimeLastOriginatingChange>
\t<uuidLastOriginatingDsaInvocationID>{WRITER}</uuidLastOriginatingDsaInvocationID>
\t<usnOriginatingChange>{number}</usnOriginatingChange>
\t<usnLocalChange>{number}</usnLocalChange>
\t<pszLastOriginatingDsaDN></pszLastOriginatingDsaDN>
</DS_REPL_ATTR_META_DATA>
\0""".encode()


def stamped(key: int, version: int, number: int) -> bytes:
    """The same under a key, in ``replPropertyMetaData``."""
    seconds = int((WRITTEN_AT - datetime(1601, 1, 1, tzinfo=UTC)).total_seconds())
    record = struct.pack("<IIQ16sQQ", key, version, seconds, WRITER.bytes_le, number, number)
    return struct.pack("<IIII", 1, 0, 1, 0) + record


def organization(*servers: tuple[str, Values]) -> dict[str, Values]:
    """The organization Corp with these servers."""
    admin_group = f"CN=Servers,CN=AG,CN=Administrative Groups,CN=Corp,{EXCHANGE}"
    return {
        EXCHANGE: {"objectClass": (b"msExchConfigurationContainer",)},
        f"CN=Corp,{EXCHANGE}": {"objectClass": (b"msExchOrganizationContainer",)},
        **{
            f"CN={name},{admin_group}": {"objectClass": (b"msExchExchangeServer",), **values}
            for name, values in servers
        },
    }


def schema(**values: bytes) -> dict[str, Values]:
    """The schema's entry for the attribute with the certificate."""
    known = {key.replace("_", "-"): (value,) for key, value in values.items()}
    return {
        f"CN=ms-Exch-Server-Internal-TLS-Cert,{SCHEMA}": {"lDAPDisplayName": (CERTIFICATE.encode(),), **known}
    }


_EVERYWHERE: Mapping[str, Values] = {
    "": {
        "defaultNamingContext": (b"DC=corp,DC=example",),
        "configurationNamingContext": (FOREST.encode(),),
        "dsServiceName": (SETTINGS.encode(),),
        "highestCommittedUSN": (b"9000",),
        "dnsHostName": (b"DC1.corp.example",),
        "currentTime": (b"20261125120000.0Z",),
    },
    SCHEMA: {"objectClass": (b"dMD",)},
    FOREST: {"objectClass": (b"configuration",)},
    SETTINGS: {"objectClass": (b"nTDSDSA",), "invocationId": (WRITER.bytes_le,)},
    SETTINGS.partition(",")[2]: {"objectClass": (b"server",), "dNSHostName": (b"DC1.corp.example",)},
}


def _is_in(dn: Name, base: Name, scope: Scope) -> bool:
    match scope:
        case Scope.BASE:
            return dn.is_same(base)
        case Scope.ONE_LEVEL:
            return dn.parent.is_same(base) and not dn.is_same(base)
        case Scope.SUBTREE:
            return bool(dn.steps) and dn.is_under(base)


def _holds(wanted: Filter, values: Values) -> bool:
    match wanted:
        case And(parts):
            return all(_holds(one, values) for one in parts)
        case Or(parts):
            return any(_holds(one, values) for one in parts)
        case Equal(attribute, value):
            return value.lower() in (one.lower() for one in values.get(attribute, ()))
        case Present(attribute):
            return attribute == "objectClass" or attribute in values
        case _:
            raise AssertionError(f"nobody asks so here: {wanted}")

"""
Writes Exchange servers and connectors into the forest, as setup and administrators do.

Every write is made on the first controller by its administrator.  Everything stands where Exchange has it: a
server below its administrative group, its Receive connectors below the server, Send connectors beside.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from mailtrust.ldap.requests import Change, How, Scope, Search
from tests.samba.controller import CONFIGURATION, SITE, Controller, found, run
from tests.samba.forest import ADMINISTRATOR, EXCHANGE_SERVERS, PATIENCE, SEND_CONNECTORS, Forest

CERTIFICATE = "msExchServerInternalTLSCert"
MAILBOX, EDGE, PROVISIONED = 16439, 64, 4096
EVERYBODY = ("0.0.0.0-255.255.255.255", "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")
# 15.2.1544, from bits 22, 16 and 0 upwards, as `facts.version_of` reads them.
_EXCHANGE_2019 = 0x70000000 | 15 << 22 | 2 << 16 | 1 << 15 | 1544
_EVERY_MECHANISM = 31

_STAMPS = "replPropertyMetaData"
_STAMPS_MAY_BE_WRITTEN = "local_oid:1.3.6.1.4.1.7165.4.3.14:0"

Attributes = Mapping[str, str | bytes | Iterable[str | bytes] | None]
"""None: it has none of it."""


@dataclass(frozen=True)
class MailServer:
    """A server as setup leaves it; *rest* overrides."""

    name: str
    value: bytes | None = None
    rest: Attributes = field(default_factory=dict)

    @property
    def dn(self) -> str:
        return f"CN={self.name},{EXCHANGE_SERVERS}"

    @property
    def host(self) -> str:
        return f"{self.name.lower()}.corp.example"

    @property
    def attributes(self) -> Attributes:
        return {
            "objectClass": "msExchExchangeServer",
            "networkAddress": (f"netbios:{self.name}", f"ncacn_ip_tcp:{self.host}"),
            "serialNumber": "Version 15.2 (Build 31544.1)",
            "versionNumber": str(_EXCHANGE_2019),
            "msExchCurrentServerRoles": str(MAILBOX),
            "msExchServerSite": SITE,
            CERTIFICATE: self.value,
            **self.rest,
        }


@dataclass(frozen=True)
class Organization:
    """The organization Corp in a forest."""

    forest: Forest

    async def add(self, *servers: MailServer, replicate: bool = True) -> None:
        entries: dict[str, Attributes] = {}
        for one in servers:
            protocols = f"CN=Protocols,{one.dn}"
            entries[one.dn] = one.attributes
            entries[protocols] = {"objectClass": "protocolCfgSharedServer"}
            entries[f"CN=SMTP Receive Connectors,{protocols}"] = {"objectClass": "container"}
        await self._add(entries)
        if replicate:
            self.replicate()

    async def receive(
        self, server: MailServer, name: str, port: int = 25, rest: Attributes | None = None
    ) -> None:
        """A Receive connector for everybody, with every mechanism."""
        dn = f"CN={name},CN=SMTP Receive Connectors,CN=Protocols,{server.dn}"
        usual: Attributes = {
            "objectClass": "msExchSmtpReceiveConnector",
            "msExchSmtpReceiveBindings": (f"0.0.0.0:{port}", f"[::]:{port}"),
            "msExchSmtpReceiveRemoteIPRanges": EVERYBODY,
            "msExchSmtpReceiveEnabled": "TRUE",
            "msExchSMTPReceiveConnectorFQDN": server.host,
            "msExchSMTPReceiveInboundSecurityFlag": str(_EVERY_MECHANISM),
        }
        await self._add({dn: {**usual, **(rest or {})}})

    async def send(self, name: str, *sources: MailServer, rest: Attributes | None = None) -> None:
        """A Send connector of these servers."""
        usual: Attributes = {
            "objectClass": "msExchRoutingSMTPConnector",
            "msExchSourceBridgeheadServersDN": tuple(one.dn for one in sources),
            "msExchSmtpSendEnabled": "TRUE",
        }
        await self._add({f"CN={name},{SEND_CONNECTORS}": {**usual, **(rest or {})}})

    async def write(self, server: MailServer, value: bytes | None, at: Controller | None = None) -> None:
        """What stands on the server from now on, written at one controller; None: nothing."""
        change = Change(How.REPLACE, CERTIFICATE, () if value is None else (value,))
        async with await self.forest.wire(ADMINISTRATOR, at) as wire:
            await wire.modify(server.dn, change, timeout=PATIENCE)

    async def backdate(self, server: MailServer, ago: timedelta) -> None:
        """Let the last write to the server, at the first controller, have been that long ago."""
        search = Search(server.dn, Scope.BASE, attributes=(_STAMPS,))
        async with await self.forest.wire(ADMINISTRATOR) as wire:
            [entry] = await wire.search(search, timeout=PATIENCE)
        [blob] = entry.values(_STAMPS)
        new = base64.b64encode(_backdated(blob, ago)).decode()
        run(
            found("ldbmodify"),
            f"--url={self.forest.dc1.database}",
            f"--controls={_STAMPS_MAY_BE_WRITTEN}",
            said=f"dn: {server.dn}\nchangetype: modify\nreplace: {_STAMPS}\n{_STAMPS}:: {new}\n",
        )

    def replicate(self) -> None:
        """Take everything to the second controller, now."""
        self.forest.replicate(self.forest.dc2, self.forest.dc1, CONFIGURATION)

    async def _add(self, entries: Mapping[str, Attributes]) -> None:
        async with await self.forest.wire(ADMINISTRATOR) as wire:
            for dn, attributes in entries.items():
                held = [(key, _values(value)) for key, value in attributes.items() if value is not None]
                await wire.add(dn, held, timeout=PATIENCE)


def _backdated(blob: bytes, ago: timedelta) -> bytes:
    """The stamps with the latest of them moved; Samba takes them only with a new number of its own."""
    latest = max(range(16, len(blob), 48), key=lambda at: int.from_bytes(blob[at + 40 : at + 48], "little"))
    seconds, number = (int.from_bytes(blob[at : at + 8], "little") for at in (latest + 8, latest + 40))
    moved = bytearray(blob)
    moved[latest + 8 : latest + 16] = (seconds - int(ago.total_seconds())).to_bytes(8, "little")
    moved[latest + 40 : latest + 48] = (number + 1).to_bytes(8, "little")
    return bytes(moved)


def _values(value: str | bytes | Iterable[str | bytes]) -> list[bytes]:
    each = [value] if isinstance(value, str | bytes) else list(value)
    return [one if isinstance(one, bytes) else one.encode() for one in each]

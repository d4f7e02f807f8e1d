"""A small organization for tests: one replica, certificates with their keys, and hubs that read it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from mailtrust import clock
from mailtrust.core.model.certificate import Certificate, certificate
from mailtrust.core.model.server import Endpoint, ServerName
from mailtrust.directory.sqlite import SqliteReplica
from mailtrust.transports.base import Raised
from mailtrust.transports.hub import Hub, HubSettings
from mailtrust.transports.hub.settings import RetrySchedule
from tests.loopback import LOOPBACK, PATIENCE, eventually
from tests.make import HUB1, a_key, an_x509, der

SOON = RetrySchedule(first=timedelta(seconds=0.2), factor=1.0, jitter=0.0)
NEVER = RetrySchedule(first=timedelta(hours=1), longest=timedelta(hours=1))
MAIL = b"Subject: a test\r\n\r\nHello.\r\n"


@dataclass(frozen=True)
class Held:
    """A certificate with its key, as a store hands it out."""

    key: object
    certificate: Certificate
    chain: tuple[Certificate, ...] = ()

    @property
    def pem(self) -> bytes:
        """Key and certificate, as programs read them from one file."""
        made = x509.load_der_x509_certificate(self.certificate.der)
        key: Any = self.key
        return made.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )


@cache
def held(name: str = HUB1, label: str = "", *, kind: str = "p256", **options: Any) -> Held:
    """The same certificate whenever it is asked for by the same words."""
    made = an_x509(name, key=label or name, kind=kind, **options)
    return Held(a_key(label or name, kind), certificate(der(made)))


class Broken(list[Raised]):
    """A diary that cannot be written into, and says so where nothing may be said."""

    def append(self, _: Raised) -> None:
        raise RuntimeError("no ink")


@dataclass
class Running:
    """A hub, with what a test turns and looks at."""

    hub: Hub
    settings: HubSettings
    current: Held | None
    raised: list[Raised] = field(default_factory=list)
    credentials_read: int = 0

    @property
    def endpoint(self) -> Endpoint:
        return self.hub.bound[0]

    @property
    def codes(self) -> list[int]:
        """The events it raised."""
        return [one.event.code for one in self.raised]

    def mails(self, recipient: str) -> list[bytes]:
        """What lies in a mailbox, in no order."""
        local, _, domain = recipient.partition("@")
        return [one.read_bytes() for one in (self.settings.maildir / domain / local / "new").glob("*")]

    async def mails_come(self, recipient: str, count: int = 1) -> list[bytes]:
        """The mails of a mailbox once there are so many."""
        await eventually(lambda: len(self.mails(recipient)) >= count, f"{count} mails for {recipient}")
        return self.mails(recipient)


@dataclass
class Organization:
    """One replica, and everybody who publishes there."""

    folder: Path

    def __post_init__(self) -> None:
        self.replica = SqliteReplica(f"sqlite://{self.folder}/dc1.db", timeout=timedelta(seconds=5))

    async def publish(self, *leaves: Held, server: str = "") -> None:
        for one in leaves:
            name = ServerName(server or one.certificate.names[0])
            await self.replica.publish(name, one.certificate.der, clock.now())

    async def withdraw(self, one: Held) -> None:
        name = ServerName(one.certificate.names[0])
        await self.replica.withdraw(name, one.certificate.fingerprint, clock.now())

    @asynccontextmanager
    async def hub(
        self,
        name: str = HUB1,
        *,
        port: int = 0,
        current: Held | str | None = "own",
        home: Any = None,
        stand_ins: Any = (),
        keep: Any = None,
        now: Any = clock.now,
        **options: Any,
    ) -> AsyncIterator[Running]:
        """A running hub whose mailboxes are those of ``@NAME``; it publishes nothing by itself."""
        folder = self.folder / name
        given = {"binds": (Endpoint(LOOPBACK, port),), "local_domains": (name,), **options}
        settings = HubSettings(ServerName(name), store=folder, maildir=folder / "mail", **given)
        chosen = held(name) if current == "own" else current
        assert chosen is None or isinstance(chosen, Held)
        running: Running

        def credential() -> Held | None:
            running.credentials_read += 1
            return running.current

        hub = Hub(
            settings,
            home=home or self.replica,
            stand_ins=stand_ins,
            credential=credential,
            stamp=lambda: id(running.current),
            report=lambda raised: running.raised.append(raised),
            keep=keep,
            now=now,
        )
        running = Running(hub, settings, chosen)
        await hub.start()
        try:
            yield running
        finally:
            await hub.stop()


class Peer:
    """A mail server of another make: plain sockets, and Python's own TLS."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    @asynccontextmanager
    async def meets(
        cls,
        target: Endpoint,
        presenting: Held | None = None,
        *,
        tls: bool = True,
        verb: str = "STARTTLS",
        source: str = LOOPBACK,
    ) -> AsyncIterator[Peer]:
        """Connected from *source*, and as far as EHLO behind TLS if it is wanted."""
        reader, writer = await asyncio.open_connection(target.host, target.port, local_addr=(source, 0))
        peer = cls(reader, writer)
        try:
            assert (await peer.reply()).startswith("220")
            await peer.says("EHLO peer.example.test")
            if tls:
                await peer.secure(presenting, verb)
                await peer.says("EHLO peer.example.test")
            yield peer
        finally:
            writer.transport.abort()
            # Let the loop close the socket before the test is over.
            await asyncio.sleep(0)

    async def secure(self, presenting: Held | None, verb: str = "STARTTLS") -> None:
        assert (await self.says(verb)).startswith("220")
        await self.writer.start_tls(tls_context(presenting))

    async def says(self, *lines: str) -> str:
        """One or more commands in one packet; the answer to the first."""
        self.sends("".join(f"{line}\r\n" for line in lines).encode())
        return await self.reply()

    def sends(self, data: bytes) -> None:
        self.writer.write(data)

    async def reply(self) -> str:
        """One whole reply, its lines joined by newlines; empty where the server closed."""
        lines = []
        async with asyncio.timeout(PATIENCE):
            while True:
                line = (await self.reader.readline()).decode()
                lines.append(line.rstrip())
                if line[3:4] != "-":
                    return "\n".join(lines)

    async def mails(
        self, *recipients: str, sender: str = "a@peer.example.test", content: bytes = MAIL
    ) -> str:
        """The answer that decides: to MAIL, to the last RCPT, or to the message."""
        answer = await self.says(f"MAIL FROM:<{sender}>")
        for recipient in recipients:
            if answer.startswith("250"):
                answer = await self.says(f"RCPT TO:<{recipient}>")
        if answer.startswith("250"):
            answer = await self.says("DATA")
        if answer.startswith("354"):
            self.sends(content + b".\r\n")
            answer = await self.reply()
        return answer


def tls_context(presenting: Held | None) -> ssl.SSLContext:
    """A client that presents somebody and believes anybody, as Python makes one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if presenting is not None:
        from tempfile import NamedTemporaryFile

        with NamedTemporaryFile() as file:
            file.write(presenting.pem)
            file.flush()
            context.load_cert_chain(file.name)
    return context


def recipients_at(name: str, count: int) -> Iterable[str]:
    """Different mailboxes of one domain."""
    return (f"box{number}@{name}" for number in range(count))

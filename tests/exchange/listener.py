"""
Exchange's own way of answering at port 25 and 2525, for whoever looks.

The words are those of a telnet session with Exchange 2019, verbs in Microsoft's order.  Behind STARTTLS it
shows one certificate and behind X-ANONYMOUSTLS another; it asks for the client's, and goes on without one.
`Counted`, and `says` in tests/probes/listeners.py, do not answer as they should.

    mbx1 = exchange("MBX1", {STARTTLS: public(), X_ANONYMOUSTLS: internal("MBX1")})
    with listening_at((("127.0.1.1", 25), mbx1)): ...
"""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from mailtrust.core.exchange.facts import STARTTLS, X_ANONYMOUSTLS
from tests.exchange.certificates import Pair
from tests.probes.listeners import Script, listening

Place = tuple[str, int]

_BEFORE_TLS = (
    "SIZE 37748736", "PIPELINING", "DSN", "ENHANCEDSTATUSCODES", STARTTLS, X_ANONYMOUSTLS, "AUTH NTLM",
    "X-EXPS GSSAPI NTLM", "8BITMIME", "BINARYMIME", "CHUNKING", "XRDST",
)  # fmt: skip
_BEHIND_TLS = {
    STARTTLS: (
        "SIZE 37748736", "PIPELINING", "DSN", "ENHANCEDSTATUSCODES", "AUTH NTLM LOGIN", "X-EXPS GSSAPI NTLM",
        "8BITMIME", "BINARYMIME", "CHUNKING", "XRDST",
    ),
    X_ANONYMOUSTLS: (
        "SIZE 37748736", "PIPELINING", "DSN", "ENHANCEDSTATUSCODES", "AUTH NTLM LOGIN",
        "X-EXPS EXCHANGEAUTH GSSAPI NTLM", "X-EXCHANGEAUTH SHA256", "8BITMIME", "BINARYMIME", "CHUNKING",
        "XRDST",
    ),
}  # fmt: skip


def exchange(name: str, presents: Mapping[str, Pair], *, masks: bool = False) -> Script:
    """
    A server that presents one certificate by each verb; what is missing there it does not offer.

    *masks*: something on the way writes X over the verbs, as SMTP inspection in firewalls does.
    """
    host = f"{name}.corp.example"
    contexts = {verb: _context(pair) for verb, pair in presents.items()}
    offered = [one for one in _BEFORE_TLS if one not in _BEHIND_TLS or one in contexts]
    if masks:
        offered = ["X" * len(one) if one in _BEHIND_TLS else one for one in offered]

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = str(writer.get_extra_info("peername")[0])
        _say(writer, f"220 {host} Microsoft ESMTP MAIL Service ready at Wed, 25 Nov 2026 12:00:00 +0000")
        secured_by = ""
        while line := await reader.readline():
            word = line.decode("ascii", "replace").split(" ")[0].strip().upper()
            if word == "EHLO":
                lines = _BEHIND_TLS[secured_by] if secured_by else offered
                _say(writer, *_reply(f"{host} Hello [{client}]", *lines))
            elif word in _BEHIND_TLS and secured_by:
                _say(writer, "503 5.5.2 Only one STARTTLS command can be issued per session")
            elif word in contexts and not masks:
                _say(writer, "220 2.0.0 SMTP server ready")
                await writer.start_tls(contexts[word])
                secured_by = word
            elif word == "QUIT":
                _say(writer, "221 2.0.0 Service closing transmission channel")
                await writer.drain()
                return
            else:
                _say(writer, "500 5.3.3 Unrecognized command")

    return script


@dataclass
class Counted:
    """A listener that takes connections and never says a word; it knows how many waited at one time."""

    now: int = 0
    most: int = 0
    places: set[Place] = field(default_factory=set)
    """Where they were taken."""

    async def script(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, port, *_ = writer.get_extra_info("sockname")
        self.places.add((host, port))
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await reader.read()
        finally:
            self.now -= 1


@contextmanager
def listening_at(*servers: tuple[Place, Script]) -> Iterator[None]:
    """All of them, on a loop and a thread of their own, so that the test may block; gone when it ends."""
    loop = asyncio.new_event_loop()
    ready, over = threading.Event(), asyncio.Event()
    failed: list[BaseException] = []

    async def run() -> None:
        try:
            async with AsyncExitStack() as stack:
                for (host, port), script in servers:
                    await stack.enter_async_context(listening(script, host, port))
                ready.set()
                await over.wait()
        except BaseException as error:  # noqa: BLE001 - the test is told
            failed.append(error)
        finally:
            ready.set()

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),), name="exchange")
    thread.start()
    ready.wait()
    try:
        if failed:
            raise failed[0]
        yield
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
        loop.close()


def _reply(*lines: str) -> Iterator[str]:
    *first, last = lines
    yield from (f"250-{one}" for one in first)
    yield f"250 {last}"


def _say(writer: asyncio.StreamWriter, *lines: str) -> None:
    writer.write("".join(f"{one}\r\n" for one in lines).encode("ascii"))


def _context(pair: Pair) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # As setup makes them: a certificate signed with SHA-1 is presented like any other.
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    # It asks, believes nobody by an authority, and goes on without one.
    context.verify_mode = ssl.CERT_OPTIONAL
    with TemporaryDirectory() as folder:
        file = Path(folder) / "pair.pem"
        file.write_bytes(pair.pem)
        context.load_cert_chain(file)
    return context

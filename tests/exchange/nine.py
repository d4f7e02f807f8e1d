"""
Nine Exchange servers in the forest, one of each condition, and what each of them presents.

All stand in one site, to which the Edge is subscribed.  MBX5's value stands on the first controller alone:
the second takes nothing in, though it was written two hours ago.
"""

from __future__ import annotations

from datetime import timedelta

from cryptography import x509

from mailtrust.core.exchange.facts import STARTTLS, X_ANONYMOUSTLS
from tests.exchange.certificates import Pair, in_memory, internal, public, serialised
from tests.exchange.listener import Place, exchange
from tests.exchange.organization import EDGE, MailServer, Organization
from tests.probes.listeners import Script

GARBAGE = b"0\x82 this was a certificate once"
GONE = "<I>CN=Old CA<S>CN=mail.corp.example"
HEALTHY = internal("MBX9", sha1=True)
OLD, NEW = internal("MBX2", age=1500), internal("MBX2", key="MBX2 renewed", age=10)
OLD_EDGE, NEW_EDGE = internal("EDGE1", age=900), internal("EDGE1", key="EDGE1 renewed", age=20)


def _published(pair: Pair) -> bytes:
    return serialised(pair.certificate.der)


MBX1 = MailServer("MBX1")
MBX2 = MailServer("MBX2", _published(OLD))
MBX3 = MailServer("MBX3", GARBAGE)
MBX4 = MailServer("MBX4", HEALTHY.certificate.der)
MBX5 = MailServer("MBX5")
MBX6 = MailServer("MBX6", _published(internal("MBX6")))
MBX7 = MailServer("MBX7", internal("MBX7").certificate.der)
EDGE1 = MailServer("EDGE1", _published(OLD_EDGE), {"msExchCurrentServerRoles": str(EDGE)})
MBX9 = MailServer("MBX9", _published(HEALTHY), {"msExchEdgeSyncCredential": b"\x01"})
SERVERS = (MBX1, MBX2, MBX3, MBX4, MBX5, MBX6, MBX7, EDGE1, MBX9)

PUBLIC_NAME = "mail.corp.example"
# By X-ANONYMOUSTLS; and by STARTTLS at 2525, where a connector announces the server's own name.
_PRESENTED = {
    "MBX2": NEW, "MBX4": HEALTHY, "MBX5": internal("MBX5"), "MBX6": in_memory("MBX6"),
    "MBX7": internal("MBX7"), "EDGE1": NEW_EDGE, "MBX9": HEALTHY,
}  # fmt: skip
_BEHIND = {
    "MBX1": internal("MBX1"), "MBX2": NEW, "MBX3": internal("MBX3"), "MBX5": internal("MBX5"),
    "MBX7": internal("MBX7"), "MBX9": HEALTHY,
}  # fmt: skip
ADDRESSES = {**{f"MBX{number}": f"127.0.1.{number}" for number in range(1, 10)}, "EDGE1": "127.0.1.21"}


def serial(pair: Pair) -> str:
    """A certificate's serial number, as Exchange's cmdlets compare it."""
    return f"{x509.load_der_x509_certificate(pair.certificate.der).serial_number:X}"


async def write(corp: Organization) -> None:
    """Put them into the directory; the second controller is paused afterwards."""
    await corp.add(*SERVERS)
    for one in SERVERS:
        if one is not EDGE1:
            named = {"msExchSmtpTLSCertificate": GONE} if one is MBX7 else {}
            public_ = {"msExchSMTPReceiveConnectorFQDN": PUBLIC_NAME, **named}
            await corp.receive(one, f"Default Frontend {one.name}", 25, public_)
            await corp.receive(one, f"Default {one.name}", 2525, {} if one.name in _BEHIND else public_)
    corp.replicate()
    corp.forest.dc2.pause()
    await corp.write(MBX5, _published(internal("MBX5")))
    await corp.backdate(MBX5, timedelta(hours=2))


def listeners() -> list[tuple[Place, Script]]:
    """Each at the address that its name has, at its services' ports."""
    return [
        ((ADDRESSES[one.name], port), exchange(one.name, _presented(one, port)))
        for one in SERVERS
        for port in ((25,) if one is EDGE1 else (25, 2525))
    ]


def _presented(server: MailServer, port: int) -> dict[str, Pair]:
    own = _PRESENTED.get(server.name)
    behind = _BEHIND.get(server.name) if port == 2525 else None
    return {STARTTLS: behind or public(), **({X_ANONYMOUSTLS: own} if own else {})}

"""
Whom the snapshot believes, as the files that Exim looks up.

Exim can hash the certificate that a peer presents, and not the key inside it; and it holds a server to
certificates that it was given whole.  So there is a file for each certificate, named by its fingerprint, and
one for each next hop's host, with all that may answer there.  A key that is believed goes on being so with
each certificate that is known to carry it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from mailtrust.core.model.certificate import UNREADABLE, Certificate, certificate
from mailtrust.errors import BadInput

if TYPE_CHECKING:
    from mailtrust.core.model.server import ServerName
    from mailtrust.core.model.trust import Snapshot

PEERS, PINS = "peers", "pins"
"""The folders: of those who may send to us, and of the hosts that we send to."""
Files = Mapping[str, bytes]
"""The bytes of each file, by its path below the folder: ``peers/1a2b…``."""
NextHops = Mapping[str, tuple["ServerName", ...]]

_HOST = re.compile(r"[a-z0-9_:][a-z0-9_:.-]*")
_PORT = re.compile(r"(?:\]?::?\d+|\])$")


def files(snapshot: Snapshot, known: Iterable[Certificate], next_hops: NextHops) -> Files:
    """
    Every file that shall be there: of the *known* certificates those whose key is believed.

    An authority is never among them: Exim would take whatever it issued.
    """
    believed = {
        leaf.fingerprint: (leaf, snapshot.servers[leaf.pin])
        for leaf in known
        if leaf.pin in snapshot.servers and not leaf.is_ca
    }
    made = {f"{PEERS}/{name}": _peer(leaf, server) for name, (leaf, server) in sorted(believed.items())}
    for hop, servers in next_hops.items():
        leaves = [leaf for _, (leaf, server) in sorted(believed.items()) if server in servers]
        # A host without any has no file, and Exim then defers.
        if leaves:
            made[f"{PINS}/{host(hop)}"] = b"".join(map(_pem, leaves))
    return made


def host(next_hop: str) -> str:
    """
    A next hop's host as Exim has it in ``$host``: without brackets and port, in lower case.

    Raises: BadInput for what cannot be the name of a file.
    """
    bare = _PORT.sub("", next_hop).lstrip("[").lower()
    if not _HOST.fullmatch(bare):
        raise BadInput(
            f"{next_hop!r} is no host that Exim sends to", hint="write it as in route_list: 192.0.2.7::25"
        )
    return bare


def known_in(held: Files) -> tuple[Certificate, ...]:
    """The certificates of files that were written before; what is not ours is passed over."""
    return tuple(leaf for path, text in held.items() if path.startswith(f"{PEERS}/") for leaf in _read(text))


def _peer(leaf: Certificate, server: ServerName) -> bytes:
    return f"{server}\n".encode() + _pem(leaf)


def _pem(leaf: Certificate) -> bytes:
    return x509.load_der_x509_certificate(leaf.der).public_bytes(Encoding.PEM)


def _read(text: bytes) -> Iterable[Certificate]:
    try:
        found = x509.load_pem_x509_certificates(text)
    except UNREADABLE:
        return ()
    return [certificate(one.public_bytes(Encoding.DER)) for one in found]

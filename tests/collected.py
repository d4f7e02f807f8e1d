"""What the collector writes, as PowerShell writes it."""

from __future__ import annotations

import base64
import json
from typing import Any

from tests.make import NOON, an_x509, der

RAW = der(an_x509("mbx1.corp.example", kind="rsa2048", names=("MBX1", "mbx1.corp.example")))


def a_file(**parts: Any) -> dict[str, Any]:
    """One mailbox server with one certificate in its store, which it reads from the directory too."""
    return {
        "schema": "mailtrust.collected/1",
        "collectedAt": f"{NOON:%Y-%m-%dT%H:%M:%SZ}",
        "server": "MBX1",
        "fqdn": "mbx1.corp.example",
        "roles": "Mailbox",
        "version": "Version 15.2 (Build 31118.7)",
        "site": "HQ",
        "organization": ["Corp"],
        "internalThumbprint": [""],
        "certificates": [a_certificate()],
        "connectors": [
            {
                "kind": "receive",
                "name": "MBX1\\Default Frontend MBX1",
                "servers": ["MBX1"],
                "enabled": True,
                "fqdn": "mbx1.corp.example",
                "tlsCertificateName": "",
                "auth": "Tls, Integrated, BasicAuth, ExchangeServer",
                "bindings": ["[::]:25", "0.0.0.0:25"],
                "remoteIPRanges": ["0.0.0.0-255.255.255.255"],
            },
            {
                "kind": "send",
                "name": "To the Internet",
                "enabled": True,
                "fqdn": "",
                "tlsCertificateName": "",
                "smartHosts": [""],
                "servers": ["MBX1", "MBX2"],
            },
        ],
        "edgeSubscriptions": [{"name": "EDGE1", "site": "HQ"}],
        "events": [
            {"at": "2026-05-31T23:00:00Z", "source": "MSExchangeTransport", "id": 12012, "message": "missing"}
        ],
        "problems": {},
        **parts,
    }


def a_certificate(raw: bytes = RAW, **parts: Any) -> dict[str, Any]:
    return {
        "thumbprint": "IGNORED",
        "raw": base64.b64encode(raw).decode(),
        "hasKey": True,
        "readers": ["S-1-5-18", "S-1-5-20"],
        "services": "IMAP, POP, SMTP",
        "status": "Valid",
        **parts,
    }


def written(file: dict[str, Any], encoding: str = "utf-8-sig") -> bytes:
    """As `Out-File -Encoding utf8` has it; `>` writes utf-16."""
    return json.dumps(file, indent=4, ensure_ascii=False).encode(encoding)

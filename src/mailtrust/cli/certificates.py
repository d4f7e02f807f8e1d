"""How certificates of the store look, to people and to programs."""

from __future__ import annotations

from datetime import datetime

from rich.table import Table
from rich.text import Text

from mailtrust.agent.report import certificate_report
from mailtrust.core.clean import clean
from mailtrust.core.model.certificate import Certificate, short
from mailtrust.core.model.sighting import Installed, Slot

__all__ = ["certificate_report", "describe", "in_full", "key_of", "table"]

_SLOT_STYLE = {Slot.CURRENT: "bold green", Slot.NEXT: "cyan", Slot.PREVIOUS: "dim", Slot.NONE: ""}


def key_of(certificate: Certificate) -> str:
    """``RSA 2048``."""
    return f"{certificate.key_type} {certificate.key_bits}"


def describe(certificate: Certificate) -> str:
    """A certificate in a line: its short name, its first name, its key and its end."""
    name = certificate.names[0] if certificate.names else certificate.subject or "no name"
    return (
        f"{short(certificate.fingerprint)} ({name}, {key_of(certificate)}, "
        f"until {certificate.not_after:%Y-%m-%d})"
    )


def in_full(installed: Installed, now: datetime) -> list[tuple[str, str]]:
    """Everything we know about a certificate of the store, name by name."""
    leaf = installed.certificate
    left = leaf.not_after - now
    return [
        ("fingerprint", leaf.fingerprint),
        ("pin", leaf.pin),
        ("thumbprint", leaf.thumbprint),
        ("slot", installed.slot.value),
        ("names", ", ".join(leaf.names) or "-"),
        ("subject", leaf.subject or "-"),
        ("issuer", "itself" if leaf.self_signed else leaf.issuer),
        ("key", f"{key_of(leaf)}{'' if installed.has_key else ', not in this store'}"),
        ("valid from", f"{leaf.not_before:%Y-%m-%d %H:%M:%SZ}"),
        ("valid until", f"{leaf.not_after:%Y-%m-%d %H:%M:%SZ} ({_left(left.days)})"),
        ("arrived", f"{installed.arrived_at:%Y-%m-%d %H:%M:%SZ}"),
    ]


def table(certificates: tuple[Installed, ...], now: datetime) -> Table:
    """The store's certificates, one line each, within 80 columns."""
    grid = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("slot", "certificate", "name", "key", "until", ""):
        grid.add_column(title, overflow="ellipsis" if title == "name" else "fold", no_wrap=True)
    for one in certificates:
        leaf = one.certificate
        grid.add_row(
            Text(one.slot.value, _SLOT_STYLE[one.slot]),
            short(leaf.fingerprint),
            Text(clean(leaf.names[0]) if leaf.names else "-"),
            key_of(leaf),
            Text(f"{leaf.not_after:%Y-%m-%d}", "red" if leaf.expired(now) else ""),
            Text(_remark(one, now), "yellow"),
        )
    return grid


def _remark(one: Installed, now: datetime) -> str:
    if not one.has_key:
        return "no key"
    return "expired" if one.certificate.expired(now) else ""


def _left(days: int) -> str:
    return "expired" if days < 0 else "one day left" if days == 1 else f"{days} days left"

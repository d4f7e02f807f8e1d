"""
The queue of a Postfix instance, asked for with its own tools: nothing is changed, nothing is flushed.

Where mail goes next is asked of the instance's own transport tables, in one `postmap` for each table.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from mailtrust.core.why import Waiting
from mailtrust.errors import TransportUnavailable
from mailtrust.transports.postfix.queue import Lifetimes, queued, waiting

_TIMEOUT_SECONDS = 20
_MOST_ADDRESSES = 5000
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_PARAMETERS = (
    "transport_maps", "relayhost", "default_transport", "maximal_queue_lifetime", "bounce_queue_lifetime",
)  # fmt: skip
_TABLE = re.compile(r"\w+:\{(?:[^{}]|\{[^{}]*\})*\}|[^\s,]+")


def postfix_queue(folder: Path) -> tuple[Waiting, ...]:
    """
    What waits in the instance with that configuration directory.  Blocking: call it from a thread.

    Raises: TransportUnavailable where Postfix's tools are missing, may not look, or say something else.
    """
    messages = queued(_run("postqueue", "-c", str(folder), "-j"))
    settings = _settings(folder)
    addresses = sorted({recipient for message in messages for recipient, _ in message.recipients})
    hops: Mapping[str, str] = {}
    with suppress(TransportUnavailable):
        # Where a table cannot be read the queue itself names the next hop, or nobody does.
        hops = _hops(folder, settings, addresses[:_MOST_ADDRESSES])
    lifetimes = Lifetimes(
        _length(settings.get("maximal_queue_lifetime", "5d")),
        _length(settings.get("bounce_queue_lifetime", "5d")),
    )
    return waiting(messages, lambda address: hops.get(address.lower(), ""), lifetimes)


def next_hops(folder: Path, addresses: Iterable[str]) -> Mapping[str, str]:
    """
    Where the instance would send mail for each address, as it writes it.  Blocking: call it from a thread.

    Raises: TransportUnavailable as `postfix_queue`.
    """
    return _hops(folder, _settings(folder), addresses)


def _settings(folder: Path) -> Mapping[str, str]:
    lines = _run("postconf", "-c", str(folder), "-x", *_PARAMETERS).splitlines()
    return {name.strip(): value.strip() for name, _, value in (line.partition("=") for line in lines)}


def _hops(folder: Path, settings: Mapping[str, str], addresses: Iterable[str]) -> dict[str, str]:
    """The next hop of each address: by the first table that knows it, as transport(5) looks it up."""
    keys = {address: _keys(address) for address in addresses}
    known: dict[str, str] = {}
    for table in _TABLE.findall(settings.get("transport_maps", "")):
        asked = sorted({key for some in keys.values() for key in some} - known.keys())
        if asked:
            # What an earlier table said holds.
            known = {**_looked_up(folder, table, asked), **known}
    hops = {}
    for address, some in keys.items():
        entry = next((known[key] for key in some if key in known), "")
        hop = entry.partition(":")[2] if ":" in entry else ""
        usual = settings.get("relayhost", "") or settings.get("default_transport", "").partition(":")[2]
        hops[address.lower()] = hop or (usual if not entry else "") or address.rpartition("@")[2].lower()
    return hops


def _keys(address: str) -> tuple[str, ...]:
    """What transport(5) looks up, in its order."""
    lower = address.lower()
    domain = lower.rpartition("@")[2]
    labels = domain.split(".")
    parents = tuple("." + ".".join(labels[at:]) for at in range(1, len(labels)))
    return (lower, domain, *parents, "*")


def _looked_up(folder: Path, table: str, keys: Iterable[str]) -> dict[str, str]:
    """Raises: TransportUnavailable where the table cannot be read, which is no word about its keys."""
    try:
        ran = _process(("postmap", "-c", str(folder), "-q", "-", table), "\n".join(keys) + "\n")
    except (OSError, subprocess.TimeoutExpired) as error:
        raise TransportUnavailable(f"Postfix's postmap did not read {table}") from error
    # 1 is also the exit code where none of the keys is there.
    if ran.returncode and ": fatal: " in ran.stderr:
        raise TransportUnavailable(f"Postfix's postmap said: {' '.join(ran.stderr.split())}")
    found = (line.partition("\t") for line in ran.stdout.splitlines())
    return {key: value.strip() for key, _, value in found if value.strip()}


def _length(text: str) -> timedelta:
    found = re.fullmatch(r"(\d+)([smhdw]?)", text)
    # Without a unit Postfix means days here.
    return timedelta(seconds=int(found[1]) * _UNITS[found[2] or "d"]) if found else timedelta(days=5)


def _run(*command: str) -> str:
    program = command[0]
    try:
        ran = _process(command)
    except FileNotFoundError as error:
        raise TransportUnavailable(
            f"Postfix's {program} is not installed here", hint="run this on the host whose mail is stuck"
        ) from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise TransportUnavailable(f"Postfix's {program} did not come to its end") from error
    if ran.returncode:
        complaint = " ".join(ran.stderr.split())
        raise TransportUnavailable(
            f"Postfix's {program} said: {complaint or f'exit code {ran.returncode}'}",
            hint="look as root, or as a member of the instance's authorized_mailq_users",
        )
    return ran.stdout


def _process(command: tuple[str, ...], given: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, input=given, capture_output=True, text=True, errors="replace", check=False,
        timeout=_TIMEOUT_SECONDS, env={"PATH": f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"},
        stdin=None if given is not None else subprocess.DEVNULL,
    )  # fmt: skip

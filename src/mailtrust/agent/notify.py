"""
What we tell the service manager that started us: that we are ready, how it goes, that we still turn.

It is systemd's protocol (sd_notify(3)): a datagram of ``NAME=value`` lines to the socket in the environment.
Where nobody asked for it nothing is sent, and a manager that does not listen costs nothing.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Systemd:
    """Where to send it, and how often it wants to hear that we turn."""

    address: str = ""
    """A path, or ``@`` and a name without one; empty where nobody listens."""
    watchdog: timedelta | None = None
    """It ends us when it has heard nothing for that long."""

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Systemd:
        """The one that the environment names, if it means this process."""
        address = environment.get("NOTIFY_SOCKET", "")
        microseconds = environment.get("WATCHDOG_USEC", "")
        is_ours = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        guarded = is_ours and microseconds.isdecimal() and int(microseconds) > 0
        return cls(
            address if address.startswith(("/", "@")) else "",
            timedelta(microseconds=int(microseconds)) if guarded else None,
        )

    def ready(self) -> None:
        """We do what we are for."""
        self._send("READY=1")

    def reloading(self) -> None:
        """We read our configuration again; `ready` says that it is done."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """We finish what we are at, and end."""
        self._send("STOPPING=1")

    def turning(self) -> None:
        """The loop went round."""
        if self.watchdog is not None:
            self._send("WATCHDOG=1")

    def status(self, text: str) -> None:
        """A line for `systemctl status`."""
        self._send(f"STATUS={' '.join(text.split())}")

    def _send(self, *lines: str) -> None:
        if not self.address:
            return
        address = f"\0{self.address[1:]}" if self.address.startswith("@") else self.address
        with (
            suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as plug,
        ):
            plug.settimeout(0)
            plug.sendto("\n".join(lines).encode(), address)

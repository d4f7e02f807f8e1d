"""The words of `log.to`."""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """Which log."""

    AUTO = "auto"
    """systemd's journal where it listens; else syslog; else JSON on standard error."""
    JOURNALD = "journald"
    SYSLOG = "syslog"
    JSON = "json"
    NONE = "none"

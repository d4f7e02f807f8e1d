"""The rest: what went wrong, what would be done, and what is printed to be put somewhere."""

from __future__ import annotations

from typing import Literal

from mailtrust.cli.completions import ShellName
from mailtrust.cli.monitoring import Piece
from tools.json_shapes.kinds import Strict, Unreadable


class Error(Strict, frozen=True):
    """What went wrong, and what next; any command may end with it, and then with another code than 0."""

    schema: Literal["mailtrust.error/1"]
    error: str
    because: str
    hint: str


class DryRun(Strict, frozen=True):
    """What a command would do, in sentences, where it has no shape of its own for that."""

    schema: Literal["mailtrust.dry-run/1"]
    would: list[str]


class AskedDirectory(Strict, frozen=True):
    """How an LDAP directory answered; `ldif` is what its administrator can add instead."""

    replicas: list[Unreadable]
    entry: Literal["made", "there", "refused", "unknown"]
    entry_why: str
    ldif: str


class Init(Strict, frozen=True):
    """The configuration that was written; `directory` is null where none by LDAP was asked."""

    schema: Literal["mailtrust.init/1"]
    file: str
    written: bool
    name: str
    store: str
    home: str
    replicas: list[str]
    listeners: list[str]
    next: list[str]
    directory: AskedDirectory | None


class Completion(Strict, frozen=True):
    """The script by which a shell completes our words."""

    schema: Literal["mailtrust.completion/1"]
    shell: ShellName
    script: str


class MonitoringFiles(Strict, frozen=True):
    """Where the alert rules and the dashboard for Grafana are."""

    schema: Literal["mailtrust.monitoring/1"]
    files: dict[Piece, str]


class MonitoringPiece(Strict, frozen=True):
    """One of them, in full; `written` is the file that it was written to."""

    schema: Literal["mailtrust.monitoring/1"]
    piece: Piece
    written: str | None
    text: str


class Dashboard(Strict, frozen=True):
    """Where the dashboard is, once it is up."""

    schema: Literal["mailtrust.dashboard/1"]
    address: str

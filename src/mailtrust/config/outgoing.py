"""The tables [log] and [notify], typed: what leaves the journal, and how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from mailtrust.config.document import Document
from mailtrust.config.keys_outgoing import is_loopback
from mailtrust.config.log_kind import Kind
from mailtrust.core.model.event import Severity
from mailtrust.core.model.server import Endpoint, ServerName
from mailtrust.errors import BadConfiguration

LOG_VARIABLE = "MAILTRUST_LOG"


@dataclass(frozen=True, slots=True)
class Log:
    """Where events go besides the journal."""

    to: Kind = Kind.AUTO
    file: Path | None = None
    """None: standard error."""
    socket: Path | None = None
    """None: where the system has it."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where notices are posted to."""

    url: str = field(repr=False)
    """Its path may be a secret: whoever knows it may post."""
    bearer_file: Path | None
    hmac_file: Path | None
    ca_file: Path | None


@dataclass(frozen=True, slots=True)
class Mail:
    """Who gets notices by mail, and the server that takes it."""

    to: tuple[str, ...]
    sender: str
    smarthost: Endpoint
    tls: str
    """``starttls``, ``tls`` or ``none``."""
    ca_file: Path | None
    user: str
    password_file: Path | None


@dataclass(frozen=True, slots=True)
class Notify:
    """Who is told what opens and closes."""

    command: tuple[str, ...] = ()
    webhook: Webhook | None = None
    mail: Mail | None = None
    severity: Severity = Severity.WARNING
    hold: timedelta = timedelta(minutes=15)
    timeout: timedelta = timedelta(seconds=10)

    @property
    def is_on(self) -> bool:
        """True if somebody is told."""
        return bool(self.command or self.webhook or self.mail)


def log_table(document: Document, environment: Mapping[str, str]) -> Log:
    """What [log] says; the environment stands above it.  Raises: BadConfiguration."""
    file, socket = document.get("log.file"), document.get("log.socket")
    # Who names a file means it.
    kind = Kind.JSON if file is not None and not document.says("log.to") else Kind(document.get("log.to"))
    if socket is not None and kind not in (Kind.JOURNALD, Kind.SYSLOG):
        raise document.unfit(
            "log.socket", "log.socket is set, and log.to does not say what listens there",
            hint='set log.to = "journald" or "syslog"',
        )  # fmt: skip
    said = environment.get(LOG_VARIABLE)
    if said and said not in tuple(Kind):
        raise BadConfiguration(
            f"${LOG_VARIABLE} is {said!r}; expected {', '.join(Kind)}",
            hint="unset it, or set it to one of them",
        )
    return Log(Kind(said), file, socket) if said else Log(kind, file, socket)


def notify_table(document: Document, server: ServerName) -> Notify:
    """What [notify] says.  Raises: BadConfiguration for half a way to tell somebody."""
    return Notify(
        command=document.get("notify.command") or (),
        webhook=_webhook(document),
        mail=_mail(document, server),
        severity=Severity(document.get("notify.severity")),
        hold=document.get("notify.hold"),
        timeout=document.get("notify.timeout"),
    )


def _webhook(document: Document) -> Webhook | None:
    url = document.get("notify.webhook")
    if url is None:
        return None
    names = ("bearer_file", "hmac_file", "ca_file")
    return Webhook(url, *(document.get(f"notify.webhook_{name}") for name in names))


def _mail(document: Document, server: ServerName) -> Mail | None:
    to, smarthost = document.get("notify.mail_to"), document.get("notify.smarthost")
    if to is None:
        return None
    if smarthost is None:
        raise document.unfit(
            "notify.mail_to", "notify.mail_to is set, and notify.smarthost is not",
            hint="name a server that does not depend on the trust between your hubs, as smtp.example.org:587",
        )  # fmt: skip
    user, password = document.get("notify.smarthost_user"), document.get("notify.smarthost_password_file")
    tls = document.get("notify.smarthost_tls")
    if (user is None) != (password is None):
        raise document.unfit(
            "notify.smarthost_user" if password is None else "notify.smarthost_password_file",
            "notify.smarthost_user and notify.smarthost_password_file belong together",
            hint="set both, or neither",
        )
    if user is not None and tls == "none" and not is_loopback(smarthost.host):
        raise document.unfit(
            "notify.smarthost_tls", "notify.smarthost_user would be said without TLS",
            hint='set notify.smarthost_tls = "starttls" or "tls"',
        )  # fmt: skip
    return Mail(
        to, document.get("notify.mail_from") or f"mailtrust@{server}", smarthost, tls,
        document.get("notify.smarthost_ca_file"), user or "", password,
    )  # fmt: skip

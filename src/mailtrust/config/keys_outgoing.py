"""The keys of what leaves the journal: for the logs of the machine, and as notices to people."""

from __future__ import annotations

import re
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from mailtrust.config.key import DURATION, PATH, Key, folder, one_of, some_length, text, texts, words
from mailtrust.config.log_kind import Kind
from mailtrust.core.model.event import Severity
from mailtrust.core.model.server import Endpoint, endpoint
from mailtrust.errors import BadInput


def _url(value: object) -> str:
    url = text(value)
    parts = urlsplit(url)
    _port(parts)
    if parts.hostname is None or parts.username is not None or parts.fragment or not url.isascii():
        raise BadInput(f"{url!r} is not an address", hint="write it as https://alerts.example.test/mail")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname)):
        raise BadInput(f"{url!r} is not safe", hint="only https, or http to this host itself")
    return url


def _port(parts: SplitResult) -> int | None:
    try:
        return parts.port
    except ValueError as error:
        raise BadInput("its port is no number") from error


def is_loopback(host: str) -> bool:
    """True for a name or an address of this host itself."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _smarthost(value: object) -> Endpoint:
    return endpoint(text(value))


def _addresses(value: object) -> tuple[str, ...]:
    found = tuple(map(_address, texts(value)))
    if not found:
        raise BadInput("it names nobody")
    return found


def _address(value: object) -> str:
    address = text(value)
    if not re.fullmatch(r"[^\s<>,;:\"()@]+@[A-Za-z0-9.-]+", address) or not address.isascii():
        raise BadInput(f"{address!r} is not a mail address", hint="write it as postmaster@example.test")
    return address


OUTGOING: tuple[Key, ...] = (
    Key("log", "to", ", ".join(f'"{one}"' for one in Kind), one_of(*Kind), '"auto"',
        "Where the journal's events go as well: auto is systemd's journal where it listens, else syslog, "
        "else, from an agent that no terminal shows, lines of JSON on standard error.  $MAILTRUST_LOG stands "
        "above it."),
    Key("log", "file", PATH, folder, "standard error",
        'The file that lines of JSON are appended to; log.to is "json" then.',
        '"/var/log/mailtrust/events.jsonl"'),
    Key("log", "socket", PATH, folder, "/run/systemd/journal/socket, /dev/log",
        'With log.to = "journald" or "syslog": where it listens, if elsewhere.',
        '"/run/systemd/journal.mail/socket"'),
    Key("notify", "command", "a list of words that start a program", words, "none",
        "What the agent starts for each finding that opens or closes, without a shell; the notice is on its "
        "standard input, as JSON.", '["/usr/local/bin/page-somebody"]'),
    Key("notify", "webhook", "an https URL, or http to this host", _url, "none",
        "Where the same JSON is posted to.", '"https://alerts.example.test/mailtrust"'),
    Key("notify", "webhook_bearer_file", PATH, folder, "none",
        "The file whose first line is sent as the webhook's bearer token.", '"/etc/mailtrust/webhook-token"'),
    Key("notify", "webhook_hmac_file", PATH, folder, "none",
        "The file whose first line is the key that signs what is posted (HMAC-SHA-256).",
        '"/etc/mailtrust/webhook-key"'),
    Key("notify", "webhook_ca_file", PATH, folder, "the system's",
        "The authorities that vouch for the webhook's server.", '"/etc/mailtrust/alerts-ca.pem"'),
    Key("notify", "mail_to", "a list of mail addresses", _addresses, "none",
        "Who gets a mail when findings open and close.", '["postmaster@example.org"]'),
    Key("notify", "mail_from", "a mail address", _address, "mailtrust@ and this server's name",
        "The sender of that mail.", '"mailtrust@example.org"'),
    Key("notify", "smarthost", '"HOST:PORT"', _smarthost, "none",
        "The server that takes that mail.  It has to be one that does not depend on the trust that is "
        "watched here: a provider's submission service, not the next hub.", '"submission.example.org:587"'),
    Key("notify", "smarthost_tls", '"starttls", "tls" or "none"', one_of("starttls", "tls", "none"),
        '"starttls"',
        "How it is spoken to: always with TLS behind STARTTLS, with TLS from the first byte (port 465), or "
        "without any."),
    Key("notify", "smarthost_ca_file", PATH, folder, "the system's",
        "The authorities that vouch for it.", '"/etc/mailtrust/provider-ca.pem"'),
    Key("notify", "smarthost_user", "the name of an account", text, "none",
        "Who we are there; never said without TLS.", '"alerts@example.org"'),
    Key("notify", "smarthost_password_file", PATH, folder, "none",
        "The file whose first line is that account's password.", '"/etc/mailtrust/smarthost-password"'),
    Key("notify", "severity", '"error", "warning" or "information"', one_of(*Severity), '"warning"',
        "The mildest finding that is worth a notice."),
    Key("notify", "hold", DURATION, some_length, '"15m"',
        "How long a finding that opens again and again is kept quiet after it was told."),
    Key("notify", "timeout", DURATION, some_length, '"10s"',
        "How long one delivery may take."),
)  # fmt: skip

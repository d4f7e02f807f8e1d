"""
Every key of the configuration, in one table.

The loader reads by it, `mailtrust init` writes its annotated file from it, and the documentation is
generated from it: a key that stands here is known everywhere, and one that does not is refused.
"""

from __future__ import annotations

import ipaddress
import re
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from mailtrust.config.key import DURATION as _DURATION
from mailtrust.config.key import PATH as _PATH
from mailtrust.config.key import Key as Key
from mailtrust.config.key import folder as _folder
from mailtrust.config.key import length as _length
from mailtrust.config.key import one_of as _one_of
from mailtrust.config.key import some_length as _some_length
from mailtrust.config.key import text as _text
from mailtrust.config.key import texts as _texts
from mailtrust.config.key import words as _words
from mailtrust.config.keys_outgoing import OUTGOING
from mailtrust.config.units import size_bytes
from mailtrust.core.model.server import Endpoint, ServerName, endpoint, server_name
from mailtrust.errors import BadInput
from mailtrust.ldap import names

DISCOVERED = ("in-site", "all")
"""Which domain controllers Active Directory is asked for: those of home's site, or all of its domain."""
LOGS = ("auto", "journal")
"""What stands in place of the file in which Postfix logs: the file that it names, or systemd's journal."""
KEY_KINDS = ("rsa2048", "rsa3072", "rsa4096", "p256", "p384")
"""The keys that `mailtrust new` makes.  Ed25519 is not among them: peers drop it silently."""


def _name(value: object) -> ServerName:
    return server_name(_text(value))


def _endpoints(value: object) -> tuple[Endpoint, ...]:
    return tuple(map(endpoint, _texts(value)))


def _replica(value: object) -> str:
    """A replica's URL; whether we can speak to it is asked where all of them are known."""
    url = _text(value)
    if is_ldap(url):
        return url
    parts = urlsplit(url)
    if parts.scheme != "sqlite" or parts.netloc or not parts.path.strip("/") or parts.query or parts.fragment:
        raise BadInput(
            f"{url!r} is not a replica",
            hint="write sqlite:// and the absolute path, sqlite:///srv/dc1.db, or ldaps://dc1.example.org",
        )
    # As others write it, with four slashes, it is the same file, and must not count as another replica.
    return f"sqlite:///{url.removeprefix('sqlite:').lstrip('/')}"


def is_ldap(url: str) -> bool:
    """True if a server with LDAP stands behind the URL, which then needs the keys for LDAP."""
    return url.partition(":")[0].lower() in ("ldap", "ldaps", "ldapi")


def _entry_name(value: object) -> str:
    text = _text(value)
    if not names.parse(text).steps:
        raise BadInput("it names no entry")
    return text


def _replicas(value: object) -> tuple[str, ...] | str:
    if value in DISCOVERED:
        return str(value)
    return tuple(dict.fromkeys(_replica(one) for one in _texts(value)))


def _latency(value: object) -> timedelta | None:
    return None if value == "auto" else _length(value)


def _switch(value: object) -> bool:
    if not isinstance(value, bool):
        raise BadInput("it is neither true nor false")
    return value


def _days(value: object) -> int:
    if type(value) is not int or not 1 <= value <= 36500:
        raise BadInput("it is not a number of days")
    return value


def _size(value: object) -> int:
    count = size_bytes(_text(value))
    if not count:
        raise BadInput("it is nothing", hint="it must be more than nothing")
    return count


def _domains(value: object) -> tuple[str, ...]:
    return tuple(server_name(one) for one in _texts(value))


def _routes(value: object) -> dict[str, Endpoint]:
    if not isinstance(value, dict):
        raise BadInput("it is not a table")
    names = {domain: domain if domain == "*" else server_name(domain) for domain in value}
    return {names[domain]: endpoint(_text(hop)) for domain, hop in value.items()}


def _next_hops(value: object) -> dict[str, tuple[ServerName, ...]]:
    if not isinstance(value, dict):
        raise BadInput("it is not a table")
    hops = {_next_hop(hop): tuple(map(server_name, _texts(servers))) for hop, servers in value.items()}
    if len(hops) < len(value) or not all(hops.values()):
        raise BadInput("it is ambiguous", hint="each next hop stands there once, with at least one server")
    return hops


def _next_hop(value: object) -> str:
    text = _text(value)
    if not re.fullmatch(r"[!-~]{1,255}", text):
        raise BadInput(
            f"{text!r} is not a next hop", hint="write it as the transport table has it, as [192.0.2.7]:25"
        )
    # Postfix looks tables up in lower case, whatever the transport table has.
    return text.lower()


def _socket_or_words(value: object) -> Path | tuple[str, ...]:
    return _folder(value) if isinstance(value, str) else _words(value)


def _peer_modes(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        raise BadInput("it is not a table")
    read = _one_of("report", "enforce")
    return {_text(peer): read(mode) for peer, mode in value.items()}


def _log(value: object) -> str:
    text = _text(value)
    return text if text in LOGS else str(_folder(text))


def _listening(value: object) -> Endpoint:
    return endpoint(_text(value))


def _host_names(value: object) -> tuple[str, ...]:
    return tuple(endpoint(f"{one}:1").host for one in _texts(value))


def _addresses(value: object) -> tuple[str, ...]:
    try:
        return tuple(str(ipaddress.ip_address(one)) for one in _texts(value))
    except ValueError as error:
        raise BadInput("it is not a list of addresses") from error


def _header(value: object) -> str:
    text = _text(value)
    if not re.fullmatch(r"[A-Za-z0-9-]{1,64}", text):
        raise BadInput(f"{text!r} is no header's name")
    return text


_SWITCH = "true or false"
_URL = 'the URL of a replica, such as "sqlite:///srv/dc1.db" or "ldaps://dc1.example.test"'
_LISTENERS = 'a list of "HOST:PORT" (an IPv6 address in brackets)'

KEYS: tuple[Key, ...] = (
    Key("server", "name", "a fully qualified domain name", _name, "this host's",
        "The mail server this configuration is for: its certificates carry this name.",
        '"hub1.example.test"'),
    Key("server", "store", _PATH, _folder, '"/var/lib/mailtrust"',
        "The folder of its keys and certificates, and of the journal, the trust snapshot and the queue."),
    Key("server", "listeners", _LISTENERS, _endpoints, '["NAME:25"]',
        "Where it presents its certificate over SMTP, for `check` to look; [] = nothing to probe.",
        '["hub1.example.test:25"]'),
    Key("directory", "home", _URL, _replica, '"sqlite:///var/lib/mailtrust/directory.db"',
        "The replica that this server reads, and believes its peers by."),
    Key("directory", "primary", _URL, _replica, "home",
        "The replica that takes this server's writes.", '"sqlite:///srv/dc1.db"'),
    Key("directory", "replicas", 'a list of URLs of replicas, "in-site" or "all"', _replicas,
        "home and primary; in Active Directory in-site",
        "Every replica of the directory; home and primary always belong to it.  In Active Directory the "
        "controllers of home's site, or all of its domain, are found through the directory itself.",
        '["sqlite:///srv/dc1.db", "sqlite:///srv/dc2.db"]'),
    Key("directory", "latency", f'{_DURATION}, or "auto"', _latency,
        "15m; in Active Directory auto, from its sites and site links",
        "How long replication may take before a publication counts as overdue.", '"15m"'),
    Key("directory", "base", "a distinguished name", _entry_name, "none",
        "LDAP only: the entry below which the servers' entries stand; in Active Directory, where not in the "
        "whole domain.", '"ou=mail,dc=example,dc=test"'),
    Key("directory", "layout", '"standard", "computer" or "exchange"',
        _one_of("standard", "computer", "exchange"), '"standard"',
        "LDAP only: how a server's certificates are laid out: standard (OpenLDAP, 389 DS), computer (Active "
        "Directory, Samba), exchange (what Exchange publishes; only its audit reads it)."),
    Key("directory", "members", "a distinguished name", _entry_name, "none",
        "Active Directory only: the group or OU whose computers are mail servers; no other is believed.",
        '"cn=Mail Servers,dc=example,dc=test"'),
    Key("directory", "ca_file", _PATH, _folder, "the system's",
        "LDAP only: the authorities that vouch for the directory servers.",
        '"/etc/mailtrust/directory-ca.pem"'),
    Key("directory", "bind", '"simple", "external" or "kerberos"',
        _one_of("simple", "external", "kerberos"), "none",
        "LDAP only: how we say who we are; without it, as nobody.", '"simple"'),
    Key("directory", "bind_dn", "a distinguished name", _text, "none",
        "LDAP only: the account of a simple bind.", '"cn=mailtrust,dc=example,dc=test"'),
    Key("directory", "password_file", _PATH, _folder, "none",
        "LDAP only: the file whose first line is the password of a simple bind.",
        '"/etc/mailtrust/directory-password"'),
    Key("directory", "password_keyring", "the name of a service", _text, "none",
        "LDAP only: the service under which the key ring of whoever runs mailtrust keeps the password of "
        "bind_dn, instead of password_file.", '"mailtrust"'),
    Key("directory", "client_certificate", _PATH, _folder, "none",
        "LDAP only: the key and certificate (PEM) of an external bind.", '"/etc/mailtrust/directory.pem"'),
    Key("directory", "principal", "a Kerberos principal", _text, "that of the ticket or the key",
        "LDAP only: the account of a Kerberos bind, with a ticket in the cache of whoever runs mailtrust, "
        "or a key in the keytab.", '"HUB1$@EXAMPLE.TEST"'),
    Key("directory", "keytab", _PATH, _folder, "none",
        "LDAP only: the file with the key by which a Kerberos bind fetches tickets as it needs them.",
        '"/etc/mailtrust/hub1.keytab"'),
    Key("policy", "key", "one of " + ", ".join(f'"{kind}"' for kind in KEY_KINDS), _one_of(*KEY_KINDS),
        '"rsa2048"', "The key of new certificates."),
    Key("policy", "days", "a whole number of days, 1 to 36500", _days, "1825",
        "How long new certificates are valid."),
    Key("policy", "expires_soon", _DURATION, _length, "90d, or a third of its life if shorter",
        "How long before the end of a certificate to begin warning.", '"90d"'),
    Key("policy", "rotate", '"planned" or "manual"', _one_of("planned", "manual"), '"planned"',
        "Whether the agent begins a rotation by itself in time before a certificate ends (planned), or only "
        "when it is asked for (manual); the next certificate is made and published either way."),
    Key("policy", "spread", _DURATION, _length, '"30m"',
        "Rotations: hold still that long after every replica has it; at least snapshot_max_age."),
    Key("policy", "settle", _DURATION, _length, '"1h"',
        "Rotations: hold still that long after every listener presents it, before the old one is "
        "withdrawn."),
    Key("policy", "snapshot_max_age", _DURATION, _some_length, '"30m"',
        "A trust snapshot older than this is stale."),
    Key("policy", "probe_timeout", _DURATION, _some_length, '"10s"',
        "How long one look at a listener or a replica may take."),
    Key("agent", "every", _DURATION, _some_length, '"30s"',
        "How often the agent looks even if nothing tells it that something changed."),
    Key("agent", "enrol", _SWITCH, _switch, "false",
        "Whether the agent makes, publishes and presents the first certificate of a server by itself: where "
        "its store is empty and no replica publishes anything for it."),
    Key("agent", "replicate", _SWITCH, _switch, "false",
        "Embedded directory: whether the agent unites the replicas, as `mailtrust directory replicate` "
        "does."),
    Key("agent", "hub", _SWITCH, _switch, "false",
        'Whether the agent runs the embedded transport (transport.kind = "hub") in its own process.'),
    Key("transport", "kind", '"hub", "postfix", "exim" or "none"', _one_of("hub", "postfix", "exim", "none"),
        '"none"',
        "What presents the certificate here and believes peers by the directory."),
    Key("transport", "mode", '"report" or "enforce"', _one_of("report", "enforce"),
        "enforce (hub), report (postfix)",
        "Whether peers whose key nobody publishes are deferred, or only counted.  In report mode a hub takes "
        "their mail for its local domains and for routes that name a domain, and none by the route *.",
        '"report"'),
    Key("transport", "peer_modes", 'a table such as {"192.0.2.7" = "report"}', _peer_modes, "{}",
        "The mode towards single peers, by their address; a next hop by its host as the route has it."),
    Key("transport", "accept_local_from", '"peers" or "anybody"', _one_of("peers", "anybody"), '"peers"',
        "Hub: whether mail for its local domains is taken from anybody, or from known peers only."),
    Key("transport", "on_stale", '"keep" or "defer"', _one_of("keep", "defer"), '"keep"',
        "Whether a stale snapshot still vouches for known peers, or defers them.  To defer works only while "
        "mailtrust runs: the hub, or with Postfix the agent."),
    Key("transport", "bind", _LISTENERS, _endpoints, "the listeners",
        "Hub: the addresses that it listens on.", '["0.0.0.0:25"]'),
    Key("transport", "local_domains", "a list of domains", _domains, "[]",
        "Hub: the domains whose mail ends here."),
    Key("transport", "maildir", _PATH, _folder, "STORE/mail",
        "Hub: the folder of the mailboxes.", '"/var/lib/mailtrust/mail"'),
    Key("transport", "routes", 'a table such as {"example.test" = "hub2.example.test:25"}', _routes, "{}",
        "Hub: the next hop of each domain that is not local; * stands for every other one."),
    Key("transport", "queue_lifetime", _DURATION, _some_length, '"5d"',
        "Hub: how long a message is tried before its sender is told."),
    Key("transport", "message_size", 'a size such as "50 MiB"', _size, '"50 MiB"',
        "Hub: the largest message it takes."),
    Key("transport", "postfix", _PATH, _folder, '"/etc/postfix"',
        "Postfix: the configuration directory of the instance."),
    Key("transport", "tables", _PATH, _folder, "STORE/postfix, STORE/exim",
        "Postfix, Exim: the folder of the tables and of the chain file; root's alone, as every one above it.",
        '"/var/lib/mailtrust/postfix"'),
    Key("transport", "helper", "the absolute path of a socket, or a list of words that start a program",
        _socket_or_words, '"/run/mailtrust/postfix-helper.sock"',
        "Postfix: where root's part is asked to write the tables and the chain file, and to reload, by an "
        "account that may not; root does it itself."),
    Key("transport", "next_hops", 'a table such as {"[192.0.2.7]:25" = ["hub2.example.test"]}', _next_hops,
        "{}",
        "Postfix, Exim: the servers that may answer at each next hop, which is written exactly as in the "
        "transport table, or in Exim's route_list."),
    Key("transport", "log", f'{_PATH}, "journal" or "auto"', _log, '"auto"',
        "Postfix: where it logs, for `report` to read; auto is the file that it names, else the system's "
        "mail log, else systemd's journal."),
    Key("web", "listen", '"HOST:PORT" (an IPv6 address in brackets)', _listening, '"127.0.0.1:12012"',
        "Where the dashboard listens, by `mailtrust dashboard` and `mailtrust agent --web`.  On other than a "
        "loopback address it needs token_file or proxy_header."),
    Key("web", "names", "a list of host names", _host_names, "[]",
        "The host names under which the dashboard is opened, besides localhost and the one it listens on; "
        "any other is refused."),
    Key("web", "token_file", _PATH, _folder, "none",
        "A file with the token that the dashboard asks for, as the password of any name or as a Bearer "
        "token.",
        '"/etc/mailtrust/dashboard.token"'),
    Key("web", "proxy_header", "the name of a header", _header, "none",
        "The header in which a reverse proxy says who asks; without it nothing is answered, unless the token "
        "is shown.", '"X-Remote-User"'),
    Key("web", "proxies", "a list of addresses", _addresses, '["127.0.0.1", "::1"]',
        "The addresses from which the reverse proxy asks, and that header is believed."),
    *OUTGOING,
)  # fmt: skip

TABLES = tuple(dict.fromkeys(key.table for key in KEYS))

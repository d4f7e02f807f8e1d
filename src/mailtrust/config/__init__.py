"""
The configuration: TOML in, typed values out, and nothing that cannot be safe.

Every path and every sqlite URL is absolute, so that a file means the same from every folder.  Without
any file the defaults of `mailtrust.config.keys` hold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Literal

from mailtrust.config.annotated import annotated
from mailtrust.config.document import Document
from mailtrust.config.keys import KEYS, Key, is_ldap
from mailtrust.config.ldap import refuse_half_an_ldap
from mailtrust.config.outgoing import Log, Notify, log_table, notify_table
from mailtrust.config.units import duration, size_bytes, write_duration, write_size
from mailtrust.core.model.server import Endpoint, ServerName, server_name
from mailtrust.core.policy import Policy
from mailtrust.errors import BadConfiguration, BadInput

__all__ = [
    "KEYS", "USUAL_FILE", "Agent", "Config", "Directory", "Key", "Log", "Notify", "Server", "Thresholds",
    "Transport", "Web", "annotated", "duration", "find", "is_ldap", "load", "parse", "size_bytes",
    "write_duration", "write_size",
]  # fmt: skip

USUAL_FILE = Path("/etc/mailtrust/mailtrust.toml")
_USUAL_LATENCY = timedelta(minutes=15)
Which = Literal["named", "in-site", "all"]


@dataclass(frozen=True, slots=True)
class Server:
    """Who we are, what we keep, and where we present."""

    name: ServerName
    store: Path
    listeners: tuple[Endpoint, ...]


@dataclass(frozen=True, slots=True)
class Directory:
    """The replicas, and how long they may take to agree."""

    home: str
    primary: str
    replicas: tuple[str, ...]
    """All of them, home and primary included; each once."""
    latency: timedelta | None
    """None: 15 minutes, or in Active Directory computed from its site links."""
    which: Which = "named"
    """Which replicas are looked at besides these."""
    base: str = ""
    layout: str = "standard"
    members: str = ""
    ca_file: Path | None = None
    bind: str = ""
    bind_dn: str = ""
    password_file: Path | None = None
    password_keyring: str = ""
    client_certificate: Path | None = None
    principal: str = ""
    keytab: Path | None = None


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What is new, what is soon, what is too long."""

    key: str
    days: int
    expires_soon: timedelta | None
    rotate: str
    spread: timedelta
    settle: timedelta
    snapshot_max_age: timedelta
    probe_timeout: timedelta


@dataclass(frozen=True, slots=True)
class Agent:
    """What the agent may do unasked, and how often it looks."""

    every: timedelta
    enrol: bool
    replicate: bool
    hub: bool


@dataclass(frozen=True, slots=True)
class Transport:
    """What presents and believes here: the hub, or from *postfix* on Postfix."""

    kind: str
    mode: str
    peer_modes: Mapping[str, str]
    accept_local_from: str
    on_stale: str
    bind: tuple[Endpoint, ...]
    local_domains: tuple[str, ...]
    maildir: Path
    routes: Mapping[str, Endpoint]
    queue_lifetime: timedelta
    message_size_bytes: int
    postfix: Path
    """The configuration directory of the instance."""
    tables: Path
    helper: Path | tuple[str, ...]
    next_hops: Mapping[str, tuple[ServerName, ...]]
    log: str
    """Where it logs: a file, or one of keys.LOGS."""


@dataclass(frozen=True, slots=True)
class Web:
    """Where the dashboard listens, and whom it answers."""

    listen: Endpoint
    names: tuple[str, ...]
    token_file: Path | None
    proxy_header: str
    proxies: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Config:
    """Everything an administrator may decide, with the defaults filled in."""

    server: Server
    directory: Directory
    policy: Thresholds
    transport: Transport
    agent: Agent
    web: Web
    log: Log = field(default_factory=Log)
    notify: Notify = field(default_factory=Notify)
    file: Path | None = None
    """Where it was read from; None where there is no file and the defaults hold."""

    def core_policy(self) -> Policy:
        """The thresholds as the checks take them."""
        return Policy(
            latency=_USUAL_LATENCY if self.directory.latency is None else self.directory.latency,
            expires_soon=self.policy.expires_soon,
            spread=self.policy.spread,
            settle=self.policy.settle,
            snapshot_max_age=self.policy.snapshot_max_age,
            rotates_when_due=self.policy.rotate == "planned",
        )


def find(path: Path | None, environment: Mapping[str, str], here: Path = Path()) -> Path | None:
    """
    The file that holds: *path*, else ``$MAILTRUST_CONFIG``, else ``mailtrust.toml`` in *here*, else in
    ``/etc/mailtrust``; None where there is none.  One that was named is not looked for elsewhere.
    """
    if path is not None:
        return path
    if named := environment.get("MAILTRUST_CONFIG"):
        return Path(named)
    usual = (here / "mailtrust.toml", USUAL_FILE)
    return next((one for one in usual if one.exists()), None)


def load(
    path: Path | None, environment: Mapping[str, str], *, default_name: Callable[[], str], here: Path = Path()
) -> Config:
    """
    The configuration by `find`, or the defaults where there is no file.

    *default_name* is asked for this host's name only where the file does not say it.
    Raises: BadConfiguration, with the key, the line and what was expected.
    """
    file = find(path, environment, here)
    document = Document.read(file) if file is not None else Document.empty()
    return _config(document, default_name, environment)


def parse(text: str, file: Path) -> Config:
    """The configuration that *file* would be; it must name its server.  Raises: BadConfiguration."""
    return _config(Document.parse(text, file), lambda: "", {})


def _config(document: Document, default_name: Callable[[], str], environment: Mapping[str, str]) -> Config:
    server = _server(document, default_name)
    return Config(
        server, _directory(document), _thresholds(document), _transport(document, server), _agent(document),
        _web(document), log_table(document, environment), notify_table(document, server.name), document.file,
    )  # fmt: skip


def _server(document: Document, default_name: Callable[[], str]) -> Server:
    name = document.get("server.name") or _host_name(default_name)
    listeners = document.get("server.listeners")
    return Server(
        name, document.get("server.store"), (Endpoint(name, 25),) if listeners is None else listeners
    )


def _host_name(default_name: Callable[[], str]) -> ServerName:
    name = default_name()
    try:
        return server_name(name)
    except BadInput as error:
        raise BadConfiguration(
            f"this host calls itself {name!r}, which is not a fully qualified name",
            hint="set server.name, or write a configuration with `mailtrust init --name FQDN`",
        ) from error


def _directory(document: Document) -> Directory:
    home = document.get("directory.home")
    primary = document.get("directory.primary") or home
    said = document.get("directory.replicas")
    named = () if said is None or isinstance(said, str) else said
    replicas = tuple(dict.fromkeys((home, primary, *named)))
    refuse_half_an_ldap(document, tuple(url for url in replicas if is_ldap(url)))
    layout = document.get("directory.layout")
    in_ad = layout == "computer" and is_ldap(home)
    return Directory(
        home=home,
        primary=primary,
        replicas=replicas,
        latency=document.get("directory.latency"),
        which=_which(said, in_ad=in_ad),
        base=document.get("directory.base") or "",
        layout=layout,
        members=document.get("directory.members") or "",
        ca_file=document.get("directory.ca_file"),
        bind=document.get("directory.bind") or "",
        bind_dn=document.get("directory.bind_dn") or "",
        password_file=document.get("directory.password_file"),
        password_keyring=document.get("directory.password_keyring") or "",
        client_certificate=document.get("directory.client_certificate"),
        principal=document.get("directory.principal") or "",
        keytab=document.get("directory.keytab"),
    )


def _which(said: object, *, in_ad: bool) -> Which:
    match said:
        case "in-site" | "all":
            return said
        case None if in_ad:
            return "in-site"
        case _:
            return "named"


def _thresholds(document: Document) -> Thresholds:
    thresholds = Thresholds(
        key=document.get("policy.key"),
        days=document.get("policy.days"),
        expires_soon=document.get("policy.expires_soon"),
        rotate=document.get("policy.rotate"),
        spread=document.get("policy.spread"),
        settle=document.get("policy.settle"),
        snapshot_max_age=document.get("policy.snapshot_max_age"),
        probe_timeout=document.get("policy.probe_timeout"),
    )
    if thresholds.spread < thresholds.snapshot_max_age:
        # A peer may decide by a snapshot of that age: it would meet a key it has not read about.
        blamed = "policy.spread" if document.says("policy.spread") else "policy.snapshot_max_age"
        raise document.unfit(
            blamed,
            f"policy.spread ({write_duration(thresholds.spread)}) must be at least policy.snapshot_max_age "
            f"({write_duration(thresholds.snapshot_max_age)})",
            hint="a peer may judge by a snapshot of that age; raise spread, or lower snapshot_max_age",
        )
    return thresholds


def _agent(document: Document) -> Agent:
    if document.get("agent.hub") and document.get("transport.kind") != "hub":
        raise document.unfit(
            "agent.hub", 'agent.hub is true, and transport.kind is not "hub"',
            hint='set transport.kind = "hub", or leave agent.hub away',
        )  # fmt: skip
    return Agent(
        every=document.get("agent.every"),
        enrol=document.get("agent.enrol"),
        replicate=document.get("agent.replicate"),
        hub=document.get("agent.hub"),
    )


def _web(document: Document) -> Web:
    return Web(
        listen=document.get("web.listen"),
        names=document.get("web.names"),
        token_file=document.get("web.token_file"),
        proxy_header=document.get("web.proxy_header") or "",
        proxies=document.get("web.proxies"),
    )


def _transport(document: Document, server: Server) -> Transport:
    kind = document.get("transport.kind")
    bind = document.get("transport.bind")
    return Transport(
        kind=kind,
        mode=document.get("transport.mode") or ("report" if kind == "postfix" else "enforce"),
        peer_modes=document.get("transport.peer_modes"),
        accept_local_from=document.get("transport.accept_local_from"),
        on_stale=document.get("transport.on_stale"),
        bind=server.listeners if bind is None else bind,
        local_domains=document.get("transport.local_domains"),
        maildir=document.get("transport.maildir") or server.store / "mail",
        routes=document.get("transport.routes"),
        queue_lifetime=document.get("transport.queue_lifetime"),
        message_size_bytes=document.get("transport.message_size"),
        postfix=document.get("transport.postfix"),
        tables=document.get("transport.tables") or server.store / ("exim" if kind == "exim" else "postfix"),
        helper=document.get("transport.helper"),
        next_hops=document.get("transport.next_hops"),
        log=document.get("transport.log"),
    )

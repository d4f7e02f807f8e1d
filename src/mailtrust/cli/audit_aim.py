"""From what was typed, the configuration and the environment to what the audit looks at."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from mailtrust.agent.audit import Aim, Controllers
from mailtrust.cli.frame import Session, UsageError
from mailtrust.config import Directory, duration, find
from mailtrust.config.keys import is_ldap
from mailtrust.core.model.server import Endpoint, endpoint
from mailtrust.errors import BadInput

if TYPE_CHECKING:
    import typer

_NEEDS = {"simple": ("bind_dn", "password_file"), "external": ("client_certificate",)}


@dataclass(frozen=True, slots=True)
class Asked:
    """What was typed."""

    controllers: tuple[str, ...]
    replicas: str
    servers: tuple[str, ...]
    at: tuple[str, ...]
    timeout: str
    ca_file: Path | None
    bind: str
    bind_dn: str
    password_file: Path | None
    client_certificate: Path | None


def aim_of(asked: Asked, here: Session, context: typer.Context) -> Aim:
    """
    What to look at: as it was typed; else as the configuration has it; on Windows, the logon server.

    Raises: UsageError for words that cannot be meant; BadInput where no domain controller is known.
    """
    which = asked.replicas.strip()
    listed = which not in (Controllers.IN_SITE, Controllers.ALL)
    return Aim(
        _directory(asked, here, context),
        Controllers.LISTED if listed else Controllers(which),
        tuple(one.strip() for one in which.split(",") if one.strip()) if listed else (),
        asked.servers,
        _places(asked.at, context),
        duration(asked.timeout),
    )


def knows_a_configuration(here: Session) -> bool:
    """True if there is a configuration, also one that is not about a directory with LDAP."""
    return find(here.config_file, os.environ) is not None


def _directory(asked: Asked, here: Session, context: typer.Context) -> Directory:
    bind = _bind(asked)
    for needed in _NEEDS.get(bind, ()):
        if not getattr(asked, needed):
            raise UsageError(f"--bind {bind} needs --{needed.replace('_', '-')} as well", ctx=context)
    configured = _configured(here)
    if asked.controllers:
        urls = tuple(map(_url, asked.controllers))
        return _typed(asked, urls) if configured is None else _over(configured, asked, urls)
    if configured is not None:
        return _over(configured, asked, configured.replicas)
    if logon := _logon_server(os.environ):
        # Windows signs and seals what it says by Kerberos, on the port that every controller has open.
        return _typed(asked, (f"ldap://{logon}",))
    raise BadInput(
        "it is not known where a domain controller is",
        hint="mailtrust audit exchange --controller ldaps://dc1.corp.example",
    )


def _configured(here: Session) -> Directory | None:
    """What the configuration says of a directory with LDAP, if there is one."""
    if not knows_a_configuration(here):
        return None
    configured = here.config().directory
    return configured if is_ldap(configured.home) else None


def _over(configured: Directory, asked: Asked, urls: tuple[str, ...]) -> Directory:
    """What was typed, over the configuration: an account is taken from one of them as a whole."""
    signs_in = asked.bind or any(getattr(asked, one) for needed in _NEEDS.values() for one in needed)
    if signs_in:
        return replace(_typed(asked, urls), ca_file=asked.ca_file or configured.ca_file)
    ca_file = asked.ca_file or configured.ca_file
    return replace(configured, home=urls[0], primary=urls[0], replicas=urls, ca_file=ca_file)


def _typed(asked: Asked, urls: tuple[str, ...]) -> Directory:
    return Directory(
        urls[0], urls[0], urls, None, layout="exchange", ca_file=asked.ca_file, bind=_bind(asked),
        bind_dn=asked.bind_dn, password_file=asked.password_file, client_certificate=asked.client_certificate,
    )  # fmt: skip


def _bind(asked: Asked) -> str:
    """As it was typed; else by what only one kind takes.  Without an account nobody reads the directory."""
    given = (kind for kind, needed in _NEEDS.items() if any(getattr(asked, one) for one in needed))
    return asked.bind or next(given, "kerberos")


def _url(text: str) -> str:
    url = text if "://" in text else f"ldaps://{text}"
    if not is_ldap(url):
        raise BadInput(f"{text!r} is not a domain controller", hint="write ldaps://dc1.corp.example")
    return url


def _logon_server(environment: Mapping[str, str]) -> str:
    """The controller that this Windows session was opened by; empty elsewhere."""
    name = environment.get("LOGONSERVER", "").lstrip("\\")
    domain = environment.get("USERDNSDOMAIN", "")
    return f"{name}.{domain}".lower() if name and domain else ""


def _places(at: tuple[str, ...], context: typer.Context) -> Mapping[str, tuple[Endpoint, ...]]:
    places: dict[str, tuple[Endpoint, ...]] = {}
    for one in at:
        name, equals, where = one.partition("=")
        if not equals or not name.strip():
            raise UsageError(f"--at {one!r} is not NAME=HOST:PORT", ctx=context)
        key = name.strip().lower()
        places[key] = (*places.get(key, ()), endpoint(where))
    return places

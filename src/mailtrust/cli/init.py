"""`mailtrust init`: look around, then write an annotated configuration."""

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from mailtrust.certificates.store import Store
from mailtrust.cli.files import write_file
from mailtrust.cli.frame import DryRunOption, JsonOption, Session, YesOption, confirm, given, session
from mailtrust.cli.init_directory import Asked, ask
from mailtrust.cli.output import emit, fields, say
from mailtrust.cli.program import application
from mailtrust.config import KEYS, annotated, find, is_ldap, parse
from mailtrust.core.model.server import ServerName, endpoint, server_name
from mailtrust.errors import BadInput, Refused, StoreUnavailable

app = application()

_USUAL = Path("/etc/mailtrust/mailtrust.toml")
_USUAL_STORE = Path("/var/lib/mailtrust")
_CONNECT_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is here already."""

    configuration: Path | None
    name: ServerName
    store: Path
    certificates: int | None
    """None where the store is not there yet, or cannot be read."""
    smtp: bool
    """Something answers on port 25 of this host."""


@app.command(epilog="Example: mailtrust init --name hub1.example.test --replica sqlite:///srv/dc1.db")
def init(
    context: typer.Context,
    *,
    name: Annotated[str | None, given("The server's name. Default: this host's.", metavar="FQDN")] = None,
    store: Annotated[
        Path | None, given("Its store. Default: /var/lib/mailtrust, or beside the file.", metavar="FOLDER")
    ] = None,
    replica: Annotated[
        list[str] | None,
        given("A replica of the directory; the first is home. Repeatable.", metavar="URL"),
    ] = None,
    listener: Annotated[
        list[str] | None,
        given("Where it presents. Repeatable. Default: its port 25, if it answers.", metavar="HOST:PORT"),
    ] = None,
    primary: Annotated[
        str | None, given("The replica that takes its writes. Default: home.", metavar="URL")
    ] = None,
    base: Annotated[str | None, given("LDAP: the entry below which servers stand.", metavar="DN")] = None,
    layout: Annotated[
        str | None, given("LDAP: standard (OpenLDAP, 389 DS) or computer (Active Directory).", metavar="NAME")
    ] = None,
    members: Annotated[
        str | None, given("Active Directory: the group or OU of the mail servers.", metavar="DN")
    ] = None,
    ca_file: Annotated[
        Path | None, given("LDAP: who vouches for its servers. Default: the system's.", metavar="FILE")
    ] = None,
    bind: Annotated[str | None, given("LDAP: simple, external or kerberos.", metavar="HOW")] = None,
    bind_dn: Annotated[str | None, given("The account of a simple bind.", metavar="DN")] = None,
    password_file: Annotated[
        Path | None, given("Its first line is the password of a simple bind.", metavar="FILE")
    ] = None,
    password_keyring: Annotated[
        str | None, given("The service under which a key ring has that password.", metavar="NAME")
    ] = None,
    client_certificate: Annotated[
        Path | None, given("The key and certificate of an external bind.", metavar="FILE")
    ] = None,
    principal: Annotated[str | None, given("The account of a Kerberos bind.", metavar="NAME")] = None,
    keytab: Annotated[Path | None, given("The key of a Kerberos bind.", metavar="FILE")] = None,
    output: Annotated[Path | None, given("Where to write the configuration.", metavar="FILE")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a configuration that is there.")] = False,
    json_output: JsonOption = False,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
) -> None:
    """
    Look around on this host, write an annotated configuration, and say what comes next.

    In an LDAP directory it makes this server's entry as well, where its account may.
    """
    directory: dict[str, object] = {
        "primary": primary, "base": base, "layout": layout, "members": members, "ca_file": ca_file,
        "bind": bind, "bind_dn": bind_dn, "password_file": password_file,
        "password_keyring": password_keyring, "client_certificate": client_certificate,
        "principal": principal, "keytab": keytab,
    }  # fmt: skip
    here = session(context)
    file = (output or here.config_file or _usual_file()).absolute()
    seen = _look(here, name, store, file)
    text = annotated(_chosen(seen, replica or [], listener, directory))
    written = parse(text, file)
    if dry_run and not json_output:
        say(text)
        return
    if not dry_run:
        _write(file, text, force=force, yes=yes)
    asked = ask(written) if not dry_run and is_ldap(written.directory.home) else None
    if json_output:
        emit({
            "schema": "mailtrust.init/1", "file": str(file), "written": not dry_run, "name": seen.name,
            "store": str(seen.store), "home": written.directory.home,
            "replicas": list(written.directory.replicas),
            "listeners": [str(one) for one in written.server.listeners], "next": _next(file, seen),
            "directory": asked.report() if asked else None,
        })  # fmt: skip
    else:
        _tell(file, seen, asked, is_probed=bool(written.server.listeners))


def _look(here: Session, name: str | None, store: Path | None, file: Path) -> Surroundings:
    found = find(here.config_file, os.environ)
    folder = (store or _usual_store(file)).absolute()
    return Surroundings(
        found if found is not None and found.exists() else None,
        _name(name), folder, _certificates(folder), _answers_smtp(),
    )  # fmt: skip


def _name(given: str | None) -> ServerName:
    if given is not None:
        return server_name(given)
    host = socket.getfqdn()
    try:
        return server_name(host)
    except BadInput as error:
        raise BadInput(
            f"this host calls itself {host!r}, which is not a fully qualified name",
            hint="say who it is: mailtrust init --name hub1.example.test",
        ) from error


def _usual_file() -> Path:
    folder = _USUAL.parent if _USUAL.parent.exists() else _USUAL.parent.parent
    return _USUAL if os.access(folder, os.W_OK) else Path("mailtrust.toml")


def _usual_store(file: Path) -> Path:
    """The usual folder where this account may write to it; else one beside the configuration."""
    folder = _USUAL_STORE if _USUAL_STORE.exists() else _USUAL_STORE.parent
    return _USUAL_STORE if os.access(folder, os.W_OK) else file.parent / "mailtrust-store"


def _certificates(folder: Path) -> int | None:
    try:
        return len(Store(folder).installed()) if folder.exists() else None
    except StoreUnavailable:
        return None


def _answers_smtp() -> bool:
    try:
        with socket.create_connection(("127.0.0.1", 25), timeout=_CONNECT_SECONDS):
            return True
    except OSError:
        return False


def _chosen(
    seen: Surroundings, replicas: list[str], listeners: list[str] | None, directory: Mapping[str, object]
) -> dict[str, Any]:
    readers = {key.path: key.read for key in KEYS}
    readers["directory.replicas"](replicas)
    homes = replicas or [f"sqlite://{seen.store}/directory.db"]
    chosen: dict[str, Any] = {
        "server.name": seen.name, "server.store": str(seen.store), "directory.home": homes[0],
    }  # fmt: skip
    if len(homes) > 1:
        chosen["directory.replicas"] = homes
    for name, value in directory.items():
        if value is not None:
            chosen[f"directory.{name}"] = str(value.absolute() if isinstance(value, Path) else value)
    if listeners is not None:
        chosen["server.listeners"] = [str(endpoint(one)) for one in listeners]
    else:
        chosen["server.listeners"] = [f"{seen.name}:25"] if seen.smtp else []
    return chosen


def _write(file: Path, text: str, *, force: bool, yes: bool) -> None:
    if file.exists():
        if not force:
            raise Refused(
                f"{file} is there already; nothing was changed",
                hint="edit it, write another one with --output FILE, or overwrite it with --force",
            )
        confirm(f"Overwrite {file}?", yes=yes)
    if file == _USUAL:
        file.parent.mkdir(mode=0o755, exist_ok=True)
    write_file(file, text.encode(), secret=False)


def _next(file: Path, seen: Surroundings) -> list[str]:
    found = find(None, os.environ)
    is_found = found is not None and found.absolute() == file
    there = Session(None if is_found else file)
    made = [] if seen.certificates else [there.command("new")]
    return [*made, there.command("enable", "CERTIFICATE"), there.command("check")]


def _tell(file: Path, seen: Surroundings, asked: Asked | None, *, is_probed: bool) -> None:
    held = {None: "not there yet", 0: "no certificate in it", 1: "one certificate in it"}
    certificates = held.get(seen.certificates, f"{seen.certificates} certificates in it")
    silent = "nothing answers here" if is_probed else "nothing answers here, so nothing is probed"
    say("looked around:")
    say(fields([
        ("configuration", str(seen.configuration or "none so far")),
        ("name", seen.name),
        ("store", f"{seen.store} ({certificates})"),
        ("port 25", "answers, and is checked" if seen.smtp else silent),
    ]))  # fmt: skip
    say(f"wrote {file}", "green")
    if asked is not None:
        asked.tell()
    say("next:")
    for command in _next(file, seen):
        say(f"  {command}")

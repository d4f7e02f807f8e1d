"""
Changing master.cf, and nothing else of a Postfix: planned first, shown, and then written at one stroke.

Before anything is written Postfix's own tool reads the file as it would be: every service that is not ours
must be there as it was, to the letter.
"""

from __future__ import annotations

import difflib
import errno
import ipaddress
import re
import shutil
import socket
import tempfile
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mailtrust import durable
from mailtrust.core.model.server import Endpoint, is_address
from mailtrust.errors import BadInput, Refused, TransportUnavailable
from mailtrust.transports.postfix import postconf
from mailtrust.transports.postfix.block import Kept, find, with_block, without_block
from mailtrust.transports.postfix.configuration import Configuration, Program
from mailtrust.transports.postfix.doctor.restrictions import LISTS, Client, Outcome, decide
from mailtrust.transports.postfix.master_cf import entries
from mailtrust.transports.postfix.ours import Wanted

_FIRST = (3, 4)
_UNENDED = "\\ No newline at end of file"
_TASTE = ("syslog_name", "smtpd_tls_loglevel", "smtp_tls_loglevel", LISTS[0])
"""What a service may have as it likes; the restrictions are judged by what they come to."""


@dataclass(frozen=True, slots=True)
class Change:
    """What master.cf is, and what it would be."""

    file: Path
    before: str
    after: str
    ours: frozenset[str] = frozenset()
    """The keys of the services that may come, go or change by it."""
    kept: tuple[Kept, ...] = ()
    """Lines of ours that somebody edited, and that stay."""

    @property
    def needed(self) -> bool:
        """False where everything is as it shall be."""
        return self.before != self.after

    def diff(self) -> str:
        """As ``diff -u`` shows it."""
        before, after = (text.splitlines(keepends=True) for text in (self.before, self.after))
        shown = difflib.unified_diff(before, after, str(self.file), str(self.file))
        return "".join(one if one.endswith("\n") else f"{one}\n{_UNENDED}\n" for one in shown)


def master_file(folder: Path) -> Path:
    """The file itself, where a link leads to it."""
    return (folder / "master.cf").resolve()


def planned(instance: Configuration, services: Sequence[Wanted]) -> Change:
    """
    The change that gives *instance* these services.

    One that is there already, without our comments, is left to whoever wrote it.  Raises: Refused where it
    says something else, where our lines were edited into something else, or where the place is taken.
    """
    file = master_file(instance.folder)
    before = _read(file)
    block = find(before)
    lines = before.splitlines()
    theirs = {
        one.key
        for one in entries(lines)
        if block is None or not block.start <= one.head < block.stop
    }  # fmt: skip
    for service in services:
        if service.key in theirs:
            _refuse_other(instance, service, "somebody else wrote it")
        else:
            _refuse_taken(instance, service)
    ours = [one for one in services if one.key not in theirs]
    if block is not None and block.touched:
        for service in ours:
            _refuse_other(instance, service, "it was edited by hand")
        return Change(file, before, before)
    may_change = without_block(before).gone | {one.key for one in ours}
    return Change(file, before, with_block(before, ours), may_change)


def refuse_old(instance: Configuration) -> None:
    """Raises: Refused for a Postfix that would pass over our settings in silence, and offer no TLS."""
    version = instance.parameters.get("mail_version", "")
    found = re.match(r"(\d+)\.(\d+)", version)
    if found and (int(found[1]), int(found[2])) < _FIRST:
        raise Refused(
            f"this is Postfix {version}: it does not know smtpd_tls_chain_files",
            hint="direct trust needs Postfix 3.4 or later",
        )


def taken_back(folder: Path, keys: Collection[str]) -> Change:
    """
    The change that takes our lines out again; *keys* are our services, by the configuration.

    Raises: BadInput where our comments are damaged, or tell no more which of these services is ours.
    """
    file = master_file(folder)
    before = _read(file)
    undone = without_block(before, keys)
    return Change(file, before, undone.text, undone.gone, undone.kept)


def refuse_deaf(instance: Configuration, endpoints: Iterable[Endpoint]) -> None:
    """
    Try to listen at every new endpoint: where that fails, Postfix would not merely complain, but end.

    Raises: Refused.
    """
    for endpoint in endpoints:
        if any(one.kind == "inet" and one.name == str(endpoint) for one in instance.services):
            continue
        try:
            found = socket.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
            for family, kind, protocol, _, address in found:
                with socket.socket(family, kind, protocol) as one:
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    one.bind(address)
        except OSError as error:
            why = {
                errno.EADDRINUSE: "somebody else listens there",
                errno.EADDRNOTAVAIL: "this host does not have that address",
                errno.EACCES: "this account may not listen there",
            }.get(error.errno or 0, (error.strerror or str(error)).lower())
            itself = (
                error.errno == errno.EADDRINUSE and "; if it is this Postfix, after an undo, reload it first"
            )
            raise Refused(
                f"Postfix could not listen at {endpoint}, and would stop altogether: {why}",
                hint=f"name an inner address of this host and a free port in server.listeners{itself or ''}",
            ) from error


def is_for_this_host_alone(endpoint: Endpoint) -> bool:
    """True for a name that leads to loopback, as Debian's /etc/hosts has the host's own at 127.0.1.1."""
    try:
        found = socket.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
    except OSError:
        return False
    return all(ipaddress.ip_address(one[4][0]).is_loopback for one in found)


def apply(change: Change, instance: Configuration) -> None:
    """
    Write it; mode and owner stay, and the file is there whole or as it was.

    Raises: Refused where somebody else wrote the file meanwhile, or Postfix would read other services than
    ours in another way; TransportUnavailable.
    """
    _refuse_overtaken(change)
    _prove(change, instance)
    _refuse_overtaken(change)
    try:
        about = change.file.stat()
        durable.write(
            change.file, change.after.encode("utf-8", "surrogateescape"), about.st_mode & 0o7777,
            (about.st_uid, about.st_gid),
        )  # fmt: skip
    except OSError as error:
        raise TransportUnavailable(
            f"{change.file} cannot be written", hint="run it as root, as whoever administers this Postfix"
        ) from error


def _refuse_overtaken(change: Change) -> None:
    if _read(change.file) != change.before:
        raise Refused(
            f"nothing was changed: somebody else wrote {change.file} meanwhile", hint="run it again"
        )


def _prove(change: Change, instance: Configuration) -> None:
    before = postconf.service_lines(instance.folder)
    with tempfile.TemporaryDirectory(prefix="mailtrust-") as name:
        beside = Path(name)
        # With its age: Postfix's programs wait until that file is two seconds old.
        shutil.copy2(instance.folder / "main.cf", beside / "main.cf")
        (beside / "master.cf").write_bytes(change.after.encode("utf-8", "surrogateescape"))
        after = postconf.service_lines(beside)
    for key in (before.keys() | after.keys()) - change.ours:
        if before.get(key) != after.get(key):
            raise Refused(
                f"nothing was changed: Postfix would read {key} in another way than before",
                hint=f"look at the lines around it in {change.file}, and report this to the project",
            )


def _refuse_other(instance: Configuration, service: Wanted, who: str) -> None:
    there = instance.service(service.key)
    if there is None:
        raise Refused(
            f"our lines in {instance.folder / 'master.cf'} were edited by hand, and lack {service.key}",
            hint="`mailtrust postfix undo` takes them back and keeps what was edited; then set up again",
        )
    differing = sorted(
        name
        for name, value in service.options.items()
        if name not in _TASTE and _words(instance.setting(there, name)) != _words(value)
    )
    if there.receives and not _is_closed(instance, there):
        differing.append(LISTS[0])
    if differing:
        elsewhere = "; or name another place in server.listeners" if there.receives else ""
        raise Refused(
            f"{service.key} is in {instance.folder / 'master.cf'}, {who}, and differs from what "
            f"direct trust needs in {', '.join(differing)}",
            hint="`mailtrust postfix check` judges it as it is; `mailtrust postfix undo` takes back what is "
            f"ours; `mailtrust postfix setup --print` shows what it would be{elsewhere}",
        )


def _is_closed(instance: Configuration, listener: Program) -> bool:
    """True if it takes mail from peers, and defers everybody else."""
    wanted = {Client(known=True): Outcome.ACCEPTED, Client(): Outcome.DEFERRED}
    return all(
        decide(instance, listener, client, local=local).outcome is outcome
        for client, outcome in wanted.items()
        for local in (False, True)
    )


def _refuse_taken(instance: Configuration, service: Wanted) -> None:
    if service.kind != "inet":
        return
    new = Program(service.name, service.kind, service.command, port=postconf.port_of(service.name))
    for one in instance.services:
        same_port = one.kind == "inet" and one.port == new.port and one.key != service.key
        if same_port and (one.host == new.host or (not one.host and _is_everywhere(instance, new.host))):
            raise Refused(
                f"{instance.folder / 'master.cf'} has {one.name} already, which takes what comes to "
                f"{service.name}: that listener stays as it is",
                hint="choose an inner address or another port for peers in server.listeners, such as "
                f'"{new.host}:2525"',
            )
    protocols = instance.parameters.get("inet_protocols", "all")
    if is_address(new.host):
        family, other = ("ipv6", "IPv4") if ":" in new.host else ("ipv4", "IPv6")
        if not re.search(f"all|{family}", protocols):
            raise Refused(
                f"this Postfix could not listen at {service.name}: inet_protocols is {protocols}",
                hint=f"name an {other} address in server.listeners",
            )


def _is_everywhere(instance: Configuration, host: str) -> bool:
    """True if what listens on all addresses of the instance listens on *host*."""
    interfaces = re.split(r"[,\s]+", instance.parameters.get("inet_interfaces", "all"))
    if "all" in interfaces:
        return True
    loopback = {"loopback-only", "localhost", "127.0.0.1"} & set(interfaces) and host in (
        "127.0.0.1",
        "localhost",
    )
    return bool(loopback) or host in interfaces


def _words(text: str) -> list[str]:
    return [one for one in re.split(r"[,\s]+", text) if one]


def _read(file: Path) -> str:
    try:
        return file.read_bytes().decode("utf-8", "surrogateescape")
    except FileNotFoundError as error:
        raise BadInput(f"{file.parent} has no master.cf", hint="name the instance with --instance") from error
    except OSError as error:
        raise TransportUnavailable(
            f"{file} cannot be read", hint="run it as whoever administers this Postfix"
        ) from error

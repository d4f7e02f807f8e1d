"""
Looking at a Postfix for its doctor: configuration, tables, chain files, routes.  Nothing is changed.
"""

from __future__ import annotations

import os
import re
import socket
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from pathlib import Path

from mailtrust.certificates.formats import pin_of, read_certificates, read_key
from mailtrust.core.model.certificate import Certificate, Pin
from mailtrust.core.model.server import Endpoint, ServerName
from mailtrust.errors import MailtrustError, TransportUnavailable
from mailtrust.transports.postfix import postconf
from mailtrust.transports.postfix.configuration import Configuration, pieces
from mailtrust.transports.postfix.doctor.files import chain_files
from mailtrust.transports.postfix.doctor.receiving import lets_neighbours_in
from mailtrust.transports.postfix.doctor.seen import (
    ChainFault,
    ChainFile,
    Route,
    Seen,
    Table,
    host_of,
    relevant_tables,
)
from mailtrust.transports.postfix.ours import Places

_LABEL = re.compile(rb"-----BEGIN ([A-Z ]+)-----")
_SUFFIXES = {"lmdb": ".lmdb", "cdb": ".cdb", "hash": ".db", "btree": ".db", "texthash": ""}
_RELAYHOSTS = "sender_dependent_relayhost_maps"
_ROUTING = ("transport_maps", "sender_dependent_default_transport_maps", _RELAYHOSTS)
_TAKES_MAIL = ("smtpd", "pickup", "qmqpd")
_MOST_NAMES = 20
"""The DNS may be slow, and a few peers in mynetworks make the point."""
_OTHERS_MAY_READ = stat.S_IRWXG | stat.S_IRWXO
_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH


def look(
    folder: Path,
    server: ServerName,
    endpoints: tuple[Endpoint, ...],
    places: Places,
    now: datetime,
    certificates: Mapping[Pin, tuple[tuple[ServerName, Certificate], ...]],
    current: str = "",
) -> Seen:
    """
    Everything that the doctor judges by; *certificates* are what the directory knows, *current* what is
    presented here.

    Raises: TransportUnavailable where the instance itself cannot be read.
    """
    instance = postconf.read(folder)
    names = dict.fromkeys((places.relay_clientcerts, places.tls_policy, *relevant_tables(instance)))
    tables = {name: table(folder, name) for name in names}
    found = routes_of(instance)
    seen = Seen(
        server, endpoints, instance, places, now, _addresses(one.host for one in endpoints), tables,
        routes=found.routes, every_route=not found.notes, certificates=certificates, current=current,
    )  # fmt: skip
    if lets_neighbours_in(seen):
        peers = (host_of(hop) for hop in tables[places.tls_policy].rows or {})
        seen = replace(seen, addresses={**_addresses(islice(peers, _MOST_NAMES)), **seen.addresses})
    chains = {path: chain_file(Path(path)) for path in chain_files(seen)}
    unseen = (one.why for one in tables.values() if one.rows is None and not (one.missing or one.damaged))
    locked = (one.why for one in chains.values() if one.why)
    return replace(seen, chains=chains, notes=(*unseen, *locked, *found.notes))


def table(folder: Path, name: str) -> Table:
    """One lookup table: what it holds, and who else may write it."""
    kind, _, path = name.partition(":")
    if kind not in _SUFFIXES:
        return _listed(folder, Table(name))
    file = Path(path + _SUFFIXES[kind])
    try:
        loose = tuple(_loose(file))
        file.stat()
    except FileNotFoundError:
        return Table(name, why=f"{file} is not there", missing=True)
    except OSError as error:
        return Table(name, why=f"the table {file} cannot be looked at: {(error.strerror or '').lower()}")
    if not os.access(file, os.R_OK):
        return Table(
            name, why=f"the table {file} cannot be looked at: this account may not read it", loose=loose
        )
    return _listed(folder, Table(name, loose=loose), damage=True)


def chain_file(path: Path) -> ChainFile:
    """A key with its certificate; Postfix wants the key first (postconf(5), smtpd_tls_chain_files)."""
    try:
        exposed = bool(path.stat().st_mode & _OTHERS_MAY_READ)
        data = path.read_bytes()
    except FileNotFoundError:
        return ChainFile(str(path), ChainFault.MISSING)
    except OSError as error:
        return ChainFile(str(path), why=f"{path} cannot be looked into: {(error.strerror or '').lower()}")
    return ChainFile(str(path), _fault(data), exposed)


def _fault(data: bytes) -> ChainFault | None:
    labels = [label.decode() for label in _LABEL.findall(data)]
    kinds = [
        "key" if one.endswith("PRIVATE KEY") else "certificate" for one in labels if one != "EC PARAMETERS"
    ]
    if "key" not in kinds:
        return ChainFault.NO_KEY if kinds else ChainFault.UNPARSABLE
    if kinds[0] != "key":
        return ChainFault.CERTIFICATE_FIRST
    try:
        leaves = read_certificates(data)
        fits = bool(leaves) and leaves[0].pin == pin_of(read_key(data))
    except MailtrustError:
        return ChainFault.UNPARSABLE
    return None if fits else ChainFault.KEY_DIFFERS


def _listed(folder: Path, one: Table, *, damage: bool = False) -> Table:
    try:
        rows = dict(postconf.rows(folder, one.name))
    except TransportUnavailable as error:
        return Table(one.name, why=error.message, damaged=damage, loose=one.loose)
    return Table(one.name, rows, loose=one.loose)


def _loose(file: Path) -> Iterator[str]:
    """The file and the folders that lead to it, where others than their owner may write."""
    for place in (file, *file.parents):
        mode = place.stat().st_mode
        # In a folder such as /tmp nobody can replace what is somebody else's.
        if mode & _OTHERS_MAY_WRITE and not (stat.S_ISDIR(mode) and mode & stat.S_ISVTX):
            yield str(place)


def _addresses(hosts: Iterable[str]) -> Mapping[str, frozenset[str]]:
    return {host: _resolved(host) for host in dict.fromkeys(hosts)}


def _resolved(host: str) -> frozenset[str]:
    try:
        return frozenset(str(one[4][0]) for one in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM))
    except (OSError, UnicodeError):
        return frozenset()


@dataclass(frozen=True, slots=True)
class Routes:
    """Where an instance sends mail, by its transport tables, its defaults and its content filters."""

    routes: tuple[Route, ...]
    notes: tuple[str, ...] = ()
    """Why a transport table could not be listed."""


def routes_of(instance: Configuration) -> Routes:
    """Every route that can be told; never raises."""
    found, notes = [*_defaults(instance), *_filters(instance)], []
    for parameter in _ROUTING:
        for name in pieces(instance.parameters.get(parameter, "")):
            try:
                # What proxymap(8) would read for a daemon, we read ourselves.
                listed = postconf.rows(instance.folder, name.removeprefix("proxy:"))
            except TransportUnavailable as error:
                notes.append(f"where mail is routed cannot be told in full: {error.message}")
                continue
            for pattern, value in listed:
                whole = value if parameter != _RELAYHOSTS else f":{value}"
                found += _route(instance, pattern, whole, name)
    return Routes(tuple(found), tuple(notes))


def _defaults(instance: Configuration) -> Iterator[Route]:
    relayhost = instance.parameters.get("relayhost", "")
    for name in ("relay_transport", "default_transport", "virtual_transport", "local_transport"):
        transport, _, said = instance.parameters.get(name, "").partition(":")
        # Mail for domains of its own goes to no relayhost.
        usual = relayhost if name in ("relay_transport", "default_transport") else ""
        for hop in pieces(said or usual):
            yield Route("*", transport, hop, name if said else "relayhost")


def _filters(instance: Configuration) -> Iterator[Route]:
    """Where all mail goes first that comes in by a service with a content filter (FILTER_README)."""
    said = (
        (instance.setting(one, "content_filter"), one)
        for one in instance.services
        if one.command in _TAKES_MAIL
    )
    for value, service in said:
        transport, _, hop = value.partition(":")
        if hop.strip():
            yield Route("*", transport.strip(), hop.strip(), f"content_filter ({service.key})")


def _route(instance: Configuration, pattern: str, value: str, table_name: str) -> Iterator[Route]:
    """As transport(5) has it; Postfix tries several next hops in their order, and asks about each."""
    transport, _, said = value.partition(":")
    default = instance.parameters.get("default_transport", "smtp").partition(":")[0]
    bare = pattern.removeprefix(".").rpartition("@")[2]
    for hop in pieces(said) or (bare,):
        yield Route(pattern, transport or default, hop, table_name)

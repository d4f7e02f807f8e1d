"""
What hosts say of themselves, as `mailtrust adopt --collect` writes it there and reads it here.

The file is JSON that people mail to each other: it has no password and no key.  Who wrote it is not known,
and every value in it is a stranger's.
"""

from __future__ import annotations

import codecs
from datetime import datetime
from typing import Annotated

import msgspec

from mailtrust.agent.look import Scope, look
from mailtrust.agent.site import Site
from mailtrust.core.adopt.facts import Chain, Host, Instance, MasterEntry, Table
from mailtrust.core.adopt.pairs import Published
from mailtrust.core.model.certificate import Certificate, certificate
from mailtrust.errors import BadInput, NotACertificate

HOST_SCHEMA = "mailtrust.adopt-host/1"


class _Chain(msgspec.Struct, frozen=True, omit_defaults=True):
    der: bytes | None = None
    why: str = ""


class _Instance(msgspec.Struct, frozen=True):
    folder: str
    version: str
    parameters: dict[str, str]
    services: tuple[MasterEntry, ...]
    tables: dict[str, Table]
    chains: dict[str, _Chain]


class _Host(msgspec.Struct, frozen=True):
    schema: str
    name: str
    collected_at: Annotated[datetime, msgspec.Meta(tz=True)]
    addresses: tuple[str, ...] | None
    instances: tuple[_Instance, ...]
    resolved: dict[str, tuple[str, ...]]


class _Head(msgspec.Struct, frozen=True):
    schema: str = ""


def written(host: Host) -> bytes:
    """A host as a file has it."""
    instances = tuple(
        _Instance(
            one.folder, one.version, dict(one.parameters), one.services, dict(one.tables),
            {
                file: _Chain(chain.certificate.der if chain.certificate else None, chain.why)
                for file, chain in one.chains.items()
            },
        )
        for one in host.instances
    )  # fmt: skip
    whole = _Host(HOST_SCHEMA, host.name, host.collected_at, host.addresses, instances, dict(host.resolved))
    return msgspec.json.format(msgspec.json.encode(whole), indent=2) + b"\n"


def read(data: bytes, file: str) -> Host:
    """
    The host of a file that `written` made.

    Raises: BadInput for anything else.
    """
    # What passed through Windows' editors and PowerShell begins with a mark.
    data = data.removeprefix(codecs.BOM_UTF8)
    try:
        head = msgspec.json.decode(data, type=_Head)
        if head.schema != HOST_SCHEMA:
            raise BadInput(f"{file} was not written by `mailtrust adopt --collect`", hint=_HINT)
        found = msgspec.json.decode(data, type=_Host)
        instances = tuple(map(_instance, found.instances))
    except msgspec.MsgspecError as error:
        raise BadInput(f"{file} was not written by `mailtrust adopt --collect`", hint=_HINT) from error
    except NotACertificate as error:
        raise BadInput(f"a certificate in {file} cannot be read", hint=_HINT) from error
    return Host(found.name, found.collected_at, found.addresses, instances, found.resolved)


_HINT = "on that host type: mailtrust adopt --collect > host.json"


async def published(site: Site) -> Published | None:
    """The directory's certificates by server; None where no replica could be read."""
    view, servers = await look(site, Scope(everybody=True), wire=False)
    looks = [one for server in servers for one in view.replicas(server)]
    if all(one.found is None for one in looks):
        return None
    found: dict[str, dict[Certificate, None]] = {}
    for sighting in looks:
        found.setdefault(sighting.server, {}).update((one.certificate, None) for one in sighting.found or ())
    return {server: tuple(leaves) for server, leaves in found.items()}


def _instance(one: _Instance) -> Instance:
    chains = {
        file: Chain(certificate(chain.der) if chain.der is not None else None, chain.why)
        for file, chain in one.chains.items()
    }
    return Instance(one.folder, one.version, one.parameters, one.services, one.tables, chains)

"""The organization itself: its folder, its servers, its replicas, and the ways to break them."""

from __future__ import annotations

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

from cryptography.hazmat.primitives import serialization

from mailtrust import clock
from mailtrust.agent import act
from mailtrust.agent.journal import Journal
from mailtrust.agent.serve import hub_of
from mailtrust.agent.site import Site, open_site
from mailtrust.certificates.create import new_key, self_signed
from mailtrust.config import load, write_duration
from mailtrust.core.model.plan import Install
from mailtrust.core.model.server import Endpoint, ServerName
from mailtrust.errors import DirectoryUnavailable
from mailtrust.lab.embedded import open_embedded
from mailtrust.lab.mail import MailFlow
from mailtrust.lab.member import Member
from mailtrust.lab.middlebox import Conduct, middlebox
from mailtrust.lab.openldap import open_openldap
from mailtrust.lab.ports import LOOPBACK, free_ports
from mailtrust.lab.replicas import Replicas
from mailtrust.transports.hub.settings import RelayLimits, RetrySchedule

Lengths = Mapping[str, Mapping[str, timedelta]]
"""Times by the table and the key of a configuration: ``{"policy": {"spread": …}}``."""
DIRECTORIES = ("embedded", "openldap")
"""What the directory may be made of."""

_RETRY = RetrySchedule(first=timedelta(seconds=1), factor=1.5, longest=timedelta(seconds=5))
_AGREE_WITHIN_SECONDS = 30
_LOOK_AGAIN_SECONDS = 0.05


@dataclass(slots=True)
class Organization:
    """Servers and replicas in one folder; `open_organization` makes and ends it."""

    folder: Path
    lag: timedelta
    latency: timedelta
    members: tuple[Member, ...]
    replicas: Replicas
    mail: MailFlow
    relay: RelayLimits = field(default_factory=RelayLimits)
    """How the hubs behave as clients, from their next start on."""

    async def cut_all(self) -> None:
        """Cut every link."""
        for url in self.replicas.urls:
            await self.replicas.cut(url)

    async def heal_all(self) -> None:
        """Mend every link."""
        for url in self.replicas.urls:
            await self.replicas.heal(url)

    def lose_certificates(self, member: Member) -> None:
        """Empty a server's store of certificates, its journal aside."""
        certificates = member.site.config.server.store / "certificates"
        certificates.rename(certificates.with_name(f"certificates.lost-{clock.now():%H%M%S%f}"))

    @asynccontextmanager
    async def restored_afterwards(self, member: Member) -> AsyncIterator[None]:
        """An image of what a server knows; it comes back in the end, queue and mail aside, and is started."""
        store = member.site.config.server.store
        image = store.with_name(f"{store.name}.image")
        await asyncio.to_thread(_copy_known, store, image)
        try:
            yield
        finally:
            await self.stop_server(member)
            await asyncio.to_thread(_copy_known, image, store)
            await self.restart(member)

    def strangers_certificate(self, name: ServerName) -> str:
        """A certificate in somebody else's hand that says *name*; its file's name."""
        made = self_signed(new_key("p256"), name, days=365, now=clock.now())
        (self.folder / "stranger.crt").write_bytes(made.public_bytes(serialization.Encoding.DER))
        return "stranger.crt"

    def garbage(self, name: ServerName) -> str:
        """A file with what may stand on that server's entry and is no certificate; its name."""
        (self.folder / "garbage.bin").write_bytes(self.replicas.garbage(name))
        return "garbage.bin"

    async def freeze(self, member: Member) -> None:
        """From now on the server's process goes on with the certificate it has."""
        if member.hub is not None:
            member.hub.freeze()

    async def stop_server(self, member: Member) -> None:
        """Stop a server as its administrator would."""
        hub, member.hub = member.hub, None
        if hub is not None:
            await hub.stop()
            self.mail.remember(hub.counters)

    async def restart(self, member: Member) -> None:
        """Start a server, after stopping it if it runs, and take away what stood before it."""
        await self.stop_server(member)
        await member.way_in.aclose()
        hub = hub_of(member.site, retry=_RETRY, relay=self.relay)
        await hub.start()
        member.hub = hub

    async def put_before(self, member: Member, conduct: Conduct) -> None:
        """Put a device before a server, at the address that everybody knows, until it is restarted."""
        # Before the server lets go of its own.
        [hidden] = free_ports(1)
        await self.stop_server(member)
        await member.way_in.aclose()
        known = Endpoint(LOOPBACK, member.port)
        config = member.site.config
        moved = replace(config, transport=replace(config.transport, bind=(Endpoint(LOOPBACK, hidden),)))
        hub = hub_of(replace(member.site, config=moved), retry=_RETRY, relay=self.relay)
        await hub.start()
        member.hub = hub
        await member.way_in.enter_async_context(middlebox(known, hub.bound[0], conduct))


@asynccontextmanager
async def open_organization(
    folder: Path,
    directory: str,
    *,
    servers: int,
    replicas: int,
    lag: timedelta,
    latency: timedelta,
    lengths: Lengths | None = None,
) -> AsyncIterator[Organization]:
    """
    A running organization in which every server is enabled and everything agrees; stopped at the end.
    *folder* is absolute, and there; *directory* is one of DIRECTORIES.  *lengths* stand in everybody's
    configuration besides, by their table and key.

    Raises: BadInput, StoreUnavailable, DirectoryUnavailable, TransportUnavailable.
    """
    names = tuple(ServerName(f"hub{number}.example.test") for number in range(1, servers + 1))
    async with AsyncExitStack() as stack:
        opened = await stack.enter_async_context(_replicas(directory, folder, replicas, names))
        members = tuple(
            Member(name, f"{name.partition('.')[0]}.toml", port, opened.urls[place % len(opened.urls)])
            for place, (name, port) in enumerate(zip(names, free_ports(servers), strict=True))
        )
        for member in members:
            written = _configuration(folder, member, members, opened, latency, lengths or {})
            (folder / member.config_name).write_text(written)
            config = load(folder / member.config_name, {}, default_name=socket.getfqdn)
            member.site = await stack.enter_async_context(open_site(config))
        organization = Organization(folder, lag, latency, members, opened, MailFlow(members))
        await _enrol(organization)
        opened.lag = lag
        for member in members:
            stack.push_async_callback(member.way_in.aclose)
            stack.push_async_callback(organization.stop_server, member)
            await organization.restart(member)
        yield organization


def _copy_known(source: Path, target: Path) -> None:
    """Certificates and journal with their times, in the place of what was there."""
    target.mkdir(exist_ok=True)
    shutil.rmtree(target / "certificates", ignore_errors=True)
    shutil.copytree(source / "certificates", target / "certificates")
    for gone in target.glob("journal.db*"):
        gone.unlink()
    for file in source.glob("journal.db*"):
        shutil.copy2(file, target)


def _replicas(
    directory: str, folder: Path, count: int, servers: Sequence[ServerName]
) -> AbstractAsyncContextManager[Replicas]:
    if directory == "openldap":
        return open_openldap(folder, count, servers)
    return open_embedded(folder, count, Journal(_store(folder, servers[0])))


def _store(folder: Path, server: ServerName) -> Path:
    return folder / server.partition(".")[0]


async def _enrol(organization: Organization) -> None:
    for member in organization.members:
        await act.perform(member.site, Install(member.name))
        [made] = member.site.store.installed()
        await act.enable(member.site, made.certificate.fingerprint)
    try:
        async with asyncio.timeout(_AGREE_WITHIN_SECONDS):
            while not await _agree(organization.members[0].site):  # noqa: ASYNC110  # no event tells
                await asyncio.sleep(_LOOK_AGAIN_SECONDS)
    except TimeoutError as error:
        raise DirectoryUnavailable(
            f"the lab's replicas did not come to agree within {_AGREE_WITHIN_SECONDS} seconds",
            hint="is this machine very busy? Begin with fewer: --servers 3 --replicas 3",
        ) from error


async def _agree(site: Site) -> bool:
    states = await site.directory.states()
    return all(one.readable for one in states) and len({(one.servers, one.values) for one in states}) == 1


def _configuration(
    folder: Path,
    member: Member,
    members: tuple[Member, ...],
    replicas: Replicas,
    latency: timedelta,
    lengths: Lengths,
) -> str:
    urls = ", ".join(f'"{url}"' for url in replicas.urls)
    settings = "".join(f'{key} = "{value}"\n' for key, value in replicas.settings(member.name).items())
    more = {
        table: "".join(f'{key} = "{write_duration(length)}"\n' for key, length in keys.items())
        for table, keys in lengths.items()
    }
    routes = "\n".join(f'"{one.name}" = "{LOOPBACK}:{one.port}"' for one in members if one is not member)
    return f"""\
# {member.name}, a server of the lab.
[server]
name = "{member.name}"
store = "{_store(folder, member.name)}"
listeners = ["{LOOPBACK}:{member.port}"]

[directory]
home = "{member.home}"
primary = "{replicas.urls[0]}"
replicas = [{urls}]
latency = "{write_duration(latency)}"
{settings}
[policy]
probe_timeout = "3s"
{more.pop("policy", "")}
[transport]
kind = "hub"
mode = "enforce"
local_domains = ["{member.name}"]

[transport.routes]
{routes}

[log]
to = "none"
""" + "".join(f"\n[{table}]\n{keys}" for table, keys in more.items())

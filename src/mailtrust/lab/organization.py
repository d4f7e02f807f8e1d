"""The organization itself: its folder, its servers, its replicas, and the ways to break them."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from cryptography.hazmat.primitives import serialization

from mailtrust import clock
from mailtrust.agent import act
from mailtrust.agent.serve import hub_of
from mailtrust.agent.site import Site, open_site
from mailtrust.certificates.create import new_key, self_signed
from mailtrust.config import load, write_duration
from mailtrust.core.model.plan import Install
from mailtrust.core.model.server import ServerName
from mailtrust.directory.links import Links
from mailtrust.directory.sqlite import SqliteReplica
from mailtrust.lab.mail import MailFlow
from mailtrust.lab.member import Member
from mailtrust.transports.hub import Hub
from mailtrust.transports.hub.settings import RetrySchedule

_RETRY = RetrySchedule(first=timedelta(seconds=1), factor=1.5, longest=timedelta(seconds=5))
# Below the range from which a kernel hands out ephemeral ports.
_PORTS = range(20000, 32000)


@dataclass(slots=True)
class Organization:
    """Servers and replicas in one folder; `open_organization` makes and ends it."""

    folder: Path
    lag: timedelta
    latency: timedelta
    members: tuple[Member, ...]
    replicas: tuple[str, ...]
    """URLs; the first one is the primary."""
    links: Links
    mail: MailFlow = field(init=False)

    def cut(self, url: str) -> None:
        """Cut the replication link of one replica."""
        self.links.cut.add(url)

    def heal(self, url: str) -> None:
        """Mend it again."""
        self.links.heal(url)

    def cut_all(self) -> None:
        """Cut every link."""
        self.links.cut.update(self.replicas)

    def heal_all(self) -> None:
        """Mend every link."""
        for url in self.replicas:
            self.heal(url)

    @contextmanager
    def restored_afterwards(self, url: str) -> Iterator[None]:
        """Take a backup of a replica now, and bring it back at the end."""
        file, backup = self.file_of(url), self.folder / "backup.db"
        shutil.copy2(file, backup)
        try:
            yield
        finally:
            backup.replace(file)

    def write_over(self, url: str) -> None:
        """Damage a replica's file as a stray program would."""
        self.file_of(url).write_bytes(b"not a database any more\n" * 400)

    def lose_certificates(self, member: Member) -> None:
        """Empty a server's store of certificates, its journal aside."""
        certificates = member.site.config.server.store / "certificates"
        certificates.rename(certificates.with_name(f"certificates.lost-{clock.now():%H%M%S%f}"))

    def strangers_certificate(self, name: ServerName) -> str:
        """A certificate in somebody else's hand that says *name*; its file's name."""
        made = self_signed(new_key("p256"), name, days=365, now=clock.now())
        (self.folder / "stranger.crt").write_bytes(made.public_bytes(serialization.Encoding.DER))
        return "stranger.crt"

    def garbage(self) -> str:
        """A file that is no certificate; its name."""
        (self.folder / "garbage.bin").write_bytes(os.urandom(200))
        return "garbage.bin"

    def freeze(self, member: Member) -> None:
        """From now on the server's process goes on with the certificate it has."""
        hub = _running(member)
        hub.freeze()

    async def stop_server(self, member: Member) -> None:
        """Stop a server as its administrator would."""
        hub, member.hub = member.hub, None
        if hub is not None:
            await hub.stop()
            self.mail.remember(hub.counters)

    async def restart(self, member: Member) -> None:
        """Start a server, after stopping it if it runs."""
        await self.stop_server(member)
        hub = hub_of(member.site, retry=_RETRY)
        await hub.start()
        member.hub = hub

    @staticmethod
    def file_of(url: str) -> Path:
        """The file behind a replica's URL."""
        return Path(url.removeprefix("sqlite://"))


@asynccontextmanager
async def open_organization(
    folder: Path, *, servers: int, replicas: int, lag: timedelta, latency: timedelta
) -> AsyncIterator[Organization]:
    """
    A running organization in which every server is enabled and everything agrees; stopped at the end.
    *folder* is absolute, and there.

    Raises: BadInput, StoreUnavailable, DirectoryUnavailable, TransportUnavailable.
    """
    urls = tuple(f"sqlite://{folder}/dc{number}.db" for number in range(1, replicas + 1))
    ports = _free_ports(servers)
    members = tuple(
        Member(
            ServerName(f"hub{number}.example.test"), f"hub{number}.toml", port, urls[(number - 1) % len(urls)]
        )
        for number, port in enumerate(ports, 1)
    )
    for member in members:
        (folder / member.config_name).write_text(_configuration(folder, member, members, urls, latency))
    async with AsyncExitStack() as stack:
        for member in members:
            config = load(folder / member.config_name, {}, default_name=socket.getfqdn)
            member.site = await stack.enter_async_context(open_site(config))
        links = Links(_replicas(members[0].site), lag=timedelta(0))
        organization = Organization(folder, lag, latency, members, urls, links)
        organization.mail = MailFlow(members)
        await _enrol(organization)
        links.lag = lag
        for member in members:
            stack.push_async_callback(organization.stop_server, member)
            await organization.restart(member)
        yield organization


async def _enrol(organization: Organization) -> None:
    for member in organization.members:
        await act.perform(member.site, Install(member.name))
        [made] = member.site.store.installed()
        await act.enable(member.site, made.certificate.fingerprint)
    await organization.links.step(clock.now())
    await organization.links.step(clock.now())


def _replicas(site: Site) -> tuple[SqliteReplica, ...]:
    return tuple(one for one in site.directory.replicas if isinstance(one, SqliteReplica))


def _running(member: Member) -> Hub:
    assert member.hub is not None  # noqa: S101  # a story freezes a server that it did not stop
    return member.hub


def _free_ports(count: int) -> tuple[int, ...]:
    found: list[int] = []
    # Two labs that start together must not look at the same ports.
    start = os.getpid() * 97
    for offset in range(len(_PORTS)):
        port = _PORTS[(start + offset) % len(_PORTS)]
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            break
    return tuple(found)


def _configuration(
    folder: Path, member: Member, members: tuple[Member, ...], urls: tuple[str, ...], latency: timedelta
) -> str:
    replicas = ", ".join(f'"{url}"' for url in urls)
    routes = "\n".join(f'"{one.name}" = "127.0.0.1:{one.port}"' for one in members if one is not member)
    store = folder / member.config_name.removesuffix(".toml")
    return f"""\
# {member.name}, a server of the lab.
[server]
name = "{member.name}"
store = "{store}"
listeners = ["127.0.0.1:{member.port}"]

[directory]
home = "{member.home}"
primary = "{urls[0]}"
replicas = [{replicas}]
latency = "{write_duration(latency)}"

[policy]
probe_timeout = "3s"

[transport]
kind = "hub"
mode = "enforce"
local_domains = ["{member.name}"]

[transport.routes]
{routes}
"""

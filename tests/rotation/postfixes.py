"""Three Postfix instances and three slapd replicas, of which one is late, on one machine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from mailtrust.agent import act
from mailtrust.agent.hands import present_in_postfix
from mailtrust.agent.site import open_site
from mailtrust.config import load, write_duration
from mailtrust.core.model.plan import Install
from mailtrust.core.model.server import ServerName
from mailtrust.lab.openldap import OpenLdapReplicas, open_openldap
from tests import postfix
from tests.loopback import LOOPBACK, free_port
from tests.postfix import Postfix, chain_pem
from tests.rotation.pace import Pace
from tests.rotation.postfix_load import PostfixLoad
from tests.rotation.servers import Server
from tests.rotation.story import Told, rotate_under_load

NAMES = tuple(ServerName(f"mx{number}.example.test") for number in (1, 2, 3))
_MAIN = {
    # Programs of this machine may send anywhere; peers come in by another listener.
    "mynetworks": "127.0.0.0/8",
    "smtpd_client_connection_count_limit": "0",
    "minimal_backoff_time": "1s",
}


@dataclass(frozen=True, slots=True)
class Instance:
    """A Postfix, and the server whose certificate it presents."""

    postfix: Postfix
    server: Server

    def processes(self) -> list[int]:
        """Those that present the server's certificate: of the listener of direct trust, and of `hub`."""
        services = {f"{LOOPBACK}:{self.postfix.inner}", "hub"}
        running = [pid for name in ("smtpd", "smtp") for pid in self.postfix.processes(name)]
        return [pid for pid in running if not services.isdisjoint(_words(pid))]


def _words(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
    except OSError:
        return []


@asynccontextmanager
async def postfixes(folder: Path, pace: Pace) -> AsyncIterator[tuple[Instance, ...]]:
    """All of them, each trusting the others; *folder* is one that Postfix's accounts may go into."""
    inner = {name: free_port() for name in NAMES}
    routes = {name: f"hub:[{LOOPBACK}]:{port}" for name, port in inner.items()}
    async with AsyncExitStack() as stack:
        (folder / "directory").mkdir()
        replicas = await stack.enter_async_context(open_openldap(folder / "directory", len(NAMES), NAMES))
        found = []
        for number, name in enumerate(NAMES):
            running = stack.enter_context(
                postfix.started(
                    folder / name, chain=chain_pem(name), name=name, trusting=True, inner=inner[name],
                    main=_MAIN, tables={"relay_clientcerts": {}, "tls_policy": {}},
                    routes={other: hop for other, hop in routes.items() if other != name},
                )
            )  # fmt: skip
            config = folder / f"{name}.toml"
            config.write_text(_configuration(folder, running, replicas, replicas.urls[number], inner, pace))
            site = await stack.enter_async_context(open_site(load(config, {}, default_name=str)))
            await act.perform(site, Install(name))
            [made] = site.store.installed()
            await act.enable(site, made.certificate.fingerprint)
            await present_in_postfix(site)
            found.append(Instance(running, Server(site, config)))
        for one in found:
            await one.server.until(lambda view: _knows(view, NAMES))
            await one.server.type("postfix", "compile", "--yes")
        replicas.delay(replicas.urls[-1], pace.lag)
        yield tuple(found)


async def rotate_postfixes(instances: Sequence[Instance], *, a_second: float, at_least: int) -> Told:
    """Rotate all, one after the other, while they send each other mail."""
    load = PostfixLoad({one.postfix.name: one.postfix for one in instances}, a_second)
    try:
        told = await rotate_under_load([one.server for one in instances], load.sent, at_least)
    finally:
        await asyncio.to_thread(load.stop)
    mail = await asyncio.to_thread(load.settled)
    return replace(told, mail=mail, troubles=load.troubles())


@contextmanager
def some_mail(instances: Sequence[Instance], a_second: float) -> Iterator[None]:
    """Mail between all of them inside the block, so that there are processes of every kind."""
    load = PostfixLoad({one.postfix.name: one.postfix for one in instances}, a_second)
    try:
        yield
    finally:
        load.stop()


def _knows(view: object, names: Sequence[ServerName]) -> bool:
    return all(bool(look.found) for name in names for look in view.replicas(name))  # type: ignore[attr-defined]


def _configuration(
    folder: Path,
    one: Postfix,
    replicas: OpenLdapReplicas,
    home: str,
    inner: dict[ServerName, int],
    pace: Pace,
) -> str:
    urls = ", ".join(f'"{url}"' for url in replicas.urls)
    settings = "".join(
        f'{key} = "{value}"\n' for key, value in replicas.settings(ServerName(one.name)).items()
    )
    hops = "".join(
        f'"[{LOOPBACK}]:{port}" = ["{name}"]\n' for name, port in inner.items() if name != one.name
    )
    policy = "".join(f'{key} = "{write_duration(length)}"\n' for key, length in pace.policy.items())
    return f"""\
[server]
name = "{one.name}"
store = "{folder / one.name}.store"
listeners = ["{LOOPBACK}:{one.inner}"]
[directory]
home = "{home}"
primary = "{replicas.urls[0]}"
replicas = [{urls}]
latency = "{write_duration(pace.latency)}"
{settings}
[policy]
key = "p256"
{policy}
[agent]
every = "1s"
[transport]
kind = "postfix"
mode = "enforce"
postfix = "{one.config}"
tables = "{one.tables}"
[transport.next_hops]
{hops}
"""

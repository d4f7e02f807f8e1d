"""A directory of real OpenLDAP servers, opened as a mail server's configuration tells it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from mailtrust.agent.site import open_site
from mailtrust.config import parse
from tests import slapd
from tests.make import HUB1, NOON, a_certificate
from tests.programs import needs
from tests.slapd import ADMIN, SERVERS, Server, client_pem, password_file

pytestmark = needs("slapd", "slapadd")


def by_password(server: Server) -> str:
    file = password_file(server.folder)
    return f'home = "{server.ldap}"\nbind = "simple"\nbind_dn = "{ADMIN}"\npassword_file = "{file}"'


def by_socket(server: Server) -> str:
    return f'home = "{server.ldapi}"\nbind = "external"'


def by_certificate(server: Server) -> str:
    """It may read; to write its account needs an entry of its own."""
    file = client_pem(server.folder, "mx1")
    return f'home = "{server.ldaps}"\nbind = "external"\nclient_certificate = "{file}"'


def configured(server: Server, folder: Path, directory: str) -> str:
    return f"""\
[server]
name = "{HUB1}"
store = "{folder}/store"
[directory]
base = "{SERVERS}"
ca_file = "{server.ca_file}"
{directory}
"""


@pytest.mark.parametrize("sign_in", [by_password, by_socket])
async def test_a_server_publishes_as_its_configuration_says(
    short: Path, sign_in: Callable[[Server], str]
) -> None:
    with slapd.started(short) as (server,):
        config = parse(configured(server, short, sign_in(server)), short / "mailtrust.toml")
        async with open_site(config) as site:
            await site.directory.publish(HUB1, a_certificate().der, NOON)
            [look] = await site.directory.look(None, NOON)

    assert (look.pins, look.home, look.primary) == ({a_certificate().pin}, True, True)


async def test_a_certificate_signs_in(short: Path) -> None:
    with slapd.started(short) as (server,):
        config = parse(configured(server, short, by_certificate(server)), short / "mailtrust.toml")
        async with open_site(config) as site:
            [state] = await site.directory.states()

    assert (state.readable, state.why) == (True, "")


async def test_what_is_published_at_one_replica_comes_to_the_others_and_goes_again(short: Path) -> None:
    """Each is read by itself: the one that is down says so, and nothing is taken for missing there."""
    leaf = a_certificate()
    with slapd.started(short, 3) as servers:
        urls = ", ".join(f'"{one.ldap}"' for one in servers)
        text = configured(servers[0], short, f"{by_password(servers[0])}\nreplicas = [{urls}]")
        async with open_site(parse(text, short / "mailtrust.toml")) as site:

            async def shown() -> list[int | None]:
                looks = await site.directory.look([HUB1], NOON)
                return [None if look.found is None else len(look.found) for look in looks]

            async def until_all_show(count: int) -> None:
                async with asyncio.timeout(20):
                    while await shown() != [count] * 3:  # noqa: ASYNC110  # replication sets no event
                        await asyncio.sleep(0.01)

            # The tree itself has to come to the others first.
            await until_all_show(0)
            await site.directory.publish(HUB1, leaf.der, NOON)
            await until_all_show(1)
            servers[2].stop()
            assert await shown() == [1, 1, None]
            servers[2].start()
            await site.directory.withdraw(HUB1, leaf.fingerprint, NOON)
            await until_all_show(0)

"""Reads the organization of the forest as an ordinary account, for tests."""

from __future__ import annotations

from datetime import timedelta

from mailtrust.clock import now
from mailtrust.core.exchange.facts import ExchangeServer, Organization
from mailtrust.core.model.sighting import ReplicaSighting
from mailtrust.directory.exchange import read_organization
from mailtrust.directory.exchange_layout import Choice
from mailtrust.directory.ldap_session import LdapSettings
from mailtrust.ldap.names import Name
from tests.samba.controller import Controller
from tests.samba.forest import READER, Forest

PATIENCE = timedelta(seconds=20)


async def read(
    forest: Forest,
    *starts: str,
    choice: Choice | None = None,
    account: str = READER,
    timeout: timedelta = PATIENCE,
) -> Organization:
    """What the account is shown, beginning with the first controller."""
    settings = LdapSettings(Name(), forest.password(account), forest.ca_file)
    return await read_organization(
        starts or (forest.dc1.url,), settings, choice or Choice(), timeout=timeout, now=now
    )


def the(name: str, organization: Organization) -> ExchangeServer:
    [found] = [one for one in organization.servers if one.name == name]
    return found


def at(controller: Controller, server: ExchangeServer) -> ReplicaSighting:
    """What stands for the server there."""
    [found] = [one for one in server.published if one.place == controller.url]
    return found

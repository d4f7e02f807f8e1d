"""
What an account may not see is not taken for what is not there.

Each test shuts the reader out of more than the one before, and none lets it in again.
"""

from __future__ import annotations

import pytest

from mailtrust.directory.exchange_layout import Choice
from mailtrust.errors import DirectoryUnavailable
from mailtrust.ldap.requests import Delete
from mailtrust.ldap.responses import Control
from tests.directory.exchange.reading import PATIENCE, at, read, the
from tests.exchange.certificates import internal
from tests.exchange.organization import MailServer, Organization
from tests.samba.controller import CONFIGURATION
from tests.samba.fixtures import needs_forest
from tests.samba.forest import ADMINISTRATOR, EXCHANGE_SERVERS, ORGANIZATION, READER, Forest

pytestmark = needs_forest
ONE, TWO = (MailServer(name, internal(name).certificate.der) for name in ("ONE", "TWO"))
# schemaIDGUID of msExchServerInternalTLSCert.
ATTRIBUTE = "d0ad315b-0a1d-42e3-b93c-47b119c2d59a"
TREE_DELETE = "1.2.840.113556.1.4.805"
DC1 = Choice(("dc1",))


def forbid(forest: Forest, dn: str, rights: str) -> None:
    """Add an entry to an access list that shuts the reader out; ``{}`` is the reader."""
    database = f"--URL={forest.dc1.database}"
    said = forest.tool("user", "show", READER, "--attributes=objectSid", database)
    reader = next(line for line in said.splitlines() if line.startswith("objectSid: ")).partition(": ")[2]
    forest.tool("dsacl", "set", f"--objectdn={dn}", f"--sddl={rights.format(reader)}", database)


async def test_stamps_without_any_value_are_no_proof_that_the_values_were_taken_out(forest: Forest) -> None:
    """Whoever may read the one and not the other would see every certificate of the organization missing."""
    await Organization(forest).add(ONE, TWO)
    for one in (ONE, TWO):
        forbid(forest, one.dn, f"(OD;;RP;{ATTRIBUTE};;{{}})")

    found = await read(forest, choice=DC1)

    assert [one.name for one in found.servers] == ["ONE", "TWO"]
    look = at(forest.dc1, the("ONE", found))
    assert look.found is None
    assert "was written for 2 servers, and this account is shown none of it" in look.why
    assert found.controllers[0].why == look.why
    assert at(forest.dc1, the("ONE", await read(forest, choice=DC1, account=ADMINISTRATOR))).found


async def test_servers_that_are_not_to_be_seen_are_told_as_that(forest: Forest) -> None:
    forbid(forest, EXCHANGE_SERVERS, "(D;;LC;;;{})")

    found = await read(forest, choice=DC1)

    assert found.name == "Corp"
    assert found.servers == ()
    assert [one.phrase for one in found.notes] == ["unseen.servers"]


async def test_an_organization_that_is_not_to_be_seen_may_not_be_there_either(forest: Forest) -> None:
    forbid(forest, f"CN=Microsoft Exchange,CN=Services,{CONFIGURATION}", "(D;;LC;;;{})")

    with pytest.raises(DirectoryUnavailable, match="there is none, or this account may not see it"):
        await read(forest, choice=DC1)
    assert (await read(forest, choice=DC1, account=ADMINISTRATOR)).dn == ORGANIZATION


async def test_a_forest_without_exchange_says_the_same(forest: Forest) -> None:
    async with await forest.wire(ADMINISTRATOR) as wire:
        exchange = Delete(f"CN=Microsoft Exchange,CN=Services,{CONFIGURATION}")
        await wire.ask(exchange, [Control(TREE_DELETE, critical=True)], timeout=PATIENCE)

    with pytest.raises(DirectoryUnavailable, match="no Exchange organization is to be seen") as nothing:
        await read(forest, account=ADMINISTRATOR)

    assert "forest" in nothing.value.hint

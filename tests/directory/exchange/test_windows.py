"""What Windows tells otherwise than Samba does; as documented, for no Windows was at hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from mailtrust.clock import now
from mailtrust.core.exchange.facts import Organization
from mailtrust.core.model.replication import Stamp
from mailtrust.directory.exchange import read_organization
from mailtrust.directory.exchange_entries import CERTIFICATE
from mailtrust.directory.exchange_layout import Choice
from mailtrust.directory.ldap_session import LdapSettings
from mailtrust.ldap.names import Name
from mailtrust.ldap.requests import Add, Delete, Extended, Modify
from tests.directory.exchange.reading import PATIENCE, the
from tests.directory.exchange.windows import (
    WRITER,
    WRITTEN_AT,
    Controller,
    Values,
    organization,
    schema,
    stamped,
    worded,
)
from tests.directory.ldap import hostile
from tests.exchange.certificates import internal

LEAF = internal("MBX1").certificate
VALUE: Values = {CERTIFICATE: (LEAF.der,)}
STAMP = Stamp(str(WRITER), 5000, WRITTEN_AT, 2)
WORDS = "msDS-ReplAttributeMetaData"
KEY = -1803488377
"""As 32 bits with a sign, which is how LDAP has it."""


@pytest.fixture
def short() -> Iterator[Path]:
    with TemporaryDirectory(prefix="mt-") as folder:
        yield Path(folder)


async def read(folder: Path, controller: Controller) -> Organization:
    async with hostile.server(controller.script, folder) as url:
        settings = LdapSettings(Name(), ca_file=folder / "ca.pem")
        return await read_organization((url,), settings, Choice(), timeout=PATIENCE, now=now)


def written(found: Organization, name: str = "MBX1") -> tuple[Stamp | None, ...]:
    return tuple(the(name, found).written.values())


async def test_a_stamp_is_found_under_the_key_that_the_schema_gives(short: Path) -> None:
    blob = {"replPropertyMetaData": (stamped(KEY % 2**32, 2, 5000),)}
    servers = organization(("MBX1", VALUE | blob), ("MBX2", {"replPropertyMetaData": (stamped(7, 1, 1),)}))

    found = await read(short, Controller(servers | schema(msDS_IntId=b"%d" % KEY)))

    assert written(found) == (STAMP,)
    assert written(found, "MBX2") == (None,)


@pytest.mark.parametrize(
    ("known", "blob"),
    [
        # The schema was extended at the level of Windows 2000, and where the keys stand Windows tells nobody.
        (schema(attributeID=b"1.2.840.113556.1.4.7000.102.50001"), {}),
        (schema(msDS_IntId=b"%d" % KEY), {}),
        # There is a value, and nobody wrote it: it is not that key.
        (schema(msDS_IntId=b"1"), {"replPropertyMetaData": (stamped(KEY % 2**32, 2, 5000),)}),
        (schema(msDS_IntId=b"%d" % KEY), {"replPropertyMetaData": (b"cut",)}),
    ],
)
async def test_where_there_is_no_key_it_is_found_in_words(
    short: Path, known: Mapping[str, Values], blob: Values
) -> None:
    other = worded(9, 9, "cn")
    servers = organization(
        ("MBX1", {**VALUE, **blob, WORDS: (other, worded(2, 5000))}), ("MBX2", {WORDS: (other,)})
    )

    found = await read(short, Controller(servers | known))

    assert written(found) == (STAMP,)
    assert written(found, "MBX2") == (None,)


async def test_words_that_cannot_be_read_whole_prove_nothing(short: Path) -> None:
    words = worded(9, 9, "cn"), b"<DS_REPL_ATTR_META_DATA>cut"

    found = await read(short, Controller(organization(("MBX1", {WORDS: words})) | schema()))

    assert the("MBX1", found).written == {}


async def test_who_may_not_read_stamps_is_told_when_the_entry_was_changed(short: Path) -> None:
    changed = {"whenChanged": (b"20260301060000.0Z",)}

    found = await read(short, Controller(organization(("MBX1", {**VALUE, **changed})) | schema()))

    server = the("MBX1", found)
    [published] = server.published[0].found or ()
    assert (published.stamp, published.published_at) == (None, WRITTEN_AT)
    assert server.written == {}


async def test_the_account_is_told_and_nothing_is_ever_written(short: Path) -> None:
    controller = Controller(organization(("MBX1", VALUE)) | schema())

    found = await read(short, controller)

    assert (found.account, found.controllers[0].site) == ("CORP\\auditor", "HQ")
    assert not [one for one in controller.requests if isinstance(one, Modify | Add | Delete)]
    assert {one.number for one in controller.requests if isinstance(one, Extended)} == {
        "1.3.6.1.4.1.4203.1.11.3"
    }

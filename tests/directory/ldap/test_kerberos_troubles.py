"""Why signing in by Kerberos does not go on: each reason by name, within the deadline, with what to do."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from mailtrust.directory.ldap import LdapReplica, LdapSettings
from mailtrust.directory.ldap_kerberos import Kerberos
from mailtrust.directory.ldap_wire import Wire
from mailtrust.errors import BadInput, DirectoryUnavailable
from mailtrust.ldap import names
from tests.directory.ldap import realm
from tests.directory.ldap.realm import HOST, PATIENCE, Place
from tests.loopback import eventually
from tests.make import HUB1, NOON
from tests.slapd import MX1, SERVERS

pytestmark = realm.NEEDS

SOON = timedelta(seconds=0.5)


@pytest.fixture
def there(short: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    with realm.place(short, monkeypatch) as made:
        yield made


async def test_without_a_ticket_kinit_is_named(there: Place) -> None:
    why = await there.why_not(there.ldap, Kerberos())

    assert f"ldap://{HOST}:{there.server.port} was not signed in to: there is no Kerberos ticket here" in why
    assert "run kinit" in why


async def test_an_expired_ticket_is_named(there: Place) -> None:
    there.realm.add("mx2")
    there.realm.kinit("mx2", there.server.folder.parent / "cache", "-l", "1s")
    await asyncio.sleep(2.1)

    assert "the Kerberos ticket has expired (Ticket expired) | run kinit again" in await there.why_not(
        there.ldap, Kerberos()
    )


async def test_a_keytab_fetches_a_new_ticket_when_the_old_one_has_expired(there: Place) -> None:
    there.realm.administer("modprinc -maxlife 3s mx1")
    await (await there.opened(there.ldap)).close()
    await asyncio.sleep(4.1)

    async with await there.opened(there.ldap) as wire:
        assert await wire.who_am_i(timeout=PATIENCE) == f"dn:{MX1}"


async def test_no_name_server_has_a_say_in_which_service_is_meant(there: Place) -> None:
    """
    krb5.conf lets MIT's library ask for the canonical name, and the realm knows ldap/localhost.

    Debian writes ip6-localhost as another name of it.
    """

    async def to(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    with pytest.raises(DirectoryUnavailable, match="Kerberos knows no service ldap/ip6-localhost ") as no:
        await Wire.open(
            f"ldap://ip6-localhost:{there.server.port}", credentials=there.mx1, timeout=PATIENCE, resolve=to
        )

    assert "have its principal added" in no.value.hint


async def test_an_address_is_refused_for_it_names_nobody(there: Place) -> None:
    with pytest.raises(BadInput, match="is an address") as caught:
        await there.opened(there.server.ldap)

    assert "the name by which the realm knows it" in caught.value.hint


async def test_a_socket_has_no_name_to_sign_in_to(there: Place) -> None:
    with pytest.raises(BadInput, match="a socket on this machine has none") as caught:
        await there.opened(there.server.ldapi)

    assert "external" in caught.value.hint


async def test_a_key_that_was_changed_is_named(there: Place) -> None:
    there.realm.administer("cpw -randkey mx1")

    assert "the key is not, or no longer, that of the account" in await there.why_not(there.ldap)


async def test_an_account_that_is_gone_is_named(there: Place) -> None:
    there.realm.administer("delprinc -force mx1")

    assert "Kerberos knows no such account" in await there.why_not(there.ldap)


@pytest.mark.parametrize("keytab", ["missing", "another's", "nonsense"])
async def test_a_keytab_that_is_of_no_use_is_named(there: Place, keytab: str) -> None:
    files = {
        "missing": there.server.folder / "no.keytab",
        "another's": there.realm.keytab("mx2"),
        "nonsense": there.server.folder / "slapd.conf",
    }

    why = await there.why_not(there.ldap, Kerberos("mx1", files[keytab]))

    assert f"the keytab {files[keytab]} is of no use (" in why
    assert "hold a key of directory.principal" in why


async def test_a_realm_whose_kdc_is_down_is_named(there: Place) -> None:
    there.realm.stop()

    assert "no Kerberos server (KDC) answers (Cannot contact any KDC for realm" in await there.why_not(
        there.ldap
    )


async def test_a_ticket_once_fetched_outlives_the_kdc(there: Place) -> None:
    """A watch that is lost while the KDC is away is made again."""
    await (await there.opened(there.ldap)).close()
    there.realm.stop()

    async with await there.opened(there.ldap) as wire:
        assert await wire.who_am_i(timeout=PATIENCE) == f"dn:{MX1}"


async def test_a_server_without_a_keytab_of_its_own_is_told_apart(there: Place) -> None:
    there.realm.administer(f"cpw -randkey ldap/{HOST}")

    why = await there.why_not(there.ldap)

    assert "did not take our Kerberos ticket: SASL" in why
    assert "the server's keytab" in why


async def test_a_kdc_that_never_answers_costs_the_deadline_and_stops_nobody(there: Place) -> None:
    """MIT's library would wait for 27 seconds; whoever waits leaves it to itself, on a thread of its own."""
    there.realm.freeze()
    loop = asyncio.get_running_loop()
    begun, beats = loop.time(), 0

    async def beat() -> None:
        nonlocal beats
        while True:
            await asyncio.sleep(0.01)
            beats += 1

    beating = asyncio.create_task(beat())
    with pytest.raises(
        DirectoryUnavailable, match=r"within 0\.5 seconds, asking Kerberos for a ticket to it"
    ):
        await there.opened(there.ldap, timeout=SOON)
    took = loop.time() - begun
    beating.cancel()
    there.realm.thaw()

    assert 0.45 <= took < 5
    assert beats > 10
    # What comes too late is dropped, and the thread with it.
    await eventually(lambda: not any("aside" in one.name for one in threading.enumerate()))


async def test_a_frozen_kdc_is_a_reason_in_a_sighting(there: Place) -> None:
    there.realm.freeze()
    settings = LdapSettings(names.parse(SERVERS), there.mx1)
    replica = LdapReplica(there.ldap, settings, timeout=SOON)

    [look] = await replica.look([HUB1], NOON)
    await replica.close()

    assert look.found is None
    assert "asking Kerberos for a ticket" in look.why


def test_the_program_ends_though_a_kdc_never_answers(there: Place) -> None:
    file = there.server.folder / "mailtrust.toml"
    file.write_text(
        f"""\
[server]
name = "{HUB1}"
store = "{there.server.folder}/store"
[directory]
home = "{there.ldap}"
base = "{SERVERS}"
bind = "kerberos"
keytab = "{there.keytab}"
[policy]
probe_timeout = "1s"
""",
        "utf-8",
    )
    there.realm.freeze()
    begun = time.monotonic()

    ran = subprocess.run(
        [sys.executable, "-m", "mailtrust", "--config", file, "directory", "show"],
        capture_output=True, check=False, timeout=20,
    )  # fmt: skip

    assert b"asking Kerberos for a ticket to it" in b" ".join(ran.stdout.split())
    assert time.monotonic() - begun < 10


@pytest.mark.needs("faketime")
async def test_clocks_that_differ_are_named(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the machine with the KDC, which demands that one proves one's key by a time (pre-authentication)."""
    with realm.place(short, monkeypatch) as there:
        there.realm.administer("modprinc +requires_preauth mx1")
        # MIT corrects its own clock by the KDC's, unless told not to.
        profile = there.realm.profile
        text = profile.read_text("utf-8")
        profile.write_text(text.replace("[libdefaults]\n", "[libdefaults]\nkdc_timesync = 0\n"), "utf-8")
        there.realm.stop()
        with monkeypatch.context() as later:
            for name, value in faked("+1h").items():
                later.setenv(name, value)
            there.realm.start()

        why = await there.why_not(there.ldap)

    assert "the clocks here and in the Kerberos realm differ too much" in why
    assert "NTP" in why


def faked(offset: str) -> dict[str, str]:
    """The environment of a program that lives at another time."""
    shown = subprocess.run(["faketime", "-f", offset, "env"], capture_output=True, check=True, text=True)
    pairs = (line.partition("=") for line in shown.stdout.splitlines())
    return {name: value for name, _, value in pairs if name in ("LD_PRELOAD", "FAKETIME")}

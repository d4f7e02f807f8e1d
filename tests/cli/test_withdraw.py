"""`withdraw`: what may be taken out, how it is named, and that it never returns."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from mailtrust import clock
from mailtrust.certificates.create import PrivateKey, new_key, self_signed
from mailtrust.certificates.formats import read, write_pem
from mailtrust.core.model.certificate import Certificate, fingerprint_of, short
from mailtrust.core.model.server import server_name
from tests.cli.desk import HUB1, Desk
from tests.make import a_certificate

GARBAGE = b"this is no certificate"


def replaced(desk: Desk) -> str:
    """The fingerprint of a certificate that was current once."""
    old = desk.enabled()
    desk.enabled()
    return old


def certificate_of(key: PrivateKey, days: int) -> Certificate:
    made = self_signed(key, server_name(HUB1), days=days, now=clock.now())
    return read(made.public_bytes(Encoding.PEM)).certificates[0]


def put(desk: Desk, server: str, value: bytes, *options: str) -> str:
    """Bytes on a server's entry; their digest."""
    (desk.folder / "value").write_bytes(value)
    desk.must("directory", "put", server, "value", "--yes", *options)
    return fingerprint_of(value)


def test_what_was_replaced_can_be_withdrawn(desk: Desk) -> None:
    old = replaced(desk)

    ran = desk.must("withdraw", old[:8], "--yes")

    assert old not in (desk.published()["dc1"] or [])
    assert old in (desk.published()["dc2"] or [])
    assert "it never returns" in ran.out
    assert "still shown by dc2, dc3 until the withdrawal arrives there" in ran.out


@pytest.mark.parametrize("option", ["--yes", "--dry-run", "--json"])
def test_what_is_published_is_not_removed_and_nobody_is_asked_in_vain(desk: Desk, option: str) -> None:
    old = replaced(desk)

    ran = desk.type("remove", old[:8], option)

    assert ran.code == 1
    assert f"{short(old)} is published at" in ran.said
    assert "The question was" not in ran.said


def test_withdrawing_again_changes_nothing(desk: Desk) -> None:
    old = replaced(desk)
    desk.must("withdraw", old, "--yes")

    ran = desk.must("withdraw", old)

    assert ran.out.startswith(f"nothing to change: {short(old)}")
    assert "was withdrawn at" in ran.out
    assert desk.must("withdraw", old, "--json").json["changed"] is False


def test_what_is_published_nowhere_needs_no_withdrawal(desk: Desk) -> None:
    fingerprint = desk.made()

    ran = desk.must("withdraw", fingerprint)

    assert f"no replica publishes {short(fingerprint)}" in ran.out


@pytest.mark.parametrize("options", [["--yes"], ["--dry-run"], []])
def test_the_current_one_is_refused(desk: Desk, options: list[str]) -> None:
    """Before anybody is asked, and in a dry run too."""
    current = desk.enabled()

    ran = desk.type("withdraw", current, *options)

    assert ran.code == 1
    assert f"{short(current)} is the current certificate of {HUB1} and cannot be withdrawn" in ran.err
    assert "hint: enable another one first" in ran.err
    assert desk.published()["dc1"] == [current]


def test_the_last_certificate_with_the_current_key_is_refused(desk: Desk) -> None:
    """The renewal has not arrived at dc2: without the older one, its readers would defer our mail."""
    key = new_key("p256")
    old, new = (write_pem([certificate_of(key, days)], key) for days in (10, 20))
    fingerprints = []
    for pem in (old, new):
        (desk.folder / "x.pem").write_bytes(pem)
        fingerprints.append(desk.must("import", "x.pem", "--json").json["fingerprint"])
    desk.must("enable", fingerprints[0], "--yes")
    desk.must("directory", "replicate", "--once")
    desk.must("enable", fingerprints[1], "--yes")
    assert desk.slots() == {fingerprints[0]: "previous", fingerprints[1]: "current"}

    refused = desk.type("withdraw", fingerprints[0], "--yes")
    assert refused.code == 1
    assert f"{desk.url('dc2')} publishes the current key in {fingerprints[0][:12]} alone" in refused.err

    desk.must("directory", "replicate", "--once")
    desk.must("withdraw", fingerprints[0], "--yes")


def test_a_value_that_is_no_certificate_is_withdrawn_by_its_digest(desk: Desk) -> None:
    """As the action of 12022 names it."""
    desk.enabled()
    digest = put(desk, HUB1, GARBAGE)
    [finding] = [one for one in desk.type("check", "--json").json["findings"] if one["event"] == 12022]

    ran = desk.must(*finding["action"].split()[1:], "--yes")

    assert f"withdrew {short(digest)} (22 bytes that are no certificate)" in ran.out
    assert [one["event"] for one in desk.type("check", "--json").json["findings"]] == [12108]


def test_a_strangers_certificate_on_our_entry_is_withdrawn(desk: Desk) -> None:
    desk.enabled()
    stranger = put(desk, HUB1, a_certificate(HUB1, key="stranger").der)

    desk.must("withdraw", stranger, "--yes")

    assert stranger not in (desk.published()["dc1"] or [])


def test_another_servers_value_is_found_under_its_name(desk: Desk) -> None:
    desk.enabled()
    leaf = a_certificate("hub9.example.test")
    put(desk, "hub9.example.test", leaf.der, "--replica", "dc3")

    unnamed = desk.type("withdraw", leaf.fingerprint, "--yes")
    named = desk.must("withdraw", leaf.thumbprint, "--server", "hub9.example.test", "--yes")

    assert unnamed.code == 1
    assert f"{HUB1} publishes nothing named {leaf.fingerprint}" in unnamed.err
    assert "from the entry of hub9.example.test" in named.out


def test_a_pin_that_two_certificates_share_names_both(desk: Desk) -> None:
    desk.enabled()
    one, renewal = a_certificate(HUB1, key="twin"), a_certificate(HUB1, key="twin")
    for leaf in (one, renewal):
        put(desk, HUB1, leaf.der)

    ran = desk.type("withdraw", one.pin, "--yes")

    assert ran.code == 1
    assert f"names 2 values of {HUB1}" in ran.err
    assert short(one.fingerprint) in ran.err
    assert short(renewal.fingerprint) in ran.err


def test_an_unknown_one_names_those_there_are_and_who_could_not_be_read(desk: Desk) -> None:
    current = desk.enabled()
    desk.damage("dc3")

    ran = desk.type("withdraw", "0" * 12, "--yes")

    assert ran.code == 1
    assert f"{HUB1} publishes nothing named 000000000000 (dc3 could not be read)" in ran.err
    assert f"hint: here are: {short(current)}" in ran.err


def test_without_a_terminal_and_without_yes_nothing_is_withdrawn(desk: Desk) -> None:
    old = replaced(desk)

    ran = desk.type("withdraw", old)

    assert ran.code == 1
    assert "nothing was changed: there is no terminal to ask at" in ran.err
    assert old in (desk.published()["dc1"] or [])


def test_a_dry_run_withdraws_nothing(desk: Desk) -> None:
    old = replaced(desk)

    assert f"would withdraw {short(old)}" in desk.must("withdraw", old, "--dry-run").out
    assert old in (desk.published()["dc1"] or [])


def test_json_says_what_was_withdrawn(desk: Desk) -> None:
    old = replaced(desk)

    report = desk.must("withdraw", old, "--yes", "--json").json

    assert report == {
        "schema": "mailtrust.withdraw/1", "server": HUB1, "fingerprint": old, "changed": True,
        "withdrawn_at": None, "unseen": [],
    }  # fmt: skip

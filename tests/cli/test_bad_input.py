"""What we are given and cannot use: one sentence that says what, a hint, nothing changed, and exit 1."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12

from mailtrust import clock
from mailtrust.core.model.certificate import fingerprint_of, short
from tests.cli.desk import HUB1, Desk
from tests.make import AUTHORITY, a_certificate, a_key, an_x509, days, der

CERTIFICATE = an_x509(HUB1)
PEM = CERTIFICATE.public_bytes(serialization.Encoding.PEM)


def key_pem(label: str) -> bytes:
    return a_key(label, "p256").private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def pfx(password: bytes) -> bytes:
    protection = serialization.BestAvailableEncryption(password)
    return pkcs12.serialize_key_and_certificates(None, a_key("a", "p256"), CERTIFICATE, None, protection)


# --- certificates and containers


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        pytest.param(b"", "the file holds no certificate that we can read", id="empty"),
        pytest.param(b"hello\n", "the file holds no certificate that we can read", id="text"),
        pytest.param(
            PEM[: len(PEM) // 2], "the file is cut off or damaged: a PEM block has no end", id="cut PEM"
        ),
        pytest.param(
            PEM.replace(b"MII", b"???"),
            "a PEM block is damaged: its base64 does not decode",
            id="damaged PEM",
        ),
        pytest.param(
            a_certificate(HUB1).der[:-9],
            "the file is cut off: it says that it is longer than it is",
            id="cut DER",
        ),
        pytest.param(
            pfx(b"secret")[:-9], "the file is cut off: it says that it is longer than it is", id="cut PKCS#12"
        ),
        pytest.param(PEM, "the file holds no key", id="no key"),
        pytest.param(PEM + key_pem("other"), "the key does not belong to the certificate", id="another key"),
        pytest.param(key_pem("a"), "the file holds a key and no certificate", id="a key alone"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused(desk: Desk, content: bytes, sentence: str) -> None:
    (desk.folder / "file").write_bytes(content)

    ran = desk.type("import", "file")

    assert ran.code == 1
    assert ran.err.startswith("mailtrust: ")
    assert sentence in ran.err
    assert "hint: " in ran.err
    assert "fault in mailtrust" not in ran.err
    assert "Traceback" not in ran.err
    assert desk.slots() == {}


def test_a_wrong_password_is_called_so(desk: Desk) -> None:
    """The first line of the file counts, without its end."""
    (desk.folder / "hub1.pfx").write_bytes(pfx(b"secret"))
    (desk.folder / "wrong").write_bytes(b"guess\nsecret\n")
    (desk.folder / "right").write_bytes(b"secret\r\nguess\n")

    without = desk.type("import", "hub1.pfx")
    wrong = desk.type("import", "hub1.pfx", "--password-file", "wrong")
    before = desk.slots()
    right = desk.type("import", "hub1.pfx", "--password-file", "right")

    assert (without.code, wrong.code, right.code) == (1, 1, 0)
    assert "the PKCS#12 file is protected by a password" in without.err
    assert "the password does not open the PKCS#12 file, or the file is damaged" in wrong.err
    assert before == {}
    assert len(desk.slots()) == 1


@pytest.mark.parametrize("words", [["import", "nowhere"], ["import", "file", "--password-file", "nowhere"]])
def test_a_missing_file_is_named(desk: Desk, words: list[str]) -> None:
    (desk.folder / "file").write_bytes(pfx(b"secret"))

    ran = desk.type(*words)

    assert ran.code == 1
    assert "there is no file nowhere" in ran.err


def test_a_folder_is_called_one(desk: Desk) -> None:
    """And not: check that this account may read it."""
    assert f"{desk.folder} is a folder" in desk.type("import", desk.folder).err


# --- certificates by name


@pytest.mark.parametrize("command", ["enable", "show", "remove", "export"])
def test_an_unknown_certificate_is_answered_with_those_there_are(desk: Desk, command: str) -> None:
    fingerprint = desk.made()
    options = ["--output", "f"] if command == "export" else []

    ran = desk.type(command, "00000000", *options)

    assert ran.code == 1
    assert "no certificate in the store is named 00000000" in ran.err
    assert f"here are: {short(fingerprint)} ({HUB1}, none)" in ran.err


def test_in_an_empty_store_the_hint_is_to_make_one(desk: Desk) -> None:
    assert "hint: the store is empty: mailtrust new" in desk.type("enable", "00000000").err


@pytest.mark.parametrize("text", ["hub1", "1234567", "0x12345678", "f" * 65])
def test_what_can_name_no_certificate_is_called_so(desk: Desk, text: str) -> None:
    ran = desk.type("enable", text)

    assert ran.code == 1
    assert f"{text!r} does not name a certificate" in ran.err
    assert "8 hex digits or more" in ran.err


def test_two_that_match_are_both_named(desk: Desk) -> None:
    """A renewal with the same key has the same pin."""
    leaves = [an_x509(HUB1), an_x509(HUB1)]
    for number, leaf in enumerate(leaves):
        pem = leaf.public_bytes(serialization.Encoding.PEM) + key_pem("a")
        (desk.folder / f"{number}.pem").write_bytes(pem)
        desk.must("import", f"{number}.pem")
    pin = a_certificate(HUB1).pin

    ran = desk.type("enable", pin, "--yes")

    assert ran.code == 1
    assert "names 2 certificates" in ran.err
    assert all(short(one) in ran.err for one in desk.slots())
    assert set(desk.slots().values()) == {"none"}


def test_a_certificate_is_found_as_people_paste_it(desk: Desk) -> None:
    """Windows puts an invisible mark in front, and colons and blanks between."""
    shown = desk.must("new", "--json").json

    for name in ("fingerprint", "thumbprint", "pin"):
        pairs = [shown[name][at : at + 2].upper() for at in range(0, len(shown[name]), 2)]
        pasted = "\u200e" + ":".join(pairs[:5]) + ": " + " ".join(pairs[5:])
        assert desk.must("show", pasted, "--json").json["fingerprint"] == shown["fingerprint"]


# --- the configuration


@pytest.mark.parametrize(
    ("line", "sentences"),
    [
        ('colour = "red"', ["colour", "line"]),
        ("spread = 30", ["policy.spread", "line"]),
        ('spread = "soon"', ["policy.spread", "line"]),
        ('spread = "5m"', ["policy.spread", "policy.snapshot_max_age", "line"]),
        ("spread = ", ["line"]),
    ],
)
def test_a_configuration_names_the_key_and_the_line(desk: Desk, line: str, sentences: list[str]) -> None:
    desk.configure(policy=line)

    ran = desk.type("list")

    assert ran.code == 1
    assert all(sentence in ran.err for sentence in sentences), ran.err
    assert "mailtrust.toml" in ran.err


def test_check_exits_3_for_a_bad_configuration(desk: Desk) -> None:
    """A monitoring system must not take it for a verdict."""
    desk.configure(policy='colour = "red"')

    ran = desk.type("check")

    assert ran.code == 3
    assert ran.out.startswith("MAILTRUST UNKNOWN - ")


def test_a_hint_can_be_typed_with_the_configuration_that_was_named(desk: Desk) -> None:
    """Else it would speak of another server, or of none."""
    made = desk.enabled()
    desk.enabled()

    ran = desk.type("--config", "mailtrust.toml", "remove", made, "--yes")

    assert f"first: mailtrust --config mailtrust.toml withdraw {made[:12]}" in ran.err


def test_a_configuration_that_was_named_must_be_there(desk: Desk) -> None:
    ran = desk.type("--config", "nowhere.toml", "list")

    assert ran.code == 1
    assert "nowhere.toml" in ran.err


def test_a_directory_that_we_do_not_speak_to_is_called_so(desk: Desk) -> None:
    text = (desk.folder / "mailtrust.toml").read_text()
    (desk.folder / "mailtrust.toml").write_text(text.replace(desk.url("dc3"), "http://dc3"))

    ran = desk.type("status")

    assert ran.code == 1
    assert "http://dc3" in ran.err


# --- the directory


def cut(desk: Desk) -> None:
    file = desk.folder / "dc2.db"
    file.write_bytes(file.read_bytes()[:5000])


def gone(desk: Desk) -> None:
    (desk.folder / "dc2.db").unlink()


def no_folder(desk: Desk) -> None:
    text = (desk.folder / "mailtrust.toml").read_text()
    (desk.folder / "mailtrust.toml").write_text(text.replace(desk.url("dc2"), desk.url("unmounted/dc2")))


def a_folder_in_its_place(desk: Desk) -> None:
    gone(desk)
    (desk.folder / "dc2.db").mkdir()


def another_database(desk: Desk) -> None:
    gone(desk)
    with closing(sqlite3.connect(desk.folder / "dc2.db")) as db:
        db.execute("create table shopping (what text)")
        db.commit()


@pytest.mark.parametrize("broken", [cut, gone, no_folder, a_folder_in_its_place, another_database])
def test_a_home_that_cannot_be_read_is_no_verdict_and_nothing_is_withdrawn(
    desk: Desk, broken: Callable[[Desk], None]
) -> None:
    """`found` is null, and `why` says why; the other replicas keep what they have."""
    fingerprint = desk.enabled()
    desk.must("check")
    broken(desk)

    report = desk.type("check", "--json").json
    fixed = desk.type("fix", "--yes")

    [home] = [one for one in report["servers"][0]["published"] if one["home"]]
    assert home["found"] is None
    assert home["why"]
    assert report["verdict"] in ("unknown", "error")
    assert "fault in mailtrust" not in fixed.said
    others = {name: found for name, found in desk.published().items() if name != "dc2"}
    assert others == {"dc1": [fingerprint], "dc3": [fingerprint]}


def test_a_locked_replica_is_a_look_that_did_not_come_through(desk: Desk) -> None:
    """It costs what one look may take, and no more."""
    desk.enabled()
    with closing(sqlite3.connect(desk.folder / "dc2.db", isolation_level=None)) as somebody:
        somebody.execute("begin exclusive")
        ran = desk.type("check", "--json")

    [home] = [one for one in ran.json["servers"][0]["published"] if one["home"]]
    assert home["found"] is None
    assert home["why"]


# --- killed, and two at once


def test_two_administrators_at_once_lose_no_value(desk: Desk) -> None:
    desk.enabled()
    both = [desk.made(), desk.made()]

    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "mailtrust", "enable", fingerprint, "--yes"],
            cwd=desk.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        for fingerprint in both
    ]  # fmt: skip
    codes = [process.wait(60) for process in processes]

    assert codes == [0, 0]
    assert set(both) <= set(desk.published()["dc1"] or [])


def test_after_a_crash_the_next_run_goes_on(desk: Desk) -> None:
    """What a process leaves that was killed between its first and its second file."""
    fingerprint = desk.made()
    certificates = desk.folder / "store" / "certificates"
    (certificates / f"{fingerprint}.crt").unlink()

    desk.must("new")

    assert len(desk.slots()) == 2
    assert fingerprint in desk.slots()


def test_a_certificate_that_may_issue_others_is_never_published(desk: Desk) -> None:
    """Not by `enable`, not by `put`; importing it says so at once."""
    authority = an_x509(HUB1, key="authority", extensions=AUTHORITY)
    key = a_key("authority", "p256").private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    certificate = authority.public_bytes(serialization.Encoding.PEM)
    (desk.folder / "both.pem").write_bytes(key + certificate)
    (desk.folder / "alone.pem").write_bytes(authority.public_bytes(serialization.Encoding.DER))

    imported = desk.must("import", "both.pem")
    enabled = desk.type("enable", fingerprint_of(der(authority)), "--yes")
    put = desk.type("directory", "put", HUB1, "alone.pem", "--yes")

    assert "CA:TRUE" in imported.err
    for refused in (enabled, put):
        assert refused.code == 1
        assert "CA:TRUE" in refused.err
        assert "hint: make one that may not: mailtrust new" in refused.err
    assert desk.published() == {"dc1": [], "dc2": [], "dc3": []}


def keep(desk: Desk, made: x509.Certificate, label: str) -> str:
    """Import it with its key; its fingerprint."""
    (desk.folder / f"{label}.pem").write_bytes(key_pem(label) + made.public_bytes(serialization.Encoding.PEM))
    desk.must("import", f"{label}.pem")
    return fingerprint_of(der(made))


@pytest.mark.parametrize(
    ("not_before", "sentence"),
    [(days(-900), "expired at"), (days(90), "is not valid before")],
    ids=["expired", "not yet valid"],
)
def test_what_is_out_of_date_does_not_take_the_place_of_what_is_valid(
    desk: Desk, not_before: timedelta, sentence: str
) -> None:
    """Peers would believe it, and 12015 came afterwards: nobody means that, and a new one costs a second."""
    current = desk.enabled()
    old = keep(desk, an_x509(key="old", not_before=clock.now() + not_before, life=days(30)), "old")

    foretold = desk.type("enable", old, "--dry-run")
    refused = desk.type("enable", old, "--yes")

    for ran in (foretold, refused):
        assert ran.code == 1
        assert f"{short(old)} {sentence}" in ran.err
        assert "hint: make a new certificate: mailtrust new; or this one all the same: " in ran.err
    assert desk.published()["dc1"] == [current]
    [found] = [one for one in desk.type("check", "--json").json["findings"] if one["event"] == 12012]
    assert found["action"] == "mailtrust new"


def test_who_insists_may_enable_what_is_out_of_date_and_is_not_asked_twice(desk: Desk) -> None:
    """Direct trust asks for no date: it works."""
    desk.enabled()
    old = keep(desk, an_x509(key="old", not_before=clock.now() - days(900), life=days(30)), "old")

    insisted = desk.must("enable", old, "--force", "--yes")
    desk.must("directory", "replicate", "--once")
    desk.must("enable", old, "--yes")

    assert f"warning: {short(old)} expired at" in insisted.err
    assert desk.slots()[old] == "current"


def test_the_only_certificate_there_is_may_be_out_of_date(desk: Desk) -> None:
    """Peers believe it, and without it there is no trust at all."""
    old = keep(desk, an_x509(key="old", not_before=clock.now() - days(900), life=days(30)), "old")

    enabled = desk.must("enable", old, "--yes")

    assert "peers believe it, for direct trust asks for no date" in enabled.err
    assert desk.slots() == {old: "current"}

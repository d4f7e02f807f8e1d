"""What must leave no trace, and what must not be taken away."""

import hashlib
from datetime import timedelta

import pytest

from mailtrust import clock
from mailtrust.certificates.create import new_key
from mailtrust.certificates.formats import write_pem
from tests.cli.desk import HUB1, Desk
from tests.cli.test_withdraw import certificate_of


def traces(desk: Desk) -> dict[str, str]:
    files = (file for file in desk.folder.rglob("*") if file.is_file())
    return {str(file): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


@pytest.mark.parametrize(
    "words",
    [
        ("new", "--dry-run"),
        ("enable", "FINGERPRINT", "--dry-run"),
        ("enable", "FINGERPRINT"),
        ("withdraw", "CURRENT", "--dry-run"),
        ("remove", "FINGERPRINT", "--dry-run"),
        ("remove", "FINGERPRINT"),
        ("fix", "--dry-run"),
        ("fix",),
        ("directory", "put", HUB1, "mailtrust.toml", "--dry-run"),
        ("directory", "put", HUB1, "mailtrust.toml"),
    ],
)
def test_a_dry_run_and_a_question_without_an_answer_change_no_file(
    desk: Desk, words: tuple[str, ...]
) -> None:
    names = {"CURRENT": desk.enabled(), "FINGERPRINT": desk.made()}
    (desk.folder / "store" / "journal.db").unlink()
    before = traces(desk)

    desk.type(*(names.get(word, word) for word in words))

    assert traces(desk) == before


def renewed(desk: Desk) -> tuple[str, str]:
    """Two certificates with one key, the second one current."""
    key, fingerprints = new_key("p256"), []
    for days in (10, 20):
        (desk.folder / "x.pem").write_bytes(write_pem([certificate_of(key, days)], key))
        fingerprints.append(desk.must("import", "x.pem", "--json").json["fingerprint"])
        desk.must("enable", fingerprints[-1], "--yes")
        desk.must("directory", "replicate", "--once")
    return fingerprints[0], fingerprints[1]


def test_an_older_certificate_with_the_current_key_can_be_removed_once_withdrawn(desk: Desk) -> None:
    """Its key goes on being published, in the newer one."""
    old, new = renewed(desk)
    desk.must("withdraw", old, "--yes")

    waiting = desk.type("remove", old, "--yes")
    assert waiting.code == 1
    assert "its withdrawal is on the way there" in waiting.err

    desk.must("directory", "replicate", "--once")
    desk.must("remove", old, "--yes")
    assert desk.slots() == {new: "current"}


def test_a_store_that_forgot_what_is_current_is_told_what_to_type(desk: Desk) -> None:
    """The slots and the journal are lost; the directory still knows."""
    made = desk.enabled()
    (desk.folder / "store" / "certificates" / "slots.json").unlink()
    (desk.folder / "store" / "journal.db").unlink()

    ran = desk.type("check", "--json")
    [finding] = [one for one in ran.json["findings"] if one["event"] == 12109]
    assert finding["action"] == f"mailtrust enable {made[:12]}"
    assert ran.code == 1

    desk.must("fix", "--yes")
    assert desk.slots() == {made: "current"}


def test_a_damaged_store_says_how_to_mend_it(desk: Desk) -> None:
    desk.enabled()
    (desk.folder / "store" / "certificates" / "slots.json").write_text("{")

    ran = desk.type("check")

    assert ran.code == 3
    assert "bring it back from a backup" in ran.out


def test_a_writers_clock_that_runs_ahead_holds_nobody_back(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = desk.enabled(), desk.made()
    ahead = clock.now() + timedelta(hours=1)
    with monkeypatch.context() as patch:
        patch.setattr("mailtrust.clock.now", lambda: ahead)
        desk.must("enable", second, "--yes")
        desk.must("directory", "replicate", "--once")

    desk.must("enable", second, "--yes")

    assert desk.slots() == {first: "previous", second: "current"}

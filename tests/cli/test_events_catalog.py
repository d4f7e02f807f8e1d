"""`journalctl -x` explains our events, in the reader's language."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from mailtrust.agent.journal_rows import Entry, EntryKind
from mailtrust.agent.log_record import log_record
from mailtrust.core.events import catalog
from mailtrust.core.events.message_id import message_id
from mailtrust.core.model.event import Event
from mailtrust.texts import load
from tests.cli.desk import HUB1, Desk
from tests.journald import CATALOGS, JOURNAL_REMOTE, journalctl, with_catalogs
from tests.make import HUB1 as SERVER
from tests.make import NOON
from tests.programs import needs, program
from tools.make_message_catalogs import FILES, FOLDER

BELOW = "usr/lib/systemd/catalog"


@dataclass(frozen=True)
class Installed:
    """A machine's root with our catalogs, known to its journal."""

    root: Path

    def explained(self, journal: Path, environment: dict[str, str]) -> str:
        database = self.root / CATALOGS.lstrip("/")
        return with_catalogs(database, "--file", journal, "-x", environment=environment)


@pytest.fixture
def installed(desk: Desk) -> Installed:
    root = desk.folder / "root"
    ran = desk.must("events", "catalog", "--install", root / BELOW, "--yes")
    (root / CATALOGS.lstrip("/")).mkdir(parents=True)

    assert f"journalctl --root={root} --update-catalog" in ran.out
    journalctl(f"--root={root}", "--update-catalog")
    return Installed(root)


@pytest.fixture
def chinese(tmp_path: Path) -> dict[str, str]:
    """What makes a program speak Chinese, also where the machine has no such locale."""
    words = (program("localedef") or "localedef", "--no-archive", "-i", "zh_CN", "-f", "UTF-8")
    subprocess.run([*words, tmp_path / "zh_CN.UTF-8"], check=True, capture_output=True)
    return {"LOCPATH": str(tmp_path), "LANG": "zh_CN.UTF-8", "LC_ALL": "zh_CN.UTF-8"}


def exported(desk: Desk) -> Path:
    """What is on record, as a file of systemd's journal."""
    ran = subprocess.run(
        [sys.executable, "-m", "mailtrust", "--config", desk.folder / "mailtrust.toml", "events", "export"],
        check=True, capture_output=True,
    )  # fmt: skip
    made = desk.folder / "events.journal"
    remote = program(JOURNAL_REMOTE) or JOURNAL_REMOTE
    subprocess.run([remote, "-o", made, "-"], input=ran.stdout, check=True, capture_output=True)
    return made


@needs("journalctl")
def test_every_event_is_in_the_catalog_that_systemd_makes_of_them(installed: Installed) -> None:
    listed = journalctl(f"--root={installed.root}", "--list-catalog")

    identities = {line.split()[0] for line in listed.splitlines()}
    assert identities == {message_id(event.code) for event in catalog.CATALOG}


@needs("journalctl")
def test_nothing_of_a_text_is_lost_on_the_way(installed: Installed) -> None:
    """The reader of catalogs drops some lines without a word."""
    dumped = journalctl(f"--root={installed.root}", "--dump-catalog")

    ours = (FOLDER / FILES["en"]).read_text("utf-8")
    expected = {line for line in ours.splitlines() if line and not line.startswith("# ")}
    assert expected == {line for line in dumped.splitlines() if line}


@needs("journalctl", JOURNAL_REMOTE, "unshare", "localedef", "/usr/share/i18n/locales/zh_CN")
def test_12012_is_explained_in_english_and_in_chinese(
    desk: Desk, installed: Installed, chinese: dict[str, str]
) -> None:
    fingerprint = desk.made()
    assert desk.type("--config", desk.folder / "mailtrust.toml", "check").code == 2
    journal = exported(desk)

    english = installed.explained(journal, {"LC_ALL": "C.UTF-8"})
    translated = installed.explained(journal, chinese)

    action = f"mailtrust --config {desk.folder / 'mailtrust.toml'} enable {fingerprint[:12]}"
    assert f"Subject: 12012 The internal transport certificate is not in the directory ({HUB1})" in english
    assert f"do: {action}" in english
    assert "cause: not-enabled" in english
    assert "Run `mailtrust check`. It names the cause, and the line to type." in english
    assert f"Subject: 12012 目录中没有内部传输证书 ({HUB1})" in translated
    assert f"处理: {action}" in translated
    assert "运行 `mailtrust check`。它会指出原因，以及应当输入的命令。" in translated
    for text in (english, translated):
        explanation = text.partition("Subject: 12012")[2].partition("Subject: ")[0]
        assert "MAILTRUST_" not in explanation.replace("MAILTRUST_CONFIG", "")


@pytest.mark.parametrize("event", catalog.CATALOG, ids=lambda event: event.code)
@pytest.mark.parametrize("name", FILES.values())
def test_an_explanation_wants_only_fields_that_every_entry_has(event: Event, name: str) -> None:
    text = (FOLDER / name).read_text("utf-8")
    entry = Entry(1, NOON, EntryKind.OPENED, event, SERVER, severity=event.severity)

    [ours] = [one for one in re.split(r"^-- ", text, flags=re.M) if one.startswith(message_id(event.code))]
    fields = log_record(entry, load("en"), None).fields
    assert set(re.findall(r"@([A-Z_]+)@", ours)) <= fields.keys()
    assert "@" not in re.sub(r"@[A-Z_]+@", "", ours)


def test_where_the_catalogs_are_is_said(desk: Desk) -> None:
    said = desk.must("events", "catalog", "--json").json

    assert [Path(one).name for one in said["files"]] == sorted(FILES.values())
    assert (said["installed"], said["then"]) == (False, "journalctl --update-catalog")


def test_a_dry_run_installs_nothing(desk: Desk) -> None:
    desk.must("events", "catalog", "--install", desk.folder / "there", "--dry-run")

    assert not (desk.folder / "there").exists()


def test_without_anybody_to_ask_nothing_is_installed(desk: Desk) -> None:
    assert desk.type("events", "catalog", "--install", desk.folder / "there").code == 1
    assert not (desk.folder / "there").exists()


def test_what_is_exported_can_be_had_as_lines(desk: Desk) -> None:
    desk.type("check")

    ran = desk.must("events", "export", "--json", "--since", "1h")

    said = [json.loads(line) for line in ran.out.splitlines()]
    assert said[0]["event"] == 12012
    assert said[0]["message_id"] == message_id(12012)


def test_the_number_of_a_message_never_changes() -> None:
    """Who has filters by it keeps them: `uuidgen --sha1 --namespace … --name 12012` says the same."""
    assert message_id(12012) == "17f81589bb5b5d888873db03509df89c"

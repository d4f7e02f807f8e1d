"""The pages of events: what the catalog and the texts say, no more and no less."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.generated import write_or_compare
from tools.make_event_docs import SHELF, pages


def test_the_pages_of_events_are_up_to_date(capsys: pytest.CaptureFixture[str]) -> None:
    """And none is left of an event that is gone."""
    assert write_or_compare(pages(), ["--check"], SHELF) == 0, capsys.readouterr().err


def test_a_page_leads_to_others_in_its_own_language() -> None:
    assert "- [12101](12101.md) A published certificate is on its way" in pages()[SHELF / "12012.md"]
    assert "- [12101](12101.md) 已发布的证书" in pages()[SHELF / "zh" / "12012.md"]
    assert "(../../how-it-works.md)" in pages()[SHELF / "zh" / "12012.md"]


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """A shelf with one page on it, as it was generated."""
    (tmp_path / "1036.md").write_text("# 1036\n", "utf-8")
    return tmp_path


def test_what_stands_is_left_alone(shelf: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wanted = {shelf / "1036.md": "# 1036\n"}

    assert write_or_compare(wanted, ["--check"], shelf) == 0
    assert write_or_compare(wanted, [], shelf) == 0
    assert capsys.readouterr() == ("", "")


def test_a_page_that_differs_is_named_and_written(shelf: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wanted = {shelf / "1036.md": "# 1036, said better\n"}

    assert write_or_compare(wanted, ["--check"], shelf) == 1
    assert capsys.readouterr().err == f"{shelf}/1036.md is not up to date: run make docs\n"
    assert (shelf / "1036.md").read_text("utf-8") == "# 1036\n"

    assert write_or_compare(wanted, [], shelf) == 0
    assert (shelf / "1036.md").read_text("utf-8") == "# 1036, said better\n"


def test_a_page_that_is_missing_is_named_and_written(shelf: Path) -> None:
    wanted = {shelf / "1036.md": "# 1036\n", shelf / "zh" / "1036.md": "# 1036 对端\n"}

    assert write_or_compare(wanted, ["--check"], shelf) == 1
    assert write_or_compare(wanted, [], shelf) == 0
    assert write_or_compare(wanted, ["--check"], shelf) == 0


def test_a_page_that_is_left_over_is_named_and_removed(
    shelf: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (shelf / "zh").mkdir()
    (shelf / "zh" / "12112.md").write_text("# An event that is gone\n", "utf-8")
    wanted = {shelf / "1036.md": "# 1036\n"}

    assert write_or_compare(wanted, ["--check"], shelf) == 1
    assert capsys.readouterr().err == f"{shelf}/zh/12112.md is left over: run make docs\n"

    assert write_or_compare(wanted, [], shelf) == 0
    assert sorted(shelf.rglob("*.md")) == [shelf / "1036.md"]

"""
Every command line of the pages runs, in the order of its page.

A new line is run without being listed anywhere.  What ends otherwise than with 0, goes on until it is told to
end, is run by another test or cannot be run here stands in a table below, with its reason; an entry for a
line that no page has any more is an error.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests import postfix
from tests.docs import worlds
from tests.docs.lines import ROOT, Line, lines, pages
from tests.docs.worlds import Ran, World, without_config
from tests.texts.test_what_to_type import complaints

Place = Callable[[Path], AbstractContextManager[World]]


class Otherwise(NamedTuple):
    """How a line ends here, where it is not with 0, and why."""

    code: int
    says: str


PLACES: dict[str, Place] = {
    "README.md": worlds.empty,
    "docs/guides/migrate-postfix.md": worlds.mail,
    "docs/guides/postfix-openldap.md": worlds.mail,
    "docs/operate/install.md": worlds.empty,
    "docs/start.md": worlds.empty,
    "docs/start.zh.md": worlds.empty,
    "docs/transports/postfix-helper.md": worlds.mail,
}
"""Where a page's lines are typed; all others at a desk with a directory and another server."""
ABOUT_POSTFIX = ("mailtrust postfix", "mailtrust adopt", "mailtrust analyze --instance")

OTHERWISE = {
    "mailtrust analyze --all --html advice.html": Otherwise(1, "12012"),
    "mailtrust analyze --instance /etc/postfix-inner": Otherwise(1, "has no transport hub"),
    "mailtrust check": Otherwise(2, "nobody listens at the listener"),
    "mailtrust check --all": Otherwise(2, "hub1 was given a new certificate, or its keys were exposed"),
    "mailtrust check --all --timeout 5s": Otherwise(2, "hub1 was given a new certificate"),
    "mailtrust directory check --neighbour hub2.example.test": Otherwise(1, "is a file"),
    "mailtrust directory check": Otherwise(1, "is a file"),
    "mailtrust enforce 192.0.2.7 --days 14": Otherwise(1, "no session with 192.0.2.7 was counted"),
    "mailtrust enforce mx1.example.org": Otherwise(1, "no session with mx1.example.org was counted"),
    "mailtrust enforce mx1.example.org --dry-run": Otherwise(
        1, "no session with mx1.example.org was counted"
    ),
    "mailtrust enforce --all": Otherwise(1, "no session was counted yet"),
    "mailtrust enforce mx2.example.org --dry-run": Otherwise(
        1, "no session with mx2.example.org was counted"
    ),
    "mailtrust flow hub1 ann@hub3.example.test": Otherwise(1, "12184 FlowNoRoute"),
    "mailtrust flow --rehearse hub2.example.test --certificate 3f2a9c41": Otherwise(
        1, "nobody publishes the key"
    ),
    "mailtrust flow --rehearse mx2.example.org": Otherwise(1, "the directory has no other server"),
    "mailtrust why --queue": Otherwise(1, 'transport.kind is "none"'),
    "mailtrust postfix check --instance /etc/postfix-inner": Otherwise(2, "that Postfix was not set up yet"),
    # The one or the other: as long as the emergency before it took.
    "mailtrust rotate now --dry-run": Otherwise(1, " yet"),
    "mailtrust rotate now --yes": Otherwise(1, "is not known everywhere yet"),
    "mailtrust rotate undo": Otherwise(1, "there is no way back"),
    "mailtrust withdraw 1a2b3c4d --server hub2.example.test": Otherwise(1, "publishes nothing named"),
}
"""Lines that are right on their page and end otherwise in a small world; elsewhere they may end with 0."""

GOES_ON = {
    "mailtrust --config /etc/mailtrust/mailtrust.toml agent",
    "mailtrust --config /etc/mailtrust/mailtrust.toml agent --web",
    "mailtrust --config hub1.toml hub",
    "mailtrust agent",
    "mailtrust agent --config-dir /etc/mailtrust/servers.d",
    "mailtrust dashboard",
    "mailtrust dashboard --listen 127.0.0.1:12012",
    "mailtrust directory replicate --lag 5s",
}
"""Until it is told to end, which is no failure."""
GOES_ON_THERE = {("docs/guides/migrate-postfix.md", "mailtrust rotate start --wait")}
"""On that page alone: in its world no peer and no process of Postfix presents what it waits for."""

ELSEWHERE = {
    "adcli join": "tests/docs/test_active_directory_page.py",
    "kinit auditor@CORP.EXAMPLE": "tests/docs/test_exchange_page.py",
    "mailtrust analyze --exchange": "tests/cli/test_analyze_forest.py",
    "mailtrust analyze --from": "tests/cli/test_analyze.py",
    "mailtrust audit collector": "tests/cli/test_audit.py",
    "mailtrust audit exchange": "tests/docs/test_exchange_page.py",
    "mailtrust events catalog --install /usr/local": "tests/cli/test_events_catalog.py",
    "mailtrust events import": "tests/cli/test_events_import.py",
    "mailtrust events test-hook": "tests/cli/test_events_hook.py",
    "mailtrust exim compile --dry-run": "tests/cli/test_exim_compile.py",
    "mailtrust init --name hub1.corp.example": "tests/docs/test_active_directory_page.py",
    "mailtrust lab": "tests/lab/test_stories.py",
    "samba-tool ": "tests/docs/test_active_directory_page.py",
    "unshare -Urm": "tests/cli/test_events_catalog.py",
    "tools/in_own_network.sh": "tests/test_own_network.py",
}
"""How a line begins, and the test that runs it: it needs a domain, or a server that only that test has."""

HOST = "changes the host itself"
WINDOWS = "is for Windows"
NOT_HERE = {
    ".\\collect.ps1": WINDOWS,
    "Add-ADGroupMember ": WINDOWS,
    "ForEach-Object ": WINDOWS,
    "Get-WinEvent ": WINDOWS,
    "New-ADGroup ": WINDOWS,
    "journalctl --update-catalog": HOST,
    "journalctl -t ": "reads the journal of a host that systemd runs",
    "journalctl MESSAGE_ID": "reads the journal of a host that systemd runs",
    "openssl s_client": "goes on, at the reader's own relay",
    "sqlite3 ": "is SQLite's own program, which a mail server may not have",
    "C:\\mailtrust": WINDOWS,
    "PATH=": "is the reader's own shell",
    "dsacls ": WINDOWS,
    "dsconf ": "is for an installed 389 Directory Server; tests/ds389.py does the same to one of its own",
    "dsctl ": "is for an installed 389 Directory Server",
    "apt install": HOST,
    "git clone": "has no address to clone from",
    "py -m venv": WINDOWS,
    "python3 -m venv /opt": HOST,
    "systemctl ": HOST,
    "useradd ": HOST,
    "install -d": HOST,
    "cp mailtrust-postfix-helper": HOST,
}
"""How a line begins that no test types, and why not."""

ALL = lines()


def excused(line: Line) -> str | None:
    """Why a line is not typed in the world of its page."""
    for begins in (*ELSEWHERE, *NOT_HERE):
        if line.text.startswith(begins):
            return begins
    return None


def place_of(line: Line) -> Place:
    """A line about Postfix needs one, on whichever page it stands."""
    if line.text.startswith(ABOUT_POSTFIX):
        return worlds.mail
    return PLACES.get(line.page, worlds.desk)


TYPED = {
    (page, place.__name__): [
        line for line in ALL if (line.page, place_of(line)) == (page, place) and not excused(line)
    ]
    for page, place in dict.fromkeys((line.page, place_of(line)) for line in ALL)
}
"""The lines of each page, by where they are typed."""


def cases() -> list[Any]:
    return [
        pytest.param(page, place, marks=postfix.MARKS if place == worlds.mail.__name__ else ())
        for (page, place), there in TYPED.items()
        if there
    ]


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("page", "place"), cases())
def test_the_lines_of_a_page_run(page: str, place: str, tmp_path: Path) -> None:
    wrong = []
    with getattr(worlds, place)(tmp_path) as world:
        for line in TYPED[page, place]:
            if line.program == "make":
                # What it does is tested where it is done; that there is such a target, here.
                run = ["make", "-n", *line.text.split()[1:]]
                subprocess.run(run, cwd=ROOT, check=True, capture_output=True)
                continue
            ran = (world.starts if goes_on(line) else world.types)(line.text)
            if not is_right(line, ran):
                wrong.append(f"{line.text}: {ran.code}\n{ran.said[-600:]}")

    assert wrong == [], "\n".join(wrong)


def goes_on(line: Line) -> bool:
    """Whether it ends only when it is told to."""
    return line.text in GOES_ON or (line.page, line.text) in GOES_ON_THERE


def is_right(line: Line, ran: Ran) -> bool:
    """Done; or as the table says; or ended by us."""
    other = OTHERWISE.get(line.text)
    if "Traceback" in ran.said:
        return False
    if goes_on(line) and ran.code == 130:
        return True
    return ran.code == 0 or (other is not None and ran.code == other.code and says(ran.said, other))


def says(said: str, other: Otherwise) -> bool:
    """A verdict of `check` is told by its code; an error by its sentence."""
    return other.code == 2 or other.says in " ".join(said.split())


def test_no_table_has_an_entry_for_a_line_that_is_gone() -> None:
    texts = {line.text for line in ALL}
    begins = {one for line in ALL if (one := excused(line))}

    assert set(OTHERWISE) - texts == set()
    assert texts >= GOES_ON
    assert {(line.page, line.text) for line in ALL} >= GOES_ON_THERE
    assert {*ELSEWHERE, *NOT_HERE} - begins == set()
    assert {page for page in PLACES if not (ROOT / page).exists()} == set()


def test_whatever_is_run_elsewhere_is_run_there() -> None:
    """At least the word of our own program that it is about stands in that test."""
    for begins, test in ELSEWHERE.items():
        word = begins.split()[1 if begins.startswith("mailtrust ") else 0]
        assert Path(word).name.lstrip("-") in (ROOT / test).read_text("utf-8"), f"{begins}: {test}"


def test_every_command_in_a_sentence_can_be_typed() -> None:
    """Between backticks: the command and its options are there."""
    said = {
        command
        for page in pages()
        for command in re.findall(r"`(mailtrust [a-z][^`]*)`", " ".join(page.read_text("utf-8").split()))
        if "COMMAND" not in command and "…" not in command
    }

    assert len(said) > 50
    assert [one for command in sorted(said) for one in complaints(without_config(command))] == []


def test_other_programs_of_the_pages_are_known_ones() -> None:
    """A name that is misspelt is found where the program is there."""
    names = {line.program for line in ALL if excused(line) is None and "=" not in line.program}

    assert [name for name in names if name not in ("mailtrust",) and shutil.which(name) is None] == []

"""What programs read is what the reference says: the JSON of the program, read by the reference's types."""

from __future__ import annotations

import json
import re
import shlex
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.docs import worlds
from tests.docs.worlds import World
from tests.loopback import PATIENCE
from tests.shapes import reads, schema_of
from tests.texts.test_what_to_type import parts, program
from tools.generated import write_or_compare
from tools.json_shapes import SHAPES, Shape
from tools.make_json_docs import pages

pytestmark = pytest.mark.timeout(300)
ROOT = Path(__file__).parents[2]

ELSEWHERE = {
    "mailtrust adopt --json": "tests/cli/test_adopt.py",
    "mailtrust agent --json": "tests/agent/test_agent_process.py",
    "mailtrust agent --once --json": "tests/agent/test_agent_process.py",
    "mailtrust audit exchange --json": "tests/cli/test_audit.py",
    "mailtrust directory check --json": "tests/cli/test_active_directory.py",
    "mailtrust directory replicate --json": "tests/cli/test_directory.py",
    "mailtrust events import Application.evtx --json": "tests/cli/test_events_import.py",
    "mailtrust events test-hook --json": "tests/cli/test_events_hook.py",
    "mailtrust events test-hook --dry-run --json": "tests/cli/test_events_hook.py",
    "mailtrust exim compile --json": "tests/cli/test_exim_compile.py",
    "mailtrust lab --json": "tests/lab/test_lab.py",
    "mailtrust lab --story 12012 --json": "tests/lab/test_stories.py",
    "mailtrust postfix check --json": "tests/transports/postfix_desk.py",
    "mailtrust postfix compile --json": "tests/cli/test_postfix_compile.py",
    "mailtrust postfix setup --json": "tests/transports/test_postfix_setup.py",
    "mailtrust postfix setup --print --json": "tests/transports/test_postfix_setup.py",
    "mailtrust postfix undo --json": "tests/transports/test_postfix_undo.py",
    "mailtrust rotate compromised --json": "tests/cli/test_rotate.py",
    "mailtrust rotate now --json": "tests/cli/test_rotate.py",
    "mailtrust rotate start --json": "tests/cli/test_rotate.py",
    "mailtrust rotate undo --json": "tests/cli/test_rotate.py",
    "mailtrust simulate --plot lag.svg --json": "tests/cli/test_simulate.py",
    "`notify.webhook` and `notify.command`": "tests/cli/test_events_hook.py",
    '`log.to = "json"` and `log.file`': "tests/agent/test_shipping.py",
}
"""What cannot be written at the desk, and the test that reads it there."""

GOES_ON = {"mailtrust dashboard --json", "mailtrust events --json --follow", "mailtrust hub --json"}
"""Until it is told to end."""

KEPT = {
    "mailtrust.slots/1": "is a file of the store",
    "mailtrust.snapshot/2": "is a file of the store",
    "mailtrust.adopt-host/1": "is written by one mailtrust for another, and adopt reads it",
    "mailtrust.collected/1": "is written by the collector for mailtrust, and audit reads it",
}
"""Schemas of files that mailtrust alone reads, and which are promised to nobody."""


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with worlds.desk(tmp_path_factory.mktemp("desk")) as world:
        yield world


def written(world: World, command: str) -> Any:
    """The value among what was said; warnings may stand before it."""
    if command in GOES_ON:
        return json.loads(first_line(world, command))
    said = world.types(command).said
    begin = re.search(r"^[\[{]", said, re.MULTILINE)
    assert begin, said
    return json.JSONDecoder().raw_decode(said, begin.start())[0]


def first_line(world: World, command: str) -> str:
    with subprocess.Popen(
        ["sh", "-c", f"exec {world.here(command)}"], cwd=world.folder, env=dict(world.environment),
        text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        line = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE * 2)
    return line


def writers(shape: Shape) -> tuple[str, ...]:
    """Whatever writes values of that shape."""
    return (*shape.commands, *((shape.where,) if shape.where else ()))


def with_json(found: Any, name: str = "mailtrust") -> Iterator[str]:
    """The commands of ours that take --json."""
    if any("--json" in parameter.opts for parameter in found.params):
        yield name
    for word in found.list_commands(None) if hasattr(found, "commands") else ():
        yield from with_json(found.get_command(None, word), f"{name} {word}")


def command_of(line: str) -> str:
    """The line without the words that are left for its command."""
    _, left = parts(line)
    words = shlex.split(line)
    return " ".join(words[: len(words) - len(left)])


def test_the_reference_is_up_to_date(capsys: pytest.CaptureFixture[str]) -> None:
    assert write_or_compare(pages(), ["--check"]) == 0, capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "command"),
    [(name, one) for name, shape in SHAPES.items() for one in writers(shape) if one not in ELSEWHERE],
)
def test_what_the_program_writes_has_this_shape(desk: World, name: str, command: str) -> None:
    assert reads(name, written(desk, command))


def test_findings_and_places_that_cannot_be_seen_have_it_too(desk: World) -> None:
    """With a certificate that was not enabled, a replica that is damaged, and from outside."""
    desk.types("mailtrust new")
    (desk.folder / "dc3.db").write_bytes(b"not a database any more\n" * 400)

    here = reads("check", written(desk, "mailtrust check --json"))
    outside = reads("check", written(desk, "mailtrust check --all --json"))

    assert {one["event"] for one in here["findings"]} >= {12012, 12103}
    assert None in [one["found"] for server in here["servers"] for one in server["published"]]
    assert None in [server["installed"] for server in outside["servers"]]


def test_every_schema_of_the_code_has_a_shape() -> None:
    """And no shape stands for one that is gone."""
    files = [one for kind in ("py", "ps1") for one in (ROOT / "src").rglob(f"*.{kind}")]
    source = "\n".join(one.read_text("utf-8") for one in files)
    written_there = set(re.findall(r"\bmailtrust\.[a-z-]+/[0-9]+\b", source))

    assert written_there - KEPT.keys() == {schema_of(shape) for shape in SHAPES.values()} - {None}
    assert KEPT.keys() - written_there == set()


def test_every_command_that_writes_json_is_in_the_reference() -> None:
    known = {command_of(line) for shape in SHAPES.values() for line in shape.commands}

    assert set(with_json(program())) == known


def test_every_shape_is_read_by_a_test() -> None:
    """Here; or in the test of the table, by its name."""
    elsewhere = [
        (name, ELSEWHERE[one]) for name, shape in SHAPES.items() for one in writers(shape) if one in ELSEWHERE
    ]

    assert {test for _, test in elsewhere} == set(ELSEWHERE.values())
    assert [one for one in elsewhere if f'reads("{one[0]}"' not in (ROOT / one[1]).read_text("utf-8")] == []
    assert [name for name, shape in SHAPES.items() if not writers(shape)] == []

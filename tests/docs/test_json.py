"""What programs read is what the reference says: the JSON of the program, read by the reference's types."""

from __future__ import annotations

import json
from collections.abc import Iterator

import msgspec
import pytest

from tests.docs import worlds
from tests.docs.worlds import World
from tools.generated import write_or_compare
from tools.json_shapes import SHAPES, Certificate, Check
from tools.make_json_docs import pages

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with worlds.desk(tmp_path_factory.mktemp("desk")) as world:
        yield world


def test_the_reference_is_up_to_date(capsys: pytest.CaptureFixture[str]) -> None:
    assert write_or_compare(pages(), ["--check"]) == 0, capsys.readouterr().err


@pytest.mark.parametrize("name", SHAPES)
def test_what_the_program_writes_has_this_shape(desk: World, name: str) -> None:
    shape, command = SHAPES[name]
    written = json.loads(desk.types(command).said)

    assert msgspec.convert(written, shape)


def test_findings_and_places_that_cannot_be_seen_have_it_too(desk: World) -> None:
    """With a certificate that was not enabled, a replica that is damaged, and from outside."""
    desk.types("mailtrust new")
    (desk.folder / "dc3.db").write_bytes(b"not a database any more\n" * 400)

    here = msgspec.convert(json.loads(desk.types("mailtrust check --json").said), Check)
    outside = msgspec.convert(json.loads(desk.types("mailtrust check --all --json").said), Check)

    assert {one.event for one in here.findings} >= {12012, 12103}
    assert None in [one.found for server in here.servers for one in server.published]
    assert None in [server.installed for server in outside.servers]


def test_a_list_is_one_of_certificates(desk: World) -> None:
    listed = json.loads(desk.types("mailtrust list --json").said)

    assert msgspec.convert(listed, list[Certificate])

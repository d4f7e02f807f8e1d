"""Tables that Postfix reads while we write them: whole, in one step, and after a crash as before."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mailtrust.errors import TransportUnavailable
from mailtrust.transports.postfix.compile import Difference
from mailtrust.transports.postfix.lmdb_table import LmdbTable, read
from mailtrust.transports.postfix.tables import PostmapTable, Table, table_files
from tests.loopback import free_port
from tests.make import minutes
from tests.postfix import Postfix
from tests.programs import needs, program

pytestmark = needs("postmap", "/usr/lib/postfix/postfix-lmdb.so")

ROWS = {"aa:bb": "mx1.example.test", "[192.0.2.7]:25": "fingerprint match=aa:bb|cc:dd"}


@pytest.fixture
def mx1(tmp_path: Path) -> Postfix:
    """One that is not started: its configuration is what postmap needs."""
    one = Postfix(tmp_path / "mx1", "mx1.example.test", free_port(), free_port())
    one.make_configuration()
    one.tables.mkdir()
    return one


@pytest.fixture
def path(mx1: Postfix) -> Path:
    return mx1.tables / "clients.lmdb"


@pytest.fixture(params=["lmdb", "postmap"])
def table(request: pytest.FixtureRequest, mx1: Postfix, path: Path) -> Iterator[Table]:
    ways: dict[str, Callable[[], Table]] = {
        "lmdb": lambda: LmdbTable(path),
        "postmap": lambda: PostmapTable(path, mx1.config),
    }
    one = ways[request.param]()
    yield one
    one.close()


def seen(mx1: Postfix) -> dict[str, str]:
    """The rows as Postfix has them."""
    said = mx1.run("postmap", "-s", f"lmdb:{mx1.tables / 'clients'}").stdout
    return dict(line.split("\t") for line in said.splitlines())


def looked_up(mx1: Postfix, key: str) -> str:
    return mx1.run("postmap", "-q", key, f"lmdb:{mx1.tables / 'clients'}", check=False).stdout.strip()


def test_postfix_finds_each_row_and_no_other(mx1: Postfix, table: Table) -> None:
    changed = table.replace(ROWS)

    assert changed == Difference(ROWS)
    assert seen(mx1) == ROWS
    # As it looks up: folded to lower case.
    assert looked_up(mx1, "AA:BB") == "mx1.example.test"
    assert looked_up(mx1, "cc:dd") == ""


def test_a_table_says_what_was_changed_in_it(mx1: Postfix, table: Table) -> None:
    table.replace(ROWS)

    changed = table.replace({"aa:bb": "mx2.example.test", "ee:ff": "mx3.example.test"})

    assert changed == Difference(
        {"aa:bb": "mx2.example.test", "ee:ff": "mx3.example.test"}, frozenset({"[192.0.2.7]:25"})
    )
    assert table.replace({"aa:bb": "mx2.example.test", "ee:ff": "mx3.example.test"}) == Difference()


def test_some_rows_change_and_the_others_stay(mx1: Postfix, table: Table) -> None:
    table.replace(ROWS)
    one = Difference({"cc:dd": "mx2.example.test"}, frozenset({"aa:bb", "never:there"}))

    table.change(one)
    table.change(one)

    assert seen(mx1) == {"[192.0.2.7]:25": ROWS["[192.0.2.7]:25"], "cc:dd": "mx2.example.test"}


def test_an_empty_table_is_there_and_knows_nobody(mx1: Postfix, table: Table, path: Path) -> None:
    """Where it is missing Postfix defers with another error, and the doctor worries."""
    table.replace({})

    assert path.exists()
    assert seen(mx1) == {}


def test_each_way_goes_on_where_the_other_stopped(mx1: Postfix, path: Path) -> None:
    PostmapTable(path, mx1.config).replace(ROWS)
    own = LmdbTable(path)
    changed = own.replace({**ROWS, "cc:dd": "x"})
    own.close()

    assert changed == Difference({"cc:dd": "x"})
    assert read(path) == {**ROWS, "cc:dd": "x"}
    assert PostmapTable(path, mx1.config).replace(ROWS) == Difference({}, frozenset({"cc:dd"}))


def test_a_file_of_another_kind_is_made_anew(mx1: Postfix, path: Path) -> None:
    path.write_bytes(b"\0" * 8192)
    own = LmdbTable(path)
    own.replace(ROWS)
    own.close()

    assert seen(mx1) == ROWS


def test_a_file_that_was_put_in_its_place_is_written(mx1: Postfix, path: Path) -> None:
    own = LmdbTable(path)
    own.replace(ROWS)
    LmdbTable(mx1.tables / "other.lmdb").replace({})
    (mx1.tables / "other.lmdb").replace(path)

    own.change(Difference({"cc:dd": "x"}))
    own.close()

    assert seen(mx1) == {"cc:dd": "x"}


def test_changing_a_table_that_is_not_there_says_so(path: Path) -> None:
    with pytest.raises(TransportUnavailable, match="cannot be written"):
        LmdbTable(path).change(Difference(ROWS))


def test_a_table_outgrows_the_room_it_was_made_with(mx1: Postfix, path: Path) -> None:
    own = LmdbTable(path)
    own.replace(ROWS)
    large = {f"{number:05}": "x" * 4000 for number in range(20000)}
    own.change(Difference(large))
    own.close()

    assert path.stat().st_size > 64 << 20
    assert looked_up(mx1, "19999") == "x" * 4000
    assert len(read(path)) == len(large) + len(ROWS)


HOLDER = """
import fcntl, sys, time
held = open(sys.argv[1], "rb")
fcntl.lockf(held, fcntl.LOCK_SH)
print("held", flush=True)
time.sleep(60)
"""


def test_a_reader_that_never_lets_go_is_named(path: Path) -> None:
    LmdbTable(path).replace(ROWS)
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, path], stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None
        holder.stdout.readline()
        own = LmdbTable(path, patience=minutes(0.002))
        with pytest.raises(TransportUnavailable, match=f"locked by process {holder.pid}"):
            own.change(Difference({"cc:dd": "x"}))
    finally:
        holder.kill()
        holder.communicate()

    own.change(Difference({"cc:dd": "x"}))
    own.close()
    assert read(path) == {**ROWS, "cc:dd": "x"}


WRITER = """
import sys
from pathlib import Path
from mailtrust.transports.postfix.lmdb_table import LmdbTable
table = LmdbTable(Path(sys.argv[1]))
for number in range(int(sys.argv[2]), 10**9):
    table.replace({str(key): str(number) for key in range(500)})
    if number == int(sys.argv[2]):
        print("writing", flush=True)
"""


def test_a_writer_that_is_killed_leaves_what_was_before_or_after(mx1: Postfix, path: Path) -> None:
    LmdbTable(path).replace({str(key): "0" for key in range(500)})
    for round_ in range(8):
        start = str(1 + round_ * 10**6)
        writer = subprocess.Popen([sys.executable, "-c", WRITER, path, start], stdout=subprocess.PIPE)
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(random.Random(round_).uniform(0, 0.02))
        writer.kill()
        writer.communicate()

        held = seen(mx1)
        assert len(held) == 500
        assert len(set(held.values())) == 1, "half a change"


def test_no_lookup_goes_wrong_while_rows_come_and_go(mx1: Postfix, path: Path) -> None:
    """The benchmark asks ten million times; here a reader asks as long as a hundred changes take."""
    stable = {f"{number:064x}": f"mx{number}" for number in range(2000)}
    own = LmdbTable(path)
    own.replace(stable)
    line = [program("postmap") or "", "-c", str(mx1.config), "-q", "-", f"lmdb:{mx1.tables / 'clients'}"]
    asked = "".join(f"{key}\n" for key in stable) * 50
    reader = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    writing = subprocess.Popen([sys.executable, "-c", CHURN, path])
    try:
        said, _ = reader.communicate(asked)
    finally:
        writing.kill()
        writing.communicate()
        own.close()

    assert said == "".join(f"{key}\t{value}\n" for key, value in stable.items()) * 50


CHURN = """
import sys
from pathlib import Path
from mailtrust.transports.postfix.compile import Difference
from mailtrust.transports.postfix.lmdb_table import LmdbTable
table, number = LmdbTable(Path(sys.argv[1])), 0
while True:
    come = {f"c{number}-{one}": "x" * 200 for one in range(20)}
    table.change(Difference(come))
    table.change(Difference({}, frozenset(come)))
    number += 1
"""


def test_both_tables_are_written_and_told(mx1: Postfix) -> None:
    files = table_files(mx1.tables, mx1.config)
    first = files.write({"clients": ROWS, "policy": {}})
    second = files.write({"clients": ROWS, "policy": {"a": "b"}})
    files.change({"clients": Difference({"cc:dd": "x"})})
    files.close()

    assert first == {"clients": Difference(ROWS)}
    assert second == {"policy": Difference({"a": "b"})}
    assert read(mx1.tables / "clients.lmdb") == {**ROWS, "cc:dd": "x"}


def test_postmap_that_refuses_is_told_in_its_own_words(mx1: Postfix, path: Path) -> None:
    (mx1.config / "main.cf").write_text("inet_interfaces = 192.0.2.7\n")

    with pytest.raises(TransportUnavailable, match=r"postmap refused: .*192\.0\.2\.7"):
        PostmapTable(path, mx1.config).replace(ROWS)

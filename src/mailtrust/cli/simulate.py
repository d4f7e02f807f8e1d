"""`mailtrust simulate`: stories and random schedules on a virtual clock, with the engine as it is shipped."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from mailtrust.cli.files import write_file
from mailtrust.cli.frame import JsonOption, UsageError, given
from mailtrust.cli.output import emit, is_terminal, say, show, warn
from mailtrust.cli.program import application
from mailtrust.errors import BadInput
from mailtrust.simulation.crowd import Found, search_all
from mailtrust.simulation.plot import figures, picture
from mailtrust.simulation.search import Failure, Schedule, Setting, shrunk
from mailtrust.simulation.stories import Story, stories
from mailtrust.simulation.told import Told, tell

app = application()

SIMULATE_SCHEMA = "mailtrust.simulate/1"


@app.command(epilog="Example: mailtrust simulate restored-replica")
def simulate(
    *,
    story: Annotated[
        str | None,
        typer.Argument(metavar="STORY", show_default=False, help="Which to tell; none: the list of them."),
    ] = None,
    random: Annotated[
        int | None, given("Play so many random schedules instead.", "--random", metavar="SCHEDULES", min=1)
    ] = None,
    seed: Annotated[int, typer.Option("--seed", metavar="N", min=0, help="The first one's number.")] = 0,
    jobs: Annotated[int, typer.Option("--jobs", metavar="N", min=1, help="On so many processors.")] = 1,
    plot: Annotated[
        Path | None,
        given(
            "Draw rejected sessions against replication lag, for three ways, as an SVG.",
            "--plot",
            metavar="FILE",
        ),
    ] = None,
    json_output: JsonOption = False,
) -> None:
    """
    Try rotations out in a world in memory: servers, replicas that lag, are cut off and restored, agents
    that are killed at any point, clocks that are wrong. What thinks in it is what thinks in production.

    A story is told minute by minute; random schedules look for one in which a session is rejected. Exits 1
    where something does not hold that must hold.
    """
    if sum(one is not None for one in (story, random, plot)) > 1:
        raise UsageError("STORY, --random and --plot exclude each other")
    if random is not None:
        code = _search(random, seed, jobs, json_output=json_output)
    elif plot is not None:
        code = _plot(plot, json_output=json_output)
    elif story is not None:
        code = _tell(_named(story), json_output=json_output)
    else:
        code = _list(json_output=json_output)
    raise typer.Exit(code)


def _named(name: str) -> Story:
    known = stories()
    if name not in known:
        raise BadInput(f"there is no story {name!r}", hint=f"the stories are {', '.join(known)}")
    return known[name]


def _list(*, json_output: bool) -> int:
    if json_output:
        listed = [{"name": one.name, "title": one.title, "inside": one.inside} for one in stories().values()]
        emit({"schema": SIMULATE_SCHEMA, "stories": listed})
        return 0
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("story", no_wrap=True)
    table.add_column("what happens")
    table.add_column("promised")
    for one in stories().values():
        table.add_row(one.name, one.title, "yes" if one.inside else "no")
    show(table)
    say("mailtrust simulate STORY tells one; --random 10000 looks for one that nobody thought of.")
    return 0


def _tell(story: Story, *, json_output: bool) -> int:
    rows = tell(story)
    unmet = [claim for row in rows for claim in row.unmet]
    if json_output:
        emit({
            "schema": SIMULATE_SCHEMA, "story": story.name, "title": story.title, "inside": story.inside,
            "rows": [_row_report(row) for row in rows], "holds": not unmet,
        })  # fmt: skip
        return int(bool(unmet))
    say(story.title, "bold")
    show(_table(rows))
    rejected = sum(row.rejected for row in rows)
    if unmet:
        warn(f"does not hold: {'; '.join(unmet)}")
    elif story.inside:
        say("all of it holds, and no session was rejected", "green")
    else:
        say(f"outside what is promised: {rejected} sessions rejected, one a minute to each peer")
    return int(bool(unmet))


def _table(rows: tuple[Told, ...]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("time", no_wrap=True)
    table.add_column("what happens, and what hub1's agent did", ratio=1)
    table.add_column("shows", no_wrap=True)
    for name in rows[0].holds:
        table.add_column(name, no_wrap=True)
    table.add_column("rejected", justify="right", no_wrap=True)
    for row in rows:
        text = "\n".join([*([row.happens] if row.happens else []), *(f"  {one}" for one in row.did)])
        time = f"{row.minute // 60}:{row.minute % 60:02}"
        rejected = str(row.rejected) if row.rejected else ""
        table.add_row(time, text, row.presents, *row.holds.values(), rejected)
    return table


def _row_report(row: Told) -> dict[str, Any]:
    return {
        "minute": row.minute, "happens": row.happens, "did": list(row.did), "presents": list(row.presents),
        "published": {name: None if shown == "?" else list(shown) for name, shown in row.holds.items()},
        "rejected": row.rejected, "unmet": list(row.unmet),
    }  # fmt: skip


def _search(count: int, first: int, jobs: int, *, json_output: bool) -> int:
    def watch(found: Found) -> None:
        if is_terminal() and not json_output and found.schedules < count:
            say(f"{found.schedules} schedules, {len(found.failures)} broken")

    found = search_all(first, count, jobs, watch)
    failures = [shrunk(one) for one in found.failures[:3]]
    if json_output:
        emit({
            "schema": SIMULATE_SCHEMA, "first": first, "schedules": found.schedules,
            "rotations_finished": found.finished, "rejected_outside": found.rejected,
            "broken": [{"seed": one.seed, "what": one.broken} for one in found.failures],
            "shrunk": [_failure_report(one) for one in failures],
        })  # fmt: skip
        return int(bool(found.failures))
    rest = f"{found.finished} rotations came to their end in them"
    if not found.failures:
        say(f"{found.schedules} schedules from {first} on: nothing broke; {rest}", "green")
        return 0
    say(f"{found.schedules} schedules from {first} on: {len(found.failures)} broke; {rest}")
    for one in failures:
        say()
        say(one.broken, "bold")
        say(f"  mailtrust simulate --random 1 --seed {one.seed}")
        say(f"  {_setting(one.schedule.setting)}")
        for word, number, other in one.schedule.events:
            say(f"    {word:<16} {number} {other}")
    return 1


def _failure_report(failure: Failure) -> dict[str, Any]:
    schedule: Schedule = failure.schedule
    return {
        "seed": failure.seed, "what": failure.broken, "setting": _setting(schedule.setting),
        "events": [list(event) for event in schedule.events],
    }  # fmt: skip


def _setting(setting: Setting) -> str:
    kind = "embedded" if setting.embedded else "numbered"
    readers = ", ".join("hub" if one else "tables" for one in setting.hubs)
    known = "the next certificate is known" if setting.successor else "no next certificate yet"
    return f"{kind} directory; readers: {readers}; {known}; {setting.rotating} rotating"


def _plot(file: Path, *, json_output: bool) -> int:
    found = figures()
    write_file(file, picture(found).encode(), secret=False)
    if json_output:
        ways = {way: [list(point) for point in points] for way, points in found.items()}
        emit({"schema": SIMULATE_SCHEMA, "plot": str(file), "rejected_by_lag": ways})
        return 0
    for way, points in found.items():
        worst = max(count for _, count in points)
        say(f"{way}: at most {worst} sessions rejected, at {max(points)[0]} minutes of lag {max(points)[1]}")
    say(f"drawn in {file}")
    return 0

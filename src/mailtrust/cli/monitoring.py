"""`mailtrust monitoring`: the alert rules and the dashboard for Grafana that come with the package."""

import re
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from mailtrust.cli.files import write_file
from mailtrust.cli.frame import JsonOption, UsageError, given, texts
from mailtrust.cli.output import emit, fields, say
from mailtrust.cli.program import application
from mailtrust.errors import BadInput

app = application()

MONITORING_SCHEMA = "mailtrust.monitoring/1"
_FOLDER = Path(__file__).parents[1] / "monitoring"
_OUR_LINK = "http://127.0.0.1:12012"
_LINK = re.compile(r"https?://[\w.:/~%\[\]-]*[\w\]]")


class Piece(StrEnum):
    """What there is."""

    RULES = "rules"
    DASHBOARD = "dashboard"


_FILES = {Piece.RULES: _FOLDER / "alerts.yml", Piece.DASHBOARD: _FOLDER / "grafana.json"}
_LABELS = {Piece.RULES: "alert-rules", Piece.DASHBOARD: "grafana-dashboard"}


@app.command(epilog="Example: mailtrust monitoring rules --link https://mon1.example.test/mailtrust")
def monitoring(
    context: typer.Context,
    piece: Annotated[
        Piece | None,
        typer.Argument(
            metavar="[rules|dashboard]",
            show_default=False,
            help="Alert rules for Prometheus, or a dashboard for Grafana. Default: say where the files are.",
        ),
    ] = None,
    *,
    link: Annotated[
        str | None,
        given(
            "Where your browser finds mailtrust's dashboard. Default: http://127.0.0.1:12012.", metavar="URL"
        ),
    ] = None,
    output: Annotated[Path | None, given("Write it there, and not to the terminal.", metavar="FILE")] = None,
    json_output: JsonOption = False,
) -> None:
    """
    Give the alert rules and the Grafana dashboard that come with mailtrust, or say where they are.

    Every alert names its event and the first command to type, and leads to the event's page. The metrics
    come from /metrics of `mailtrust dashboard` and `agent --web`, or from `check --format prometheus`.
    """
    if piece is None:
        if link is not None or output is not None:
            raise UsageError("say which: rules or dashboard", ctx=context)
        _say_where(json_output=json_output)
        return
    text = _text(piece, link)
    if output is not None:
        write_file(output, text.encode(), secret=False)
    if json_output:
        written = str(output) if output is not None else None
        emit({"schema": MONITORING_SCHEMA, "piece": piece.value, "written": written, "text": text})
    elif output is None:
        sys.stdout.write(text)


def _say_where(*, json_output: bool) -> None:
    if json_output:
        found = {piece.value: str(file) for piece, file in _FILES.items()}
        emit({"schema": MONITORING_SCHEMA, "files": found})
        return
    shelf = texts()
    say(fields((shelf.label(_LABELS[piece]), str(file)) for piece, file in _FILES.items()))


def _text(piece: Piece, link: str | None) -> str:
    """Raises: BadInput for a link that leads nowhere."""
    text = _FILES[piece].read_text(encoding="utf-8")
    if link is None:
        return text
    if not _LINK.fullmatch(link.rstrip("/")):
        raise BadInput(
            f"{link!r} is no address of a dashboard", hint="write it like https://mon1.example.test"
        )
    return text.replace(_OUR_LINK, link.rstrip("/"))

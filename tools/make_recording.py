"""
Writes docs/pictures/recording.svg: what `make run` shows of the first cause of event 12012, as a terminal.

Recorded from the real program: nothing in it is typed by hand.  The picture is an SVG without a script.  It
plays by itself, in the reader's light or dark; for who asked for less movement it stands at its end.

    python -m tools.make_recording             play the story, and draw it
    python -m tools.make_recording FILE        draw what was recorded in FILE before
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from html import escape
from pathlib import Path

from tools.generated import DOCS

PICTURE = DOCS / "pictures" / "recording.svg"
COLUMNS, ROWS = 92, 30
LINE, WIDTH = 18, 8.45
SECONDS_A_LINE, SECONDS_A_COMMAND, SECONDS_AT_THE_END = 0.16, 1.6, 8.0
FOLDER = re.compile(r"/tmp/mailtrust-lab-\w+")
STYLE = """
    .frame { fill: #fbfdfc; stroke: #9fb5b1 }
    text { font: 14px ui-monospace, "DejaVu Sans Mono", monospace; fill: #263533; white-space: pre }
    .story { fill: #0b6b54; font-weight: 600 }
    .typed { font-weight: 700 }
    .error { fill: #a3321d; font-weight: 600 }
    .good { fill: #0b6b54; font-weight: 600 }
    @media (prefers-color-scheme: dark) {
      .frame { fill: #171d1c; stroke: #45605b }
      text { fill: #d8e4e2 }
      .story, .good { fill: #55cfaa }
      .error { fill: #ff9a80 }
    }
"""


def main(arguments: Sequence[str]) -> int:
    """Draws; 1 if the story did not end well."""
    if arguments:
        story = Path(arguments[0]).read_text("utf-8")
    else:
        played = subprocess.run(
            [sys.executable, "-m", "mailtrust", "lab", "--story", "12012"],
            capture_output=True, text=True, env={**os.environ, "COLUMNS": str(COLUMNS), "LC_ALL": "C.UTF-8"},
        )  # fmt: skip
        if played.returncode != 0:
            print(played.stderr, file=sys.stderr)
            return 1
        story = played.stdout
    PICTURE.write_text(drawn(shown(story)), "utf-8")
    print(f"wrote {PICTURE}")
    return 0


def shown(story: str) -> list[str]:
    """The first cause, from the story's beginning to a clean check, as a terminal of that width wraps it."""
    first, _, _ = FOLDER.sub("/srv/lab", story).partition("cause 2:")
    lines = first.strip().splitlines()[:-1]
    return ["$ make run", "", *(part for line in lines for part in wrapped(line))]


def wrapped(line: str) -> list[str]:
    """A line in parts of the terminal's width."""
    return [line[at : at + COLUMNS] for at in range(0, len(line), COLUMNS)] or [""]


def commands(picture: str) -> list[str]:
    """What is typed in a picture; a test asks whether it can still be."""
    lines = re.findall(r'<text class="typed"[^>]*>\$ ([^<]*)</text>', picture)
    return [re.sub(r"\b[0-9a-f]{12}\b", "CERTIFICATE", line) for line in lines]


def drawn(lines: Sequence[str]) -> str:
    """The picture: each line appears at its time, and all move up when the screen is full."""
    times, now = [], 0.5
    for line in lines:
        times.append(now)
        now += SECONDS_A_COMMAND if line.startswith("$ ") else SECONDS_A_LINE
    total = now + SECONDS_AT_THE_END
    height, width = ROWS * LINE + 24, round(COLUMNS * WIDTH) + 32
    rules = "\n".join(_appears(number, at / total * 100) for number, at in enumerate(times))
    texts = "\n".join(_text(number, line) for number, line in enumerate(lines))
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"
    role="img" aria-labelledby="title desc">
<title id="title">A terminal in which make run plays event 12012</title>
<desc id="desc">{escape(told(lines))}</desc>
<style>{STYLE}
    .line, .screen {{ animation: {total:.1f}s step-end infinite }}
    .screen {{ animation-name: up; transform: translateY({-max(0, len(lines) - ROWS) * LINE}px) }}
{rules}
    @keyframes up {{ {_scroll(times, total)} }}
    @media (prefers-reduced-motion: reduce) {{ .line, .screen {{ animation: none }} }}
</style>
<rect class="frame" x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="10"/>
<svg x="0" y="4" width="{width}" height="{height - 8}"><g class="screen">
{texts}
</g></svg>
</svg>
"""


def told(lines: Sequence[str]) -> str:
    """The same for who does not see it: the commands, and each one's first line."""
    parts = []
    for line, after in zip(lines, [*lines[1:], ""], strict=True):
        if line.startswith("$ "):
            parts.append(f"{line[2:]}: {after}" if after else line[2:])
    return ". ".join(parts)


def _text(number: int, line: str) -> str:
    written = f'<text class="{_kind(line)}" x="16" y="{number * LINE + 26}">{escape(line)}</text>'
    return f'<g class="line l{number}">{written}</g>'


def _kind(line: str) -> str:
    for kind, begins in {
        "typed": ("$ ",),
        "story": ("── ", "   "),
        "error": ("E ", "MAILTRUST CRITICAL"),
        "good": ("MAILTRUST OK",),
    }.items():
        if line.startswith(begins) and not line.startswith("    "):
            return kind
    return "said"


def _appears(number: int, percent: float) -> str:
    steps = f"0% {{ opacity: 0 }} {percent:.2f}%, 100% {{ opacity: 1 }}"
    return f"    .l{number} {{ animation-name: a{number} }} @keyframes a{number} {{ {steps} }}"


def _scroll(times: Sequence[float], total: float) -> str:
    steps = ["0% { transform: none }"]
    for number, at in enumerate(times):
        if number >= ROWS:
            steps.append(
                f"{at / total * 100:.2f}% {{ transform: translateY({-(number - ROWS + 1) * LINE}px) }}"
            )
    return " ".join([*steps, f"100% {{ transform: translateY({-max(0, len(times) - ROWS) * LINE}px) }}"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""
Generated pages: written, or with --check only compared, so that they cannot fall behind what they describe.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"


def write_or_compare(pages: Mapping[Path, str], arguments: Sequence[str], shelf: Path | None = None) -> int:
    """
    0 when every page stands; with ``--check`` nothing is changed, and 1 after naming those that do not.

    A *shelf* is a folder of generated pages alone: what else lies there is left over, and taken away.
    """
    changed = {path: text for path, text in pages.items() if not _stands(path, text)}
    left_over = sorted(set(shelf.rglob("*.md")) - pages.keys()) if shelf else []
    if "--check" in arguments:
        for path in changed:
            print(f"{_shown(path)} is not up to date: run make docs", file=sys.stderr)
        for path in left_over:
            print(f"{_shown(path)} is left over: run make docs", file=sys.stderr)
        return 1 if changed or left_over else 0
    for path, text in changed.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        print(f"wrote {_shown(path)}")
    for path in left_over:
        path.unlink()
        print(f"removed {_shown(path)}")
    return 0


def head(name: str) -> str:
    """The prose that a generated page opens with: a file of its own, for it is written by hand."""
    return (ROOT / "tools" / "heads" / f"{name}.md").read_text("utf-8")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)


def _shown(path: Path) -> Path:
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


def _stands(path: Path, text: str) -> bool:
    return path.exists() and path.read_text("utf-8") == text


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")

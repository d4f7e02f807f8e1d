"""
Writes dist/site, the documentation as a site; a warning of mkdocs is an error.

The pages stay where they are read in a clone, too, and are set up for the site in a copy: Chinese events
stand beside the English ones, links that leave docs/ become words, and `FOLDER/*` in the navigation becomes
a list.
"""

from __future__ import annotations

import json
import logging
import re
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tools.generated import DOCS, ROOT

CONFIG = ROOT / "mkdocs.yml"
SITE = ROOT / "dist" / "site"
TRANSLATED = re.compile(r"\.[a-z]{2}\.md$")
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")
CHINESE = re.compile(r"(?<=[\u3400-\u9fff])(?=[\u3400-\u9fff])")


def main(arguments: list[str]) -> int:
    """Builds, into the folder that is named or dist/site; 1 after mkdocs said what is wrong."""
    site = Path(arguments[0]) if arguments else SITE
    with tempfile.TemporaryDirectory() as folder:
        staged = Path(folder) / "docs"
        stage(DOCS, staged)
        if complaint := build(staged, site):
            print(complaint, file=sys.stderr)
            return 1
    make_search_offline(site)
    # The pages below zh ask for a map of the site beside them.
    shutil.copy(site / "sitemap.xml", site / "zh" / "sitemap.xml")
    print(f"wrote {site}: open {site / 'index.html'}")
    return 0


def stage(docs: Path, staged: Path) -> None:
    """A copy of *docs* as mkdocs and its translations want it."""
    for path in sorted(docs.rglob("*")):
        place = path.relative_to(docs)
        if path.is_dir():
            continue
        text = path.read_text("utf-8") if path.suffix == ".md" else None
        if place.parts[:2] == ("events", "zh") and text is not None:
            place = Path("events") / f"{path.stem}.zh.md"
            text = text.replace("](../../", "](../")
        elif TRANSLATED.search(path.name) and text is not None:
            text = text.replace("](events/zh/", "](events/")
        target = staged / place
        target.parent.mkdir(parents=True, exist_ok=True)
        if text is None:
            shutil.copy(path, target)
        else:
            target.write_text(without_ways_out(text, place), "utf-8")


def without_ways_out(text: str, place: Path) -> str:
    """
    The page at *place* of docs/, where a link to a file outside of docs/ is its words alone.

    So is one to the same page in another language: the site has a switch for that.
    """

    def kept(link: re.Match[str]) -> str:
        up = len(list(_ups(link[3])))
        return link[2] if up > len(place.parts) - 1 or TRANSLATED.search(link[3]) else link[0]

    return LINK.sub(kept, text)


def _ups(link: str) -> Iterator[str]:
    """The leading `..` of a link."""
    for part in link.split("/"):
        if part != "..":
            return
        yield part


def build(staged: Path, site: Path) -> str:
    """What mkdocs complains of, a line each; nothing where it has no complaint."""
    # Imported late: whoever asks this module about pages alone needs no mkdocs.
    from mkdocs.commands.build import build as build_site
    from mkdocs.config import load_config
    from mkdocs.exceptions import Abort, ConfigurationError

    complaints: list[str] = []
    listener = logging.Handler(logging.WARNING)
    listener.emit = lambda record: complaints.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("mkdocs").addHandler(listener)
    try:
        config = load_config(str(CONFIG), docs_dir=str(staged), site_dir=str(site), strict=True)
        config.nav = expanded(config.nav or [], staged)
        config.plugins.on_startup(command="build", dirty=False)
        build_site(config)
        config.plugins.on_shutdown()
    except (Abort, ConfigurationError) as error:
        complaints.append(str(error))
    finally:
        logging.getLogger("mkdocs").removeHandler(listener)
    return "\n".join(complaints)


def expanded(nav: list[Any], docs: Path) -> list[Any]:
    """The navigation, where `FOLDER/*` is every page there that is not named elsewhere, index first."""
    named = set(names(nav))

    def pages(pattern: str) -> list[str]:
        folder = (docs / pattern).parent
        found = [one for one in folder.glob("*.md") if not TRANSLATED.search(one.name)]
        ordered = sorted(found, key=lambda one: (one.name != "index.md", number(one.stem), one.stem))
        return [place for one in ordered if (place := one.relative_to(docs).as_posix()) not in named]

    def walk(entries: Iterable[Any]) -> Iterator[Any]:
        for entry in entries:
            if isinstance(entry, dict):
                for title, below in entry.items():
                    yield {title: list(walk(below)) if isinstance(below, list) else below}
            elif entry.endswith("*"):
                yield from pages(entry)
            else:
                yield entry

    return list(walk(nav))


def names(nav: Iterable[Any]) -> Iterator[str]:
    """Every page that the navigation names, at any depth."""
    for entry in nav:
        if isinstance(entry, dict):
            for below in entry.values():
                yield from names(below if isinstance(below, list) else [below])
        elif not entry.endswith("*"):
            yield entry


def number(stem: str) -> int:
    """The number that a page's name is, so that 2018 stands before 12012."""
    return int(stem) if stem.isdigit() else 0


def make_search_offline(site: Path) -> None:
    """
    The index also as a script, which a page opened from a disk may load, and Chinese cut for the search.

    Chinese has no blanks between words.  The search in the browser cuts a question by the words that it finds
    in the index, so it is enough that each character is one there: nothing has to know the language's words.
    """
    file = site / "search" / "search_index.json"
    index = json.loads(file.read_text("utf-8"))
    for page in index["docs"]:
        for field in ("title", "text"):
            page[field] = CHINESE.sub("\u200b", page[field])
    text = json.dumps(index, ensure_ascii=False, separators=(",", ":"))
    file.write_text(text, "utf-8")
    file.with_suffix(".js").write_text(f"var __index = {text}", "utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

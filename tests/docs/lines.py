"""
The command lines of the pages: what a reader would paste.

A code block is a shell's when it says so (`sh`), or when a line of it begins with `$`, with a program that we
know or with a cmdlet.  Output below a `$` line, configuration and tables are not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

PROGRAMS = (
    "adcli", "ansible-playbook", "apt", "apt-get", "chmod", "chown", "cp", "curl", "dpkg",
    "dpkg-deb", "dsacls", "dsconf", "dsctl", "git", "install", "journalctl", "kinit", "ldapadd",
    "ldapmodify", "ldapsearch", "mailtrust", "make", "mkdir", "mv", "openssl", "pip", "postconf",
    "postfix", "postmap", "postmulti", "promtool", "py", "python", "python3", "rsync", "samba-tool",
    "slapadd", "sqlite3", "sudo", "systemctl", "tar", "useradd",
)  # fmt: skip
"""Programs that a block of commands may begin with; a block of nothing but output begins otherwise."""

SHELLS = ("sh", "bash", "console", "shell")
OTHER = (
    "toml", "yaml", "yml", "json", "python", "ini", "text", "markdown", "powershell", "sql", "ldif",
    "diff", "html", "css", "certmap", "slapd", "exim-main", "exim-acl", "exim-router",
    "exim-transport", "nginx", "promql",
)  # fmt: skip
COMMENT = re.compile(r"\s{2,}(#|[a-zäöü(]).*$|\s+# .*$")


@dataclass(frozen=True)
class Line:
    """One command line of a page, without what stands beside it as a comment."""

    page: str
    text: str

    @property
    def program(self) -> str:
        return self.text.split()[0]


def pages() -> list[Path]:
    return [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]


def lines() -> list[Line]:
    """Every command line of every page, in the order in which they stand there."""
    return [
        Line(page.relative_to(ROOT).as_posix(), text)
        for page in pages()
        for block in blocks(page.read_text("utf-8"))
        for text in commands(block)
    ]


def blocks(text: str) -> Iterator[str]:
    """The code blocks of a page that a shell is meant by, or may be."""
    for token in MarkdownIt().parse(text):
        if token.type in ("fence", "code_block"):
            language = token.info.split()[0] if token.info else ""
            assert language in (*SHELLS, *OTHER, ""), f"is a block of {language} a shell's?"
            if language in (*SHELLS, ""):
                yield token.content


def commands(block: str) -> Iterator[str]:
    """The commands of a block, if it is a shell's."""
    joined = re.sub(r"\\\n\s*", "", block)
    stripped = [line.strip() for line in joined.splitlines() if line.strip()]
    prompted = [line[2:] for line in stripped if line.startswith("$ ")]
    written = [line for line in prompted or stripped if not line.startswith("#")]
    # What a screen shows may hold commands, too; where a block begins with one it holds nothing else.
    for line in written:
        if prompted or _is_command(written[0]) or _is_command(line):
            yield COMMENT.sub("", line).strip()


def _is_command(line: str) -> bool:
    first, second = [*line.split(), ""][:2]
    # A setting may have the name of a program.
    if second == "=":
        return False
    return first in PROGRAMS or bool(re.match(r"PATH=|tools/|\.\\|[A-Z][a-z]+-[A-Z]\w+", first))

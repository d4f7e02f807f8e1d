"""Completions: what each shell itself makes of the script that we print."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from mailtrust.cli.completions import ShellName, script
from mailtrust.cli.outline import outline
from tests.cli.desk import Desk
from tests.programs import needs

# What is typed, and what is offered for its last word.
TYPED = [
    (["ev"], {"events"}),
    (["audit", ""], {"exchange", "collector"}),
    (["events", "import", "--la"], {"--lang"}),
    (["events", "import", "--lang", ""], {"en", "zh"}),
    (["audit", "exchange", "--bind", ""], {"simple", "external", "kerberos"}),
    (["--config", "check", "sta"], {"status"}),
    (["explain", "1202"], {"12020", "12022", "12023", "12024"}),
    (["completion", ""], {"bash", "zsh", "fish"}),
    (["lab", "--story", "re"], {"replicating", "restored-image"}),
    (["analyze", "--only", "A80"], {"A801", "A802", "A803", "A804", "A805"}),
    (["analyze", "--ack", "1202"], {"12020", "12022", "12023", "12024"}),
    (["simulate", "promo"], {"promoted"}),
    (["events", "--server", ""], set()),
]

_BASH = """\
source completion
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_mailtrust
printf '%s\\n' "${COMPREPLY[@]}"
"""
# Stands in for what zsh offers a function that completes.
_ZSH = """\
compdef() { }
_describe() { for one in ${(P)2}; do [[ $one == "$PREFIX"* ]] && print -r -- "${one%%:*}"; done }
compadd() { shift; for one; do [[ $one == "$PREFIX"* ]] && print -r -- "$one"; done }
_files() { print -rl -- * }
source ./completion
words=("$@") CURRENT=$# PREFIX="${@[-1]}"
_mailtrust
true
"""


@pytest.fixture
def folder(desk: Desk) -> Path:
    (desk.folder / "file.evtx").touch()
    return desk.folder


def offered(shell: str, folder: Path, typed: list[str]) -> set[str]:
    """What the shell offers there, without descriptions."""
    (folder / "completion").write_text(script(ShellName(shell), outline(), "0"), "utf-8")
    words = ["mailtrust", *typed]
    match shell:
        case "bash":
            command = ["bash", "--norc", "-c", _BASH, "bash", *words]
        case "zsh":
            command = ["zsh", "-f", "-c", _ZSH, "zsh", *words]
        case _:
            line = " ".join(words)
            command = ["fish", "--no-config", "-c", f"source completion; complete -C '{line}'"]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, timeout=60)
    assert ran.stderr == ""
    return {line.partition("\t")[0] for line in ran.stdout.splitlines() if line}


@pytest.mark.parametrize(("typed", "expected"), TYPED)
def test_bash_offers_what_may_be_typed(folder: Path, typed: list[str], expected: set[str]) -> None:
    assert offered("bash", folder, typed) == expected


@needs("zsh")
@pytest.mark.parametrize(("typed", "expected"), TYPED)
def test_zsh_offers_what_may_be_typed(folder: Path, typed: list[str], expected: set[str]) -> None:
    assert offered("zsh", folder, typed) == expected


@needs("fish")
@pytest.mark.parametrize(("typed", "expected"), TYPED)
def test_fish_offers_what_may_be_typed(folder: Path, typed: list[str], expected: set[str]) -> None:
    assert offered("fish", folder, typed) == expected


@needs("zsh", "fish")
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_where_a_file_is_taken_files_are_offered(folder: Path, shell: str) -> None:
    assert "file.evtx" in offered(shell, folder, ["events", "import", "file"])


def test_every_command_and_option_is_in_each_script(desk: Desk) -> None:
    said = {shell: desk.must("completion", shell.value, "--json").json["script"] for shell in ShellName}

    for one in outline().everything():
        for text in said.values():
            assert one.name in text
        assert all(name in said[ShellName.BASH] for option in one.options for name in option.names)


def test_another_shell_is_answered_with_those_there_are(desk: Desk) -> None:
    ran = desk.type("completion", "tcsh")

    assert ran.code == 2
    assert "fish" in ran.err

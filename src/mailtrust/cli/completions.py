"""
Completions for bash, zsh and fish, made from the program once and for all.

A script that asks the program at each press of the key waits for Python to start, half a second on a busy
server.  What may be typed here changes with the release alone, so the whole of it stands in the script.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum

from mailtrust.cli.outline import Outline, Parameter

_HEAD = "# Completion of {name} for mailtrust {version}; made by `mailtrust completion {name}`."


class ShellName(StrEnum):
    """A shell that we can write for."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def script(shell: ShellName, root: Outline, version: str) -> str:
    """The script that teaches *shell* what may be typed behind `mailtrust`."""
    write = {ShellName.BASH: _bash, ShellName.ZSH: _zsh, ShellName.FISH: _fish}[shell]
    return "\n".join(write(root, version)) + "\n"


def _bash(root: Outline, version: str) -> Iterator[str]:
    each = tuple(root.everything())
    yield _HEAD.format(name="bash", version=version)
    yield "_mailtrust() {"
    yield "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} at=mailtrust i skip="
    yield "    COMPREPLY=()"
    yield "    for ((i = 1; i < COMP_CWORD; i++)); do"
    yield '        [ -n "$skip" ] && { skip=; continue; }'
    yield '        case "$at ${COMP_WORDS[i]}" in'
    yield from _cases("            ", _paths(each), 'at="$at ${COMP_WORDS[i]}"')
    yield from _cases("            ", _valued(each), "skip=1")
    yield "        esac"
    yield "    done"
    yield '    case "$at $prev" in'
    for one in each:
        for option in one.options:
            if option.words:
                yield from _cases("        ", _typed(one, option), f"{_compgen(option.words)}; return")
            elif option.is_file:
                yield from _cases("        ", _typed(one, option), "_mailtrust_files; return")
    yield from _cases("        ", _valued(each), "return")
    yield "    esac"
    yield '    case "$at" in'
    for one in each:
        files = "; _mailtrust_files" if _takes_files(one) else ""
        yield f"        {_quoted(one.name)})"
        yield f'            if [ "${{cur:0:1}}" = - ]; then {_compgen(_options(one))}'
        yield f"            else {_compgen(_words(one))}{files}; fi ;;"
    yield "    esac"
    yield "}"
    yield "_mailtrust_files() {"
    yield "    compopt -o filenames 2> /dev/null"
    yield '    local line; while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -f -- "$cur")'
    yield "}"
    yield "complete -F _mailtrust mailtrust"


def _zsh(root: Outline, version: str) -> Iterator[str]:
    each = tuple(root.everything())
    yield "#compdef mailtrust"
    yield _HEAD.format(name="zsh", version=version)
    yield "_mailtrust() {"
    yield "    local at=mailtrust i skip= before=${words[CURRENT-1]}"
    yield "    local -a found"
    yield "    for ((i = 2; i < CURRENT; i++)); do"
    yield '        [[ -n "$skip" ]] && { skip=; continue; }'
    yield '        case "$at ${words[i]}" in'
    yield from _cases("            ", _paths(each), 'at="$at ${words[i]}"')
    yield from _cases("            ", _valued(each), "skip=1")
    yield "        esac"
    yield "    done"
    yield '    case "$at $before" in'
    for one in each:
        for option in one.options:
            if option.words:
                words = " ".join(map(_quoted, option.words))
                yield from _cases("        ", _typed(one, option), f"compadd -- {words}; return")
            elif option.is_file:
                yield from _cases("        ", _typed(one, option), "_files; return")
    yield from _cases("        ", _valued(each), "return")
    yield "    esac"
    yield '    case "$at" in'
    for one in each:
        yield f"        {_quoted(one.name)})"
        yield '            if [[ "$PREFIX" == -* ]]; then'
        yield f"                found=({_described(_helped_options(one))}); _describe option found"
        yield "            else"
        yield f"                found=({_described(_helped_words(one))}); _describe command found"
        if _takes_files(one):
            yield "                _files"
        yield "            fi ;;"
    yield "    esac"
    yield "}"
    # Loaded by compinit the file is the function; read by `source` it is not.
    yield 'if [[ "${funcstack[1]}" == _mailtrust ]]; then _mailtrust "$@"'
    yield "else compdef _mailtrust mailtrust; fi"


def _fish(root: Outline, version: str) -> Iterator[str]:
    each = tuple(root.everything())
    yield _HEAD.format(name="fish", version=version)
    yield "function __mailtrust_at"
    yield "    set -l at mailtrust"
    yield "    set -l skip"
    yield "    set -l typed (commandline -opc)"
    yield "    for word in $typed[2..]"
    yield '        if test -n "$skip"'
    yield "            set skip"
    yield "            continue"
    yield "        end"
    yield '        switch "$at $word"'
    for patterns, action in ((_paths(each), 'set at "$at $word"'), (_valued(each), "set skip 1")):
        yield f"            case {' '.join(map(_quoted, patterns))}"
        yield f"                {action}"
    yield "        end"
    yield "    end"
    yield '    test "$at" = "$argv[1]"'
    yield "end"
    yield "complete -c mailtrust -f"
    for one in each:
        begin = f"complete -c mailtrust -n {_quoted('__mailtrust_at ' + _quoted(one.name))}"
        for word, text in _helped_words(one):
            yield f"{begin} -a {_quoted(word)} -d {_quoted(text)}"
        for option in one.options:
            names = " ".join(_fish_name(name) for name in option.names)
            yield f"{begin} {names}{_fish_value(option)} -d {_quoted(_short(option.help))}"
        if _takes_files(one):
            yield f"{begin} -F"


def _fish_name(name: str) -> str:
    return f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}"


def _fish_value(option: Parameter) -> str:
    if option.words:
        return f" -x -a {_quoted(' '.join(option.words))}"
    if option.is_file:
        return " -r -F"
    return " -x" if option.takes_value else ""


def _paths(each: Iterable[Outline]) -> list[str]:
    return [below.name for one in each for below in one.commands]


def _valued(each: Iterable[Outline]) -> list[str]:
    """Options with what they stand behind, whose next word is their value."""
    return [
        typed for one in each for option in one.options if option.takes_value for typed in _typed(one, option)
    ]


def _typed(one: Outline, option: Parameter) -> list[str]:
    return [f"{one.name} {name}" for name in option.names]


def _cases(indent: str, patterns: Iterable[str], action: str) -> Iterator[str]:
    found = [_quoted(one) for one in patterns]
    if found:
        yield f"{indent}{'|'.join(found)}) {action} ;;"


def _compgen(words: Iterable[str]) -> str:
    return f'COMPREPLY=($(compgen -W {_quoted(" ".join(words))} -- "$cur"))'


def _options(one: Outline) -> list[str]:
    return [name for option in one.options for name in option.names]


def _words(one: Outline) -> list[str]:
    return [word for word, _ in _helped_words(one)]


def _helped_options(one: Outline) -> list[tuple[str, str]]:
    return [(name, _short(option.help)) for option in one.options for name in option.names]


def _helped_words(one: Outline) -> list[tuple[str, str]]:
    """The commands below it, and what its arguments may be where that is known."""
    below = [(command.path[-1], _short(command.summary)) for command in one.commands]
    return below + [(word, _short(taken.help)) for taken in one.arguments for word in taken.words]


def _takes_files(one: Outline) -> bool:
    return any(taken.is_file for taken in one.arguments)


def _described(pairs: Iterable[tuple[str, str]]) -> str:
    return " ".join(_quoted(f"{word.replace(':', chr(92) + ':')}:{text}") for word, text in pairs)


def _short(text: str) -> str:
    """The first sentence, without what a shell could take for its own."""
    return text.partition(". ")[0].rstrip(".").replace("'", "\u2019").replace("`", "").replace("\\", "/")


def _quoted(text: str) -> str:
    """In single quotes, within which none of the three shells takes anything for its own."""
    return f'"{text}"' if "'" in text else f"'{text}'"

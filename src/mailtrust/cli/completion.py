"""`mailtrust completion`: what the shell needs to complete our words."""

from typing import Annotated

import typer

import mailtrust
from mailtrust.cli.completions import ShellName, script
from mailtrust.cli.frame import JsonOption
from mailtrust.cli.output import emit, say
from mailtrust.cli.program import application

app = application()

COMPLETION_SCHEMA = "mailtrust.completion/1"


@app.command(epilog="Example: mailtrust completion bash > /etc/bash_completion.d/mailtrust")
def completion(
    shell: Annotated[
        ShellName, typer.Argument(metavar="SHELL", show_default=False, help="bash, zsh or fish.")
    ],
    *,
    json_output: JsonOption = False,
) -> None:
    """
    Print the script by which a shell completes mailtrust's words.

    It holds every command, option and event number of this release, so that completing asks nobody and
    takes no time; print it anew after an update. For zsh, write it to a file _mailtrust in a folder of
    $fpath; for fish, to ~/.config/fish/completions/mailtrust.fish.
    """
    from mailtrust.cli.outline import outline

    text = script(shell, outline(), mailtrust.__version__)
    if json_output:
        emit({"schema": COMPLETION_SCHEMA, "shell": shell.value, "script": text})
    else:
        say(text.rstrip())

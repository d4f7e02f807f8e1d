"""
The one part of mailtrust that runs as root: it writes Postfix's tables and chain file, and reloads Postfix.

`mailtrust-postfix-helper SETTINGS` reads requests from standard input, a line each, and answers each with a
line.  systemd starts it for each connection to a socket of mailtrust's account, or sudo does.  SETTINGS is a
file that only root may change, and says which instance it is about:

    postfix = "/etc/postfix"
    tables = "/var/lib/mailtrust-postfix"

It knows three requests (`requests`), follows no link, and writes in a folder only where nobody else may
change what the folder's path leads to.
"""

from __future__ import annotations

import os
import resource
import sys
import tomllib
from pathlib import Path
from typing import BinaryIO

import msgspec

from mailtrust.errors import BadConfiguration, BadInput, MailtrustError, Refused
from mailtrust.transports.postfix import requests
from mailtrust.transports.postfix.custody import roots_own_file, roots_own_folder
from mailtrust.transports.postfix.instance import Instance
from mailtrust.transports.postfix.requests import Answer, Change, Install, Old, Reload, Request, Write

_LARGEST_SETTINGS_BYTES = 64 << 10
_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


def main() -> int:
    """Serve whoever is at standard input until it ends; 1 where that cannot begin."""
    # Whoever asks decides nothing about how we work.
    os.environ.clear()
    os.environ["PATH"] = _PATH
    os.umask(0o022)
    os.chdir("/")
    # A key passes through here: it shall not lie in a core file.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        instance = _instance(sys.argv[1:])
    except MailtrustError as error:
        sys.stdout.buffer.write(requests.line(_told(error)) + b"\n")
        return 1
    try:
        serve(instance, sys.stdin.buffer, sys.stdout.buffer)
    finally:
        instance.close()
    return 0


def serve(instance: Instance, asked: BinaryIO, answered: BinaryIO) -> None:
    """Answer each request until there are no more, or one is longer than any can be."""
    while line := asked.readline(requests.LONGEST_LINE_BYTES + 1):
        whole = line.endswith(b"\n")
        answer = _answer(instance, line) if whole else Answer(error="this request is too long or not ended")
        answered.write(requests.line(answer) + b"\n")
        answered.flush()
        if not whole:
            return


def _answer(instance: Instance, line: bytes) -> Answer:
    try:
        # Each time, for it may be changed while we run.
        roots_own_folder(instance.folder)
        return _done(instance, requests.read_request(line))
    except (msgspec.MsgspecError, RecursionError) as error:
        # Its text repeats what was asked, and that may be a key.
        return Answer(error=f"this is no request ({type(error).__name__})")
    except MailtrustError as error:
        return _told(error)


def _done(instance: Instance, request: Request) -> Answer:
    match request:
        case Write():
            instance.write(request.rows())
        case Change():
            instance.change(request.rows())
        case Install():
            instance.install(request.bytes())
        case Reload():
            done = instance.reload()
            older = (
                None if done.older is None else [Old(o.pid, o.name, o.started_seconds) for o in done.older]
            )
            return Answer(older=older, why=done.why)
    return Answer()


def _told(error: MailtrustError) -> Answer:
    cause = error.__cause__
    because = f": {cause.strerror}" if isinstance(cause, OSError) and cause.strerror else ""
    return Answer(error=f"{error.message}{because}", hint=error.hint)


def _instance(arguments: list[str]) -> Instance:
    if os.geteuid() != 0:
        raise Refused("this program does what only root may", hint="systemd or sudo starts it")
    if len(arguments) != 1:
        raise BadInput("this program takes one argument, the file of its settings")
    file = Path(arguments[0])
    try:
        said = tomllib.loads(roots_own_file(file, _LARGEST_SETTINGS_BYTES).decode())
        paths = {name: Path(str(said.pop(name))) for name in ("postfix", "tables")}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError) as error:
        raise BadConfiguration(f'{file} needs postfix = "/…" and tables = "/…", in TOML') from error
    if said:
        raise BadConfiguration(f"{file} has keys that nobody knows: {', '.join(said)}")
    for path in paths.values():
        roots_own_folder(path)
    return Instance(paths["postfix"], paths["tables"])


if __name__ == "__main__":
    sys.exit(main())

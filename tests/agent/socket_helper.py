"""
Root's helper at a socket, as systemd starts it with ``Accept=yes``: ``socket_helper.py SOCKET SETTINGS``.

Prints a line once it listens; a process for each connection, which ends with it.
"""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path


def serve(path: Path, settings: str) -> None:
    started: list[subprocess.Popen[bytes]] = []
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        path.chmod(0o666)
        listening.listen()
        print("listening", flush=True)
        while True:
            connection, _ = listening.accept()
            with connection:
                words = [sys.executable, "-I", "-m", "mailtrust.transports.postfix.helper", settings]
                started.append(subprocess.Popen(words, stdin=connection, stdout=connection))
            started = [one for one in started if one.poll() is None]


if __name__ == "__main__":
    serve(Path(sys.argv[1]), sys.argv[2])

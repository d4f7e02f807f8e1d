"""
Files with a credential that everybody on this machine can read.

They are used all the same: to refuse one would take the directory away at night, and what may have been read
is not unread by that.  A group may read them, for administrators give ``root:mailtrust 0640`` on purpose.
"""

from __future__ import annotations

import shlex
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

from mailtrust.config import Directory, Notify

_OTHERS = stat.S_IROTH | stat.S_IWOTH


def exposed(directory: Directory, notify: Notify | None = None) -> Iterator[str]:
    """A sentence for each, with what to type.  A file that is not there is somebody else's concern."""
    if sys.platform == "win32":
        # There a file's mode says nothing of who may read it.
        return
    holders = (
        ("the directory's password", directory.password_file),
        ("a key that signs in to the directory", directory.client_certificate),
        ("a key that signs in to the directory", directory.keytab),
        *_of_notices(notify or Notify()),
    )
    for what, file in holders:
        if file is not None and _is_open(file):
            yield (
                f"everybody on this machine can read or change {file}, which holds {what}; close it with "
                f"`chmod o= {shlex.quote(str(file))}`, and change what may have been read"
            )


def _of_notices(notify: Notify) -> Iterator[tuple[str, Path | None]]:
    if notify.webhook is not None:
        yield "the token of the webhook", notify.webhook.bearer_file
        yield "the key that signs notices", notify.webhook.hmac_file
    if notify.mail is not None:
        yield "the password of the smarthost", notify.mail.password_file


def _is_open(file: Path) -> bool:
    try:
        return bool(file.stat().st_mode & _OTHERS)
    except OSError:
        return False

"""What the commands that compile a transport's files share: whom this server believes, before they write."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mailtrust.agent.postfix import trust_of
from mailtrust.agent.serve import Recorder
from mailtrust.agent.site import Site
from mailtrust.cli.output import caution
from mailtrust.cli.render import place_name
from mailtrust.config import Config
from mailtrust.core.model.event import when
from mailtrust.directory.snapshot import SNAPSHOT_FILE
from mailtrust.errors import DirectoryUnavailable
from mailtrust.transports.base import Raised
from mailtrust.transports.hub.trust import Trust


async def started_trust(site: Site, *, dry_run: bool) -> Trust:
    """
    Whom the site's server believes now; with *dry_run* nothing is written down.

    Raises: DirectoryUnavailable where nobody could tell, now or ever.
    """
    with _snapshot_file(site.config, dry_run=dry_run) as file:
        trust = trust_of(site, _nobody if dry_run else Recorder(site.journal).record, file=file)
        await trust.start()
    taken_at, home = trust.snapshot.taken_at, place_name(site.directory.home.url)
    if taken_at is None:
        raise DirectoryUnavailable(
            f"{home} cannot be read, and never was from here: everything stays as it is",
            hint="`mailtrust directory show` says what stands in the way",
        )
    if trust.is_stale:
        caution(f"{home} cannot be read: this is what it published at {when(taken_at)}")
    return trust


@contextmanager
def _snapshot_file(config: Config, *, dry_run: bool) -> Iterator[Path | None]:
    """A copy of the store's snapshot where nothing may be changed; None stands for the store's own."""
    if not dry_run:
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        with suppress(OSError):
            shutil.copyfile(config.server.store / SNAPSHOT_FILE, Path(folder, SNAPSHOT_FILE))
        yield Path(folder, SNAPSHOT_FILE)


def _nobody(raised: Raised) -> None:
    """Whoever only looks writes nothing down."""

"""A site's own Postfix: the tables of an instance, joined to the store and the directory of its site."""

from __future__ import annotations

import os
from pathlib import Path

from mailtrust import durable
from mailtrust.agent.site import Site
from mailtrust.config import Config
from mailtrust.directory.snapshot import SNAPSHOT_FILE
from mailtrust.errors import Refused, TransportUnavailable
from mailtrust.transports.base import Report
from mailtrust.transports.hub.trust import Trust
from mailtrust.transports.postfix.asking import Asking
from mailtrust.transports.postfix.custody import roots_own_folder
from mailtrust.transports.postfix.instance import Hands, Instance


def trust_of(site: Site, report: Report, *, file: Path | None = None) -> Trust:
    """Whom the site's server believes, not started yet; saved in *file*, else in the store."""
    return Trust(
        site.server,
        site.directory.home,
        file or site.config.server.store / SNAPSHOT_FILE,
        report,
        stand_ins=site.directory.stand_ins,
        max_age=site.config.policy.snapshot_max_age,
        look_timeout=site.config.policy.probe_timeout,
    )


def hands_of(config: Config) -> Hands:
    """
    What changes the instance: root itself, or root's part that is asked to.

    Raises: Refused where root would write in a folder that is not root's alone; TransportUnavailable.
    """
    transport = config.transport
    if os.geteuid() != 0:
        return Asking(transport.helper)
    make_roots_own(transport.tables)
    return Instance(transport.postfix, transport.tables)


def make_roots_own(folder: Path) -> None:
    """
    Make the folder of a transport's tables, unless it is there; and see that it is root's alone.

    Raises: Refused where it is not, TransportUnavailable where it cannot be made.
    """
    try:
        durable.make_folder(folder)
    except OSError as error:
        hint = "root makes it, or sets transport.tables to one that is there"
        raise TransportUnavailable(f"the folder {folder} cannot be made", hint=hint) from error
    try:
        roots_own_folder(folder)
    except Refused as error:
        raise Refused(
            error.message, hint=f"{error.hint}; or set transport.tables to a folder that is root's alone"
        ) from error

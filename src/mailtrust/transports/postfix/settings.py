"""A few parameters of main.cf as they hold: defaults filled in, variables expanded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from mailtrust.transports.postfix import postconf


def settings(folder: Path, names: Iterable[str]) -> Mapping[str, str]:
    """
    The values of *names*; empty for one that this release of Postfix does not know.

    Raises: TransportUnavailable where there is no Postfix, or it cannot read its configuration.
    """
    asked = tuple(names)
    if not asked:
        # Without a name postconf says all of them.
        return {}
    lines = postconf.ask(folder, "postconf", "-x", *asked).splitlines()
    said = {name.strip(): value.strip() for name, _, value in (line.partition("=") for line in lines)}
    return {name: said.get(name, "") for name in asked}

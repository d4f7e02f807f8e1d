"""A place's short name: what a column is titled, and what a sentence can carry."""

from __future__ import annotations

from contextlib import suppress
from pathlib import PurePosixPath

from mailtrust.directory import ldap_url
from mailtrust.errors import BadInput


def place_name(place: str) -> str:
    """A replica's short name, ``dc1`` of ``sqlite:///srv/dc1.db``; anything else as it is."""
    if place.startswith("sqlite:"):
        return PurePosixPath(place).stem
    with suppress(BadInput):
        return ldap_url.place(place).short
    return place

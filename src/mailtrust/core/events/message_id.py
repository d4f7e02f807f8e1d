"""
The MESSAGE_ID of our lines in systemd's journal: the same for an event in every release and on every host.

It is the UUID of version 5 (RFC 9562, 5.5) of the event's number in a name space of our own; anybody can work
it out again:

    uuidgen --sha1 --namespace a9b257da-db23-4aa9-b559-f9addbb73bd6 --name 12012
"""

from __future__ import annotations

from uuid import UUID, uuid5

NAMESPACE = UUID("a9b257da-db23-4aa9-b559-f9addbb73bd6")


def message_id(name: int | str) -> str:
    """32 hex digits, for an event's number, or for the kind of a line that is about none (``done``)."""
    return uuid5(NAMESPACE, str(name)).hex

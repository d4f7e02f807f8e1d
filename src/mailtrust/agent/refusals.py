"""
What is not done because it would do harm: each says which, and what to do first.

Enabling takes a key that is here and was not withdrawn.  Withdrawing and removing never touch what peers
believe this server by, nor anything where that cannot be seen.
"""

from __future__ import annotations

from mailtrust.core.model.certificate import Certificate, Fingerprint, short
from mailtrust.core.model.event import when
from mailtrust.core.model.server import ServerName
from mailtrust.core.model.sighting import Installed, View
from mailtrust.core.rotation import is_withdrawn
from mailtrust.errors import KeyMismatch, Refused


def refuse_to_enable(held: Installed, view: View, server: ServerName) -> None:
    """Raises: KeyMismatch without its key; Refused for what was withdrawn."""
    name = short(held.certificate.fingerprint)
    if not held.has_key:
        raise KeyMismatch(
            f"the key of {name} is not in the store, so that this server could not use it",
            hint="import it together with its key: mailtrust import FILE",
        )
    looks = view.replicas(server)
    # Not every directory remembers; then it is the journal that does.
    act = view.history.last("withdraw", server, held.certificate.fingerprint)
    withdrawn_here = act is not None and not act.failed
    if withdrawn_here or is_withdrawn(held.certificate, looks):
        gone = [one.withdrawn.get(held.certificate.fingerprint) for one in looks]
        gone += [act.done_at] if act is not None and withdrawn_here else []
        since = min((at for at in gone if at is not None), default=None)
        at = f" at {when(since)}" if since else ""
        raise Refused(
            f"{name} was withdrawn{at}, and what was withdrawn never returns",
            hint="make a new certificate: mailtrust new",
        )


def refuse_to_withdraw(fingerprint: Fingerprint, view: View, server: ServerName) -> None:
    """Raises: Refused for what is current or presented, or is all that a replica has of the current key."""
    _refuse_in_use(fingerprint, view, server, "withdrawn")
    current = view.current(server)
    if current is not None:
        _refuse_to_strip(current.certificate, fingerprint, view, server)


def refuse_to_remove(held: Installed, view: View, server: ServerName) -> None:
    """Raises: Refused for what is current, presented or published, and where that cannot be seen."""
    fingerprint = held.certificate.fingerprint
    name = short(fingerprint)
    _refuse_in_use(fingerprint, view, server, "removed")
    looks = view.replicas(server)
    for look in looks:
        if look.found is None:
            raise Refused(
                f"whether {look.place} publishes {name} cannot be seen: {look.why}",
                hint="mend that replica first; removing a published certificate would break its server",
            )
        if all(one.certificate.fingerprint != fingerprint for one in look.found):
            continue
        if any(fingerprint in other.withdrawn for other in looks):
            raise Refused(
                f"{look.place} still publishes {name}; its withdrawal is on the way there",
                hint="remove it when that has arrived; where nothing replicates by itself:"
                " mailtrust directory replicate --once",
            )
        raise Refused(
            f"{name} is published at {look.place}",
            hint=f"take it out of the directory first: mailtrust withdraw {name}",
        )
    for wire in view.wires(server):
        if wire.found is None:
            raise Refused(
                f"whether {wire.place} presents {name} cannot be seen: {wire.why}",
                hint="start the server, or take the endpoint out of `server.listeners`",
            )


def _refuse_in_use(fingerprint: Fingerprint, view: View, server: ServerName, participle: str) -> None:
    name, current = short(fingerprint), view.current(server)
    if current is not None and current.certificate.fingerprint == fingerprint:
        raise Refused(
            f"{name} is the current certificate of {server} and cannot be {participle}",
            hint="enable another one first: mailtrust new, then mailtrust enable",
        )
    for wire in view.wires(server):
        if any(leaf.fingerprint == fingerprint for leaf in wire.found or ()):
            raise Refused(
                f"{wire.place} presents {name} at this moment, so that it cannot be {participle}",
                hint="make the server present another certificate first",
            )


def _refuse_to_strip(current: Certificate, fingerprint: Fingerprint, view: View, server: ServerName) -> None:
    """Where the current key stands in another certificate only, taking that one out would end its trust."""
    for look in view.replicas(server):
        leaves = [one.certificate for one in look.found or () if one.certificate.pin == current.pin]
        if [leaf.fingerprint for leaf in leaves] == [fingerprint]:
            first = f"mailtrust enable {short(current.fingerprint)} --replica {look.place}"
            raise Refused(
                f"{look.place} publishes the current key in {short(fingerprint)} alone, so that it cannot be"
                " withdrawn",
                hint=f"publish the current certificate there first: {first}",
            )

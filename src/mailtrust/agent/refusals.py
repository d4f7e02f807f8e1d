"""
What is not done because it would do harm: each says which, and what to do first.

Enabling takes a key that is here and was not withdrawn, and puts nothing out of date in the place of what
is valid.  Withdrawing and removing never touch what peers believe this server by, nor anything where that
cannot be seen.
"""

from __future__ import annotations

from datetime import datetime

from mailtrust.core import succession
from mailtrust.core.model.certificate import Certificate, Fingerprint, short
from mailtrust.core.model.event import when
from mailtrust.core.model.server import ServerName
from mailtrust.core.model.sighting import Installed, View
from mailtrust.errors import KeyMismatch, Refused


def refuse_authority(leaf: Certificate) -> None:
    """Raises: Refused for a certificate that may issue others."""
    if leaf.is_ca:
        raise Refused(
            f"{short(leaf.fingerprint)} may issue other certificates (CA:TRUE): whoever has its key could"
            " make one for any other server",
            hint="make one that may not: mailtrust new, or with openssl -addext basicConstraints=CA:FALSE",
        )


def refuse_to_enable(held: Installed, view: View, server: ServerName) -> None:
    """Raises: KeyMismatch without its key; Refused for an authority's, and for what was withdrawn."""
    name = short(held.certificate.fingerprint)
    if not held.has_key:
        raise KeyMismatch(
            f"the key of {name} is not in the store, so that this server could not use it",
            hint="import it together with its key: mailtrust import FILE",
        )
    refuse_authority(held.certificate)
    if view.is_withdrawn(server, held.certificate):
        since = view.withdrawals(server).get(held.certificate.fingerprint)
        at = f" at {when(since)}" if since else ""
        raise Refused(
            f"{name} was withdrawn{at}, and what was withdrawn never returns",
            hint="make a new certificate: mailtrust new",
        )


def refuse_step_back(held: Installed, view: View, server: ServerName, now: datetime) -> None:
    """Raises: Refused for one that is not valid now where a valid one is current, unless that was begun."""
    current = view.current(server)
    if view.history.last("enable", server, held.certificate.fingerprint) is not None:
        # Somebody insisted: what finishes it must not ask again.
        return
    if current is not None and succession.is_step_back(held, current, now):
        name, instead = short(held.certificate.fingerprint), short(current.certificate.fingerprint)
        raise Refused(
            f"{name} {out_of_date(held.certificate, now)}, and {instead}, which is current, is valid",
            hint=f"make a new certificate: mailtrust new; or this one all the same:"
            f" mailtrust enable {name} --force",
        )


def out_of_date(leaf: Certificate, now: datetime) -> str:
    """``expired at …`` or ``is not valid before …``; empty while it is valid."""
    if leaf.expired(now):
        return f"expired at {when(leaf.not_after)}"
    return "" if leaf.valid(now) else f"is not valid before {when(leaf.not_before)}"


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
        if fingerprint in view.withdrawals(server):
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

"""A rehearsal on the screen: who would take our mail with the next certificate, who would not, and why."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from mailtrust.agent.look import OWN, look
from mailtrust.agent.rehearse import Peer, peers_in, rehearse
from mailtrust.agent.report import moment
from mailtrust.agent.site import Site
from mailtrust.cli.output import emit, is_terminal, say, screen
from mailtrust.core.model.certificate import Certificate, short
from mailtrust.core.model.rehearsal import Rehearsed, Verdict, summed
from mailtrust.core.model.server import server_name
from mailtrust.core.model.sighting import Slot, View
from mailtrust.core.succession import pending
from mailtrust.errors import BadInput, Refused

REHEARSAL_SCHEMA = "mailtrust.rehearsal/1"
_MARKS = {
    Verdict.ACCEPTED: ("ok", "green"),
    Verdict.DEFERRED: ("NO", "bold red"),
    Verdict.REFUSED: ("NO", "bold red"),
    Verdict.UNKNOWN: ("?", "magenta"),
}
_WORDS = {
    Verdict.ACCEPTED: "would take our mail",
    Verdict.DEFERRED: "would defer our mail",
    Verdict.REFUSED: "would refuse our mail",
    Verdict.UNKNOWN: "could not be asked",
}


async def rehearse_here(
    site: Site,
    names: Collection[str],
    reference: str | None,
    patience: timedelta | None,
    *,
    json_output: bool,
) -> int:
    """Ask, show, and give the exit code.  Raises: MailtrustError where there is nothing or nobody to ask."""
    view, _ = await look(site, OWN, wire=False)
    leaf = _certificate(site, view, reference)
    peers, silent = _peers(site, view, names)
    with _progress(len(peers), quiet=json_output) as told:
        found = await rehearse(site, leaf.fingerprint, peers, timeout=patience, told=told)
    if json_output:
        emit(_report(site, leaf, found, silent))
    else:
        _tell(leaf, found, silent)
    return int(summed(found) is not Verdict.ACCEPTED or bool(names and silent))


def _certificate(site: Site, view: View, reference: str | None) -> Certificate:
    """The one named; else the one of a rotation under way; else the standing successor."""
    if reference is not None:
        return site.store.find(reference).certificate
    held = view.installed(site.server)
    intent, rotation = view.history.intent, pending(site.server, view)
    wanted = [one.new for one in (intent.rotation if intent else None, rotation) if one is not None]
    current = view.current(site.server)
    for one in held:
        if one.certificate.fingerprint in wanted and one != current:
            return one.certificate
    following = next((one.certificate for one in held if one.slot is Slot.NEXT), None)
    if following is None:
        raise Refused(
            f"{site.server} has no next certificate to rehearse with",
            hint="name one: mailtrust flow --rehearse --certificate CERTIFICATE",
        )
    return following


def _peers(site: Site, view: View, names: Collection[str]) -> tuple[tuple[Peer, ...], tuple[str, ...]]:
    """Whom to ask, and who publishes no listener."""
    everybody = peers_in(view, site.server)
    known = [one for one in view.servers() if one != site.server]
    wanted = [server_name(one) for one in names] or known
    for one in wanted:
        if one not in known:
            raise BadInput(
                f"no replica that could be read has an entry for another server {one}",
                hint=f"they are {', '.join(known)}" if known else "the directory has no other server",
            )
    asked = tuple(peer for peer in everybody if peer[0] in wanted)
    if not asked and not names:
        raise Refused(
            "there is nobody to ask: no other server publishes where it listens",
            hint="each server publishes its server.listeners when it enables a certificate",
        )
    return asked, tuple(one for one in wanted if all(one != name for name, _ in asked))


@contextmanager
def _progress(count: int, *, quiet: bool) -> Iterator[Callable[[Rehearsed], None]]:
    """A bar on a terminal, while there is something to wait for."""
    if quiet or not is_terminal():
        yield lambda _: None
        return
    from rich.progress import Progress

    with Progress(console=screen(), transient=True) as bar:
        asking = bar.add_task("asking", total=count)
        yield lambda _: bar.advance(asking)


def _tell(leaf: Certificate, found: tuple[Rehearsed, ...], silent: tuple[str, ...]) -> None:
    say(f"With {short(leaf.fingerprint)}, which is not presented yet:")
    for one in found:
        mark, style = _MARKS[one.verdict]
        say(f"  {mark:<2}  {one.peer} at {one.endpoint} {_WORDS[one.verdict]}", style)
        if one.verdict is not Verdict.ACCEPTED:
            say(f"      {one.why}")
        if one.event is not None:
            say(f"      what that means: mailtrust explain {one.event}")
        for note in _notes(one):
            say(f"      {note}")
    for name in silent:
        say(f"  ?   {name} publishes no listener", "magenta")
    yes = sum(one.verdict is Verdict.ACCEPTED for one in found)
    say(f"{yes} of {len(found)} would take our mail; none was moved.")


def _notes(one: Rehearsed) -> Iterator[str]:
    if one.verdict is Verdict.ACCEPTED and not one.asked:
        yield "it did not ask for our certificate: whatever we present, it decides by something else (12118)"
    if one.presented is not None and one.believed is False:
        yield f"it presents {short(one.presented.fingerprint)}, whose key nobody publishes at home (2018)"


def _report(
    site: Site, leaf: Certificate, found: tuple[Rehearsed, ...], silent: tuple[str, ...]
) -> dict[str, Any]:
    return {
        "schema": REHEARSAL_SCHEMA, "server": site.server, "fingerprint": leaf.fingerprint, "pin": leaf.pin,
        "verdict": summed(found).value,
        "peers": [_peer_report(one) for one in found],
        "without_listeners": list(silent),
    }  # fmt: skip


def _peer_report(one: Rehearsed) -> dict[str, Any]:
    return {
        "server": one.peer, "endpoint": str(one.endpoint), "verdict": one.verdict.value,
        "reply": None if one.verdict is Verdict.UNKNOWN else one.why,
        "why": one.why if one.verdict is Verdict.UNKNOWN else "",
        "event": one.event, "asked_for_certificate": one.asked,
        "presented": one.presented.fingerprint if one.presented is not None else None,
        "believed": one.believed, "at": moment(one.seen_at),
    }  # fmt: skip

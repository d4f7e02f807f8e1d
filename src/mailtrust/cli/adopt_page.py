"""An adoption as a page for people, and as JSON."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mailtrust.agent.report import moment
from mailtrust.cli.output import width
from mailtrust.cli.prose import wrapped
from mailtrust.core.adopt.next_step import mending, next_step
from mailtrust.core.adopt.pairs import Adoption, How, Pair, Proof, Published, State, Written
from mailtrust.core.adopt.places import Place
from mailtrust.core.clean import clean
from mailtrust.core.model.event import Said, when
from mailtrust.texts import Texts

ADOPT_SCHEMA = "mailtrust.adopt/1"
_BY = {
    How.PUBLISHED: ("adopt-by-published", "green"),
    How.CERTIFICATE: ("adopt-by-certificate", ""),
    How.AUTHORITY: ("adopt-by-authority", ""),
    How.PASSWORD: ("adopt-by-password", "yellow"),
    How.ADDRESS: ("adopt-by-address", "yellow"),
    How.NOTHING: ("adopt-by-nothing", "red"),
    How.STALE: ("adopt-by-stale", "red"),
    How.UNKNOWN: ("adopt-by-unknown", "magenta"),
}
_IS = {
    State.CURRENT: "adopt-current",
    State.STALE: "adopt-stale",
    State.UNKNOWN: "adopt-unknown",
    State.OTHER_FUNCTION: "adopt-other-function",
    State.MALFORMED: "adopt-malformed",
}
_NARROW = 80


def page(found: Adoption, known: Published | None, shelf: Texts) -> Iterator[RenderableType]:
    """Hosts, pairs, what is stale, what could not be read: each with what to do about it."""
    for place in found.places.all:
        yield _below(_host(place, known, shelf), 0)
    yield Text()
    steps: dict[str, int] = {}
    for pair in found.pairs:
        if (said := next_step(pair, found, known)) is not None:
            steps.setdefault(shelf.say(said), len(steps) + 1)
    yield _pairs(found, known, steps, shelf)
    for text, number in steps.items():
        yield _below(f"{number}  {text}", 0, hanging="   ")
    yield from _written(found.written, shelf)
    for place in found.places.all:
        for what in _unread(place):
            yield _below(shelf.say(Said("adopt.unread", {"host": place.name, "what": what})), 0)


def report(found: Adoption, known: Published | None, shelf: Texts) -> dict[str, Any]:
    """The same for programs."""
    return {
        "schema": ADOPT_SCHEMA,
        "directory": None if known is None else sorted(server for server, leaves in known.items() if leaves),
        "hosts": [_host_report(one, known) for one in found.places.all],
        "pairs": [_pair_report(one, next_step(one, found, known), shelf) for one in found.pairs],
        "fingerprints": [_row_report(one, shelf) for one in found.written],
    }


# For people


def _host(place: Place, known: Published | None, shelf: Texts) -> str:
    state = "adopt-directory-unread"
    if known is not None:
        state = "adopt-directory-published" if known.get(place.name) else "adopt-directory-unpublished"
    values = {
        "host": place.name,
        "state": shelf.label(state),
        "versions": ", ".join(dict.fromkeys(one.version for one in place.host.instances)),
        "count": str(len(place.certificates)),
        "at": when(place.host.collected_at),
    }
    return shelf.say(Said("adopt.host", values))


def _pairs(found: Adoption, known: Published | None, steps: Mapping[str, int], shelf: Texts) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("adopt-from", "adopt-to", "adopt-known-by", "adopt-believes"):
        table.add_column(shelf.label(name), overflow="fold")
    table.add_column(shelf.label("next"), justify="right")
    for pair in found.pairs:
        said = next_step(pair, found, known)
        table.add_row(
            clean(pair.sender),
            clean(pair.receiver),
            _proofs(pair.known_by, shelf),
            _proofs(pair.believes, shelf),
            str(steps[shelf.say(said)]) if said is not None else "",
        )
    return table


def _proofs(proofs: Iterable[Proof], shelf: Texts) -> Text:
    words = dict.fromkeys(one.how for one in proofs)
    return Text(", ").join(Text(shelf.label(_BY[how][0]), _BY[how][1]) for how in words)


def _written(rows: Iterable[Written], shelf: Texts) -> Iterator[RenderableType]:
    told = [(one, mending(one)) for one in rows]
    broken = [(one, said) for one, said in told if said is not None]
    values = {"sound": str(len(told) - len(broken)), "broken": str(len(broken))}
    yield Text()
    yield Text(shelf.say(Said("adopt.fingerprints", values)), "bold", overflow="fold")
    for row, said in broken:
        yield Text(clean(f"  {row.host}  {_short(row.text)}  {shelf.label(_IS[row.state])}"), "red")
        yield _below(shelf.say(said), 4)


def _below(text: str, indent: int, *, hanging: str = "") -> RenderableType:
    lines = wrapped(clean(text), (width() or _NARROW) - indent, "", hanging)
    return Padding(Text(lines), (0, 0, 0, indent), expand=False)


def _short(text: str) -> str:
    return text if len(text) <= 23 else f"{text[:23]}…"


def _unread(place: Place) -> Iterator[str]:
    for instance in place.host.instances:
        for name, table in instance.tables.items():
            if table.rows is None:
                yield f"{name}: {table.why}"
        for file, chain in instance.chains.items():
            if chain.certificate is None:
                yield f"{file}: {chain.why}"
    if place.host.addresses is None:
        yield "ip address show"


# For programs


def _host_report(place: Place, known: Published | None) -> dict[str, Any]:
    return {
        "host": place.name,
        "collected_at": moment(place.host.collected_at),
        "addresses": None if place.host.addresses is None else list(place.host.addresses),
        "instances": [{"folder": one.folder, "version": one.version} for one in place.host.instances],
        "certificates": [{"fingerprint": one.fingerprint, "pin": one.pin} for one in place.certificates],
        "published": None if known is None else bool(known.get(place.name)),
        "unread": list(_unread(place)),
    }


def _pair_report(pair: Pair, said: Said | None, shelf: Texts) -> dict[str, Any]:
    return {
        "from": pair.sender,
        "to": pair.receiver,
        "hops": list(pair.hops),
        "collected": pair.receiver_collected,
        "known_by": [_proof_report(one) for one in pair.known_by],
        "believes": [_proof_report(one) for one in pair.believes],
        "next": _next(said, shelf),
    }


def _proof_report(proof: Proof) -> dict[str, Any]:
    return {"how": proof.how.value, "by": proof.by or None}


def _row_report(row: Written, shelf: Texts) -> dict[str, Any]:
    return {
        "host": row.host,
        "table": row.table,
        "fingerprint": row.text,
        "label": row.label,
        "function": row.function or None,
        "state": row.state.value,
        "owner": row.owner or None,
        "next": _next(mending(row), shelf),
    }


def _next(said: Said | None, shelf: Texts) -> dict[str, str] | None:
    return None if said is None else {"code": said.phrase, "message": shelf.say(said)}

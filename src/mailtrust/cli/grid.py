"""
The copies side by side: what is installed, presented and published, as one grid per server.

A row is a certificate, a column is a place where it may stand.  A full dot is there, a small one is
not, a question mark could not look: never confuse the last two.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from mailtrust.agent.report import ELSEWHERE
from mailtrust.cli.render import place_name, symbol
from mailtrust.core.clean import clean
from mailtrust.core.model.certificate import Certificate, Fingerprint, short
from mailtrust.core.model.event import when
from mailtrust.core.model.server import ServerName
from mailtrust.core.model.sighting import ReplicaSighting, Slot, View, WireSighting

LEGEND = "● there  · not there  ? could not look   * home  + primary"

_MOST_BLOCKS = 10
"""Up to that many servers get a grid of their own; more get a line each."""
_MOST_REASONS = 12
_COLUMNS = 80
_SLOTS = {Slot.CURRENT: 0, Slot.NEXT: 1, Slot.NONE: 2, Slot.PREVIOUS: 3}
_STYLES = {"current": "bold green", "next": "cyan", "stranger": "yellow", "garbage": "yellow"}


@dataclass(frozen=True, slots=True)
class _Place:
    """One column: a place, and the fingerprints found there."""

    title: str
    name: str
    """In full, for the lines below the grid."""
    found: frozenset[Fingerprint] | None
    why: str = ""
    is_abridged: bool = False
    """Whether the title alone does not tell where it is."""


@dataclass(frozen=True, slots=True)
class _Row:
    """One value that stands somewhere."""

    label: str
    fingerprint: Fingerprint
    until: str
    late: bool = False


def grids(
    view: View,
    servers: Sequence[ServerName],
    now: datetime,
    below: Callable[[ServerName], RenderableType | None] = lambda _: None,
) -> RenderableType:
    """One grid per server, with what *below* has to say of it; a line each where they are many."""
    if len(servers) > _MOST_BLOCKS:
        return overview(view, servers, now)
    parts: list[RenderableType] = []
    for server in servers:
        parts += [one for one in (grid(view, server, now), below(server), Text()) if one is not None]
    return Group(*parts, Text(LEGEND, "dim"))


def grid(view: View, server: ServerName, now: datetime | None = None) -> RenderableType:
    """One server's copies, with what could not be looked at, and why, below.  *now* marks what is expired."""
    places, rows = _places(view, server), _rows(view, server, now)
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for title in ("slot", "certificate", "until"):
        table.add_column(title, no_wrap=True)
    # 36 before them, and two blanks behind each but the last.
    titles = _titles(places, _COLUMNS - 36 + 2)
    for title in titles:
        table.add_column(title, justify="center", no_wrap=True)
    for row in rows:
        marks = (symbol(there=None if at.found is None else row.fingerprint in at.found) for at in places)
        label = Text(row.label, _STYLES.get(row.label, ""))
        table.add_row(label, short(row.fingerprint), Text(row.until, "red" if row.late else ""), *marks)
    if not rows:
        marks = (symbol(there=None if at.found is None else False) for at in places)
        table.add_row("-", "nothing seen", "-", *marks)
    return Group(Text(server, "bold"), table, *_below(view, server, places, titles))


def overview(view: View, servers: Sequence[ServerName], now: datetime) -> RenderableType:
    """One line per server: the certificate that counts, and where it stands."""
    names = _replica_titles([look for server in servers for look in view.replicas(server)])
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("server", overflow="ellipsis", no_wrap=True)
    for title in ("certificate", "until"):
        table.add_column(title, no_wrap=True)
    titles = _fitting(("presented", *names.values()), _COLUMNS - 26 - 30)
    for title in titles:
        table.add_column(title, justify="center", no_wrap=True)
    for server in servers:
        leaf, more = _leading(view, server)
        looks = {look.place: look for look in view.replicas(server)}
        marks = [_shown(view.wires(server), leaf), *(_held(looks.get(url), leaf) for url in names)]
        end = Text(f"{leaf.not_after:%Y-%m-%d}", "red" if leaf.expired(now) else "") if leaf else Text("-")
        table.add_row(server, f"{short(leaf.fingerprint)}{more}" if leaf else "-", end, *marks)
    whole = (("presented", "presented"), *names.items())
    below = [
        Text(f"{title}  {name}", "dim", no_wrap=True, overflow="ignore")
        for title, (name, full) in zip(titles, whole, strict=True)
        if title != full
    ]
    unseen = {(look.place, look.why) for one in servers for look in view.replicas(one) if look.found is None}
    silent = {(wire.place, wire.why) for one in servers for wire in view.wires(one) if wire.found is None}
    return Group(
        table, Text(), *below,
        *_first_of([_unseen(place, why) for place, why in (*sorted(unseen), *sorted(silent))]),
        Text(LEGEND, "dim"),
    )  # fmt: skip


def _places(view: View, server: ServerName) -> tuple[_Place, ...]:
    store = view.store(server)
    held = None if store is None or store.found is None else (one.certificate for one in store.found)
    places = [_Place("installed", "installed", _names(held), store.why if store else ELSEWHERE)]
    places += [
        _Place(title, wire.place, _names(wire.found), wire.why, is_abridged=title.startswith(":"))
        for title, wire in zip(_wire_titles(view.wires(server)), view.wires(server), strict=True)
    ]
    titles = _replica_titles(view.replicas(server))
    for look in view.replicas(server):
        found = None if look.found is None else _names(one.certificate for one in look.found)
        digests = frozenset(value.digest for value in look.unparsable)
        both = None if found is None else found | digests
        places.append(_Place(titles[look.place], look.place, both, look.why))
    return tuple(places)


def _rows(view: View, server: ServerName, now: datetime | None) -> list[_Row]:
    store = view.store(server)
    held = sorted(view.installed(server), key=lambda one: one.arrived_at, reverse=True)
    held.sort(key=lambda one: _SLOTS[one.slot])
    rows = {
        one.certificate.fingerprint: _certificate_row(one.slot.value, one.certificate, now) for one in held
    }
    seen_store = store is not None and store.found is not None
    pins = store.pins if store else frozenset()
    for leaf in _elsewhere(view, server):
        label = "" if not seen_store else "same key" if leaf.pin in pins else "stranger"
        rows.setdefault(leaf.fingerprint, _certificate_row(label, leaf, now))
    for look in view.replicas(server):
        for value in look.unparsable:
            rows.setdefault(value.digest, _Row("garbage", value.digest, f"{value.size_bytes} bytes"))
    return list(rows.values())


def _elsewhere(view: View, server: ServerName) -> Iterator[Certificate]:
    """Presented, then published ones, the newest first."""
    for wire in view.wires(server):
        yield from wire.found or ()
    published = {one.certificate for look in view.replicas(server) for one in look.found or ()}
    yield from sorted(published, key=lambda leaf: (leaf.not_before, leaf.fingerprint), reverse=True)


def _certificate_row(label: str, leaf: Certificate, now: datetime | None) -> _Row:
    late = now is not None and leaf.expired(now)
    return _Row(label, leaf.fingerprint, f"{leaf.not_after:%Y-%m-%d}", late)


def _below(
    view: View, server: ServerName, places: Sequence[_Place], titles: Sequence[str]
) -> Iterator[RenderableType]:
    for place, title in zip(places, titles, strict=True):
        if title != place.title or (place.is_abridged and place.found is not None):
            yield Text(f"  {title}  {clean(place.name)}", "dim", no_wrap=True, overflow="ignore")
    for place in places:
        if place.found is None:
            yield _unseen(place.name, place.why)
    if not view.wires(server):
        yield Text("  presented: no listener is known to look at (server.listeners)", "dim")
    yield from _notes(view, server)


def _notes(view: View, server: ServerName) -> Iterator[Text]:
    leaves = {one.certificate.fingerprint: one.certificate for one in view.installed(server)}
    leaves.update(
        {leaf.fingerprint: leaf for leaf in _elsewhere(view, server) if leaf.fingerprint not in leaves}
    )
    first: dict[str, Certificate] = {}
    for leaf in leaves.values():
        twin = first.setdefault(leaf.pin, leaf)
        if twin is not leaf:
            names = f"{short(leaf.fingerprint)} and {short(twin.fingerprint)}"
            yield Text(f"  {names}: same key, so that peers notice no difference", "dim")
    for one in view.installed(server):
        if not one.has_key:
            yield Text(f"  {short(one.certificate.fingerprint)}: its key is not in the store", "yellow")
    gone = view.withdrawals(server)
    for fingerprint in leaves:
        if (at := gone.get(fingerprint)) is not None:
            yield Text(f"  {short(fingerprint)}: withdrawn at {when(at)}, it never returns", "yellow")


def _unseen(place: str, why: str) -> Text:
    said = why if why.startswith(place) else f"{place}: {why or 'not looked at'}"
    # Never wrapped: a path that is broken in two can neither be read nor be pasted.
    return Text.assemble(
        ("  ? ", "magenta"),
        clean(said),
        no_wrap=True,
        overflow="ignore",
    )


def _first_of(lines: list[Text]) -> Iterator[Text]:
    yield from lines[:_MOST_REASONS]
    if len(lines) > _MOST_REASONS:
        yield Text(f"  ? and {len(lines) - _MOST_REASONS} more: mailtrust check --all", "magenta")


def _names(leaves: Iterable[Certificate] | None) -> frozenset[Fingerprint] | None:
    return None if leaves is None else frozenset(leaf.fingerprint for leaf in leaves)


def _wire_titles(wires: Sequence[WireSighting]) -> list[str]:
    """One is simply "presented"; several are told apart by their ports, or else in full."""
    if len(wires) == 1:
        return ["presented"]
    ports = Counter(wire.endpoint.port for wire in wires)
    return [f":{one.endpoint.port}" if ports[one.endpoint.port] == 1 else one.place for one in wires]


def _replica_titles(looks: Iterable[ReplicaSighting]) -> dict[str, str]:
    """By URL: a short name with its marks; two that are short for the same are told apart by a number."""
    unique = {look.place: look for look in looks}
    names = Counter(place_name(url) for url in unique)
    titles: dict[str, str] = {}
    for number, (url, look) in enumerate(unique.items(), 1):
        name = place_name(url) if names[place_name(url)] == 1 else f"{place_name(url)}#{number}"
        titles[url] = f"{clean(name)}{'*' if look.home else ''}{'+' if look.primary else ''}"
    return titles


def _titles(places: Sequence[_Place], room: int) -> tuple[str, ...]:
    return _fitting(tuple(place.title for place in places), room)


def _fitting(titles: tuple[str, ...], room: int) -> tuple[str, ...]:
    """The titles; where they would not fit, letters stand for the longest of them, with their marks."""
    shown = list(titles)
    for place in sorted(range(len(titles)), key=lambda place: -cell_len(titles[place])):
        if sum(cell_len(title) + 2 for title in shown) <= room:
            break
        title = titles[place]
        marks = f"{'*' if '*' in title else ''}{'+' if title.endswith('+') else ''}"
        shown[place] = _letters(place) + marks
    return tuple(shown)


def _letters(place: int) -> str:
    rest, last = divmod(place, 26)
    return (_letters(rest - 1) if rest else "") + chr(ord("a") + last)


def _leading(view: View, server: ServerName) -> tuple[Certificate | None, str]:
    """The certificate to speak of in one line, and how many more there are: current, presented, newest."""
    current = [one.certificate for one in view.installed(server) if one.slot is Slot.CURRENT]
    found = dict.fromkeys((*current, *_elsewhere(view, server)))
    more = f" +{len(found) - 1}" if len(found) > 1 else ""
    return next(iter(found), None), more


def _shown(wires: Sequence[WireSighting], leaf: Certificate | None) -> Text:
    if not wires:
        return Text("-", "dim")
    if any(wire.found is None for wire in wires):
        return symbol(there=None)
    return symbol(there=leaf is not None and all(leaf in (wire.found or ()) for wire in wires))


def _held(look: ReplicaSighting | None, leaf: Certificate | None) -> Text:
    if look is None or look.found is None:
        return symbol(there=None)
    return symbol(there=leaf is not None and any(one.certificate == leaf for one in look.found))

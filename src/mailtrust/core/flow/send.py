"""What became of a marked message, as the last line of its last hop."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from mailtrust.core.events import catalog
from mailtrust.core.flow.hop import Hop, Line, State, Trouble, said_time
from mailtrust.core.flow.stages import Stage
from mailtrust.core.model.event import Finding, Said
from mailtrust.core.model.server import ServerName


def arrived(
    hop: Hop, message: str, *, place: str, server: ServerName | None, waits: str, took: timedelta
) -> Hop:
    """
    The hop with its last line: *place* is the file in which *message* was found; *waits* says why it stands
    in the queue of *server*.  Without a *server* nobody could look.
    """
    values = {"server": hop.sender, "message": message, "within": said_time(took), "why": waits}
    whose = {"owner": server or hop.receiver}
    if place:
        line = Line(
            Stage.ARRIVAL, State.OK, took=took, said=(Said("flow.arrived", {"place": place, **whose}),)
        )
        return _with(hop, line)
    if server is None:
        said = Said("flow.arrival-unseen", {"receiver": hop.receiver, "message": message})
        return _with(hop, Line(Stage.ARRIVAL, State.UNKNOWN, said=(said,)))
    finding = Finding(catalog.FLOW_NOT_ARRIVED, server, values=values)
    phrase = "flow.waits" if waits else "flow.not-arrived"
    trouble = Trouble(
        Stage.ARRIVAL, catalog.FLOW_NOT_ARRIVED, Said(phrase, {**values, **whose}),
        Said("flow.act-not-arrived", whose), "mailtrust why --queue", there=True, finding=finding,
    )  # fmt: skip
    line = Line(Stage.ARRIVAL, State.WARNING, took=took, said=(trouble.why,))
    return replace(_with(hop, line), warnings=(*hop.warnings, trouble))


def _with(hop: Hop, line: Line) -> Hop:
    return replace(hop, lines=(*hop.lines, line))

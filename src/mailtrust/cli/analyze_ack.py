"""Acknowledges a rule or an event of `analyze`, on record."""

from __future__ import annotations

from mailtrust import clock
from mailtrust.agent.journal import Journal
from mailtrust.agent.report import moment
from mailtrust.cli.analyze_aim import known_number
from mailtrust.cli.moments import moment_ahead
from mailtrust.cli.output import emit, say
from mailtrust.config import Config
from mailtrust.core.model.server import ServerName, server_name
from mailtrust.errors import BadInput

ACKNOWLEDGED_SCHEMA = "mailtrust.acknowledged/1"


def acknowledge(
    config: Config,
    rule: str | None,
    servers: tuple[str, ...],
    until: str | None,
    reason: str | None,
    *,
    json_output: bool,
) -> None:
    """
    Put it into the journal, and say so.

    Raises: BadInput where something is missing or not known, StoreUnavailable.
    """
    if rule is None:
        raise BadInput(
            "--until and --reason belong to --ack", hint="mailtrust analyze --ack ID --until T --reason R"
        )
    number = known_number(rule)
    if not until or not reason:
        raise BadInput(
            "an acknowledgement needs an end and a reason",
            hint=f'mailtrust analyze --ack {rule} --until 30d --reason "it is replaced in spring"',
        )
    now = clock.now()
    end = moment_ahead(until, now)
    journal = Journal(config.server.store)
    names: list[ServerName | None] = [server_name(one) for one in servers]
    for name in names or [None]:
        journal.ack(number, name, end, reason, now)
        if not json_output:
            say(
                f"{rule} of {name or 'every server'} is acknowledged until {end:%Y-%m-%d %H:%M:%SZ}: {reason}"
            )
    if json_output:
        emit(
            {
                "schema": ACKNOWLEDGED_SCHEMA,
                "rule": rule,
                "servers": [name for name in names if name is not None],
                "until": moment(end),
                "reason": reason,
            }
        )

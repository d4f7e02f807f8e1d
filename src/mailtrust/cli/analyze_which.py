"""Says which certificate a server uses for a name, and why, step by step."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from mailtrust.agent.report import moment
from mailtrust.cli.analyze_aim import Exchange
from mailtrust.cli.output import emit, fitted, say
from mailtrust.config import Config
from mailtrust.core.advice.facts import Facts
from mailtrust.core.exchange.choice import Choice, Purpose, choices
from mailtrust.core.model.certificate import Certificate
from mailtrust.core.model.event import when
from mailtrust.errors import BadInput
from mailtrust.texts import Texts

_PURPOSES = {
    Purpose.INTERNAL: "purpose-internal", Purpose.INBOUND: "purpose-inbound",
    Purpose.OUTBOUND: "purpose-outbound", Purpose.NAME: "purpose-name",
}  # fmt: skip


def say_which(
    config: Config | None,
    name: str,
    where: Exchange | None,
    servers: tuple[str, ...],
    texts: Texts,
    *,
    json_output: bool,
) -> int:
    """0 where it can be said of every server, 3 where of one it cannot.  Raises: BadInput."""
    if not name.strip() or "*" in name:
        raise BadInput(f"{name!r} is not a name that is looked for", hint="give a host's full name")
    found = _exchange(name, where) if where is not None else _ours(config, name, servers)
    if json_output:
        emit({"schema": "mailtrust.which/1", "name": name, "choices": [_report(one, texts) for one in found]})
    else:
        _show(found, texts)
    return 0 if all(one.known for one in found) else 3


def _exchange(name: str, where: Exchange) -> tuple[Choice, ...]:
    facts, _ = asyncio.run(where.look())
    return tuple(one for case in facts.cases or () for one in choices(case, name))


def _ours(config: Config | None, name: str, servers: tuple[str, ...]) -> tuple[Choice, ...]:
    from mailtrust.cli.analyze_site import facts_here
    from mailtrust.core.advice.which import own_choice
    from mailtrust.core.checks import cases

    assert config is not None  # noqa: S101  # only an organization is looked at without one
    facts: Facts = facts_here(config, servers, None, None)[0]
    assert facts.view is not None  # noqa: S101  # a site was looked at
    them = cases(
        facts.view, {}, facts.policy, facts.now, [one for one in facts.view.servers() if one in facts.servers]
    )
    return tuple(own_choice(case, name) for case in them)


def _show(found: Iterable[Choice], texts: Texts) -> None:
    for number, one in enumerate(found):
        if number:
            say()
        about = " - ".join(filter(None, (one.connector, texts.label(_PURPOSES[one.purpose]), one.name)))
        say(f"{one.server}: {about}", "bold")
        for step, said in enumerate(one.steps, 1):
            say(fitted(f"  {step:>2}. ", texts.say(said), "      "))
        say(f"  {texts.label('chosen')}: {_chosen(one, texts)}", "bold")


def _chosen(one: Choice, texts: Texts) -> str:
    if one.chosen is not None:
        leaf = one.chosen
        name = f"{leaf.thumbprint.upper()} {leaf.subject} ({when(leaf.not_after)[:10]})"
    else:
        name = texts.label("chosen-none" if one.known else "chosen-unknown")
    event = f" [{one.event.code} {one.event.name}]" if one.event is not None else ""
    return f"{name}{event}"


def _report(one: Choice, texts: Texts) -> dict[str, Any]:
    return {
        "server": one.server,
        "for": one.purpose.value,
        "name": one.name,
        "connector": one.connector or None,
        "known": one.known,
        "chosen": _leaf(one.chosen),
        "event": one.event.code if one.event else None,
        "steps": [{"code": said.phrase, "says": texts.say(said)} for said in one.steps],
    }


def _leaf(leaf: Certificate | None) -> dict[str, Any] | None:
    if leaf is None:
        return None
    return {
        "thumbprint": leaf.thumbprint,
        "fingerprint": leaf.fingerprint,
        "subject": leaf.subject,
        "issuer": leaf.issuer,
        "names": list(leaf.names),
        "not_before": moment(leaf.not_before),
        "not_after": moment(leaf.not_after),
    }

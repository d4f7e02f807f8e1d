"""The rules of `analyze` themselves: a line for each, or the whole of one."""

from __future__ import annotations

import re
from collections.abc import Iterable

from mailtrust.cli.output import emit, fitted, say
from mailtrust.cli.prose import wide
from mailtrust.cli.render import LETTER, STYLE
from mailtrust.core.advice import BY_NUMBER, Profile
from mailtrust.core.advice.events import profiles_of
from mailtrust.core.events import catalog
from mailtrust.texts import Texts

_LEAD = 10


def told_in(number: int, profile: Profile | None) -> bool:
    """True if a rule or an event is told in that profile; None: in any."""
    if profile is None or profile is Profile.STRICT:
        return True
    rule = BY_NUMBER.get(number)
    return profile in (rule.profiles if rule is not None else profiles_of(catalog.BY_CODE[number]))


def is_rule(text: str) -> bool:
    """True for the code of a rule: ``A101``."""
    found = re.fullmatch(r"[Aa]([0-9]{3})", text.strip())
    return found is not None and int(found[1]) in BY_NUMBER


def show_rule(code: str, texts: Texts, *, json_output: bool) -> None:
    """The whole of one, by its code."""
    show_rules([int(code.strip()[1:])], texts, whole=True, json_output=json_output)


def show_rules(numbers: Iterable[int], texts: Texts, *, whole: bool, json_output: bool) -> None:
    """A line for each rule or event; the *whole* of each where they were asked for by number."""
    from mailtrust.agent.analysis_report import link_of, profiles_shown, rule_text, rules_report

    if json_output:
        emit(rules_report(numbers, texts))
        return
    for number in numbers:
        rule, text = BY_NUMBER.get(number), rule_text(number, texts)
        severity = rule.severity if rule is not None else catalog.BY_CODE[number].severity
        code = rule.code if rule is not None else str(number)
        profiles = ", ".join(profiles_shown(number))
        if not whole:
            say(f"{LETTER[severity]} {code:>5}  {text.title}  ({profiles})")
            continue
        say(f"{LETTER[severity]} {code}  {text.title}", STYLE[severity])
        for label, value in (
            (texts.label("advice-profile"), profiles),
            (texts.label("advice-why"), text.why),
            (texts.label("advice-fix"), text.fix),
            (texts.label("advice-link"), link_of(number, texts)),
        ):
            say(_field(label, value))


def _field(label: str, value: str) -> str:
    lead = f"  {label}{' ' * max(0, _LEAD - 4 - wide(label))}  "
    return fitted(lead, value, " " * _LEAD)

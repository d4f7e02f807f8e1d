"""The report before this one: read from a file that was named, else from the store, and kept there."""

from __future__ import annotations

from pathlib import Path

from mailtrust.agent.analysis_report import Analysis, lines_of, read_report
from mailtrust.cli.files import LARGEST_REPORT_BYTES, read_file, write_file
from mailtrust.cli.output import caution
from mailtrust.config import Config
from mailtrust.core.advice.compare import Compared, compared
from mailtrust.errors import BadInput, MailtrustError
from mailtrust.texts import Texts

_OURS, _EXCHANGE = "analysis.json", "analysis-exchange.json"


def compared_with(
    config: Config | None, seen: Analysis, texts: Texts, against: Path | None, *, whole: bool
) -> Compared | None:
    """
    What has changed since the report in that file; without one, since the last one that is kept.

    Raises: BadInput where the file that was named cannot be used.
    """
    file = against or (_kept(config, exchange=seen.facts.cases is not None) if whole else None)
    if file is None or (against is None and not file.exists()):
        return None
    try:
        since, before, asked_then = read_report(read_file(file, LARGEST_REPORT_BYTES), str(file))
    except BadInput as error:
        if against is not None:
            raise
        caution(f"{error.message}; this report takes its place")
        return None
    return compared(since, before, lines_of(seen, texts), seen.facts, seen.asked, asked_then)


def remember(config: Config | None, report: str, *, exchange: bool) -> None:
    """Keep a report in the store for the next one; a store that may not be written costs that alone."""
    file = _kept(config, exchange=exchange)
    if file is None or not file.parent.is_dir():
        return
    try:
        write_file(file, report.encode(), secret=False)
    except MailtrustError as error:
        caution(f"{error.message}: the next report will not be compared with this one")


def _kept(config: Config | None, *, exchange: bool) -> Path | None:
    if config is None:
        return None
    return config.server.store / (_EXCHANGE if exchange else _OURS)

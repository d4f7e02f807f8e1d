"""What would do harm is refused before anything is touched."""

from __future__ import annotations

import pytest

from mailtrust.agent.refusals import refuse_to_enable
from mailtrust.core.model.sighting import Act, History, Installed, Slot, View
from mailtrust.errors import Refused
from tests.make import HUB1, HUB2, NOON, a_certificate

HELD = Installed(a_certificate(), Slot.NONE, NOON)


def withdrawn(*, failed: str = "") -> View:
    act = Act("withdraw", HUB1, HELD.certificate.fingerprint, NOON, "ldaps://dc1", failed)
    return View(history=History((act,)))


def test_what_the_journal_knows_to_be_withdrawn_never_returns() -> None:
    """A directory with LDAP keeps no record of what is gone."""
    with pytest.raises(Refused, match="was withdrawn at 2026-06-01") as refused:
        refuse_to_enable(HELD, withdrawn(), HUB1)

    assert "mailtrust new" in refused.value.hint


def test_a_withdrawal_that_failed_or_was_another_servers_refuses_nothing() -> None:
    refuse_to_enable(HELD, withdrawn(failed="the replica was down"), HUB1)
    refuse_to_enable(HELD, withdrawn(), HUB2)

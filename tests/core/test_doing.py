"""What an action does, in words."""

from __future__ import annotations

from typing import get_args

import pytest

from mailtrust.core.doing import doing
from mailtrust.core.model.event import Said
from mailtrust.core.model.plan import (
    Action,
    Install,
    Present,
    Publish,
    Rehearse,
    Replicate,
    Restrict,
    Withdraw,
)
from tests.make import DC2, HUB1, a_certificate

LEAF = a_certificate()
SHORT = {"fingerprint": LEAF.fingerprint[:12]}
SAID: tuple[tuple[Action, Said], ...] = (
    (Install(HUB1), Said("doing.install", {"server": HUB1})),
    (Install(HUB1, successor=True), Said("doing.install-next", {"server": HUB1})),
    (Publish(HUB1, LEAF.fingerprint), Said("doing.publish", SHORT)),
    (Publish(HUB1, LEAF.fingerprint, DC2), Said("doing.publish-at", {**SHORT, "place": DC2})),
    (Rehearse(HUB1, LEAF.fingerprint), Said("doing.rehearse", SHORT)),
    (Present(HUB1, LEAF.fingerprint), Said("doing.present", SHORT)),
    (Withdraw(HUB1, LEAF.fingerprint), Said("doing.withdraw", {**SHORT, "server": HUB1})),
    (Withdraw(HUB1, LEAF.fingerprint, LEAF.pin), Said("doing.withdraw-key", {**SHORT, "server": HUB1})),
    (Replicate(), Said("doing.replicate")),
    (Restrict("/srv/hub1/key.pem"), Said("doing.restrict", {"file": "/srv/hub1/key.pem"})),
)


@pytest.mark.parametrize(("action", "said"), SAID)
def test_an_action_is_said_in_a_few_words(action: Action, said: Said) -> None:
    assert doing(action) == said


def test_every_action_is_among_them() -> None:
    assert {type(action) for action, _ in SAID} == set(get_args(Action))

"""
What stock Postfix does with the tables of direct trust, written by its own postmap.

The ground that our compiler stands on; whatever changes here in a new release of Postfix changes our advice.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mailtrust.core.model.certificate import Pin, certificate
from tests import postfix
from tests.make import a_certificate
from tests.postfix import Postfix, answer, chain_pem, session

pytestmark = postfix.MARKS

MX1, MX2 = "mx1.example.test", "mx2.example.test"
LOCAL, FOREIGN = f"ann@{MX1}", "bob@elsewhere.example.test"


def colons(pin: Pin) -> str:
    return ":".join(pin[at : at + 2] for at in range(0, 64, 2))


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with postfix.folder() as one:
        for label in ("peer", "stranger"):
            (one / f"{label}.pem").write_text(chain_pem(MX2, key=label))
        yield one


@pytest.fixture(scope="module")
def mx1(folder: Path) -> Iterator[Postfix]:
    known = {colons(a_certificate(MX2, key="peer").pin): MX2}
    tables = {"relay_clientcerts": known, "tls_policy": {}}
    with postfix.started(folder / "mx1", chain=chain_pem(MX1), trusting=True, tables=tables) as one:
        yield one


@pytest.mark.parametrize("recipient", [LOCAL, FOREIGN])
def test_a_peer_whose_key_is_in_the_table_may_send(mx1: Postfix, folder: Path, recipient: str) -> None:
    with session(mx1.inner, chain=folder / "peer.pem") as peer:
        assert answer(peer, recipient).code == 250


@pytest.mark.parametrize("recipient", [LOCAL, FOREIGN])
def test_anybody_else_is_deferred(mx1: Postfix, folder: Path, recipient: str) -> None:
    with (
        session(mx1.inner, chain=folder / "stranger.pem") as stranger,
        session(mx1.inner) as anonymous,
        session(mx1.inner, tls=False) as plain,
    ):
        codes = [answer(one, recipient).code for one in (stranger, anonymous, plain)]

    assert codes == [450, 450, 450]


def test_the_public_listener_asks_nobody(mx1: Postfix) -> None:
    with session(mx1.port) as anybody:
        assert answer(anybody, LOCAL).code == 250


def test_an_open_session_sees_a_key_come_and_go(mx1: Postfix, folder: Path) -> None:
    known = {colons(a_certificate(MX2, key="peer").pin): MX2}
    with session(mx1.inner, chain=folder / "stranger.pem") as stranger:
        before = answer(stranger, FOREIGN).code
        postfix.by_postmap(
            mx1, "relay_clientcerts", {**known, colons(a_certificate(MX2, key="stranger").pin): MX2}
        )
        during = answer(stranger, FOREIGN).code
        postfix.by_postmap(mx1, "relay_clientcerts", known)
        after = answer(stranger, FOREIGN).code

    assert (before, during, after) == (450, 250, 450)


def test_without_its_table_everybody_is_deferred(folder: Path) -> None:
    with (
        postfix.started(folder / "bare", chain=chain_pem(MX1), trusting=True) as bare,
        session(bare.inner, chain=folder / "peer.pem") as peer,
    ):
        assert answer(peer, LOCAL).code == 451


def test_it_presents_what_its_chain_file_has(mx1: Postfix) -> None:
    assert certificate(postfix.presented(mx1.inner)).pin == a_certificate(MX1).pin

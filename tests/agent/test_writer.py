"""One writer per server, and the other one is told."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from mailtrust.agent.writer import writing
from mailtrust.errors import Refused, StoreUnavailable
from tests.make import NOON

AT_ONCE = timedelta(0)


async def test_whoever_comes_second_is_told_who_is_at_it(tmp_path: Path) -> None:
    async with writing(tmp_path, "rotate start", NOON):
        with pytest.raises(Refused) as refused:
            async with writing(tmp_path, "enable", NOON, patience=AT_ONCE):
                pass

    assert "`rotate start` since 2026-06-01 12:00:00Z" in refused.value.message
    assert "writer.lock" in refused.value.hint
    async with writing(tmp_path, "enable", NOON, patience=AT_ONCE):
        pass


async def test_whoever_is_patient_comes_next(tmp_path: Path) -> None:
    async def second() -> str:
        async with writing(tmp_path, "enable", NOON):
            return "done"

    async with writing(tmp_path, "rotate start", NOON):
        waiting = asyncio.create_task(second())
        await asyncio.wait({waiting}, timeout=0.05)
        assert not waiting.done()

    assert await waiting == "done"


async def test_a_store_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    """Nor is a link that somebody put in the lock's place followed."""
    (tmp_path / "writer.lock").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(StoreUnavailable):
        async with writing(tmp_path, "enable", NOON):
            pass
    assert not (tmp_path / "elsewhere").exists()

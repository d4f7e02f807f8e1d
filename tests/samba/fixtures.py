"""
What a test needs that runs on the forest: a conftest imports the fixtures, a module takes the marks.

    pytestmark = needs_forest

    async def test_something(forest: Forest) -> None: ...
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.programs import needs
from tests.samba import build
from tests.samba.forest import Forest, restored

needs_forest = [
    pytest.mark.own_network,
    # There is one address for each controller, so only one process may have a forest.
    pytest.mark.xdist_group("own_network"),
    # Whoever comes first builds it.
    pytest.mark.timeout(300),
    needs("ip", "samba", "samba-tool", "samba_spnupdate", "ldbadd", "ldbmodify", "ldbsearch", "kinit"),
]


@pytest.fixture(scope="session")
def forest_at_rest() -> Path:
    return build.snapshot()


@pytest.fixture(scope="module")
def forest(forest_at_rest: Path) -> Iterator[Forest]:
    """Fresh for each module, and running: what a test leaves there, the module's next one finds."""
    with restored(forest_at_rest) as corp:
        yield corp

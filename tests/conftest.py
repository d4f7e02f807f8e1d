"""What holds for every test: one that misses a program or its own network is left out, or fails under CI."""

from __future__ import annotations

import os
import re
import signal

import pytest
from hypothesis import settings

from mailtrust.cli.loop import make_room
from tests.programs import OWN_NETWORK, leave_out, leave_out_here, program

# No test is timed: a busy neighbour must not make a build red.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def pytest_configure(config: pytest.Config) -> None:
    # What tests do is nothing for the log of the machine they run on.
    os.environ["MAILTRUST_LOG"] = "none"
    # Under nohup, or behind a script's `&`, they would be ignored, also by all that tests start.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # A crowd of a thousand clients, and the server that it meets, live in one process here.
    make_room(4096)
    config.addinivalue_line("markers", "needs(*programs): runs them; see tests/programs.py")


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("own_network") and OWN_NETWORK not in os.environ:
        leave_out_here(item.nodeid.partition("::")[0], os.environ)
    for mark in item.iter_markers("needs"):
        for name in mark.args:
            if program(name) is None:
                leave_out(name, os.environ)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first, by the time that they allow themselves: nobody is to wait for one at the end."""

    def seconds(item: pytest.Item) -> float:
        allowed = item.get_closest_marker("timeout")
        return float(allowed.args[0]) if allowed is not None else 0.0

    items.sort(key=seconds, reverse=True)


def pytest_make_parametrize_id(val: object) -> str | None:
    """A case is named alike in every process that runs a share of them, though each makes its own keys."""
    if isinstance(val, bytes) and len(val) > 100:
        return "bytes"
    return re.sub(r"\b[0-9a-f]{12,64}\b", "FINGERPRINT", val) if isinstance(val, str) else None

"""
Key rings of a test's own, which the library finds by PYTHON_KEYRING_BACKEND.

What they hold stands in the environment: ``RING_SERVICE``, ``RING_ACCOUNT`` and ``RING_PASSWORD``.
"""

from __future__ import annotations

import os
import threading

from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked


class Held(KeyringBackend):
    """It gives what it holds."""

    @property
    def priority(self) -> float:
        return 1

    def get_password(self, service: str, username: str) -> str | None:
        if (service, username) == (os.environ["RING_SERVICE"], os.environ["RING_ACCOUNT"]):
            return os.environ["RING_PASSWORD"]
        return None

    def set_password(self, service: str, username: str, password: str) -> None:
        raise NotImplementedError


class Locked(Held):
    """It waits for a person who says no."""

    def get_password(self, service: str, username: str) -> str | None:
        raise KeyringLocked("Failed to unlock the collection!")


class Broken(Held):
    """It has a fault of its own."""

    def get_password(self, service: str, username: str) -> str | None:
        raise ZeroDivisionError


class Silent(Held):
    """It waits for a person who is not there."""

    def get_password(self, service: str, username: str) -> str | None:
        threading.Event().wait()
        return None

"""
How soon a change in the directory changes an answer of Postfix, in an SMTP session that was open before.

The key is published, or withdrawn, at one replica of OpenLDAP; `mailtrust postfix compile --watch` reads the
other one; and a peer that presents the key asks Postfix for a recipient, again and again.
"""

from __future__ import annotations

import asyncio
import smtplib
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from mailtrust import clock
from mailtrust.core.model.certificate import certificate
from mailtrust.core.model.server import ServerName
from mailtrust.directory.ldap import LdapReplica, LdapSettings
from mailtrust.directory.ldap_bind import Password
from mailtrust.ldap import names
from tests import postfix, slapd
from tests.make import an_x509, der
from tests.postfix import Postfix, answer, chain_pem, session

AT_MOST_MS = 100
_WARM_UP = 5
_MX1, _MX2 = ServerName("mx1.example.test"), ServerName("mx2.example.test")
_PEER, _NEXT = (der(an_x509(_MX2, key=label)) for label in ("peer", "next"))
_PATIENCE = timedelta(seconds=20)


class Asking(threading.Thread):
    """A peer that asks without a pause; when the answer became another, and how long one takes."""

    def __init__(self, client: smtplib.SMTP) -> None:
        super().__init__(daemon=True)
        self._client = client
        self._changed = threading.Condition()
        self._last = 0
        self._since = 0.0
        self.ended = False
        self.took: list[float] = []

    def run(self) -> None:
        while not self.ended:
            begun = time.monotonic()
            code = answer(self._client, f"ann@{_MX1}").code
            now = time.monotonic()
            self.took.append(now - begun)
            with self._changed:
                if code != self._last:
                    self._last, self._since = code, now
                    self._changed.notify_all()
            time.sleep(0.001)

    def since(self, code: int) -> float:
        """When it was first answered so; waits for it."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._last == code, timeout=30):
                raise SystemExit(f"it was never answered {code}, but {self._last}")
            return self._since


def answers(folder: Path, changes: int) -> None:
    """Prints the milliseconds from the beginning of a write until the answer changed."""
    folder.mkdir()
    with (
        tempfile_of(folder) as short,
        slapd.started(short, 2) as servers,
        postfix.started(
            folder / "mx1", chain=chain_pem(_MX1), name=_MX1, trusting=True,
            tables={"relay_clientcerts": {}, "tls_policy": {}},
        ) as mx1,
    ):  # fmt: skip
        chain = folder / "next.pem"
        chain.write_text(chain_pem(_MX2, key="next"))
        asyncio.run(_measured(folder, servers, mx1, chain, changes))


@contextmanager
def tempfile_of(folder: Path) -> Iterator[Path]:
    """A socket's path is short."""
    short = folder / "l"
    short.mkdir()
    yield short


async def _measured(
    folder: Path, servers: tuple[slapd.Server, ...], mx1: Postfix, chain: Path, changes: int
) -> None:
    primary, home = servers
    password = slapd.password_file(home.folder)
    password.chmod(0o600)
    replica = LdapReplica(
        primary.ldaps,
        LdapSettings(names.parse(slapd.SERVERS), Password(slapd.ADMIN, password), primary.ca_file),
        timeout=_PATIENCE,
    )
    await replica.prepare(_MX2)
    await replica.publish(_MX2, _PEER, clock.now())
    config = folder / "mailtrust.toml"
    config.write_text(_configuration(folder, home, mx1, password))
    took: dict[str, list[float]] = {"published": [], "withdrawn": []}
    with _watching(config), session(mx1.inner, chain=chain) as client:
        asking = Asking(client)
        asking.start()
        asking.since(450)
        for _ in range(_WARM_UP + changes // 2):
            begun = time.monotonic()
            await replica.publish(_MX2, _NEXT, clock.now())
            took["published"].append(await asyncio.to_thread(asking.since, 250) - begun)
            begun = time.monotonic()
            await replica.withdraw(_MX2, certificate(_NEXT).fingerprint, clock.now())
            took["withdrawn"].append(await asyncio.to_thread(asking.since, 450) - begun)
        asking.ended = True
        asking.join()
    await replica.close()
    _print({who: each[_WARM_UP:] for who, each in took.items()}, asking.took)


def _print(took: dict[str, list[float]], asked: list[float]) -> None:
    every = took["published"] + took["withdrawn"]
    print(f"\n{len(every)} changes at one replica, until an open session is answered so; milliseconds\n")
    print(f"{'':28}{'p50':>8}{'p95':>8}{'p99':>8}{'max':>8}")
    for who, each in {**took, "one answer of Postfix": asked}.items():
        parts = _percentiles(each)
        print(f"{who:28}{parts[49]:8.1f}{parts[94]:8.1f}{parts[98]:8.1f}{max(each) * 1000:8.1f}")
    reached = _percentiles(every)[94] < AT_MOST_MS
    print(f"p95 of all under {AT_MOST_MS} ms:", "reached" if reached else "MISSED")


def _percentiles(took: list[float]) -> list[float]:
    return statistics.quantiles([one * 1000 for one in took], n=100, method="inclusive")


@contextmanager
def _watching(config: Path) -> Iterator[None]:
    words = [sys.executable, "-m", "mailtrust", "--config", config, "postfix", "compile", "--watch", "--yes"]
    process = subprocess.Popen([str(one) for one in words], stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        process.stdout.readline()
        yield
    finally:
        process.terminate()
        process.communicate()


def _configuration(folder: Path, home: slapd.Server, mx1: Postfix, password: Path) -> str:
    return f"""\
[server]
name = "{_MX1}"
store = "{folder}/store"

[directory]
home = "{home.ldaps}"
base = "{slapd.SERVERS}"
ca_file = "{home.ca_file}"
bind = "simple"
bind_dn = "{slapd.ADMIN}"
password_file = "{password}"

[transport]
kind = "postfix"
postfix = "{mx1.config}"
tables = "{mx1.tables}"
"""

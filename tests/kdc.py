"""
A Kerberos realm of a test's own: MIT's KDC on a free port, with principals and their keys.

    with kdc.started(folder) as realm:
        keytab = realm.keytab("HUB1$")
        realm.kinit("admin", cache)

What it needs stands in one folder; `Realm.profile` is the krb5.conf that clients and servers are to use.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.loopback import LOOPBACK, free_port
from tests.programs import program

REALM = "EXAMPLE.TEST"
PASSWORD = "open sesame"
PATIENCE_SECONDS = 20

PROGRAMS = ("krb5kdc", "kdb5_util", "kadmin.local", "kinit")
"""What a test with a realm needs."""


@dataclass
class Realm:
    """One realm; started by `started`."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def profile(self) -> Path:
        return self.folder / "krb5.conf"

    @property
    def environment(self) -> Mapping[str, str]:
        """For a program that is to live in this realm."""
        return {"KRB5_CONFIG": str(self.profile), "KRB5_KDC_PROFILE": str(self.folder / "kdc.conf")}

    def add(self, principal: str, *options: str) -> None:
        """A principal with a password, PASSWORD; or with *options*."""
        self._administer("addprinc", *(options or ("-pw", f'"{PASSWORD}"')), principal)

    def administer(self, query: str) -> None:
        self._administer(query)

    def keytab(self, *principals: str, name: str = "") -> Path:
        """A file with new random keys of these principals, which are made if they are not there."""
        file = self.folder / f"{name or principals[0].replace('/', '-')}.keytab"
        for one in principals:
            self.add(one, "-randkey")
            self._administer("ktadd", "-k", str(file), one)
        return file

    def kinit(self, principal: str, cache: Path, *options: str) -> None:
        """A ticket of *principal*, which has PASSWORD, in a file."""
        self._run("kinit", *options, "-c", f"FILE:{cache}", principal, typed=PASSWORD)

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [_path("krb5kdc"), "-n", "-r", REALM], stdout=log, stderr=log, env=self._environment()
            )
        self._until_it_answers(self.process)

    def stop(self) -> None:
        if self.process is None:
            return
        self.process.terminate()
        self.process.send_signal(signal.SIGCONT)
        self.process.wait(PATIENCE_SECONDS)
        self.process = None

    def freeze(self) -> None:
        """It takes what is sent to it, and answers nothing."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def log(self) -> str:
        return (self.folder / "log").read_text("utf-8", "replace")

    def _administer(self, *query: str) -> None:
        self._run("kadmin.local", "-r", REALM, "-q", " ".join(query))

    def _run(self, name: str, *arguments: str, typed: str = "") -> None:
        subprocess.run(
            [_path(name), *arguments], input=f"{typed}\n".encode(), env=self._environment(), check=True,
            capture_output=True,
        )  # fmt: skip

    def _environment(self) -> Mapping[str, str]:
        return {**os.environ, **self.environment}

    def _until_it_answers(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            assert process.poll() is None, f"the KDC ended: {self.log()}"
            try:
                with socket.create_connection((LOOPBACK, self.port), 1):
                    return
            except OSError:
                time.sleep(0.01)
        raise AssertionError("the KDC does not listen")


@contextmanager
def started(folder: Path) -> Iterator[Realm]:
    """A realm with a KDC that answers; stopped in the end, frozen or not."""
    its = folder / "kdc"
    its.mkdir()
    realm = Realm(its, free_port())
    realm.profile.write_text(_profile(realm), "utf-8")
    (its / "kdc.conf").write_text(_configuration(realm), "utf-8")
    realm._run("kdb5_util", "create", "-s", "-r", REALM, "-P", "master of the realm")
    try:
        realm.start()
        yield realm
    finally:
        realm.stop()


def _path(name: str) -> str:
    found = program(name)
    assert found is not None
    return found


def _profile(realm: Realm) -> str:
    # Names are made canonical by DNS, as MIT does unless told otherwise: the client must not care.
    return f"""\
[libdefaults]
default_realm = {REALM}
dns_lookup_kdc = false
dns_lookup_realm = false
dns_canonicalize_hostname = true
rdns = true
[realms]
{REALM} = {{
  kdc = {LOOPBACK}:{realm.port}
}}
"""


def _configuration(realm: Realm) -> str:
    folder = realm.folder
    return f"""\
[kdcdefaults]
kdc_listen = {LOOPBACK}:{realm.port}
kdc_tcp_listen = {LOOPBACK}:{realm.port}
[realms]
{REALM} = {{
  database_name = {folder}/principal
  key_stash_file = {folder}/stash
  acl_file = {folder}/acl
  max_life = 10h
}}
[logging]
kdc = FILE:{folder}/log
"""

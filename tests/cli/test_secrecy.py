"""No credential in any output, log, process list or core file: with a real directory, and a real program."""

from __future__ import annotations

import asyncio
import os
import resource
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from mailtrust.directory.ldap_bind import Password
from mailtrust.directory.ldap_wire import Wire
from tests import slapd
from tests.loopback import LOOPBACK, free_port
from tests.make import HUB1
from tests.programs import needs
from tests.slapd import ADMIN, SERVERS, Server, password_file

pytestmark = needs("slapd", "slapadd")

PATIENCE = timedelta(seconds=20)
SECONDS = 60
ACCOUNT = f"cn={HUB1},{SERVERS}"


@dataclass(frozen=True)
class Keeper:
    """A mail server whose account in the directory has a password that stands nowhere else."""

    folder: Path
    server: Server
    secret: str

    @property
    def password(self) -> Path:
        return self.folder / "directory-password"

    def configure(self, password: str) -> None:
        self.password.write_text(f"{password}\n")
        self.password.chmod(0o600)
        (self.folder / "mailtrust.toml").write_text(
            f"""\
[server]
name = "{HUB1}"
store = "{self.folder}/store"
listeners = []
[directory]
home = "{self.server.ldaps}"
base = "{SERVERS}"
ca_file = "{self.server.ca_file}"
bind = "simple"
bind_dn = "{ACCOUNT}"
password_file = "{self.password}"
[policy]
key = "p256"
probe_timeout = "5s"
[transport]
kind = "hub"
bind = ["{LOOPBACK}:{free_port()}"]
""",
            "utf-8",
        )

    def type(
        self, *words: str, environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "mailtrust", *words], cwd=self.folder, check=False, timeout=SECONDS,
            capture_output=True, text=True, env={**os.environ, **(environment or {})},
        )  # fmt: skip

    def holding(self, secret: str) -> list[Path]:
        """The files of this machine that hold it, as far as we made them; not slapd's own."""
        files = (
            one for one in self.folder.rglob("*") if one.is_file() and self.server.folder not in one.parents
        )
        return [one for one in files if secret.encode() in one.read_bytes()]

    @contextmanager
    def hub(self) -> Iterator[subprocess.Popen[bytes]]:
        """A hub that watches the directory, and may leave a core file as large as it is."""
        process = subprocess.Popen(
            [sys.executable, "-m", "mailtrust", "hub", "--json"], cwd=self.folder,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, preexec_fn=as_large_as_it_is,
        )  # fmt: skip
        try:
            assert process.stdout is not None
            assert b"bound" in process.stdout.readline()
            yield process
        finally:
            process.kill()
            process.communicate()


def as_large_as_it_is() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (most, most))


@pytest.fixture
def keeper() -> Iterator[Keeper]:
    folder = Path(tempfile.mkdtemp(prefix="mt-"))
    with slapd.started(folder) as (server,):
        made = Keeper(folder, server, secrets.token_hex(16))
        asyncio.run(open_account(made))
        made.configure(made.secret)
        yield made
    shutil.rmtree(folder)


async def open_account(keeper: Keeper) -> None:
    server = keeper.server
    admin = Password(ADMIN, password_file(server.folder))
    async with await Wire.open(
        server.ldaps, credentials=admin, ca_file=server.ca_file, timeout=PATIENCE
    ) as wire:
        classes = (b"device", b"pkiUser", b"labeledURIObject", b"simpleSecurityObject")
        held = (
            ("objectClass", classes),
            ("cn", (HUB1.encode(),)),
            ("userPassword", (keeper.secret.encode(),)),
        )
        await wire.add(ACCOUNT, held, timeout=PATIENCE)


COMMANDS = (
    ("directory", "show"),
    ("directory", "show", "--json"),
    ("status",),
    ("status", "--all", "--json"),
    ("check",),
    ("check", "--json"),
    ("list", "--json"),
    ("events",),
    ("fix", "--yes"),
)


def test_the_password_is_in_nothing_that_is_said_and_in_no_file(keeper: Keeper) -> None:
    made = keeper.type("new")
    runs = [keeper.type(*words) for words in COMMANDS]

    assert made.returncode == 0
    assert "?" not in runs[0].stdout.splitlines()[1], "the directory could be read"
    assert [ran.args for ran in (made, *runs) if keeper.secret in ran.stdout + ran.stderr] == []
    assert keeper.holding(keeper.secret) == [keeper.password]


@pytest.mark.parametrize("trouble", ["a wrong password", "nobody there", "another authority", "no TLS"])
def test_the_password_is_in_no_error(keeper: Keeper, trouble: str) -> None:
    secret = keeper.secret
    if trouble == "a wrong password":
        secret = secrets.token_hex(16)
        keeper.configure(secret)
    elif trouble == "nobody there":
        keeper.server.stop()
    elif trouble == "another authority":
        keeper.server.ca_file.write_bytes(slapd.client_pem(keeper.folder, "stranger").read_bytes())
    else:
        file = keeper.folder / "mailtrust.toml"
        file.write_text(file.read_text().replace(keeper.server.ldaps, keeper.server.ldap))
        without_tls(keeper.server)

    shown = keeper.type("directory", "show")
    publish = ("directory", "put", HUB1, "mailtrust.toml", "--yes")
    runs = [
        shown,
        keeper.type("check", "--json"),
        keeper.type(*publish),
        keeper.type(*publish, environment={"MAILTRUST_DEBUG": "1"}),
    ]

    assert "? " in shown.stdout
    assert [ran.returncode for ran in runs[2:]] == [1, 1]
    assert [ran.args for ran in runs if secret in ran.stdout + ran.stderr] == []
    assert keeper.holding(secret) == [keeper.password]
    assert secret not in keeper.server.log()


def without_tls(server: Server) -> None:
    server.stop()
    file = server.folder / "slapd.conf"
    lines = (one for one in file.read_text("utf-8").splitlines() if not one.startswith("TLS"))
    file.write_text("\n".join(lines), "utf-8")
    server.start()


def test_nobody_sees_the_password_of_a_running_hub(keeper: Keeper) -> None:
    with keeper.hub() as hub:
        its = Path(f"/proc/{hub.pid}")
        seen = [(its / name).read_bytes() for name in ("cmdline", "environ", "limits")]
        listed = subprocess.run(["ps", "-efww"], capture_output=True, check=True).stdout

    assert not any(keeper.secret.encode() in one for one in (*seen, listed))
    assert keeper.holding(keeper.secret) == [keeper.password]


def test_a_hub_that_crashes_leaves_no_core(keeper: Keeper) -> None:
    """Where cores are files beside the program, one that does not care leaves one, and the password in it."""
    careless = subprocess.run(
        [sys.executable, "-c", f"import os; kept = open({str(keeper.password)!r}).read(); os.abort()"],
        cwd=keeper.folder, check=False, preexec_fn=as_large_as_it_is, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    cores = [one for one in keeper.holding(keeper.secret) if one != keeper.password]
    for one in cores:
        one.unlink()

    with keeper.hub() as hub:
        limits = Path(f"/proc/{hub.pid}/limits").read_text("utf-8")
        hub.send_signal(signal.SIGABRT)
        code = hub.wait(SECONDS)

    assert (careless.returncode, code) == (-signal.SIGABRT, -signal.SIGABRT)
    assert bool(cores) == writes_cores_beside_the_program()
    assert list(keeper.folder.glob("*core*")) == []
    assert keeper.holding(keeper.secret) == [keeper.password]
    [line] = (one for one in limits.splitlines() if one.startswith("Max core file size"))
    assert line.split()[4:6] == ["0", "0"]


def writes_cores_beside_the_program() -> bool:
    pattern = Path("/proc/sys/kernel/core_pattern").read_text().strip()
    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    return not pattern.startswith(("|", "/")) and most != 0


def test_another_program_of_the_same_account_cannot_read_our_memory() -> None:
    """As a debugger would, or gcore: the kernel is told (PR_GET_DUMPABLE)."""
    code = """
import ctypes
from mailtrust.cli.core_files import leave_no_core
leave_no_core()
print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))
"""
    ran = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert ran.stdout == "0\n"


def test_a_hubs_memory_is_closed_to_its_own_account(keeper: Keeper) -> None:
    """The superuser alone is not stopped."""
    with keeper.hub() as hub:
        memory = Path(f"/proc/{hub.pid}/mem")
        owner = memory.stat().st_uid
        if os.geteuid() != 0:
            with pytest.raises(PermissionError):
                memory.open("rb").close()

    assert owner == 0

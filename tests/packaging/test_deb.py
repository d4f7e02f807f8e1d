"""The Debian package: built, unpacked into a scratch root, and run from there."""

from __future__ import annotations

import gzip
import json
import os
import re
import stat
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.programs import needs
from tools.make_deb import COMPLETIONS, needed

ROOT = Path(__file__).parents[2]
pytestmark = [
    needs("dpkg-deb", "systemd-sysusers", "unshare"),
    pytest.mark.xdist_group("deb"),
    pytest.mark.timeout(600),
]


def ran(*words: object, folder: Path | None = None) -> str:
    """What a program said; it has to succeed, with nothing of ours in its environment."""
    done = subprocess.run(
        [str(one) for one in words], capture_output=True, text=True, cwd=folder or ROOT,
        stdin=subprocess.DEVNULL, env={"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("deb")
    subprocess.run(
        [sys.executable, "-m", "tools.make_deb", folder], cwd=ROOT, check=True, capture_output=True
    )
    [made] = folder.glob("*.deb")
    return made


@pytest.fixture(scope="module")
def root(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scratch root into which it is unpacked, as dpkg would."""
    folder = tmp_path_factory.mktemp("root")
    ran("dpkg-deb", "-x", package, folder)
    return folder


@pytest.fixture(scope="module")
def python() -> None:
    """The package is for the Python that built it; where the system's is another one it cannot be run."""
    minor = ran("/usr/bin/python3", "-c", "import sys; print(*sys.version_info[:2])").split()
    if [int(one) for one in minor] != list(sys.version_info[:2]):
        pytest.skip(f"the system's Python is {'.'.join(minor)}")


@pytest.mark.usefixtures("python")
def test_it_says_its_version(root: Path) -> None:
    assert ran(root / "usr/bin/mailtrust", "--version") == f"mailtrust {version('mailtrust')}\n"


@pytest.mark.usefixtures("python")
def test_a_server_is_begun_with_it(root: Path, tmp_path: Path) -> None:
    """From an empty folder to a published certificate, by the packed libraries alone."""
    mailtrust = root / "usr/bin/mailtrust"
    options = (
        "--store",
        tmp_path / "store",
        "--output",
        "mailtrust.toml",
        "--replica",
        f"sqlite://{tmp_path}/dc1.db",
    )
    ran(mailtrust, "init", "--name", "hub1.example.test", *options, folder=tmp_path)
    made = json.loads(ran(mailtrust, "new", "--json", folder=tmp_path))
    ran(mailtrust, "enable", made["fingerprint"], "--yes", folder=tmp_path)
    seen = json.loads(ran(mailtrust, "status", "--json", folder=tmp_path))

    assert seen["servers"][0]["published"][0]["found"] == [made["fingerprint"]]


@pytest.mark.usefixtures("python")
def test_nothing_of_the_readers_python_comes_into_it(root: Path, tmp_path: Path) -> None:
    """Neither what PYTHONPATH names, nor what stands in the folder where it is typed."""
    (tmp_path / "json.py").write_text("raise SystemExit('read from the reader')\n")
    done = subprocess.run(
        [root / "usr/bin/mailtrust", "explain", "12012"], cwd=tmp_path, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )  # fmt: skip

    assert done.returncode == 0, done.stderr


def test_it_holds_what_mailtrust_needs_and_no_more(root: Path) -> None:
    packed = {one.name.rpartition("-")[0] for one in (root / "usr/lib/mailtrust").glob("*.dist-info")}
    names = {one.metadata["Name"] for one in needed("mailtrust", ("postfix", "web", "keyring"))}

    assert {re.sub(r"[-.]", "_", one).lower() for one in names} == {
        re.sub(r"[-.]", "_", one.rpartition("-")[0] or one).lower() for one in packed
    }
    assert {"cryptography", "lmdb", "starlette", "uvicorn"} <= names
    assert not {"pytest", "mypy", "hatchling", "playwright"} & names


def test_its_units_start_what_it_brings(root: Path) -> None:
    units = sorted((root / "usr/lib/systemd/system").iterdir())
    started = {
        word for unit in units for word in re.findall(r"^ExecStart=(\S+)", unit.read_text(), re.MULTILINE)
    }

    assert len(units) == 4
    assert started == {"/usr/bin/mailtrust", "/usr/bin/mailtrust-postfix-helper"}
    assert {(root / one.lstrip("/")).exists() for one in started} == {True}


def test_its_account_and_folders_can_be_made(root: Path) -> None:
    """By systemd's own readers, in the scratch root."""
    ran("systemd-sysusers", f"--root={root}", "mailtrust.conf")

    assert "mailtrust:" in (root / "etc/passwd").read_text()
    assert (
        "d /var/lib/mailtrust 0755 mailtrust mailtrust"
        in (root / "usr/lib/tmpfiles.d/mailtrust.conf").read_text()
    )
    assert (root / "etc/mailtrust/servers.d").is_dir()


def test_it_brings_a_page_for_each_command_and_completions_for_each_shell(root: Path) -> None:
    share = root / "usr/share"
    page = gzip.decompress((share / "man/man1/mailtrust-check.1.gz").read_bytes()).decode()

    assert ".TH MAILTRUST-CHECK 1 2025-11-25" in page
    assert len(list((share / "man/man1").iterdir())) > 30
    for place in COMPLETIONS.values():
        assert "check" in (root / place).read_text()


INSTALL = """\
set -e
mount -t tmpfs none "$1"
mkdir "$1/above" "$1/work" "$1/host"
mount -t overlay -o "lowerdir=/,upperdir=$1/above,workdir=$1/work" none "$1/host" || exit 77
mount -t proc none "$1/host/proc"
cp "$2" "$1/host/root/mailtrust.deb"
set -- "$1/host"
chroot "$1" dpkg --no-triggers -i /root/mailtrust.deb
chroot "$1" mailtrust --version
chroot "$1" getent passwd mailtrust
touch "$1/var/lib/mailtrust/key"
chroot "$1" dpkg --no-triggers -P mailtrust
ls "$1/var/lib/mailtrust"
test ! -e "$1/usr/bin/mailtrust"
"""
"""Over this machine's own files, where nobody else sees it."""


@pytest.mark.usefixtures("python")
def test_dpkg_installs_it_and_takes_it_away_but_for_the_keys(package: Path, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root installs a package")
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", INSTALL, "sh", tmp_path, package], capture_output=True, text=True,
        env={"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL": "C.UTF-8"}, check=False,
    )  # fmt: skip
    if done.returncode == 77:
        pytest.skip("this machine lays nothing over its root")

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"\nmailtrust {version('mailtrust')}\nmailtrust:x:" in done.stdout
    assert done.stdout.endswith("\nkey\n")


def test_what_lintian_would_say(package: Path, root: Path) -> None:
    """Rights, owners, digests and fields, as Debian wants them."""
    listed = [line.split(maxsplit=5) for line in ran("dpkg-deb", "-c", package).splitlines()]
    fields = ran("dpkg-deb", "-f", package)
    control = root.parent / "control"
    ran("dpkg-deb", "-e", package, control)
    odd = [
        line for line in listed
        if line[1] != "root/root" or line[0] not in ("drwxr-xr-x", "-rw-r--r--", "-rwxr-xr-x")
    ]  # fmt: skip
    executable = {line[5] for line in listed if line[0] == "-rwxr-xr-x"}

    assert odd == []
    assert executable == {"./usr/bin/mailtrust", "./usr/bin/mailtrust-postfix-helper"}
    assert {line[5].split("/")[1] for line in listed if line[5] != "./"} == {"etc", "usr"}
    assert not [line[5] for line in listed if "/tests/" in line[5] and "mailtrust/mailtrust" in line[5]]
    for field in (
        "Package",
        "Version",
        "Architecture",
        "Maintainer",
        "Depends",
        "Description",
        "Installed-Size",
    ):
        assert re.search(rf"^{field}: \S", fields, re.MULTILINE), field
    ran("md5sum", "--quiet", "-c", control / "md5sums", folder=root)
    for script in ("postinst", "postrm"):
        ran("sh", "-n", control / script)
        assert (control / script).stat().st_mode & stat.S_IXUSR

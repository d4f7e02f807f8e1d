"""
Writes dist/mailtrust_VERSION_ARCHITECTURE.deb: mailtrust with the libraries that its tests ran with.

The libraries are those of .venv, which pip installed from requirements/ by version and hash; so nothing is
fetched, and what was tested is what is packed.  They lie in a folder of their own, for this program alone: no
other package's Python module comes before them, or can be met instead.
"""

from __future__ import annotations

import compileall
import gzip
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import Distribution, distribution
from pathlib import Path
from py_compile import PycInvalidationMode
from textwrap import dedent

from packaging.requirements import Requirement

from mailtrust import __version__
from tools.generated import ROOT
from tools.make_man import made

EXTRAS = ("postfix", "web", "keyring")
PROGRAMS = {
    "mailtrust": "mailtrust.cli",
    "mailtrust-postfix-helper": "mailtrust.transports.postfix.helper",
}
LIBRARIES = Path("usr/lib/mailtrust")
SOURCE = ROOT / "src" / "mailtrust"
COMPLETIONS = {
    "mailtrust.bash": "usr/share/bash-completion/completions/mailtrust",
    "_mailtrust": "usr/share/zsh/vendor-completions/_mailtrust",
    "mailtrust.fish": "usr/share/fish/vendor_completions.d/mailtrust.fish",
}
"""Where Debian's shells look for them."""
BUILT_AT = 1764028800
"""Two builds of one state are alike; seconds since 1970."""


def main(arguments: list[str]) -> int:
    """Builds, into the folder that is named or dist/, and says where it is."""
    target = Path(arguments[0]) if arguments else ROOT / "dist"
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "mailtrust"
        fill(tree)
        seal(tree)
        package = target / f"mailtrust_{__version__}_{architecture()}.deb"
        subprocess.run(
            ["dpkg-deb", "--root-owner-group", "-Zgzip", "--build", str(tree), str(package)],
            check=True, stdout=subprocess.DEVNULL, env={**os.environ, "SOURCE_DATE_EPOCH": str(BUILT_AT)},
        )  # fmt: skip
    print(f"wrote {package}")
    return 0


def fill(tree: Path) -> None:
    """Everything that the package holds, in *tree*."""
    libraries = tree / LIBRARIES
    libraries.mkdir(parents=True)
    for one in needed("mailtrust", EXTRAS):
        copy_library(one, libraries)
    shutil.copytree(SOURCE, libraries / "mailtrust", ignore=shutil.ignore_patterns("__pycache__"))
    # By contents and unchecked: the files' dates are not the builder's.
    compiled = PycInvalidationMode.UNCHECKED_HASH
    compileall.compile_dir(libraries, quiet=2, stripdir=str(tree), prependdir="/", invalidation_mode=compiled)
    for name, module in PROGRAMS.items():
        write(tree / "usr/bin" / name, program(module), mode=0o755)
    for unit in sorted((SOURCE / "systemd").iterdir()):
        text = unit.read_text("utf-8").replace("/opt/mailtrust/.venv/bin/", "/usr/bin/")
        where = "catalog" if unit.suffix == ".catalog" else "system"
        write(tree / "usr/lib/systemd" / where / unit.name, text)
    for name, text in FILES.items():
        write(tree / name, text)
    for folder in ("etc/mailtrust/servers.d", "usr/share/doc/mailtrust"):
        (tree / folder).mkdir(parents=True, exist_ok=True)
    shutil.copy(ROOT / "LICENSE", tree / "usr/share/doc/mailtrust/copyright")
    changes = "".join(
        one.read_text("utf-8") for one in sorted((ROOT / "changes").glob("*.md")) if one.stem != "README"
    )
    (tree / "usr/share/doc/mailtrust/changelog.gz").write_bytes(gzip.compress(changes.encode(), mtime=0))
    write_pages(tree)


def needed(name: str, extras: tuple[str, ...]) -> Iterator[Distribution]:
    """The distributions that *name* needs to run, with what they need, and without itself; each once."""
    met: set[str] = set()

    def walk(one: str, wanted: tuple[str, ...]) -> Iterator[Distribution]:
        for line in distribution(one).requires or ():
            asked = Requirement(line)
            applies = asked.marker is None or any(
                asked.marker.evaluate({"extra": extra}) for extra in (*wanted, "")
            )
            key = re.sub(r"[-_.]+", "-", asked.name).lower()
            if applies and key not in met:
                met.add(key)
                yield distribution(asked.name)
                yield from walk(asked.name, tuple(asked.extras))

    yield from walk(name, extras)


def copy_library(one: Distribution, libraries: Path) -> None:
    """Its files as pip recorded them, without programs and without what is compiled here anew."""
    for file in one.files or ():
        source = Path(str(one.locate_file(file)))
        if ".." in file.parts or "__pycache__" in file.parts or not source.is_file():
            continue
        target = libraries / file
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


def program(module: str) -> str:
    """Finds its libraries beside itself, and nothing of the environment's, of the user's or of the host's."""
    return dedent(
        f"""\
        #!/usr/bin/python3 -IS
        import sys
        from os.path import dirname, realpath

        sys.path.insert(0, dirname(dirname(realpath(__file__))) + "/lib/mailtrust")
        from {module} import main

        sys.exit(main())
        """
    )


def write_pages(tree: Path) -> None:
    """Manual pages and the shells' completions."""
    for path, text in made(datetime.fromtimestamp(BUILT_AT, UTC)).items():
        folder, name = path.split("/")
        if folder == "man1":
            target = tree / "usr/share/man/man1" / f"{name}.gz"
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(gzip.compress(text.encode(), mtime=0))
        else:
            write(tree / COMPLETIONS[name], text)


def seal(tree: Path) -> None:
    """The rights of what was filled, its digests and what dpkg is told."""
    for path in tree.rglob("*"):
        executable = path.is_dir() or path.parent == tree / "usr/bin"
        path.chmod(0o755 if executable else 0o644)
    files = [path for path in sorted(tree.rglob("*")) if path.is_file()]
    size = sum(path.stat().st_size for path in files) // 1024
    sums = "".join(
        f"{hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()}  {path.relative_to(tree)}\n"
        for path in files
    )
    write(tree / "DEBIAN/control", control(size))
    write(tree / "DEBIAN/md5sums", sums)
    write(tree / "DEBIAN/postinst", POSTINST, mode=0o755)
    write(tree / "DEBIAN/postrm", POSTRM, mode=0o755)


def control(installed_kilobytes: int) -> str:
    """What dpkg and apt are told.  Compiled libraries fit one minor version of Python and no other."""
    major, minor = sys.version_info[:2]
    needs_python = f"python3 (>= {major}.{minor}~), python3 (<< {major}.{minor + 1}~)"
    needs_systemd = "systemd | systemd-standalone-sysusers, systemd | systemd-standalone-tmpfiles"
    return dedent(
        f"""\
        Package: mailtrust
        Version: {__version__}
        Architecture: {architecture()}
        Maintainer: the maintainers of mailtrust <root@localhost>
        Installed-Size: {installed_kilobytes}
        Section: mail
        Priority: optional
        Depends: {needs_python}, libc6 (>= 2.28), {needs_systemd}
        Suggests: postfix-lmdb, libgssapi-krb5-2, slapd
        Description: trust between mail servers, vouched for by their own directory
         Makes, publishes, rotates and checks the certificates by which the mail
         servers of one organization know each other, and explains what is wrong
         when the copies disagree. For Postfix, Exim and its own hub; looks at
         Exchange from outside.
        """
    )


def architecture() -> str:
    """As Debian calls it."""
    asked = subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True, check=True)
    return asked.stdout.strip()


def write(path: Path, text: str, *, mode: int = 0o644) -> None:
    """A file with its folders, and its rights."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    path.chmod(mode)


FILES = {
    "usr/lib/sysusers.d/mailtrust.conf": 'u mailtrust - "mailtrust agent" /var/lib/mailtrust\n',
    "usr/lib/tmpfiles.d/mailtrust.conf": dedent(
        """\
        d /var/lib/mailtrust 0755 mailtrust mailtrust -
        d /run/mailtrust 0755 root root -
        """
    ),
}
POSTINST = dedent(
    """\
    #!/bin/sh
    # Makes the account and its folders.  Starts and enables nothing: a configuration comes first.
    set -e
    if [ "$1" = configure ]; then
        systemd-sysusers mailtrust.conf
        systemd-tmpfiles --create mailtrust.conf
        journalctl --update-catalog || true
        if [ -d /run/systemd/system ]; then
            systemctl daemon-reload
        fi
    fi
    """
)
POSTRM = dedent(
    """\
    #!/bin/sh
    # Keys, journal and configuration stay, also when the package is purged: only people throw keys away.
    set -e
    if [ -d /run/systemd/system ]; then
        systemctl daemon-reload
    fi
    """
)

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""What may import what: the layers are in pyproject.toml, and the pure packages touch nothing."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "mailtrust"

TOUCHES_THE_WORLD = frozenset({
    "asyncio", "http", "io", "logging", "os", "pathlib", "random", "secrets", "select", "selectors",
    "shutil", "signal", "socket", "socketserver", "sqlite3", "ssl", "subprocess", "sys", "tempfile",
    "threading", "time", "urllib.request",
})  # fmt: skip
"""Import-linter names the worst of them; this is all of the standard library that looks, acts or waits."""
PURE = ("core", "smtp", "ldap", "transports/postfix/compile.py", "transports/exim/compile.py")
KNOWN_TO_CORE = frozenset({"cryptography", "mailtrust"})


def imported(module: Path) -> frozenset[str]:
    """Every name that *module* imports, with its package: ``os.path``, ``mailtrust.errors``."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(module.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: a relative import hides the layer"
            names |= {node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)}
    return frozenset(names)


def relative(module: Path) -> str:
    return str(module.relative_to(SOURCE))


def pure_modules() -> list[Path]:
    places = [SOURCE / one for one in PURE]
    return sorted(
        module for place in places for module in ([place] if place.is_file() else place.rglob("*.py"))
    )


def test_layers_import_only_downwards() -> None:
    linter = Path(sys.executable).with_name("lint-imports")

    done = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


def test_pure_modules_touch_nothing() -> None:
    """A clock, a socket or a file in here, and the simulated world is no longer the real one."""
    found = [
        f"{relative(module)} imports {name}"
        for module in pure_modules()
        for name in sorted(imported(module))
        if {name, name.partition(".")[0]} & TOUCHES_THE_WORLD
    ]

    assert found == []


def test_pure_modules_need_cryptography_alone() -> None:
    outside = [
        f"{relative(module)} imports {name}"
        for module in pure_modules()
        for name in sorted({name.partition(".")[0] for name in imported(module)})
        if name not in sys.stdlib_module_names | KNOWN_TO_CORE
    ]

    assert outside == []


def test_the_clock_is_read_in_one_place() -> None:
    """Everybody else is handed `now`: a test moves it, and one run judges by one moment."""
    readers = [
        relative(path)
        for path in sorted(SOURCE.rglob("*.py"))
        for call in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(call, ast.Attribute)
        and call.attr in ("now", "utcnow", "today")
        and isinstance(call.value, ast.Name)
        and call.value.id in ("datetime", "date")
    ]

    assert readers == ["clock.py"]


def test_a_module_starts_nothing_when_it_is_imported() -> None:
    """Import-time work makes every command slow and every test a test of the order of imports."""
    calls = [
        f"{relative(path)}:{statement.lineno}"
        for path in sorted(SOURCE.rglob("*.py"))
        for statement in ast.parse(path.read_text("utf-8")).body
        if isinstance(statement, (ast.For, ast.While, ast.With, ast.Try, ast.AsyncFor, ast.AsyncWith))
    ]

    assert calls == []

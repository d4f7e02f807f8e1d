"""A test that never runs is a defect that nobody sees: how the missing program is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.programs import PACKAGES, leave_out, leave_out_here, needs, program


def test_a_missing_program_leaves_a_test_out_by_name() -> None:
    with pytest.raises(pytest.skip.Exception, match=r"swaks is not installed \(package swaks\)"):
        leave_out("swaks", {})


def test_under_ci_a_missing_program_is_a_failure() -> None:
    with pytest.raises(pytest.fail.Exception, match="no test is left out"):
        leave_out("posttls-finger", {"CI": "true"})


def test_who_needs_a_network_of_its_own_is_told_what_to_type() -> None:
    typed = r"tools/in_own_network\.sh \.venv/bin/python -m pytest tests/samba/test_forest\.py"
    with pytest.raises(pytest.skip.Exception, match=typed):
        leave_out_here("tests/samba/test_forest.py", {})


def test_under_ci_a_missing_network_is_a_failure() -> None:
    with pytest.raises(pytest.fail.Exception, match="no test is left out"):
        leave_out_here("tests/samba/test_forest.py", {"CI": "true"})


def test_a_program_of_unknown_package_cannot_be_needed() -> None:
    """Else tools/system_packages.sh would never install it, and CI would fail for a reason far away."""
    with pytest.raises(ValueError, match="in which package is no-such-program"):
        needs("no-such-program")


def test_the_installer_knows_every_package_that_tests_need() -> None:
    script = Path(__file__).parent.parent / "tools" / "system_packages.sh"
    lists = [line.split(":")[1] for line in script.read_text("utf-8").splitlines() if line.count(":") == 2]
    known = {package for packages in lists for package in packages.split()}

    assert set(PACKAGES.values()) <= known


@needs("ps")
def test_a_program_is_found_where_it_stands() -> None:
    found = program("ps")

    assert found is not None
    assert found.endswith("/ps")

"""
Other people's programs that a test asks for a second opinion: Postfix, swaks, openssl.

They are not Python's to install, so a test says what it needs.  Where a program is missing the test is left
out, by name; under CI it fails, or nobody would notice that it never runs there.

    @needs("posttls-finger")
    def test_postfix_believes_what_we_publish() -> None: ...
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping

import pytest

PACKAGES = {
    "chromium": "chromium",
    "gcc": "gcc",
    "ldapsearch": "ldap-utils",
    "openssl": "openssl",
    "postconf": "postfix",
    "posttls-finger": "postfix",
    "ps": "procps",
    "slapadd": "slapd",
    "slapd": "slapd",
    "smtp-source": "postfix",
    "ss": "iproute2",
    "swaks": "swaks",
}
"""Debian's package of each program; tools/system_packages.sh installs them."""


def needs(*names: str) -> pytest.MarkDecorator:
    """The mark of a test that runs these programs; they stand in PACKAGES."""
    unknown = [name for name in names if name not in PACKAGES]
    if unknown:
        raise ValueError(f"in which package is {unknown[0]}? Say so in tests/programs.py")
    return pytest.mark.needs(*names)


def program(name: str) -> str | None:
    """Its path; an ordinary account's PATH may not lead where Debian puts Postfix's, into /usr/sbin."""
    return shutil.which(name, path=os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin")))


def leave_out(name: str, environment: Mapping[str, str]) -> None:
    """Ends the test that needs *name*: left out, or failed under CI."""
    reason = f"{name} is not installed (package {PACKAGES[name]})"
    if environment.get("CI") == "true":
        pytest.fail(f"{reason}, and under CI no test is left out", pytrace=False)
    pytest.skip(reason)

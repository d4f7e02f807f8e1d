"""
Other people's programs that a test asks for a second opinion: Postfix, swaks, openssl.

They are not Python's to install, so a test says what it needs.  Where a program is missing the test is left
out, by name; under CI it fails, or nobody would notice that it never runs there.

    @needs("posttls-finger")
    def test_postfix_believes_what_we_publish() -> None: ...

The same holds for a network of one's own, where the test is marked `own_network`.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

PACKAGES = {
    "/usr/lib/postfix/postfix-lmdb.so": "postfix-lmdb",
    "/usr/local/lib/mailtrust-tests/exim4/usr/sbin/exim4": "exim4-daemon-light",
    "/usr/lib/*/sasl2/libgssapiv2.so": "libsasl2-modules-gssapi-mit",
    "/lib/systemd/systemd-journal-remote": "systemd-journal-remote",
    "/lib/systemd/systemd-journald": "systemd",
    "/usr/share/i18n/locales/zh_CN": "locales",
    "adcli": "adcli",
    "certutil": "libnss3-tools",
    "chromium": "chromium",
    "dpkg-deb": "dpkg",
    "dsconf": "python3-lib389",
    "faketime": "faketime",
    "fish": "fish",
    "gcc": "gcc",
    "ip": "iproute2",
    "journalctl": "systemd",
    "kadmin.local": "krb5-admin-server",
    "kdb5_util": "krb5-kdc",
    "kinit": "krb5-user",
    "krb5kdc": "krb5-kdc",
    "ldapmodify": "ldap-utils",
    "ldapsearch": "ldap-utils",
    "ldbadd": "ldb-tools",
    "ldbmodify": "ldb-tools",
    "ldbsearch": "ldb-tools",
    "localedef": "libc-bin",
    "mandoc": "mandoc",
    "ns-slapd": "389-ds-base",
    "openssl": "openssl",
    "pk12util": "libnss3-tools",
    "postconf": "postfix",
    "postmap": "postfix",
    "posttls-finger": "postfix",
    "promtool": "prometheus",
    "ps": "procps",
    "samba": "samba",
    "samba-tool": "samba-common-bin",
    "samba_spnupdate": "samba",
    "setpriv": "util-linux",
    "slapadd": "slapd",
    "slapcat": "slapd",
    "slapd": "slapd",
    "smtp-source": "postfix",
    "ss": "iproute2",
    "swaks": "swaks",
    "systemd-analyze": "systemd",
    "systemd-sysusers": "systemd",
    "unshare": "util-linux",
    "zsh": "zsh",
}
"""Debian's package of each program, or file that one loads; tools/system_packages.sh installs them."""

OWN_NETWORK = "MAILTRUST_OWN_NETWORK"
"""Stands in the environment where tools/in_own_network.sh made one."""


def needs(*names: str) -> pytest.MarkDecorator:
    """The mark of a test that runs these programs; they stand in PACKAGES."""
    unknown = [name for name in names if name not in PACKAGES]
    if unknown:
        raise ValueError(f"in which package is {unknown[0]}? Say so in tests/programs.py")
    return pytest.mark.needs(*names)


def program(name: str) -> str | None:
    """Its path; an ordinary account's PATH may not lead where Debian puts Postfix's, into /usr/sbin."""
    if name.startswith("/"):
        return next((str(one) for one in Path("/").glob(name.lstrip("/"))), None)
    return shutil.which(name, path=os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin")))


def leave_out(name: str, environment: Mapping[str, str]) -> None:
    """Ends the test that needs *name*: left out, or failed under CI."""
    _end(f"{name} is not installed (package {PACKAGES[name]})", environment)


def leave_out_here(file: str, environment: Mapping[str, str]) -> None:
    """Ends a test in *file* that needs its own network: left out with what to type, or failed under CI."""
    _end(f"needs its own network: tools/in_own_network.sh .venv/bin/python -m pytest {file}", environment)


def _end(reason: str, environment: Mapping[str, str]) -> None:
    if environment.get("CI") == "true":
        pytest.fail(f"{reason}, and under CI no test is left out", pytrace=False)
    pytest.skip(reason)

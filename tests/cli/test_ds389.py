"""A mail server's life in 389 Directory Server, typed by somebody who has only the page."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import ds389, slapd
from tests.cli.desk import Desk
from tests.ds389 import PAGE, Server
from tests.programs import needs, program

pytestmark = [ds389.needs_ds389, needs("dsconf"), pytest.mark.xdist_group("389")]

HUB1 = "hub1.example.org"
PASSWORD = "a long one that nobody knows"


@pytest.fixture
def suppliers() -> Iterator[tuple[Server, ...]]:
    with tempfile.TemporaryDirectory(prefix="mt-") as folder, ds389.started(Path(folder), 2) as started:
        yield started


def prepare(server: Server) -> None:
    """What the directory's administrator does, and once more for a second mail server."""
    entries = ds389.documented(f"cn: {HUB1}")
    assert PASSWORD in entries
    server.change(entries)
    server.change(entries[entries.index("dn: cn=") :].replace("hub1", "hub2"))
    server.change(ds389.documented("add: aci"))
    for command in re.findall(r"dsconf INSTANCE (?:plugin|backend) .+", PAGE):
        _, _, *words = shlex.split(command)
        administrator = ("-D", slapd.ADMIN, "-w", slapd.PASSWORD, server.ldaps)
        subprocess.run(
            [str(program("dsconf")), *administrator, *words],
            env={**os.environ, "LDAPTLS_CACERT": str(server.ca_file)},
            check=True, capture_output=True, timeout=60,
        )  # fmt: skip
    assert "dsctl INSTANCE restart" in PAGE
    server.stop()
    server.start()


def configure(desk: Desk, servers: tuple[Server, ...]) -> None:
    """The page's configuration, with this machine's addresses and files."""
    _, _, after = PAGE.partition("## What the mail server needs\n")
    text = textwrap.dedent(re.split(r"\n(?=[^\s])", after.strip("\n"), maxsplit=1)[0])
    password = slapd.password_file(desk.folder, PASSWORD)
    password.chmod(0o600)
    here = {
        '[server]': f'[server]\nstore = "{desk.folder}/store"\nlisteners = []',
        "ldaps://ldap1.example.org": servers[0].ldaps,
        "ldaps://ldap2.example.org": servers[1].ldaps,
        "/etc/mailtrust/directory-ca.pem": str(servers[0].ca_file),
        "/etc/mailtrust/directory-password": str(password),
    }  # fmt: skip
    for written, meant in here.items():
        assert written in text
        text = text.replace(written, meant)
    (desk.folder / "mailtrust.toml").write_text(text, "utf-8")


def test_the_page_leads_to_a_clean_check_and_to_whoever_can_mend_a_link(
    desk: Desk, suppliers: tuple[Server, ...]
) -> None:
    """Nothing proves there that a certificate is late, so the clock says it, and `pull` says whom to ask."""
    prepare(suppliers[0])
    configure(desk, suppliers)
    desk.must("enable", desk.made(), "--wait", "--yes")

    assert desk.must("check", "--all").code == 0
    rights = desk.must("directory", "check", "--neighbour", "hub2.example.org", "--yes").out
    replicas = desk.must("directory", "show", "--json").json["replicas"]
    with ds389.apart(*suppliers):
        fingerprint = desk.made()
        desk.type("enable", fingerprint, "--yes")
        late = desk.type("check", "--json").json["findings"]
        pulled = desk.type("directory", "pull")

    assert "this account writes its own entry and no other" in rights
    assert [(one["readable"], one["values"]) for one in replicas] == [(True, 1), (True, 1)]
    assert {one["event"]: one["place"] for one in late} == {12101: suppliers[1].ldaps, 12108: None}
    assert pulled.code == 1
    assert f"dsconf {suppliers[0].ldaps} replication monitor" in pulled.out
    desk.must("wait", "--timeout", "60s")

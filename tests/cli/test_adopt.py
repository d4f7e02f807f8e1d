"""`mailtrust adopt` on real Postfix configurations: who knows whom today; nothing changes, no secret told."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from mailtrust.core.digests import digests_of
from mailtrust.core.model.certificate import Certificate, certificate
from tests import postfix
from tests.cli.desk import Desk
from tests.make import der
from tests.postfix import Postfix

pytestmark = postfix.MARKS
MX1, MX2, MX3, MX4 = (f"mx{number}.example.test" for number in range(1, 5))
PASSWORD = "open-sesame-4711"


def colons(digest: str) -> str:
    return ":".join(digest[at : at + 2] for at in range(0, len(digest), 2)).upper()


@dataclass
class Fleet:
    """Some Postfix configurations that nobody starts, each with a chain file."""

    desk: Desk
    folder: Path
    hosts: dict[str, Postfix] = field(default_factory=dict)

    def add(self, name: str, address: str, master: str = "", **main: str) -> None:
        one = Postfix(self.folder / name.partition(".")[0], name)
        chain = postfix.chain_pem(name, key=name)
        lines = {
            "smtp_bind_address": address,
            "smtp_tls_chain_files": "{folder}/chain.pem",
            "smtpd_tls_ask_ccert": "yes",
            **main,
        }
        services = f"{address}:25 inet n - n - - smtpd\nsmtp unix - - n - - smtp\n{master}"
        one.make(chain=chain, main=lines, master=services, routes={})
        self.hosts[name] = one

    def leaf(self, name: str) -> Certificate:
        pem = (self.hosts[name].folder / "chain.pem").read_bytes()
        return certificate(der(x509.load_pem_x509_certificate(pem)))

    def table(self, host: str, table: str, rows: Mapping[str, str], kind: str = "lmdb") -> None:
        source = self.hosts[host].folder / table
        source.write_text("".join(f"{key} {value}\n" for key, value in rows.items()))
        if kind == "lmdb":
            self.hosts[host].run("postmap", f"lmdb:{source}")

    def collected(self, *names: str) -> list[Path]:
        files = []
        for name in names or self.hosts:
            file = self.desk.folder / f"{name}.json"
            file.write_text(self.desk.must("adopt", "--collect", "--postfix", self.hosts[name].config).out)
            files.append(file)
        return files

    def adopt(self, *names: str) -> Any:
        return self.desk.must("adopt", *self.collected(*names), "--json").reads("adopt")

    def touched(self) -> dict[str, str]:
        """What every file of theirs holds."""
        return {
            str(file): hashlib.sha256(file.read_bytes()).hexdigest()
            for file in sorted(self.folder.rglob("*"))
            if file.is_file()
        }


@pytest.fixture
def fleet(desk: Desk) -> Iterator[Fleet]:
    """
    mx1 sends to all: mx2 knows it by a certificate, mx3 by a password, mx4 by its address and nothing more.
    """
    with postfix.folder() as folder:
        made = Fleet(desk, folder)
        made.add(
            MX1, "192.0.2.1",
            transport_maps="texthash:{folder}/transport",
            smtp_tls_policy_maps="lmdb:{folder}/policy",
            smtp_sasl_auth_enable="yes",
            smtp_sasl_password_maps="lmdb:{folder}/passwords",
        )  # fmt: skip
        made.add(
            MX2, "192.0.2.2",
            relay_clientcerts="lmdb:{folder}/clients",
            smtpd_tls_fingerprint_digest="md5",
            smtpd_relay_restrictions="permit_tls_clientcerts, defer_unauth_destination",
        )  # fmt: skip
        made.add(
            MX3, "192.0.2.3",
            smtpd_sasl_auth_enable="yes",
            smtpd_restriction_classes="peers",
            peers="permit_sasl_authenticated, reject",
            smtpd_relay_restrictions="peers",
        )  # fmt: skip
        made.add(
            MX4, "192.0.2.4", mynetworks="cidr:{folder}/networks",
            smtpd_relay_restrictions="permit_mynetworks, defer_unauth_destination",
        )  # fmt: skip
        hops = {name: f"smtp:[192.0.2.{number}]:25" for number, name in ((2, MX2), (3, MX3), (4, MX4))}
        made.table(MX1, "transport", {**hops, "elsewhere.test": "smtp:[gate.elsewhere.test]:25"}, "texthash")
        made.table(MX1, "passwords", {"[192.0.2.3]:25": f"mx1:{PASSWORD}"})
        pinned = colons(digests_of(made.leaf(MX2), "sha256")[1])
        made.table(MX1, "policy", {
            "[192.0.2.2]:25": f"fingerprint match={pinned}|{'AA:' * 31}AA",
            "[192.0.2.3]:25": f"fingerprint match={'BB:' * 31}BB",
            "[gate.elsewhere.test]:25": "secure",
        })  # fmt: skip
        made.table(MX2, "clients", {
            colons(digests_of(made.leaf(MX1), "md5")[0]): "mx1",
            ":".join(["CC"] * 16): MX3,
            ":".join(["DD"] * 16): "somebody who left",
            ":".join(["EE"] * 20): "mx4 in SHA-1",
            "FF:FF": "cut off",
        })  # fmt: skip
        made.table(MX4, "networks", {"192.0.2.0/30": "OK"}, "cidr")
        yield made


def pairs(found: Any) -> dict[tuple[str, str], Any]:
    return {(one["from"], one["to"]): one for one in found["pairs"]}


def how(proofs: Any) -> list[str]:
    return [one["how"] for one in proofs]


def test_every_pair_is_listed_with_how_it_is_known(fleet: Fleet) -> None:
    before = fleet.touched()
    found = pairs(fleet.adopt())

    hosts = (MX1, MX2, MX3, MX4)
    assert found.keys() == {(a, b) for a in hosts for b in hosts if a != b} | {(MX1, "gate.elsewhere.test")}
    assert {to: how(one["known_by"]) for (sender, to), one in found.items() if sender == MX1} == {
        MX2: ["certificate"], MX3: ["password"], MX4: ["address"], "gate.elsewhere.test": ["unknown"],
    }  # fmt: skip
    assert {to: how(one["believes"]) for (sender, to), one in found.items() if sender == MX1} == {
        MX2: ["certificate"], MX3: ["stale"], MX4: ["nothing"], "gate.elsewhere.test": ["authority"],
    }  # fmt: skip
    assert how(found[MX3, MX2]["known_by"]) == ["stale"]
    # mx4's address is not in its own neighbours' networks, and mx3's is in mx4's.
    assert how(found[MX4, MX3]["known_by"]) == ["nothing"]
    assert how(found[MX3, MX4]["known_by"]) == ["address"]
    assert fleet.touched() == before


def test_what_is_written_down_is_told_apart(fleet: Fleet) -> None:
    rows = fleet.adopt()["fingerprints"]

    assert {
        (one["host"], one["label"]): (one["state"], one["owner"]) for one in rows if one["host"] == MX2
    } == {
        (MX2, "mx1"): ("current", MX1),
        (MX2, MX3): ("stale", MX3),
        (MX2, "somebody who left"): ("unknown", None),
        (MX2, "mx4 in SHA-1"): ("other-function", MX4),
        (MX2, "cut off"): ("malformed", None),
    }
    assert [(one["state"], one["owner"]) for one in rows if one["host"] == MX1] == [
        ("current", MX2), ("stale", MX2), ("stale", MX3),
    ]  # fmt: skip


def test_no_password_and_no_key_leaves_the_host(fleet: Fleet) -> None:
    text = "".join(file.read_text() for file in fleet.collected())
    said = fleet.desk.must("adopt", *fleet.collected()).said

    assert PASSWORD not in text + said
    assert "PRIVATE KEY" not in text
    assert "[192.0.2.3]:25" in text


@pytest.mark.parametrize("where", ["main.cf", "master.cf"])
def test_a_password_in_the_configuration_itself_does_not_leave_it_either(fleet: Fleet, where: str) -> None:
    """A table may stand in place of its name, and then the name holds the password."""
    inline = (
        f"inline:{{ {{ [192.0.2.2]:25 = mx6:{PASSWORD} }}, mx3.test=mx6:{PASSWORD} }}, static:mx6:{PASSWORD}"
    )
    main = {"smtp_sasl_auth_enable": "yes", "relayhost": "[192.0.2.2]:25"}
    if where == "main.cf":
        fleet.add("mx6.example.test", "192.0.2.6", smtp_sasl_password_maps=inline, **main)
    else:
        # Braces hold an option with blanks together; the folder's names are filled in by format.
        option = "  -o {{ smtp_sasl_password_maps = " + inline.replace("{", "{{").replace("}", "}}") + " }}\n"
        fleet.add("mx6.example.test", "192.0.2.6", f"relay unix - - n - - smtp\n{option}", **main)
    [file] = fleet.collected("mx6.example.test")
    found = pairs(fleet.adopt("mx6.example.test"))

    assert PASSWORD not in file.read_text()
    assert "in-main.cf" in file.read_text()
    if where == "main.cf":
        assert how(found["mx6.example.test", "192.0.2.2"]["known_by"]) == ["password"]


def test_a_host_that_was_not_collected_is_unknown_and_not_nothing(fleet: Fleet) -> None:
    found = pairs(fleet.adopt(MX1))

    assert {one["to"]: how(one["known_by"]) for one in found.values()} == {
        "192.0.2.2": ["unknown"], "192.0.2.3": ["password"], "192.0.2.4": ["unknown"],
        "gate.elsewhere.test": ["unknown"],
    }  # fmt: skip
    assert {one["next"]["code"] for one in found.values()} == {"adopt.collect"}


def test_what_the_directory_publishes_counts_too(fleet: Fleet) -> None:
    """So the step after it is another one."""
    before = pairs(fleet.adopt())[MX1, MX2]["next"]
    for name in (MX1, MX2):
        file = fleet.desk.folder / f"{name}.der"
        file.write_bytes(fleet.leaf(name).der)
        fleet.desk.must("directory", "put", name, file, "--yes")
    found = fleet.adopt()

    assert before["code"] == "adopt.publish"
    assert pairs(found)[MX1, MX2]["next"]["code"] == "adopt.listen"
    assert "mailtrust postfix setup" in pairs(found)[MX1, MX2]["next"]["message"]
    assert {one["host"]: one["published"] for one in found["hosts"]} == {
        MX1: True, MX2: True, MX3: False, MX4: False,
    }  # fmt: skip


def test_a_table_that_cannot_be_listed_is_told(fleet: Fleet) -> None:
    fleet.add(
        "mx5.example.test", "192.0.2.5", mynetworks="",
        smtpd_client_restrictions="permit_tls_clientcerts, check_ccert_access regexp:{folder}/ccert",
        relay_clientcerts="proxy:lmdb:{folder}/gone",
    )  # fmt: skip
    found = fleet.adopt()
    [told] = [one for one in found["hosts"] if one["host"] == "mx5.example.test"]

    assert how(pairs(found)[MX1, "mx5.example.test"]["known_by"]) == ["unknown", "unknown"]
    assert any("regexp:" in one for one in told["unread"])
    assert any("gone" in one for one in told["unread"])


def test_a_host_is_looked_at_where_it_stands_without_any_configuration(fleet: Fleet) -> None:
    (fleet.desk.folder / "mailtrust.toml").unlink()
    said = fleet.desk.must("adopt", "--postfix", fleet.hosts[MX1].config).out

    assert "mx1.example.test  192.0.2.3            password  unknown" in said
    assert "directory not looked at" in said


def test_the_page_says_what_to_do(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    files = fleet.collected()
    english = fleet.desk.must("adopt", *files).out
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    chinese = fleet.desk.must("adopt", *files).out

    assert "1 publish the certificate of mx1.example.test: there, `mailtrust import FILE`" in english
    assert max(map(len, english.splitlines())) <= 80
    assert "下一步" in chinese


@pytest.mark.parametrize("text", ["", "{}", '{"schema": "mailtrust.adopt-host/1"}', "not JSON"])
def test_a_file_of_something_else_is_refused(desk: Desk, text: str) -> None:
    (desk.folder / "host.json").write_text(text)
    ran = desk.type("adopt", desk.folder / "host.json")

    assert ran.code == 1
    assert "host.json was not written by `mailtrust adopt --collect`" in ran.err


def test_files_are_of_other_hosts_and_postfix_is_of_this_one(desk: Desk) -> None:
    assert desk.type("adopt", "host.json", "--collect").code == 2


def test_where_there_is_no_postfix_it_says_so(desk: Desk) -> None:
    ran = desk.type("adopt", "--postfix", desk.folder)

    assert ran.code == 1
    assert "has no main.cf" in ran.err


def test_the_listener_that_setup_makes_is_known_again(fleet: Fleet) -> None:
    """So that the step after it is the next one."""
    for name in (MX1, MX2):
        file = fleet.desk.folder / f"{name}.der"
        file.write_bytes(fleet.leaf(name).der)
        fleet.desk.must("directory", "put", name, file, "--yes")
    config = fleet.hosts[MX2].config
    fleet.desk.configure(more=f'[transport]\nkind = "postfix"\npostfix = "{config}"')
    text = (fleet.desk.folder / "mailtrust.toml").read_text()
    text = text.replace("listeners = []", 'listeners = ["127.0.0.1:2525"]')
    (fleet.desk.folder / "mailtrust.toml").write_text(text)
    fleet.desk.must("postfix", "setup", "--yes")
    found = fleet.adopt()

    assert pairs(found)[MX1, MX2]["next"]["code"] == "adopt.switch"
    # Its answer to strangers is a table for Postfix, and nothing that anybody has to read.
    [unread] = [one["unread"] for one in found["hosts"] if one["host"] == MX2]
    assert not [one for one in unread if one.startswith("static:")]


def test_a_table_that_lets_everybody_in_is_not_passed_over(fleet: Fleet) -> None:
    fleet.add("mx5.example.test", "192.0.2.5", smtpd_client_restrictions="check_client_access static:OK")
    [told] = [one for one in fleet.adopt()["hosts"] if one["host"] == "mx5.example.test"]

    assert "static:OK: it is of a kind that cannot be listed" in told["unread"]


def test_the_file_that_is_older_is_left_aside_and_said(fleet: Fleet) -> None:
    """Two hosts that call themselves alike would look so, too: nobody is dropped in silence."""
    files = fleet.collected(MX1, MX2)
    old = fleet.desk.folder / "last-year.json"
    old.write_text(re.sub(r'("collected_at": ")\d{4}', r"\g<1>2001", files[1].read_text()))

    ran = fleet.desk.must("adopt", *files, old, "--json")

    assert [one["host"] for one in ran.json["hosts"]] == [MX1, MX2]
    assert f"{MX2} was collected more than once; what it said at 2001-" in ran.err


def test_a_file_that_windows_wrote_over_is_read_all_the_same(fleet: Fleet) -> None:
    """Its editors, and PowerShell, put a mark before UTF-8."""
    files = fleet.collected(MX1, MX2)
    for file in files:
        file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())

    found = fleet.desk.must("adopt", *files, "--json").reads("adopt")

    assert [one["host"] for one in found["hosts"]] == [MX1, MX2]

"""What holds for every command: exit codes, --json, --dry-run, --yes, and words that were mistyped."""

from __future__ import annotations

import re

import pytest

from mailtrust.cli.program import WORDS
from tests.cli.desk import HUB1, Desk

CERTIFICATE_KEYS = {
    "fingerprint", "pin", "thumbprint", "slot", "names", "not_before", "not_after",
}  # fmt: skip
"""What a certificate's JSON has promised; it may have more."""


def snapshot(desk: Desk) -> dict[str, bytes]:
    """Every file's bytes, the journal's aside: looking is put on record."""
    return {
        str(one): one.read_bytes()
        for one in sorted(desk.folder.rglob("*"))
        if one.is_file() and "journal" not in one.name
    }


GROUPS = {"audit", "directory", "exim", "hub", "postfix", "rotate"}
"""Commands that have commands."""


@pytest.mark.parametrize("name", sorted(set(WORDS) - GROUPS - {"lab"}))
def test_every_command_has_help_with_an_example_and_json(desk: Desk, name: str) -> None:
    said = desk.must(name, "--help").out

    assert said.splitlines()[-1].startswith(f"  Example: mailtrust {name}")
    assert name == "init" or "--json" in said
    assert "{" not in said


@pytest.mark.parametrize("name", sorted(GROUPS))
def test_no_summary_is_cut_off(desk: Desk, name: str) -> None:
    assert "..." not in desk.must(name, "--help").out.partition("Commands:")[2]


@pytest.mark.parametrize("group", sorted(GROUPS))
def test_every_command_of_a_group_has_help_with_an_example(desk: Desk, group: str) -> None:
    listed = desk.must(group, "--help").out.partition("Commands:")[2].partition("Example:")[0]
    names = re.findall(r"^  (\S+) ", listed, re.MULTILINE)

    assert names
    for name in names:
        assert f"Example: mailtrust {group} {name}" in desk.must(group, name, "--help").out


@pytest.mark.parametrize("name", ["exchange", "collector"])
def test_every_command_of_audit_has_help_with_an_example_and_json(desk: Desk, name: str) -> None:
    said = desk.must("audit", name, "--help").out

    assert f"Example: mailtrust audit {name}" in said
    assert "--json" in said


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["enabel", "12345678"], "there is no command 'enabel'; did you mean enable?"),
        (["enable"], "CERTIFICATE"),
        (["enable", "12345678", "--wat"], "--wat"),
        (["enable", "12345678", "--wait", "--now"], "--wait and --now exclude each other"),
        (["enable", "12345678", "--timeout", "1s"], "--timeout belongs to --wait"),
        (["new", "--days", "0"], "--days"),
        (["directory", "paint"], "paint"),
    ],
)
def test_wrong_syntax_exits_2_and_says_where_help_is(desk: Desk, words: list[str], sentence: str) -> None:
    ran = desk.type(*words)

    assert ran.code == 2
    assert sentence in ran.err
    assert "--help" in ran.err


@pytest.mark.parametrize("words", [["check"], ["postfix", "check"]])
def test_check_exits_3_for_wrong_syntax(desk: Desk, words: list[str]) -> None:
    ran = desk.type(*words, "--wat")

    assert ran.code == 3
    assert ran.out.startswith("MAILTRUST UNKNOWN - ")


@pytest.mark.parametrize("timeout", ["soon", "5", "-1s"])
def test_a_duration_that_is_none_is_bad_input(desk: Desk, timeout: str) -> None:
    ran = desk.type("wait", f"--timeout={timeout}")

    assert ran.code == 1
    assert f"{timeout!r} is not a duration" in ran.err


@pytest.mark.parametrize("words", [["enable", "12345678"], ["wait"], ["show", "12345678"], ["enabel"]])
def test_with_json_a_failure_is_json_too(desk: Desk, words: list[str]) -> None:
    ran = desk.type(*words, "--json")

    assert ran.code in (1, 2)
    assert ran.json["schema"] == "mailtrust.error/1"
    assert ran.json["error"]
    assert ran.err == ""


@pytest.mark.parametrize(
    "words",
    [
        ["new"], ["enable", "{made}"], ["withdraw", "{old}"], ["remove", "{made}"], ["fix"],
        ["export", "{made}", "--output", "file"], ["directory", "put", HUB1, "mailtrust.toml"],
        ["directory", "replicate", "--once"],
    ],
    ids=lambda words: " ".join(words[:2]),
)  # fmt: skip
def test_a_dry_run_changes_no_file(desk: Desk, words: list[str]) -> None:
    old = desk.enabled()
    desk.enabled()
    names = {"{old}": old, "{made}": desk.made()}
    before = snapshot(desk)

    typed = [names.get(word, word) for word in words]
    said = desk.must(*typed, "--dry-run").out
    report = desk.must(*typed, "--dry-run", "--json").json

    assert said
    assert report["schema"] in ("mailtrust.dry-run/1", "mailtrust.fix/1")
    assert snapshot(desk) == before


@pytest.mark.parametrize(
    "words",
    [["enable", "{made}"], ["withdraw", "{old}"], ["remove", "{made}"], ["fix"],
     ["directory", "put", HUB1, "mailtrust.toml"]],
    ids=lambda words: words[0],
)  # fmt: skip
@pytest.mark.parametrize("json_output", [False, True])
def test_without_a_terminal_and_without_yes_nothing_changes(
    desk: Desk, words: list[str], *, json_output: bool
) -> None:
    old = desk.enabled()
    desk.enabled()
    names = {"{old}": old, "{made}": desk.made()}
    before = snapshot(desk)

    ran = desk.type(*(names.get(word, word) for word in words), *(["--json"] if json_output else []))

    assert ran.code == 1
    assert "nothing was changed" in ran.said
    assert "add --yes to do it, or --dry-run to see what it would do" in ran.said
    assert snapshot(desk) == before


def test_one_certificate_has_the_same_shape_everywhere(desk: Desk) -> None:
    made = desk.must("new", "--json").json
    fingerprint = made["fingerprint"]
    enabled = desk.must("enable", fingerprint, "--yes", "--json").json
    shown = desk.must("show", fingerprint, "--json").json
    [listed] = desk.must("list", "--json").json
    [checked] = desk.type("check", "--json").json["servers"][0]["installed"]

    assert all(one.keys() >= CERTIFICATE_KEYS for one in (made, enabled, shown, listed, checked))
    assert shown == listed == checked
    assert (made["slot"], enabled["slot"]) == ("none", "current")
    assert {"changed", "replaced", "waiting_for", "deferring", "unread"} <= enabled.keys()
    assert len(made["fingerprint"]) == len(made["pin"]) == 64
    assert len(made["thumbprint"]) == 40
    assert made["not_after"].endswith("Z")


def test_check_has_the_shape_that_was_promised(desk: Desk) -> None:
    desk.made()

    ran = desk.type("check", "--json")

    report = ran.json
    assert ran.code == 2
    assert (report["schema"], report["verdict"]) == ("mailtrust.check/1", "error")
    assert {"checked_at", "servers", "findings", "silenced"} <= report.keys()
    finding = report["findings"][0]
    assert (finding["event"], finding["cause"], finding["server"]) == (12012, "not-enabled", HUB1)
    assert (finding["name"], finding["severity"]) == ("InternalTransportCertificateMissingInAD", "error")
    assert finding["place"] == desk.url("dc2")
    assert finding["action"].startswith("mailtrust enable ")
    assert all(one.keys() == {"cause", "why"} for one in finding["ruled_out"])


def test_checks_exit_codes_are_those_of_a_monitoring_plugin(desk: Desk) -> None:
    fingerprint = desk.made()
    error = desk.type("check").code
    desk.must("enable", fingerprint, "--yes")
    desk.must("directory", "replicate", "--once")
    well = desk.type("check").code
    desk.damage("dc3")
    warning = desk.type("check").code
    desk.damage("dc2")
    blind = desk.type("check").code

    assert (error, well, warning) == (2, 0, 1)
    assert blind in (2, 3)


def test_the_configuration_that_was_named_is_in_what_to_type_next(desk: Desk) -> None:
    """What is said to be typed can be typed."""
    (desk.folder / "mailtrust.toml").rename(desk.folder / "other.toml")

    said = desk.must("--config", "other.toml", "new").out

    assert "mailtrust --config other.toml enable " in said


def test_a_fault_of_ours_is_one_sentence(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody meets a traceback at three in the morning."""

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr("mailtrust.cli.list.Store", broken)

    ran = desk.type("list")

    assert ran.code == 1
    assert "this is a fault in mailtrust, and not yours (ZeroDivisionError: division by zero)" in ran.err
    assert "Traceback" not in ran.err


def test_control_characters_do_not_reach_the_screen(desk: Desk) -> None:
    """A name, a subject or a banner is written by others, and a screen obeys what it is sent."""
    ran = desk.type("import", "\x1b[31mred")

    assert ran.code == 1
    assert "\N{REPLACEMENT CHARACTER}[31mred" in ran.err
    assert "\x1b" not in ran.said

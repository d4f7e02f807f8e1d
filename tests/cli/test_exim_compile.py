"""`mailtrust exim compile`: the directory's certificates as the files that Exim looks up."""

from __future__ import annotations

import os

import pytest

from tests.cli.desk import HUB1, Desk

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the files are root's")


@pytest.fixture
def at_exim(desk: Desk) -> Desk:
    hops = f'{{"192.0.2.7::25" = ["{HUB1}"]}}'
    desk.configure(more=f'[transport]\nkind = "exim"\nnext_hops = {hops}\n')
    return desk


def files(desk: Desk) -> set[str]:
    folder = desk.folder / "store" / "exim"
    return {str(one.relative_to(folder)) for one in folder.rglob("*") if one.is_file()}


def test_a_published_certificate_has_a_file_and_so_has_the_host(at_exim: Desk) -> None:
    fingerprint = at_exim.enabled()

    ran = at_exim.must("exim", "compile", "--yes")

    assert files(at_exim) == {f"peers/{fingerprint}", "pins/192.0.2.7"}
    assert ran.out.splitlines() == [
        f"changed 2 files in {at_exim.folder}/store/exim",
        f"  + peers/{fingerprint}",
        "  + pins/192.0.2.7",
    ]


def test_a_second_time_nothing_changes(at_exim: Desk) -> None:
    at_exim.enabled()
    at_exim.must("exim", "compile", "--yes")

    assert at_exim.must("exim", "compile").out.startswith("nothing to change")
    assert at_exim.must("exim", "compile", "--json").json["changed"] is False


def test_a_dry_run_writes_nothing(at_exim: Desk) -> None:
    fingerprint = at_exim.enabled()

    ran = at_exim.must("exim", "compile", "--dry-run")

    assert f"  + peers/{fingerprint}" in ran.out.splitlines()
    assert files(at_exim) == set()


def test_what_was_withdrawn_goes(at_exim: Desk) -> None:
    old = at_exim.enabled()
    at_exim.must("exim", "compile", "--yes")
    new = at_exim.made()
    at_exim.must("enable", new, "--yes", "--now", "--replica", at_exim.url("dc2"))
    at_exim.must("directory", "replicate", "--once")
    at_exim.must("withdraw", old, "--yes")
    at_exim.must("directory", "replicate", "--once")

    said = at_exim.must("exim", "compile", "--yes", "--json").reads("exim-compile")

    assert said["gone"] == [f"peers/{old}"]
    assert files(at_exim) == {f"peers/{new}", "pins/192.0.2.7"}


def test_a_home_that_cannot_be_read_leaves_the_files(at_exim: Desk) -> None:
    fingerprint = at_exim.enabled()
    at_exim.must("exim", "compile", "--yes")
    for name in ("dc1", "dc2", "dc3"):
        at_exim.damage(name)

    ran = at_exim.must("exim", "compile", "--yes")

    assert ran.out.startswith("nothing to change")
    assert files(at_exim) == {f"peers/{fingerprint}", "pins/192.0.2.7"}


def test_a_next_hop_that_is_no_host_changes_nothing(desk: Desk) -> None:
    desk.configure(more=f'[transport]\nkind = "exim"\nnext_hops = {{"../x" = ["{HUB1}"]}}\n')
    desk.enabled()

    ran = desk.type("exim", "compile", "--yes")

    assert ran.code == 1
    assert "no host that Exim sends to" in ran.err


def test_without_exim_there_is_nothing_to_compile(desk: Desk) -> None:
    assert "here is no Exim" in desk.type("exim", "compile").err

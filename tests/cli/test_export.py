"""`export`: what leaves the store, in which form, and who can read it."""

from __future__ import annotations

import stat
import subprocess

import pytest

from mailtrust.certificates.formats import read
from mailtrust.core.model.certificate import certificate
from mailtrust.errors import WrongPassword
from tests.cli.desk import Desk


def mode(desk: Desk, name: str) -> int:
    return stat.S_IMODE((desk.folder / name).stat().st_mode)


def test_a_certificate_is_exported_without_its_key(desk: Desk) -> None:
    fingerprint = desk.made()

    desk.must("export", fingerprint, "--output", "hub1.crt")

    data = (desk.folder / "hub1.crt").read_bytes()
    assert b"PRIVATE" not in data
    assert [one.fingerprint for one in read(data).certificates] == [fingerprint]


def test_der_is_the_certificates_bytes(desk: Desk) -> None:
    fingerprint = desk.made()

    desk.must("export", fingerprint, "--format", "der", "--output", "hub1.cer")

    assert certificate((desk.folder / "hub1.cer").read_bytes()).fingerprint == fingerprint


def test_a_key_goes_into_a_file_that_its_owner_alone_can_read(desk: Desk) -> None:
    """Also where everybody could read the file that it replaces."""
    fingerprint = desk.made()
    (desk.folder / "hub1.pem").write_text("old")
    (desk.folder / "hub1.pem").chmod(0o644)

    desk.must("export", fingerprint, "--with-key", "--output", "hub1.pem", "--yes")

    assert read((desk.folder / "hub1.pem").read_bytes()).key is not None
    assert mode(desk, "hub1.pem") == 0o600


@pytest.mark.parametrize("options", [[], ["--pfx-legacy"]])
def test_pkcs12_opens_with_its_password_alone(desk: Desk, options: list[str]) -> None:
    fingerprint = desk.made()
    (desk.folder / "password").write_text("secret\nnot this\n")

    desk.must(
        "export", fingerprint, "--format", "pkcs12", "--with-key", "--output", "hub1.pfx",
        "--password-file", "password", *options,
    )  # fmt: skip

    data = (desk.folder / "hub1.pfx").read_bytes()
    assert read(data, b"secret").key is not None
    with pytest.raises(WrongPassword):
        read(data, b"other")
    assert mode(desk, "hub1.pfx") == 0o600


def test_what_was_exported_can_be_imported_elsewhere(desk: Desk) -> None:
    fingerprint = desk.made()
    desk.must("export", fingerprint, "--with-key", "--output", "hub1.pem")
    desk.must("remove", fingerprint, "--yes")

    assert desk.must("import", "hub1.pem", "--json").json["fingerprint"] == fingerprint
    assert desk.slots() == {fingerprint: "none"}


def test_into_a_pipe_go_bytes_alone(desk: Desk) -> None:
    fingerprint = desk.made()

    out = desk.must("export", fingerprint, "--output", "-").out

    assert out.startswith("-----BEGIN CERTIFICATE-----")
    assert out.endswith("-----END CERTIFICATE-----\n")


def test_a_key_may_go_into_a_pipe(desk: Desk) -> None:
    fingerprint = desk.made()

    assert "PRIVATE KEY" in desk.must("export", fingerprint, "--with-key", "--output", "-").out


def test_a_key_is_never_written_to_a_terminal(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    fingerprint = desk.made()
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)

    ran = desk.type("export", fingerprint, "--with-key", "--output", "-")

    assert ran.code == 1
    assert "a key and binary data are not written to a terminal" in ran.err
    assert "PRIVATE" not in ran.said


def test_a_file_is_not_overwritten_unasked(desk: Desk) -> None:
    fingerprint = desk.made()
    (desk.folder / "hub1.crt").write_text("old")

    ran = desk.type("export", fingerprint, "--output", "hub1.crt")

    assert ran.code == 1
    assert "hub1.crt exists. Overwrite it?" in ran.err
    assert (desk.folder / "hub1.crt").read_text() == "old"


def test_a_dry_run_writes_nothing(desk: Desk) -> None:
    fingerprint = desk.made()

    ran = desk.must("export", fingerprint, "--output", "hub1.crt", "--dry-run")

    assert ran.out.startswith("would write")
    assert not (desk.folder / "hub1.crt").exists()


def test_a_password_is_needed_for_pkcs12(desk: Desk) -> None:
    fingerprint = desk.made()
    (desk.folder / "empty").write_text("\n")
    words = ["export", fingerprint, "--format", "pkcs12", "--with-key", "--output", "hub1.pfx"]

    nobody = desk.type(*words)
    empty = desk.type(*words, "--password-file", "empty")

    assert (nobody.code, empty.code) == (1, 1)
    assert "PKCS#12 needs a password, and there is no terminal to ask at" in nobody.err
    assert "the first line of empty is empty" in empty.err
    assert not (desk.folder / "hub1.pfx").exists()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--format", "der", "--with-key", "--output", "f"], "DER holds a certificate alone"),
        (["--format", "pkcs12", "--output", "f"], "PKCS#12 carries the key; add --with-key"),
        (["--pfx-legacy", "--output", "f"], "belong to --format pkcs12"),
        (["--output", "-", "--json"], "would write to the same place"),
        (["--format", "jks", "--output", "f"], "jks"),
        ([], "--output"),
    ],
)
def test_options_that_do_not_fit_are_wrong_syntax(desk: Desk, options: list[str], sentence: str) -> None:
    ran = desk.type("export", desk.made(), *options)

    assert ran.code == 2
    assert sentence in ran.said
    assert not (desk.folder / "f").exists()


def test_a_folder_that_is_not_there_is_one_sentence(desk: Desk) -> None:
    ran = desk.type("export", desk.made(), "--output", "nowhere/hub1.crt")

    assert ran.code == 1
    assert "nowhere/hub1.crt cannot be written" in ran.err


@pytest.mark.needs("openssl")
def test_openssl_reads_what_we_export(desk: Desk) -> None:
    desk.must("export", desk.made(), "--with-key", "--output", "hub1.pem")

    shown = subprocess.run(
        ["openssl", "x509", "-in", desk.folder / "hub1.pem", "-noout", "-subject"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert "hub1.example.test" in shown.stdout

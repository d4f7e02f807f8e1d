"""What people bring: files as openssl and Windows write them."""

import subprocess
from pathlib import Path

import pytest

from mailtrust.certificates.create import new_key, request, self_signed
from mailtrust.certificates.formats import Contents, key_pem, read, write_pem, write_pkcs12
from mailtrust.errors import BadInput, KeyMismatch, NotACertificate, WrongPassword
from tests.make import HUB1, NOON


def openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CA, a server certificate of it, a self-signed one, and a key that fits neither."""
    made = tmp_path_factory.mktemp("openssl")
    openssl(made, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.crt",
            "-subj", "/CN=Test CA", "-days", "30")  # fmt: skip
    openssl(made, "req", "-newkey", "rsa:2048", "-nodes", "-keyout", "hub1.key", "-out", "hub1.csr",
            "-subj", f"/CN={HUB1}")  # fmt: skip
    openssl(made, "x509", "-req", "-in", "hub1.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-out", "hub1.crt",
            "-days", "20", "-set_serial", "7")  # fmt: skip
    openssl(made, "ecparam", "-genkey", "-name", "prime256v1", "-out", "other.key")
    return made


def pkcs12(folder: Path, password: str, *options: str) -> bytes:
    """hub1's certificate and key, as openssl packs them."""
    both = ("-inkey", "hub1.key", "-in", "hub1.crt")
    openssl(folder, "pkcs12", "-export", *both, "-out", "x.pfx", "-passout", f"pass:{password}", *options)
    return (folder / "x.pfx").read_bytes()


def block(label: bytes, body: bytes) -> bytes:
    return b"-----BEGIN %s-----\n%s\n-----END %s-----\n" % (label, body, label)


def only_leaf(contents: Contents) -> str:
    leaf = contents.leaf()
    assert leaf is not None
    return leaf.names[0]


@pytest.mark.parametrize(
    "options",
    [
        pytest.param([], id="today's ciphers"),
        pytest.param(["-legacy"], id="RC2 and triple DES, as old Windows"),
        pytest.param(["-legacy", "-descert"], id="triple DES"),
        pytest.param(["-certpbe", "NONE", "-keypbe", "AES-256-CBC"], id="certificate in the clear"),
    ],
)
def test_pkcs12_of_openssl_is_read_with_its_ca(folder: Path, options: list[str]) -> None:
    contents = read(pkcs12(folder, "s3cret", "-certfile", "ca.crt", *options), b"s3cret")

    assert only_leaf(contents) == HUB1
    assert {one.subject for one in contents.certificates} == {f"CN={HUB1}", "CN=Test CA"}


def test_a_wrong_password_says_so(folder: Path) -> None:
    data = pkcs12(folder, "a")

    with pytest.raises(WrongPassword, match="the password does not open the PKCS#12 file"):
        read(data, b"b")
    with pytest.raises(WrongPassword, match="is protected by a password"):
        read(data)


def test_an_empty_password_need_not_be_given(folder: Path) -> None:
    assert only_leaf(read(pkcs12(folder, ""))) == HUB1


def test_a_pkcs12_file_that_is_cut_off_is_no_wrong_password(folder: Path) -> None:
    data = pkcs12(folder, "a")

    with pytest.raises(NotACertificate, match="cut off"):
        read(data[:-40], b"a")


def test_pem_is_read_in_any_order_and_with_text_around(folder: Path) -> None:
    text = (
        b"Bag Attributes\n"
        + (folder / "hub1.crt").read_bytes()
        + b"\n\n"
        + (folder / "hub1.key").read_bytes()
    )

    assert only_leaf(read(text.replace(b"\n", b"\r\n"))) == HUB1


def test_pem_as_notepad_saves_it_is_read(folder: Path) -> None:
    pem = (folder / "hub1.crt").read_text()

    assert read(pem.encode("utf-16")).certificates == read(pem.encode("utf-8-sig")).certificates


@pytest.mark.parametrize("options", [["-aes256"], ["-des3", "-traditional"]])
def test_an_encrypted_key_is_opened_by_its_password(folder: Path, options: list[str]) -> None:
    openssl(folder, "rsa", "-in", "hub1.key", "-out", "enc.key", "-passout", "pass:pw", *options)
    pem = (folder / "enc.key").read_bytes() + (folder / "hub1.crt").read_bytes()

    assert only_leaf(read(pem, b"pw")) == HUB1
    with pytest.raises(WrongPassword, match="the password does not open the key"):
        read(pem, b"no")
    with pytest.raises(WrongPassword, match="the key is protected by a password"):
        read(pem)


@pytest.mark.parametrize("form", ["PEM", "DER"])
def test_the_answer_of_a_ca_as_pkcs7_is_read(folder: Path, form: str) -> None:
    openssl(
        folder,
        "crl2pkcs7",
        "-nocrl",
        "-certfile",
        "hub1.crt",
        "-certfile",
        "ca.crt",
        "-outform",
        form,
        "-out",
        "a.p7b",
    )

    assert {one.subject for one in read((folder / "a.p7b").read_bytes()).certificates} == {
        f"CN={HUB1}",
        "CN=Test CA",
    }


def test_der_and_bare_base64_are_read(folder: Path) -> None:
    openssl(folder, "x509", "-in", "hub1.crt", "-outform", "DER", "-out", "hub1.der")
    lines = (folder / "hub1.crt").read_bytes().splitlines()

    assert read((folder / "hub1.der").read_bytes()) == read(b"\n".join(lines[1:-1]))


def test_openssls_trusted_certificate_is_read(folder: Path) -> None:
    openssl(folder, "x509", "-in", "hub1.crt", "-trustout", "-addtrust", "clientAuth", "-out", "t.crt")

    assert read((folder / "t.crt").read_bytes()) == read((folder / "hub1.crt").read_bytes())


def test_a_key_of_another_certificate_is_refused(folder: Path) -> None:
    pem = (folder / "other.key").read_bytes() + (folder / "hub1.crt").read_bytes()

    with pytest.raises(KeyMismatch, match="the key does not belong to the certificate"):
        read(pem).leaf()


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        pytest.param(b"", "no certificate that we can read", id="nothing"),
        pytest.param(b"hello, world" * 30, "no certificate that we can read", id="text"),
        pytest.param(bytes(range(256)) * 4, "no certificate that we can read", id="noise"),
        pytest.param(b"-----BEGIN CERTIFICATE-----\nMIIB", "cut off", id="no end"),
        pytest.param(block(b"CERTIFICATE", b"!!!!"), "base64", id="no base64"),
        pytest.param(block(b"CERTIFICATE", b"MIIB"), "parse", id="half a one"),
        pytest.param(block(b"PUBLIC KEY", b"MIIB"), "only PUBLIC KEY", id="other"),
    ],
)  # fmt: skip
def test_what_is_no_certificate_is_said_to_be_none(data: bytes, sentence: str) -> None:
    with pytest.raises(NotACertificate, match=sentence):
        read(data)


def test_a_request_is_told_from_a_certificate() -> None:
    with pytest.raises(NotACertificate, match="request"):
        read(request(new_key("p256"), HUB1))


def test_a_key_alone_is_not_enough() -> None:
    with pytest.raises(NotACertificate, match="a key and no certificate"):
        read(key_pem(new_key("p256")))


def test_ed25519_is_refused_with_the_reason(folder: Path) -> None:
    openssl(
        folder,
        "req",
        "-x509",
        "-newkey",
        "ed25519",
        "-nodes",
        "-keyout",
        "ed.key",
        "-out",
        "ed.crt",
        "-subj",
        "/CN=x",
    )

    with pytest.raises(BadInput, match="Ed25519") as refused:
        read((folder / "ed.key").read_bytes() + (folder / "ed.crt").read_bytes())

    assert "peers drop" in refused.value.hint


@pytest.mark.parametrize("legacy", [False, True])
def test_what_we_export_openssl_reads(tmp_path: Path, legacy: bool) -> None:
    key = new_key("p256")
    [leaf] = read(_pem(key)).certificates
    (tmp_path / "x.pfx").write_bytes(write_pkcs12(key, leaf, (), b"pw", legacy=legacy))

    openssl(
        tmp_path,
        "pkcs12",
        "-in",
        "x.pfx",
        "-nodes",
        "-passin",
        "pass:pw",
        "-out",
        "x.pem",
        *(["-legacy"] if legacy else []),
    )

    assert read((tmp_path / "x.pem").read_bytes()).leaf() == leaf


def test_pem_has_the_key_first() -> None:
    """Postfix: "key not first", and TLS is disabled."""
    key = new_key("p256")
    [leaf] = read(_pem(key)).certificates

    text = write_pem([leaf], key)

    assert text.startswith(b"-----BEGIN PRIVATE KEY-----")
    assert read(text).leaf() == leaf


def test_the_chain_leaves_out_the_root_and_strangers(folder: Path) -> None:
    pem = b"".join((folder / name).read_bytes() for name in ("ca.crt", "hub1.crt", "hub1.key"))
    contents = read(pem)
    leaf = contents.leaf()
    assert leaf is not None

    assert contents.chain(leaf) == ()


def _pem(key: object) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return self_signed(key, HUB1, days=30, now=NOON).public_bytes(Encoding.PEM)  # type: ignore[arg-type]

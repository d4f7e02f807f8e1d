"""
Thousands of mail servers on loopback: one C process that answers at every address of 127.0.0.0/8.

Each address presents a certificate of its own.  RSA ones share one key, because making keys would take
minutes; P-256 ones may have one each.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

PROBE = Path(__file__).parent / "probe"
PORT = 25
HOSTS_PER_NET = 250
CORES = os.sched_getaffinity(0)
IN_A_NAMESPACE = "MAILTRUST_BENCHMARK_NAMESPACE"


@dataclass(frozen=True, slots=True)
class Cost:
    """What a finished process took."""

    cpu_seconds: float
    wall_seconds: float
    most_kib: int
    output: str
    status: int


def name(number: int) -> str:
    return f"hub{number:05}.example.test"


def address(number: int) -> str:
    """As fleet.c and prober.c count."""
    return f"127.0.{number // HOSTS_PER_NET}.{number % HOSTS_PER_NET + 1}"


def alone(words: Sequence[str]) -> None:
    """
    Start this program again in a network namespace of its own, where port 25 is free; return there.

    nmap speaks SMTP at port 25 only.
    """
    if os.environ.get(IN_A_NAMESPACE):
        return
    command = 'ip link set lo up && exec "$@"'
    own = ["unshare", "-n"] if os.geteuid() == 0 else ["unshare", "-rn"]
    os.execvpe(
        own[0],
        [*own, "sh", "-c", command, "sh", *words],
        {**os.environ, IN_A_NAMESPACE: "1", "PATH": os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"},
    )


def build(source: Path, folder: Path) -> Path:
    """A program in C, compiled."""
    made = folder / source.stem
    subprocess.run(["gcc", "-O2", "-o", made, source, "-lssl", "-lcrypto"], check=True)
    return made


def certificates(count: int, kind: str, *, own_keys: bool = False) -> tuple[bytes, list[bytes]]:
    """The keys in PEM, one or one each, and that many certificates in DER, each for its own name."""
    begun = datetime.now(UTC) - timedelta(days=30)  # noqa: TID251
    keys = [_key(kind) for _ in range(count if own_keys else 1)]
    made = []
    for number in range(count):
        key = keys[number % len(keys)]
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name(number))])
        one = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(number + 1)
            .not_valid_before(begun)
            .not_valid_after(begun + timedelta(days=1825))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name(number))]), critical=False)
            .sign(key, hashes.SHA256())
        )
        made.append(one.public_bytes(serialization.Encoding.DER))
    return b"".join(map(_pem, keys)), made


def _key(kind: str) -> ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey:
    return (
        ec.generate_private_key(ec.SECP256R1()) if kind == "p256" else rsa.generate_private_key(65537, 2048)
    )


def _pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


@contextmanager
def fleet(folder: Path, pem: bytes, ders: Sequence[bytes]) -> Iterator[None]:
    """They answer inside the block."""
    (folder / "key.pem").write_bytes(pem)
    packed = b"".join(len(der).to_bytes(4, "big") + der for der in ders)
    (folder / "certificates").write_bytes(packed)
    words = [build(PROBE / "fleet.c", folder), str(PORT), folder / "key.pem", folder / "certificates"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            ready = process.stdout.readline().strip()
            # One core for them and one for who looks at them, or each would chase the other's memory.
            os.sched_setaffinity(process.pid, {max(CORES)})
            if ready != f"ready {len(ders)}":
                raise SystemExit(f"the fleet did not start: {ready!r}")
            yield
        finally:
            process.kill()


def measure(words: Sequence[str | Path], folder: Path, cores: Collection[int] = CORES) -> Cost:
    """Run to the end.  CPU is user and system of the process and of its children that it waited for."""
    out = folder / "output"
    begun = os.times().elapsed
    with out.open("wb") as file:
        process = subprocess.Popen(words, stdout=file, stderr=subprocess.STDOUT)
        os.sched_setaffinity(process.pid, cores)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    took = os.times().elapsed - begun
    return Cost(used.ru_utime + used.ru_stime, took, used.ru_maxrss, out.read_text(), process.returncode)

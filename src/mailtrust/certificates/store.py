"""
A server's own store: its certificates with their keys, and what each is for.

    STORE/certificates/FINGERPRINT.pem    key, certificate, chain; 0600
    STORE/certificates/FINGERPRINT.crt    certificate and chain, 0644: a monitoring account looks at these
    STORE/certificates/slots.json         what is current, what was before, and when each arrived
    STORE/requests/PIN.key, PIN.csr       requests that wait for a CA's answer

A certificate is complete when its .crt stands there, since the .pem is always written first.  Any step may
be the last one before a crash: whoever changes the store next completes what was begun.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from mailtrust import durable
from mailtrust.certificates import custody, slots
from mailtrust.certificates.create import PrivateKey
from mailtrust.certificates.formats import (
    Contents,
    key_pem,
    pin_of,
    read_certificates,
    read_key,
    write_pem,
)
from mailtrust.core.model.certificate import (
    Certificate,
    Fingerprint,
    certificate,
    certificate_reference,
    matches,
    short,
)
from mailtrust.core.model.server import ServerName
from mailtrust.core.model.sighting import Installed, Slot, StoreSighting
from mailtrust.errors import (
    KeyMismatch,
    MailtrustError,
    NotACertificate,
    StoreUnavailable,
    UnknownCertificate,
)

CERTIFICATES, REQUESTS = "certificates", "requests"

Stamp = tuple[int, int, int] | None


@dataclass(frozen=True, slots=True)
class Credential:
    """A certificate with its key, ready to be presented."""

    certificate: Certificate
    chain: tuple[Certificate, ...]
    key: PrivateKey

    def __repr__(self) -> str:
        return f"Credential({short(self.certificate.fingerprint)})"


class Store:
    """The store in *folder*; making one touches nothing, and no method keeps anything in memory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._certificates = folder / CERTIFICATES
        self._requests = folder / REQUESTS

    def look(self, server: ServerName, now: datetime) -> StoreSighting:
        """What is in it, as a sighting of *server*.  Never raises; needs to read no key."""
        try:
            found, exposed = self.installed(), self._exposed()
            return StoreSighting(
                server, str(self.folder), found, now, exposed=exposed, changed_at=self._changed_at()
            )
        except MailtrustError as error:
            cause = error.__cause__
            why = f": {cause.strerror}" if isinstance(cause, OSError) and cause.strerror else ""
            hint = f"; {error.hint}" if error.hint else ""
            return StoreSighting(server, str(self.folder), None, now, why=f"{error.message}{why}{hint}")

    def installed(self) -> tuple[Installed, ...]:
        """
        Its certificates, the earliest arrival first; none where the store was never used.

        Raises: StoreUnavailable, also where one of them is damaged: what it was cannot be told.
        """
        with custody.in_our_words(self.folder, "read"):
            files = self._files(self._certificates, ".crt")
            held = slots.read(self._certificates) if files else slots.Slots()
            found = [self._installed(file, held) for file in files]
        return tuple(sorted(found, key=lambda one: (one.arrived_at, one.certificate.fingerprint)))

    def find(self, reference: str) -> Installed:
        """
        The certificate that a person means, by fingerprint, thumbprint or pin, in any spelling.

        Raises: BadInput, UnknownCertificate (with the candidates), StoreUnavailable.
        """
        wanted = certificate_reference(reference)
        held = self.installed()
        found = [one for one in held if matches(wanted, one.certificate)]
        if len(found) == 1:
            return found[0]
        candidates = ", ".join(_candidate(one) for one in (found or held)[-8:])
        if found:
            raise UnknownCertificate(
                f"{reference.strip()} names {len(found)} certificates", hint=f"say which: {candidates}"
            )
        hint = f"here are: {candidates}" if held else "the store is empty: mailtrust new"
        raise UnknownCertificate(f"no certificate in the store is named {reference.strip()}", hint=hint)

    def current(self) -> Installed | None:
        """What this server presents, or shall present.  Raises: StoreUnavailable."""
        return next((one for one in self.installed() if one.slot is Slot.CURRENT), None)

    def add_made(
        self, key: PrivateKey, made: x509.Certificate, now: datetime, *, successor: bool = False
    ) -> tuple[Installed, bool]:
        """
        Put in what was made here, as the *successor* of the current one or for nothing yet; False where it
        was there already.

        Raises: KeyMismatch, StoreUnavailable.
        """
        leaf = certificate(made.public_bytes(serialization.Encoding.DER))
        return self._add(Credential(leaf, (), key), now, successor=successor)

    def import_contents(
        self, contents: Contents, server: ServerName, now: datetime
    ) -> tuple[Installed, bool]:
        """
        Put in what somebody brought; False where it was there already.

        A certificate without its key is taken only as the answer to a request made here.
        Raises: KeyMismatch, StoreUnavailable.
        """
        leaf = contents.leaf()
        if leaf is not None and contents.key is not None:
            return self._add(Credential(leaf, contents.chain(leaf), contents.key), now)
        known = {one.certificate.fingerprint: one for one in self.installed() if one.has_key}
        for one in contents.certificates:
            if one.fingerprint in known:
                return known[one.fingerprint], False
            key_file = self._requests / f"{one.pin}.key"
            with custody.in_our_words(self.folder, "read"):
                if not key_file.exists():
                    continue
                key = read_key(custody.read(key_file))
            added = self._add(Credential(one, contents.chain(one), key), now)
            with custody.in_our_words(self.folder, "written"):
                key_file.unlink(missing_ok=True)
                key_file.with_suffix(".csr").unlink(missing_ok=True)
            return added
        raise KeyMismatch(
            f"the file holds no key, and {server} has no request that this certificate would answer",
            hint="import it with its key (PKCS#12 or PEM), or make a request: mailtrust new --request",
        )

    def add_request(self, key: PrivateKey, pem: bytes) -> None:
        """Keep a request and its key until the answer comes.  Raises: StoreUnavailable."""
        with self._changing():
            self._requests.mkdir(mode=0o700, exist_ok=True)
            durable.write(self._requests / f"{pin_of(key)}.key", key_pem(key), durable.SECRET)
            durable.write(self._requests / f"{pin_of(key)}.csr", pem, durable.PUBLIC)

    def make_current(self, fingerprint: Fingerprint, now: datetime) -> None:
        """
        Present that one from the next session on; repeating it changes nothing.

        Raises: StoreUnavailable.
        """
        with self._changing():
            held = slots.read(self._certificates)
            if held.current != fingerprint:
                self._write_slots(held.with_arrival(fingerprint, now).with_current(fingerprint))

    def remove(self, fingerprint: Fingerprint) -> None:
        """Take a certificate and its key out; repeating it changes nothing.  Raises: StoreUnavailable."""
        with self._changing():
            # The key goes first: a .pem without its .crt would be completed again.
            self._file(fingerprint, ".pem").unlink(missing_ok=True)
            durable.sync_folder(self._certificates)
            self._file(fingerprint, ".crt").unlink(missing_ok=True)
            self._write_slots(slots.read(self._certificates).without(fingerprint))

    def credential(self, fingerprint: Fingerprint | None = None) -> Credential | None:
        """
        The current certificate with its key, or another one's; None where nothing is current.

        Raises: StoreUnavailable, KeyMismatch, NotACertificate.
        """
        with custody.in_our_words(self.folder, "read"):
            wanted = fingerprint or slots.read(self._certificates).current
            if wanted is None:
                return None
            pem = custody.read(self._file(wanted, ".pem"))
        leaf, *chain = read_certificates(pem) or (None,)
        if leaf is None or leaf.fingerprint != wanted:
            raise NotACertificate(f"{self._file(wanted, '.pem')} does not hold the certificate of its name")
        key = read_key(pem)
        if pin_of(key) != leaf.pin:
            raise KeyMismatch(f"the key in {self._file(wanted, '.pem')} does not belong to its certificate")
        return Credential(leaf, tuple(one for one in chain if one is not None), key)

    def stamp(self) -> Stamp:
        """Changes whenever something else may be current; costs one question to the file system."""
        try:
            found = (self._certificates / slots.SLOTS_FILE).stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino, found.st_size

    def _add(
        self, credential: Credential, now: datetime, *, successor: bool = False
    ) -> tuple[Installed, bool]:
        leaf = credential.certificate
        if pin_of(credential.key) != leaf.pin:
            raise KeyMismatch(f"the key does not belong to the certificate {short(leaf.fingerprint)}")
        with self._changing():
            private, public = self._file(leaf.fingerprint, ".pem"), self._file(leaf.fingerprint, ".crt")
            is_new = not (private.exists() and public.exists())
            if is_new:
                # When it arrived, and what for, is known before it is there: the newest by arrival that is
                # for nothing yet counts as installed.
                held = slots.read(self._certificates).with_arrival(leaf.fingerprint, now)
                self._write_slots(held.with_next(leaf.fingerprint) if successor else held)
                both = (leaf, *credential.chain)
                durable.write(private, write_pem(both, credential.key), durable.SECRET)
                durable.write(public, write_pem(both), durable.PUBLIC)
            return self._installed(public, slots.read(self._certificates)), is_new

    def _installed(self, file: Path, held: slots.Slots) -> Installed:
        try:
            [leaf, *_] = read_certificates(custody.read(file))
        except (NotACertificate, ValueError) as error:
            raise _damaged(file) from error
        if leaf.fingerprint != file.stem:
            raise _damaged(file)
        arrived_at = held.arrived.get(leaf.fingerprint)
        if arrived_at is None:
            arrived_at = datetime.fromtimestamp(file.stat().st_mtime, UTC)
        return Installed(leaf, held.of(leaf.fingerprint), arrived_at, file.with_suffix(".pem").exists())

    def _changed_at(self) -> datetime | None:
        stamp = self.stamp()
        return None if stamp is None else datetime.fromtimestamp(stamp[0] / 1e9, UTC)

    def _exposed(self) -> tuple[str, ...]:
        with custody.in_our_words(self.folder, "read"):
            keys = self._files(self._certificates, ".pem")
            if os.access(self._requests, os.R_OK | os.X_OK):
                keys += self._files(self._requests, ".key")
            return tuple(str(file) for file in keys if custody.is_exposed(file))

    @staticmethod
    def _files(folder: Path, suffix: str) -> list[Path]:
        """What has that suffix; nothing where the folder was never made.  Raises: OSError."""
        try:
            # Not `glob`: it takes a folder that may not be read for an empty one.
            return sorted(file for file in folder.iterdir() if file.suffix == suffix)
        except FileNotFoundError:
            return []

    def _file(self, fingerprint: Fingerprint, suffix: str) -> Path:
        return self._certificates / f"{fingerprint}{suffix}"

    def _write_slots(self, held: slots.Slots) -> None:
        slots.write(self._certificates, held)

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """The folders are there, nobody else changes them, and what a crash left over is completed."""
        with custody.in_our_words(self.folder, "written"):
            durable.make_folder(self.folder)
            durable.make_folder(self._certificates)
            with custody.only_one(self._certificates):
                self._complete()
                yield

    def _complete(self) -> None:
        for left in self._files(self._certificates, durable.TEMPORARY_SUFFIX):
            left.unlink(missing_ok=True)
        for private in self._files(self._certificates, ".pem"):
            if not private.with_suffix(".crt").exists():
                public = write_pem(read_certificates(custody.read(private)))
                durable.write(private.with_suffix(".crt"), public, durable.PUBLIC)


def _candidate(one: Installed) -> str:
    name = one.certificate.names[0] if one.certificate.names else "no name"
    return f"{short(one.certificate.fingerprint)} ({name}, {one.slot.value})"


def _damaged(file: Path) -> StoreUnavailable:
    return StoreUnavailable(
        f"{file} is damaged: it does not hold the certificate of its name",
        hint="bring it back from a backup, or move it and its key out of the folder",
    )

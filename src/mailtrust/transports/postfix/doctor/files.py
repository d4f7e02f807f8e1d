"""The tables and chain files that Postfix decides by: there, in order, and nobody else's to write or read."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mailtrust.core.events import catalog
from mailtrust.core.model.certificate import Pin, short
from mailtrust.core.model.event import Finding, Said, when
from mailtrust.transports.postfix.configuration import Program, pieces
from mailtrust.transports.postfix.doctor.receiving import COMPILE
from mailtrust.transports.postfix.doctor.seen import ChainFault, Seen, Table

_DIGEST_BYTES = {16: "md5", 20: "sha1", 28: "sha224", 32: "sha256", 48: "sha384", 64: "sha512"}
_FOUND_BY_POSTFIX = re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2})+\Z")
_FAULTS = {
    ChainFault.MISSING: "postfix.chain-missing",
    ChainFault.NO_KEY: "postfix.chain-no-key",
    ChainFault.CERTIFICATE_FIRST: "postfix.chain-order",
    ChainFault.KEY_DIFFERS: "postfix.chain-other-key",
    ChainFault.UNPARSABLE: "postfix.chain-unparsable",
}
_PIN = re.compile(r"match=(?P<pins>\S+)")


def table_unusable(seen: Seen) -> Iterator[Finding]:
    """A table that cannot be opened: everybody is deferred."""
    for table in _tables(seen):
        if table.has_lock and "lmdb" not in seen.instance.table_types:
            yield _unusable(seen, table, catalog.NO_LMDB, Said("postfix.no-lmdb", {"table": table.name}))
        elif table.missing:
            yield _unusable(seen, table, catalog.MISSING, Said("postfix.no-file", {"file": table.name}))
        elif table.damaged:
            said = Said("postfix.unreadable", {"table": table.name, "why": table.why})
            yield _unusable(seen, table, catalog.DAMAGED, said)


def table_exposed(seen: Seen) -> Iterator[Finding]:
    """Whoever may write a table lets in whom they like."""
    told: set[str] = set()
    for table in _tables(seen):
        for place in table.loose:
            if place not in told:
                told.add(place)
                said = Said("postfix.loose", {"file": place, "table": table.name})
                yield Finding(
                    catalog.POSTFIX_TABLE_EXPOSED,
                    seen.server,
                    place,
                    values={"file": place},
                    evidence=(said,),
                )


def digest_differs(seen: Seen) -> Iterator[Finding]:
    """Postfix computes one digest and finds another in the table: no peer is known, and all are deferred."""
    for service, digest, table in _uses(seen):
        pins = list(_pins(service, table))
        strange = next((pin for pin in pins if _DIGEST_BYTES.get(_bytes(pin)) != digest), None)
        misspelt = next((pin for pin in pins if service.receives and not _FOUND_BY_POSTFIX.match(pin)), None)
        for cause, pin in ((catalog.DIGEST, strange), (catalog.SPELLING, misspelt)):
            if pin is not None:
                values = {"service": service.key, "digest": digest, "table": table.name}
                evidence = (
                    Said("postfix.setting", {
                        "service": service.key, "setting": _digest_setting(service), "value": digest,
                    }),
                    Said("postfix.pin", {"table": table.name, "pin": pin}),
                )  # fmt: skip
                yield Finding(
                    catalog.DIGEST_DIFFERS,
                    seen.server,
                    f"{service.key} {table.name}",
                    cause,
                    values,
                    evidence,
                )
                break


def expired_pins(seen: Seen) -> Iterator[Finding]:
    """Postfix looks at no dates: who was let in stays in."""
    told: set[str] = set()
    for service, _, table in _uses(seen):
        if not service.receives:
            continue
        for key in sorted(table.rows or {}):
            known = seen.certificates.get(Pin(key.replace(":", "").lower()), ())
            ends = [leaf.not_after for _, leaf in known]
            if not known or key in told or max(ends) > seen.now:
                continue
            told.add(key)
            server, leaf = max(known, key=lambda one: one[1].not_after)
            values = {
                "fingerprint": short(leaf.fingerprint),
                "peer": server,
                "not_after": when(leaf.not_after),
            }
            said = Said("postfix.expired-pin", {**values, "table": table.name})
            yield Finding(catalog.EXPIRED_PIN_ACCEPTED, seen.server, server, values=values, evidence=(said,))


def chain_unusable(seen: Seen) -> Iterator[Finding]:
    """What Postfix cannot load it does not present."""
    told: set[str] = set()
    for service, setting, files in _chains(seen):
        if not files and not seen.instance.setting(service, setting.replace("chain_files", "cert_file")):
            said = Said("postfix.setting", {"service": service.key, "setting": setting, "value": "-"})
            yield Finding(
                catalog.CHAIN_UNUSABLE, seen.server, service.key, catalog.NOT_SET, {"file": setting}, (said,)
            )
        for file in files:
            chain = seen.chains.get(file)
            if chain is None or chain.fault is None or file in told:
                continue
            told.add(file)
            said = Said(_FAULTS[chain.fault], {"file": file})
            yield Finding(
                catalog.CHAIN_UNUSABLE, seen.server, file, chain.fault.value, {"file": file}, (said,),
                action=_written_anew(seen, file),
            )  # fmt: skip


def chain_exposed(seen: Seen) -> Iterator[Finding]:
    """A chain file holds the key."""
    for path in chain_files(seen):
        chain = seen.chains.get(path)
        if chain is not None and chain.exposed:
            said = Said("store.key-readable", {"file": path})
            yield Finding(catalog.KEY_EXPOSED, seen.server, path, values={"file": path}, evidence=(said,))


def _written_anew(seen: Seen, file: str) -> str | None:
    """The command that puts key and certificate there; what is not ours is not written over."""
    if not seen.current or file != str(seen.places.chain):
        return None
    return f"mailtrust export {seen.current} --with-key --output {file}"


def _unusable(seen: Seen, table: Table, cause: str, said: Said) -> Finding:
    ours = table.name in (seen.places.relay_clientcerts, seen.places.tls_policy)
    action = COMPILE if ours and cause != catalog.NO_LMDB else None
    return Finding(
        catalog.POSTFIX_TABLE_UNUSABLE, seen.server, table.name, cause, {"table": table.name}, (said,),
        action=action,
    )  # fmt: skip


def _tables(seen: Seen) -> Iterator[Table]:
    """The tables that certificates are judged by, each once."""
    names = dict.fromkeys(table.name for _, _, table in _uses(seen))
    return (seen.table(name) for name in names)


def _uses(seen: Seen) -> Iterator[tuple[Program, str, Table]]:
    """Every service with the digest that it computes and a table in which it looks for it."""
    for receiver in seen.receivers():
        service = receiver.service
        for name in pieces(seen.instance.setting(service, "relay_clientcerts")):
            yield service, _digest(seen, service), seen.table(name)
    for hub in seen.hubs():
        for table in seen.policies(hub):
            yield hub, _digest(seen, hub), table


def _digest_setting(service: Program) -> str:
    return f"{'smtpd' if service.receives else 'smtp'}_tls_fingerprint_digest"


def _digest(seen: Seen, service: Program) -> str:
    return seen.instance.setting(service, _digest_setting(service)).lower()


def _pins(service: Program, table: Table) -> Iterator[str]:
    if service.receives:
        yield from table.rows or {}
        return
    for policy in (table.rows or {}).values():
        # At other levels `match=` has names.
        if policy.lower().split(None, 1)[:1] != ["fingerprint"]:
            continue
        for found in _PIN.finditer(policy):
            yield from found["pins"].split("|")


def _bytes(pin: str) -> int:
    return len(pin.replace(":", "")) // 2


def chain_files(seen: Seen) -> tuple[str, ...]:
    """The chain files that matter: not those of port 25, nor of other mail."""
    return tuple(dict.fromkeys(file for _, _, files in _chains(seen) for file in files))


def _chains(seen: Seen) -> Iterator[tuple[Program, str, tuple[str, ...]]]:
    for receiver in seen.receivers():
        if receiver.ours:
            yield _chain_of(seen, receiver.service, "smtpd_tls_chain_files")
    for hub in seen.hubs():
        yield _chain_of(seen, hub, "smtp_tls_chain_files")


def _chain_of(seen: Seen, service: Program, setting: str) -> tuple[Program, str, tuple[str, ...]]:
    return service, setting, pieces(seen.instance.setting(service, setting))

"""
What decides on this host today, asked of Postfix's own tools.  Nothing is changed, and no secret is kept.

Of a table with passwords only the keys are taken over; of a chain file, which may hold the key too, only the
certificate.
"""

from __future__ import annotations

import ipaddress
import json
import re
import socket
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from pathlib import Path

from mailtrust.certificates.formats import read_certificates
from mailtrust.core.adopt.facts import Chain, Host, Instance, MasterEntry, Row, Table, listed
from mailtrust.core.adopt.receiving import CHAINS as SERVER_CHAINS
from mailtrust.core.adopt.receiving import RESTRICTIONS
from mailtrust.core.adopt.sending import CHAINS as CLIENT_CHAINS
from mailtrust.core.adopt.sending import host_of, routes
from mailtrust.errors import MailtrustError, TransportUnavailable
from mailtrust.transports.postfix import postconf
from mailtrust.transports.postfix.settings import settings

SECRET_TABLES = "smtp_sasl_password_maps"  # noqa: S105  # the name of a parameter
_SENDING = (
    "transport_maps", "relayhost", "default_transport", "relay_transport", "sender_dependent_relayhost_maps",
    "sender_dependent_default_transport_maps", "smtp_tls_policy_maps", "smtp_tls_security_level",
    "smtp_tls_fingerprint_cert_match", "smtp_tls_fingerprint_digest", "smtp_sasl_auth_enable", SECRET_TABLES,
    "smtp_bind_address", "smtp_bind_address6", *CLIENT_CHAINS,
)  # fmt: skip
_RECEIVING = (
    "myhostname", "mynetworks", "relay_clientcerts", "smtpd_tls_fingerprint_digest", "smtpd_tls_ask_ccert",
    "smtpd_tls_req_ccert", "smtpd_sasl_auth_enable", "smtpd_restriction_classes", "syslog_name",
    "mail_version", *RESTRICTIONS, *SERVER_CHAINS,
)  # fmt: skip
_TABLE = re.compile(r"(?:proxy:)?(?P<kind>[a-z]+):(?P<where>.+)", re.DOTALL)
_TURNS_AWAY = re.compile(r"static:\{?\s*(?:[45]\d\d\b|reject|defer)", re.IGNORECASE)
_BY_LINE = ("cidr", "texthash")
_OF_TABLES = (
    "transport_maps", "sender_dependent_relayhost_maps", "sender_dependent_default_transport_maps",
    "smtp_tls_policy_maps", "relay_clientcerts", "mynetworks",
)  # fmt: skip
_INLINE_KEY = re.compile(r"\{?\s*(?P<key>[^={}]+?)\s*=")
_OVERRIDE = re.compile(r"(?P<key>.+/(?:inet|unix|pass))/(?P<name>[^/ ]+) =(?: (?P<value>.*))?")
_NAMES_WITHIN_SECONDS = 5.0


def look(folders: Iterable[Path], name: str, now: datetime) -> Host:
    """
    What the instances in *folders* say, of the host that calls itself *name*.

    Raises: TransportUnavailable where one of them cannot be read.
    """
    instances = tuple(_instance(folder) for folder in folders)
    hops = {host_of(route.hop) for one in instances for route in routes(one)}
    named = instances[0].parameters.get("myhostname", "") if instances else ""
    return Host(named or name, now, _addresses(instances), instances, _resolved(hops))


def _instance(folder: Path) -> Instance:
    if not (folder / "main.cf").exists():
        raise TransportUnavailable(
            f"{folder} is not the configuration folder of a Postfix: it has no main.cf",
            hint="name it with --postfix; `postmulti -l` lists them",
        )
    said = settings(folder, (*_SENDING, *_RECEIVING))
    classes = settings(folder, listed(said["smtpd_restriction_classes"]))
    parameters = {**said, **classes}
    services = tuple(_services(folder))
    everywhere = (parameters, *(one.options for one in services))
    tables = {
        **dict(_tables(folder, everywhere, frozenset(classes))),
        **dict(_keys_alone(folder, everywhere)),
    }
    files = {file for values in everywhere for file in _chain_files(values)}
    version = parameters.pop("mail_version")
    shown = tuple(replace(one, options=_without_passwords(one.options)) for one in services)
    chains = {file: _chain(file) for file in sorted(files)}
    return Instance(str(folder), version, _without_passwords(parameters), shown, tables, chains)


def _services(folder: Path) -> Iterator[MasterEntry]:
    options: dict[str, dict[str, str]] = {}
    for line in postconf.ask(folder, "postconf", "-Px").splitlines():
        if found := _OVERRIDE.fullmatch(line):
            options.setdefault(found["key"], {})[found["name"]] = found["value"] or ""
    wanted = {*_SENDING, *_RECEIVING}
    for line in postconf.ask(folder, "postconf", "-M").splitlines():
        words = line.split(None, 8)
        if len(words) < 8 or words[7] not in ("smtp", "smtpd"):
            continue
        given = options.get(f"{words[0]}/{words[1]}", {})
        classes = listed(given.get("smtpd_restriction_classes", ""))
        kept = {name: value for name, value in given.items() if name in wanted or name in classes}
        yield MasterEntry(words[0], words[7] == "smtpd", kept)


# Tables


def _tables(
    folder: Path, everywhere: Iterable[Mapping[str, str]], classes: frozenset[str]
) -> Iterator[tuple[str, Table]]:
    names = dict.fromkeys(
        name for values in everywhere for name in (*_lookups(values), *_access(values, classes))
    )
    for name in names:
        yield name, _table(folder, name)


def _keys_alone(folder: Path, everywhere: Iterable[Mapping[str, str]]) -> Iterator[tuple[str, Table]]:
    """Tables with passwords, which are let go here and never come further."""
    for name in dict.fromkeys(
        name for values in everywhere for name in listed(values.get(SECRET_TABLES, ""))
    ):
        if _stands_in_main_cf(name):
            keys = [_INLINE_KEY.match(word) for word in listed(name.removeprefix("inline:").strip("{}"))]
            rows = tuple((found["key"].strip(), "") for found in keys if found)
            yield _shown(name), Table(rows if name.startswith("inline:") else None, "it has no keys")
        else:
            table = _table(folder, name)
            yield name, Table(table.rows and tuple((key, "") for key, _ in table.rows), table.why)


def _without_passwords(values: Mapping[str, str]) -> Mapping[str, str]:
    if SECRET_TABLES not in values:
        return values
    return {**values, SECRET_TABLES: " ".join(map(_shown, listed(values[SECRET_TABLES])))}


def _stands_in_main_cf(name: str) -> bool:
    """True where the name of a table is the table, so that it may neither be shown nor be an argument."""
    found = _TABLE.fullmatch(name)
    return found is None or not found["where"].startswith("/")


def _shown(name: str) -> str:
    """A name under which a table with passwords may be told."""
    return f"{name.partition(':')[0]}:in-main.cf" if _stands_in_main_cf(name) else name


def _lookups(values: Mapping[str, str]) -> Iterator[str]:
    for parameter in _OF_TABLES:
        for word in listed(values.get(parameter, "")):
            if (_TABLE.fullmatch(word) or word.startswith("/")) and not _is_network(word):
                yield word


def _access(values: Mapping[str, str], classes: frozenset[str]) -> Iterator[str]:
    """Tables that decide by who calls; those about senders and recipients are nobody's business here."""
    for parameter in (*RESTRICTIONS, *classes, *listed(values.get("smtpd_restriction_classes", ""))):
        for word, table in pairwise(listed(values.get(parameter, ""))):
            if word in ("check_ccert_access", "check_client_access"):
                yield table


def _table(folder: Path, name: str) -> Table:
    if _TURNS_AWAY.match(name):
        # The same answer for every key, as our own listener gives: it lets nobody in.
        return Table(())
    try:
        if name.startswith("/"):
            return Table(tuple((word, "") for row in _lines(Path(name)) for word in row[0].split()))
        found = _TABLE.fullmatch(name)
        if found is not None and found["kind"] in _BY_LINE:
            return Table(tuple(_lines(Path(found["where"]))))
        return Table(postconf.rows(folder, name.removeprefix("proxy:")))
    except (TransportUnavailable, OSError, UnicodeDecodeError) as error:
        # A message may hold a line of the table, and so a password.
        why = "it is of a kind that cannot be listed" if "sequence" in str(error) else "it cannot be read"
        return Table(None, why)


def _lines(file: Path) -> Iterator[Row]:
    """The rows of a table that is its own source: comments gone, continued lines joined (texthash(5))."""
    joined = re.sub(r"\n[ \t]+", " ", re.sub(r"^\s*(#.*)?\n", "", file.read_text("utf-8") + "\n", flags=re.M))
    for line in joined.splitlines():
        key, _, value = line.strip().partition(" ") if " " in line else line.strip().partition("\t")
        if key:
            yield key, value.strip()


def _is_network(word: str) -> bool:
    try:
        ipaddress.ip_network(word.lstrip("!").replace("[", "").replace("]", ""), strict=False)
    except ValueError:
        return False
    return True


# Certificates


def _chain_files(values: Mapping[str, str]) -> Iterator[str]:
    for parameter in (*CLIENT_CHAINS, *SERVER_CHAINS):
        yield from (word for word in listed(values.get(parameter, "")) if word.startswith("/"))


def _chain(file: str) -> Chain:
    try:
        found = read_certificates(Path(file).read_bytes())
        return Chain(found[0] if found else None, "" if found else "it holds no certificate")
    except (MailtrustError, OSError) as error:
        return Chain(None, error.strerror or "" if isinstance(error, OSError) else str(error))


# Addresses


def _addresses(instances: Iterable[Instance]) -> tuple[str, ...] | None:
    """Where it calls from: the addresses that Postfix is told to use, else all of the host's."""
    told = [
        values.get(name, "")
        for one in instances
        for values in (one.parameters, *(service.options for service in one.services if not service.receives))
        for name in ("smtp_bind_address", "smtp_bind_address6")
    ]
    if found := tuple(dict.fromkeys(filter(None, told))):
        return found
    try:
        done = subprocess.run(
            ("ip", "-json", "address", "show", "scope", "global"), capture_output=True, check=True, timeout=10
        )
        links = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return tuple(one["local"] for link in links for one in link.get("addr_info", ()) if "local" in one)


def _resolved(names: Iterable[str]) -> Mapping[str, tuple[str, ...]]:
    """The addresses that names have here; a name that has none, or not in time, is left out."""
    wanted = sorted(name for name in names if not _is_network(name))
    if not wanted:
        return {}
    pool = ThreadPoolExecutor(min(len(wanted), 16))
    asked = {name: pool.submit(socket.getaddrinfo, name, None) for name in wanted}
    found = {}
    for name, answer in asked.items():
        try:
            addresses = (str(one[4][0]) for one in answer.result(_NAMES_WITHIN_SECONDS))
            found[name] = tuple(dict.fromkeys(addresses))
        except (OSError, TimeoutError, UnicodeError):
            continue
    pool.shutdown(wait=False, cancel_futures=True)
    return found

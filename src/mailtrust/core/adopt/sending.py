"""Where a host sends by a route of its own, and what it asks and offers there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mailtrust.core.adopt.facts import Instance, MasterEntry, listed
from mailtrust.core.digests import digest
from mailtrust.core.model.certificate import Certificate
from mailtrust.errors import BadInput

_FINGERPRINT = "fingerprint"
CHAINS = ("smtp_tls_chain_files", "smtp_tls_cert_file", "smtp_tls_eccert_file", "smtp_tls_dcert_file")
_BY_NAME = frozenset({"verify", "secure", "dane", "dane-only", "half-dane"})


@dataclass(frozen=True, slots=True)
class Pinned:
    """A fingerprint that a policy expects at a next hop."""

    text: str
    """As it is written."""
    digest: str | None
    """None: it is no fingerprint."""
    table: str


@dataclass(frozen=True, slots=True)
class Route:
    """A next hop that a host names, and how it speaks there."""

    hop: str
    """As the table or parameter has it: ``[mx2.example.test]:25``."""
    transport: str
    level: str
    """The TLS level that holds there: ``may``, ``fingerprint`` …"""
    pinned: tuple[Pinned, ...]
    presents: tuple[Certificate, ...]
    password: str
    """The table that has a password for it; empty where none has."""
    policy_unread: str = ""
    """The policy table that could not be listed: then the level is only the default one."""

    @property
    def host(self) -> str:
        """The host or domain of the next hop, in lower case."""
        return host_of(self.hop)

    @property
    def port(self) -> str:
        """Its port."""
        behind = self.hop.rpartition("]")[2] if self.hop.startswith("[") else self.hop
        return behind.rpartition(":")[2] if ":" in behind else "25"

    @property
    def checks_names(self) -> bool:
        """True where an authority, or DNSSEC, vouches for who answers."""
        return self.level in _BY_NAME


def host_of(hop: str) -> str:
    """The host of ``[host]:port``, ``host:port`` or ``host``."""
    if hop.startswith("["):
        return hop[1:].partition("]")[0].lower()
    return (hop.partition(":")[0] if hop.count(":") == 1 else hop).lower()


def routes(instance: Instance) -> tuple[Route, ...]:
    """Every next hop that the instance names, in the order in which it does."""
    found: dict[tuple[str, str], None] = {}
    for value in _targets(instance):
        # Without a colon it is a transport alone, and DNS says where to.
        transport, _, hops = value.partition(":")
        if _service(instance, transport or "smtp") is not None:
            found |= {(hop, transport or "smtp"): None for hop in listed(hops)}
    known = {host_of(hop) for hop, _ in found}
    for hop in _named_elsewhere(instance):
        if host_of(hop) not in known:
            found[hop, "smtp"] = None
    return tuple(_route(instance, hop, transport) for hop, transport in found)


def _targets(instance: Instance) -> Iterator[str]:
    """What stands in place of ``transport:nexthop``."""
    for name in ("transport_maps", "sender_dependent_default_transport_maps"):
        for _, (_, value) in instance.rows(instance.parameters.get(name, "")):
            yield value
    for name in ("default_transport", "relay_transport"):
        yield instance.parameters.get(name, "")
    if relayhost := instance.parameters.get("relayhost", ""):
        yield f"smtp:{relayhost}"
    for _, (_, value) in instance.rows(instance.parameters.get("sender_dependent_relayhost_maps", "")):
        yield f"smtp:{value}"


def _named_elsewhere(instance: Instance) -> Iterator[str]:
    """A password or a policy is for somebody, also where mail gets there by DNS."""
    for name in ("smtp_sasl_password_maps", "smtp_tls_policy_maps"):
        for _, (key, _) in instance.rows(instance.parameters.get(name, "")):
            if "@" not in key and not key.startswith("."):
                yield key


def _service(instance: Instance, transport: str) -> MasterEntry | None:
    return next((one for one in instance.services if one.name == transport and not one.receives), None)


def _route(instance: Instance, hop: str, transport: str) -> Route:
    service = _service(instance, transport)
    policies = instance.setting(service, "smtp_tls_policy_maps")
    policy = _policy(instance, policies, hop)
    table, value = policy or ("", "")
    words = value.replace(",", " ").split()
    level = words[0] if words else instance.setting(service, "smtp_tls_security_level") or "none"
    texts = [text for word in words[1:] if word.startswith("match=") for text in word[6:].split("|")]
    if level == _FINGERPRINT and not texts:
        table = table or "main.cf"
        texts = list(listed(instance.setting(service, "smtp_tls_fingerprint_cert_match")))
    unread = (
        [name for name in listed(policies) if instance.table(name).rows is None] if policy is None else []
    )
    return Route(
        hop,
        transport,
        level,
        tuple(Pinned(text, _digest(text), table) for text in texts) if level == _FINGERPRINT else (),
        tuple(presented(instance, service)),
        _password(instance, service, hop),
        ", ".join(unread),
    )


def presented(instance: Instance, service: MasterEntry | None) -> Iterator[Certificate]:
    """What it presents as a client."""
    for name in CHAINS:
        for file in listed(instance.setting(service, name)):
            chain = instance.chains.get(file)
            if chain is not None and chain.certificate is not None:
                yield chain.certificate


def _policy(instance: Instance, policies: str, hop: str) -> tuple[str, str] | None:
    """The policy for a next hop: the hop as it is written; a domain also by its parents (tls_policy(5))."""
    keys = [hop.lower()]
    if not hop.startswith("[") and ":" not in hop:
        labels = hop.lower().split(".")
        keys += ["." + ".".join(labels[at:]) for at in range(1, len(labels))]
    found = {key.lower(): (table, value) for table, (key, value) in instance.rows(policies)}
    return next((found[key] for key in keys if key in found), None)


def _password(instance: Instance, service: MasterEntry | None, hop: str) -> str:
    if not instance.yes(service, "smtp_sasl_auth_enable"):
        return ""
    wanted = {hop.lower(), host_of(hop)}
    for table, (key, _) in instance.rows(instance.setting(service, "smtp_sasl_password_maps")):
        if key.lower() in wanted:
            return table
    return ""


def _digest(text: str) -> str | None:
    try:
        return digest(text)
    except BadInput:
        return None

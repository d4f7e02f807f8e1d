"""
What mailtrust adds to a Postfix: a listener of its own, and a transport of its own.

Every setting stands as ``-o`` with these two services in master.cf.  So whatever main.cf says, for port 25,
for submission, for all other mail, goes on to hold there and nowhere here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from mailtrust.core.events import catalog
from mailtrust.core.model.server import Endpoint
from mailtrust.transports.postfix.compile import CLIENTS, POLICY

HUB = "hub"
"""The transport's name, as transport tables write it."""
CHAIN = "chain.pem"


@dataclass(frozen=True, slots=True)
class Places:
    """The files that are compiled for an instance, all in one folder."""

    folder: Path

    @property
    def relay_clientcerts(self) -> str:
        """Whom it believes, as Postfix names a table: its file ends in ``.lmdb``."""
        return f"lmdb:{self.folder / CLIENTS}"

    @property
    def tls_policy(self) -> str:
        """What it expects of each next hop."""
        return f"lmdb:{self.folder / POLICY}"

    @property
    def chain(self) -> Path:
        """Key and certificate that it presents."""
        return self.folder / CHAIN


@dataclass(frozen=True, slots=True)
class Wanted:
    """One service as we write it."""

    name: str
    kind: str
    command: str
    options: Mapping[str, str]

    @property
    def key(self) -> str:
        """As ``postconf -P`` names it."""
        return f"{self.name}/{self.kind}"

    def lines(self) -> Iterator[str]:
        """Its lines in master.cf."""
        private = "n" if self.kind == "inet" else "-"
        yield f"{self.name} {self.kind} {private} - n - - {self.command}"
        for name, value in self.options.items():
            bare = f"{name}={value}"
            # A blank ends an option, unless braces hold it together.
            yield f"  -o {{ {name} = {value} }}" if " " in value else f"  -o {bare}"


def wanted(endpoint: Endpoint, places: Places, log_name: str) -> Wanted:
    """The listener at *endpoint*: who has a published key may send, anybody else is told to come again."""
    reply = f"454 4.7.1 {catalog.PEER_NOT_TRUSTED_INBOUND.code} no published certificate, try again later"
    who = f"permit_tls_clientcerts, check_client_access static:{{{reply}}}, defer"
    return Wanted(str(endpoint), "inet", "smtpd", {
        "syslog_name": f"{log_name}/inner",
        # Not `encrypt`: who comes without TLS would be refused for good (530), and not deferred.
        "smtpd_tls_security_level": "may",
        "smtpd_tls_wrappermode": "no",
        "smtpd_tls_chain_files": str(places.chain),
        "smtpd_tls_ask_ccert": "yes",
        "smtpd_tls_req_ccert": "no",
        "smtpd_tls_fingerprint_digest": "sha256",
        # The names of authorities would tell some clients (GnuTLS) to keep their certificate to themselves.
        "smtpd_tls_CAfile": "",
        "smtpd_tls_CApath": "",
        "tls_append_default_CA": "no",
        "smtpd_tls_loglevel": "summary,peercert",
        "relay_clientcerts": places.relay_clientcerts,
        "mynetworks": "",
        "smtpd_sasl_auth_enable": "no",
        "smtpd_upstream_proxy_protocol": "",
        # A client that has only just connected has not shown any certificate yet.
        "smtpd_delay_reject": "yes",
        "smtpd_client_restrictions": who,
        "smtpd_helo_restrictions": "",
        "smtpd_sender_restrictions": "",
        "smtpd_relay_restrictions": "permit_tls_clientcerts,defer",
        "smtpd_recipient_restrictions": "",
        # Postfix takes every bare <postmaster> before it asks the lists above; this one it asks all the same.
        "smtpd_data_restrictions": who,
        "smtpd_end_of_data_restrictions": "",
    })  # fmt: skip


def wanted_hub(places: Places, log_name: str) -> Wanted:
    """The transport for mail to peers: what the policy table does not pin waits, and never goes astray."""
    return Wanted(HUB, "unix", "smtp", {
        "syslog_name": f"{log_name}/{HUB}",
        "smtp_tls_security_level": "fingerprint",
        "smtp_tls_wrappermode": "no",
        "smtp_tls_fingerprint_digest": "sha256",
        "smtp_tls_fingerprint_cert_match": "",
        "smtp_tls_policy_maps": places.tls_policy,
        "smtp_tls_chain_files": str(places.chain),
        # A session that is resumed goes on with the certificate that it began with.
        "smtp_tls_session_cache_database": "",
        "smtp_tls_loglevel": "1",
        "smtp_sasl_auth_enable": "no",
        "smtp_fallback_relay": "",
    })  # fmt: skip


def all_wanted(endpoints: tuple[Endpoint, ...], places: Places, log_name: str) -> tuple[Wanted, ...]:
    """Everything that `mailtrust postfix setup` adds, in its order."""
    return (*(wanted(one, places, log_name) for one in endpoints), wanted_hub(places, log_name))

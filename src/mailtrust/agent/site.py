"""
One server's own corner of the organization, opened: its configuration, store, directory and journal.

Everything that looks or acts is handed a `Site`; nothing else in mailtrust knows all four.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from mailtrust.agent.journal import Journal
from mailtrust.certificates.store import Store
from mailtrust.config import Config
from mailtrust.config import Directory as Replicas
from mailtrust.core.model.server import ServerName
from mailtrust.core.policy import Policy
from mailtrust.directory.ldap import LdapSettings
from mailtrust.directory.ldap_bind import Anonymous, ClientCertificate, Credentials, OwnAccount, Password
from mailtrust.directory.ldap_kerberos import Kerberos
from mailtrust.directory.ldap_keyring import KeyringPassword
from mailtrust.directory.open import Directory, open_directory
from mailtrust.errors import BadConfiguration
from mailtrust.ldap import names


@dataclass(frozen=True, slots=True)
class Site:
    """What one configuration file describes."""

    config: Config
    store: Store
    directory: Directory
    journal: Journal

    @property
    def server(self) -> ServerName:
        """The server whose site this is."""
        return self.config.server.name

    @property
    def policy(self) -> Policy:
        """The thresholds, for `core`, and what this directory can do."""
        replicas = self.directory.replicas
        return replace(
            self.config.core_policy(),
            every_replica_takes_writes=all(one.takes_writes for one in replicas),
            replicates_itself=any(one.replicates_itself for one in replicas),
            pulls=self.directory.discovery is not None,
        )


@asynccontextmanager
async def open_site(config: Config, *, looking_only: bool = False) -> AsyncIterator[Site]:
    """
    The site of *config*, closed again at the end.  Opening touches nothing: no file is made.

    With *looking_only* a look is not written into the journal either, until it is told otherwise.

    Raises: BadConfiguration for a directory that is not ours to write, BadInput where a replica's URL names
    no directory that we know.
    """
    if config.directory.layout == "exchange":
        raise BadConfiguration(
            'directory.layout is "exchange", and what Exchange publishes is only audited, never changed',
            hint='for mail servers of your own set directory.layout = "computer"',
        )
    journal = Journal(config.server.store)
    journal.read_only = looking_only
    directory = open_directory(
        config.directory.home,
        config.directory.primary,
        config.directory.replicas,
        timeout=config.policy.probe_timeout,
        memory=journal,
        ldap=_ldap(config.directory) if config.directory.base or config.directory.members else None,
        which=config.directory.which,
        computes_latency=config.directory.latency is None,
    )
    try:
        yield Site(config, Store(config.server.store), directory, journal)
    finally:
        await directory.close()


def _ldap(replicas: Replicas) -> LdapSettings:
    members = names.parse(replicas.members) if replicas.members else None
    return LdapSettings(names.parse(replicas.base), _credentials(replicas), replicas.ca_file, members)


def _credentials(replicas: Replicas) -> Credentials:
    if replicas.bind == "simple" and replicas.password_file is not None:
        return Password(replicas.bind_dn, replicas.password_file)
    if replicas.bind == "simple":
        return KeyringPassword(replicas.bind_dn, replicas.password_keyring)
    if replicas.bind == "external":
        file = replicas.client_certificate
        return OwnAccount() if file is None else ClientCertificate(file)
    if replicas.bind == "kerberos":
        return Kerberos(replicas.principal, replicas.keytab)
    return Anonymous()

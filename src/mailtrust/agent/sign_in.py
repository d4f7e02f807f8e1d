"""
From the configuration's words to how one signs in to a directory that speaks LDAP.

Nothing here is bound to one operating system: the audit signs in on Windows, too.
"""

from __future__ import annotations

from mailtrust.config import Directory
from mailtrust.directory.ldap_bind import Anonymous, ClientCertificate, Credentials, OwnAccount, Password
from mailtrust.directory.ldap_kerberos import Kerberos
from mailtrust.directory.ldap_keyring import KeyringPassword
from mailtrust.directory.ldap_session import LdapSettings
from mailtrust.ldap import names


def ldap_settings(replicas: Directory) -> LdapSettings:
    """What the configuration's table ``[directory]`` says of signing in.  Raises: BadInput."""
    members = names.parse(replicas.members) if replicas.members else None
    return LdapSettings(names.parse(replicas.base), _credentials(replicas), replicas.ca_file, members)


def _credentials(replicas: Directory) -> Credentials:
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

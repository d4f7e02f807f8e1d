"""
The directory's password out of the key ring that the operating system keeps for an account.

It is asked for at each signing in, and may have to ask a person first: so it gets a thread of its own.
The library is there only where somebody chose it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from mailtrust.directory.aside import aside
from mailtrust.directory.ldap_bind import Server, SignedIn
from mailtrust.directory.ldap_tls import Identity
from mailtrust.errors import BadInput, DirectoryUnavailable
from mailtrust.ldap.requests import SimpleBind
from mailtrust.ldap.responses import printable


@dataclass(frozen=True, slots=True)
class KeyringPassword:
    """The account *name* and its password, which the key ring keeps for *service* and that name."""

    name: str
    service: str
    brings_encryption: ClassVar[bool] = False

    async def shown(self) -> Identity | None:
        """Nothing."""
        return None

    async def sign_in(self, server: Server) -> SignedIn:
        """One step, after the key ring has answered.  Raises: BadInput, DirectoryUnavailable."""
        server.stage = "asking the key ring for the password"
        password = await aside(partial(_kept, self.service, self.name))
        server.stage = "signing in"
        return SignedIn(await server.bind(SimpleBind(self.name, password)))


def _kept(service: str, name: str) -> bytes:
    try:
        import keyring
        from keyring.errors import NoKeyringError
    except ImportError as error:
        raise BadInput(
            "the password is in a key ring, and the library for it is missing",
            hint="pip install 'mailtrust[keyring]', or set directory.password_file instead",
        ) from error
    try:
        password = keyring.get_password(service, name)
    except NoKeyringError as error:
        raise BadInput(
            "the password is in a key ring, and this account has none here",
            hint="without a desktop there is often none: set directory.password_file instead",
        ) from error
    except Exception as error:  # noqa: BLE001 - a back end raises what it likes
        why = printable(str(error)) or type(error).__name__
        raise DirectoryUnavailable(
            f"the key ring did not give the password of {name}: {why}", hint="is it locked?"
        ) from None
    if not password:
        raise BadInput(
            f"the key ring holds no password for the service {service} and the account {name}",
            hint=f'as the account that runs mailtrust: keyring set "{service}" "{name}"',
        )
    return password.encode()

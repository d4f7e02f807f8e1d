"""
Our end of a Kerberos conversation on Windows, by SSPI, which pyspnego speaks.

The account is the one that this process runs as; Windows fetches and renews its tickets, and asks no name
server for another name of the server.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import spnego
from spnego.channel_bindings import GssChannelBindings
from spnego.exceptions import SpnegoError

from mailtrust.directory.kerberos import Account, KerberosFailed, Target, Trouble
from mailtrust.errors import BadInput

_ORDERED = spnego.ContextReq.mutual_auth | spnego.ContextReq.sequence_detect
_SEALING = (
    _ORDERED
    | spnego.ContextReq.replay_detect
    | spnego.ContextReq.confidentiality
    | spnego.ContextReq.integrity
)
_PADDING_BYTES = 32
"""More than the longest block of any cipher that SSPI pads to."""

# winerror.h.
_BY_NUMBER = {
    0x80090303: Trouble.UNKNOWN_SERVICE,  # SEC_E_TARGET_UNKNOWN
    0x8009030C: Trouble.WRONG_KEY,  # SEC_E_LOGON_DENIED
    0x8009030E: Trouble.NO_TICKET,  # SEC_E_NO_CREDENTIALS
    0x80090311: Trouble.NO_KDC,  # SEC_E_NO_AUTHENTICATING_AUTHORITY
    0x80090317: Trouble.EXPIRED,  # SEC_E_CONTEXT_EXPIRED
    0x80090322: Trouble.WRONG_KEY,  # SEC_E_WRONG_PRINCIPAL
    0x80090324: Trouble.CLOCKS,  # SEC_E_TIME_SKEW
}


def begin(target: Target, account: Account) -> Context:
    """Our end, before its first step.  May block.  Raises: KerberosFailed, BadInput."""
    if account != Account():
        raise BadInput(
            "on Windows Kerberos signs in as the account that mailtrust runs as",
            hint="leave out directory.principal and directory.keytab",
        )
    with _told():
        return Context(
            spnego.client(
                hostname=target.host,
                service="ldap",
                protocol="kerberos",
                context_req=wanted(target),
                channel_bindings=bound(target),
            )
        )


def wanted(target: Target) -> spnego.ContextReq:
    """What the other end has to agree to."""
    return _SEALING if target.seal else _ORDERED


def bound(target: Target) -> GssChannelBindings | None:
    """What ties the conversation to a TLS connection, where there is one."""
    return GssChannelBindings(application_data=target.binding) if target.binding else None


class Context:
    """A `SecurityContext`, by what pyspnego has begun."""

    def __init__(self, proxy: spnego.ContextProxy) -> None:
        self._proxy = proxy

    @property
    def complete(self) -> bool:
        """See `SecurityContext.complete`."""
        return self._proxy.complete

    @property
    def seals(self) -> bool:
        """See `SecurityContext.seals`."""
        return self._proxy.context_attr & _SEALING == _SEALING

    def step(self, token: bytes) -> bytes:
        """See `SecurityContext.step`."""
        with _told():
            return self._proxy.step(token or None) or b""

    def wrap(self, data: bytes, *, encrypt: bool) -> bytes:
        """See `SecurityContext.wrap`."""
        with _told():
            wrapped = self._proxy.wrap(data, encrypt=encrypt)
        if encrypt and not wrapped.encrypted:
            raise KerberosFailed(Trouble.OTHER, "it did not encrypt")
        return wrapped.data

    def unwrap(self, data: bytes) -> tuple[bytes, bool]:
        """See `SecurityContext.unwrap`."""
        with _told():
            unwrapped = self._proxy.unwrap(data)
        return unwrapped.data, unwrapped.encrypted

    def room(self, wrapped_bytes: int) -> int:
        """See `SecurityContext.room`."""
        with _told():
            around = self._proxy.query_message_sizes().header + _PADDING_BYTES
        return max(0, wrapped_bytes - around)


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except (SpnegoError, OSError) as error:
        cause = error.base_error if isinstance(error, SpnegoError) else error
        number = getattr(cause, "winerror", None) or 0
        words = getattr(cause, "strerror", None) or str(error)
        raise KerberosFailed(_BY_NUMBER.get(number & 0xFFFFFFFF, Trouble.OTHER), words) from error

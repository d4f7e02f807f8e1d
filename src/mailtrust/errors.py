"""
Every exception that mailtrust raises on purpose, as one tree.

    MailtrustError
    ├── BadInput                 what we were given cannot be used; nothing was changed
    │   ├── BadConfiguration     the configuration file: key, line, what was expected
    │   ├── NotACertificate      bytes that do not parse as a certificate, a key or a container
    │   ├── WrongPassword        a container that this password does not open
    │   ├── KeyMismatch          a certificate whose key is another one, or missing
    │   └── UnknownCertificate   no certificate, or several, by that name
    ├── Refused                  it could be done, and would do harm
    ├── StoreUnavailable         the server's own store cannot be read or written
    ├── DirectoryUnavailable     a replica cannot be asked
    │   ├── PublishRefused       a replica answered, and said no
    │   └── NotLdap              a replica's bytes that cannot be read as LDAP
    ├── TransportUnavailable     the hub cannot start or its queue cannot be opened
    ├── LogUnavailable           a log of the machine cannot be written
    ├── NotDelivered             nobody could be told, by one way
    └── TextMissing              our own texts lack a page, a phrase or a value

A message says what we were doing and to whom, in one sentence.  A *hint* says what next.
The cause is chained (``raise … from error``) and printed once, by the command line.
"""

from __future__ import annotations


class MailtrustError(Exception):
    """Something we could not do, in one sentence, with a hint where there is one."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class BadInput(MailtrustError):
    """What we were given cannot be used; nothing was changed."""


class BadConfiguration(BadInput):
    """The configuration cannot be used: the message names the key, the line and what was expected."""


class NotACertificate(BadInput):
    """These bytes are no certificate, key, request or container that we can read."""


class WrongPassword(BadInput):
    """The password does not open this container."""


class KeyMismatch(BadInput):
    """The key does not belong to the certificate, or there is none."""


class UnknownCertificate(BadInput):
    """No certificate here answers to that name, or more than one does; the message lists them."""


class Refused(MailtrustError):
    """It could be done, and would do harm; the message says which, the hint says what to do first."""


class StoreUnavailable(MailtrustError):
    """The server's own store cannot be read or written."""


class DirectoryUnavailable(MailtrustError):
    """A replica cannot be asked, or its answer cannot be used."""


class PublishRefused(DirectoryUnavailable):
    """A replica answered, and refused to write."""


class NotLdap(DirectoryUnavailable):
    """What a replica sent is no LDAP; the message stands behind "it sent"."""


class TransportUnavailable(MailtrustError):
    """The transport cannot start, or its queue cannot be opened."""


class LogUnavailable(MailtrustError):
    """A log of the machine cannot be written."""


class NotDelivered(MailtrustError):
    """A notice did not get through; it never will if it *is_final*."""

    def __init__(self, message: str, *, hint: str = "", is_final: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.is_final = is_final


class TextMissing(MailtrustError):
    """Our own texts lack a page, a phrase or a value; the tests meet it, a reader never should."""

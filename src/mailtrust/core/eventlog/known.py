"""
The events of Exchange that have to do with transport certificates, by source and number.

The same numbers are logged by every transport process under a source of its own; and the same number means
something else under another source (1035 of EdgeSync is not 1035 of the transport).  What each means is
prose, in `mailtrust.texts`: our own page where the catalog has the event, a paragraph elsewhere.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from mailtrust.core.events.catalog import BY_CODE
from mailtrust.core.model.event import Event, Severity

_E, _W, _I = Severity.ERROR, Severity.WARNING, Severity.INFORMATION
_LEVELS = {1: _E, 2: _E, 3: _W, 4: _I, 0: _I, 5: _I}
_NO_LETTERS = re.compile(r"[^a-z0-9]")
_EXCHANGE = "msexchange"


class Family(StrEnum):
    """Sources that share their numbers."""

    TRANSPORT = "transport"
    EDGESYNC = "edgesync"
    DEPLOYMENT = "deployment"
    """The copier of federation certificates."""
    NOTIFICATION = "notification"
    """Tells administrators of certificates that end within 30 days."""
    CMDLETS = "cmdlets"
    """What answers the certificate cmdlets on a server."""
    AUTH = "auth"
    """The certificate of OAuth, which is another one."""


_FAMILIES = {
    "msexchangeedgesync": Family.EDGESYNC,
    "msexchangecertificatedeployment": Family.DEPLOYMENT,
    "msexchangecertificatenotification": Family.NOTIFICATION,
    "msexchangeexchangecertificate": Family.CMDLETS,
    "msexchangeauthadmin": Family.AUTH,
}


@dataclass(frozen=True, slots=True)
class Known:
    """An event of Exchange that we know."""

    family: Family
    number: int
    name: str
    severity: Severity
    parameters: tuple[str, ...] = ()
    """What its values are, in their order; codes."""
    same: tuple[str, ...] | None = None
    """Which of them make two entries the same trouble; None for all."""

    @property
    def page(self) -> Event | None:
        """The catalog's event with that meaning, which has a page of its own."""
        return BY_CODE.get(self.number) if self.family is Family.TRANSPORT else None

    def named(self, texts: tuple[str, ...]) -> dict[str, str]:
        """The values by what they are; empty ones, and those beyond what we know, are left out."""
        return {name: text for name, text in zip(self.parameters, texts, strict=False) if text}

    def key(self, values: dict[str, str]) -> tuple[str, ...]:
        """What two entries about the same trouble have in common."""
        names = self.parameters if self.same is None else self.same
        return tuple(values.get(name, "").lower() for name in names)


def _transport(
    number: int, name: str, severity: Severity, *parameters: str, same: tuple[str, ...] | None = None
) -> Known:
    return Known(Family.TRANSPORT, number, name, severity, parameters, same)


def _edgesync(number: int, name: str, severity: Severity) -> Known:
    return Known(Family.EDGESYNC, number, name, severity, same=())


def _other(family: Family, severity: Severity, names: dict[int, str]) -> tuple[Known, ...]:
    return tuple(Known(family, number, name, severity, same=()) for number, name in names.items())


_DOMAIN = ("domain", "connector")

KNOWN: tuple[Known, ...] = (
    _transport(12012, "InternalTransportCertificateMissingInAD", _E, same=()),
    _transport(12013, "CannotLoadInternalTransportCertificateFromStore", _E, "thumbprint"),
    _transport(12014, "CannotLoadSTARTTLSCertificateFromStore", _E, "name", "connector",
               same=("name", "connector")),
    _transport(12015, "InternalTransportCertificateExpired", _E, "thumbprint"),
    _transport(12016, "STARTTLSCertificateExpired", _E, "name", "thumbprint"),
    _transport(12017, "InternalTransportCertificateExpiresSoon", _W, "thumbprint", "hours",
               same=("thumbprint",)),
    _transport(12018, "STARTTLSCertificateExpiresSoon", _W, "name", "thumbprint", "hours",
               same=("name", "thumbprint")),
    _transport(12019, "RemoteInternalTransportCertificateExpired", _W, "subject"),
    _transport(12020, "RemoteSTARTTLSCertificateExpired", _W, "subject"),
    _transport(12022, "InternalTransportCertificateCorruptedInAD", _E, same=()),
    _transport(12023, "CannotLoadInternalTransportCertificateFallbackServerFQDN", _W, "thumbprint", "used"),
    _transport(12024, "CannotLoadIntTransportCertificateFallbackEphemeralCertificate", _W, "thumbprint",
               "used", same=("thumbprint",)),
    _transport(1036, "SmtpReceiveDirectTrustFailed", _E, "subject", "address"),
    _transport(2018, "SmtpSendDirectTrustFailed", _E, "subject", "address"),
    _transport(1032, "SmtpReceiveTLSRequiredFailed", _E, "connector"),
    _transport(1034, "SmtpReceiveAuthenticationInitializationFailed", _E, "error", "connector", "mechanism",
               "address"),
    _transport(1035, "SmtpReceiveAuthenticationFailed", _W, "error", "connector", "mechanism", "address",
               same=("connector", "mechanism", "address")),
    _transport(1037, "", _W, same=()),
    _transport(2003, "SmtpSendAuthenticationFailed", _W, "connector", "address", "reply",
               same=("connector", "address")),
    _transport(2011, "ExchangeAuthHashNotSupported", _E, "name"),
    _transport(2015, "SmtpSendTLSRequiredFailed", _E, "connector", "next-hop", "name"),
    _transport(2016, "SmtpSendAuthenticationInitializationFailed", _E, "error", "connector", "mechanism",
               "spn", "user", same=("connector", "mechanism", "spn")),
    _transport(2017, "SmtpSendOutboundAuthenticationFailed", _E, "error", "connector", "mechanism", "spn",
               same=("connector", "mechanism", "spn")),
    _transport(2019, "", _W, same=()),
    _transport(2022, "SmtpSendOutboundAtTLSAuthLevelFailed", _E, "status", "connector", "level", "next-hop"),
    _transport(2023, "SmtpSendAuthenticationFailureIgnored", _W, same=()),
    _transport(3007, "XProxyToCommandInvalidEncodedCertificateSubject", _E, same=()),
    _transport(11005, "MessageSecurityTLSCertificateValidationFailure", _E, "connector", "status"),
    _transport(11011, "TlsDomainCertificateValidationFailure", _E, *_DOMAIN, "status"),
    _transport(11012, "MessageNotAuthenticatedTlsNotStarted", _E, *_DOMAIN),
    _transport(11013, "MessageToSecureDomainFailedDueToTlsNegotiationFailure", _E, *_DOMAIN, "error"),
    _transport(11014, "MessageToSecureDomainFailedBecauseTlsNotOffered", _E, *_DOMAIN, "error", same=_DOMAIN),
    _transport(11015, "TlsDomainClientCertificateSubjectMismatch", _E, *_DOMAIN, "subject"),
    _transport(11016, "TlsDomainServerCertificateSubjectMismatch", _E, *_DOMAIN, "subject"),
    _transport(11017, "MessageNotAuthenticatedNoClientCertificate", _E, *_DOMAIN),
    _transport(11018, "MessageNotAuthenticatedTlsNotAdvertised", _E, *_DOMAIN),
    _transport(11019, "MessageToSecureDomainFailedBecauseTlsNegotiationFailed", _E, *_DOMAIN, "reply",
               same=_DOMAIN),
    _transport(11020, "TlsDomainServerCertificateValidationFailure", _E, *_DOMAIN, "status"),
    _transport(11021, "TlsDomainSecureDisabled", _E, *_DOMAIN),
    _transport(11022, "TlsDomainCapabilitiesCertificateValidationFailure", _E, "capabilities", "connector",
               "status", "domain"),
    _transport(11023, "SessionFailedBecauseXOorgNotOffered", _E, "address", "name", "connector"),
    _transport(11024, "SubjectAlternativeNameLimitExceeded", _W, "thumbprint", "count", "limit"),
    _transport(11026, "CertificateRevocationListCheckTrasientFailureTreatedAsSuccess", _E, "status", "serial",
               "subject", "issuer", "thumbprint", "direction", same=("serial",)),
    _transport(12008, "ReadConfigReceiveConnectorFailed", _E, same=()),
    _transport(12009, "ReadConfigReceiveConnectorUnavail", _E, same=()),
    _transport(12011, "SpnRegisterFailure", _E, "class", "error"),
    _transport(12021, "ReadConfigReceiveConnectorIgnored", _W, same=()),
    _edgesync(1004, "ProbeFailed", _E),
    _edgesync(1024, "EdgeLeaseException", _E),
    _edgesync(1025, "EdgeTopologyException", _E),
    _edgesync(1032, "NoCredentialsFound", _W),
    _edgesync(1033, "CredentialDecryptionException", _E),
    _edgesync(1035, "CAPICertificateRequired", _E),
    _edgesync(10104, "FailedDirectTrustMatch", _E),
    *_other(Family.DEPLOYMENT, _W, {
        2001: "PermanentException", 2002: "NotificationException", 2003: "NeedCertificate",
        2004: "InstalledCertificate", 2005: "CertificateNotFound", 2006: "TransientException",
        2007: "EnableNetworkServiceException", 2008: "CannotFindLocalSite",
        2009: "CertificateNearingExpiry", 2010: "CertificateExpired",
    }),
    *_other(Family.NOTIFICATION, _I, {
        2001: "TransientException", 2002: "OneRoundCompleted",
        2003: "MicrosoftExchangeRecipientNotFoundException",
    }),
    *_other(Family.CMDLETS, _E, {2001: "PermanentException"}),
    *_other(Family.AUTH, _W, {
        2001: "CriticalError", 2002: "Information", 2003: "PermanentException", 2004: "TransientException",
        2005: "Warning", 2011: "InvalidCertificateList", 2012: "InvalidCertificates",
        2014: "CurrentSigningUpdated", 2015: "AuthAdminCompleted",
    }),
)  # fmt: skip

_BY_NUMBER = {(one.family, one.number): one for one in KNOWN}


def family(source: str) -> Family | None:
    """Whose numbers a source uses; None for what has nothing to do with transport certificates."""
    plain = _plain(source)
    if plain.startswith(_EXCHANGE) and "transport" in plain:
        return Family.TRANSPORT
    return _FAMILIES.get(plain.removesuffix("servicelet"))


def known(source: str, number: int) -> Known | None:
    """The event that this source logs under that number, if we know it."""
    of = family(source)
    return None if of is None else _BY_NUMBER.get((of, number))


def is_exchange(source: str) -> bool:
    """Whether Exchange logs under that source, known to us or not."""
    return _plain(source).startswith(_EXCHANGE)


def severity_of(level: int, otherwise: Severity) -> Severity:
    """As the log has it, else as Exchange is known to log it: that changed between its releases."""
    return _LEVELS.get(level, otherwise)


def _plain(source: str) -> str:
    return _NO_LETTERS.sub("", source.lower())

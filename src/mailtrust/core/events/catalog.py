"""
Every event, as a typed constant.

Numbers and names that Exchange defined keep both, and their meaning; ours start at 12101.  The prose
is one Markdown file per event and language in `mailtrust/texts/`.
"""

from __future__ import annotations

from mailtrust.core.model.event import Category, Event, Severity

_E, _W, _I = Severity.ERROR, Severity.WARNING, Severity.INFORMATION
_TRANSPORT, _DIRECTORY, _ROTATION = Category.TRANSPORT_SERVICE, Category.DIRECTORY, Category.ROTATION
_AGENT = Category.AGENT
_SEND = Category.SMTP_SEND


def _exchange(
    code: int,
    name: str,
    severity: Severity,
    category: Category,
    *parameters: str,
    causes: tuple[str, ...] = (),
) -> Event:
    return Event(code, name, severity, category, parameters, causes, f"MSExchangeTransport {code}")


NO_CERTIFICATE, NOT_ENABLED = "no-certificate", "not-enabled"
NOT_WRITTEN, OVERDUE = "not-written", "overdue"
STALE_PROCESS, RESTORED_IMAGE = "stale-process", "restored-image"
EDGE_NOT_RESUBSCRIBED, EDGE_FELL_BACK = "edge-not-resubscribed", "edge-fell-back"

PEER_NOT_TRUSTED_INBOUND = _exchange(
    1036, "SmtpReceiveDirectTrustFailed", _E, Category.SMTP_RECEIVE, "subject", "fingerprint", "address"
)
PEER_NOT_TRUSTED_OUTBOUND = _exchange(
    2018, "SmtpSendDirectTrustFailed", _E, Category.SMTP_SEND, "subject", "fingerprint", "address",
    causes=(EDGE_NOT_RESUBSCRIBED, EDGE_FELL_BACK),
)  # fmt: skip
CERTIFICATE_MISSING = _exchange(
    12012, "InternalTransportCertificateMissingInAD", _E, _TRANSPORT, "replica",
    causes=(NO_CERTIFICATE, NOT_ENABLED, NOT_WRITTEN, OVERDUE),
)  # fmt: skip
NOT_IN_STORE = _exchange(
    12013, "CannotLoadInternalTransportCertificateFromStore", _E, _TRANSPORT, "fingerprint", "replica"
)
STARTTLS_NOT_IN_STORE = _exchange(
    12014, "CannotLoadSTARTTLSCertificateFromStore", _E, _TRANSPORT, "name", "connector"
)
EXPIRED = _exchange(12015, "InternalTransportCertificateExpired", _E, _TRANSPORT, "fingerprint", "not_after")
STARTTLS_EXPIRED = _exchange(12016, "STARTTLSCertificateExpired", _E, _TRANSPORT, "name", "fingerprint")
EXPIRES_SOON = _exchange(
    12017, "InternalTransportCertificateExpiresSoon", _W, _TRANSPORT, "fingerprint", "not_after", "hours"
)
STARTTLS_EXPIRES_SOON = _exchange(
    12018, "STARTTLSCertificateExpiresSoon", _W, _TRANSPORT, "name", "fingerprint", "hours"
)
PEER_EXPIRED = _exchange(
    12019, "RemoteInternalTransportCertificateExpired", _W, _TRANSPORT, "fingerprint", "not_after"
)
PEER_STARTTLS_EXPIRED = _exchange(12020, "RemoteSTARTTLSCertificateExpired", _W, _TRANSPORT, "subject")
CORRUPTED = _exchange(12022, "InternalTransportCertificateCorruptedInAD", _E, _TRANSPORT, "replica", "digest")
FALLBACK_TO_NAME = _exchange(
    12023, "CannotLoadInternalTransportCertificateFallbackServerFQDN", _W, _TRANSPORT, "fingerprint", "used"
)
FALLBACK_TO_EPHEMERAL = _exchange(
    12024,
    "CannotLoadIntTransportCertificateFallbackEphemeralCertificate",
    _W,
    _TRANSPORT,
    "fingerprint",
    "used",
)

REPLICATING = Event(
    12101, "PublishedCertificateReplicating", _I, _DIRECTORY, ("fingerprint", "replica", "until")
)
REPLICA_BEHIND = Event(12102, "ReplicaBehind", _W, _DIRECTORY, ("fingerprint", "replica"))
REPLICA_UNREADABLE = Event(12103, "ReplicaUnreadable", _W, _DIRECTORY, ("replica", "why"))
PRESENTED_NOT_PUBLISHED = Event(
    12104, "PresentedNotPublished", _E, _TRANSPORT, ("fingerprint", "endpoint"),
    causes=(STALE_PROCESS, RESTORED_IMAGE),
)  # fmt: skip
PRESENTED_NOT_CURRENT = Event(
    12105, "PresentedNotCurrent", _W, _TRANSPORT, ("fingerprint", "current", "endpoint"),
    causes=(STALE_PROCESS, RESTORED_IMAGE),
)  # fmt: skip
STRANGER_PUBLISHED = Event(12106, "StrangerPublished", _E, _DIRECTORY, ("fingerprint", "replica"))
KEY_SHARED = Event(12107, "KeyShared", _E, _DIRECTORY, ("fingerprint", "others"))
NO_SUCCESSOR = Event(12108, "NoSuccessor", _I, _ROTATION)
ROTATION_BLOCKED = Event(12109, "RotationBlocked", _W, _ROTATION, ("fingerprint", "gate"))
REPLICA_WENT_BACK = Event(12110, "ReplicaWentBack", _W, _DIRECTORY, ("fingerprint", "replica"))
SNAPSHOT_STALE = Event(12111, "SnapshotStale", _E, _TRANSPORT, ("replica", "taken_at"))
WEAK_KEY = Event(12113, "WeakKey", _W, _TRANSPORT, ("fingerprint", "weakness"))
NAMES_DIFFER = Event(12114, "NamesDiffer", _W, _TRANSPORT, ("fingerprint", "names"))
KEY_EXPOSED = Event(12115, "KeyExposed", _E, _TRANSPORT, ("file",))
SERVER_UNREACHABLE = Event(12116, "ServerUnreachable", _E, _TRANSPORT, ("endpoint", "why"))
TLS_NOT_OFFERED = Event(12117, "TLSNotOffered", _E, _TRANSPORT, ("endpoint",))
CLIENT_CERTIFICATE_NOT_ASKED = Event(12118, "ClientCertificateNotAsked", _E, _TRANSPORT, ("endpoint",))
AUTHORITY_PUBLISHED = Event(12119, "AuthorityPublished", _E, _DIRECTORY, ("fingerprint", "replica"))
SNAPSHOT_NOT_SAVED = Event(12155, "SnapshotNotSaved", _E, _TRANSPORT, ("file", "why"))
KEYS_KEPT = Event(12156, "KeysKept", _W, _DIRECTORY, ("replica", "count", "servers", "until"))

MYNETWORKS, PASSWORD, OPEN_TO_ALL = "mynetworks", "password", "open"
NO_RULE, TOO_EARLY = "no-rule", "too-early"
FAILS_OPEN, WAITS, UNUSED = "fails-open", "waits", "unused"
DIGEST, SPELLING = "digest", "spelling"
MISSING, DAMAGED, NO_LMDB, NOT_SET = "missing", "damaged", "no-lmdb", "not-set"
NO_KEY, CERTIFICATE_FIRST, KEY_DIFFERS, UNPARSABLE = (
    "no-key",
    "certificate-first",
    "key-differs",
    "unparsable",
)
LEVEL, ANY_PIN, ENTRY = "level", "any-pin", "entry"

POSTFIX_LISTENER_MISSING = Event(12130, "PostfixListenerMissing", _E, _TRANSPORT, ("endpoint",))
POSTFIX_ASKS_AUTHORITY = Event(12131, "ClientCertificateMustBeVerified", _E, _TRANSPORT, ("endpoint",))
CERTIFICATE_DOES_NOT_DECIDE = Event(
    12132, "CertificateDoesNotDecide", _E, _TRANSPORT, ("endpoint",),
    causes=(MYNETWORKS, PASSWORD, OPEN_TO_ALL, NO_RULE, TOO_EARLY),
)  # fmt: skip
GAP_BOUNCES = Event(12133, "GapBounces", _E, _TRANSPORT, ("endpoint", "restriction"))
POLICY_KEY_UNMATCHED = Event(
    12134, "PolicyKeyMatchesNoNextHop", _E, _TRANSPORT, ("key",), causes=(FAILS_OPEN, WAITS, UNUSED)
)
NEXT_HOP_BYPASSES_HUB = Event(12135, "NextHopBypassesHub", _E, _TRANSPORT, ("next_hop", "transport"))
NEXT_HOP_WITHOUT_POLICY = Event(12136, "NextHopWithoutPolicy", _E, _TRANSPORT, ("next_hop",))
DIGEST_DIFFERS = Event(
    12137, "DigestDiffers", _E, _TRANSPORT, ("service", "digest", "table"), causes=(DIGEST, SPELLING)
)
SESSION_CACHE_KEEPS = Event(12138, "SessionCacheKeepsCertificate", _W, _TRANSPORT, ("transport",))
CHAIN_UNUSABLE = Event(
    12139, "ChainFileUnusable", _E, _TRANSPORT, ("file",),
    causes=(NOT_SET, MISSING, NO_KEY, CERTIFICATE_FIRST, KEY_DIFFERS, UNPARSABLE),
)  # fmt: skip
EXPIRED_PIN_ACCEPTED = Event(
    12140, "ExpiredPinAccepted", _W, _TRANSPORT, ("fingerprint", "peer", "not_after")
)
POSTFIX_TABLE_UNUSABLE = Event(
    12141, "PostfixTableUnusable", _E, _TRANSPORT, ("table",), causes=(MISSING, DAMAGED, NO_LMDB)
)
POSTFIX_TABLE_EXPOSED = Event(12142, "PostfixTableExposed", _E, _TRANSPORT, ("file",))
HUB_TRANSPORT_MISSING = Event(12143, "HubTransportMissing", _E, _TRANSPORT, ("transport",))
HUB_TRANSPORT_FAILS_OPEN = Event(
    12144, "HubTransportFailsOpen", _E, _TRANSPORT, ("transport",), causes=(LEVEL, ANY_PIN, ENTRY)
)
POSTFIX_READS_ELSEWHERE = Event(
    12145, "PostfixReadsElsewhere", _E, _TRANSPORT, ("service", "setting", "file")
)
AUTHORITIES_HINTED = Event(12146, "AuthoritiesHinted", _W, _TRANSPORT, ("endpoint",))
AGENT_PART_STOPPED = Event(12160, "AgentPartStopped", _W, _AGENT, ("part", "why"))
AGENT_ACT_FAILED = Event(12161, "AgentActFailed", _W, _AGENT, ("why",))
CLOCK_STEPPED = Event(12162, "ClockStepped", _W, _AGENT, ("step",))
AGENT_CONFIGURATION_REFUSED = Event(12163, "AgentConfigurationRefused", _W, _AGENT, ("file", "why"))
NOTICE_NOT_DELIVERED = Event(12164, "NoticeNotDelivered", _W, _AGENT, ("way", "why"))
LOG_UNAVAILABLE = Event(12165, "LogUnavailable", _W, _AGENT, ("log", "why"))
ADVICE_ACKNOWLEDGED = Event(12170, "AdviceAcknowledged", _I, _AGENT, ("rule", "until", "reason"))
FLOW_STAGE_SLOW = Event(12180, "FlowStageSlow", _W, _SEND, ("endpoint", "stage", "took", "limit"))
FLOW_SESSION_BROKE = Event(12181, "FlowSessionBroke", _E, _SEND, ("endpoint", "stage", "why"))
FLOW_REFUSED = Event(12182, "FlowRefused", _E, _SEND, ("endpoint", "stage", "reply"))
FLOW_NOT_ARRIVED = Event(12183, "FlowNotArrived", _W, _SEND, ("message", "within"))
FLOW_NO_ROUTE = Event(12184, "FlowNoRoute", _E, _SEND, ("to",))

CATALOG: tuple[Event, ...] = (
    PEER_NOT_TRUSTED_INBOUND, PEER_NOT_TRUSTED_OUTBOUND,
    CERTIFICATE_MISSING, NOT_IN_STORE, STARTTLS_NOT_IN_STORE, EXPIRED, STARTTLS_EXPIRED, EXPIRES_SOON,
    STARTTLS_EXPIRES_SOON, PEER_EXPIRED, PEER_STARTTLS_EXPIRED, CORRUPTED, FALLBACK_TO_NAME,
    FALLBACK_TO_EPHEMERAL,
    REPLICATING, REPLICA_BEHIND, REPLICA_UNREADABLE, PRESENTED_NOT_PUBLISHED, PRESENTED_NOT_CURRENT,
    STRANGER_PUBLISHED, KEY_SHARED, NO_SUCCESSOR, ROTATION_BLOCKED, REPLICA_WENT_BACK, SNAPSHOT_STALE,
    WEAK_KEY, NAMES_DIFFER, KEY_EXPOSED, SERVER_UNREACHABLE, TLS_NOT_OFFERED, CLIENT_CERTIFICATE_NOT_ASKED,
    AUTHORITY_PUBLISHED,
    POSTFIX_LISTENER_MISSING, POSTFIX_ASKS_AUTHORITY, CERTIFICATE_DOES_NOT_DECIDE, GAP_BOUNCES,
    POLICY_KEY_UNMATCHED, NEXT_HOP_BYPASSES_HUB, NEXT_HOP_WITHOUT_POLICY, DIGEST_DIFFERS, SESSION_CACHE_KEEPS,
    CHAIN_UNUSABLE, EXPIRED_PIN_ACCEPTED, POSTFIX_TABLE_UNUSABLE, POSTFIX_TABLE_EXPOSED,
    HUB_TRANSPORT_MISSING, HUB_TRANSPORT_FAILS_OPEN, POSTFIX_READS_ELSEWHERE, AUTHORITIES_HINTED,
    SNAPSHOT_NOT_SAVED, KEYS_KEPT,
    AGENT_PART_STOPPED, AGENT_ACT_FAILED, CLOCK_STEPPED, AGENT_CONFIGURATION_REFUSED,
    NOTICE_NOT_DELIVERED, LOG_UNAVAILABLE,
    ADVICE_ACKNOWLEDGED,
    FLOW_STAGE_SLOW, FLOW_SESSION_BROKE, FLOW_REFUSED, FLOW_NOT_ARRIVED, FLOW_NO_ROUTE,
)  # fmt: skip

BY_CODE = {event.code: event for event in CATALOG}

"""
What a directory answers when it is done: a number (RFC 4511 appendix A), and what it means in plain words.

The number is the answer; the server's own text beside it is a diagnosis for people and differs between
servers and versions.  A number that we do not know is an answer all the same.
"""

from __future__ import annotations

from enum import IntEnum


class Code(IntEnum):
    """The results that the standards define."""

    SUCCESS = 0
    OPERATIONS_ERROR = 1
    PROTOCOL_ERROR = 2
    TIME_LIMIT_EXCEEDED = 3
    SIZE_LIMIT_EXCEEDED = 4
    COMPARE_FALSE = 5
    COMPARE_TRUE = 6
    AUTH_METHOD_NOT_SUPPORTED = 7
    STRONGER_AUTH_REQUIRED = 8
    REFERRAL = 10
    ADMIN_LIMIT_EXCEEDED = 11
    UNAVAILABLE_CRITICAL_EXTENSION = 12
    CONFIDENTIALITY_REQUIRED = 13
    SASL_BIND_IN_PROGRESS = 14
    NO_SUCH_ATTRIBUTE = 16
    UNDEFINED_ATTRIBUTE_TYPE = 17
    INAPPROPRIATE_MATCHING = 18
    CONSTRAINT_VIOLATION = 19
    ATTRIBUTE_OR_VALUE_EXISTS = 20
    INVALID_ATTRIBUTE_SYNTAX = 21
    NO_SUCH_OBJECT = 32
    ALIAS_PROBLEM = 33
    INVALID_DN_SYNTAX = 34
    ALIAS_DEREFERENCING_PROBLEM = 36
    INAPPROPRIATE_AUTHENTICATION = 48
    INVALID_CREDENTIALS = 49
    INSUFFICIENT_ACCESS_RIGHTS = 50
    BUSY = 51
    UNAVAILABLE = 52
    UNWILLING_TO_PERFORM = 53
    LOOP_DETECT = 54
    NAMING_VIOLATION = 64
    OBJECT_CLASS_VIOLATION = 65
    NOT_ALLOWED_ON_NON_LEAF = 66
    NOT_ALLOWED_ON_RDN = 67
    ENTRY_ALREADY_EXISTS = 68
    OBJECT_CLASS_MODS_PROHIBITED = 69
    AFFECTS_MULTIPLE_DSAS = 71
    OTHER = 80
    CANCELED = 118
    NO_SUCH_OPERATION = 119
    TOO_LATE = 120
    CANNOT_CANCEL = 121
    ASSERTION_FAILED = 122
    AUTHORIZATION_DENIED = 123
    E_SYNC_REFRESH_REQUIRED = 4096


def in_words(code: int) -> str:
    """What the number means, to stand behind "the directory answered": ``49 (wrong name or password)``."""
    words = _WORDS.get(code)
    return f"{code} ({words})" if words else f"{code}, which no standard defines"


_WORDS: dict[int, str] = {
    Code.SUCCESS: "done",
    Code.OPERATIONS_ERROR: "not now, in this order; often: sign in first",
    Code.PROTOCOL_ERROR: "the request was not understood",
    Code.TIME_LIMIT_EXCEEDED: "the server's time limit was reached",
    Code.SIZE_LIMIT_EXCEEDED: "there are more entries than the server gives at once",
    Code.COMPARE_FALSE: "compared, and different",
    Code.COMPARE_TRUE: "compared, and equal",
    Code.AUTH_METHOD_NOT_SUPPORTED: "the server does not sign in accounts this way",
    Code.STRONGER_AUTH_REQUIRED: "the server wants encryption or signing first",
    Code.REFERRAL: "another server must be asked",
    Code.ADMIN_LIMIT_EXCEEDED: "a limit set by the administrator was reached",
    Code.UNAVAILABLE_CRITICAL_EXTENSION: "the server does not know a control that we need",
    Code.CONFIDENTIALITY_REQUIRED: "the server wants encryption first",
    Code.SASL_BIND_IN_PROGRESS: "signing in goes on",
    Code.NO_SUCH_ATTRIBUTE: "the attribute or the value is not there",
    Code.UNDEFINED_ATTRIBUTE_TYPE: "the server's schema does not have this attribute",
    Code.INAPPROPRIATE_MATCHING: "this attribute cannot be searched this way",
    Code.CONSTRAINT_VIOLATION: "a rule of the directory forbids this value",
    Code.ATTRIBUTE_OR_VALUE_EXISTS: "the value is there already",
    Code.INVALID_ATTRIBUTE_SYNTAX: "the value is not of the attribute's kind",
    Code.NO_SUCH_OBJECT: "no such entry, or no right to see it",
    Code.ALIAS_PROBLEM: "an alias leads nowhere",
    Code.INVALID_DN_SYNTAX: "the entry's name is malformed",
    Code.ALIAS_DEREFERENCING_PROBLEM: "an alias may not be followed",
    Code.INAPPROPRIATE_AUTHENTICATION: "the entry has no password to sign in with",
    Code.INVALID_CREDENTIALS: "wrong name or password",
    Code.INSUFFICIENT_ACCESS_RIGHTS: "this account has no right to do that",
    Code.BUSY: "the server is busy",
    Code.UNAVAILABLE: "the server is shutting down or a part of it is away",
    Code.UNWILLING_TO_PERFORM: "the server is not willing to do that",
    Code.LOOP_DETECT: "the server met a loop",
    Code.NAMING_VIOLATION: "no entry may have that name in that place",
    Code.OBJECT_CLASS_VIOLATION: "the entry's classes do not allow that",
    Code.NOT_ALLOWED_ON_NON_LEAF: "the entry has others below it",
    Code.NOT_ALLOWED_ON_RDN: "the value is part of the entry's name",
    Code.ENTRY_ALREADY_EXISTS: "the entry is there already",
    Code.OBJECT_CLASS_MODS_PROHIBITED: "the entry's class cannot be changed",
    Code.AFFECTS_MULTIPLE_DSAS: "it would take several servers at once",
    Code.OTHER: "an error that the server does not name",
    Code.CANCELED: "cancelled, as we asked",
    Code.NO_SUCH_OPERATION: "there was nothing to cancel",
    Code.TOO_LATE: "too late to cancel",
    Code.CANNOT_CANCEL: "it cannot be cancelled",
    Code.ASSERTION_FAILED: "the entry was changed in between",
    Code.AUTHORIZATION_DENIED: "this account may not act for the other",
    Code.E_SYNC_REFRESH_REQUIRED: "too much has changed; everything must be read again",
}

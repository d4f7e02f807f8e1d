"""What stands in the way of a delivery, in words that hold for every way over TLS."""

from __future__ import annotations

import http.client
import smtplib
import ssl
from pathlib import Path

from mailtrust.errors import NotDelivered


def believing(ca_file: Path | None) -> ssl.SSLContext:
    """TLS that believes these authorities, or the system's.  Raises: NotDelivered."""
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise NotDelivered(f"the file {ca_file} cannot be read") from error


def why(error: Exception) -> str:
    """Why a connection came to nothing."""
    match error:
        case TimeoutError():
            return "the time was over"
        case ssl.SSLCertVerificationError():
            return f"its certificate is not believed ({error.verify_message})"
        case OSError() if error.strerror:
            return error.strerror.lower()
        case http.client.RemoteDisconnected() | smtplib.SMTPServerDisconnected():
            return "it hung up, or the time was over"
        case _:
            return type(error).__name__

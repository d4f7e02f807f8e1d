"""A notice by HTTP: posted as JSON, and never followed anywhere else."""

from __future__ import annotations

import hashlib
import hmac
import http.client
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from urllib.parse import SplitResult, urlsplit

import mailtrust
from mailtrust.config.outgoing import Webhook
from mailtrust.errors import NotDelivered
from mailtrust.notices.deadline import cut_after
from mailtrust.notices.faults import believing, why
from mailtrust.notices.notice import Notice, secret

SIGNATURE, NUMBER = "X-Mailtrust-Signature", "X-Mailtrust-Notice"
_MAY_PASS = (408, 425, 429)
"""Of the answers from 400 to 499, those that another time may be others."""


def post(webhook: Webhook, notice: Notice, timeout: timedelta) -> str:
    """Post it; what was answered.  Raises: NotDelivered, without the URL's path: that may be a secret."""
    parts = urlsplit(webhook.url)
    body = notice.text.encode()
    headers = dict(_headers(webhook, notice, body))
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    with closing(_connection(parts, webhook, timeout)) as connection:
        try:
            with cut_after(timeout, lambda: connection.sock):
                connection.request("POST", path, body, headers)
                with connection.getresponse() as answer:
                    status = answer.status
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise NotDelivered(f"{parts.hostname} did not answer: {why(error)}") from error
    if 200 <= status < 300:
        return f"{parts.hostname} answered {status}"
    is_final = 300 <= status < 500 and status not in _MAY_PASS
    raise NotDelivered(f"{parts.hostname} answered {status}", is_final=is_final)


def _headers(webhook: Webhook, notice: Notice, body: bytes) -> Iterator[tuple[str, str]]:
    yield "Content-Type", "application/json"
    yield "User-Agent", f"mailtrust/{mailtrust.__version__}"
    yield NUMBER, notice["notice"]
    if webhook.bearer_file is not None:
        token = secret(webhook.bearer_file)
        if not token.isascii():
            raise NotDelivered(f"the first line of {webhook.bearer_file} is no token")
        yield "Authorization", f"Bearer {token}"
    if webhook.hmac_file is not None:
        digest = hmac.new(secret(webhook.hmac_file).encode(), body, hashlib.sha256).hexdigest()
        yield SIGNATURE, f"sha256={digest}"


def _connection(parts: SplitResult, webhook: Webhook, timeout: timedelta) -> http.client.HTTPConnection:
    host, seconds = parts.hostname or "", timeout.total_seconds()
    if parts.scheme == "http":
        return http.client.HTTPConnection(host, parts.port or 80, timeout=seconds)
    context = believing(webhook.ca_file)
    return http.client.HTTPSConnection(host, parts.port or 443, timeout=seconds, context=context)

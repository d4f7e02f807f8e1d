"""
Who may ask, and what: everything a request has to pass before a page sees it.

On loopback whoever is on this machine may read. Anywhere else a token is asked for, or the header of a
reverse proxy that has asked who it is. A page of somebody else's in the same browser must not read ours by
giving its own name our address (DNS rebinding), so only names that we know are answered.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), interest-cohort=()",
    "Cache-Control": "no-store",
}
"""On every answer, also on a refusal."""

_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_LONGEST_TARGET = 2000
_FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host")


@dataclass(frozen=True, slots=True)
class Access:
    """Who may read."""

    names: frozenset[str] = frozenset()
    """The host names under which the dashboard is known, besides loopback's."""
    token: str = field(default="", repr=False)
    """Asked for where it is not empty: as a Bearer token, or as the password of any name (Basic)."""
    proxy_header: str = ""
    """The header in which a reverse proxy says who asks; without it nothing is answered."""
    proxies: frozenset[str] = frozenset()
    """The addresses from which that header is believed."""

    def refusal(self, scope: Scope) -> tuple[int, str, Mapping[str, str]] | None:
        """Status, sentence and headers of the answer to what may not be asked; None where it may."""
        headers = Headers(scope=scope)
        if scope["method"] not in ("GET", "HEAD"):
            return 405, "The dashboard only reads: GET or HEAD.", {"Allow": "GET, HEAD"}
        if len(scope.get("raw_path", b"")) + len(scope.get("query_string", b"")) > _LONGEST_TARGET:
            return 414, "That address is too long.", {}
        hosts = headers.getlist("host")
        if len(hosts) != 1 or _host(hosts[0]) not in _LOOPBACK_NAMES | self.names:
            return (
                421,
                "This name is not one of the dashboard's; web.names in its configuration lists them.",
                {},
            )
        if headers.get("sec-fetch-site") == "cross-site" and headers.get("sec-fetch-mode") != "navigate":
            return 403, "Pages of other sites cannot read the dashboard.", {}
        return self._stranger(scope, headers)

    def _stranger(self, scope: Scope, headers: Headers) -> tuple[int, str, Mapping[str, str]] | None:
        if self.proxy_header:
            comes_from = (scope.get("client") or ("",))[0]
            if comes_from in self.proxies and headers.get(self.proxy_header, "").strip():
                return None
            if not self.token:
                return 403, "Ask the reverse proxy, which has to say who you are.", {}
        elif any(one in headers for one in _FORWARDED):
            # Else a proxy on this machine would open to the world what is open to this machine.
            return 403, "This came through a proxy, and web.proxy_header does not say which to believe.", {}
        if self.token and not hmac.compare_digest(_shown(headers).encode(), self.token.encode()):
            asking = 'Basic realm="mailtrust: the token is the password", charset="UTF-8"'
            return (
                401,
                "The dashboard asks for its token, as the password of any name.",
                {"WWW-Authenticate": asking},
            )
        return None


class Guard:
    """ASGI middleware: lets through what `Access` allows, and puts HEADERS on every answer."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        refused = self._access.refusal(scope)
        if refused is None:
            await self._app(scope, receive, guarded)
            return
        status, sentence, headers = refused
        answer = PlainTextResponse(f"{sentence}\n", status, headers=dict(headers))
        await answer(scope, receive, guarded)


def is_loopback(host: str) -> bool:
    """True for a name or an address that nobody but this machine reaches."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _host(header: str) -> str:
    """The name in a Host header, without its port."""
    host = header.strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    name, _, port = host.partition(":")
    return name.rstrip(".") if not port or port.isdigit() else ""


def _shown(headers: Headers) -> str:
    scheme, _, value = headers.get("authorization", "").partition(" ")
    match scheme.lower():
        case "bearer":
            return value.strip()
        case "basic":
            try:
                return base64.b64decode(value, validate=True).decode().partition(":")[2]
            except (binascii.Error, UnicodeDecodeError):
                return ""
        case _:
            return ""

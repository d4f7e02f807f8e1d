"""
Who may send what through the hub: the verdict on a peer, turned into replies.

A peer that is not trusted is deferred, never refused: its key may be on its way to our replica, and
then its own queue brings the mail once more.  The reply carries the event's number, so that whoever
reads it in the other server's log can ask `mailtrust explain`.
"""

from __future__ import annotations

from mailtrust.core.events.catalog import PEER_NOT_TRUSTED_INBOUND, SNAPSHOT_STALE
from mailtrust.core.model.certificate import Certificate, Fingerprint, short
from mailtrust.core.model.trust import Trusted, Verdict
from mailtrust.core.sessions import Reason
from mailtrust.smtp.answer import Answer
from mailtrust.smtp.envelope import domain_of
from mailtrust.transports.hub.settings import HubSettings

LOCAL = "local"
LOOPING = Answer(554, "5.4.6", "this message has passed too many servers; it is in a loop")
NO_ROOM = Answer(452, "4.3.1", "the message could not be stored; try again later")
BUSY = Answer(452, "4.3.1", "too much mail at once; try again later")
TOO_MANY_CONNECTIONS = Answer(421, "4.7.0", "too many connections; try again later")
TIMED_OUT = Answer(421, "4.4.2", "waited too long; goodbye")
STOPPING = Answer(421, "4.3.2", "this server is stopping; try again later")


def turned_away(
    verdict: Verdict,
    *,
    encrypted: bool,
    presented: Certificate | None,
    unreadable: Fingerprint | None = None,
    too_old: bool = False,
) -> Answer | None:
    """
    Why this peer may not send; None when its key is published.

    *unreadable* names a certificate that did not parse; *too_old*: nobody is believed by this snapshot.
    """
    if isinstance(verdict, Trusted):
        words = "this server's view of the directory is too old to trust anybody"
        return _deferred(SNAPSHOT_STALE.code, words) if too_old else None
    code = PEER_NOT_TRUSTED_INBOUND.code
    if not encrypted:
        return _deferred(code, "TLS is required, with a certificate that the directory knows")
    if unreadable is not None:
        return _deferred(code, f"the certificate {short(unreadable)} cannot be read")
    if presented is None:
        return _deferred(code, "no certificate was presented; mail is taken from known servers only")
    return _deferred(code, f"nobody publishes the key of certificate {short(presented.fingerprint)}")


def reason_for(
    verdict: Verdict,
    *,
    encrypted: bool,
    presented: Certificate | None,
    unreadable: Fingerprint | None = None,
    too_old: bool = False,
) -> Reason:
    """The same as `turned_away` in a word, whichever mode holds: what is counted."""
    if isinstance(verdict, Trusted):
        return Reason.OLD_VIEW if too_old else Reason.PUBLISHED
    if not encrypted:
        return Reason.NO_TLS
    if unreadable is not None:
        return Reason.UNREADABLE
    return Reason.NO_CERTIFICATE if presented is None else Reason.UNKNOWN_KEY


def hop_of(settings: HubSettings, address: str) -> str:
    """``local``, the next hop as text, or nothing where mail for *address* has no way."""
    domain = domain_of(address)
    if domain == "" or settings.is_local(domain):
        return LOCAL
    route = settings.next_hop(domain)
    return str(route) if route is not None else ""


def trusted_recipient(settings: HubSettings, address: str) -> Answer | None:
    """A trusted peer may send to our domains and along our routes; nobody sends anywhere else."""
    if hop_of(settings, address):
        return None
    return Answer(550, "5.7.1", f"mail for {domain_of(address)} is neither kept here nor passed on")


def reported_recipient(settings: HubSettings, address: str) -> Answer | None:
    """
    In report mode strangers keep what they had, but the route for everything else is not theirs: it
    would make an open relay of a hub that was only asked to watch.
    """
    domain = domain_of(address)
    if domain == "" or settings.is_local(domain) or domain in settings.routes:
        return None
    return Answer(550, "5.7.1", f"mail for {domain} is neither kept here nor passed on for strangers")


def local_recipient(settings: HubSettings, address: str, otherwise: Answer) -> Answer | None:
    """Where anybody may send to our own domains, the rest still hears *otherwise*."""
    return None if hop_of(settings, address) == LOCAL else otherwise


def _deferred(code: int, words: str) -> Answer:
    return Answer(454, "4.7.1", f"{code} {words}")

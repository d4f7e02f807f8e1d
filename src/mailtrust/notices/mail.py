"""
Notices by mail, handed to a smarthost of its own.

Nothing of the trust between the mail servers is used: it is an ordinary submission (RFC 6409), with the TLS
and the account of [notify], and the authorities of the system.
"""

from __future__ import annotations

import smtplib
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from mailtrust.config.outgoing import Mail
from mailtrust.core.model.server import ServerName
from mailtrust.errors import NotDelivered
from mailtrust.notices.deadline import cut_after
from mailtrust.notices.faults import believing, why
from mailtrust.notices.notice import Notice, secret


def send(mail: Mail, server: ServerName, notices: Sequence[Notice], now: datetime, timeout: timedelta) -> str:
    """Hand all of them over as one mail; what was answered.  Raises: NotDelivered."""
    message = composed(mail, server, notices, now)
    at = mail.smarthost
    try:
        with _session(mail, server, timeout) as session, cut_after(timeout, lambda: session.sock):
            if mail.tls == "starttls":
                session.starttls(context=believing(mail.ca_file))
            if mail.user and mail.password_file is not None:
                session.login(mail.user, secret(mail.password_file))
            refused = session.send_message(message)
    except smtplib.SMTPAuthenticationError as error:
        raise NotDelivered(f"{at} does not know that account or password ({error.smtp_code})") from error
    except smtplib.SMTPRecipientsRefused as error:
        worst = max(code for code, _ in error.recipients.values())
        raise NotDelivered(f"{at} refused every recipient ({worst})", is_final=worst >= 500) from error
    except smtplib.SMTPResponseException as error:
        final = error.smtp_code >= 500
        raise NotDelivered(f"{at} refused the mail ({error.smtp_code})", is_final=final) from error
    except smtplib.SMTPNotSupportedError as error:
        lacks = "a way to sign in" if mail.tls != "starttls" else "STARTTLS, or a way to sign in"
        raise NotDelivered(f"{at} does not offer {lacks}") from error
    except (OSError, smtplib.SMTPException) as error:
        raise NotDelivered(f"{at} did not take the mail: {why(error)}") from error
    if refused:
        names = ", ".join(sorted(refused))
        raise NotDelivered(f"{at} took the mail, and refused it for {names}", is_final=True)
    return f"{at} took it for {', '.join(mail.to)}"


def composed(mail: Mail, server: ServerName, notices: Sequence[Notice], now: datetime) -> EmailMessage:
    """The mail: sent again, it is the same one."""
    message = EmailMessage(policy=SMTP)
    message["Subject"] = f"mailtrust {server}: {_subject(notices)}"
    message["From"] = mail.sender
    message["To"] = ", ".join(mail.to)
    message["Date"] = format_datetime(now)
    message["Message-ID"] = f"<{notices[0]['notice']}@{server}>"
    # RFC 3834: no vacation notice comes back, and no loop begins.
    message["Auto-Submitted"] = "auto-generated"
    message["X-Mailtrust-Events"] = ", ".join(dict.fromkeys(one["event"] for one in notices))
    message.set_content("\n\n".join(map(_paragraph, notices)) + "\n", cte="quoted-printable")
    return message


def _subject(notices: Sequence[Notice]) -> str:
    if len(notices) == 1:
        return f"{notices[0]['event']} {notices[0]['state']}: {notices[0]['title']}"
    counts = Counter(one["state"] for one in notices)
    return ", ".join(f"{count} {state}" for state, count in counts.items())


def _paragraph(notice: Notice) -> str:
    lines = [f"{notice['event']} {notice['state']} ({notice['severity']}, {notice['at']})", notice["message"]]
    lines += [notice["explanation"]] if notice["explanation"] else []
    lines += [f"    {notice['action']}"] if notice["action"] else []
    return "\n".join(lines)


class _Session(smtplib.SMTP):
    """Ended without a word where it is over already."""

    def __exit__(self, *args: object) -> None:
        with suppress(OSError, smtplib.SMTPException):
            self.quit()
        self.close()


class _TlsSession(smtplib.SMTP_SSL, _Session):
    pass


def _session(mail: Mail, server: ServerName, timeout: timedelta) -> _Session:
    host, port, seconds = mail.smarthost.host, mail.smarthost.port, timeout.total_seconds()
    if mail.tls == "tls":
        return _TlsSession(
            host, port, local_hostname=server, timeout=seconds, context=believing(mail.ca_file)
        )
    return _Session(host, port, local_hostname=server, timeout=seconds)

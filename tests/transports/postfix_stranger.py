"""A Postfix that somebody else set up, before `postfix setup`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.transports.postfix_desk import PostfixDesk, a_desk

STRANGERS = {
    "mynetworks": "127.0.0.0/8",
    "smtpd_relay_restrictions": "permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination",
    "smtpd_client_restrictions": "permit_mynetworks",
    "smtpd_sender_restrictions": "reject_non_fqdn_sender",
    "smtpd_tls_CAfile": "/etc/ssl/certs/ca-certificates.crt",
    "smtpd_tls_fingerprint_digest": "md5",
    "smtp_tls_session_cache_database": "btree:${data_directory}/smtp_scache",
}


@pytest.fixture
def desk(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[PostfixDesk]:
    monkeypatch.setenv("LANG", "en_US.UTF-8")
    with a_desk(capsys, main=STRANGERS) as one:
        yield one


@pytest.fixture
def running(desk: PostfixDesk) -> Iterator[PostfixDesk]:
    try:
        desk.one.start()
        yield desk
    finally:
        desk.one.stop()

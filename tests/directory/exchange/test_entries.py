"""Entries of servers and connectors, as Exchange of any age writes them, and as nobody should."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailtrust.core.exchange.facts import Connector, Direction, Role
from mailtrust.directory.exchange_entries import (
    CONNECTOR_ATTRIBUTES,
    SERVER_ATTRIBUTES,
    connector,
    dn_of,
    server,
)
from mailtrust.ldap.responses import Entry

MBX1 = "CN=MBX1,CN=Servers,CN=Corp"
RECEIVES = f"CN=Relay,CN=SMTP Receive Connectors,CN=Protocols,{MBX1}"
SENDS = "CN=Out,CN=Connections,CN=Corp"
OWNERS = {dn_of(MBX1).key: "MBX1"}


def an_entry(dn: str, **attributes: bytes | tuple[bytes, ...]) -> Entry:
    return Entry(dn, {key: one if isinstance(one, tuple) else (one,) for key, one in attributes.items()})


def read(dn: str, **attributes: bytes | tuple[bytes, ...]) -> Connector:
    found = connector(an_entry(dn, **attributes), OWNERS)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("dn", "attributes", "direction"),
    [
        (RECEIVES, {"objectClass": (b"top", b"msExchSmtpReceiveConnector")}, Direction.RECEIVE),
        (
            RECEIVES,
            {"objectClass": b"aNew", "msExchSMTPReceiveConnectorFQDN": b"a"},
            Direction.RECEIVE,
        ),
        (RECEIVES, {"msExchSmtpTLSCertificate": b"<I>CN=a<S>CN=b"}, Direction.RECEIVE),
        (SENDS, {"objectClass": b"msExchRoutingSMTPConnector"}, Direction.SEND),
        (SENDS, {"objectClass": b"aNew", "msExchSMTPSendConnectorFQDN": b"a"}, Direction.SEND),
    ],
)
def test_a_connector_is_known_by_its_class_or_by_what_only_connectors_have(
    dn: str, attributes: dict[str, bytes], direction: Direction
) -> None:
    assert read(dn, **attributes).direction is direction


def test_what_is_missing_is_not_known_and_not_empty() -> None:
    bare = read(RECEIVES, objectClass=b"msExchSmtpReceiveConnector")

    assert (bare.bindings, bare.remote_ranges, bare.auth, bare.enabled) == (None, None, None, None)
    assert (bare.fqdn, bare.tls_certificate_name) == ("", "")


def test_no_mechanism_at_all_is_known_to_be_none() -> None:
    none = read(
        RECEIVES,
        objectClass=b"msExchSmtpReceiveConnector",
        msExchSMTPReceiveInboundSecurityFlag=b"0",
        msExchSmtpReceiveEnabled=b"FALSE",
    )

    assert (none.auth, none.enabled) == (frozenset(), False)


def test_a_part_of_the_ranges_is_not_taken_for_all_of_them() -> None:
    """Active Directory gives the first 1500 of very many, under a name of their own."""
    part = Entry(
        RECEIVES,
        {
            "objectClass": (b"msExchSmtpReceiveConnector",),
            "msExchSmtpReceiveRemoteIPRanges;range=0-1499": (b"192.0.2.1",),
        },
    )

    found = connector(part, OWNERS)

    assert found is not None
    assert found.remote_ranges is None


def test_a_receive_connector_of_nobody_known_is_left_out() -> None:
    elsewhere = an_entry("CN=Relay,CN=MBX9,CN=Corp", objectClass=b"msExchSmtpReceiveConnector")
    of_no_kind = an_entry("CN=Global,CN=Corp", msExchSmtpTLSCertificate=b"<I>CN=a<S>CN=b")

    assert connector(elsewhere, OWNERS) is None
    assert connector(of_no_kind, OWNERS) is None


def test_a_server_is_the_one_where_a_connector_stands_and_none_that_it_names() -> None:
    found = read(RECEIVES.replace("CN=MBX1", "cn=mbx1"), objectClass=b"msExchSmtpReceiveConnector")

    assert (found.name, found.servers) == ("MBX1\\Relay", ("MBX1",))


def test_a_send_connector_may_name_what_stands_below_a_server() -> None:
    found = read(
        SENDS,
        objectClass=b"msExchRoutingSMTPConnector",
        msExchSourceBridgeheadServersDN=(f"CN=1,CN=SMTP,{MBX1}".encode(), b"CN=gone,CN=Corp", b"no name"),
        msExchSmtpSmartHost=b"--",
    )

    assert (found.name, found.servers, found.smart_hosts) == ("Out", ("MBX1",), ("--",))


@pytest.mark.parametrize(
    ("address", "fqdn"),
    [
        ((b"netbios:MBX1", b"ncacn_ip_tcp:MBX1.corp.example"), "mbx1.corp.example"),
        ((b"ncacn_ip_tcp:",), ""),
        ((b"ncacn_ip_tcp:MBX1",), ""),
        ((b"ncacn_ip_tcp:mbx1.corp.example';calc'",), ""),
        ((b"ncacn_ip_tcp:127.0.0.1", b"ncacn_ip_tcp:mbx1.corp.example"), "mbx1.corp.example"),
        ((b"\xff\xfe",), ""),
        ((), ""),
    ],
)
def test_a_servers_full_name_is_a_host_name_or_nothing(address: tuple[bytes, ...], fqdn: str) -> None:
    assert server(an_entry(MBX1, networkAddress=address)).fqdn == fqdn


def test_numbers_of_any_sign_and_size_are_read_or_left_out() -> None:
    roles = {
        text: server(an_entry(MBX1, msExchCurrentServerRoles=text)).roles
        for text in (b"16439", b"-2147483584", b"99999999999999999999999", b"many", b"")
    }

    assert roles[b"16439"] == Role(16439)
    assert Role.EDGE in roles[b"-2147483584"]
    assert {roles[text] for text in (b"99999999999999999999999", b"many", b"")} == {Role.UNKNOWN}


VALUES = st.lists(st.binary(max_size=40), max_size=3).map(tuple)


@given(
    dn=st.text(max_size=30),
    attributes=st.dictionaries(st.sampled_from((*SERVER_ATTRIBUTES, *CONNECTOR_ATTRIBUTES)), VALUES),
)
def test_whatever_stands_there_nothing_is_raised(dn: str, attributes: dict[str, tuple[bytes, ...]]) -> None:
    server(Entry(dn, attributes))
    connector(Entry(f"{dn},{MBX1}", attributes), OWNERS)


def test_no_value_is_longer_than_it_has_reason_to_be() -> None:
    long = b"x" * 1_000_000
    found = read(
        RECEIVES,
        objectClass=b"msExchSmtpReceiveConnector",
        msExchSMTPReceiveConnectorFQDN=long,
        msExchSmtpTLSCertificate=long,
        msExchSmtpReceiveBindings=(long,),
    )

    assert max(len(one) for one in (found.fqdn, found.tls_certificate_name, *(found.bindings or ()))) < 5000

"""An Exchange organization in a real Active Directory, read with an ordinary account."""

from __future__ import annotations

from contextlib import aclosing

import pytest

from mailtrust.core.exchange.facts import Connector, Direction, Role, Version
from mailtrust.core.model.certificate import fingerprint_of
from mailtrust.core.model.replication import Fate
from mailtrust.ldap.requests import Scope, Search
from tests.directory.exchange.reading import at, read, the
from tests.exchange.certificates import internal, serialised
from tests.exchange.organization import EDGE, EVERYBODY, MailServer, Organization
from tests.samba.controller import BRANCH
from tests.samba.fixtures import needs_forest
from tests.samba.forest import ADMINISTRATOR, ORGANIZATION, PATIENCE, Forest

pytestmark = needs_forest
GARBAGE = b"0\x82 this was a certificate once"


@pytest.fixture
def corp(forest: Forest) -> Organization:
    return Organization(forest)


async def test_an_organization_without_servers_is_read_and_says_so(forest: Forest) -> None:
    found = await read(forest)

    assert (found.name, found.dn, found.forest) == ("Corp", ORGANIZATION, "corp.example")
    assert found.servers == ()
    assert [one.phrase for one in found.notes] == ["unseen.servers"]


@pytest.mark.parametrize(("name", "form"), [("MBX1", serialised), ("MBX2", bytes)])
async def test_a_server_is_read_with_what_it_publishes_on_each_controller(
    corp: Organization, forest: Forest, name: str, form: type[bytes]
) -> None:
    leaf = internal(name).certificate
    await corp.add(mbx := MailServer(name, form(leaf.der)))

    found = await read(forest)

    server = the(name, found)
    assert (server.fqdn, server.dn) == (mbx.host, mbx.dn)
    assert (server.site, server.version) == ("Default-First-Site-Name", Version(15, 2, 1544, 1))
    assert Role.HUB_TRANSPORT in server.roles
    for controller in forest.controllers:
        [published] = at(controller, server).found or ()
        assert published.certificate == leaf
        assert published.stamp == server.written[controller.url]
        assert published.published_at == published.stamp.written_at


async def test_the_controllers_are_read_with_what_they_have_seen(corp: Organization, forest: Forest) -> None:
    await corp.add(MailServer("MBX3", internal("MBX3").certificate.der))

    found = await read(forest, forest.dc2.url)

    assert [(one.name, one.url, one.site) for one in found.controllers] == [
        ("dc1.corp.example", forest.dc1.url, "Default-First-Site-Name"),
        ("dc2.corp.example", forest.dc2.url, "Default-First-Site-Name"),
    ]
    assert all(one.readable and one.in_site and one.writer for one in found.controllers)
    [stamp] = {the("MBX3", found).written[one.url] for one in found.controllers}
    assert stamp is not None
    for one in found.controllers:
        assert one.seen[stamp.writer] >= stamp.number
    assert all(look.latencies for look in the("MBX3", found).published)


async def test_what_was_never_written_is_told_from_what_was_taken_out(
    corp: Organization, forest: Forest
) -> None:
    await corp.add(never := MailServer("NEVER"), gone := MailServer("GONE", internal("GONE").certificate.der))
    await corp.write(gone, None)
    corp.replicate()

    found = await read(forest)

    for controller in forest.controllers:
        for server in (never, gone):
            look = at(controller, the(server.name, found))
            assert (look.found, look.unparsable) == ((), ())
        assert the("NEVER", found).written[controller.url] is None
        stamp = the("GONE", found).written[controller.url]
        assert stamp is not None
        assert stamp.version == 2


async def test_a_value_that_is_no_certificate_is_named_by_its_digest(
    corp: Organization, forest: Forest
) -> None:
    await corp.add(MailServer("BROKEN", GARBAGE), MailServer("HUGE", b"\x30\x82" + bytes(1_000_000)))

    found = await read(forest)

    for controller in forest.controllers:
        look = at(controller, the("BROKEN", found))
        [spoilt] = look.unparsable
        assert look.found == ()
        assert (spoilt.digest, spoilt.size_bytes) == (fingerprint_of(GARBAGE), len(GARBAGE))
        [huge] = at(controller, the("HUGE", found)).unparsable
        assert huge.size_bytes == 1_000_002


async def test_what_stands_on_one_controller_alone_is_late_on_the_other(
    corp: Organization, forest: Forest
) -> None:
    await corp.add(mbx := MailServer("LATE"))
    leaf = internal("LATE").certificate
    forest.dc2.pause()
    await corp.write(mbx, serialised(leaf.der))

    found = the("LATE", await read(forest))
    forest.dc2.resume()
    corp.replicate()

    [published] = at(forest.dc1, found).found or ()
    lacking = at(forest.dc2, found)
    assert lacking.found == ()
    assert lacking.fate_of(published.stamp) is Fate.LATE
    assert found.written[forest.dc2.url] is None


async def test_a_server_that_has_not_arrived_at_a_controller_has_nothing_there(
    corp: Organization, forest: Forest
) -> None:
    forest.dc2.pause()
    await corp.add(MailServer("NEW", internal("NEW").certificate.der), replicate=False)

    found = the("NEW", await read(forest, forest.dc2.url))
    forest.dc2.resume()
    corp.replicate()

    [published] = at(forest.dc1, found).found or ()
    assert at(forest.dc2, found).found == ()
    assert at(forest.dc2, found).fate_of(published.stamp) is Fate.LATE
    assert found.fqdn == "new.corp.example"
    # The entry is not there to tell.
    assert forest.dc2.url not in found.written


async def test_connectors_are_read_under_the_names_that_cmdlets_take(
    corp: Organization, forest: Forest
) -> None:
    one, two = MailServer("HUB1"), MailServer("HUB2")
    await corp.add(one, two)
    named = "<I>CN=Public CA<S>CN=mail.corp.example"
    await corp.receive(one, "Default Frontend HUB1", rest={"msExchSmtpTLSCertificate": named})
    smart_hosts = {"msExchSmtpSmartHost": "relay.example;[192.0.2.1]"}
    await corp.send("To the Internet", one, two, rest=smart_hosts)

    found = {each.name: each for each in (await read(forest)).connectors}

    assert found["HUB1\\Default Frontend HUB1"] == Connector(
        Direction.RECEIVE,
        "HUB1\\Default Frontend HUB1",
        ("HUB1",),
        f"CN=Default Frontend HUB1,CN=SMTP Receive Connectors,CN=Protocols,{one.dn}",
        "hub1.corp.example",
        named,
        ("0.0.0.0:25", "[::]:25"),
        EVERYBODY,
        frozenset({"Tls", "Integrated", "BasicAuth", "BasicAuthRequireTLS", "ExchangeServer"}),
        enabled=True,
    )
    sends = found["To the Internet"]
    assert (sends.direction, set(sends.servers)) == (Direction.SEND, {"HUB1", "HUB2"})
    assert sends.smart_hosts == ("relay.example", "[192.0.2.1]")
    assert (sends.bindings, sends.auth) == (None, None)


async def test_an_edge_is_known_by_its_role_and_the_site_that_it_is_subscribed_to(
    corp: Organization, forest: Forest
) -> None:
    rest = {"msExchCurrentServerRoles": str(EDGE), "msExchServerSite": BRANCH}
    await corp.add(MailServer("EDGE1", internal("EDGE1").certificate.der, rest))

    before = the("EDGE1", await read(forest))
    await corp.add(MailServer("SYNCS", rest={"msExchEdgeSyncCredential": (b"\x01", b"\x02")}))
    after = await read(forest)

    assert before.is_edge
    assert before.site == "Branch"
    # Nobody's credentials were to be seen, and that may be for want of a right.
    assert before.takes_part_in_edgesync is None
    assert the("SYNCS", after).takes_part_in_edgesync is True
    assert the("EDGE1", after).takes_part_in_edgesync is False


async def test_a_server_that_tells_little_is_read_as_far_as_it_tells(
    corp: Organization, forest: Forest
) -> None:
    silent = {
        "networkAddress": ("ncacn_ip_tcp:not a name!", "netbios:BARE"), "serialNumber": None,
        "versionNumber": None, "msExchCurrentServerRoles": None, "msExchServerSite": None,
    }  # fmt: skip
    await corp.add(MailServer("BARE", rest=silent))

    found = the("BARE", await read(forest))

    assert (found.fqdn, found.server, found.version, found.site) == ("", "bare", None, "")
    assert found.roles is Role.UNKNOWN
    assert found.has_transport


async def test_reading_writes_nothing_and_whoever_reads_could_not(corp: Organization, forest: Forest) -> None:
    await corp.add(MailServer("READ", internal("READ").certificate.der))
    before = await numbers(forest)

    await read(forest)

    assert await numbers(forest) == before


async def numbers(forest: Forest) -> dict[str, tuple[bytes, ...]]:
    """The number of the last change of everything that Exchange has in the directory."""
    found = {}
    for controller in forest.controllers:
        search = Search(ORGANIZATION, Scope.SUBTREE, attributes=("uSNChanged",))
        async with (
            await forest.wire(ADMINISTRATOR, controller) as wire,
            aclosing(wire.stream(search, timeout=PATIENCE)) as entries,
        ):
            found |= {f"{controller.name} {one.name}": one.values("uSNChanged") async for one in entries}
    return found

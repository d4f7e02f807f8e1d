"""What stands for a server in the directory: nothing, garbage, or somebody else's key."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from mailtrust.core.checks import Verdict
from mailtrust.core.exchange.facts import EdgeSubscription, Role, Version
from mailtrust.core.exchange.judgement import Outcome, Shell
from mailtrust.core.model.event import Severity
from tests.core.exchange.audited import (
    audited,
    codes,
    commands,
    explained,
    phrases,
    risks,
    routes,
    ruled_out,
    steps,
    the,
)
from tests.forest import (
    DC1,
    DC2,
    GARBAGE,
    a_dead_wire,
    a_server,
    a_stamp,
    an_organization,
    an_unread_look,
    collected,
    everywhere,
    in_memory,
    its_own,
    nowhere_written,
    public,
    stored,
    with_store,
)
from tests.make import NOON

EMPTY = everywhere(None)
NEVER = nowhere_written()
EDGE = a_server("EDGE1", roles=Role.EDGE)
TAKEN_OUT = {one.url: a_stamp(version=2, age=timedelta(days=1)) for one in (DC1, DC2)}


def test_never_published_and_nothing_presented_is_not_enabled() -> None:
    found = the(12012, audited(a_server(at=EMPTY, stamps=NEVER, presents=None), a_server("MBX2")))

    assert found.finding.cause == "not-enabled"
    assert phrases(found) == ["proof.never-written", "proof.not-offered"]
    assert ruled_out(found) == {"not-written": "ruled.never-written", "overdue": "ruled.nowhere"}
    assert routes(found) == ["route.silent-in", "route.silent-out", "route.no-edge"]
    assert steps(found) == ["step.look-by-name", "step.make-new"]
    assert commands(found)[0].startswith(
        "Get-ExchangeCertificate -Server MBX1 -DomainName mbx1.corp.example |"
    )
    assert risks(found) == ["risk.no-edge"]


def test_taken_out_again_is_not_written_with_when_and_where() -> None:
    found = the(12012, audited(a_server(at=EMPTY, stamps=TAKEN_OUT, presents=None)))

    assert found.finding.cause == "not-written"
    assert found.finding.since == NOON - timedelta(days=1)
    assert phrases(found)[0] == "proof.taken-out"
    assert found.finding.evidence[0].values["writer"] == "dc1 (HQ)"
    assert ruled_out(found) == {"not-enabled": "ruled.written", "overdue": "ruled.nowhere"}


def test_a_writer_that_is_gone_is_named_by_its_number() -> None:
    stamps = {one.url: a_stamp(writer="c3") for one in (DC1, DC2)}

    found = the(12012, audited(a_server(at=EMPTY, stamps=stamps, presents=None)))

    assert found.finding.evidence[0].values["writer"] == "c3"


def test_presented_though_never_published_leaves_the_cause_open() -> None:
    """Who presents one has one: that nobody ever enabled it would explain nothing."""
    audit = audited(a_server(at=EMPTY, stamps=NEVER), EDGE)

    found = the(12012, audit)
    assert found.finding.cause is None
    assert found.cause is not None
    assert found.cause.phrase == "cause.open"
    assert ruled_out(found)["not-enabled"] == "ruled.presented"
    assert explained(audit) == [(12023, 12012)]
    assert routes(found) == ["route.edge-in", "route.edge-out"]


def test_where_stamps_may_not_be_read_the_cause_is_open() -> None:
    silent = replace(a_server(at=EMPTY, stamps=NEVER, presents=None), written={})

    found = the(12012, audited(silent))

    assert found.finding.cause is None
    assert phrases(found) == ["proof.empty", "proof.not-offered"]


def test_a_controller_that_could_not_be_read_leaves_the_cause_open() -> None:
    """It may hold what the other never got."""
    server = a_server(at=EMPTY, stamps=NEVER, presents=None)
    half = replace(server, published=(server.published[0], an_unread_look("MBX1", DC2)))

    found = the(12012, audited(half))

    assert found.finding.cause is None
    assert "proof.unread" in phrases(found)


def test_a_store_without_a_fitting_certificate_is_no_certificate() -> None:
    server = with_store(
        a_server(at=EMPTY, stamps=NEVER, presents=None),
        stored(public()),
        stored(its_own("MBX1"), has_key=False),
        stored(its_own("MBX1", key="old", life=timedelta(days=10), age=timedelta(days=20))),
        stored(its_own("MBX1", key="ec", kind="p256")),
    )

    found = the(12012, audited(server))

    assert found.finding.cause == "no-certificate"
    assert "proof.store-has-none" in phrases(found)
    assert steps(found) == ["step.make-new"]


def test_a_fitting_certificate_of_the_store_is_enabled_by_its_thumbprint() -> None:
    """Its own before a CA's, the longest to live first."""
    own = its_own("MBX1")
    server = with_store(
        a_server(at=EMPTY, stamps=NEVER, presents=None),
        stored(public("mbx1.corp.example", life=timedelta(days=4000))),
        stored(own),
        stored(its_own("MBX1", key="shorter", life=timedelta(days=800))),
    )

    found = the(12012, audited(server))

    assert found.finding.cause == "not-enabled"
    assert ruled_out(found)["no-certificate"] == "ruled.stored"
    assert found.finding.action == (
        f"Enable-ExchangeCertificate -Server MBX1 -Thumbprint '{own.thumbprint.upper()}' -Services SMTP "
        "-DomainController dc1.corp.example"
    )


def test_what_the_server_itself_reads_counts_where_no_directory_was_read() -> None:
    seen = collected("MBX1", stored(its_own("MBX1")), internal_thumbprint="")
    alone = replace(a_server(controllers=()), collected=seen, wires=(), published=())

    found = the(12012, audited(alone, controllers=(), dn=""))

    assert found.finding.cause is None
    assert phrases(found) == ["proof.reads-nothing", "proof.store-has"]
    assert risks(found) == ["risk.edge-unknown"]
    assert ruled_out(found) == {"no-certificate": "ruled.stored"}


def test_an_edge_that_only_the_server_told_of_is_remembered() -> None:
    seen = collected("MBX1", internal_thumbprint="", edge_subscriptions=(EdgeSubscription("EDGE1", "HQ"),))
    alone = replace(a_server(controllers=()), collected=seen, wires=(), published=())

    found = the(12012, audited(alone, controllers=(), dn=""))

    assert found.finding.cause == "no-certificate"
    assert risks(found) == ["risk.edge-window"]
    assert "route.silent-edge" in routes(found)


def test_who_was_not_seen_silent_may_yet_refuse() -> None:
    server = a_server(at=EMPTY, stamps=NEVER, wires=(a_dead_wire("MBX1", "X-ANONYMOUSTLS"),))

    found = the(12012, audited(server, a_server("MBX2")))

    assert found.finding.cause == "not-enabled"
    assert routes(found)[0] == "route.silent-in-unseen"
    assert found.routes[0].outcome is Outcome.UNSURE


def test_an_edge_without_a_certificate_is_subscribed_anew() -> None:
    edge = a_server("EDGE1", roles=Role.EDGE, at=EMPTY, stamps=NEVER)

    found = the(12012, audited(edge, a_server()), "edge1")

    assert found.said.phrase == "finding.missing-edge"
    assert found.finding.cause is None
    assert steps(found)[0] == "step.export-subscription"
    assert "-DomainController" not in (found.finding.action or "")


def test_exchange_2007_has_its_commands_typed_on_the_server() -> None:
    """Its cmdlets know no -Server."""
    old = a_server(at=EMPTY, stamps=NEVER, presents=None, version=Version(8, 3, 83), roles=Role.HUB_TRANSPORT)

    found = the(12012, audited(old))

    assert {step.shell for step in found.steps} == {Shell.THERE}
    assert "-Server" not in (found.finding.action or "")


def test_edgesync_needs_the_old_key_to_take_the_new_one() -> None:
    missing = a_server(at=EMPTY, stamps=TAKEN_OUT, presents=None, takes_part_in_edgesync=True)

    found = the(12012, audited(missing, EDGE))

    assert risks(found) == ["risk.edge-window", "risk.edgesync-lost"]
    assert "route.edgesync" in routes(found)
    assert commands(found)[-2:] == ["Start-EdgeSynchronization", "Test-EdgeSynchronization"]


def test_an_edge_of_another_site_is_not_concerned() -> None:
    far = a_server("EDGE1", roles=Role.EDGE, site="BRANCH")

    found = the(12012, audited(a_server(at=EMPTY, stamps=NEVER, presents=None), far))

    assert routes(found) == ["route.no-edge"]


def test_a_value_that_is_no_certificate_stops_every_refresh() -> None:
    audit = audited(a_server(at=everywhere(GARBAGE), presents=None), EDGE)

    found = the(12022, audit)
    assert routes(found) == ["route.silent-edge", "route.refresh-discarded"]
    assert phrases(found) == ["proof.garbage", "proof.not-offered"]
    assert steps(found) == ["step.look-by-name", "step.make-new", "step.start-edgesync"]
    assert found.finding.place is None
    assert explained(audit) == [(12117, 12022)]


def test_garbage_without_an_edge_breaks_no_trust_of_others() -> None:
    assert routes(the(12022, audited(a_server(at=everywhere(GARBAGE))))) == ["route.no-edge"]


def test_garbage_that_is_being_replaced_is_pulled_away() -> None:
    """The good value is newer: it only has to arrive."""
    stamps = {DC1.url: a_stamp(number=950, version=2, age=timedelta(hours=2)), DC2.url: a_stamp()}
    audit = audited(a_server(at={DC2.url: GARBAGE}, stamps=stamps))

    found = the(12022, audit)
    assert found.finding.place == DC2.url
    assert steps(found) == ["step.pull", "step.pull-samba"]
    assert codes(audit) == [12022, 12102]


def test_garbage_of_an_edge_is_cured_by_a_subscription() -> None:
    found = the(
        12022, audited(a_server("EDGE1", roles=Role.EDGE, at=everywhere(GARBAGE)), a_server()), "edge1"
    )

    assert steps(found)[0] == "step.export-subscription"
    assert routes(found)[0] == "route.to-edge"


def test_a_shared_key_is_the_matter_of_who_is_not_named_by_it() -> None:
    audit = audited(a_server("MBX1", at=everywhere(its_own("MBX2"))), a_server("MBX2"))

    thief, owner = the(12107, audit), the(12107, audit, "mbx2")
    assert (thief.finding.severity, owner.finding.severity) == (Severity.ERROR, Severity.INFORMATION)
    assert steps(thief) == ["step.look-by-name", "step.make-new"]
    assert owner.steps == ()
    assert routes(thief) == ["route.shared"]
    assert explained(audit) == [(12023, 12107), (12114, 12107)]


def test_a_wildcard_for_both_is_the_matter_of_both() -> None:
    wild = its_own("wild", names=("*.corp.example",))
    audit = audited(
        a_server("MBX1", at=everywhere(wild), presents=wild),
        a_server("MBX2", at=everywhere(wild), presents=wild),
    )

    assert [the(12107, audit, one).finding.severity for one in ("mbx1", "mbx2")] == [Severity.ERROR] * 2


def test_an_edge_may_be_taken_for_a_mailbox_server() -> None:
    wild = its_own("wild", names=("*.corp.example",))
    audit = audited(
        a_server("MBX1", at=everywhere(wild), presents=wild),
        a_server("EDGE1", roles=Role.EDGE, at=everywhere(wild), presents=wild),
    )

    assert routes(the(12107, audit)) == ["route.shared-with-edge"]
    edge = the(12107, audit, "edge1")
    assert steps(edge)[:2] == ["step.make-new", "step.export-subscription"]
    assert risks(edge)[0] == "risk.edge-itself"


def test_a_server_in_order_is_left_alone() -> None:
    audit = audited(a_server(), a_server("MBX2"))

    assert audit.judgements == ()
    assert audit.verdict is Verdict.OK


def test_a_public_certificate_and_an_old_signature_are_nothing_to_get_up_for() -> None:
    setup = its_own("MBX1", sha1=True)
    audit = audited(a_server(at=everywhere(setup), presents=setup))

    assert codes(audit) == [12113]
    assert {one.worst for one in audit.judgements} == {Severity.INFORMATION}
    assert audit.verdict is Verdict.OK


def test_who_carries_no_mail_needs_no_certificate() -> None:
    audit = audited(a_server(at=EMPTY, stamps=NEVER, roles=Role.MAILBOX), a_server("MBX2"))

    assert audit.judgements == ()


def test_keys_are_compared_with_everybodys_also_where_few_are_judged() -> None:
    organization = an_organization(a_server("MBX1", at=everywhere(its_own("MBX2"))), a_server("MBX2"))
    audit = audited(organization=organization, scope=("mbx1",))

    assert [one.finding.server for one in audit.judgements] == ["mbx1.corp.example"]
    assert the(12107, audit).finding.values["others"] == "MBX2"


def test_nothing_read_is_never_green() -> None:
    server = a_server()
    blind = replace(server, published=tuple(an_unread_look("MBX1", one) for one in (DC1, DC2)))

    assert audited(blind).verdict is Verdict.UNKNOWN
    assert audited().verdict is Verdict.UNKNOWN


def test_in_memory_is_not_what_is_published() -> None:
    memory = in_memory("MBX1")

    assert codes(audited(a_server(at=EMPTY, stamps=TAKEN_OUT, presents=memory))) == [12012]

"""Postfix's queue: what `postqueue -j` prints, read, and a real one with its next hops."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from mailtrust.core.why import Complaint, Waiting
from mailtrust.errors import TransportUnavailable
from mailtrust.transports.postfix.queue import Lifetimes, address, answer, queued, waiting
from mailtrust.transports.postfix.queue_read import next_hops, postfix_queue
from tests import postfix
from tests.loopback import LOOPBACK, free_port
from tests.make import HUB1, HUB2

ARRIVED = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
SAID = (
    "host 192.0.2.2[192.0.2.2] said: 454 4.7.1 1036 no certificate was presented"
    " (in reply to RCPT TO command)"
)


def line(*recipients: dict[str, str], **more: object) -> str:
    given = {
        "queue_name": "deferred", "queue_id": "4XyZ", "arrival_time": int(ARRIVED.timestamp()),
        "message_size": 309, "sender": "ann@example.test", "recipients": list(recipients),
    }  # fmt: skip
    return json.dumps({**given, **more})


def to(recipient: str, reason: str = "") -> dict[str, str]:
    return {"address": recipient, **({"delay_reason": reason} if reason else {})}


def read(*lines: str, hop: str = "[192.0.2.2]:25") -> tuple[Waiting, ...]:
    return waiting(queued("\n".join(lines)), lambda _: hop, Lifetimes(reports=timedelta(days=1)))


def test_a_message_waits_with_what_the_next_hop_said() -> None:
    [one] = read(line(to(f"b@{HUB2}", SAID)))

    assert (one.id, one.hop, one.domains) == ("4XyZ", "[192.0.2.2]:25", (HUB2,))
    assert (one.since, one.ends_at, one.next_try) == (ARRIVED, ARRIVED + timedelta(days=5), None)
    assert (one.answer, one.words) == ("454 4.7.1 1036 no certificate was presented", "")
    assert one.complaint is Complaint.THEY_REFUSE


def test_what_postfix_says_itself_is_nobodys_answer() -> None:
    [one] = read(line(to(f"b@{HUB2}", "Server certificate not verified")))

    assert (one.answer, one.words) == ("", "Server certificate not verified")
    assert one.complaint is Complaint.WE_REFUSE


def test_recipients_with_the_same_reason_wait_together() -> None:
    found = read(line(to(f"b@{HUB2}", SAID), to("c@Other.test", SAID), to(f"d@{HUB2}", "another")))

    assert [one.domains for one in found] == [(HUB2, "other.test"), (HUB2,)]


def test_a_report_has_its_own_lifetime() -> None:
    [one] = read(line(to(f"b@{HUB2}"), sender="MAILER-DAEMON"))

    assert (one.ends_at, one.complaint) == (ARRIVED + timedelta(days=1), Complaint.UNTRIED)


def test_where_no_table_knows_the_next_hop_the_reason_may_name_it() -> None:
    refused = "connect to hub2.example.test[192.0.2.2]:2525: Connection refused"
    [one] = read(line(to(f"b@{HUB2}", refused)), hop="")

    assert (one.hop, one.complaint) == ("[192.0.2.2]:2525", Complaint.NOBODY)
    assert address("host hub2[192.0.2.2] said: 454 no") == "[192.0.2.2]"
    assert address("mail transport unavailable") == ""


def test_mail_on_hold_waits_for_nobody_else_and_never_goes_back() -> None:
    [one] = read(line(to(f"b@{HUB2}", SAID), queue_name="hold"))

    assert (one.answer, one.words, one.ends_at) == ("", "on hold", None)


def test_a_greeting_that_refuses_is_an_answer_too() -> None:
    assert answer("host h[192.0.2.2] refused to talk to me: 421 4.3.2 too many") == "421 4.3.2 too many"
    assert answer("connect to h[192.0.2.2]:25: Connection refused") == ""


@pytest.mark.parametrize(
    "output", ["not json", "[]", "{}", line()[:-20], line(arrival_time="soon")]
)  # fmt: skip
def test_what_is_no_queue_is_refused(output: str) -> None:
    with pytest.raises(TransportUnavailable, match="no queue that we can read"):
        queued(output)


def test_an_empty_queue_holds_nothing() -> None:
    assert queued("\n") == ()


class TestARealPostfix:
    pytestmark = postfix.MARKS

    def test_its_next_hops_come_from_its_own_tables(self) -> None:
        """By address, by domain and by parent domain, as transport(5) looks them up."""
        port = free_port()
        routes = {
            HUB2: f"hub:[{LOOPBACK}]:{port}", ".sub.test": f"smtp:[{LOOPBACK}]:{port}",
            "ann@alone.test": f"smtp:[{LOOPBACK}]:{port + 1}",
        }  # fmt: skip
        with postfix.folder() as folder, postfix.started(
            folder / "mx1", chain=postfix.chain_pem(HUB1), name=HUB1, trusting=True, routes=routes,
            tables={"relay_clientcerts": {}, "tls_policy": {}}, main={"maximal_queue_lifetime": "2d"},
        ) as mx1:  # fmt: skip
            mx1.send(f"b@{HUB2}", "c@deep.sub.test", "ann@alone.test")
            mx1.says("status=deferred", f"b@{HUB2}")
            mx1.says("status=deferred", "c@deep.sub.test")

            found = postfix_queue(mx1.config)

        hops = {domain: one for one in found for domain in one.domains}
        assert hops[HUB2].hop == f"[{LOOPBACK}]:{port}"
        # No row of the table of policies is about it: Postfix does not even call there.
        assert hops[HUB2].complaint is Complaint.WE_REFUSE
        assert hops["deep.sub.test"].complaint is Complaint.NOBODY
        assert hops["deep.sub.test"].hop == f"[{LOOPBACK}]:{port}"
        assert hops["alone.test"].hop == f"[{LOOPBACK}]:{port + 1}"
        ends_at = hops[HUB2].ends_at
        assert ends_at is not None
        assert ends_at - hops[HUB2].since == timedelta(days=2)

    def test_a_table_that_cannot_be_read_is_no_word_about_its_keys(self) -> None:
        """Postfix answers alike, by its exit code, where a key is not there."""
        with postfix.folder() as folder:
            one = postfix.Postfix(folder / "mx1", HUB1)
            one.make_configuration(main={"transport_maps": "inline:{a.test=smtp:[b.test]}, hash:/nowhere/t"})

            with pytest.raises(TransportUnavailable, match="/nowhere/t"):
                next_hops(one.config, [f"b@{HUB2}"])

    def test_one_that_does_not_run_says_so(self) -> None:
        with postfix.folder() as folder:
            one = postfix.Postfix(folder / "mx1", HUB1)
            one.make_configuration()
            (one.folder / "queue").mkdir()

            with pytest.raises(TransportUnavailable, match="Postfix's postqueue said: "):
                postfix_queue(one.config)

    def test_a_configuration_that_is_not_there_says_so(self) -> None:
        with (
            postfix.folder() as folder,
            pytest.raises(TransportUnavailable, match="Postfix's postqueue said"),
        ):
            postfix_queue(folder / "nowhere")

"""A snapshot becomes the rows that Postfix looks up, and a change of it the rows that change."""

from __future__ import annotations

import subprocess
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from mailtrust.core.model.certificate import Pin
from mailtrust.core.model.server import ServerName
from mailtrust.core.model.trust import Column, Snapshot
from mailtrust.transports.postfix.compile import CLIENTS, POLICY, Difference, changes, difference, tables
from tests.make import DC1, HUB1, HUB2, NOON, a_certificate, a_replica, days
from tests.postfix import chain_pem
from tests.programs import needs

HOP, OTHER_HOP = "[192.0.2.7]:25", "relay.example.test:2525"
HUB3 = ServerName("hub3.example.test")
PIN_A, PIN_B, PIN_C = (Pin(digit * 64) for digit in "abc")
A, B, C = (":".join([digit * 2] * 32) for digit in "abc")


def believing(servers: dict[Pin, ServerName]) -> Snapshot:
    return Snapshot(servers, NOON, DC1)


def test_each_published_key_is_a_row_with_its_server() -> None:
    made = tables(believing({PIN_A: HUB1, PIN_B: HUB2}), {})

    assert made == {CLIENTS: {A: HUB1, B: HUB2}, POLICY: {}}


def test_a_next_hop_takes_the_keys_of_all_of_its_hosts() -> None:
    made = tables(believing({PIN_C: HUB2, PIN_A: HUB2, PIN_B: HUB3}), {HOP: (HUB2, HUB3)})

    assert made[POLICY] == {HOP: f"fingerprint match={A}|{B}|{C}"}


def test_a_next_hop_where_nobody_publishes_has_a_row_that_nobody_matches() -> None:
    """Without any row, mail that does not go by our transport would be sent to whoever answers."""
    made = tables(believing({PIN_A: HUB1}), {HOP: (HUB2,)})

    assert made[POLICY] == {HOP: f"fingerprint match={':'.join(['00'] * 32)}"}


def test_a_key_counts_however_old_its_certificate_is() -> None:
    expired = a_certificate(HUB2, not_before=NOON - days(900), life=days(30))
    snapshot = Snapshot().renewed(Column.of([a_replica(DC1, expired, server=HUB2)]), DC1, NOON)

    assert list(tables(snapshot, {})[CLIENTS].values()) == [HUB2]


def test_a_new_key_changes_its_row_and_its_next_hops_alone() -> None:
    before, hops = believing({PIN_A: HUB2, PIN_C: HUB3}), {HOP: (HUB2,), OTHER_HOP: (HUB3,)}
    after = believing({PIN_A: HUB2, PIN_B: HUB2, PIN_C: HUB3})

    assert changes(before, after, hops) == {
        CLIENTS: Difference({B: HUB2}),
        POLICY: Difference({HOP: f"fingerprint match={A}|{B}"}),
    }


def test_nothing_new_is_no_difference() -> None:
    snapshot = believing({PIN_A: HUB2})

    assert changes(snapshot, snapshot, {HOP: (HUB2,)}) == {}


def test_a_change_of_a_snapshot_is_told_from_what_changed_in_it() -> None:
    """By two copies that share all but one of a thousand parts; the answer is that of a comparison."""
    leaf, next_leaf = a_certificate(HUB2, key="a"), a_certificate(HUB2, key="b")
    first = believing({leaf.pin: HUB2, PIN_C: HUB3})
    before = first.updated([a_replica(DC1, leaf, server=HUB2)], DC1, NOON)
    after = before.updated([a_replica(DC1, next_leaf, server=HUB2)], DC1, NOON)
    hops = {HOP: (HUB2, HUB3)}

    was, now = tables(before, hops), tables(after, hops)

    assert changes(before, after, hops) == {name: difference(was[name], now[name]) for name in was}


SERVERS = st.sampled_from([HUB1, HUB2, HUB3])
COLUMNS = st.dictionaries(st.sampled_from([PIN_A, PIN_B, PIN_C]), SERVERS)
HOPS = st.dictionaries(st.sampled_from([HOP, OTHER_HOP]), st.lists(SERVERS, min_size=1).map(tuple))


@given(COLUMNS, COLUMNS, HOPS)
def test_the_changes_lead_from_any_tables_to_any_others(
    before: dict[Pin, ServerName], after: dict[Pin, ServerName], hops: dict[str, tuple[ServerName, ...]]
) -> None:
    held = {name: dict(rows) for name, rows in tables(believing(before), hops).items()}
    for name, one in changes(believing(before), believing(after), hops).items():
        held[name].update(one.put)
        for key in one.gone:
            del held[name][key]

    assert held == tables(believing(after), hops)


@needs("openssl")
def test_our_pin_is_the_digest_of_the_public_key_as_postfix_computes_it(tmp_path: Path) -> None:
    """Postfix documents this pipe for `smtp_tls_fingerprint_cert_match`."""
    (tmp_path / "chain.pem").write_text(chain_pem(HUB2))
    pipe = "openssl x509 -in chain.pem -noout -pubkey | openssl pkey -pubin -outform DER | openssl sha256 -c"
    said = subprocess.run(["sh", "-c", pipe], cwd=tmp_path, capture_output=True, text=True, check=True).stdout

    [row] = tables(believing({a_certificate(HUB2).pin: HUB2}), {})[CLIENTS]

    assert said.split()[-1] == row

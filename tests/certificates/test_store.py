"""The store: slots, custody of keys, and what a crash may leave."""

import os
import stat
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from mailtrust.certificates.create import PrivateKey, new_key, request, self_signed
from mailtrust.certificates.formats import Contents, read, write_pem
from mailtrust.certificates.store import Store
from mailtrust.core.model.sighting import Installed, Slot
from mailtrust.errors import KeyMismatch, StoreUnavailable, UnknownCertificate
from tests.make import HUB1, HUB2, NOON


def add(store: Store, *, after: int = 0, name: str = HUB1, key: PrivateKey | None = None) -> Installed:
    key = key or new_key("p256")
    now = NOON + timedelta(minutes=after)
    installed, _ = store.add_made(key, self_signed(key, HUB1 if name == HUB1 else HUB2, days=9, now=now), now)
    return installed


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def keys_of(store: Store) -> list[Path]:
    return sorted((store.folder / "certificates").glob("*.pem"))


def test_a_store_that_was_never_used_is_empty_and_stays_unmade(store: Store) -> None:
    seen = store.look(HUB1, NOON)

    assert seen.found == ()
    assert not store.folder.exists()


def test_what_was_made_is_installed_with_its_key_in_no_slot(store: Store) -> None:
    made = add(store)

    assert store.look(HUB1, NOON).found == (made,)
    assert (made.slot, made.has_key, made.arrived_at) == (Slot.NONE, True, NOON)


def test_the_newest_arrival_comes_last(store: Store) -> None:
    made = [add(store, after=minute) for minute in (3, 1, 2)]

    assert store.installed() == (made[1], made[2], made[0])


def test_making_one_current_makes_the_replaced_one_previous(store: Store) -> None:
    first, second = add(store), add(store, after=1)

    store.make_current(first.certificate.fingerprint, NOON)
    store.make_current(second.certificate.fingerprint, NOON)
    store.make_current(second.certificate.fingerprint, NOON)

    assert [one.slot for one in store.installed()] == [Slot.PREVIOUS, Slot.CURRENT]


def test_going_back_makes_the_previous_one_current_again(store: Store) -> None:
    first, second = add(store), add(store, after=1)
    for one in (first, second, first):
        store.make_current(one.certificate.fingerprint, NOON)

    assert [one.slot for one in store.installed()] == [Slot.CURRENT, Slot.PREVIOUS]


def test_the_stamp_changes_with_what_is_current(store: Store) -> None:
    assert store.stamp() is None
    first, second = add(store), add(store, after=1)
    stamps = []
    for one in (first, second):
        store.make_current(one.certificate.fingerprint, NOON)
        stamps.append(store.stamp())

    assert stamps[0] != stamps[1]


def test_the_credential_is_the_current_certificate_with_its_key(store: Store) -> None:
    key = new_key("p256")
    made = add(store, key=key)
    assert store.credential() is None

    store.make_current(made.certificate.fingerprint, NOON)
    credential = store.credential()

    assert credential is not None
    assert credential.certificate == made.certificate
    assert credential.key.public_key() == key.public_key()
    assert "PRIVATE" not in repr(credential)


def test_key_files_are_for_their_owner_alone_whatever_the_umask(store: Store) -> None:
    before = os.umask(0)
    try:
        add(store)
        store.add_request(new_key("p256"), b"a request")
    finally:
        os.umask(before)

    modes = {
        stat.S_IMODE(file.stat().st_mode) for file in (*keys_of(store), *store.folder.glob("requests/*.key"))
    }
    assert modes == {0o600}
    assert stat.S_IMODE((store.folder / "requests").stat().st_mode) == 0o700


def test_the_public_half_holds_no_key_and_is_for_everybody(store: Store) -> None:
    before = os.umask(0o077)
    try:
        add(store)
    finally:
        os.umask(before)

    [public] = (store.folder / "certificates").glob("*.crt")
    assert b"PRIVATE" not in public.read_bytes()
    assert stat.S_IMODE(public.stat().st_mode) == 0o644
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in (store.folder, public.parent)} == {0o755}


def test_a_key_file_that_others_can_read_is_named(store: Store) -> None:
    add(store)
    [file] = keys_of(store)
    file.chmod(0o640)

    assert store.look(HUB1, NOON).exposed == (str(file),)


def test_a_look_needs_to_read_no_key(store: Store) -> None:
    made = add(store)
    [file] = keys_of(store)
    file.write_bytes(b"not a key")

    assert store.look(HUB1, NOON).found == (made,)


def test_a_damaged_certificate_is_could_not_look(store: Store) -> None:
    """Which certificate it was cannot be told, so neither can which one is missing."""
    add(store)
    [public] = (store.folder / "certificates").glob("*.crt")
    public.write_bytes(b"")

    seen = store.look(HUB1, NOON)

    assert seen.found is None
    assert f"{public} is damaged" in seen.why


def test_damaged_slots_are_could_not_look(store: Store) -> None:
    add(store)
    (store.folder / "certificates" / "slots.json").write_text("{")

    assert "slots.json is damaged" in store.look(HUB1, NOON).why


def test_a_pair_that_does_not_match_is_not_presented(store: Store) -> None:
    made = add(store)
    store.make_current(made.certificate.fingerprint, NOON)
    [file] = keys_of(store)
    file.write_bytes(write_pem([made.certificate], new_key("p256")))

    with pytest.raises(KeyMismatch, match="does not belong to its certificate"):
        store.credential()


def test_what_a_crash_left_half_done_is_completed_by_the_next_change(store: Store) -> None:
    made = add(store)
    [public] = (store.folder / "certificates").glob("*.crt")
    public.unlink()
    (store.folder / "certificates" / ".x.pem.0123.new").write_bytes(b"half a key")

    second = add(store, after=1)

    assert {one.certificate for one in store.installed()} == {made.certificate, second.certificate}
    assert not list((store.folder / "certificates").glob(".*"))


def test_removing_takes_certificate_and_key_away(store: Store) -> None:
    made = add(store)
    store.remove(made.certificate.fingerprint)
    store.remove(made.certificate.fingerprint)

    assert store.installed() == ()
    assert keys_of(store) == []


def test_a_certificate_is_found_by_any_of_its_names_as_pasted(store: Store) -> None:
    made = add(store)
    leaf = made.certificate
    spellings = (
        leaf.fingerprint, leaf.pin, leaf.thumbprint.upper(), leaf.thumbprint[:8],
        "\u200e" + " ".join(leaf.thumbprint[at : at + 2] for at in range(0, 40, 2)),
        ":".join(leaf.fingerprint[at : at + 2] for at in range(0, 64, 2)).upper(),
    )  # fmt: skip

    assert {store.find(one).certificate for one in spellings} == {leaf}


def test_an_unknown_certificate_lists_what_is_here(store: Store) -> None:
    made = add(store)

    with pytest.raises(UnknownCertificate, match="no certificate in the store is named") as unknown:
        store.find("00000000")

    assert made.certificate.fingerprint[:12] in unknown.value.hint


def test_two_that_share_a_key_are_not_told_apart_by_their_pin(store: Store) -> None:
    key = new_key("p256")
    both = [add(store, key=key, after=minute) for minute in (0, 1)]

    with pytest.raises(UnknownCertificate, match="names 2 certificates") as unknown:
        store.find(both[0].certificate.pin)

    assert all(one.certificate.fingerprint[:12] in unknown.value.hint for one in both)


def test_importing_what_is_there_already_changes_nothing(store: Store) -> None:
    key = new_key("p256")
    contents = read(write_pem(read(_pem(key)).certificates, key))

    first, is_new = store.import_contents(contents, HUB1, NOON)
    again, is_new_again = store.import_contents(contents, HUB1, NOON + timedelta(days=1))

    assert (is_new, is_new_again) == (True, False)
    assert again == first


def test_a_certificate_alone_completes_the_request_made_here(store: Store) -> None:
    key = new_key("p256")
    store.add_request(key, request(key, HUB1))

    installed, is_new = store.import_contents(read(_pem(key)), HUB1, NOON)

    assert is_new
    assert installed.has_key
    assert not list(store.folder.glob("requests/*"))


def test_a_certificate_alone_is_refused_without_a_request(store: Store) -> None:
    with pytest.raises(KeyMismatch, match="the file holds no key") as refused:
        store.import_contents(read(_pem(new_key("p256"))), HUB1, NOON)

    assert "mailtrust new --request" in refused.value.hint
    assert store.installed() == ()


def test_a_pair_that_does_not_match_is_not_installed(store: Store) -> None:
    contents = Contents(read(_pem(new_key("p256"))).certificates, new_key("p256"))

    with pytest.raises(KeyMismatch):
        store.import_contents(contents, HUB1, NOON)

    assert store.installed() == ()


def test_a_store_in_a_place_that_is_no_folder_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = Store(tmp_path / "file" / "store")

    assert store.look(HUB1, NOON).found is None
    with pytest.raises(StoreUnavailable, match="cannot be written"):
        add(store)


def _add_many(folder: str, count: int) -> None:
    store = Store(Path(folder))
    for number in range(count):
        made = add(store, after=number)
        store.make_current(made.certificate.fingerprint, NOON)


def test_two_administrators_at_once_lose_nothing(store: Store) -> None:
    context = get_context("spawn")
    processes = [context.Process(target=_add_many, args=(str(store.folder), 8)) for _ in range(3)]
    for one in processes:
        one.start()
    for one in processes:
        one.join(60)

    held = store.installed()
    assert [one.exitcode for one in processes] == [0, 0, 0]
    assert len(held) == 24
    assert [one.slot for one in held].count(Slot.CURRENT) == 1
    assert [one.slot for one in held].count(Slot.PREVIOUS) == 23


def _pem(key: PrivateKey) -> bytes:
    return self_signed(key, HUB1, days=30, now=NOON).public_bytes(Encoding.PEM)

"""A mapping that never changes: its changed copies are right, and the original stays as it was."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mailtrust.core.model.spread import Spread

HELD = st.dictionaries(st.integers(0, 3000), st.text(max_size=2))


@given(HELD, HELD, st.sets(st.integers(0, 3000)))
def test_a_changed_copy_has_what_came_and_not_what_went(
    before: dict[int, str], come: dict[int, str], gone: set[int]
) -> None:
    original = Spread(before)

    copy = original.changed(come, gone)

    kept = {key: value for key, value in before.items() if key not in gone}
    assert copy == {**kept, **come}
    assert (original, len(original), set(original)) == (before, len(before), set(before))


@given(HELD, HELD, st.sets(st.integers(0, 3000)))
def test_what_came_and_went_since_leads_from_the_one_to_the_other(
    before: dict[int, str], come: dict[int, str], gone: set[int]
) -> None:
    original = Spread(before)
    copy = original.changed(come, gone)

    has_come, has_gone = copy.since(original)

    assert original.changed(has_come, has_gone) == copy
    assert original.since(original) == ({}, set())
    assert (copy == original) == (not has_come and not has_gone)


def test_keys_that_lie_in_one_part_are_changed_together() -> None:
    """Numbers of which one is a multiple of the parts away from the other; chance rarely draws them."""
    large = Spread({number: number for number in range(3000)})

    copy = large.changed({7: 8, 7 + 1024: 9}, [7 + 2048])

    assert (copy[7], copy[7 + 1024], 7 + 2048 in copy) == (8, 9, False)
    assert large[7 + 2048] == 7 + 2048


def test_a_small_change_of_a_large_one_leaves_nearly_all_of_it_shared() -> None:
    large = Spread({number: number for number in range(100_000)})

    copy = large.changed({7: 8}, [100_001])

    assert copy[7] == 8
    assert copy.shares(large) > 0.99

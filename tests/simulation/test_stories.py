"""The stories, and the picture."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from mailtrust.simulation.plot import figures, picture
from mailtrust.simulation.stories import Row, stories
from mailtrust.simulation.told import tell


@pytest.mark.parametrize("name", stories())
def test_a_story_comes_as_it_is_told(name: str) -> None:
    story = stories()[name]
    rows = tell(story)

    assert [claim for row in rows for claim in row.unmet] == []
    assert any(row.must for row in story.rows)
    if story.inside:
        assert sum(row.rejected for row in rows) == 0


def test_a_claim_that_does_not_hold_is_told() -> None:
    told = tell(replace(stories()["planned"], rows=(Row(5, "", (), ("hub1 presents B",)),)))

    assert told[-1].unmet == ("hub1 presents B",)


def test_the_checklist_is_rejected_by_nobody_where_the_other_ways_are() -> None:
    found = figures((0, 60))
    worst = {way: points[-1][1] for way, points in found.items()}

    assert worst["replace"] > worst["timer"] > worst["checklist"] == 0
    drawing = ET.fromstring(picture(found))
    assert len(drawing.findall("{http://www.w3.org/2000/svg}polyline")) == 3

"""
Does mail flow from one server to another, and if not, at which stage does it stop?

A session with the receiver is looked at stage by stage (`stages`), and judged by the same checks as
everything else (`judge`).  Whom we cannot speak for, we conclude about from copies (`conclude`), and say so.
"""

from mailtrust.core.flow.hop import Hop, How, Line, State, Trouble, Verdict, worst
from mailtrust.core.flow.judge import Picture, judge
from mailtrust.core.flow.stages import Memory, Passage, Stage, Stop, Trace

__all__ = [
    "Hop", "How", "Line", "Memory", "Passage", "Picture", "Stage", "State", "Stop", "Trace", "Trouble",
    "Verdict", "judge", "worst",
]  # fmt: skip

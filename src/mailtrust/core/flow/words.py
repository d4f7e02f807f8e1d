"""The codes of the words for stages and verdicts, for every screen that shows them."""

from __future__ import annotations

from collections.abc import Mapping

from mailtrust.core.flow.hop import Verdict
from mailtrust.core.flow.stages import Stage

LABELS: Mapping[Stage, str] = {
    Stage.RESOLVE: "flow-resolve", Stage.CONNECT: "flow-connect", Stage.BANNER: "flow-banner",
    Stage.EHLO: "flow-ehlo", Stage.VERBS: "flow-verbs", Stage.HANDSHAKE: "flow-handshake",
    Stage.THEIR_CERTIFICATE: "flow-their-certificate", Stage.OUR_CERTIFICATE: "flow-our-certificate",
    Stage.EHLO_AGAIN: "flow-ehlo-again", Stage.MAIL: "flow-mail", Stage.RCPT: "flow-rcpt",
    Stage.MESSAGE: "flow-message", Stage.RSET: "flow-rset", Stage.QUIT: "flow-quit",
    Stage.ARRIVAL: "flow-arrival",
}  # fmt: skip
SEEN: Mapping[Verdict, str] = {
    Verdict.FLOWS: "flow.verdict-flows", Verdict.SLOW: "flow.verdict-slow",
    Verdict.UNPROVEN: "flow.verdict-unproven", Verdict.UNKNOWN: "flow.verdict-unknown",
    Verdict.BLOCKED: "flow.verdict-blocked",
}  # fmt: skip
CONCLUDED: Mapping[Verdict, str] = {
    Verdict.FLOWS: "flow.verdict-flows-concluded", Verdict.SLOW: "flow.verdict-slow-concluded",
    Verdict.UNPROVEN: "flow.verdict-unproven-concluded", Verdict.UNKNOWN: "flow.verdict-unknown-concluded",
    Verdict.BLOCKED: "flow.verdict-blocked-concluded",
}  # fmt: skip

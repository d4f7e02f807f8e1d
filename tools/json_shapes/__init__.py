"""
The JSON that programs rely on, as types: docs/reference is generated from them.

`tests/shapes.py` reads what the program really writes by these types and takes no field more or less.
Values of one `schema` may have several shapes: their fields tell which.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tools.json_shapes import advice, copies, desk, directory, flow, journal, lab, rotation, transports
from tools.json_shapes.kinds import Certificate


@dataclass(frozen=True)
class Shape:
    """A type, and what writes values of it; *where* is what else does."""

    type: Any
    commands: tuple[str, ...]
    where: str = ""


def _shape(kind: Any, *commands: str, where: str = "") -> Shape:
    return Shape(kind, tuple(f"mailtrust {one}" for one in commands), where)


SHAPES: dict[str, Shape] = {
    "check": _shape(copies.Check, "check --json"),
    "status": _shape(copies.Status, "status --json"),
    "fix": _shape(copies.Fix, "fix --json"),
    "why": _shape(flow.Why, "why hub2.example.test --json"),
    "flow": _shape(flow.Flow, "flow hub2.example.test --json"),
    "flow-matrix": _shape(flow.Matrix, "flow --all --json"),
    "rehearsal": _shape(flow.Rehearsal, "flow --rehearse --json"),
    "certificate": _shape(
        Certificate, "show CERTIFICATE --json", "new --json",
        "import hub1.pfx --password-file hub1.password --json", "remove CERTIFICATE --json",
    ),
    "certificates": _shape(list[Certificate], "list --json"),
    "request": _shape(copies.Request, "new --request --json"),
    "export": _shape(copies.Exported, "export CERTIFICATE --output hub1.pem --json"),
    "enable": _shape(copies.Enabled, "enable CERTIFICATE --json"),
    "wait": _shape(copies.Wait, "wait --json"),
    "withdraw": _shape(copies.Withdrawn, "withdraw CERTIFICATE --json"),
    "rotation": _shape(
        rotation.Rotation, "rotate status --json", "rotate prepare --json", "rotate start --json",
        "rotate undo --json",
    ),
    "rotation-now": _shape(rotation.RotationNow, "rotate now --json"),
    "rotation-compromised": _shape(rotation.RotationCompromised, "rotate compromised --json"),
    "agent": _shape(rotation.Agent, "agent --once --json"),
    "agent-entry": _shape(journal.AgentEntry, "agent --json"),
    "agent-units": _shape(rotation.Units, "agent --print-units --json"),
    "analyze": _shape(advice.Analysis, "analyze --json"),
    "acknowledged": _shape(
        advice.Acknowledged,
        'analyze --ack A101 --server hub1.example.test --until 30d --reason "replaced in spring" --json',
    ),
    "rules": _shape(advice.Rules, "analyze --list --json", "explain A101 --json"),
    "which": _shape(advice.Which, "analyze --which hub1.example.test --json"),
    "report": _shape(transports.Report, "report --json"),
    "enforce": _shape(transports.Enforced, "enforce --all --force --json"),
    "adopt": _shape(transports.Adoption, "adopt --json"),
    "audit": _shape(advice.Audit, "audit exchange --json"),
    "collector": _shape(advice.Collector, "audit collector --json"),
    "events": _shape(list[journal.Entry], "events --json"),
    "entry": _shape(journal.Entry, "events --json --follow"),
    "log": _shape(journal.LogLine, "events export --json", where='`log.to = "json"` and `log.file`'),
    "notice": _shape(journal.Notice, where="`notify.webhook` and `notify.command`"),
    "events-test-hook": _shape(journal.TriedHook, "events test-hook --json"),
    "events-test-hook-would": _shape(journal.ForetoldHook, "events test-hook --dry-run --json"),
    "events-catalog": _shape(journal.Catalogs, "events catalog --json"),
    "events-import": _shape(journal.Imported, "events import Application.evtx --json"),
    "explain": _shape(journal.Explained, "explain 12012 --json"),
    "explain-contents": _shape(journal.Contents, "explain --json"),
    "directory": _shape(directory.Directory, "directory show --json"),
    "replicate": _shape(directory.Replicate, "directory replicate --once --json"),
    "replicate-delivered": _shape(directory.Delivered, "directory replicate --json"),
    "replicate-reached": _shape(directory.Reached, "directory replicate --json"),
    "put": _shape(directory.Put, "directory put hub9.example.test exchange.cer --json"),
    "pull": _shape(directory.Pull, "directory pull --json"),
    "dead": _shape(
        directory.Dead, "directory dead dc3 --until 2d --reason 'its disk is broken' --json"
    ),
    "directory-check": _shape(directory.Rights, "directory check --json"),
    "hub": _shape(transports.Hub, "hub --json"),
    "queue": _shape(transports.Queue, "hub queue --json"),
    "postfix-check": _shape(transports.PostfixCheck, "postfix check --json"),
    "postfix-setup": _shape(transports.PostfixSetup, "postfix setup --json"),
    "postfix-setup-print": _shape(transports.PostfixLines, "postfix setup --print --json"),
    "postfix-compile": _shape(transports.PostfixCompiled, "postfix compile --json"),
    "postfix-undo": _shape(transports.PostfixUndo, "postfix undo --json"),
    "exim-compile": _shape(transports.EximCompiled, "exim compile --json"),
    "init": _shape(desk.Init, "init --name hub1.example.test --json"),
    "error": _shape(desk.Error, "show 00000000 --json"),
    "dry-run": _shape(desk.DryRun, "rotate now --dry-run --json"),
    "completion": _shape(desk.Completion, "completion bash --json"),
    "monitoring": _shape(desk.MonitoringPiece, "monitoring rules --json"),
    "monitoring-files": _shape(desk.MonitoringFiles, "monitoring --json"),
    "dashboard": _shape(desk.Dashboard, "dashboard --json"),
    "lab": _shape(lab.LabMoment, "lab --json"),
    "lab-story": _shape(lab.LabStory, "lab --story 12012 --json"),
    "simulate": _shape(lab.Stories, "simulate --json"),
    "simulate-story": _shape(lab.SimulatedStory, "simulate undo-before --json"),
    "simulate-random": _shape(lab.Searched, "simulate --random 20 --json"),
    "simulate-plot": _shape(lab.Plotted, "simulate --plot lag.svg --json"),
}  # fmt: skip
"""Each schema file's name, its type, and commands that write it, the most telling one first."""

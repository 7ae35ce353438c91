"""Which mechanism for which point of order (4.6), the cheapest that answers its question.

- What met by chance (`unguarded join`): persist both sides; no coordination.
- Which of rivals comes first, when more may always come (overwrite, key race,
  delete race, choice), or what a clock suggests: an order; of messages that go
  to several nodes and may be vetoed at one: atomic commit.
- Have I seen all of it (an absence, a total): a seal, where those who produce
  it are known and each can say that it is done; else an order, unless the
  answer goes round by messages: no order of these tells when they end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field

from bloomish.analysis.coordination.commit import is_transaction
from bloomish.analysis.coordination.data import Mechanism, Proposal, Refusal
from bloomish.analysis.coordination.persist import persistable
from bloomish.analysis.coordination.seal import sealable, too_fine
from bloomish.analysis.inference import Inference
from bloomish.analysis.points import PointKind
from bloomish.analysis.result import Point, Report

QUESTIONS = (PointKind.LATCH.value, PointKind.EXPORT.value, PointKind.FINAL_OUTPUT.value)
"""Kinds that ask whether all has been seen."""

FORCED: Mapping[str, Mechanism] = {
    "paxos": "consensus",
    "2pc": "atomic commit",
    "seal": "seal",
}
"""What `--with` says -> the mechanism."""


@dataclass(slots=True)
class Choice:
    """Points by mechanism, and those that nothing is inserted for."""

    points: dict[Mechanism, list[Point]] = field(default_factory=dict)
    refusals: list[Refusal] = field(default_factory=list)
    proposals: list[Proposal] = field(default_factory=list)
    coarse: set[str] = field(default_factory=set)
    """Columns without which, in the parts of what is sealed already, more could be sealed."""


def choose(
    inference: Inference,
    report: Report,
    points: Sequence[Point],
    forced: Mechanism | None,
    unsealed: Set[str],
) -> Choice:
    """A mechanism for each point: `forced`, or the cheapest that answers its question, where no
    seal comes into question for the roles `unsealed`."""
    choice = Choice()
    chosen = {
        point.id: _mechanism(inference, report, point, forced, point.role not in unsealed)
        for point in points
    }
    ordered = {point.role for point in points if chosen[point.id] == "consensus"}
    for point in points:
        choice.proposals += (
            Proposal(point.id, point.rule, mend.text)
            for mend in point.mends
            if mend.cost == "rewrite"
        )
        mechanism = chosen[point.id]
        if mechanism != "seal" and point.kind in QUESTIONS:
            choice.coarse |= too_fine(inference, point)
        if _is_batch(point) and point.role in ordered and mechanism == "seal" and forced is None:
            mechanism = "consensus"  # one row per tick settles it beside
        if isinstance(mechanism, Refusal):
            choice.refusals.append(mechanism)
        else:
            choice.points.setdefault(mechanism, []).append(point)
    return choice


def _mechanism(
    inference: Inference,
    report: Report,
    point: Point,
    forced: Mechanism | None,
    may_seal: bool,
) -> Mechanism | Refusal:
    unguarded = point.kind == PointKind.UNGUARDED_JOIN.value
    if unguarded and not persistable(inference, report, point):
        return "persist"
    if forced == "seal":
        why = sealable(inference, report, point)
        return Refusal(point.id, point.rule, point.span, why) if why else "seal"
    if forced is not None:
        return forced
    if _is_batch(point) and not persistable(inference, report, point):
        return "persist"
    if is_transaction(inference, report, point):
        return "atomic commit"
    waits = _is_batch(point) and not _replaces(inference, point)
    if may_seal and (point.kind in QUESTIONS or waits):
        why = sealable(inference, report, point)
        if not why:
            return "seal"
        if _goes_round(point):
            return Refusal(point.id, point.rule, point.span, why)
    return "consensus"


def _is_batch(point: Point) -> bool:
    """A total of what shares a tick, where all that ever comes may be what is meant."""
    return point.kind == PointKind.CHOICE.value and point.inference == "T3"


def _replaces(inference: Inference, point: Point) -> bool:
    """Whether a batch takes the place of what an earlier one has left: more may always come."""
    system = inference.system
    queue = [unit.head for unit in system.stated(point.role, point.rule)]
    for node in queue:
        for unit in system.readers[node]:
            if unit.op in ("<-", "<+-"):
                return True
            if unit.op == "<=" and not system.nodes[unit.head].persisted and unit.head not in queue:
                queue.append(unit.head)
    return False


def _goes_round(point: Point) -> bool:
    """Whether the only seal is a detection of termination."""
    return any(mend.cost == "seal" and "termination" in mend.text for mend in point.mends)

"""Insertion of atomic commit: nodes that act together, or not at all."""

from __future__ import annotations

from collections.abc import Sequence

from bloomish.analysis.coordination.data import Deployed, Inserted, Refusal
from bloomish.analysis.inference import Inference
from bloomish.analysis.result import Point, Report


def is_transaction(inference: Inference, report: Report, point: Point) -> bool:
    """Whether one trigger's messages to several nodes must take effect together."""
    return False


def commits(
    given: Deployed, inference: Inference, report: Report, points: Sequence[Point]
) -> Inserted:
    """Atomic commit for these points."""
    why = "its messages are no transaction"
    return Inserted(given, (), tuple(Refusal(p.id, p.rule, p.span, why) for p in points))

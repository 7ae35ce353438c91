"""Insertion of tables: what met by chance waits for the other side."""

from __future__ import annotations

from collections.abc import Sequence

from bloomish.analysis.coordination.data import Deployed, Inserted, Refusal
from bloomish.analysis.inference import Inference
from bloomish.analysis.result import Point, Report


def persisted(
    given: Deployed, inference: Inference, report: Report, points: Sequence[Point]
) -> Inserted:
    """Tables for these points."""
    why = "store both sides in tables"
    return Inserted(given, (), tuple(Refusal(p.id, p.rule, p.span, why) for p in points))

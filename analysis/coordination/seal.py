"""Insertion of seals: an answer waits until all who add have said that they are done."""

from __future__ import annotations

from collections.abc import Sequence

from bloomish.analysis.coordination.data import Deployed, Inserted, Refusal
from bloomish.analysis.inference import Inference
from bloomish.analysis.result import Point, Report


def sealable(inference: Inference, report: Report, point: Point) -> str:
    """Why a point cannot be sealed, "" if it can."""
    return "who adds to it is not known"


def seals(
    given: Deployed, inference: Inference, report: Report, points: Sequence[Point]
) -> Inserted:
    """Seals for these points."""
    return Inserted(
        given,
        (),
        tuple(Refusal(p.id, p.rule, p.span, sealable(inference, report, p)) for p in points),
    )

"""The report as JSON: the data of `Report`, field by field."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from bloomish.analysis.result import Flag, Report, Verdict

VERSION = 1
"""Raised when a field changes its meaning or goes; new fields may come without."""


def render(report: Report) -> str:
    """One JSON object; ends with a newline."""
    return json.dumps(as_data(report), indent=2, ensure_ascii=False) + "\n"


def as_data(report: Report) -> dict[str, Any]:
    """What is printed.  Points of order stand once; verdicts refer to them by id."""
    return {
        "version": VERSION,
        "name": report.name,
        "roles": list(report.roles),
        "replicas": report.replicas,
        "needs_coordination": report.needs_coordination,
        "verdicts": [_verdict(verdict) for verdict in report.verdicts],
        "points": [asdict(point) for point in report.points],
        "invariants": [asdict(invariance) for invariance in report.invariants],
        "modes": report.modes,
        "derivations": [asdict(derivation) for derivation in report.derivations],
        "warnings": list(report.warnings),
    }


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {
        "collection": verdict.collection,
        "role": verdict.role,
        "kind": verdict.kind,
        "verdict": verdict.word,
        "mode": verdict.mode,
        "label": verdict.label,
        "span": asdict(verdict.span),
        "advice": verdict.advice,
        "flags": [_flag(flag) for flag in verdict.flags],
    }


def _flag(flag: Flag) -> dict[str, Any]:
    return {"point": flag.point.id, "path": [asdict(hop) for hop in flag.path]}

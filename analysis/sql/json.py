"""A SQL report as JSON: its data, field by field."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from bloomish.analysis.sql.verdicts import SqlReport, SqlVerdict

VERSION = 1
"""Raised when a field changes its meaning or goes."""


def sql_json(report: SqlReport) -> str:
    """One JSON object; ends with a newline."""
    return json.dumps(as_data(report), indent=2, ensure_ascii=False) + "\n"


def as_data(report: SqlReport) -> dict[str, Any]:
    """What is printed.  `word` is the verdict in the words of the rule analysis."""
    return {
        "version": VERSION,
        "name": report.filename,
        "dialect": report.dialect,
        "needs_coordination": report.status == 1
        or any(v.verdict == "needs coordination" for v in report.verdicts),
        "status": report.status,
        "tables": [asdict(table) for table in report.tables],
        "verdicts": [_verdict(verdict) for verdict in report.verdicts],
        "not_analysed": [asdict(gap) for gap in report.gaps],
    }


def _verdict(verdict: SqlVerdict) -> dict[str, Any]:
    return {
        "name": verdict.name,
        "what": verdict.what,
        "verdict": verdict.verdict,
        "needs_coordination_when_acted_upon": verdict.verdict
        in ("retracting", "needs coordination"),
        "word": verdict.word,
        "mode": verdict.mode,
        "span": asdict(verdict.span),
        "reads": list(verdict.reads),
        "reasons": [asdict(reason) for reason in verdict.reasons],
        "not_analysed": [asdict(gap) for gap in verdict.gaps],
    }

"""A SQL report as SARIF 2.1.0 (OASIS), for code-review tools.

What needs coordination is a warning, what only takes rows back a note, and what
could not be analysed an error.
"""

from __future__ import annotations

import json
from typing import Any

from bloomish.analysis.report.sarif_log import log, uri
from bloomish.analysis.sql.changes import Reason
from bloomish.analysis.sql.verdicts import SqlReport, SqlVerdict
from bloomish.ir import Span

KINDS = {
    "negation": "The absence of rows is tested, and rows may still arrive.",
    "outer join": "A row without partner goes when its partner arrives.",
    "aggregate": "An aggregate's value changes as rows arrive.",
    "threshold": "A condition on an aggregate can turn false again.",
    "window": "A window function's value changes as rows arrive.",
    "top-n": "A row that arrives pushes another out.",
    "changing table": "A table is declared to change.",
    "choice": "Any of several results is right, and the schedule chooses.",
    "clock": "A clock or the session flows into data.",
    "latch": "What may be taken back is stored for good.",
    "key-race": "Rival rows for one key: the first to come wins.",
    "overwrite": "A row is replaced by whatever comes last.",
    "not analysed": "A clause that the analysis does not know.",
}


def sql_sarif(report: SqlReport) -> str:
    """One SARIF log; ends with a newline."""
    return json.dumps(as_data(report), indent=2, ensure_ascii=False) + "\n"


def as_data(report: SqlReport) -> dict[str, Any]:
    """A log with one run."""
    results = []
    for verdict in report.verdicts:
        level = "warning" if verdict.verdict == "needs coordination" else "note"
        results += [_reason(verdict, reason, level) for reason in verdict.reasons]
        results += [_result("not analysed", f"{verdict.name}: {gap.what}", gap.span, "error")
                    for gap in verdict.gaps]  # fmt: skip
    results += [_result("not analysed", gap.what, gap.span, "error") for gap in report.gaps]
    return log(
        [_rule(kind) for kind in KINDS], results, {v.name: v.verdict for v in report.verdicts}
    )


def _rule(kind: str) -> dict[str, Any]:
    return {"id": f"sql-{_id(kind)}", "shortDescription": {"text": KINDS[kind]}}


def _id(kind: str) -> str:
    return kind.replace(" ", "-")


def _reason(verdict: SqlVerdict, reason: Reason, level: str) -> dict[str, Any]:
    lines = [f"{verdict.name} is {verdict.verdict}: {reason.what}."]
    if reason.gate:
        lines.append(f"Gate: {', '.join(reason.gate)}.")
    lines += [f"Mend: {mend}." for mend in reason.mends]
    return _result(reason.kind, "\n".join(lines), reason.span, level)


def _result(kind: str, text: str, span: Span, level: str) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": f"sql-{_id(kind)}",
        "ruleIndex": list(KINDS).index(kind),
        "level": level,
        "message": {"text": text},
    }
    if span.file:
        region: dict[str, Any] = {"snippet": {"text": span.text}}
        if span.line:
            region |= {"startLine": span.line, "startColumn": max(span.column, 1)}
        artifact = {"uri": uri(span.file)}
        result["locations"] = [
            {"physicalLocation": {"artifactLocation": artifact, "region": region}}
        ]
    return result

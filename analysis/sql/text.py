"""A SQL report as lines for people."""

from __future__ import annotations

import os
from collections.abc import Iterator

from bloomish.analysis.sql.changes import Reason
from bloomish.analysis.sql.verdicts import SqlReport, SqlVerdict
from bloomish.ir import Span

_SAID = {
    "append-only": "append-only",
    "retracting": "retracting: needs coordination when acted upon",
    "needs coordination": "needs coordination",
    "not analysed": "not analysed",
}


def sql_text(report: SqlReport, explain: bool = False) -> str:
    """One line per view; under those that are not append-only, the clause to blame."""
    return "\n".join(_lines(report, explain)) + "\n"


def _lines(report: SqlReport, explain: bool) -> Iterator[str]:
    wide = max((len(_label(v)) for v in report.verdicts), default=0)
    for verdict in report.verdicts:
        yield f"{_label(verdict):<{wide}}  {_SAID[verdict.verdict]}"
        for reason in verdict.reasons:
            yield from _reason(reason)
        for gap in verdict.gaps:
            yield f"    {_place(gap.span)}: not analysed: {gap.what}"
            yield f"        {gap.span.text}"
        if explain:
            reads = ", ".join(verdict.reads) or "no table"
            yield f"    mode {verdict.mode} ({verdict.word}); reads {reads}"
    for gap in report.gaps:
        yield f"{_place(gap.span)}: not analysed: {gap.what}"
    undeclared = [t.name for t in report.tables if t.declared == "undeclared"]
    if undeclared:
        yield f"taken as append-only streams, because not declared here: {', '.join(undeclared)}"
    if not report.verdicts and not report.gaps:
        yield "no views"
    flagged = sum(v.verdict == "needs coordination" for v in report.verdicts)
    taken = sum(v.verdict == "retracting" for v in report.verdicts)
    unknown = sum(v.verdict == "not analysed" for v in report.verdicts) + len(report.gaps)
    total = len(report.verdicts)
    parts = [f"{total} checked", f"{flagged} need coordination", f"{taken} retracting"]
    yield ", ".join(parts + ([f"{unknown} not analysed"] if unknown else []))


def _label(verdict: SqlVerdict) -> str:
    prefix = {"insert": "insert into ", "table": "table "}.get(verdict.what, "")
    return prefix + verdict.name


def _reason(reason: Reason) -> Iterator[str]:
    yield f"    {_place(reason.span)}: {reason.kind}: {reason.what}"
    yield f"        {_short(reason.span.text)}"
    if reason.gate:
        yield f"        gate: {', '.join(reason.gate)}"
    if reason.mends:
        yield f"        mends: {'; '.join(reason.mends)}"


def _place(span: Span) -> str:
    file = span.file
    if os.path.isabs(file):
        relative = os.path.relpath(file)
        file = file if relative.startswith(os.pardir) else relative
    return f"{file}:{span.line}:{span.column}" if file else f"{span.line}:{span.column}"


def _short(text: str, most: int = 100) -> str:
    return text if len(text) <= most else text[: most - 3] + "..."

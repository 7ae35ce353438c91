"""The report as SARIF 2.1.0, for code-review tools.

Points of order are results of level "warning" (of level "note" where a
protocol guards them), one rule of the tool per kind; the blame path is a code
flow; mends stand in the message.  Source: OASIS, Static Analysis Results
Interchange Format 2.1.0.
"""

from __future__ import annotations

import json
from typing import Any

from bloomish import ir
from bloomish.analysis.points import PointKind
from bloomish.analysis.report.sarif_log import log, uri
from bloomish.analysis.report.text import gate, way
from bloomish.analysis.result import Point, Report

KINDS: dict[PointKind, str] = {
    PointKind.LATCH: "What may be taken back is stored for good.",
    PointKind.EXPORT: "What may be taken back is sent away.",
    PointKind.FINAL_OUTPUT: "What may be taken back is handed to the outside.",
    PointKind.DELETE_RACE: "A deletion races with the insert that it is for.",
    PointKind.OVERWRITE: "A row is replaced by whatever comes last.",
    PointKind.KEY_RACE: "Rival rows for one key: the first to come wins.",
    PointKind.UNGUARDED_JOIN: "A join of what passes by misses what comes later.",
    PointKind.CLOCK: "A clock or timer flows into data.",
    PointKind.CHOICE: "A choice or aggregate looks at what happens to share a tick.",
}


def render(report: Report) -> str:
    """One SARIF log; ends with a newline."""
    return json.dumps(as_data(report), indent=2, ensure_ascii=False) + "\n"


def as_data(report: Report) -> dict[str, Any]:
    """A log with one run."""
    kinds = list(KINDS)
    return log(
        [_rule(kind) for kind in kinds],
        [_result(report, point, kinds.index(PointKind(point.kind))) for point in report.points],
        {one.collection: one.word for one in report.verdicts},
    )


def rule_id(kind: PointKind) -> str:
    """`delete-race`: the id of a kind among the tool's rules."""
    return kind.value.replace(" ", "-")


def _rule(kind: PointKind) -> dict[str, Any]:
    return {
        "id": rule_id(kind),
        "shortDescription": {"text": KINDS[kind]},
        "defaultConfiguration": {"level": "warning"},
    }


def _result(report: Report, point: Point, index: int) -> dict[str, Any]:
    reached = [verdict.collection for verdict in report.verdicts if point in verdict.points]
    lines = [f"{point.kind}: {point.why}.", f"Order matters {gate(point)}."]
    if reached:
        lines.append(f"It reaches {', '.join(reached)}.")
    lines.append(f"Path: {way(point.entry)}.")
    lines += [f"Mend ({mend.cost}): {mend.text}." for mend in point.mends]
    result: dict[str, Any] = {
        "ruleId": rule_id(PointKind(point.kind)),
        "ruleIndex": index,
        "level": "note" if point.guards else "warning",
        "message": {"text": "\n".join(lines)},
        "locations": [_location(point.span, point.rule)],
        "partialFingerprints": {"bloomish/v1": f"{point.role}/{point.rule}/{point.kind}"},
        "properties": {"gate": list(point.gate), "role": point.role},
    }
    flows = [_flow(report, flag.path) for verdict in report.verdicts
             for flag in verdict.flags if flag.point == point]  # fmt: skip
    if flows:
        result["codeFlows"] = [{"threadFlows": [{"locations": flow}]} for flow in flows]
    return result


def _flow(report: Report, path: tuple[Any, ...]) -> list[dict[str, Any]]:
    spans = {(d.rule, d.head): d.span for d in report.derivations}
    return [
        {
            "location": {
                **_location(spans.get((hop.rule, hop.collection), ir.Span()), hop.collection),
                "message": {"text": hop.collection + (f" (rule {hop.rule})" if hop.rule else "")},
            }
        }
        for hop in path
    ]


def _location(span: ir.Span, name: str) -> dict[str, Any]:
    found: dict[str, Any] = {"logicalLocations": [{"fullyQualifiedName": name}]}
    if not span.file:
        return found
    region: dict[str, Any] = {}
    if span.line:
        region["startLine"] = span.line
        if span.column:
            region["startColumn"] = span.column
        if span.text:
            region["snippet"] = {"text": span.text}
    physical: dict[str, Any] = {"artifactLocation": {"uri": uri(span.file)}}
    if region:
        physical["region"] = region
    return {**found, "physicalLocation": physical}

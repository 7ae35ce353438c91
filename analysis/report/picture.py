"""A program as a picture: which boxes and lines there are, before anyone places or draws them."""

from __future__ import annotations

from dataclasses import dataclass

from bloomish import ir
from bloomish.analysis.checking import analyse
from bloomish.analysis.graph import MONITORS, System, Unit
from bloomish.analysis.inference import Inference
from bloomish.analysis.result import Report
from bloomish.analysis.strata import stratum_numbers
from bloomish.pretty import rule_text
from bloomish.values import type_text


@dataclass(frozen=True, slots=True)
class Box:
    """A collection or a rule.  `shape` is the collection's kind, or the rule's operator."""

    id: str
    title: str
    shape: str
    is_rule: bool
    lane: str
    mode: str
    stratum: int
    text: str
    span: ir.Span
    verdict: str = ""
    flagged: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """From a body's collection to a rule, or from a rule to its head."""

    source: str
    target: str
    negated: bool = False
    later: bool = False


@dataclass(frozen=True, slots=True)
class Picture:
    """Boxes, lines, and the report that colours them.  `lanes` are the roles."""

    name: str
    lanes: tuple[str, ...]
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]
    report: Report


def picture_of(target: object, replicas: int = 1) -> Picture:
    """The picture of whatever names a program."""
    return draw(*analyse(target, replicas, explain=True))


def draw(inference: Inference, report: Report) -> Picture:
    """Boxes and lines of an analysed system."""
    system = inference.system
    words = {verdict.collection: verdict.word for verdict in report.verdicts}
    flagged = {(point.role, point.rule) for point in report.points if not point.guards}
    levels = stratum_numbers(system)
    boxes = []
    for id, node in system.nodes.items():
        if not system.producers[id] and not system.readers[id] and node.kind not in MONITORS:
            continue  # inherited, and of no use here
        lane = node.role or _lane_of_channel(system, id)
        boxes.append(
            Box(
                id,
                id,
                node.kind,
                False,
                lane,
                inference.modes[id].word,
                levels.get(id, 0),
                _declaration(node.collection),
                node.collection.span,
                words.get(id, ""),
            )
        )
    lines: list[Line] = []
    seen: set[str] = set()
    for conclusion in inference.conclusions:
        unit = conclusion.unit
        id = rule_id(unit)
        if id in seen:  # a frame with several negations is one rule of the program
            continue
        seen.add(id)
        boxes.append(
            Box(
                id,
                unit.rule.name,
                unit.rule.op,
                True,
                unit.role,
                conclusion.mode.word,
                levels.get(unit.head, 0),
                unit.rule.span.text or rule_text(unit.rule),
                unit.rule.span,
                "",
                (unit.role, unit.rule.name) in flagged,
            )
        )
        lines += _lines(system, unit)
    return Picture(report.name, tuple(system.roles), tuple(boxes), tuple(lines), report)


def rule_id(unit: Unit) -> str:
    return f"rule {unit.role} {unit.rule.name}"


def _lines(system: System, unit: Unit) -> list[Line]:
    id = rule_id(unit)
    found: dict[Line, None] = {}
    for part in unit.rule.body:
        if isinstance(part, ir.Atom):
            found[Line(system.id(unit.role, part.collection), id, part.negated)] = None
    found[Line(id, unit.head, False, unit.rule.op != "<=")] = None
    return list(found)


def _lane_of_channel(system: System, id: str) -> str:
    units = system.producers[id] or system.readers[id]
    return units[0].role if units else next(iter(system.roles))


def _declaration(collection: ir.Collection) -> str:
    columns = ", ".join(
        f"{c.name}={f'Key({type_text(c.type)})' if c.key else type_text(c.type)}"
        for c in collection.columns
    )
    durable = ", durable=True" if collection.durable else ""
    return f"{collection.name} = {collection.kind}({columns}{durable})"

"""A program's catalog as relations: what it is made of, and what the analysis says of it.

After Bud, whose catalog is made of collections, too.  Rows are plain tuples of
str and int.  `RELATIONS` is the whole list, with columns and meaning; each is
computed when it is asked for.  The closures (`reaches` and its kind) come from
graph searches and not from Datalog rules: see `bloomish.analysis.ask`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bloomish import ir
from bloomish.analysis.graph import System, Unit
from bloomish.analysis.inference import Inference
from bloomish.analysis.result import Report
from bloomish.analysis.strata import stratum_numbers, temporal_clusters
from bloomish.values import type_text

Row = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Catalog:
    """An analysed system, as the source of all relations."""

    inference: Inference
    report: Report

    @property
    def system(self) -> System:
        return self.inference.system


@dataclass(frozen=True, slots=True)
class Relation:
    """One relation: its columns, what its rows say, and where they come from."""

    name: str
    columns: tuple[str, ...]
    meaning: str
    rows: Callable[[Catalog], Iterator[Row]]


def rule_name(system: System, unit: Unit) -> str:
    """A rule's name, with its role where there are several."""
    return unit.rule.name if len(system.roles) == 1 else f"{unit.role}.{unit.rule.name}"


def _collections(catalog: Catalog) -> Iterator[Row]:
    for id, node in catalog.system.nodes.items():
        yield id, node.kind, node.role


def _columns(catalog: Catalog) -> Iterator[Row]:
    for id, node in catalog.system.nodes.items():
        for number, column in enumerate(node.columns):
            key = "key" if column.key else "value" if node.keys else "set"
            yield id, number, column.name, type_text(column.type), key


def _of_kind(kind: str) -> Callable[[Catalog], Iterator[Row]]:
    def rows(catalog: Catalog) -> Iterator[Row]:
        return ((id,) for id, node in catalog.system.nodes.items() if node.kind == kind)

    return rows


def _durable(catalog: Catalog) -> Iterator[Row]:
    return ((id,) for id, node in catalog.system.nodes.items() if node.collection.durable)


def _persisted(catalog: Catalog) -> Iterator[Row]:
    return ((id,) for id, node in catalog.system.nodes.items() if node.persisted)


def _asynchronous(catalog: Catalog) -> Iterator[Row]:
    return ((id,) for id in catalog.system.nodes if id in catalog.system.asynchronous)


def _rules(catalog: Catalog) -> Iterator[Row]:
    for unit in catalog.system.units:
        yield rule_name(catalog.system, unit), unit.head, unit.op


def _places(catalog: Catalog) -> Iterator[Row]:
    for unit in catalog.system.units:
        yield rule_name(catalog.system, unit), unit.rule.span.file, unit.rule.span.line


def _uses(catalog: Catalog) -> Iterator[Row]:
    for unit in catalog.system.units:
        for use in unit.uses:
            polarity = "-" if use.atom.negated else "aggregate" if unit.aggregates else "+"
            yield rule_name(catalog.system, unit), use.node, polarity, use.index


def _modes(catalog: Catalog) -> Iterator[Row]:
    return ((id, mode.word) for id, mode in catalog.inference.modes.items())


def _rule_modes(catalog: Catalog) -> Iterator[Row]:
    for conclusion in catalog.inference.conclusions:
        yield rule_name(catalog.system, conclusion.unit), conclusion.mode.word


def _strata(catalog: Catalog) -> Iterator[Row]:
    return iter(stratum_numbers(catalog.system).items())


def _clusters(catalog: Catalog) -> Iterator[Row]:
    for number, members in enumerate(temporal_clusters(catalog.system)):
        for member in sorted(members):
            yield number, member


def _verdicts(catalog: Catalog) -> Iterator[Row]:
    return ((verdict.collection, verdict.word) for verdict in catalog.report.verdicts)


def _labels(catalog: Catalog) -> Iterator[Row]:
    return ((one.collection, one.label) for one in catalog.report.verdicts if one.label)


def _points(catalog: Catalog) -> Iterator[Row]:
    many = len(catalog.system.roles) > 1
    for point in catalog.report.points:
        yield point.id, point.kind, f"{point.role}.{point.rule}" if many else point.rule


def _gates(catalog: Catalog) -> Iterator[Row]:
    return ((point.id, column) for point in catalog.report.points for column in point.gate)


def _blames(catalog: Catalog) -> Iterator[Row]:
    for verdict in catalog.report.verdicts:
        for flag in verdict.flags:
            yield flag.point.id, flag.path[0].collection, verdict.collection


def _mends(catalog: Catalog) -> Iterator[Row]:
    for point in catalog.report.points:
        for number, mend in enumerate(point.mends, 1):
            yield point.id, number, mend.cost, mend.text


# ------------------------------------------------------------------- closures


def _steps(catalog: Catalog) -> dict[str, list[tuple[str, bool, bool]]]:
    """Collection -> (what reads it, through a negation or aggregate, at another tick)."""
    found: dict[str, dict[tuple[str, bool, bool], None]] = {}
    for unit in catalog.system.units:
        for use in unit.uses:
            hard = use.atom.negated or bool(unit.aggregates) or unit.op in ("<-", "<+-")
            step = (unit.head, hard, unit.temporal)
            found.setdefault(use.node, {})[step] = None
    return {node: list(steps) for node, steps in found.items()}


def _depends(catalog: Catalog) -> Iterator[Row]:
    for node, steps in _steps(catalog).items():
        for head in dict.fromkeys(head for head, _, _ in steps):
            yield node, head


def _closure(catalog: Catalog, marks: Callable[[bool, bool], bool]) -> Iterator[Row]:
    """Pairs such that some way from the first to the second has a marked step."""
    steps = _steps(catalog)
    for start in catalog.system.nodes:
        seen: set[tuple[str, bool]] = set()
        queue = deque([(start, False)])
        while queue:
            node, marked = queue.popleft()
            for head, hard, later in steps.get(node, ()):
                state = (head, marked or marks(hard, later))
                if state not in seen:
                    seen.add(state)
                    queue.append(state)
        for node, marked in seen:
            if marked:
                yield start, node


def _reaches(catalog: Catalog) -> Iterator[Row]:
    return _closure(catalog, lambda hard, later: True)


def _reaches_hard(catalog: Catalog) -> Iterator[Row]:
    return _closure(catalog, lambda hard, later: hard)


def _reaches_later(catalog: Catalog) -> Iterator[Row]:
    return _closure(catalog, lambda hard, later: later)


KINDS: tuple[ir.Kind, ...] = (
    "table", "scratch", "channel", "periodic", "input", "output", "const", "roster",
    "invariant", "eventually",
)  # fmt: skip

RELATIONS: dict[str, Relation] = {
    relation.name: relation
    for relation in (
        Relation("collection", ("C", "Kind", "Role"), "every collection", _collections),
        Relation("column", ("C", "Number", "Name", "Type", "Key"),
                 "its columns; Key is 'key', 'value' or 'set' (no key at all)", _columns),
        *(Relation(kind, ("C",), f"collections of kind {kind}", _of_kind(kind))
          for kind in KINDS),
        Relation("durable", ("C",), "tables that are kept on disk", _durable),
        Relation("persisted", ("C",), "tables, and what a frame rule persists", _persisted),
        Relation("asynchronous", ("C",), "what channels or inputs feed", _asynchronous),
        Relation("rule", ("R", "Head", "Op"), "every rule", _rules),
        Relation("place", ("R", "File", "Line"), "where a rule is written", _places),
        Relation("uses", ("R", "C", "Polarity", "Literal"),
                 "what a rule reads; Polarity is '+', '-' or 'aggregate'", _uses),
        Relation("mode", ("C", "Mode"), "the mode of a collection", _modes),
        Relation("rule_mode", ("R", "Mode"), "the mode of what a rule derives", _rule_modes),
        Relation("stratum", ("C", "N"), "its stratum within a tick", _strata),
        Relation("cluster", ("N", "C"), "temporal clusters and their members", _clusters),
        Relation("verdict", ("C", "Word"), "the verdicts", _verdicts),
        Relation("label", ("C", "Label"), "labels of replicated roles' outputs", _labels),
        Relation("point", ("P", "Kind", "R"), "points of order and their rules", _points),
        Relation("gate", ("P", "Column"), "the columns of a point's gate", _gates),
        Relation("blame", ("P", "Channel", "C"),
                 "by which channel or input a point comes to a verdict", _blames),
        Relation("mend", ("P", "Number", "Cost", "Text"), "the ways out of a point", _mends),
        Relation("depends", ("A", "B"), "a rule reads A and derives B", _depends),
        Relation("reaches", ("A", "B"), "B depends on A, at any distance", _reaches),
        Relation("reaches_negated", ("A", "B"),
                 "so, through a negation, aggregate, deletion or overwrite", _reaches_hard),
        Relation("reaches_later", ("A", "B"), "so, through another tick or node", _reaches_later),
    )
}  # fmt: skip

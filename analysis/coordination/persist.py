"""Insertion of tables: what met by chance waits for the other side (4.6, number 0).

Two messages that a rule joins as they pass meet only if one tick brings both.
Kept in tables they meet whenever the second comes, at no message more: the
join of what only grows only grows.  The rule reads the tables; whoever else
reads what passes by reads it as before.  A view of such a join is made anew
for the rule, out of tables.  So is an aggregate that ranges over what one tick
brings, where over all that came it is what can be relied on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from bloomish import ir
from bloomish.analysis.coordination.data import Inserted, Insertion, Price, Refusal
from bloomish.analysis.coordination.splice import add, free_path, replace_rules
from bloomish.analysis.graph import System, Unit, Use
from bloomish.analysis.inference import Inference, infer
from bloomish.analysis.modes import EVENT, NONDET, PART
from bloomish.analysis.points import PointKind
from bloomish.analysis.result import Point, Report
from bloomish.cluster import CompiledCluster

ORIGIN = "coordination: persist"
FREE = Price(0.0, "nothing: what comes is kept", 0.0, "nothing")


def persistable(inference: Inference, report: Report, point: Point) -> str:
    """Why tables do not help a point, "" if they do."""
    unit = inference.system.stated(point.role, point.rule)[0]
    if point.kind == PointKind.UNGUARDED_JOIN.value:
        lost = inference.system.shrinking(unit)
        name = inference.system.nodes[lost].collection.name if lost else ""
        return f"rows are taken from {name}: what waits for one acts out of turn" if lost else ""
    if point.kind != PointKind.CHOICE.value or point.inference != "T3":
        return "it does not depend on what meets by chance"
    acting = _acts(inference.system, unit)
    return f"`{acting.rule.name}` acts for good on what may be taken back" if acting else ""


def _acts(system: System, unit: Unit) -> Unit | None:
    """The first rule from here on that does what cannot be undone, if one does."""
    queue, seen = [unit], {unit.id}
    while queue:
        one = queue.pop(0)
        head = system.nodes[one.head]
        if one.op != "<=" or head.persisted or head.kind == "output":
            return one
        for reader in system.readers[one.head]:
            if reader.id not in seen:
                seen.add(reader.id)
                queue.append(reader)
    return None


def persisted(
    given: CompiledCluster, inference: Inference, report: Report, points: Sequence[Point]
) -> Inserted:
    """Tables for these points."""
    deployed = given
    insertions: list[Insertion] = []
    refusals: list[Refusal] = []
    for point in points:
        why = persistable(inference, report, point)
        made = None if why else _Tables(deployed, inference, point).insert()
        if made is not None:
            why = _still(made.deployed, point)
        if made is None or why:
            refusals.append(Refusal(point.id, point.rule, point.span, why))
            continue
        deployed = made.deployed
        insertions.append(made.insertion())
    return Inserted(deployed, tuple(insertions), tuple(refusals))


def _still(deployed: CompiledCluster, point: Point) -> str:
    """Why a rule depends on the schedule with its tables, too."""
    for conclusion in infer(System(deployed.deployment)).conclusions:
        unit = conclusion.unit
        if (unit.role, unit.rule.name) == (point.role, point.rule) and conclusion.findings:
            return f"stored, and still: {conclusion.findings[0].why}"
    return ""


class _Tables:
    """What one point's rule joins, kept."""

    def __init__(self, deployed: CompiledCluster, inference: Inference, point: Point) -> None:
        self.deployed, self.point = deployed, point
        self.inference, self.system = inference, inference.system
        self.role = point.role
        self.path = free_path(deployed, "kept")
        self.collections: dict[str, dict[str, ir.Collection]] = {}
        self.rules: dict[str, list[ir.Rule]] = {}
        self.changed: dict[str, dict[str, tuple[ir.Rule, ...]]] = {}
        """Role -> rule -> how it reads what is kept."""
        self.kept: dict[tuple[str, str], str] = {}
        """Role, node -> the table or view that is read instead."""

    def insert(self) -> _Tables:
        unit = self.system.stated(self.role, self.point.rule)[0]
        modes = {c.unit.id: c.mode for c in self.inference.conclusions}
        units = [unit]
        if modes[unit.id] not in (PART, NONDET):  # a cell that other rules merge parts into
            units = [u for u in self.system.producers[unit.head] if modes[u.id] is PART]
        for one in units:
            self._change(one)
        durable = self.system.nodes[unit.head].collection.durable
        for role, changed in self.changed.items():
            self.deployed = replace_rules(self.deployed, role, changed)
            self.deployed = add(
                self.deployed,
                role,
                (
                    replace(c, durable=durable and c.kind == "table")
                    for c in self.collections.get(role, {}).values()
                ),
                self.rules.get(role, ()),
            )
        return self

    def _change(self, unit: Unit) -> None:
        """A rule reads what is kept from now on."""
        rules = self.changed.setdefault(unit.role, {})
        if unit.rule.name not in rules:
            rules[unit.rule.name] = ()
            rules[unit.rule.name] = (self._reading(unit, unit.rule),)

    def _reading(self, unit: Unit, rule: ir.Rule) -> ir.Rule:
        """The rule, reading what is kept."""
        body = list(rule.body)
        for use in unit.positives:
            name = self._instead(unit.role, use)
            if name:
                body[use.index] = replace(use.atom, collection=name)
        return replace(rule, body=tuple(body), origin=ORIGIN, span=replace(rule.span, text=""))

    def _instead(self, role: str, use: Use) -> str:
        """What is read at a role in place of an atom's collection, "" if it stays."""
        node = self.system.nodes[use.node]
        mode = self.inference.modes[use.node]
        if (role, use.node) in self.kept:
            return self.kept[role, use.node]
        if node.persisted or node.kind in ("periodic", "roster", "const"):
            return ""
        if mode is EVENT and use.node in self.system.asynchronous:
            return self._table(role, use)
        if mode is PART and node.kind == "channel":  # what is sent met by chance, at who sends it
            for unit in self.system.producers[use.node]:
                self._change(unit)
            return ""
        return self._view(role, use) if mode is PART else ""

    def _add(self, role: str, declared: ir.Collection, rules: Iterable[ir.Rule]) -> None:
        self.collections.setdefault(role, {})[declared.name] = declared
        self.rules.setdefault(role, []).extend(rules)

    def _name(self, role: str, use: Use) -> str:
        name = f"{self.path}.{use.atom.collection.replace('.', '_')}"
        self.kept[role, use.node] = name
        return name

    def _table(self, role: str, use: Use) -> str:
        name = self._name(role, use)
        columns = tuple(
            ir.Column(c.name, c.type, c.key and bool(self.system.nodes[use.node].lattices))
            for c in self.system.nodes[use.node].columns
        )
        variables = tuple(ir.Var(column.name) for column in columns)
        body = (ir.Atom(use.atom.collection, variables),)
        rule = ir.Rule(f"{name}_1", name, variables, "<=", body, ORIGIN)
        self._add(role, ir.Collection(name, "table", columns), (rule,))
        return name

    def _view(self, role: str, use: Use) -> str:
        name = self._name(role, use)
        own = self.system.nodes[use.node].collection
        rules = [
            replace(self._reading(unit, unit.rule), name=f"{name}_{number}", head=name)
            for number, unit in enumerate(self.system.producers[use.node], start=1)
        ]
        self._add(role, replace(own, name=name, kind="scratch", durable=False, wire=""), rules)
        return name

    def insertion(self) -> Insertion:
        nodes = tuple(dict.fromkeys(node for _, node in self.kept))
        names = [self.system.nodes[node].collection.name for node in nodes]
        role = next((role for role, _ in self.kept), self.role)
        listed = " and ".join(names)
        what = (
            f"{listed} {'is kept in a table' if len(names) == 1 else 'are kept in a table each'}: "
            f"{self.point.rule} finds whatever came, in whatever order"
        )
        return Insertion(
            "persist",
            role,
            (self.point.id,),
            (self.point.rule,),
            nodes,
            (),
            what,
            FREE,
            tuple(rule.name for rules in self.rules.values() for rule in rules),
        )

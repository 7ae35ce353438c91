"""Lattice typing through expressions (4.4): polarity and class of every use of a cell.

A variable bound from a lattice column is a *cell*: its value ascends as the
program runs.  Plain columns are discrete, as in Datafun and Flix.  An
expression over cells goes up (`UP`), down (`DOWN`), stays (`FIXED`) or is
`UNKNOWN` as the cells ascend; polarities multiply, so that an antitone function
of an antitone one is monotone (R10).  Its class says how much of the lattice's
structure it keeps: a morphism commutes with merge and may be evaluated on
parts; a monotone function must see the whole value; anything else reveals the
value and is plain.

On a chain (Max, Min, Bool) every monotone function of one cell is a morphism:
the merge of two values is one of the two.
"""

from __future__ import annotations

from dataclasses import dataclass

from bloomish import ir
from bloomish.analysis.expression_types import ExpressionTypes
from bloomish.analysis.expressions import conjuncts, variables_of
from bloomish.analysis.graph import System, Unit, Use
from bloomish.analysis.polarity import Kept, Typed, Way, core, not_a_threshold, plainly


@dataclass(frozen=True, slots=True)
class Cell:
    """A variable that a body atom binds to a lattice column, and its worst use."""

    name: str
    use: Use
    column: int
    type: ir.Lattice
    kept: Kept
    blame: str = ""
    """The use that makes it so, in words."""
    even: bool = False
    """Whether it is used by way of an even number of reversals (R10)."""


class Typing(ExpressionTypes):
    """Types the variables of one rule and judges each use of a cell.

    Cells of collections that are known to be `constant` do not move.
    """

    def __init__(self, system: System, unit: Unit, constant: frozenset[str] = frozenset()) -> None:
        super().__init__(*system.declarations[unit.role], _nonnegative_variables(unit))
        self.constant = constant
        self.unit = unit
        self.judged: dict[str, tuple[Kept, str]] = {}
        self.where: dict[str, tuple[Use, int, ir.Lattice]] = {}
        self.bound: set[str] = set()
        self.opaque: set[int] = set()
        """Body atoms of implicit cells of which more is asked than how the value ascends."""
        self.reveals: set[int] = set()
        """Body atoms whose lattice column is matched with something given."""
        self._bind(system)
        if self.where or self.reveals:
            self._judge(system)

    def cells(self) -> tuple[Cell, ...]:
        return tuple(
            Cell(
                name,
                use,
                column,
                type,
                *self.judged.get(name, (Kept.MORPHISM, "")),
                even=name in self.turned_back,
            )
            for name, (use, column, type) in self.where.items()
        )

    # -------------------------------------------------------------- binding

    def _bind(self, system: System) -> None:
        plain: set[str] = set()
        for use in self.unit.positives:
            columns = system.nodes[use.node].columns
            for argument, column in zip(use.atom.args, columns, strict=True):
                if isinstance(argument, ir.Var):
                    self.bound.add(argument.name)
                    if not isinstance(column.type, ir.Lattice) or use.node in self.constant:
                        plain.add(argument.name)
        for use in self.unit.uses:
            if use.node in self.constant:
                continue
            hidden = implicit_cells(system, use.node)
            if hidden is not None:
                self._bind_implicit(use, hidden, plain)
            for number, column in enumerate(system.nodes[use.node].columns):
                if not isinstance(column.type, ir.Lattice):
                    continue
                argument = use.atom.args[number]
                if isinstance(argument, ir.Wild):
                    continue
                fresh = (
                    isinstance(argument, ir.Var)
                    and argument.name not in plain
                    and argument.name not in self.where
                    and not use.atom.negated
                )
                if not fresh:
                    self.reveals.add(use.index)
                    for name in variables_of(argument) & self.where.keys():
                        self._spoil(name, f"{name} is matched for equality")
                    continue
                assert isinstance(argument, ir.Var)
                name = argument.name
                self.where[name] = (use, number, column.type)
                self.env[name] = Typed(Way.UP, Kept.MORPHISM, column.type, frozenset((name,)))

    def _bind_implicit(
        self, use: Use, hidden: dict[int, ir.Lattice | None], plain: set[str]
    ) -> None:
        """Variables at the aggregates of a view are cells, if nothing else binds them."""
        for number, type in hidden.items():
            argument = use.atom.args[number]
            if isinstance(argument, ir.Wild):
                continue
            own = [a for u in self.unit.positives for a in u.atom.args if a == argument]
            if type is None or not isinstance(argument, ir.Var) or len(own) != 1:
                self.opaque.add(use.index)
            else:
                self.where[argument.name] = (use, number, type)
                cells = frozenset((argument.name,))
                self.env[argument.name] = Typed(Way.UP, Kept.MORPHISM, type, cells)

    def _spoil(self, name: str, why: str) -> None:
        self.judged[name] = (Kept.PLAIN, why)

    def _use(self, typed: Typed, kept: Kept | None, why: str) -> None:
        """One use of an expression: `kept` None refuses it."""
        worst = Kept.PLAIN if kept is None else max(kept, typed.kept)
        if len(typed.cells) > 1:
            worst = max(worst, Kept.MONOTONE)
        for name in typed.cells:
            before = self.judged.get(name, (Kept.MORPHISM, ""))
            if worst > before[0]:
                self.judged[name] = (worst, why)

    # -------------------------------------------------------------- judging

    def _judge(self, system: System) -> None:
        tests = 0
        for part in self._in_binding_order():
            if isinstance(part, ir.Condition):
                for test in conjuncts(part.test):
                    if self._binds(test):
                        continue
                    typed = self.type(test)
                    tests += bool(typed.cells)
                    fine = typed.way in (Way.FIXED, Way.UP)
                    self._use(typed, Kept.MORPHISM if fine else None, not_a_threshold(typed.way))
            elif isinstance(part, ir.Each):
                source = self.type(part.source)
                fine = self._bind_each(part, source)
                self._use(source, Kept.MORPHISM if fine else None, "each() of a value, not a set")
        for use in self.unit.uses:
            for number, argument in enumerate(use.atom.args):
                if isinstance(argument, ir.Wild):
                    continue
                own = isinstance(argument, ir.Var) and self.where.get(argument.name, ())[:2] == (
                    use,
                    number,
                )
                if not own:
                    typed = self.type(argument)
                    self._use(typed, None, f"a column of {use.atom.collection} is matched with it")
        self._judge_head(system)
        if tests and len(self.where) > 1:
            # Two cells of one row that pass two tests in one merge need not pass
            # them in the parts: no morphism of the pair.
            for name in self.where:
                self._use(self.env[name], Kept.MONOTONE, "several cells are tested together")

    def _in_binding_order(self) -> list[ir.Literal]:
        """Conditions and each() so that what binds a variable comes first."""
        rest = [part for part in self.unit.body if not isinstance(part, ir.Atom)]
        known = {
            argument.name
            for use in self.unit.positives
            for argument in use.atom.args
            if isinstance(argument, ir.Var)
        }
        ordered: list[ir.Literal] = []
        while rest:
            part = next((part for part in rest if _needs(part, known) <= known), rest[0])
            rest.remove(part)
            ordered.append(part)
            known |= _gives(part)
        return ordered

    def _binds(self, test: ir.Expr) -> bool:
        """`z == expr` that names a value gives z the value's type."""
        if not (isinstance(test, ir.Binary) and test.op == "=="):
            return False
        for one, other in ((test.left, test.right), (test.right, test.left)):
            if isinstance(one, ir.Var) and one.name not in self.bound:
                if variables_of(other) <= self.bound:
                    self.env[one.name] = self.type(other)
                    self.bound.add(one.name)
                    return True
        return False

    def _bind_each(self, part: ir.Each, source: Typed) -> bool:
        """Elements of a growing set are plain, values of a growing map are cells."""
        type = core(source.type)
        for item in part.items:
            if variables_of(item) & self.bound:
                self._use(self.type(item), None, "each() looks its value up")
        self.bound |= {item.name for item in part.items if isinstance(item, ir.Var)}
        fine = source.way is Way.FIXED
        if source.way is Way.UP and isinstance(type, ir.Lattice):
            fine = type.name in ("SetUnion", "MapUnion")
            if fine and type.name == "MapUnion" and len(part.items) == 2:
                value = part.items[1]
                inner = type.args[1]
                if isinstance(value, ir.Var):
                    self.env[value.name] = Typed(Way.UP, source.kept, inner, source.cells)
        return fine

    def _judge_head(self, system: System) -> None:
        columns = system.nodes[self.unit.head].columns
        for argument, column in zip(self.unit.rule.args, columns, strict=True):
            if isinstance(argument, ir.Aggregate):
                self._judge_aggregate(argument, column.type)
            elif isinstance(column.type, ir.Lattice) and self.unit.op != "<-":
                self._judge_merge(argument, column.type, column.name)
            else:
                typed = self.type(argument)
                own_row = self.unit.op == "<-" and any(
                    System.is_own_row(self.unit, use) for use in self.unit.positives
                )
                if typed.cells and not own_row:
                    self._use(typed, None, f"its value is put into the plain column {column.name}")

    def _judge_merge(self, argument: ir.Expr, into: ir.Lattice, name: str) -> None:
        typed = self.type(argument)
        kept = self.fits(argument, into)
        self._use(typed, kept, f"its value is no monotone part of {name}")

    def _judge_aggregate(self, aggregate: ir.Aggregate, into: ir.Type) -> None:
        """A cell may be aggregated where the result ascends with it."""
        if aggregate.value is None:
            return
        typed = self.type(aggregate.value)
        fine = (
            isinstance(into, ir.Lattice)
            and aggregate_rises(aggregate, into, self)
            and aggregate.name in ("max", "min", "sum")
        )
        kept = Kept.MORPHISM if aggregate.name in ("max", "min") else Kept.MONOTONE
        self._use(typed, kept if fine else None, f"{aggregate.name}() of its value")
        if aggregate.by is not None:
            self._use(self.type(aggregate.by), None, f"{aggregate.name}() compares its value")


INT = ir.Plain("int")
RISING: dict[str, ir.Lattice] = {
    "count": ir.Lattice("Max", (INT,)),
    "sum": ir.Lattice("Max", (INT,)),
    "max": ir.Lattice("Max", (INT,)),
    "min": ir.Lattice("Min", (INT,)),
}


def implicit_cells(system: System, node: str) -> dict[int, ir.Lattice | None] | None:
    """The plain columns of a view that one rule fills by aggregates, as the lattices in
    which they ascend while the rows grow; None where an aggregate does not.

    `total(k, count(x)) <= seen(k, x)` has one row per k whose number only rises, so
    a threshold on it is monotone without the user saying `Max`: a quorum in
    Dedalus, say.  The view's rows as such are taken back all the time (Flux).
    """
    if node not in system.implicit:
        system.implicit[node] = _implicit_cells(system, node)
    return system.implicit[node]


def _implicit_cells(system: System, node: str) -> dict[int, ir.Lattice | None] | None:
    units = system.producers[node]
    declared = system.nodes[node]
    if len(units) != 1 or not units[0].aggregates or declared.lattices or declared.persisted:
        return None
    (unit,) = units
    if unit.op != "<=" or node in system.facts or declared.kind == "channel":
        return None
    typing = Typing(system, unit)
    found: dict[int, ir.Lattice | None] = {}
    for number, aggregate in unit.aggregates:
        lattice = RISING.get(aggregate.name)
        rises = lattice is not None and aggregate_rises(aggregate, lattice, typing)
        found[number] = lattice if rises else None
    return found


def aggregate_rises(aggregate: ir.Aggregate, into: ir.Type, typing: Typing) -> bool:
    """T3: whether the aggregate of a growing set ascends in the head's lattice."""
    if not isinstance(into, ir.Lattice):
        return False
    value = aggregate.value
    way = Way.FIXED if value is None else plainly(typing.type(value))
    match aggregate.name, into.name:
        case "count", "Max":
            return way is Way.FIXED
        case "sum", "Max":
            rises = way in (Way.FIXED, Way.UP)
            return rises and value is not None and typing.is_nonnegative(value)
        case "max", "Max":
            return way in (Way.FIXED, Way.UP)
        case "min", "Min":
            return way in (Way.FIXED, Way.DOWN)
        case _:
            return False


def _nonnegative_variables(unit: Unit) -> frozenset[str]:
    """Variables that a condition of the body holds at 0 or above."""
    found = set()
    for condition in unit.conditions:
        for test in conjuncts(condition.test):
            if not isinstance(test, ir.Binary):
                continue
            match test.op, test.left, test.right:
                case ((">" | ">="), ir.Var(name=name), ir.Const(value=bound)):
                    pass
                case (("<" | "<="), ir.Const(value=bound), ir.Var(name=name)):
                    pass
                case _:
                    continue
            if isinstance(bound, (int, float)) and bound >= 0:
                found.add(name)
    return frozenset(found)


def _needs(part: ir.Literal, known: set[str]) -> frozenset[str]:
    """The variables to be known before a literal can be taken."""
    match part:
        case ir.Each(source=source):
            return variables_of(source)
        case ir.Condition(test=ir.Binary(op="==", left=left, right=right)):
            for one, other in ((left, right), (right, left)):
                if isinstance(one, ir.Var) and one.name not in known:
                    return variables_of(other)
            return variables_of(left) | variables_of(right)
        case ir.Condition(test=test):
            return variables_of(test)
        case _:
            return frozenset()


def _gives(part: ir.Literal) -> frozenset[str]:
    match part:
        case ir.Each(items=items):
            return frozenset(item.name for item in items if isinstance(item, ir.Var))
        case ir.Condition(test=ir.Binary(op="==", left=left, right=right)):
            sides = (side for side in (left, right) if isinstance(side, ir.Var))
            return frozenset(side.name for side in sides)
        case _:
            return frozenset()

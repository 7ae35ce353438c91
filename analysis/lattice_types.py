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
from enum import IntEnum
from functools import cache

from bloomish import ir
from bloomish.analysis.expressions import variables_of
from bloomish.analysis.graph import System, Unit, Use
from bloomish.analysis.methods import Signature, method_signature
from bloomish.lattices.structure import structure


class Way(IntEnum):
    """Polarity: 0, +, -, * of 4.4.  Joined by `either`, mirrored by `opposite`."""

    FIXED = 0
    UP = 1
    DOWN = 2
    UNKNOWN = 3


class Kept(IntEnum):
    """Class: what a function keeps of the lattice; the greater the worse."""

    MORPHISM = 0
    MONOTONE = 1
    PLAIN = 2


@dataclass(frozen=True, slots=True)
class Typed:
    """An expression's polarity, class, and type where it is a lattice's."""

    way: Way = Way.FIXED
    kept: Kept = Kept.MORPHISM
    type: ir.Type | None = None
    cells: frozenset[str] = frozenset()


FIXED = Typed()
CHAINS = ("Max", "Min", "Bool")
_NUMERIC = ("int", "float")


def either(a: Way, b: Way) -> Way:
    """The polarity of what depends on two things."""
    return Way(a | b)


def opposite(a: Way) -> Way:
    return {Way.UP: Way.DOWN, Way.DOWN: Way.UP}.get(a, a)


@cache
def core(type: ir.Type | None) -> ir.Type | None:
    """A lattice without its shorthand names, to compare it by."""
    return structure(type) if isinstance(type, ir.Lattice) else type


def is_chain(type: ir.Type | None) -> bool:
    return isinstance(type, ir.Lattice) and type.name in CHAINS


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


class Typing:
    """Types the variables of one rule and judges each use of a cell.

    Cells of collections that are known to be `constant` do not move.
    """

    def __init__(self, system: System, unit: Unit, constant: frozenset[str] = frozenset()) -> None:
        self.constant = constant
        self.lattices, self.functions = system.declarations[unit.role]
        self.unit = unit
        self.env: dict[str, Typed] = {}
        self.judged: dict[str, tuple[Kept, str]] = {}
        self.where: dict[str, tuple[Use, int, ir.Lattice]] = {}
        self.positive = _nonnegative_variables(unit)
        self.bound: set[str] = set()
        self.turned_back: set[str] = set()
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
                    self._use(typed, Kept.MORPHISM if fine else None, _not_a_threshold(typed.way))
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

    # --------------------------------------------------------------- typing

    def fits(self, term: ir.Expr, into: ir.Lattice) -> Kept | None:
        """How a term merges into a lattice column; None if not monotonely."""
        typed = self.type(term)
        if typed.way is Way.FIXED:
            return Kept.MORPHISM
        into = structure(into)
        match term:
            case ir.SetExpr():
                return None
            case ir.MapExpr(items=items) if into.name == "MapUnion":
                inner = into.args[1]
                kept = Kept.MORPHISM
                for key, value in items:
                    if self.type(key).way is not Way.FIXED or not isinstance(inner, ir.Lattice):
                        return None
                    one = self.fits(value, inner)
                    if one is None:
                        return None
                    kept = max(kept, one)
                return kept
            case ir.TupleExpr(items=(first, second)) if into.name in ("Pair", "Lex"):
                a, b = into.args
                if not (isinstance(a, ir.Lattice) and isinstance(b, ir.Lattice)):
                    return None
                if into.name == "Lex" and self.type(first).way is not Way.FIXED:
                    return None  # the value under a rising version is another value
                parts = (self.fits(first, a), self.fits(second, b))
                if parts[0] is None or parts[1] is None:
                    return None
                return max(parts[0], parts[1])
        if core(typed.type) == into and typed.way is Way.UP:
            return typed.kept
        if into.name in CHAINS and (typed.type is None or is_chain(typed.type)):
            wanted = Way.DOWN if into.name == "Min" else Way.UP
            return typed.kept if plainly(typed) is wanted else None
        return None

    def type(self, term: ir.HeadArg) -> Typed:
        """The polarity and class of an expression."""
        match term:
            case ir.Var(name=name):
                return self.env.get(name, FIXED)
            case ir.Unary(op=op, operand=operand):
                inner = self.type(operand)
                if op == "-" and not _is_numeric(inner):
                    return _unknown(inner)
                return Typed(self._turned(plainly(inner), inner), inner.kept, None, inner.cells)
            case ir.Binary():
                return self._binary(term)
            case ir.Call(function=name, args=args):
                return self._call(name, args)
            case ir.Method(name=name, receiver=receiver, args=args):
                return self._method(name, receiver, args)
            case ir.Size(of=of):
                return FIXED if isinstance(of, str) else self._size(of)
            case ir.TupleExpr(items=items) | ir.SetExpr(items=items):
                return self._structure(items)
            case ir.MapExpr(items=pairs):
                return self._structure(tuple(part for pair in pairs for part in pair))
            case _:
                return FIXED

    def _structure(self, items: tuple[ir.Expr, ...]) -> Typed:
        typed = [self.type(item) for item in items]
        if all(part.way is Way.FIXED for part in typed):
            return FIXED
        cells = frozenset(name for part in typed for name in part.cells)
        kept = max((part.kept for part in typed), default=Kept.MORPHISM)
        return Typed(Way.UNKNOWN, kept, None, cells)

    def _size(self, of: ir.Expr) -> Typed:
        inner = self.type(of)
        if inner.way is Way.FIXED:
            return FIXED
        type = core(inner.type)
        counted = isinstance(type, ir.Lattice) and type.name in ("SetUnion", "MapUnion")
        way = inner.way if counted else Way.UNKNOWN
        return Typed(way, Kept.MONOTONE, None, inner.cells)

    def _binary(self, term: ir.Binary) -> Typed:
        left, right = self.type(term.left), self.type(term.right)
        cells = left.cells | right.cells
        if not cells:
            return FIXED
        kept = max(left.kept, right.kept)
        if len(cells) > 1:
            kept = max(kept, Kept.MONOTONE)
        a, b = plainly(left), plainly(right)
        way = Way.UNKNOWN
        match term.op:
            case "|":
                same = core(left.type) == core(right.type) or Way.FIXED in (left.way, right.way)
                way = either(left.way, right.way) if same else Way.UNKNOWN
                return Typed(way, kept, left.type or right.type, cells)
            case "+" if _is_numeric(left) and _is_numeric(right):
                way = either(a, b)
            case "-" if _is_numeric(left) and _is_numeric(right):
                way = either(a, self._turned(b, right))
            case "*" if not right.cells:
                way = self._scaled(a, term.right)
            case "*" if not left.cells:
                way = self._scaled(b, term.left)
            case "/" | "//" | "div" if not right.cells:
                way = self._scaled(a, term.right)
            case ">" | ">=":
                way = either(a, self._turned(b, right))
            case "<" | "<=":
                way = either(self._turned(a, left), b)
            case "and" | "or":
                way = either(a, b)
            case "==" | "!=":
                way = _equality(term, a, b)
        return Typed(way, kept, None, cells)

    def _turned(self, way: Way, typed: Typed) -> Way:
        """The opposite; what went down and now goes up has been turned twice."""
        if way is Way.DOWN:
            self.turned_back |= typed.cells
        return opposite(way)

    def _scaled(self, way: Way, factor: ir.Expr) -> Way:
        if self.is_nonnegative(factor):
            return way
        if isinstance(factor, ir.Const) and isinstance(factor.value, (int, float)):
            return opposite(way)
        return Way.UNKNOWN

    def is_nonnegative(self, term: ir.Expr) -> bool:
        """Known from the syntax to be a number of at least 0."""
        match term:
            case ir.Const(value=value):
                return isinstance(value, (int, float)) and value >= 0
            case ir.Size():
                return True
            case ir.Var(name=name):
                return name in self.positive
            case ir.Binary(op=op, left=left, right=right) if op in ("+", "*", "/", "//", "div"):
                return self.is_nonnegative(left) and self.is_nonnegative(right)
            case _:
                return False

    def _call(self, name: str, args: tuple[ir.Expr, ...]) -> Typed:
        typed = [self.type(argument) for argument in args]
        cells = frozenset(cell for part in typed for cell in part.cells)
        if not cells:
            return FIXED
        declared = self.functions[name]
        result = declared.result
        if not declared.monotone:
            return Typed(Way.UNKNOWN, Kept.PLAIN, result, cells)
        way = Way.FIXED
        for part, wanted in zip(typed, declared.params, strict=True):
            if isinstance(wanted, ir.Lattice):
                fits = part.way is Way.FIXED or core(part.type) == core(wanted)
                way = either(way, part.way if fits else Way.UNKNOWN)
            else:
                way = either(way, plainly(part))
        return Typed(way, Kept.MONOTONE, result, cells)

    def _method(self, name: str, receiver: ir.Expr, args: tuple[ir.Expr, ...]) -> Typed:
        inner = self.type(receiver)
        typed = [inner, *(self.type(argument) for argument in args)]
        cells = frozenset(cell for part in typed for cell in part.cells)
        if not cells:
            return FIXED
        if not isinstance(inner.type, ir.Lattice):
            return Typed(Way.UNKNOWN, Kept.PLAIN, None, cells)
        signature = method_signature(inner.type, name, self.lattices, len(args))
        way = Way.FIXED
        for place, part in enumerate(typed):
            way = either(way, self._moves(part, signature, place))
        kept = max(part.kept for part in typed)
        if signature.kept != "morphism" or len(cells) > 1:
            kept = max(kept, Kept.MONOTONE)
        return Typed(way, kept, signature.result, cells)

    def _moves(self, part: Typed, signature: Signature, place: int) -> Way:
        """How a method's result goes as one argument of it does."""
        if part.way is Way.FIXED:
            return Way.FIXED
        wanted = signature.wants(place)
        way: Way = part.way
        if place > 0 and (wanted is None or core(part.type) != wanted):
            way = plainly(part) if wanted is None else Way.UNKNOWN
        match signature.polarity_of(place):
            case "+":
                return way
            case "-":
                return self._turned(way, part)
            case _:
                return Way.UNKNOWN


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


def plainly(typed: Typed) -> Way:
    """Which way a value goes in the order of plain values: a Min's goes down."""
    if typed.way is Way.FIXED or not isinstance(typed.type, ir.Lattice):
        return typed.way
    if typed.type.name in ("Max", "Bool"):
        return typed.way
    return opposite(typed.way) if typed.type.name == "Min" else Way.UNKNOWN


def _is_numeric(typed: Typed) -> bool:
    """Of a lattice: a chain of numbers.  What is fixed or computed is taken for one."""
    if typed.way is Way.FIXED or typed.type is None:
        return True
    if not isinstance(typed.type, ir.Lattice) or typed.type.name not in ("Max", "Min"):
        return False
    element = typed.type.args[0]
    return isinstance(element, ir.Plain) and element.name in _NUMERIC


def _unknown(typed: Typed) -> Typed:
    way = Way.FIXED if typed.way is Way.FIXED else Way.UNKNOWN
    return Typed(way, typed.kept, None, typed.cells)


def _equality(term: ir.Binary, a: Way, b: Way) -> Way:
    """`x == True` is x; any other equality of something that moves is a gamble."""
    for way, other in ((a, term.right), (b, term.left)):
        if isinstance(other, ir.Const) and isinstance(other.value, bool):
            return way if other.value is (term.op == "==") else opposite(way)
    return either(a, b) if Way.FIXED is either(a, b) else Way.UNKNOWN


def _not_a_threshold(way: Way) -> str:
    if way is Way.DOWN:
        return "the condition may cease to hold as the value ascends"
    return "the condition tests more than a threshold"


def conjuncts(test: ir.Expr) -> list[ir.Expr]:
    """The parts of a condition that must all hold."""
    if isinstance(test, ir.Binary) and test.op == "and":
        return [*conjuncts(test.left), *conjuncts(test.right)]
    return [test]


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

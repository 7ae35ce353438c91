"""The join order of one rule, as the steps that the engine runs.

A rule is planned once for each occasion on which it runs: in full, driven by the
changes of one literal, and backward from its head.  Each plan begins with what
is given and goes on with the literal that has most bound columns; tests run as
soon as their variables are bound.  A test that can fail (division, a function)
never stands in for an index, as the failure counts only if all else agrees;
`field` and sums do, as they fail only where something is wrong.
"""

from __future__ import annotations

from typing import Any

from bloomish import ir
from bloomish.ephemeral import is_volatile
from bloomish.runtime.plan_data import RelationPlan, Step, Virtual
from bloomish.runtime.plan_expressions import Compiler, Data, Externs, type_data
from bloomish.runtime.reference_rules import positive, variables
from bloomish.safety import parts
from bloomish.values import Misfit, Values

SCAN, PRIMARY, DELTA = -1, -2, -3
WIDEST = 16
"""So many columns an index may have."""


class Joins:
    """Plans one rule."""

    def __init__(
        self,
        virtual: Virtual,
        relations: list[RelationPlan],
        stratum: set[int],
        values: Values,
        externs: Externs,
    ) -> None:
        self._virtual = virtual
        self._relations = relations
        self._stratum = stratum
        self._values = values
        self._externs = externs
        self._registers: dict[str, int] = {}
        self.registers = 0
        self._body = virtual.body.literals
        self._generated = {name for literal, _ in self._body for name in _generates(literal)}
        self._column_types: dict[str, set[ir.Type]] = {}
        self._wild: dict[tuple[int, int], int] = {}
        source = virtual.source
        self._whole = source is not None and is_volatile(source) and _has_random(source)
        self.compile = Compiler(externs, virtual.types, virtual.name, self.register, self._trail)

    # ------------------------------------------------------------ registers

    def register(self, name: str) -> int:
        if name not in self._registers:
            self._registers[name] = self.fresh()
        return self._registers[name]

    def fresh(self) -> int:
        self.registers += 1
        return self.registers - 1

    def _trail(self) -> list[int]:
        """Registers of all values of the body's rows, in the order of the rule's text."""
        found = []
        for place, (literal, _) in enumerate(self._body):
            if positive(literal):
                assert isinstance(literal, ir.Atom)
                found += [self._slot(place, column) for column in range(len(literal.args))]
            elif isinstance(literal, ir.Each):
                found += [self._slot(place, column) for column in range(len(literal.items))]
        return found

    def _slot(self, literal: int, column: int) -> int:
        """A register for one value of a body row, where random() needs them all."""
        if (literal, column) not in self._wild:
            self._wild[literal, column] = self.fresh()
        return self._wild[literal, column]

    # ----------------------------------------------------------------- head

    def head(self) -> list[tuple[Data, bool]]:
        """The head's expressions; with each whether a bottom there makes no row."""
        for literal, relation in self._body:
            if positive(literal):
                assert isinstance(literal, ir.Atom)
                for term, type_ in zip(literal.args, self._types(literal, relation), strict=True):
                    if isinstance(term, ir.Var) and type_ is not None:
                        self._column_types.setdefault(term.name, set()).add(type_)
        found: list[tuple[Data, bool]] = []
        results: list[ir.Expr | None] = []
        for place, arg in enumerate(self._virtual.args):
            if isinstance(arg, ir.Aggregate):
                results += [arg.value, arg.by]
            elif self._as_it_is(place, arg):
                found.append((self.compile(arg), False))
            else:
                found.append(self._conformed(place, arg))
        for result in results:
            data = ("const", None) if result is None else self.compile(result)
            found.append((data, False))
        return found

    def _as_it_is(self, place: int, arg: ir.HeadArg) -> bool:
        """Whether the value is certainly in its column's form."""
        if self._virtual.raw:
            return True
        type_ = self._virtual.head_types[place]
        return isinstance(arg, ir.Var) and type_ in self._column_types.get(arg.name, ())

    def _conformed(self, place: int, arg: ir.Expr) -> tuple[Data, bool]:
        source = self._virtual.source
        assert source is not None
        type_ = self._virtual.head_types[place]
        known = not isinstance(type_, ir.Lattice) and type_ != ir.Plain("Any")
        misfit = self._externs.misfit(source.head, f"{place}", type_)
        data = self.compile(arg)
        if type_ == ir.Plain("Any"):
            return data, False
        return ("conform", type_data(self._values, type_), misfit, data), known

    def columns(self, atom: ir.Atom, relation: int) -> tuple[ir.Type, ...]:
        """The columns' types; Any for a relation of the plan's own making."""
        if relation in self._externs.untyped:
            return (ir.Plain("Any"),) * len(atom.args)
        return self._externs.columns[atom.collection]

    def _types(self, atom: ir.Atom, relation: int) -> list[ir.Type | None]:
        """The columns' types as far as the program declares them."""
        schema = self._externs.columns.get(atom.collection)
        if schema is None or relation in self._externs.untyped:
            return [None] * len(atom.args)
        return list(schema)

    # ---------------------------------------------------------------- steps

    def steps(self, driver: int | None = None) -> list[Step]:
        """The whole body, from scratch or driven by the changes of one literal."""
        return Order(self, set()).run(driver)

    def bound(self, width: int) -> tuple[int, list[Step]]:
        """The body with the head's first columns given, from a register on."""
        start = self.registers
        self.registers += self._relations[self._virtual.head].arity
        order = Order(self, set())
        for place, arg in enumerate(self._virtual.args[:width]):
            assert not isinstance(arg, ir.Aggregate)
            register = start + place
            if isinstance(arg, ir.Var) and self._as_it_is(place, arg):
                if arg.name in order.bound:
                    order.emit_same(register, arg, None)
                else:
                    order.bind(arg.name, ("reg", register))
            else:
                type_ = None if self._virtual.raw else self._virtual.head_types[place]
                order.later.append((register, arg, type_))
        return start, order.run(None)


class Order:
    """One plan in the making."""

    def __init__(self, joins: Joins, bound: set[str]) -> None:
        self._joins = joins
        self._body = joins._body
        self.bound = bound
        self.steps: list[Step] = []
        self.later: list[tuple[int, ir.Expr, ir.Type | None]] = []

    def run(self, driver: int | None) -> list[Step]:
        todo = list(range(len(self._body)))
        if driver is not None:
            atom, relation = self._body[driver]
            assert isinstance(atom, ir.Atom)
            self._rows(driver, atom, relation, DELTA)
            if not atom.negated:
                todo.remove(driver)
        while todo:
            self._flush_later(False)
            place = self._next(todo)
            todo.remove(place)
            self._step(place)
        self._flush_later(True)
        return self.steps

    # ---------------------------------------------------------------- order

    def _next(self, todo: list[int]) -> int:
        for place in todo:
            if self._is_test(place, todo):
                return place
        for place in todo:
            name, expr = self._binding(place)
            if name is not None and self._may_bind(name, expr):
                return place
        atoms = [place for place in todo if positive(self._body[place][0])]
        if atoms:
            best = max(atoms, key=lambda place: (*self._worth(place), -place))
            if self._worth(best)[1]:
                return best
        for place in todo:
            literal = self._body[place][0]
            if isinstance(literal, ir.Each) and self._known(literal.source):
                return place
        if atoms:
            return best
        for place in todo:
            name, expr = self._binding(place)
            if name is not None:
                return place
        raise ValueError(f"{self._joins._virtual.name}: the body binds not all of its variables")

    def _known(self, expr: ir.Expr) -> bool:
        names = variables(expr)
        return all(name in self.bound for name in names if name != "*")

    def _is_test(self, place: int, todo: list[int]) -> bool:
        literal, _ = self._body[place]
        if isinstance(literal, ir.Condition):
            if _has_random_expr(literal.test):
                if any(_ranges(self._body[other][0]) for other in todo):
                    return False
            return self._known(literal.test)
        if isinstance(literal, ir.Atom) and literal.negated:
            later: set[str] = set()
            for other in todo:
                later |= _generates(self._body[other][0])
                name, _ = self._binding(other, strict=False)
                if name is not None:
                    later.add(name)
            used = set().union(*map(variables, literal.args)) if literal.args else set()
            return not (used - self.bound) & later
        return False

    def _binding(self, place: int, strict: bool = True) -> tuple[str | None, ir.Expr]:
        """(variable, expression) of a condition `Var == expr` that can bind now."""
        literal, _ = self._body[place]
        if isinstance(literal, ir.Condition) and isinstance(literal.test, ir.Binary):
            test = literal.test
            if test.op == "==":
                for side, other in ((test.left, test.right), (test.right, test.left)):
                    if not isinstance(side, ir.Var) or side.name in self.bound:
                        continue
                    if side.name in variables(other) or strict and not self._known(other):
                        continue
                    if (
                        strict
                        and _has_random_expr(other)
                        and any(_ranges(self._body[p][0]) for p in self._open)
                    ):
                        continue
                    return side.name, other
        return None, ir.Wild()

    @property
    def _open(self) -> list[int]:
        """Literals that range over rows and were not taken yet."""
        taken = {step[1] for step in self.steps if step[0] in ("rows", "each")}
        return [
            p for p, (literal, _) in enumerate(self._body) if _ranges(literal) and p not in taken
        ]

    def _may_bind(self, name: str, expr: ir.Expr) -> bool:
        """What no literal ranges over; else only where `==` is sameness and cannot fail."""
        if name not in self._joins._generated:
            return True
        types = self._joins._virtual.types
        type_ = types.get(name)
        if not isinstance(type_, ir.Plain) or type_.name in ("Any", "float"):
            return False
        if isinstance(expr, ir.Var):
            return types.get(expr.name) == type_
        if isinstance(expr, ir.Const):
            wanted = {"int": int, "bool": bool, "bytes": bytes}.get(type_.name, str)
            return type(expr.value) is wanted
        return False

    def _worth(self, place: int) -> tuple[bool, int, bool, bool]:
        """How soon an atom should be taken: found by its key, bound columns, few rows
        (what a recursion grows tends to be larger than what it grows from)."""
        atom, relation = self._body[place]
        assert isinstance(atom, ir.Atom)
        spec = self._joins._relations[relation]
        types = self._joins.columns(atom, relation)
        known = {
            column
            for column, arg in enumerate(atom.args)
            if self._usable(arg) or self._sought(arg, types[column]) is not None
        }
        keyed = spec.key > 0 and known.issuperset(range(spec.key))
        grown = relation in self._joins._stratum
        return keyed, len(known), spec.ephemeral, not grown

    def _usable(self, arg: ir.Expr) -> bool:
        """Whether an argument can be part of a key."""
        return not isinstance(arg, ir.Wild) and self._known(arg) and _quick(arg)

    def _sought(self, arg: ir.Expr, type_: ir.Type) -> ir.Expr | None:
        """A condition `Var == expr` on a free variable finds its rows, too, where `==` is
        sameness; it is tested all the same."""
        if not isinstance(arg, ir.Var) or arg.name in self.bound:
            return None
        if not isinstance(type_, ir.Plain) or type_.name in ("Any", "float"):
            return None
        expressions, types = self._joins._externs.expressions, self._joins._virtual.types
        for literal, _ in self._body:
            if not isinstance(literal, ir.Condition) or not isinstance(literal.test, ir.Binary):
                continue
            test = literal.test
            for side, other in ((test.left, test.right), (test.right, test.left)):
                if test.op == "==" and side == arg and isinstance(other, (ir.Field, ir.Binary)):
                    if self._usable(other) and expressions.type(other, types) == type_:
                        return other
        return None

    # ---------------------------------------------------------------- steps

    def bind(self, name: str, data: Data) -> None:
        register = self._joins.register(name)
        self.steps.append(("let", register, data, None, []))
        self.bound.add(name)

    def emit_same(self, register: int, arg: ir.Expr, type_: ir.Type | None) -> None:
        shape = None if type_ is None else type_data(self._joins._values, type_)
        self.steps.append(("same", register, self._joins.compile(arg), shape, self._uses(arg)))

    def _flush_later(self, finish: bool) -> None:
        """Columns that are expressions are tested once their variables are bound."""
        waiting = []
        for register, arg, type_ in self.later:
            ready = self._known(arg) and (finish or not _has_random_expr(arg))
            if ready:
                self.emit_same(register, arg, type_)
            else:
                waiting.append((register, arg, type_))
        self.later = waiting

    def _uses(self, expr: ir.Expr) -> list[int]:
        return [self._joins.register(name) for name in sorted(variables(expr) - {"*"})]

    def _step(self, place: int) -> None:
        literal, relation = self._body[place]
        if isinstance(literal, ir.Atom):
            if literal.negated:
                self._absent(place, literal, relation)
            else:
                self._rows(place, literal, relation, None)
            return
        if isinstance(literal, ir.Each):
            self._each(place, literal)
            return
        name, expr = self._binding(place)
        if name is not None:
            register = self._joins.register(name)
            data = self._joins.compile(expr)
            self.steps.append(("let", register, data, None, self._uses(expr)))
            self.bound.add(name)
        else:
            test = literal.test
            self.steps.append(("test", self._joins.compile(test), self._uses(test)))

    def _shape(self, arg: ir.Const, relation: int, column: int, atom: ir.Atom) -> Data:
        """A constant in its column's form, if it has one."""
        values = self._joins._values
        type_ = self._joins.columns(atom, relation)[column]
        try:
            return ("const", values.conform(type_)(arg.value))
        except Misfit:
            return ("const", values.conform(ir.Plain("Any"))(arg.value))

    def _operand(self, arg: ir.Expr, relation: int, column: int, atom: ir.Atom) -> Data:
        """A register or constant for a bound argument."""
        if isinstance(arg, ir.Var):
            return ("reg", self._joins.register(arg.name))
        if isinstance(arg, ir.Const):
            return self._shape(arg, relation, column, atom)
        register = self._joins.fresh()
        type_ = self._joins.columns(atom, relation)[column]
        shape = type_data(self._joins._values, type_)
        data = self._joins.compile(arg)
        self.steps.append(("let", register, data, shape, self._uses(arg)))
        return ("reg", register)

    def _rows(self, place: int, atom: ir.Atom, relation: int, access: int | None) -> None:
        joins = self._joins
        spec = joins._relations[relation]
        keys: dict[int, Data] = {}
        binds: list[tuple[int, int]] = []
        equal: list[tuple[int, int]] = []
        first: dict[str, int] = {}
        columns = joins.columns(atom, relation)
        for column, arg in enumerate(atom.args):
            if joins._whole and positive(atom):
                binds.append((column, joins._slot(place, column)))
            if isinstance(arg, ir.Wild):
                continue
            if isinstance(arg, ir.Var) and arg.name not in self.bound:
                if arg.name in first:
                    equal.append((first[arg.name], column))
                    continue
                first[arg.name] = column
                sought = None if access == DELTA else self._sought(arg, columns[column])
                if sought is not None:
                    keys[column] = self._operand(sought, relation, column, atom)
                if not atom.negated or arg.name in joins._generated or self._bound_later(arg.name):
                    binds.append((column, joins.register(arg.name)))
            elif self._usable(arg):
                keys[column] = self._operand(arg, relation, column, atom)
            else:
                register = joins.fresh()
                binds.append((column, register))
                self.later.append((register, arg, columns[column]))
        bound = {column for column, _ in binds}
        self.bound |= {name for name, column in first.items() if column in bound}
        same = relation in joins._stratum
        ordered = same and spec.kind == "view"
        self.steps.append(
            ("rows", place, relation, same, ordered, *self._access(spec, keys, access), binds)
            + (self._checks, equal)
        )

    def _bound_later(self, name: str) -> bool:
        return any(self._binding(p, strict=False)[0] == name for p in range(len(self._body)))

    def _access(
        self, spec: RelationPlan, keys: dict[int, Data], access: int | None
    ) -> tuple[int, list[int], list[Data]]:
        """(how rows are found, by which columns, by which values); leaves the checks."""
        key: list[int] = []
        if access is None:
            if keys.keys() >= set(range(spec.key)) and spec.key <= WIDEST:
                access, key = PRIMARY, list(range(spec.key))
            elif keys:
                key = sorted(keys)[:WIDEST]
                access = spec.slot(key)
            else:
                access = SCAN
        self._checks = [(column, data) for column, data in keys.items() if column not in key]
        return access, key, [keys[column] for column in key]

    def _absent(self, place: int, atom: ir.Atom, relation: int) -> None:
        joins = self._joins
        spec = joins._relations[relation]
        keys: dict[int, Data] = {}
        equal: list[tuple[int, int]] = []
        first: dict[str, int] = {}
        for column, arg in enumerate(atom.args):
            if isinstance(arg, ir.Wild):
                continue
            if isinstance(arg, ir.Var) and arg.name not in self.bound:
                if arg.name in first:
                    equal.append((first[arg.name], column))
                first.setdefault(arg.name, column)
            else:
                keys[column] = self._operand(arg, relation, column, atom)
        same = relation in joins._stratum
        self.steps.append(
            ("absent", place, relation, same, False, *self._access(spec, keys, None), [])
            + (self._checks, equal)
        )

    def _each(self, place: int, literal: ir.Each) -> None:
        joins = self._joins
        binds: list[tuple[int, int]] = []
        same: list[tuple[int, Data]] = []
        equal: list[tuple[int, Data]] = []
        taken: set[str] = set()
        for at, item in enumerate(literal.items):
            if joins._whole:
                binds.append((at, joins._slot(place, at)))
            if isinstance(item, ir.Wild):
                continue
            if isinstance(item, ir.Var) and item.name not in self.bound:
                if item.name in taken:
                    same.append((at, ("reg", joins.register(item.name))))
                    continue
                taken.add(item.name)
                binds.append((at, joins.register(item.name)))
            elif isinstance(item, ir.Const):
                equal.append((at, joins.compile(item)))
            elif isinstance(item, ir.Var):
                same.append((at, joins.compile(item)))
            else:
                register = joins.fresh()
                binds.append((at, register))
                self.later.append((register, item, ir.Plain("Any")))
        source = joins.compile(literal.source)
        uses = self._uses(literal.source)
        self.steps.append(("each", place, source, len(literal.items), binds, same, equal, uses))
        self.bound |= taken


def _generates(literal: ir.Literal) -> set[str]:
    """Variables that a literal binds by ranging over rows or elements."""
    if isinstance(literal, ir.Atom) and not literal.negated:
        return {arg.name for arg in literal.args if isinstance(arg, ir.Var)}
    if isinstance(literal, ir.Each):
        return {item.name for item in literal.items if isinstance(item, ir.Var)}
    return set()


def _ranges(literal: ir.Literal) -> bool:
    return positive(literal) or isinstance(literal, ir.Each)


_QUICK = (ir.Var, ir.Const, ir.TupleExpr, ir.Here, ir.Field)


def _quick(expr: ir.Expr) -> bool:
    """Whether the expression is worth computing before the rows that it finds: without Python,
    and hardly ever a failure (which has to wait for the other literals: then all rows are read)."""
    return all(isinstance(part, _QUICK) or _sum(part) for part in parts(expr))


def _sum(part: ir.HeadArg) -> bool:
    """Arithmetic that fails by overflow alone."""
    match part:
        case ir.Binary("+" | "-" | "*"):
            return True
        case ir.Binary("//" | "%", _, ir.Const(divisor)):
            return divisor not in (0, -1)
    return False


def _has_random_expr(expr: ir.Expr) -> bool:
    return any(isinstance(part, ir.Random) for part in parts(expr))


def _has_random(rule: ir.Rule) -> bool:
    exprs: list[Any] = list(rule.args)
    for literal in rule.body:
        match literal:
            case ir.Atom(_, args):
                exprs += args
            case ir.Condition(test):
                exprs.append(test)
            case ir.Each(items, source):
                exprs += [*items, source]
    return any(_has_random_expr(expr) for expr in exprs)

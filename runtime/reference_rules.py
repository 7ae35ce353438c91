"""One rule by definition: the matches of its body, and the head rows they give.

A match is a combination of body rows (and elements of `each`) that agree: equal
variables are equal values of equal kind, every condition holds, no negated atom
has a row.  A condition that cannot be computed on a match (division by zero,
overflow, a function that raises) fails the tick, unless another literal rules
the match out; so neither the order of the literals nor that of evaluation is
ever seen.  To be quick a rule is evaluated in an order that joins early; only
where that meets a failure is it evaluated again in the order that decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from bloomish import ir
from bloomish.runtime.evaluator import Row, TickFailed
from bloomish.runtime.reference_expr import (
    Compiled,
    Expressions,
    Failure,
    Match,
    Unknown,
    aggregate,
    computed,
    distinct,
    equal,
    keyed,
    truth,
)
from bloomish.runtime.relation import Relation, Schema, has_any
from bloomish.values import Misfit, order_key

Lookup = Callable[[ir.Atom], Relation]
Step = Callable[[list[Match], Lookup], list[Match]]

WHOLE_BODY = "*"
"""Stands among the bound variables once all rows of the body are known, as random() needs."""


@dataclass(slots=True)
class Layout:
    """Where the values of a match are: place 0 is the failure met so far, if any."""

    slots: dict[str, int] = field(default_factory=dict)
    width: int = 1
    places: dict[int, tuple[int, int]] = field(default_factory=dict)  # literal -> from, to

    def take(self, literal: int, count: int) -> int:
        start = self.width
        self.width += count
        self.places[literal] = (start, self.width)
        return start


class RuleEvaluator:
    """A compiled rule."""

    def __init__(
        self,
        rule: ir.Rule,
        head: Schema,
        schemas: Mapping[str, Schema],
        types: Mapping[str, ir.Type],
        expressions: Expressions,
    ) -> None:
        self.rule = rule
        self.head = head
        self._schemas = schemas
        self._types = types
        self._expressions = expressions
        self._generated = {name for literal in rule.body for name in _generates(literal)}
        self._quick = Plan(self, quick=True)
        self._deciding: Plan | None = None
        self.aggregates = any(isinstance(arg, ir.Aggregate) for arg in rule.args)

    def derive(self, lookup: Lookup) -> list[Row]:
        """The head rows of all matches.  Raises TickFailed."""
        plan = self._quick
        try:
            matches = plan.matches(lookup)
        except Failure:
            if self._deciding is None:
                self._deciding = Plan(self, quick=False)
            plan = self._deciding
            matches = plan.matches(lookup)
            for match in matches:
                if match[0] is not None:
                    raise self.failed(str(match[0]), plan, match) from match[0]
        if self.aggregates:
            return self._grouped(plan, matches)
        rows = []
        for match in matches:
            row = self._row(plan, match, [arg(match) for arg in self._heads(plan, match)])
            if row is not None:
                rows.append(row)
        return rows

    def _heads(self, plan: Plan, match: Match) -> Iterator[Compiled]:
        for compiled in plan.head:

            def guarded(at: Match, compiled: Compiled = compiled) -> Any:
                try:
                    return compiled(at)
                except Failure as failure:
                    raise self.failed(str(failure), plan, match) from failure

            yield guarded

    def _row(self, plan: Plan, match: Match, values: list[Any]) -> Row | None:
        """The head row; None where a plain column would be a bottom: nothing known yet."""
        for value, type_ in zip(values, self.head.types, strict=True):
            if value is None and not isinstance(type_, ir.Lattice) and not _is_any(type_):
                return None
        try:
            return self.head.row(values)
        except Misfit as misfit:
            raise self.failed(str(misfit), plan, match) from None

    def _grouped(self, plan: Plan, matches: list[Match]) -> list[Row]:
        """Head rows with aggregates: one per group; with `index`, one per match."""
        args = self.rule.args
        plain = [place for place, arg in enumerate(args) if not isinstance(arg, ir.Aggregate)]
        groups: dict[Any, list[tuple[Match, list[Any]]]] = {}
        for match in matches:
            # plain columns: the value; aggregates: a pair (value, by)
            values = [arg(match) for arg in self._heads(plan, match)]
            group = order_key(tuple(values[place] for place in plain))
            groups.setdefault(group, []).append((match, values))
        ranks = self._ranks(plan, matches)
        rows = []
        for members in groups.values():
            match, first = members[0]
            values = list(first)
            key = [first[place] for place in plain]
            for place, arg in enumerate(args):
                if isinstance(arg, ir.Aggregate) and arg.name != "index":
                    pairs = [given[place] for _, given in members]
                    values[place] = self._aggregate(plan, match, arg, key, pairs)
            kept = members if ranks else members[:1]
            for match, given in kept:
                for place, rank in ranks.items():
                    values[place] = rank(given)
                row = self._row(plan, match, list(values))
                if row is not None:
                    rows.append(row)
        return rows

    def _aggregate(
        self, plan: Plan, match: Match, arg: ir.Aggregate, key: list[Any], pairs: list[Any]
    ) -> Any:
        def priority(value: Any) -> bytes:
            named = [self.rule.head, self.rule.name, *key, value]
            return keyed(self._expressions.moment.seed, named)

        if arg.name == "count" and arg.value is None:
            return len(pairs)
        try:
            return aggregate(arg.name, pairs, priority)
        except Failure as failure:
            raise self.failed(str(failure), plan, match) from failure

    def _ranks(self, plan: Plan, matches: list[Match]) -> dict[int, Callable[[list[Any]], int]]:
        """For each `index(v)`: the rank of v among those with the same other columns.

        The columns that v itself is made of are not "other": `ranked(g, v, index(v))`
        ranks the v of each g.
        """
        found: dict[int, Callable[[list[Any]], int]] = {}
        args = self.rule.args
        for place, arg in enumerate(args):
            if not isinstance(arg, ir.Aggregate) or arg.name != "index":
                continue
            own = {arg.value}
            if isinstance(arg.value, ir.TupleExpr):
                own.update(arg.value.items)
            others = [
                other
                for other, column in enumerate(args)
                if not isinstance(column, ir.Aggregate) and column not in own
            ]
            ranked: dict[Any, list[Any]] = {}
            for match in matches:
                given = [head(match) for head in self._heads(plan, match)]
                group = order_key(tuple(given[other] for other in others))
                ranked.setdefault(group, []).append(given[place][0])
            order = {
                group: {order_key(v): rank for rank, v in enumerate(distinct(values))}
                for group, values in ranked.items()
            }

            def rank(
                given: list[Any],
                others: list[int] = others,
                place: int = place,
                order: dict[Any, dict[Any, int]] = order,
            ) -> int:
                group = order_key(tuple(given[other] for other in others))
                return order[group][order_key(given[place][0])]

            found[place] = rank
        return found

    def failed(self, message: str, plan: Plan, match: Match) -> TickFailed:
        """The tick's failure, with the body rows of the match."""
        rows = []
        for literal, (start, end) in sorted(plan.layout.places.items()):
            atom = self.rule.body[literal]
            if isinstance(atom, ir.Atom):
                rows.append((atom.collection, match[start:end]))
        return TickFailed(self.rule.name, rows, message, self.rule.span)


class Plan:
    """The literals of a body in one order, as steps from matches to more or fewer matches."""

    def __init__(self, owner: RuleEvaluator, quick: bool) -> None:
        self._owner = owner
        self._quick = quick
        self._body = owner.rule.body
        self.layout = Layout()
        self._deferred: list[Step] = []
        todo = list(range(len(self._body)))
        self._steps: list[Step] = []
        while todo:
            bound = set(self.layout.slots)
            if not any(_generates(self._body[i]) or positive(self._body[i]) for i in todo):
                bound.add(WHOLE_BODY)
            literal = self._next(todo, bound)
            todo.remove(literal)
            self._steps.append(self._step(literal))
        self._steps += self._deferred
        self.head = [self._head(arg) for arg in owner.rule.args]

    def matches(self, lookup: Lookup) -> list[Match]:
        found: list[Match] = [(None,)]
        for step in self._steps:
            if not found:
                break
            found = step(found, lookup)
        return found

    # ---------------------------------------------------------------- order

    def _next(self, todo: list[int], bound: set[str]) -> int:
        """The literal to take next; tests as early as the order allows them."""
        body = self._body
        atoms = [i for i in todo if positive(body[i])]
        if not self._quick and atoms:
            return atoms[0]
        for i in todo:
            if self._is_test(i, todo, bound):
                return i
        for i in todo:
            name, expr = self._binding(i, bound)
            if name is not None and variables(expr) <= bound and self._may_bind(name, expr):
                return i
        atoms.sort(key=lambda i: (-self._bound_args(i, bound), not self._ephemeral(i), i))
        if atoms and self._bound_args(atoms[0], bound):
            return atoms[0]
        for i in todo:
            literal = body[i]
            if isinstance(literal, ir.Each) and variables(literal.source) <= bound:
                return i
        if atoms:
            return atoms[0]
        for i in todo:  # nothing else generates it, whatever the literals say
            name, expr = self._binding(i, bound)
            if name is not None and variables(expr) <= bound:
                return i
        raise ValueError(f"{self._owner.rule.name}: the body binds not all of its variables")

    def _is_test(self, i: int, todo: list[int], bound: set[str]) -> bool:
        literal = self._body[i]
        if isinstance(literal, ir.Condition):
            return variables(literal.test) <= bound
        if isinstance(literal, ir.Atom) and literal.negated:
            later: set[str] = set()
            for other in todo:
                later.update(_generates(self._body[other]))
                name, _ = self._binding(other, bound)
                later.update([name] if name else [])
            used = set().union(*map(variables, literal.args)) if literal.args else set()
            return not (used - bound) & later
        return False

    def _binding(self, i: int, bound: set[str]) -> tuple[str | None, ir.Expr]:
        literal = self._body[i]
        if isinstance(literal, ir.Condition) and isinstance(literal.test, ir.Binary):
            test = literal.test
            if test.op == "==":
                for side, other in ((test.left, test.right), (test.right, test.left)):
                    if isinstance(side, ir.Var) and side.name not in bound:
                        if side.name not in variables(other):
                            return side.name, other
        return None, ir.Wild()

    def _may_bind(self, name: str, expr: ir.Expr) -> bool:
        """A condition binds what nothing else does.  In the quick order also what an
        atom would, where both sides are of one plain type, so that `==` is sameness."""
        if name not in self._owner._generated:
            return True
        owner = self._owner
        found = owner._expressions.type(expr, owner._types)
        same = owner._types.get(name) == found and isinstance(found, ir.Plain)
        return self._quick and same and not has_any(found)

    def _bound_args(self, i: int, bound: set[str]) -> int:
        atom = self._body[i]
        assert isinstance(atom, ir.Atom)
        return sum(
            1 for arg in atom.args if not isinstance(arg, ir.Wild) and variables(arg) <= bound
        )

    def _ephemeral(self, i: int) -> bool:
        atom = self._body[i]
        assert isinstance(atom, ir.Atom)
        kind = self._owner._schemas[atom.collection].collection.kind
        return kind in ("channel", "input", "periodic")

    # ---------------------------------------------------------------- steps

    def compile(self, expr: ir.Expr) -> Compiled:
        trail = [
            place
            for literal in sorted(self.layout.places)
            for place in range(*self.layout.places[literal])
        ]
        owner = self._owner
        return owner._expressions.compile(
            expr, self.layout.slots, owner._types, owner.rule.name, trail
        )

    def _head(self, arg: ir.HeadArg) -> Compiled:
        if not isinstance(arg, ir.Aggregate):
            return self.compile(arg)
        value = self.compile(arg.value) if arg.value is not None else None
        by = self.compile(arg.by) if arg.by is not None else None
        return lambda match: (value and value(match), by and by(match))

    def _step(self, i: int) -> Step:
        literal = self._body[i]
        if isinstance(literal, ir.Atom):
            return self._absent(literal) if literal.negated else self._atom(i, literal)
        if isinstance(literal, ir.Each):
            return self._each(i, literal)
        name, expr = self._binding(i, set(self.layout.slots))
        if name is not None:
            return self._bind(name, self.compile(expr))
        return self._test(self.compile(literal.test))

    def _test(self, test: Compiled) -> Step:
        def step(matches: list[Match], lookup: Lookup) -> list[Match]:
            return [kept for match in matches if (kept := self._tested(test, match)) is not None]

        return step

    def _tested(self, test: Compiled, match: Match) -> Match | None:
        try:
            return match if truth(test(match)) else None
        except Failure as failure:
            if self._quick:
                raise
            return (match[0] or failure, *match[1:])

    def _bind(self, name: str, compiled: Compiled) -> Step:
        self.layout.slots[name] = self.layout.width
        self.layout.width += 1

        def bind(match: Match) -> Match:
            try:
                return (*match, compiled(match))
            except Failure as failure:
                if self._quick:
                    raise
                return (match[0] or failure, *match[1:], Unknown(failure))

        return lambda matches, lookup: [bind(match) for match in matches]

    def _columns(
        self, schema: Schema, args: tuple[ir.Expr, ...]
    ) -> tuple[
        list[tuple[int, Compiled, Callable[[Any], Any]]], list[tuple[int, ir.Var]], list[int]
    ]:
        """An atom's arguments: tested by index, free variables, and left for later."""
        keys, free, later = [], [], []
        bound = set(self.layout.slots)
        for place, arg in enumerate(args):
            type_ = schema.types[place]
            if isinstance(arg, ir.Wild):
                continue
            if isinstance(arg, ir.Var) and arg.name not in bound:
                free.append((place, arg))
            elif isinstance(arg, ir.Var):
                keys.append((place, self.compile(arg), self._identity(arg, type_)))
            elif isinstance(arg, ir.Const) or (self._quick and variables(arg) <= bound):
                keys.append((place, self._as_column(arg, type_), self._identity(arg, type_)))
            else:
                later.append(place)
        return keys, free, later

    def _identity(self, arg: ir.Expr, type_: ir.Type) -> Callable[[Any], Any]:
        """Values of one plain type are their own identity in Python."""
        if isinstance(type_, ir.Plain) and type_.name in ("str", "Address", "bytes"):
            return _itself
        if isinstance(arg, ir.Var):
            same = self._owner._types.get(arg.name) == type_ and not has_any(type_)
        else:
            same = isinstance(arg, ir.Const) and _PYTHON.get(type_) is type(arg.value)
        return _itself if same else order_key

    def _as_column(self, arg: ir.Expr, type_: ir.Type) -> Compiled:
        compiled = self.compile(arg)
        conform = self._owner._expressions.values.conform(type_)

        def value(match: Match) -> Any:
            given = compiled(match)
            try:
                return conform(given)
            except Misfit:
                return given

        return value

    def _atom(self, i: int, atom: ir.Atom) -> Step:
        schema = self._owner._schemas[atom.collection]
        keys, free, later = self._columns(schema, atom.args)
        start = self.layout.take(i, len(schema.types))
        repeated = []
        for place, variable in free:
            first = self.layout.slots.setdefault(variable.name, start + place)
            if first != start + place:
                repeated.append((first, start + place))
        tests = []
        for place in later:
            test = self._same_as(start + place, atom.args[place], schema.types[place])
            if self._quick and variables(atom.args[place]) <= self.layout.slots.keys():
                tests.append(test)
            else:
                self._deferred.append(self._test(test))
        places = tuple(place for place, _, _ in keys)
        identities = tuple(identity for _, _, identity in keys)
        values = tuple((compiled, identity) for _, compiled, identity in keys)

        def step(matches: list[Match], lookup: Lookup) -> list[Match]:
            index = lookup(atom).index(places, identities)
            found = []
            for match in matches:
                at = tuple(identity(compiled(match)) for compiled, identity in values)
                for row in index.get(at, ()):
                    more = match + row
                    if all(order_key(more[a]) == order_key(more[b]) for a, b in repeated):
                        if all(self._tested(test, more) is not None for test in tests):
                            found.append(more)
            return found

        return step

    def _same_as(self, place: int, arg: ir.Expr, type_: ir.Type) -> Compiled:
        """Whether the column's value is the argument's (compiled once all is bound)."""
        cell: list[Compiled] = []

        def test(match: Match) -> bool:
            if not cell:
                cell.append(self._as_column(arg, type_))
            return bool(order_key(computed(match[place])) == order_key(cell[0](match)))

        return test

    def _absent(self, atom: ir.Atom) -> Step:
        schema = self._owner._schemas[atom.collection]
        bound = set(self.layout.slots)
        keys, free, _ = self._columns(schema, atom.args)
        for place, arg in enumerate(atom.args):
            if not isinstance(arg, (ir.Wild, ir.Var, ir.Const)) and not self._quick:
                assert variables(arg) <= bound
                keys.append((place, self._as_column(arg, schema.types[place]), order_key))
        places = tuple(place for place, _, _ in keys)
        identities = tuple(identity for _, _, identity in keys)
        names: dict[str, list[int]] = {}
        for place, variable in free:
            names.setdefault(variable.name, []).append(place)

        def agrees(row: Row) -> bool:
            return all(
                len({order_key(row[place]) for place in group}) == 1 for group in names.values()
            )

        def absent(match: Match, index: dict[Any, list[Row]]) -> bool:
            at = tuple(identity(compiled(match)) for _, compiled, identity in keys)
            return not any(agrees(row) for row in index.get(at, ()))

        def step(matches: list[Match], lookup: Lookup) -> list[Match]:
            index = lookup(atom).index(places, identities)
            return [
                kept
                for match in matches
                if (kept := self._tested(lambda at: absent(at, index), match)) is not None
            ]

        return step

    def _each(self, i: int, literal: ir.Each) -> Step:
        source = self.compile(literal.source)
        count = len(literal.items)
        start = self.layout.take(i, count)
        tests: list[Compiled] = []
        for place, item in enumerate(literal.items):
            slot = start + place
            if isinstance(item, ir.Wild):
                continue
            if isinstance(item, ir.Var) and item.name not in self.layout.slots:
                self.layout.slots[item.name] = slot
            elif isinstance(item, ir.Const):
                tests.append(_equals(slot, self.compile(item)))
            elif self._quick and variables(item) <= set(self.layout.slots):
                tests.append(_same(slot, self.compile(item)))
            else:
                self._deferred.append(self._test(self._same_as(slot, item, ir.Plain("Any"))))

        def ranged(match: Match) -> list[Row]:
            try:
                return elements(source(match), count)
            except Failure as failure:
                if self._quick:
                    raise
                return [(Unknown(failure),) * count]

        def step(matches: list[Match], lookup: Lookup) -> list[Match]:
            found = []
            for match in matches:
                for items in ranged(match):
                    first = items[0]
                    if type(first) is Unknown:
                        found.append((match[0] or first.failure, *match[1:], *items))
                        continue
                    more = match + items
                    if all(test(more) for test in tests):
                        found.append(more)
            return found

        return step


def elements(value: Any, count: int) -> list[Row]:
    """What `each` ranges over: distinct elements in value order, as rows of `count`."""
    if value is None:
        return []
    if not isinstance(value, (frozenset, tuple)):
        raise Failure(f"each: {value!r} has no elements")
    items = distinct(list(value))
    if count == 1:
        return [(item,) for item in items]
    for item in items:
        if not isinstance(item, tuple) or len(item) != count:
            raise Failure(f"each: the element {item!r} is not a pair")
    return items


def variables(expr: ir.HeadArg | str | None) -> set[str]:
    """The variables of an expression."""
    match expr:
        case ir.Var(name):
            return {name}
        case ir.Unary(_, operand) | ir.Field(operand):
            return variables(operand)
        case ir.Binary(_, left, right):
            return variables(left) | variables(right)
        case ir.Call(_, args) | ir.TupleExpr(args) | ir.SetExpr(args):
            return {name for arg in args for name in variables(arg)}
        case ir.Method(_, receiver, args):
            return variables(receiver) | {name for arg in args for name in variables(arg)}
        case ir.Size(of):
            return variables(of)
        case ir.MapExpr(items):
            return {name for pair in items for part in pair for name in variables(part)}
        case ir.Aggregate(_, value, by):
            return variables(value) | variables(by)
        case ir.Random():
            return {WHOLE_BODY}
        case _:
            return set()


def positive(literal: ir.Literal) -> bool:
    """Whether a literal is an atom that is not negated."""
    return isinstance(literal, ir.Atom) and not literal.negated


def _generates(literal: ir.Literal) -> set[str]:
    """Variables that a literal binds by ranging over rows or elements."""
    if isinstance(literal, ir.Atom) and not literal.negated:
        return {arg.name for arg in literal.args if isinstance(arg, ir.Var)}
    if isinstance(literal, ir.Each):
        return {item.name for item in literal.items if isinstance(item, ir.Var)}
    return set()


_PYTHON: dict[ir.Type, type] = {ir.Plain("int"): int, ir.Plain("bool"): bool}


def _itself(value: Any) -> Any:
    return value


def _same(slot: int, compiled: Compiled) -> Compiled:
    return lambda match: order_key(match[slot]) == order_key(compiled(match))


def _equals(slot: int, compiled: Compiled) -> Compiled:
    return lambda match: equal(match[slot], compiled(match))


def _is_any(type_: ir.Type) -> bool:
    return isinstance(type_, ir.Plain) and type_.name == "Any"

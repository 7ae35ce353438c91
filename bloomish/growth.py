"""Recursion over lattices: a value that still grows may only be asked what stays true.

Within a recursive component rules run on lattice values that are not final.
That is right as long as each rule uses them monotonically ("Logic and
Lattices", Conway et al., SoCC 2012, section 3.2): a greater value never takes
back what a smaller one gave.  Everything else would depend on the order of
evaluation, as unstratified negation would.

An expression moves "up" or "down" as the values grow, or not at all ("0"); of
a Max, Bool, set or map it is up, of a Min down.  None: it may do anything.
"""

from __future__ import annotations

from collections.abc import Mapping

from bloomish import ir
from bloomish.errors import ProgramError
from bloomish.lattices.methods import NoSuchMethod, method_of
from bloomish.lattices.structure import expand
from bloomish.pretty import expr_text
from bloomish.safety import order_body, variables_of
from bloomish.schema import Schema
from bloomish.strata import grows, strata
from bloomish.types import Clash, Typing
from bloomish.values import type_text

Direction = str | None
STILL, UP, DOWN = "0", "up", "down"
_TURNED = {STILL: STILL, UP: DOWN, DOWN: UP, None: None}


def _both(one: Direction, two: Direction) -> Direction:
    if one == two or two == STILL:
        return one
    return two if one == STILL else None


def _moves(type_: ir.Type) -> Direction:
    if not isinstance(type_, ir.Lattice):
        return STILL
    return DOWN if type_.name == "Min" else UP


class _Rule:
    """One rule, read with some of its lattice values still growing."""

    def __init__(self, typing: Typing, rule: ir.Rule, growing: frozenset[str]) -> None:
        self.typing = typing
        self.rule = rule
        self.types = typing.rule(rule)
        self.directions: dict[str, Direction] = {}
        for literal in rule.body:
            if isinstance(literal, ir.Atom) and not literal.negated:
                columns = typing.schema.collections[literal.collection].columns
                for column, arg in zip(columns, literal.args, strict=True):
                    if literal.collection in growing and isinstance(arg, ir.Var):
                        if isinstance(column.type, ir.Lattice):
                            self.directions[arg.name] = _moves(column.type)

    def wrong(self) -> str | None:
        """The first use of a growing value that is not monotone, as text."""
        for literal in order_body(self.rule):
            found = self._literal(literal)
            if found is not None:
                return found
        columns = self.typing.schema.collections[self.rule.head].columns
        for arg, column in zip(self.rule.args, columns, strict=True):
            if isinstance(arg, ir.Aggregate):
                parts = [part for part in (arg.value, arg.by) if part is not None]
                still = all(self.direction(part) == STILL for part in parts)
                if not still and not (grows(arg, column.type) and self._into(parts[0], column)):
                    return f"`{expr_text(arg)}`"
            elif not self._fits(arg, column.type):
                return f"`{expr_text(arg)}` in the column `{column.name}` of `{self.rule.head}`"
        return None

    def _into(self, expr: ir.Expr, column: ir.Column) -> bool:
        return self._fits(expr, column.type)

    def _literal(self, literal: ir.Literal) -> str | None:
        match literal:
            case ir.Atom(name, args, negated):
                columns = self.typing.schema.collections[name].columns
                seen: set[str] = set()
                for column, arg in zip(columns, args, strict=True):
                    own = (
                        not negated
                        and isinstance(arg, ir.Var)
                        and isinstance(column.type, ir.Lattice)
                        and arg.name not in seen
                    )
                    if own and self._count(variables_of(arg)) == 1:
                        seen |= variables_of(arg)
                        continue
                    if self.direction(arg) != STILL:
                        return f"`{expr_text(arg)}` in the column `{column.name}` of `{name}`"
            case ir.Condition(test):
                bound = self._binding(test)
                if bound is not None:
                    self.directions[bound[0]] = self.direction(bound[1])
                elif self.direction(test) not in (STILL, UP):
                    return f"the condition `{expr_text(test)}`"
            case ir.Each(items, source):
                if self.direction(source) not in (STILL, UP):
                    return f"`each` over `{expr_text(source)}`"
                if self.direction(source) == UP:
                    types = self.typing.elements(self.typing.expr(source, self.types), literal)
                    for item, type_ in zip(items, types, strict=True):
                        if isinstance(item, ir.Var):
                            self.directions[item.name] = _moves(type_)
                        elif not isinstance(item, ir.Wild) and self.direction(item) != STILL:
                            return f"`{expr_text(item)}`"
        return None

    def _count(self, names: frozenset[str]) -> int:
        """In how many atoms' columns a variable stands: two are a test for equality."""
        return sum(
            isinstance(arg, ir.Var) and arg.name in names
            for literal in self.rule.body
            if isinstance(literal, ir.Atom)
            for arg in literal.args
        )

    def _binding(self, test: ir.Expr) -> tuple[str, ir.Expr] | None:
        """`z == expr` where nothing else gives z a value."""
        if isinstance(test, ir.Binary) and test.op == "==" and isinstance(test.left, ir.Var):
            name = test.left.name
            if name not in self.directions and not self._count(frozenset((name,))):
                return name, test.right
        return None

    # -------------------------------------------------------------- expressions

    def direction(self, expr: ir.Expr) -> Direction:
        """How the expression moves as the growing values grow."""
        if all(self.directions.get(name, STILL) == STILL for name in variables_of(expr)):
            return STILL
        match expr:
            case ir.Var(name):
                return self.directions[name]
            case ir.Unary(_, operand):
                return _TURNED[self.direction(operand)]
            case ir.Binary(op, left, right):
                return self._binary(op, left, right)
            case ir.Size(of) if not isinstance(of, str):
                return self.direction(of)
            case ir.Call(name, args):
                moves = {self.direction(arg) for arg in args}
                monotone = self.typing.schema.functions[name].monotone
                return UP if monotone and moves <= {STILL, UP} else None
            case ir.Method():
                return self._method(expr)
        return None

    def _binary(self, op: str, left: ir.Expr, right: ir.Expr) -> Direction:
        one, two = self.direction(left), self.direction(right)
        match op:
            case "+" | "and" | "or" | "|":
                return _both(one, two)
            case "-" | ">" | ">=":
                return _both(one, _TURNED[two])
            case "<" | "<=":
                return _both(_TURNED[one], two)
            case "*" | "/" | "//" | "div":
                for value, factor in ((left, right), (right, left)):
                    if isinstance(factor, ir.Const) and isinstance(factor.value, (int, float)):
                        if value is right and op != "*":
                            return None  # a constant divided by what grows
                        moves = self.direction(value)
                        return moves if factor.value > 0 else _TURNED[moves]
        return None

    def _method(self, expr: ir.Method) -> Direction:
        receiver = self.typing.expr(expr.receiver, self.types)
        if not isinstance(receiver, ir.Lattice):
            return None
        try:
            method = method_of(self.typing.schema.lattices, receiver, expr.name)
        except NoSuchMethod:
            return None
        if method.kind == "plain":
            return None
        polarity: tuple[str, ...] = method.polarity
        if len(polarity) != 1 + len(expr.args):  # a user's: marked for its receiver alone
            polarity = ("+", *("0" for _ in expr.args))
        total: Direction = STILL
        for part, sign in zip((expr.receiver, *expr.args), polarity, strict=True):
            moves = self.direction(part)
            if moves == STILL:
                continue
            if sign == "0":
                return None
            # Polarity is in the lattices' orders, a direction in that of the values.
            part_type = self.typing.expr(part, self.types)
            rising = moves == _moves(part_type) if _moves(part_type) != STILL else moves == UP
            total = _both(total, UP if rising == (sign == "+") else DOWN)
        result = method.result(
            receiver, tuple(self.typing.expr(arg, self.types) for arg in expr.args)
        )
        return _TURNED[total] if _moves(result) == DOWN else total

    def _fits(self, expr: ir.Expr, column: ir.Type) -> bool:
        """Does the column only grow as the expression's values do?"""
        direction = self.direction(expr)
        if direction == STILL:
            return True
        if not isinstance(column, ir.Lattice):
            return False
        core = expand(column)
        match core.name, expr:
            case "Pair", ir.TupleExpr(items):
                return all(self._fits(i, t) for i, t in zip(items, core.args, strict=True))
            case "MapUnion", ir.MapExpr(pairs):
                return all(
                    self.direction(key) == STILL and self._fits(value, core.args[1])
                    for key, value in pairs
                )
            case _, ir.TupleExpr() | ir.SetExpr() | ir.MapExpr():
                return False
        return direction == _moves(column)


def growth(schema: Schema, typing: Typing) -> None:
    """Raise ProgramError for a recursive rule that is not monotone in a lattice value."""
    component = {name: frozenset(group) for group in strata(schema) for name in group}
    lattices = {
        c.name
        for c in schema.program.collections
        if any(isinstance(column.type, ir.Lattice) for column in c.columns)
    }
    if not lattices:
        return
    for rule in schema.program.rules:
        if rule.op != "<=":
            continue
        growing = component[rule.head] & lattices & _read(rule)
        if not growing:
            continue
        try:
            wrong = _Rule(typing, rule, growing).wrong()
        except Clash as clash:
            raise ProgramError(rule.span, clash.what, clash.mend) from None
        if wrong is not None:
            raise _refusal(schema, rule, wrong, growing)


def _read(rule: ir.Rule) -> frozenset[str]:
    return frozenset(
        literal.collection
        for literal in rule.body
        if isinstance(literal, ir.Atom) and not literal.negated
    )


def _refusal(
    schema: Schema, rule: ir.Rule, wrong: str, growing: Mapping[str, object] | frozenset[str]
) -> ProgramError:
    name = min(growing)
    types = ", ".join(
        type_text(column.type)
        for column in schema.collections[name].columns
        if isinstance(column.type, ir.Lattice)
    )
    return ProgramError(
        rule.span,
        f"{wrong} may take back what it gave while `{name}` ({types}) still grows, and "
        f"`{rule.head}` is part of that recursion",
        "ask what stays true: a threshold (`v > n` of a Max, `v < n` of a Min), a morphism, the "
        "value itself in a column of its lattice; or derive at the next tick with `<+`",
    )

"""A rule's body as a person would have written it.

`a == b` of two variables becomes one variable, which also lets an evaluator join
through an index; variables that occur once become `_`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace

from bloomish import ir
from bloomish.readers.sql.model import TypeName


def tidy(
    args: tuple[ir.HeadArg, ...],
    body: tuple[ir.Literal, ...],
    types: Mapping[str, tuple[TypeName, bool]],
) -> tuple[tuple[ir.HeadArg, ...], tuple[ir.Literal, ...]]:
    """The same rule, shorter."""
    literals = [piece for literal in dict.fromkeys(body) for piece in _conjuncts(literal)]
    bound = {
        arg.name
        for literal in literals
        if isinstance(literal, ir.Atom) and not literal.negated
        for arg in literal.args
        if isinstance(arg, ir.Var)
    }
    same: dict[str, str] = {}

    def root(name: str) -> str:
        while name in same:
            name = same[name]
        return name

    kept: list[ir.Literal] = []
    for literal in literals:
        pair = _equality(literal)
        if pair and set(pair) <= bound and types.get(pair[0]) == types.get(pair[1]):
            one, two = root(pair[0]), root(pair[1])
            if one != two:
                same[two] = one
            continue
        kept.append(literal)

    def rename(expr: ir.Expr) -> ir.Expr:
        return ir.Var(root(expr.name)) if isinstance(expr, ir.Var) else expr

    if same:
        kept = list(dict.fromkeys(in_literal(literal, rename) for literal in kept))
        args = tuple(_in_head(arg, rename) for arg in args)
    uses: Counter[str] = Counter()

    def count(expr: ir.Expr) -> ir.Expr:
        if isinstance(expr, ir.Var):
            uses[expr.name] += 1
        return expr

    for literal in kept:
        in_literal(literal, count)
    for arg in args:
        _in_head(arg, count)
    return args, tuple(_blanked(literal, uses) for literal in kept)


def _conjuncts(literal: ir.Literal) -> list[ir.Literal]:
    """Equalities of variables apart; the rest of a conjunction stays in its order."""
    if not isinstance(literal, ir.Condition):
        return [literal]
    parts = _ands(literal.test)
    equal = [ir.Condition(part) for part in parts if _equality(ir.Condition(part))]
    rest = [part for part in parts if not _equality(ir.Condition(part))]
    made: list[ir.Literal] = list(equal)
    if rest:
        test = rest[0]
        for part in rest[1:]:
            test = ir.Binary("and", test, part)
        made.append(ir.Condition(test))
    return made


def _ands(test: ir.Expr) -> list[ir.Expr]:
    if isinstance(test, ir.Binary) and test.op == "and":
        return [*_ands(test.left), *_ands(test.right)]
    return [test]


def _equality(literal: ir.Literal) -> tuple[str, str] | None:
    match literal:
        case ir.Condition(ir.Binary("==", ir.Var(one), ir.Var(two))):
            return one, two
    return None


def _blanked(literal: ir.Literal, uses: Counter[str]) -> ir.Literal:
    if not isinstance(literal, ir.Atom):
        return literal
    args = tuple(
        ir.Wild()
        if isinstance(arg, ir.Var) and uses[arg.name] == 1 and not literal.negated
        else arg
        for arg in literal.args
    )
    return replace(literal, args=args)


def in_literal(literal: ir.Literal, change: Callable[[ir.Expr], ir.Expr]) -> ir.Literal:
    """The literal with every expression in it changed, from the leaves up."""
    match literal:
        case ir.Atom(_, args):
            return replace(literal, args=tuple(in_expr(arg, change) for arg in args))
        case ir.Condition(test):
            return replace(literal, test=in_expr(test, change))
        case ir.Each(items, source):
            changed = tuple(in_expr(item, change) for item in items)
            return replace(literal, items=changed, source=in_expr(source, change))
    return literal


def _in_head(arg: ir.HeadArg, change: Callable[[ir.Expr], ir.Expr]) -> ir.HeadArg:
    if isinstance(arg, ir.Aggregate):
        value = None if arg.value is None else in_expr(arg.value, change)
        by = None if arg.by is None else in_expr(arg.by, change)
        return ir.Aggregate(arg.name, value, by)
    return in_expr(arg, change)


def in_expr(expr: ir.Expr, change: Callable[[ir.Expr], ir.Expr]) -> ir.Expr:
    """The expression with every part changed, from the leaves up."""
    match expr:
        case ir.Unary(op, operand):
            return change(ir.Unary(op, in_expr(operand, change)))
        case ir.Binary(op, left, right):
            return change(ir.Binary(op, in_expr(left, change), in_expr(right, change)))
        case ir.Call(function, args):
            return change(ir.Call(function, tuple(in_expr(arg, change) for arg in args)))
        case ir.TupleExpr(items):
            return change(ir.TupleExpr(tuple(in_expr(item, change) for item in items)))
        case ir.Field(of, place, type_):
            return change(ir.Field(in_expr(of, change), place, type_))
    return change(expr)

"""Walking over expressions: which variables, which special terms."""

from __future__ import annotations

from collections.abc import Iterator

from bloomish import ir


def children(term: ir.HeadArg) -> tuple[ir.Expr, ...]:
    """The direct parts of an expression."""
    match term:
        case ir.Unary(operand=operand) | ir.Field(of=operand):
            return (operand,)
        case ir.Binary(left=left, right=right):
            return (left, right)
        case ir.Call(args=args):
            return args
        case ir.Method(receiver=receiver, args=args):
            return (receiver, *args)
        case ir.Size(of=of):
            return () if isinstance(of, str) else (of,)
        case ir.TupleExpr(items=items) | ir.SetExpr(items=items):
            return items
        case ir.MapExpr(items=pairs):
            return tuple(part for pair in pairs for part in pair)
        case ir.Aggregate(value=value, by=by):
            return tuple(part for part in (value, by) if part is not None)
        case _:
            return ()


def walk(term: ir.HeadArg) -> Iterator[ir.HeadArg]:
    """An expression and all parts of it."""
    stack: list[ir.HeadArg] = [term]
    while stack:
        part = stack.pop()
        yield part
        stack.extend(children(part))


def variables_of(term: ir.HeadArg) -> frozenset[str]:
    """The names of the variables in an expression."""
    if isinstance(term, ir.Var):
        return frozenset((term.name,))
    return frozenset(part.name for part in walk(term) if isinstance(part, ir.Var))


def mentions(term: ir.HeadArg, *kinds: type) -> bool:
    """Whether a term of one of these classes occurs in an expression."""
    return any(isinstance(part, kinds) for part in walk(term))


def terms_of(literal: ir.Literal) -> tuple[ir.Expr, ...]:
    """The expressions of a body literal."""
    match literal:
        case ir.Atom(args=args):
            return args
        case ir.Condition(test=test):
            return (test,)
        case ir.Each(items=items, source=source):
            return (*items, source)


def conjuncts(test: ir.Expr) -> list[ir.Expr]:
    """The parts of a condition that must all hold."""
    if isinstance(test, ir.Binary) and test.op == "and":
        return [*conjuncts(test.left), *conjuncts(test.right)]
    return [test]

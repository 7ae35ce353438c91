"""Expressions, literals and heads with some of their parts replaced."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from bloomish import ir

Change = Callable[[ir.Expr], ir.Expr | None]
"""What stands for a part; None where it stays and its own parts are looked at."""


def literal(old: ir.Literal, change: Change) -> ir.Literal:
    """A literal of the same kind, on the same collection."""
    match old:
        case ir.Atom(_, args):
            return replace(old, args=tuple(expr(a, change) for a in args))
        case ir.Condition(test):
            return replace(old, test=expr(test, change))
        case ir.Each(items, source):
            return replace(
                old, items=tuple(expr(i, change) for i in items), source=expr(source, change)
            )
    raise TypeError(f"not a literal: {old!r}")


def head_arg(arg: ir.HeadArg, change: Change) -> ir.HeadArg:
    """An argument of a head."""
    if isinstance(arg, ir.Aggregate):
        return replace(
            arg,
            value=None if arg.value is None else expr(arg.value, change),
            by=None if arg.by is None else expr(arg.by, change),
        )
    return expr(arg, change)


def expr(old: ir.Expr, change: Change) -> ir.Expr:
    """An expression, the outermost parts asked first."""
    new = change(old)
    if new is not None:
        return new
    match old:
        case ir.Size(of):
            return old if isinstance(of, str) else ir.Size(expr(of, change))
        case ir.Unary(op, operand):
            return ir.Unary(op, expr(operand, change))
        case ir.Binary(op, left, right):
            return ir.Binary(op, expr(left, change), expr(right, change))
        case ir.Call(function, args):
            return ir.Call(function, tuple(expr(arg, change) for arg in args))
        case ir.Method(method, receiver, args):
            return ir.Method(method, expr(receiver, change), tuple(expr(a, change) for a in args))
        case ir.TupleExpr(items):
            return ir.TupleExpr(tuple(expr(item, change) for item in items))
        case ir.SetExpr(items):
            return ir.SetExpr(tuple(expr(item, change) for item in items))
        case ir.MapExpr(pairs):
            return ir.MapExpr(tuple((expr(k, change), expr(v, change)) for k, v in pairs))
        case ir.Field(of, place, type_):
            return ir.Field(expr(of, change), place, type_)
    return old

"""A program seen under a path: what `inner = use(Other)` does to Other's names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from bloomish import ir

Rename = Callable[[str], str]


def embedded(program: ir.Program, path: str) -> ir.Program:
    """The program with `path.` before every collection, rule and wire name."""

    def name(old: str) -> str:
        return f"{path}.{old}"

    return replace(
        program,
        collections=tuple(
            replace(c, name=name(c.name), wire=name(c.wire) if c.wire else "")
            for c in program.collections
        ),
        rules=tuple(rule(r, name) for r in program.rules),
        facts=tuple(replace(f, collection=name(f.collection)) for f in program.facts),
        guards=tuple(
            replace(
                g,
                scope=name(g.scope) if g.scope else path,
                ordered=tuple(map(name, g.ordered)),
                sealed=tuple((name(rows), name(complete)) for rows, complete in g.sealed),
            )
            for g in program.guards
        ),
        assumptions=tuple(replace(a, collection=name(a.collection)) for a in program.assumptions),
    )


def rule(old: ir.Rule, name: Rename) -> ir.Rule:
    """A rule whose collections, and itself, have other names."""
    return replace(
        old,
        name=name(old.name) if old.name else "",
        head=name(old.head),
        args=tuple(_head_arg(arg, name) for arg in old.args),
        body=tuple(_literal(literal, name) for literal in old.body),
    )


def _literal(literal: ir.Literal, name: Rename) -> ir.Literal:
    match literal:
        case ir.Atom(collection, args):
            return replace(
                literal, collection=name(collection), args=tuple(expr(a, name) for a in args)
            )
        case ir.Condition(test):
            return replace(literal, test=expr(test, name))
        case ir.Each(items, source):
            return replace(
                literal, items=tuple(expr(i, name) for i in items), source=expr(source, name)
            )
    raise TypeError(f"not a literal: {literal!r}")


def _head_arg(arg: ir.HeadArg, name: Rename) -> ir.HeadArg:
    if isinstance(arg, ir.Aggregate):
        return replace(
            arg,
            value=None if arg.value is None else expr(arg.value, name),
            by=None if arg.by is None else expr(arg.by, name),
        )
    return expr(arg, name)


def expr(old: ir.Expr, name: Rename) -> ir.Expr:
    """An expression; the only names in it are those of rosters, in `size`."""
    match old:
        case ir.Size(of):
            return ir.Size(name(of) if isinstance(of, str) else expr(of, name))
        case ir.Unary(op, operand):
            return ir.Unary(op, expr(operand, name))
        case ir.Binary(op, left, right):
            return ir.Binary(op, expr(left, name), expr(right, name))
        case ir.Call(function, args):
            return ir.Call(function, tuple(expr(arg, name) for arg in args))
        case ir.Method(method, receiver, args):
            return ir.Method(method, expr(receiver, name), tuple(expr(a, name) for a in args))
        case ir.TupleExpr(items):
            return ir.TupleExpr(tuple(expr(item, name) for item in items))
        case ir.SetExpr(items):
            return ir.SetExpr(tuple(expr(item, name) for item in items))
        case ir.MapExpr(pairs):
            return ir.MapExpr(tuple((expr(k, name), expr(v, name)) for k, v in pairs))
        case ir.Field(of, place, type_):
            return ir.Field(expr(of, name), place, type_)
    return old

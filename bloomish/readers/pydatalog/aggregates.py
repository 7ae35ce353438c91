"""pyDatalog's aggregates, which range over a set.

As in pyDatalog (doc.py, `#aggregate`) the body first fills a relation of the
aggregate's own variables - keys, value, group_by, for_each, order_by - in which
equal rows are one, and the aggregate ranges over that relation.  This is found
by running it: two equal salaries of different people are summed twice if and
only if the person is named in `for_each`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bloomish import ir
from bloomish.readers.pydatalog.clauses import Agg, V
from bloomish.readers.pydatalog.emit import Emitter
from bloomish.readers.pydatalog.normal import Rule
from bloomish.readers.refusal import refusal

_INT, _ANY = ir.Plain("int"), ir.Plain("Any")


def emit_aggregate(
    emitter: Emitter, number: int, rule: Rule, externals: dict[str, Callable[..., Any]]
) -> None:
    """The rows relation of an aggregate clause, and what is computed from it."""
    agg = rule.agg
    assert agg is not None
    _no_lost_minus(rule, agg)
    names = list(dict.fromkeys(_names(rule, agg)))
    head = emitter.names[rule.sig]
    rows = emitter.fresh_name(f"{head}_rows")
    columns = tuple(
        ir.Column(f"c{at + 1}", emitter.kinds.type((number, name))) for at, name in enumerate(names)
    )
    emitter.extra.append(ir.Collection(rows, "scratch", columns, span=rule.span))
    emitter.rule(rows, tuple(ir.Var(n) for n in names), emitter.body(number, rule.steps), rule)
    keys = tuple(emitter.expr(number, arg, (rule.sig, at)) for at, arg in enumerate(rule.args))
    place = (rule.sig, len(rule.args))
    one = ir.Atom(rows, tuple(ir.Var(n) for n in names), span=rule.span)
    if agg.name in ("rank_", "running_sum_"):
        _running(emitter, rule, agg, names, rows, columns, keys)
        return
    simple = _simple(emitter, number, agg, place)
    if simple is not None:
        emitter.rule(head, (*keys, simple), [one], rule)
        return
    _collected(emitter, number, rule, agg, one, keys, externals)


def _names(rule: Rule, agg: Agg) -> list[str]:
    parts = [a for a in rule.args if isinstance(a, V)]
    parts += [agg.value] if agg.value else []
    parts += [*agg.group_by, *agg.for_each, *(v for v, _ in agg.order_by)]
    return [v.name for v in parts]


def _no_lost_minus(rule: Rule, agg: Agg) -> None:
    """pyDatalog forgets the minus of `order_by=-X` where X stands earlier too."""
    earlier = {a.name for a in rule.args if isinstance(a, V)} | (
        {agg.value.name} if agg.value else set()
    )
    earlier |= {v.name for v in (*agg.group_by, *agg.for_each)}
    for variable, down in agg.order_by:
        if down and variable.name in earlier:
            raise refusal(
                rule.span,
                f"order_by=-{variable.name}: pyDatalog ignores the minus, because "
                f"{variable.name} is among the aggregate's other variables",
                f"order by a copy, as in ... & (W=={variable.name}) with order_by=-W",
            )
        earlier.add(variable.name)


def _simple(emitter: Emitter, number: int, agg: Agg, place: tuple[Any, int]) -> ir.Aggregate | None:
    value = ir.Var(agg.value.name) if agg.value else None
    whole = agg.value is not None and emitter.kinds.of(number, agg.value) == {"int"}
    widen = emitter.kinds.type(place) == ir.Plain("float") and whole and value is not None
    shown: ir.Expr | None = ir.Binary("*", value, ir.Const(1.0)) if widen and value else value
    order = [v.name for v, _ in agg.order_by]
    downs = {down for _, down in agg.order_by}
    match agg.name:
        case "sum_":
            return ir.Aggregate("sum", shown)
        case "len_":
            return ir.Aggregate("count")
        case "mean_":
            return ir.Aggregate("avg", value)
        case "min_" | "max_" if agg.value and order == [agg.value.name]:
            return ir.Aggregate("min" if agg.name == "min_" else "max", value)
        case "min_" | "max_" if len(downs) == 1:
            least = (agg.name == "min_") != (downs == {True})
            by: ir.Expr = ir.Var(order[0])
            if len(order) > 1:
                by = ir.TupleExpr(tuple(ir.Var(name) for name in order))
            return ir.Aggregate("argmin" if least else "argmax", value, by)
    return None


def _collected(
    emitter: Emitter,
    number: int,
    rule: Rule,
    agg: Agg,
    one: ir.Atom,
    keys: tuple[ir.Expr, ...],
    externals: dict[str, Callable[..., Any]],
) -> None:
    """The rows as one tuple, and a Python function of it."""
    assert agg.value is not None
    head = emitter.names[rule.sig]
    groups = emitter.fresh_name(f"{head}_groups")
    key_columns = emitter.columns(rule.sig)[:-1]
    columns = (*(ir.Column(c.name, c.type, True) for c in key_columns), ir.Column("rows", _ANY))
    emitter.extra.append(ir.Collection(groups, "scratch", columns, span=rule.span))
    order = [v.name for v, _ in agg.order_by] + [v.name for v in agg.for_each]
    row = ir.TupleExpr((*(ir.Var(n) for n in order), ir.Var(agg.value.name)))
    emitter.rule(groups, (*keys, ir.Aggregate("collect", row)), [one], rule)
    bound = tuple(
        key if isinstance(key, ir.Var | ir.Const) else ir.Var(f"key_{at}")
        for at, key in enumerate(keys)
    )
    function = emitter.fresh_name(f"{head}_{agg.name.strip('_')}")
    result = emitter.kinds.type((rule.sig, len(rule.args)))
    emitter.extra_functions.append(ir.FunctionDecl(function, __name__ + ":finish", (_ANY,), result))
    externals[function] = finish(agg)
    atom = ir.Atom(groups, (*bound, ir.Var("rows")), span=rule.span)
    emitter.rule(head, (*bound, ir.Call(function, (ir.Var("rows"),))), [atom], rule)


def finish(agg: Agg) -> Callable[[Any], Any]:
    """The Python of an aggregate over its rows (order columns first, value last)."""
    downs = [down for _, down in agg.order_by]

    def ordered(rows: Any) -> list[Any]:
        result = list(rows)
        for at in reversed(range(len(downs))):
            result.sort(key=lambda row: row[at], reverse=downs[at])
        return [row[-1] for row in result]

    def line(rows: Any) -> tuple[float, float]:
        """Least squares, as in pyDatalog's Linear_regression: (slope, offset)."""
        size = len(rows)
        xs, ys = [row[0] for row in rows], [row[-1] for row in rows]
        squares = sum(x * x for x in xs)
        mixed = sum(x * y for x, y in zip(xs, ys, strict=True))
        slope = (mixed - sum(xs) * sum(ys) / size) / (squares - sum(xs) ** 2 / size)
        return slope, (sum(ys) - slope * sum(xs)) / size

    match agg.name:
        case "concat_":
            return lambda rows: agg.sep.join(ordered(rows))
        case "min_":
            return lambda rows: ordered(rows)[0]
        case "max_":
            return lambda rows: ordered(rows)[-1]
        case "linear_regression_":
            return line
    return lambda rows: tuple(ordered(rows))


def _running(
    emitter: Emitter,
    rule: Rule,
    agg: Agg,
    names: list[str],
    rows: str,
    columns: tuple[ir.Column, ...],
    keys: tuple[ir.Expr, ...],
) -> None:
    """rank_ and running_sum_: an aggregate over each row and those before it.

    Rows that tie in `order_by` fall by their other columns; pyDatalog takes
    them in the order of a hash table.
    """
    head = emitter.names[rule.sig]
    totals = emitter.fresh_name(f"{head}_totals")
    result = _INT if agg.name == "rank_" else emitter.kinds.type((rule.sig, len(rule.args)))
    emitter.extra.append(
        ir.Collection(totals, "scratch", (*columns, ir.Column("total", result)), span=rule.span)
    )
    group = {v.name for v in agg.group_by}
    other = {name: name if name in group else f"{name}_before" for name in names}
    order = [(v.name, down) for v, down in agg.order_by]
    order += [(n, False) for n in names if n not in group and n not in dict(order)]
    body: list[ir.Literal] = [
        ir.Atom(rows, tuple(ir.Var(n) for n in names), span=rule.span),
        ir.Atom(rows, tuple(ir.Var(other[n]) for n in names), span=rule.span),
    ]
    order = [(n, down) for n, down in order if n not in group]
    if order:
        body.append(ir.Condition(_not_after(order, other), rule.span))
    aggregate = ir.Aggregate("count")
    if agg.name == "running_sum_" and agg.value:
        aggregate = ir.Aggregate("sum", ir.Var(other[agg.value.name]))
    emitter.rule(totals, (*(ir.Var(n) for n in names), aggregate), body, rule)
    total: ir.Expr = ir.Var("total")
    if agg.name == "rank_":
        total = ir.Binary("-", total, ir.Const(1))
    used = {key.name for key in keys if isinstance(key, ir.Var)}
    shown = tuple(ir.Var(n) if n in used else ir.Wild() for n in names)
    emitter.rule(
        head, (*keys, total), [ir.Atom(totals, (*shown, ir.Var("total")), span=rule.span)], rule
    )


def _not_after(order: list[tuple[str, bool]], other: dict[str, str]) -> ir.Expr:
    """That the other row stands before this one, or is it: lexicographic."""
    (name, down), *rest = order
    mine, theirs = ir.Var(name), ir.Var(other[name])
    if not rest:
        return ir.Binary(">=" if down else "<=", theirs, mine)
    before = ir.Binary(">" if down else "<", theirs, mine)
    tie = ir.Binary("and", ir.Binary("==", theirs, mine), _not_after(rest, other))
    return ir.Binary("or", before, tie)

"""How the truth of a condition changes as rows arrive.

A condition that turns from false to true and never back keeps what it selects
growing: EXISTS over what grows, a threshold on a cell in its direction (T4), a
negation of what only shrinks (R7, R10).
"""

from __future__ import annotations

from sqlglot import exp

from bloomish.analysis.sql.changes import (
    CONST,
    Change,
    Reason,
    Relation,
    Rows,
    Value,
    both,
    cell,
    negated,
)
from bloomish.analysis.sql.scope import Scope
from bloomish.analysis.sql.values import flipped, of_parts, value

_GREATER = (exp.GT, exp.GTE)
_LESS = (exp.LT, exp.LTE)


def truth(node: exp.Expr | None, scope: Scope) -> Rows:
    """The direction of a condition: `grow` where it only ever becomes true."""
    if node is None:
        return CONST
    if node.args.get("negate"):
        positive = node.copy()
        positive.set("negate", None)
        return _not(positive, scope)
    match node:
        case exp.Paren():
            return truth(node.this, scope)
        case exp.And() | exp.Or() | exp.Xor():
            parts = both(truth(node.this, scope), truth(node.expression, scope))
            if isinstance(node, exp.Xor) and parts.way in ("grow", "shrink"):
                return Rows("flux", parts.reasons or (_changing(node, scope),))
            return parts
        case exp.Not():
            return _not(node.this, scope)
        case exp.Exists():
            return _exists(node.this, scope).rows
        case exp.In() if node.args.get("query") is not None:
            return _within(node.this, node.args["query"], scope)
        case exp.In():
            tested = [value(node.this, scope), *(value(part, scope) for part in node.expressions)]
            return both(*(_moving(v) for v in tested))
        case exp.Between():
            low = _compare(value(node.this, scope), value(node.args["low"], scope), node, scope)
            high = _compare(value(node.args["high"], scope), value(node.this, scope), node, scope)
            return both(low, high)
        case exp.Binary() if isinstance(node.expression, exp.Any | exp.All):
            return _quantified(node, scope)
    if isinstance(node, (*_GREATER, *_LESS)):
        left, right = value(node.this, scope), value(node.expression, scope)
        if isinstance(node, _LESS):
            left, right = right, left
        return _compare(left, right, node, scope)
    if isinstance(node, exp.Is):
        return _is(node, scope)
    if isinstance(node, exp.EQ | exp.NEQ | exp.NullSafeEQ | exp.NullSafeNEQ):
        return _equal(node, scope)
    if isinstance(node, exp.Predicate):  # LIKE and its kin: a function of their parts
        return _moving(of_parts(node, scope))
    return _moving(value(node, scope), node, scope)


def _compare(greater: Value, less: Value, node: exp.Expr, scope: Scope) -> Rows:
    """`greater >= less`: becomes true for good where the left rises or the right falls."""
    rise: Change = greater.change
    fall: Change = flipped(less).change
    chances = [Rows("nondet", (v.nondet,)) for v in (greater, less) if v.nondet]
    if rise == "fixed" and fall == "fixed":
        return both(*chances)
    kinds = {rise, fall} - {"fixed"}
    if kinds == {"up"}:
        return both(Rows("grow"), *chances)
    reason = _threshold(node, scope)
    if kinds == {"down"}:
        return both(Rows("shrink", (reason,)), *chances)
    return both(Rows("flux", (reason,)), *chances)


def _threshold(node: exp.Expr, scope: Scope) -> Reason:
    return Reason(
        "threshold",
        f"{node.sql()} can turn false again as rows arrive",
        scope.catalog.places.of(node, *_keyword(node)),
        mends=("test the cell in the direction in which it grows (COUNT(*) >= n)",
               "seal the groups, then the value is final"),
    )  # fmt: skip


def _keyword(node: exp.Expr) -> tuple[str, ...]:
    if isinstance(node.parent, exp.Having):
        return ("HAVING",)
    return ("WHERE",) if isinstance(node.parent, exp.Where) else ()


def _equal(node: exp.Expr, scope: Scope) -> Rows:
    left, right = value(node.this, scope), value(node.expression, scope)
    chances = [Rows("nondet", (v.nondet,)) for v in (left, right) if v.nondet]
    if left.change == right.change == "fixed":
        return both(*chances)
    return both(Rows("flux", (_threshold(node, scope),)), *chances)


def _is(node: exp.Is, scope: Scope) -> Rows:
    """`cell IS NULL` holds until a first row comes; of a fixed value it is fixed."""
    found = value(node.this, scope)
    if found.change in ("up", "down") and isinstance(node.expression, exp.Null):
        return Rows("shrink", (_threshold(node, scope),))
    return _moving(found, node, scope)


def _moving(found: Value, node: exp.Expr | None = None, scope: Scope | None = None) -> Rows:
    if found.change == "up" and node is not None and isinstance(node, exp.LogicalOr):
        return both(Rows("grow"), *([Rows("nondet", (found.nondet,))] if found.nondet else []))
    return cell(found)


def _not(node: exp.Expr, scope: Scope) -> Rows:
    while isinstance(node, exp.Paren):
        node = node.this
    match node:
        case exp.Not():
            return truth(node.this, scope)
        case exp.And() | exp.Or():
            return both(_not(node.this, scope), _not(node.expression, scope))
    return negated(truth(node, scope), _negation(node, scope))


def _negation(node: exp.Expr, scope: Scope) -> Reason:
    place = scope.catalog.places.of
    mends = (
        "nothing to do while it is only read",
        "declare the table `-- bloomish: const`, if it is complete before the views are read",
        "seal the negated side per gate, then its absence is final",
    )
    match node:
        case exp.Exists():
            span = place(node, "NOT EXISTS", "NOT")
            text = "NOT EXISTS"
        case exp.In():
            span = place(node.args.get("query") or node, "NOT IN", "NOT")
            text = "NOT IN"
        case _:
            span = place(node, "NOT")
            text = "NOT"
    inner = node.find(exp.Table)
    of = f" over {inner.name}" if inner is not None else ""
    what = f"{text}{of}: a row that arrives there takes rows away here"
    return Reason("negation", what, span, _gate(node), mends)


def _gate(node: exp.Expr) -> tuple[str, ...]:
    """The columns by which the negated side is joined to the rest (ANALYSIS 4.3, gate)."""
    if isinstance(node, exp.In):
        return (node.this.sql(),)
    inside = {t.alias_or_name.lower() for t in node.find_all(exp.Table)}
    columns = [c for c in node.find_all(exp.Column) if c.table and c.table.lower() not in inside]
    return tuple(dict.fromkeys(c.sql() for c in columns))


def _exists(node: exp.Expr, scope: Scope) -> Relation:
    from bloomish.analysis.sql.queries import query

    return query(node, scope.inner())


def _within(item: exp.Expr, inner: exp.Expr, scope: Scope) -> Rows:
    """`x IN (SELECT y ...)`: the subquery's rows, and a y that stays."""
    found = _exists(inner, scope)
    columns = [v for _, v in found.columns or ()]
    return both(found.rows, _moving(value(item, scope)), *(cell(v) for v in columns))


def _quantified(node: exp.Binary, scope: Scope) -> Rows:
    """`x > ANY (...)` is an EXISTS, `x > ALL (...)` a NOT EXISTS of the contrary."""
    quantifier = node.expression
    inner = quantifier.this
    while isinstance(inner, exp.Paren):
        inner = inner.this
    if not isinstance(inner, exp.Query | exp.Subquery):
        return both(_moving(value(node.this, scope)), _moving(value(inner, scope)))
    exists = _within(node.this, inner, scope)
    if isinstance(quantifier, exp.Any):
        return exists
    mends = ("nothing to do while it is only read", "seal the subquery's side")
    what = f"{node.key.upper()} ALL: a row that arrives there takes rows away here"
    return negated(
        exists, Reason("negation", what, scope.catalog.places.of(node), _gate(node), mends)
    )


def _changing(node: exp.Expr, scope: Scope) -> Reason:
    what = f"{node.sql()} changes both ways"
    return Reason("negation", what, scope.catalog.places.of(node))

"""What the value of an expression does as rows arrive (ANALYSIS 4.1 and T3).

Arithmetic on a row's own values is a function of the row.  An aggregate over a
growing relation is a cell: COUNT and MAX rise, MIN falls, the others move
freely; polarity multiplies through expressions as in 4.4.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlglot import exp

from bloomish.analysis.sql.changes import FIXED, Change, Reason, Rows, Value
from bloomish.analysis.sql.scope import Scope
from bloomish.ir import Span

_FLIP: dict[Change, Change] = {"fixed": "fixed", "up": "down", "down": "up", "varying": "varying"}
_RISES = (exp.Count, exp.Max, exp.LogicalOr, exp.ApproxDistinct, exp.CountIf, exp.RegrCount)
_FALLS = (exp.Min, exp.LogicalAnd)
_CLOCKS = (
    exp.CurrentTimestamp, exp.CurrentDate, exp.CurrentTime, exp.CurrentDatetime,
    exp.CurrentTimestampLTZ, exp.Localtime, exp.Localtimestamp, exp.Systimestamp,
    exp.UtcDate, exp.UtcTime, exp.UtcTimestamp,
)  # fmt: skip
_CHANCES = (exp.Rand, exp.Randn, exp.Randstr, exp.Uuid, exp.NextValueFor)
_CLOCK_NAMES = {"now", "sysdate", "getdate", "clock_timestamp", "statement_timestamp",
                "transaction_timestamp", "timeofday", "get_current_timestamp", "today"}  # fmt: skip
_CHANCE_NAMES = {"gen_random_uuid", "uuid", "newid", "nextval", "setseed", "rand", "random"}
_SESSION = tuple(
    getattr(exp, name)
    for name in ("CurrentUser", "SessionUser", "CurrentRole", "CurrentDatabase", "CurrentSchema",
                 "CurrentCatalog", "CurrentSession", "CurrentTransaction")
    if hasattr(exp, name)
)  # fmt: skip
_MENDS = (
    "nothing to do while it is only read",
    "test a threshold in its direction (HAVING COUNT(*) >= n) and do not show the value",
    "seal the groups, then the value is final",
)


def value(node: exp.Expr | None, scope: Scope) -> Value:
    """What an expression's value does."""
    if node is None:
        return FIXED
    match node:
        case exp.Paren() | exp.Alias() | exp.Cast() | exp.TryCast() | exp.Collate():
            return value(node.this, scope)
        case exp.Column():
            if isinstance(node.this, exp.Star):
                return FIXED
            return scope.column(node)
        case exp.Subquery() | exp.Select() | exp.SetOperation():
            return _scalar(node, scope)
        case exp.Exists() | exp.In() | exp.Not() | exp.And() | exp.Or() | exp.Predicate():
            return _truth(node, scope)
        case exp.Filter():
            return _aggregate(node.this, scope, node.expression)
        case exp.WithinGroup() | exp.IgnoreNulls() | exp.RespectNulls():
            return value(node.this, scope)
        case exp.Window():
            return _window(node, scope)
        case exp.AnonymousAggFunc() | exp.CombinedAggFunc() | exp.ParameterizedAgg():
            scope.gap(node, f"the aggregate {node.name} is not known")
            return FIXED
        case exp.AggFunc():
            return _aggregate(node, scope, None)
        case exp.Anonymous():
            return _anonymous(node, scope)
        case exp.Add():
            return _sum(value(node.this, scope), value(node.expression, scope))
        case exp.Sub():
            return _sum(value(node.this, scope), flipped(value(node.expression, scope)))
        case exp.Neg():
            return flipped(value(node.this, scope))
        case exp.Mul():
            return _product(node, scope)
        case exp.Greatest() | exp.Least():
            return _common(value(part, scope) for part in (node.this, *node.expressions))
    if isinstance(node, _CLOCKS):
        return Value(nondet=_clock(node, scope))
    if isinstance(node, _CHANCES):
        return Value(nondet=_chance(node, scope))
    if isinstance(node, _SESSION):
        reason = Reason(
            "clock", f"{node.sql()} differs from session to session", _place(node, scope)
        )
        return Value(nondet=reason)
    return of_parts(node, scope)


def flipped(one: Value) -> Value:
    """The value with its sign turned."""
    return Value(_FLIP[one.change], one.reason, one.nondet)


def of_parts(node: exp.Expr, scope: Scope) -> Value:
    """A function of its parts: fixed if they are, else moving freely."""
    found = [value(part, scope) for part in node.iter_expressions()]
    moved = next((v for v in found if v.change != "fixed"), None)
    chance = next((v.nondet for v in found if v.nondet), None)
    if moved is None:
        return Value(nondet=chance)
    return Value("varying", moved.reason, chance)


def _sum(one: Value, two: Value) -> Value:
    nondet = one.nondet or two.nondet
    if one.change == "fixed":
        return Value(two.change, two.reason, nondet)
    if two.change in ("fixed", one.change):
        return Value(one.change, one.reason, nondet)
    return Value("varying", one.reason, nondet)


def _product(node: exp.Mul, scope: Scope) -> Value:
    for factor, other in ((node.this, node.expression), (node.expression, node.this)):
        if isinstance(factor, exp.Literal) and not factor.is_string:
            return value(other, scope)
        if isinstance(factor, exp.Neg) and isinstance(factor.this, exp.Literal):
            return flipped(value(other, scope))
    return of_parts(node, scope)


def _common(values: Iterable[Value]) -> Value:
    result = FIXED
    for one in values:
        result = _sum(result, one)
    return result


def _aggregate(node: exp.Expr, scope: Scope, test: exp.Expr | None) -> Value:
    """An aggregate over the rows that this SELECT groups."""
    from bloomish.analysis.sql.predicates import truth

    rows = scope.grouped or Rows("const")
    inner = Scope(scope.catalog, scope.ctes, scope.outer, scope.read, scope.aliases, scope.windows,
                  None, scope.gaps, scope.sources)  # fmt: skip
    args = [
        value(part, inner) for part in node.iter_expressions() if not isinstance(part, exp.Star)
    ]
    if test is not None:
        rows = _restricted(rows, truth(test.this if isinstance(test, exp.Where) else test, inner))
    nondet = next((arg.nondet for arg in args if arg.nondet), None) or _unordered(node, scope, rows)
    if rows.way == "nondet" and nondet is None:
        nondet = rows.reasons[0] if rows.reasons else None
    moved = next((arg for arg in args if arg.change != "fixed"), None)
    name = node.sql().split("(")[0].upper()
    reason = Reason(
        "aggregate",
        f"{node.sql()} changes as rows arrive" if rows.way != "shrink" else f"{node.sql()} changes",
        _place(node, scope),
        mends=_MENDS,
    )
    if moved is not None:
        return Value("varying", moved.reason or reason, nondet)
    if rows.way == "const":
        return Value(nondet=nondet)
    change: Change = "varying"
    if isinstance(node, _RISES) or (name == "SUM" and _not_negative(node.this)):
        change = "up"
    elif isinstance(node, _FALLS):
        change = "down"
    if rows.way == "shrink":
        change = _FLIP[change]
    elif rows.way in ("flux", "nondet"):
        change = "varying"
        reason = rows.reasons[0] if rows.reasons else reason
    return Value(change, reason, nondet)


def _restricted(rows: Rows, test: Rows) -> Rows:
    from bloomish.analysis.sql.changes import both

    return both(rows, test)


def _not_negative(node: exp.Expr | None) -> bool:
    return isinstance(node, exp.Literal) and not node.is_string


def _unordered(node: exp.Expr, scope: Scope, rows: Rows) -> Reason | None:
    """Aggregates that depend on the order in which rows are met."""
    listing = isinstance(
        node, exp.GroupConcat | exp.ArrayAgg | exp.ArrayConcatAgg | exp.JSONArrayAgg
    )
    picking = isinstance(node, exp.AnyValue | exp.First | exp.Last)
    if not listing and not picking:
        return None
    if node.find(exp.Order) is not None or isinstance(node.parent, exp.WithinGroup):
        return None
    verb = (
        "takes whichever row it meets"
        if picking
        else "lists rows in the order in which it meets them"
    )
    mend = "say ORDER BY inside it, over columns that identify a row"
    return Reason("choice", f"{node.sql()} {verb}", _place(node, scope), mends=(mend,))


def _window(node: exp.Window, scope: Scope) -> Value:
    """A window function: its value changes with every row of its partition (4.9)."""
    rows = scope.grouped or Rows("const")
    for part in node.iter_expressions():
        if part is not node.this:
            value(part, scope)
    function = node.this
    while isinstance(function, exp.IgnoreNulls | exp.RespectNulls | exp.Filter):
        function = function.this
    if not isinstance(function, exp.AggFunc | exp.Func) or isinstance(function, exp.Anonymous):
        scope.gap(node, f"the window function {function.sql()} is not known")
        return FIXED
    order = node.args.get("order")
    named = scope.windows.get(node.args["alias"].name) if node.args.get("alias") else None
    order = order or (named.args.get("order") if named is not None else None)
    nondet = None
    ranks = isinstance(function, exp.RowNumber | exp.Lag | exp.Lead | exp.FirstValue | exp.LastValue
                       | exp.NthValue | exp.Ntile)  # fmt: skip
    if ranks and order is None:
        nondet = Reason(
            "choice",
            f"{node.sql()} numbers rows without ORDER BY: any order is right",
            _place(node, scope),
            mends=("say ORDER BY, over columns that identify a row",),
        )
    if rows.way == "const":
        return Value(nondet=nondet)
    partition = tuple(p.sql() for p in node.args.get("partition_by") or ())
    reason = Reason(
        "window",
        f"{node.sql()} changes as rows arrive in its partition",
        _place(node, scope),
        partition,
        ("nothing to do while it is only read", "seal the partition, then the value is final"),
    )
    if rows.way in ("flux", "nondet") and rows.reasons:
        reason = rows.reasons[0]
        nondet = nondet or (reason if rows.way == "nondet" else None)
    return Value("varying", reason, nondet)


def _scalar(node: exp.Expr, scope: Scope) -> Value:
    """A subquery as a value: its one column, as long as its one row is there."""
    from bloomish.analysis.sql.queries import query

    found = query(node, scope.inner())
    rows = found.rows
    only = found.columns[0][1] if found.columns else FIXED
    if rows.way == "const":
        return only
    reason = rows.reasons[0] if rows.reasons else Reason(
        "aggregate", f"{node.sql()} has another value as rows arrive", _place(node, scope, "("),
        mends=_MENDS,
    )  # fmt: skip
    return Value("varying", reason, reason if rows.way == "nondet" else only.nondet)


def _truth(node: exp.Expr, scope: Scope) -> Value:
    from bloomish.analysis.sql.predicates import truth

    rows = truth(node, scope)
    if rows.way == "const":
        return FIXED
    reason = (
        rows.reasons[0]
        if rows.reasons
        else Reason(
            "aggregate",
            f"{node.sql()} has another value as rows arrive",
            _place(node, scope),
            mends=_MENDS,
        )
    )
    return Value("varying", reason, reason if rows.way == "nondet" else None)


def _anonymous(node: exp.Anonymous, scope: Scope) -> Value:
    name = node.name.lower()
    if name in _CLOCK_NAMES:
        return Value(nondet=_clock(node, scope))
    if name in _CHANCE_NAMES:
        return Value(nondet=_chance(node, scope))
    scope.gap(node, f"the function {node.name} is not known, nor whether it is deterministic")
    return FIXED


def _clock(node: exp.Expr, scope: Scope) -> Reason:
    mend = "take the time from a column of the data"
    return Reason("clock", f"{node.sql()} reads the clock", _place(node, scope), mends=(mend,))


def _chance(node: exp.Expr, scope: Scope) -> Reason:
    mend = "take the number from a column of the data"
    return Reason(
        "choice", f"{node.sql()} differs from call to call", _place(node, scope), mends=(mend,)
    )


def _place(node: exp.Expr, scope: Scope, *keywords: str) -> Span:
    name = node.sql_name().upper() if isinstance(node, exp.Func) else ""
    return scope.catalog.places.of(node, *(keywords or ((name,) if name else ())))

"""SELECT, set operations and WITH: the direction of a query's rows (ANALYSIS 4.9)."""

from __future__ import annotations

from dataclasses import replace

from sqlglot import exp

from bloomish.analysis.sql.changes import (
    CONST,
    FIXED,
    Reason,
    Relation,
    Rows,
    Value,
    both,
    cell,
    negated,
    settled,
    shown,
)
from bloomish.analysis.sql.predicates import truth
from bloomish.analysis.sql.scope import Scope
from bloomish.analysis.sql.sources import sources
from bloomish.analysis.sql.values import value
from bloomish.readers.sql.script import identifier

_WORST = ("const", "grow", "shrink", "flux", "nondet")


def query(node: exp.Expr, scope: Scope) -> Relation:
    """Any query; `scope` is its own."""
    while isinstance(node, exp.Paren):
        node = node.this
    _with(node, scope)
    if isinstance(node, exp.Subquery):
        return _limited(node, query(node.this, scope), scope)
    if isinstance(node, exp.SetOperation):
        return _limited(node, _set_operation(node, scope), scope)
    if isinstance(node, exp.Values):
        return Relation(CONST, None)
    if isinstance(node, exp.Table):
        from bloomish.analysis.sql.sources import source

        return Relation(source(node, scope), None)
    if isinstance(node, exp.Select):
        return _limited(node, _select(node, scope), scope)
    scope.gap(node, f"{node.key.upper()} is not a query that is known")
    return Relation(CONST, None)


# ------------------------------------------------------------------------ SELECT


def _select(node: exp.Select, scope: Scope) -> Relation:
    if node.args.get("operation_modifiers"):
        scope.gap(node, "modifiers of SELECT are not known", "SELECT")
    for clause, words in (("connect", "CONNECT BY"), ("match", "MATCH_RECOGNIZE"),
                          ("prewhere", "PREWHERE"), ("sample", "SAMPLE")):  # fmt: skip
        if node.args.get(clause):
            scope.gap(node.args[clause], f"{words} is not known", words.split()[0])
    if node.args.get("into"):
        scope.gap(node.args["into"], "SELECT INTO is not known", "INTO")
    rows = sources(node, scope)
    where = node.args.get("where")
    if where is not None:
        rows = both(rows, truth(where.this, scope))
    for window in node.args.get("windows") or ():
        scope.windows[window.name] = window
    group = node.args.get("group")
    grouped = group is not None or _aggregates(node)
    keys: list[str] = []
    scope.grouped = rows
    if grouped:
        rows = _grouped(group, rows, node, scope, keys)
    columns = _columns(node, scope)
    scope.aliases = dict(columns or ())
    having = node.args.get("having")
    if having is not None:
        rows = both(rows, truth(having.this, scope))
    qualify = node.args.get("qualify")
    if qualify is not None:
        rows = both(rows, truth(qualify.this, scope))
    result = Relation(rows, columns, keys=_keys(node, scope, grouped))
    distinct = node.args.get("distinct")
    if distinct is not None:
        result = _distinct(distinct, node, result, scope)
    return result


def _aggregates(node: exp.Select) -> bool:
    """Whether a SELECT without GROUP BY has aggregates of its own."""
    parts = [*node.expressions]
    if node.args.get("having") is not None:
        parts.append(node.args["having"])
    return any(_own_aggregate(part) for part in parts)


def _own_aggregate(node: exp.Expr) -> bool:
    if isinstance(node, exp.Query | exp.Subquery | exp.Exists):
        return False
    if isinstance(node, exp.Window):
        return any(_own_aggregate(part) for part in node.this.iter_expressions())
    if isinstance(node, exp.AggFunc):
        return True
    return any(_own_aggregate(part) for part in node.iter_expressions())


def _grouped(
    group: exp.Group | None, rows: Rows, node: exp.Select, scope: Scope, keys: list[str]
) -> Rows:
    """The groups: they grow with their rows; without GROUP BY the one row is always there."""
    if group is None:
        return CONST if rows.way != "nondet" else rows
    if group.args.get("totals"):
        scope.gap(group, "GROUP BY ... WITH TOTALS is not known", "GROUP BY", "GROUP")
    parts = list(group.expressions)
    for name in ("grouping_sets", "cube", "rollup"):
        for item in group.args.get(name) or ():
            parts.extend(item.expressions if isinstance(item, exp.Expr) else ())
    moved = []
    for part in parts:
        chosen = _ordinal(part, node)
        for piece in (
            [chosen]
            if not isinstance(chosen, exp.Rollup | exp.Cube | exp.Tuple)
            else chosen.expressions
        ):
            moved.append(cell(_group_value(piece, node, scope)))
            keys.append(piece.sql())
    return both(rows, *moved)


def _group_value(part: exp.Expr, node: exp.Select, scope: Scope) -> Value:
    """A grouping column; a name of the select list stands for its expression."""
    if isinstance(part, exp.Column) and not part.table:
        here = any(r.column(identifier(part.this)) for r in scope.read.values() if r.columns)
        if not here:
            for item in node.expressions:
                if isinstance(item, exp.Alias) and identifier(item.args["alias"]) == identifier(
                    part.this
                ):
                    return value(item.this, scope)
    return value(part, scope)


def _ordinal(part: exp.Expr, node: exp.Select) -> exp.Expr:
    if isinstance(part, exp.Literal) and not part.is_string and part.name.isdigit():
        number = int(part.name)
        if 0 < number <= len(node.expressions):
            chosen: exp.Expr = node.expressions[number - 1].unalias()
            return chosen
    return part


def _columns(node: exp.Select, scope: Scope) -> tuple[tuple[str, Value], ...] | None:
    made: list[tuple[str, Value]] = []
    known = True
    for item in node.expressions:
        star = (
            item.this if isinstance(item, exp.Column) and isinstance(item.this, exp.Star) else item
        )
        if isinstance(star, exp.Star):
            table = identifier(item.args["table"]) if isinstance(item, exp.Column) else ""
            known &= _star(star, table, scope, made)
            continue
        made.append((_label(item), value(item, scope)))
    if not known:
        # The named columns may move; the unknown ones are columns of tables and stay.
        moving = tuple((name, v) for name, v in made if v != FIXED)
        return moving if moving else None
    return tuple(made)


def _star(star: exp.Star, table: str, scope: Scope, made: list[tuple[str, Value]]) -> bool:
    known = True
    left_out = {
        identifier(c.this if isinstance(c, exp.Column) else c)
        for c in star.args.get("except_") or ()
    }
    for alias, relation in scope.read.items():
        if table and alias != table:
            continue
        if relation.columns is None:
            known = False
            continue
        made.extend((name, v) for name, v in relation.columns if name not in left_out)
    for replaced in star.args.get("replace") or ():
        made.append((_label(replaced), value(replaced, scope)))
    return known


def _label(item: exp.Expr) -> str:
    if isinstance(item, exp.Alias):
        return identifier(item.args["alias"])
    if isinstance(item, exp.Column):
        return identifier(item.this)
    return item.sql().lower()


def _keys(node: exp.Select, scope: Scope, grouped: bool) -> tuple[tuple[str, ...], ...]:
    """Key columns of the one source that survive as plain columns of the result."""
    if grouped:
        group = node.args.get("group")
        names = _plain_columns(node)
        parts = [p.sql().lower() for p in group.expressions] if group is not None else []
        if all(part in names for part in parts):
            return (tuple(names[part] for part in parts),)
        return ()
    if len(scope.read) != 1 or node.args.get("joins"):
        return ()
    (relation,) = scope.read.values()
    names = _plain_columns(node)
    whole = any(isinstance(item, exp.Star) for item in node.expressions)
    found = []
    for key in relation.keys:
        if whole or all(column in names for column in key):
            found.append(tuple(names.get(column, column) for column in key))
    return tuple(found)


def _plain_columns(node: exp.Select) -> dict[str, str]:
    names: dict[str, str] = {}
    for item in node.expressions:
        inner = item.unalias()
        if isinstance(inner, exp.Column) and not isinstance(inner.this, exp.Star):
            names.setdefault(identifier(inner.this), _label(item))
            names.setdefault(inner.sql().lower(), _label(item))
    return names


def _distinct(distinct: exp.Distinct, node: exp.Select, result: Relation, scope: Scope) -> Relation:
    if distinct.args.get("on") is None:
        whole = settled(result)
        names = tuple(name for name, _ in whole.columns or ())
        return replace(whole, keys=(*result.keys, names) if names else result.keys)
    rows = shown(result)
    span = scope.catalog.places.of(distinct.args["on"], "DISTINCT")
    if node.args.get("order") is None:
        what = "DISTINCT ON without ORDER BY keeps whichever row it meets"
        chance = Reason(
            "choice", what, span, mends=("say ORDER BY, over columns that identify a row",)
        )
        return replace(result, rows=both(rows, Rows("nondet", (chance,))))
    if rows.way == "const":
        return result
    what = "DISTINCT ON keeps one row per key, and a better one may arrive"
    gate = tuple(part.sql() for part in distinct.args["on"].expressions)
    mends = ("nothing to do while it is only read", "seal per key")
    reason = Reason("top-n", what, span, gate, mends)
    return replace(settled(result), rows=both(rows, Rows("flux", (reason,))))


def _limited(node: exp.Expr, result: Relation, scope: Scope) -> Relation:
    """LIMIT, OFFSET, FETCH: a choice without ORDER BY, a Top-N with it."""
    limit = node.args.get("limit") or node.args.get("offset")
    if limit is None:
        return result
    count = limit.args.get("expression") or limit.args.get("count")
    if isinstance(count, exp.Literal) and count.name == "0" and isinstance(limit, exp.Limit):
        return replace(result, rows=CONST)
    words = {"limit": ("LIMIT", "TOP"), "fetch": ("FETCH",), "offset": ("OFFSET",)}
    span = scope.catalog.places.of(limit, *words.get(limit.key, ("LIMIT",)))
    rows = shown(result)
    name = limit.key.upper()
    if node.args.get("order") is None:
        what = f"{name} without ORDER BY keeps whichever rows it meets"
        mends = ("say ORDER BY, over columns that identify a row", "an order by consensus")
        return replace(
            settled(result),
            rows=both(rows, Rows("nondet", (Reason("choice", what, span, mends=mends),))),
        )
    for ordered in node.args["order"].expressions:
        rows = both(rows, _chance_of(value(ordered.this, scope)))
    if rows.way == "const":
        return result
    what = f"ORDER BY ... {name}: a row that arrives pushes another out"
    cuts = (
        "nothing to do while it is only read",
        "keep all rows and cut where they are read",
        "seal the input",
    )
    return replace(
        settled(result), rows=both(rows, Rows("flux", (Reason("top-n", what, span, mends=cuts),)))
    )


def _chance_of(found: Value) -> Rows:
    return Rows("nondet", (found.nondet,)) if found.nondet else CONST


# ---------------------------------------------------------------- set operations


def _set_operation(node: exp.SetOperation, scope: Scope) -> Relation:
    left = query(node.left, scope.inner())
    right = query(node.right, scope.inner())
    whole, other = settled(left), settled(right)
    if isinstance(node, exp.Union):
        columns = left.columns if left.columns and right.columns else None
        if node.args.get("by_name"):
            columns = None
        if node.args.get("distinct") is False:
            rows = both(shown(left), shown(right))
            return Relation(rows, _fixed(columns))
        return Relation(both(whole.rows, other.rows), _fixed(columns))
    if isinstance(node, exp.Intersect):
        return Relation(both(whole.rows, other.rows), whole.columns)
    span = scope.catalog.places.of(node.right, "EXCEPT", "MINUS")
    what = "EXCEPT: a row that arrives on its right takes rows away here"
    gate = tuple(name for name, _ in whole.columns or ())
    mends = (
        "nothing to do while it is only read",
        "seal the right side, then its absence is final",
    )
    reason = Reason("negation", what, span, gate, mends)
    return Relation(both(whole.rows, negated(other.rows, reason)), whole.columns)


def _fixed(columns: tuple[tuple[str, Value], ...] | None) -> tuple[tuple[str, Value], ...] | None:
    return None if columns is None else tuple((name, FIXED) for name, _ in columns)


# -------------------------------------------------------------------------- WITH


def _with(node: exp.Expr, scope: Scope) -> None:
    with_ = node.args.get("with_")
    if with_ is None:
        return
    for cte in with_.expressions:
        name = identifier(cte.args["alias"].this)
        recursive = with_.args.get("recursive") and any(
            table.name.lower() == name for table in cte.this.find_all(exp.Table)
        )
        found = _recursive(cte, name, scope) if recursive else query(cte.this, scope.inner())
        scope.ctes[name] = _named(cte, found)


def _named(cte: exp.CTE, relation: Relation) -> Relation:
    names = [identifier(column) for column in cte.args["alias"].args.get("columns") or ()]
    if not names or relation.columns is None:
        return relation
    columns = [(new, v) for new, (_, v) in zip(names, relation.columns, strict=False)]
    return replace(relation, columns=tuple(columns), keys=())


def _recursive(cte: exp.CTE, name: str, scope: Scope) -> Relation:
    """The least fixpoint: the relation begins as its first part and only gets worse."""
    union = cte.this
    if not isinstance(union, exp.Union):
        scope.gap(cte.this, f"the recursive {name} is not a UNION of a start and a step")
        return Relation(CONST, None)
    found = _named(cte, query(union.left, scope.inner()))
    for _ in range(len(_WORST)):
        inner = scope.inner()
        inner.ctes[name] = found
        step = query(union.right, inner)
        rows = both(shown(found), shown(settled(step)))
        if rows.way == found.rows.way and all(v == FIXED for _, v in found.columns or ()):
            break
        found = Relation(rows, _fixed(found.columns))
    return found

"""What stands in FROM: tables, subqueries, and joins of all kinds (ANALYSIS 4.9)."""

from __future__ import annotations

from dataclasses import replace

from sqlglot import exp

from bloomish.analysis.sql.changes import CONST, FIXED, Reason, Relation, Rows, both, cell, negated
from bloomish.analysis.sql.predicates import truth
from bloomish.analysis.sql.scope import Scope
from bloomish.analysis.sql.values import value
from bloomish.readers.sql.script import identifier, plain_name

_MENDS = (
    "nothing to do while it is only read",
    "an inner join, if the rows without partner are not needed",
    "seal the other side per join key, then a missing partner is final",
)


def sources(select: exp.Select, scope: Scope) -> Rows:
    """Reads FROM and its joins into the scope; gives the direction of their rows."""
    rows = CONST
    from_ = select.args.get("from_")
    if from_ is not None:
        rows = source(from_.this, scope)
    for lateral in select.args.get("laterals") or ():
        rows = both(rows, source(lateral, scope))
    needed = _null_rejected(select)
    for join in select.args.get("joins") or ():
        rows = _join(rows, join, scope, needed)
    return rows


def source(node: exp.Expr, scope: Scope) -> Rows:
    """One item of FROM, with the joins and the sample that sqlglot hangs on it."""
    alias = identifier(node.args["alias"].this) if node.args.get("alias") else ""
    match node:
        case exp.Table() if isinstance(node.this, exp.Identifier):
            name = plain_name(node)
            relation = scope.relation(node, name)
            label = alias or name
        case exp.Table():
            relation, label = _function(node.this, scope), alias or "function"
        case exp.Subquery():
            relation, label = _subquery(node, scope), alias or f"subquery {len(scope.read)}"
        case exp.Lateral():
            relation, label = _lateral(node, scope), alias or f"lateral {len(scope.read)}"
        case exp.Unnest() | exp.Values() | exp.Explode():
            relation, label = _unnest(node, scope), alias or f"values {len(scope.read)}"
        case exp.Paren():
            return source(node.this, scope)
        case _:
            scope.gap(node, f"{node.key.upper()} in FROM is not known")
            relation, label = Relation(CONST, None), alias or node.key
    relation = _renamed(relation, node)
    scope.read[label] = relation
    rows = relation.rows
    if node.args.get("pivots"):
        scope.gap(node, "PIVOT and UNPIVOT are not known")
        scope.read[label] = replace(relation, columns=None)
    if node.args.get("when") or node.args.get("version"):
        scope.gap(node, "a table at a point in time (time travel) is not known")
    if node.args.get("sample"):
        what = "TABLESAMPLE takes rows by chance"
        reason = Reason("choice", what, scope.catalog.places.of(node.args["sample"], "TABLESAMPLE"))
        rows = both(rows, Rows("nondet", (reason,)))
    for join in node.args.get("joins") or ():
        rows = _join(rows, join, scope, frozenset())
    return rows


def _renamed(relation: Relation, node: exp.Expr) -> Relation:
    alias = node.args.get("alias")
    names = [identifier(column) for column in alias.args.get("columns") or ()] if alias else []
    if not names or relation.columns is None:
        return replace(relation, columns=None) if names and relation.columns is None else relation
    kept = list(relation.columns)
    for place, name in enumerate(names[: len(kept)]):
        kept[place] = (name, kept[place][1])
    return replace(relation, columns=tuple(kept), keys=())


def _subquery(node: exp.Subquery, scope: Scope) -> Relation:
    from bloomish.analysis.sql.queries import query

    if isinstance(node.this, exp.Table):
        return Relation(source(node.this, scope), None)
    inner = scope.inner()
    inner.outer = scope.outer
    return query(node, inner)


def _lateral(node: exp.Lateral, scope: Scope) -> Relation:
    from bloomish.analysis.sql.queries import query

    if isinstance(node.this, exp.Subquery):
        return query(node.this, scope.inner())
    return _function(node.this, scope)


def _function(node: exp.Expr, scope: Scope) -> Relation:
    """A table function of the row's own values; files and unknown ones are not guessed."""
    if isinstance(node, exp.Anonymous | exp.ReadCSV | exp.ReadParquet) or node.key.startswith(
        "read"
    ):
        scope.gap(node, f"{node.sql()} reads what this text does not show")
        return Relation(CONST, None)
    return Relation(cell(value(node, scope)), None)


def _unnest(node: exp.Expr, scope: Scope) -> Relation:
    parts = [cell(value(part, scope)) for part in node.expressions]
    return Relation(both(*parts), None)


# ------------------------------------------------------------------------- joins


def _join(left: Rows, join: exp.Join, scope: Scope, needed: frozenset[str]) -> Rows:
    before = set(scope.read)
    right = source(join.this, scope)
    added = [name for name in scope.read if name not in before]
    side, kind, method = (join.text(part).upper() for part in ("side", "kind", "method"))
    if method == "ASOF":
        reason = _reason(
            join, scope, "ASOF JOIN takes the nearest row, and a nearer one may arrive"
        )
        match = both(left, right)
        return match if match.way == "const" else both(match, Rows("flux", (reason,)))
    if method not in ("", "NATURAL") or kind not in ("", "INNER", "OUTER", "CROSS", "SEMI", "ANTI"):
        scope.gap(join, f"{method} {kind} JOIN is not known".strip())
    match = both(right, truth(join.args.get("on"), scope), *_using(join, scope))
    if kind in ("SEMI", "ANTI"):
        for name in added:
            del scope.read[name]
        if kind == "SEMI":
            return both(left, match)
        what = f"ANTI JOIN {join.this.alias_or_name}: a row that arrives there takes rows away here"
        return both(left, negated(match, _reason(join, scope, what)))
    full = side == "FULL"
    padded_right = (side == "LEFT" or full) and not needed & set(added)
    padded_left = (side == "RIGHT" or full) and not needed & before
    rows = both(left, match)
    if padded_right:
        rows = both(rows, negated(match, _padding(join, scope, "right")))
    if padded_left:
        rows = both(rows, negated(both(left, match), _padding(join, scope, "left")))
    return rows


def _using(join: exp.Join, scope: Scope) -> list[Rows]:
    """USING (x): whoever has a column x has it as a value that stays, or not."""
    found: list[Rows] = []
    for column in join.args.get("using") or ():
        name = identifier(column)
        values = [relation.column(name) for relation in scope.read.values()]
        found.extend(cell(v) for v in values if v is not None and v != FIXED)
    return found


def _padding(join: exp.Join, scope: Scope, side: str) -> Reason:
    name = join.this.alias_or_name
    of = f" of {name}" if side == "right" else ""
    what = (
        f"{join.text('side').upper()} JOIN: a row without partner{of} goes when its partner arrives"
    )
    return _reason(join, scope, what)


def _reason(join: exp.Join, scope: Scope, what: str) -> Reason:
    on = join.args.get("on")
    inside = {join.this.alias_or_name.lower()}
    gate: list[str] = []
    if on is not None:
        gate = [c.sql() for c in on.find_all(exp.Column) if c.table.lower() not in inside]
    gate += [identifier(column) for column in join.args.get("using") or ()]
    named = (join.text(part).upper() for part in ("side", "kind", "method"))
    words = [word for word in named if word in ("LEFT", "RIGHT", "FULL", "ANTI", "ASOF")]
    span = scope.catalog.places.of(join.this, *words[:1] or ("JOIN",))
    return Reason("outer join", what, span, tuple(dict.fromkeys(gate)), _MENDS)


def _null_rejected(select: exp.Select) -> frozenset[str]:
    """Aliases of which WHERE needs a value: their padded rows never pass, so that
    an outer join to them is an inner one."""
    where = select.args.get("where")
    found: set[str] = set()
    pending = [where.this] if where is not None else []
    while pending:
        node = pending.pop()
        if isinstance(node, exp.And):
            pending += [node.this, node.expression]
        elif isinstance(node, exp.Paren):
            pending.append(node.this)
        elif isinstance(node, exp.EQ | exp.NEQ | exp.GT | exp.GTE | exp.LT | exp.LTE):
            for part in (node.this, node.expression):
                if isinstance(part, exp.Column) and part.table:
                    found.add(part.table.lower())
        elif isinstance(node, exp.Not) and isinstance(node.this, exp.Is):
            tested = node.this
            if isinstance(tested.this, exp.Column) and isinstance(tested.expression, exp.Null):
                found.add(tested.this.table.lower())
    return frozenset(found - {""})

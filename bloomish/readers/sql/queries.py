"""Whole queries: SELECT, set operations, WITH and WITH RECURSIVE."""

from __future__ import annotations

from dataclasses import replace

from sqlglot import exp

from bloomish import ir
from bloomish.readers.sql.builder import Builder
from bloomish.readers.sql.frames import Produced, Row, fill, finish
from bloomish.readers.sql.limits import limited
from bloomish.readers.sql.model import ROW, Frame, Rel
from bloomish.readers.sql.script import identifier
from bloomish.readers.sql.selects import produce_select

_PASSES = 4


def relation_of(node: exp.Expr, name: str, builder: Builder, kind: ir.Kind = "scratch") -> Rel:
    """A query as a collection."""
    return finish(produce(node, builder), name, builder, kind)


def produce(node: exp.Expr, builder: Builder) -> Produced:
    """The rows of any query.  WITH is seen by this query alone."""
    while isinstance(node, exp.Paren):
        node = node.this
    before = dict(builder.relations)
    try:
        _with(node, builder)
        if isinstance(node, exp.Subquery):
            found = produce(node.this, builder)
            return _cut(node, found, builder)
        if isinstance(node, exp.SetOperation):
            return _cut(node, _set_operation(node, builder), builder)
        if isinstance(node, exp.Select):
            rows, orders = produce_select(node, builder)
            if node.args.get("limit") or node.args.get("offset"):
                return limited(node, rows, orders, builder)
            return rows
    finally:
        builder.relations.clear()
        builder.relations.update(before)
    raise builder.no(node, f"{node.key.upper()} as a query")


def _cut(node: exp.Expr, found: Produced, builder: Builder) -> Produced:
    """LIMIT behind a set operation or a subquery: ORDER BY names its columns."""
    if not (node.args.get("limit") or node.args.get("offset")):
        return found
    keys = []
    order = node.args.get("order")
    for ordered in order.expressions if order is not None else ():
        inner = ordered.this
        if isinstance(inner, exp.Literal) and inner.name.isdigit():
            keys.append(int(inner.name) - 1)
        elif isinstance(inner, exp.Column) and identifier(inner.this) in found.names:
            keys.append(found.names.index(identifier(inner.this)))
        else:
            raise builder.no(inner, f"ORDER BY {inner.sql()} is no column of the result")
    rel = finish(found, f"{builder.view}_all", builder)
    rows = _read(rel, builder)
    orders = [tuple(row.cells[key] for key in keys) for row in rows]
    whole = Produced(found.names, rows, not rel.hidden, node, rel.key)
    return limited(node, whole, orders, builder)


def _read(rel: Rel, builder: Builder) -> list[Row]:
    """The rows of a relation as they are."""
    frame = builder.read(rel, "", Frame())
    cells = tuple(frame.columns["", col.name] for col in rel.cols)
    ids = (frame.ids["", ROW],) if rel.hidden else ()
    return [Row(frame.literals, cells, ids)]


# ---------------------------------------------------------------- set operations


def _set_operation(node: exp.SetOperation, builder: Builder) -> Produced:
    if node.args.get("by_name") or node.args.get("on"):
        raise builder.no(node.right, f"{node.key.upper()} BY NAME", "", node.key.upper())
    left, right = produce(node.left, builder), produce(node.right, builder)
    if len(left.names) != len(right.names):
        sizes = f"{len(left.names)} and {len(right.names)} columns"
        raise builder.no(node.right, f"the sides have {sizes}", "", node.key.upper())
    if isinstance(node, exp.Union):
        if node.args.get("distinct") is False:
            return _all(left, right, node)
        rows = [replace(row, ids=()) for row in (*left.rows, *right.rows)]
        return Produced(left.names, rows, True, node)
    if node.args.get("distinct") is False:
        raise builder.no(node.right, f"{node.key.upper()} ALL", "", node.key.upper())
    # Both sides through one shape, so that equal values are equal rows.
    shape = Produced(left.names, [*left.rows, *right.rows], True, node)
    types, nulls = shape.types(builder), shape.nulls()
    cols = list(zip(left.names, types, nulls, strict=True))
    other = builder.relation(f"{builder.view}_right", cols, False)
    fill(other, Produced(right.names, right.rows, True, node), builder)
    here = builder.relation(f"{builder.view}_left", cols, False)
    fill(here, Produced(left.names, left.rows, True, node), builder)
    (row,) = _read(here, builder)
    test = ir.Atom(other.name, tuple(cell.expr for cell in row.cells))
    negated = isinstance(node, exp.Except)
    return Produced(
        left.names, [Row((*row.body, replace(test, negated=negated)), row.cells)], True, node
    )


def _all(left: Produced, right: Produced, node: exp.SetOperation) -> Produced:
    """UNION ALL: rows of the two sides stay apart by the side and their identity."""
    rows = []
    for side, produced in enumerate((left, right)):
        for row in produced.rows:
            # A side without duplicates of its own is identified by what it shows.
            ids = row.ids if produced.hidden else tuple(cell.expr for cell in row.cells)
            rows.append(replace(row, ids=(ir.Const(side), ir.TupleExpr(ids))))
    return Produced(left.names, rows, False, node)


# --------------------------------------------------------------------------- WITH


def _with(node: exp.Expr, builder: Builder) -> None:
    with_ = node.args.get("with_")
    if with_ is None:
        return
    for cte in with_.expressions:
        name = identifier(cte.args["alias"].this)
        names = [identifier(column) for column in cte.args["alias"].args.get("columns") or ()]
        recursive = with_.args.get("recursive") and any(
            table.name.lower() == name for table in cte.this.find_all(exp.Table)
        )
        if recursive:
            rel = _recursive(cte, name, names, builder)
        else:
            found = produce(cte.this, builder)
            found.names = [*names, *found.names[len(names) :]]
            rel = finish(found, f"{builder.view}_{name}", builder)
        builder.relations[name] = rel


def _recursive(cte: exp.CTE, name: str, names: list[str], builder: Builder) -> Rel:
    """The start gives the types; the step may make columns nullable or wider."""
    union = cte.this
    if not isinstance(union, exp.Union):
        raise builder.no(union, f"the recursive {name} must be a start, UNION, and a step")
    every = union.args.get("distinct") is False
    start = produce(union.left, builder)
    start.names = [*names, *start.names[len(names) :]]
    wide = [Row((ir.Condition(ir.Const(False)),), start.rows[0].cells)]
    for _ in range(_PASSES):
        shape = Produced(start.names, [*start.rows, *wide], not every, union)
        cols = list(zip(shape.names, shape.types(builder), shape.nulls(), strict=True))
        mark = builder.mark()
        rel = builder.relation(f"{builder.view}_{name}", cols, every)
        builder.relations[name] = rel
        step = produce(union.right, builder)
        _monotone(union.right, name, builder)
        if len(step.names) != len(start.names):
            raise builder.no(union.right, f"the step of {name} has {len(step.names)} columns")
        whole = Produced(start.names, [*start.rows, *step.rows], not every, union)
        if whole.types(builder) == shape.types(builder) and whole.nulls() == shape.nulls():
            both = _all(start, step, union) if every else whole
            fill(rel, both, builder)
            return rel
        wide = list(step.rows)
        builder.reset(mark)
    raise builder.no(union.right, f"the columns of {name} find no type")


def _monotone(step: exp.Expr, name: str, builder: Builder) -> None:
    """SQL forbids aggregates, outer joins and negation over the recursion itself."""
    for node in step.find_all(exp.AggFunc, exp.Window, exp.Except, exp.Limit, exp.Group):
        raise builder.no(node, f"{node.key.upper()} in the step of the recursive {name}")
    for join in step.find_all(exp.Join):
        if join.text("side"):
            raise builder.no(join.this, f"an outer join in the step of the recursive {name}")
    for query in step.find_all(exp.Subquery, exp.Exists, exp.In):
        inner = query.args.get("query") or query.this
        if isinstance(inner, exp.Expr) and any(
            table.name.lower() == name for table in inner.find_all(exp.Table)
        ):
            raise builder.no(inner, f"a subquery over {name} in its own step")

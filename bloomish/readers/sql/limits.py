"""ORDER BY ... LIMIT ... OFFSET: rows by their place in the order."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from bloomish import ir
from bloomish.readers.sql.builder import Builder
from bloomish.readers.sql.frames import Produced, Row, finish, id_type
from bloomish.readers.sql.model import ROW, Cell, Rel
from bloomish.readers.sql.windows import before, order_of


def limited(
    node: exp.Expr, produced: Produced, orders: Sequence[tuple[Cell, ...]], builder: Builder
) -> Produced:
    """The rows that LIMIT leaves; refused where SQL would leave the choice open."""
    count, skip = _number(node, "limit", builder), _number(node, "offset", builder) or 0
    place = node.args.get("limit") or node.args["offset"]
    words = ("LIMIT", "FETCH", "OFFSET", "TOP")
    order = node.args.get("order")
    if order is None:
        mend = "say ORDER BY, over columns that identify a row"
        raise builder.no(place, "LIMIT without ORDER BY: any rows are right", mend, *words)
    width, size = len(produced.names), len(order.expressions)
    names = [*produced.names, *(f"order{n}" for n in range(size))]
    rows = [
        Row(row.body, (*row.cells, *cells), row.ids)
        for row, cells in zip(produced.rows, orders, strict=True)
    ]
    whole = Produced(names, rows, produced.distinct, node, produced.key)
    rel = finish(whole, f"{builder.view}_ordered", builder)
    specs = [order_of(one, width + n, builder) for n, one in enumerate(order.expressions)]
    shown = {
        column
        for column in range(width)
        for n in range(size)
        if all(r.cells[column] == r.cells[width + n] for r in rows)
    }
    key = [n for n, col in enumerate(rel.cols[:width]) if col.name in produced.key]
    if not (set(range(width)) <= shown or (key and set(key) <= shown)):
        mend = "add columns to ORDER BY until they identify a row"
        raise builder.no(place, "of rows that tie in ORDER BY, SQL may keep any", mend, *words)
    return _cut(rel, width, specs, count, skip, produced, builder)


def _number(node: exp.Expr, clause: str, builder: Builder) -> int | None:
    found = node.args.get(clause)
    if found is None:
        return None
    if isinstance(found, exp.Fetch):
        options = found.args.get("limit_options")
        if options is not None and (options.args.get("percent") or options.args.get("with_ties")):
            raise builder.no(found, "FETCH by percent or WITH TIES", "", "FETCH")
    value = found.args.get("expression") or found.args.get("count")
    if isinstance(value, exp.Literal) and not value.is_string and value.name.isdigit():
        return int(value.name)
    raise builder.no(found, f"{found.sql()}: not a constant number of rows")


def _cut(
    rel: Rel,
    width: int,
    specs: Sequence[object],
    count: int | None,
    skip: int,
    produced: Produced,
    builder: Builder,
) -> Produced:
    """The rows before which stand as many others as LIMIT and OFFSET say."""
    from bloomish.readers.sql.windows import Order

    orders = [one for one in specs if isinstance(one, Order)]
    mine = _variables(rel, builder)
    theirs = _variables(rel, builder)
    test = before(orders, mine, theirs, rel, strictly=not rel.hidden)
    if rel.hidden:
        # Equal rows keep apart by their hidden identity: any of them will do.
        strict = before(orders, mine, theirs, rel, strictly=True)
        tie = ir.Binary("and", test, ir.Binary("<", theirs[-1], mine[-1]))
        test = ir.Binary("or", strict, tie)
    identity = [mine[n] for n in range(len(mine)) if not rel.hidden or n == len(mine) - 1]
    types = [(f"c{n}", id_type(one, builder)) for n, one in enumerate(identity)]
    name = builder.helper("place", [*types, ("before", ir.Plain("int"))])
    body = (ir.Atom(rel.name, tuple(mine)), ir.Atom(rel.name, tuple(theirs)), ir.Condition(test))
    builder.rule(name, (*identity, ir.Aggregate("count")), body)
    cells = tuple(
        Cell(mine[n], col.type, "maybe" if col.nullable else "no")
        for n, col in enumerate(rel.cols[:width])
    )
    ids = (mine[-1],) if rel.hidden else ()
    row = ir.Atom(rel.name, tuple(mine))
    ahead = builder.var("before", "int", False)
    later = (row, ir.Atom(name, (*identity, ahead)), *_within(ahead, count, skip))
    rows = [Row(later, cells, ids)]
    if skip == 0 and count != 0:
        first = ir.Atom(name, (*identity, ir.Wild()), negated=True)
        rows.append(Row((row, first), cells, ids))
    return Produced(produced.names, rows, not rel.hidden, produced.node, produced.key)


def _variables(rel: Rel, builder: Builder) -> list[ir.Expr]:
    made: list[ir.Expr] = [builder.var(c.name, c.type, c.nullable) for c in rel.cols]
    return [*made, builder.var(ROW, "null", True)] if rel.hidden else made


def _within(ahead: ir.Expr, count: int | None, skip: int) -> list[ir.Literal]:
    tests: list[ir.Literal] = []
    if skip:
        tests.append(ir.Condition(ir.Binary(">=", ahead, ir.Const(skip))))
    if count is not None:
        tests.append(ir.Condition(ir.Binary("<", ahead, ir.Const(skip + count))))
    return tests

"""Window functions, and ORDER BY ... LIMIT, by counting the rows that stand before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from sqlglot import exp

from bloomish import ir
from bloomish.readers.sql.builder import Builder
from bloomish.readers.sql.frames import Produced, Row, finish, id_type, kept
from bloomish.readers.sql.model import NULL, Cell, Frame, Rel, TypeName, column_type
from bloomish.readers.sql.values import alternatives, is_null, narrowed, not_null

_AGGREGATES: dict[type[exp.Expr], ir.AggregateName] = {
    exp.Count: "count", exp.Sum: "sum", exp.Avg: "avg", exp.Min: "min", exp.Max: "max",
}  # fmt: skip
_RANKS = (exp.RowNumber, exp.Rank, exp.DenseRank)


@dataclass(frozen=True)
class Order:
    """One key of an order: which column, which way, and where NULL stands."""

    column: int
    down: bool
    nulls_first: bool


def has_windows(select: exp.Select) -> bool:
    """Whether a SELECT has window functions of its own."""
    return any(True for _ in _nodes(select))


def windowed(select: exp.Select, frames: Sequence[Frame], builder: Builder) -> list[Frame]:
    """The frames with the values of all window functions."""
    base = kept(frames, "rows", builder)
    made = [base]
    found = {node.sql(): node for node in _nodes(select)}
    for node in found.values():
        made = _window(node, select, base, made, builder)
    return made


def _nodes(select: exp.Select) -> Iterator[exp.Window]:
    parts = [*select.expressions]
    for clause in ("qualify", "order"):
        if select.args.get(clause):
            parts.append(select.args[clause])
    for part in parts:
        yield from _within(part)


def _within(node: exp.Expr) -> Iterator[exp.Window]:
    if isinstance(node, exp.Query | exp.Subquery):
        return
    if isinstance(node, exp.Window):
        yield node
        return
    for part in node.iter_expressions():
        yield from _within(part)


# ------------------------------------------------------------------------ windows


def _window(
    node: exp.Window, select: exp.Select, base: Frame, frames: list[Frame], builder: Builder
) -> list[Frame]:
    function: exp.Expr = node.this
    partition, ordered = _specification(node, select, builder)
    argument = None
    if isinstance(function, tuple(_AGGREGATES)) and not isinstance(function.this, exp.Star):
        argument = function.this
        if isinstance(argument, exp.Distinct):
            raise builder.no(node, "DISTINCT in a window function")
    elif not isinstance(function, (*_RANKS, exp.Count)):
        mend = "ROW_NUMBER, RANK, DENSE_RANK, COUNT, SUM, AVG, MIN and MAX become rules"
        raise builder.no(node, f"the window function {function.sql()}", mend)
    if isinstance(function, _RANKS) and not ordered:
        raise builder.no(node, f"{function.sql()} without ORDER BY: any numbering is right")
    rel = _input(node, base, partition, ordered, argument, builder)
    order = _orders(ordered, len(partition), builder)
    if isinstance(function, exp.RowNumber) and not _total(base, ordered):
        mend = "add columns to ORDER BY until they identify a row"
        raise builder.no(node, "rows that tie in ORDER BY could be numbered either way", mend)
    return _values(node, frames, rel, len(partition), order, argument is not None, builder)


def _specification(
    node: exp.Window, select: exp.Select, builder: Builder
) -> tuple[list[exp.Expr], list[exp.Ordered]]:
    partition = list(node.args.get("partition_by") or ())
    order = node.args.get("order")
    spec = node.args.get("spec")
    if node.args.get("alias"):
        name = node.args["alias"].name.lower()
        named = next((w for w in select.args.get("windows") or () if w.name.lower() == name), None)
        if named is None:
            raise builder.no(node, f"there is no window {name}")
        partition = partition or list(named.args.get("partition_by") or ())
        order = order or named.args.get("order")
        spec = spec or named.args.get("spec")
    ordered = list(order.expressions) if order is not None else []
    if spec is not None:
        text = spec.sql().upper()
        if "UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING" in text and "EXCLUDE" not in text:
            return partition, [] if not isinstance(node.this, _RANKS) else ordered
        if text != "RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW":
            raise builder.no(node, f"the window frame {spec.sql()}")
    return partition, ordered


def _input(
    node: exp.Window,
    frame: Frame,
    partition: Sequence[exp.Expr],
    ordered: Sequence[exp.Ordered],
    argument: exp.Expr | None,
    builder: Builder,
) -> Rel:
    """Partition, order and argument of each row, with the row's identity."""
    nodes = [*partition, *(one.this for one in ordered), *([argument] if argument else [])]
    names = [f"p{n}" for n in range(len(partition))] + [f"o{n}" for n in range(len(ordered))]
    names += ["value"] if argument is not None else []
    names += [f"id{n}" for n in range(len(frame.ids))]
    choices: list[tuple[tuple[ir.Literal, ...], tuple[Cell, ...]]] = [(frame.literals, ())]
    for part in nodes:
        found = alternatives(part, frame, builder)
        choices = [((*b, *a.when), (*cells, a.cell)) for b, cells in choices for a in found]
    marks = tuple(mark_cell(one, builder) for one in frame.ids.values())
    rows = [Row(body, (*cells, *marks)) for body, cells in choices]
    produced = Produced(names, rows, distinct=True, node=node)
    return finish(produced, f"{builder.view}_window", builder)


def mark_cell(expr: ir.Expr, builder: Builder) -> Cell:
    """A part of an identity as a cell."""
    if isinstance(expr, ir.Var):
        type_, nullable = builder.var_types[expr.name]
        return Cell(expr, type_, "maybe" if nullable else "no")
    return Cell(expr, "null", "yes")


def _values(
    node: exp.Window,
    frames: Sequence[Frame],
    rel: Rel,
    partition: int,
    order: Sequence[Order],
    has_argument: bool,
    builder: Builder,
) -> list[Frame]:
    mine = [builder.var(c.name, c.type, c.nullable) for c in rel.cols]
    theirs = [builder.var(c.name, c.type, c.nullable) for c in rel.cols]
    theirs[:partition] = mine[:partition]
    body: list[ir.Literal] = [ir.Atom(rel.name, tuple(mine)), ir.Atom(rel.name, tuple(theirs))]
    marks = mine[len(rel.cols) - len(frames[0].ids) :]
    function = node.this
    aggregate = ir.Aggregate("count")
    type_: TypeName = "int"
    default: Cell | None = None
    plus = 0
    if isinstance(function, exp.Rank):
        body.append(ir.Condition(before(order, mine, theirs, rel, strictly=True)))
        default, plus = Cell(ir.Const(1), "int"), 1
    elif isinstance(function, exp.RowNumber | exp.DenseRank):
        body.append(ir.Condition(before(order, mine, theirs, rel, strictly=False)))
        if isinstance(function, exp.DenseRank):
            keys = tuple(theirs[one.column] for one in order)
            aggregate = ir.Aggregate("count", ir.TupleExpr(keys))
    else:
        if order:
            body.append(ir.Condition(before(order, mine, theirs, rel, strictly=False)))
        name = _AGGREGATES[type(function)]
        if has_argument:
            place = len(rel.cols) - len(frames[0].ids) - 1
            col, value = rel.cols[place], theirs[place]
            if col.nullable:
                body.append(ir.Condition(not_null(value)))
                zero = name == "count"
                default = Cell(ir.Const(0), "int") if zero else Cell(NULL, col.type, "yes")
            cell = Cell(value, col.type, "maybe" if col.nullable else "no")
            if name in ("sum", "avg") and col.type not in ("int", "float"):
                raise builder.no(node, f"{node.sql()} of a {col.type}")
            aggregate = ir.Aggregate(name, narrowed(cell, builder))
            type_ = "int" if name == "count" else "float" if name == "avg" else col.type
            aggregate = ir.Aggregate("count") if name == "count" else aggregate
    types = [(f"id{n}", id_type(mark, builder)) for n, mark in enumerate(marks)]
    result = builder.helper("over", [*types, ("value", column_type(type_, False))])
    builder.rule(result, (*marks, aggregate), body)
    return _read(node, frames, result, type_, default, plus, builder)


def _read(
    node: exp.Window,
    frames: Sequence[Frame],
    result: str,
    type_: TypeName,
    default: Cell | None,
    plus: int,
    builder: Builder,
) -> list[Frame]:
    made = []
    for frame in frames:
        ids = tuple(frame.ids.values())
        value = builder.var("over", type_, False)
        shown: ir.Expr = ir.Binary("+", value, ir.Const(plus)) if plus else value
        known = {**frame.known, node.sql(): Cell(shown, type_)}
        made.append(replace(frame.also(ir.Atom(result, (*ids, value))), known=known))
        if default is not None:
            missing = ir.Atom(result, (*ids, ir.Wild()), negated=True)
            made.append(replace(frame.also(missing), known={**frame.known, node.sql(): default}))
    return made


# -------------------------------------------------------------------------- order


def _orders(ordered: Sequence[exp.Ordered], first: int, builder: Builder) -> list[Order]:
    return [order_of(one, first + number, builder) for number, one in enumerate(ordered)]


def order_of(node: exp.Ordered, column: int, builder: Builder) -> Order:
    """What an ORDER BY item says; sqlglot fills in the dialect's place of NULL."""
    if node.args.get("with_fill"):
        raise builder.no(node, "ORDER BY ... WITH FILL")
    return Order(column, bool(node.args.get("desc")), bool(node.args.get("nulls_first")))


def before(
    order: Sequence[Order],
    mine: Sequence[ir.Expr],
    theirs: Sequence[ir.Expr],
    rel: Rel,
    strictly: bool,
) -> ir.Expr:
    """That their row stands before mine, or (unless `strictly`) level with it."""
    first, *rest = order
    x, y = mine[first.column], theirs[first.column]
    ahead = _ahead(first, x, y, rel.cols[first.column].nullable)
    if not rest:
        return ahead if strictly else ir.Binary("or", ahead, ir.Binary("==", y, x))
    later = before(rest, mine, theirs, rel, strictly)
    return ir.Binary("or", ahead, ir.Binary("and", ir.Binary("==", y, x), later))


def _ahead(order: Order, x: ir.Expr, y: ir.Expr, nullable: bool) -> ir.Expr:
    smaller: ir.Expr = ir.Binary(">" if order.down else "<", y, x)
    if not nullable:
        return smaller
    both = ir.Binary("and", ir.Binary("and", not_null(x), not_null(y)), smaller)
    if order.nulls_first:
        apart = ir.Binary("and", is_null(y), not_null(x))
    else:
        apart = ir.Binary("and", not_null(y), is_null(x))
    return ir.Binary("or", both, apart)


def _total(frame: Frame, ordered: Sequence[exp.Ordered]) -> bool:
    """Whether the order's columns include an identity of the row."""
    from bloomish.readers.sql.columns import matching
    from bloomish.readers.sql.script import identifier

    covered = set()
    for one in ordered:
        covered.add(("", one.this.sql()))
        if isinstance(one.this, exp.Column):
            table = identifier(one.this.args["table"]) if one.this.table else ""
            covered |= set(matching(frame, identifier(one.this.this), table))
    return all(slot in covered for slot in frame.ids)

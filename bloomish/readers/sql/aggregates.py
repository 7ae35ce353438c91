"""GROUP BY and the aggregates.

The IR's aggregates range over the distinct matches of a body, and a body matches
once per combination of source rows: this is SQL's bag.  An aggregate of a
nullable value skips NULLs, so it has a rule of its own and a default for the
groups in which it finds nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from sqlglot import exp

from bloomish import ir
from bloomish.readers.sql.builder import Builder
from bloomish.readers.sql.columns import matching, slot_text
from bloomish.readers.sql.frames import Body, Produced, Row, correlated, finish, id_type
from bloomish.readers.sql.model import NULL, Cell, Frame, TypeName, column_type
from bloomish.readers.sql.script import identifier
from bloomish.readers.sql.values import alternatives, narrowed, not_null

_NAMES: dict[type[exp.Expr], ir.AggregateName] = {
    exp.Count: "count", exp.Sum: "sum", exp.Avg: "avg", exp.Min: "min", exp.Max: "max",
    exp.LogicalAnd: "min", exp.LogicalOr: "max",
}  # fmt: skip


@dataclass(frozen=True)
class Asked:
    """One aggregate of a query: what is aggregated, and under which text it is known."""

    node: exp.Expr
    name: ir.AggregateName
    argument: exp.Expr | None
    distinct: bool
    texts: tuple[str, ...]


@dataclass(frozen=True)
class Source:
    """What is aggregated over: a body, the group's values, the arguments' values."""

    body: Body
    outside: tuple[ir.Expr, ...]
    groups: tuple[Cell, ...]
    arguments: tuple[Cell | None, ...]
    read: tuple[Cell, ...] = ()  # the groups as the results are read: variables


def has_aggregates(select: exp.Select) -> bool:
    """Whether a SELECT aggregates its rows."""
    return bool(select.args.get("group")) or any(True for _ in _nodes(select))


def grouped(select: exp.Select, frames: Sequence[Frame], builder: Builder) -> list[Frame]:
    """The frames of the groups: known are the grouping values and the aggregates."""
    groups = _group_nodes(select, frames[0], builder)
    asked = _asked(select, builder)
    source = _source(frames, groups, asked, builder)
    source = replace(source, read=tuple(_variable(cell, builder) for cell in source.groups))
    known, ids = _group_values(groups, source, frames[0])
    base = Frame((), frames[0].columns, ids, frames[0].merged, frames[0].outer, known, True)
    plain = [n for n, cell in enumerate(source.arguments) if cell is None or cell.null == "no"]
    plain = [n for n in plain if not (asked[n].distinct and asked[n].name in ("sum", "avg"))]
    made = [base]
    always = bool(select.args.get("group"))
    if plain or always:
        made = _joined(made, [asked[n] for n in plain], plain, source, always, builder)
    for number in range(len(asked)):
        if number not in plain:
            made = _joined(made, [asked[number]], [number], source, False, builder)
    return made


# ------------------------------------------------------------------ what is asked


def _nodes(select: exp.Select) -> Iterator[exp.Expr]:
    parts = [*select.expressions]
    for clause in ("having", "qualify", "order"):
        if select.args.get(clause):
            parts.append(select.args[clause])
    for part in parts:
        yield from _within(part)


def _within(node: exp.Expr) -> Iterator[exp.Expr]:
    """The aggregates of this SELECT in an expression: not those of subqueries, and of
    a window function only what stands inside it."""
    if isinstance(node, exp.Query | exp.Subquery):
        return
    if isinstance(node, exp.Window):
        inner = node.this
        while isinstance(inner, exp.Filter | exp.IgnoreNulls | exp.RespectNulls):
            inner = inner.this
        for part in (
            *inner.iter_expressions(),
            *(p for p in node.iter_expressions() if p is not node.this),
        ):
            yield from _within(part)
        return
    if isinstance(node, exp.AggFunc | exp.Filter):
        yield node
        return
    for part in node.iter_expressions():
        yield from _within(part)


def _asked(select: exp.Select, builder: Builder) -> list[Asked]:
    found: dict[str, Asked] = {}
    for node in _nodes(select):
        found.setdefault(node.sql(), _one(node, builder))
    return list(found.values())


def _one(node: exp.Expr, builder: Builder) -> Asked:
    function, test = node, None
    if isinstance(node, exp.Filter):
        function, test = node.this, node.expression.this
    if isinstance(function, exp.CountIf):
        function = exp.Count(this=_when(function.this, exp.Literal.number(1)))
    name = _NAMES.get(type(function))
    if name is None:
        what = f"the aggregate {function.sql()}"
        raise builder.no(node, what, "COUNT, SUM, AVG, MIN, MAX, BOOL_AND and BOOL_OR become rules")
    argument = function.this
    distinct = isinstance(argument, exp.Distinct)
    if isinstance(argument, exp.Distinct):
        if len(argument.expressions) != 1:
            raise builder.no(node, "DISTINCT of several columns")
        argument = argument.expressions[0]
    if isinstance(argument, exp.Star) or argument is None:
        argument = None
    if isinstance(function, exp.Count) and function.expressions:
        raise builder.no(node, "COUNT of several columns")
    if isinstance(argument, exp.Order | exp.Limit):
        raise builder.no(node, "ORDER BY and LIMIT inside an aggregate")
    if test is not None:
        argument = _when(test, exp.Literal.number(1) if argument is None else argument)
    return Asked(node, name, argument, distinct and name not in ("min", "max"), (node.sql(),))


def _when(test: exp.Expr, result: exp.Expr) -> exp.Case:
    return exp.Case(ifs=[exp.If(this=test.copy(), true=result.copy())])


def _group_nodes(select: exp.Select, frame: Frame, builder: Builder) -> list[exp.Expr]:
    group = select.args.get("group")
    if group is None:
        return []
    for clause in ("grouping_sets", "cube", "rollup", "totals"):
        if group.args.get(clause):
            raise builder.no(group, clause.upper().replace("_", " "), "", "GROUP BY", "GROUP")
    if group.args.get("all"):
        return [e.unalias() for e in select.expressions if not any(True for _ in _within(e))]
    nodes = []
    for node in group.expressions:
        if isinstance(node, exp.Rollup | exp.Cube | exp.GroupingSets):
            raise builder.no(node, node.key.upper(), "", "GROUP BY", "GROUP")
        nodes.append(_meant(node, select, frame))
    return nodes


def _meant(node: exp.Expr, select: exp.Select, frame: Frame) -> exp.Expr:
    """Ordinals and names of the select list stand for its expressions."""
    chosen: exp.Expr = node
    if isinstance(node, exp.Literal) and not node.is_string and node.name.isdigit():
        number = int(node.name)
        if 0 < number <= len(select.expressions):
            chosen = select.expressions[number - 1].unalias()
    elif isinstance(node, exp.Column) and not node.table:
        name = identifier(node.this)
        if not matching(frame, name, ""):
            for item in select.expressions:
                if isinstance(item, exp.Alias) and identifier(item.args["alias"]) == name:
                    chosen = item.this
    return chosen


# ------------------------------------------------------------------------- rows


def _source(
    frames: Sequence[Frame], groups: Sequence[exp.Expr], asked: Sequence[Asked], builder: Builder
) -> Source:
    rows = [row for frame in frames for row in _rows(frame, groups, asked, builder)]
    size = len(groups)
    if len(rows) == 1:
        body, cells = rows[0].body, rows[0].cells
    else:
        ids = max((len(row.ids) for row in rows), default=0)
        names = [f"g{n}" for n in range(size)] + [f"a{n}" for n in range(len(rows[0].cells) - size)]
        names += [f"id{n}" for n in range(ids)]
        padded = [_padded(row, ids) for row in rows]
        outer_ids, around = _around(frames[0], [row.body for row in padded])
        names += [f"outer{n}" for n in range(len(outer_ids))]
        whole = [
            Row((*around, *r.body), (*r.cells, *(_as_cell(i, builder) for i in outer_ids)))
            for r in padded
        ]
        rel = finish(Produced(names, whole, distinct=True), f"{builder.view}_rows", builder)
        variables: list[ir.Expr] = [builder.var(c.name, c.type, c.nullable) for c in rel.cols]
        cells = tuple(
            Cell(v, c.type, "maybe" if c.nullable else "no")
            for v, c in zip(variables, rel.cols, strict=True)
        )[: len(rows[0].cells)]
        if outer_ids:
            variables[-len(outer_ids) :] = outer_ids
        body = (ir.Atom(rel.name, tuple(variables)),)
        arguments = _spread(cells[size:], asked)
        return Source(body, outer_ids, cells[:size], arguments)
    outer_ids, around = _around(frames[0], [body])
    return Source((*around, *body), outer_ids, cells[:size], _spread(cells[size:], asked))


def _rows(
    frame: Frame, groups: Sequence[exp.Expr], asked: Sequence[Asked], builder: Builder
) -> list[Row]:
    nodes = [*groups, *(a.argument for a in asked if a.argument is not None)]
    choices: list[tuple[Body, tuple[Cell, ...]]] = [(frame.literals, ())]
    for node in nodes:
        found = alternatives(node, frame, builder)
        choices = [
            ((*body, *alt.when), (*cells, alt.cell)) for body, cells in choices for alt in found
        ]
    ids = tuple(frame.ids.values())
    return [Row(tuple(dict.fromkeys(body)), cells, ids) for body, cells in choices]


def _padded(row: Row, size: int) -> Row:
    marks = [*row.ids, *([NULL] * (size - len(row.ids)))]
    cells = tuple(Cell(mark, "null", "yes" if mark == NULL else "maybe") for mark in marks)
    return Row(row.body, (*row.cells, *cells))


def _around(frame: Frame, bodies: Sequence[Body]) -> tuple[tuple[ir.Expr, ...], Body]:
    """For a correlated subquery: the identity of the outer row, and what binds it."""
    if frame.outer is None or not correlated(bodies, frame.outer):
        return (), ()
    around = tuple(one for f in reversed(list(frame.outer.outwards())) for one in f.literals)
    return frame.outer.all_ids(), around


def _as_cell(expr: ir.Expr, builder: Builder) -> Cell:
    if isinstance(expr, ir.Var):
        type_, nullable = builder.var_types[expr.name]
        return Cell(expr, type_, "maybe" if nullable else "no")
    return Cell(expr, "null", "yes")


def _spread(cells: Sequence[Cell], asked: Sequence[Asked]) -> tuple[Cell | None, ...]:
    found = iter(cells)
    return tuple(None if a.argument is None else next(found) for a in asked)


def _variable(cell: Cell, builder: Builder) -> Cell:
    """A grouping value as it is read back: an expression is a column by then."""
    if isinstance(cell.expr, ir.Var | ir.Const):
        return cell
    return Cell(builder.var("group", cell.type, cell.null != "no"), cell.type, cell.null)


def _group_values(
    groups: Sequence[exp.Expr], source: Source, frame: Frame
) -> tuple[dict[str, Cell], dict[tuple[str, str], ir.Expr]]:
    known: dict[str, Cell] = {}
    ids: dict[tuple[str, str], ir.Expr] = {}
    for node, cell in zip(groups, source.read, strict=True):
        known[node.sql()] = cell
        ids["", node.sql()] = cell.expr
        if isinstance(node, exp.Column):
            table = identifier(node.args["table"]) if node.table else ""
            for slot in matching(frame, identifier(node.this), table):
                known[slot_text(slot)] = cell
    return known, ids


# -------------------------------------------------------------------- aggregation


def _joined(
    frames: Sequence[Frame],
    asked: Sequence[Asked],
    numbers: Sequence[int],
    source: Source,
    always: bool,
    builder: Builder,
) -> list[Frame]:
    """The frames with the values of some aggregates: found, or by default."""
    name, cells = _relation(asked, numbers, source, builder)
    keys = (*source.outside, *(cell.expr for cell in source.read))
    values = tuple(cell.expr for cell in cells)
    found = ir.Atom(name, (*keys, *values))
    missing = ir.Atom(name, (*keys, *(ir.Wild() for _ in values)), negated=True)
    made = []
    for frame in frames:
        known = {text: c for a, c in zip(asked, cells, strict=True) for text in a.texts}
        made.append(replace(frame.also(found), known={**frame.known, **known}))
        if not always:
            empty = {
                text: _empty(a, c) for a, c in zip(asked, cells, strict=True) for text in a.texts
            }
            made.append(replace(frame.also(missing), known={**frame.known, **empty}))
    return made


def _empty(asked: Asked, cell: Cell) -> Cell:
    """What an aggregate of no rows is."""
    if asked.name == "count":
        return Cell(ir.Const(0), "int")
    return Cell(NULL, cell.type, "yes")


def _relation(
    asked: Sequence[Asked], numbers: Sequence[int], source: Source, builder: Builder
) -> tuple[str, list[Cell]]:
    body = source.body
    heads: list[ir.HeadArg] = [*source.outside, *(cell.expr for cell in source.groups)]
    types = [(f"g{n + 1}", id_type(one, builder)) for n, one in enumerate(source.outside)]
    types += [
        (f"g{len(types) + n + 1}", column_type(cell.type, cell.null != "no"))
        for n, cell in enumerate(source.groups)
    ]
    cells: list[Cell] = []
    aggregates: list[ir.HeadArg] = []
    for one, number in zip(asked, numbers, strict=True):
        argument = source.arguments[number]
        type_ = _type(one, argument, builder)
        if argument is not None and argument.null == "maybe":
            body = (*body, ir.Condition(not_null(argument.expr)))
        if argument is not None and argument.null == "yes":
            body = (*body, ir.Condition(ir.Const(False)))
        aggregates.append(_aggregate(one, argument, builder))
        types.append((one.name, column_type(type_, False)))
        cells.append(Cell(builder.var(one.name, type_, False), type_))
    if len(asked) == 1 and asked[0].distinct and asked[0].name in ("sum", "avg"):
        body, aggregates = _distinct(asked[0], numbers[0], source, body, heads, types, builder)
    name = builder.helper("groups" if not asked else "_".join(a.name for a in asked[:3]), types)
    builder.rule(name, (*heads, *aggregates), body)
    return name, cells


def _distinct(
    asked: Asked,
    number: int,
    source: Source,
    body: Body,
    heads: Sequence[ir.HeadArg],
    types: Sequence[tuple[str, ir.Type]],
    builder: Builder,
) -> tuple[Body, list[ir.HeadArg]]:
    """SUM(DISTINCT x): the distinct values first."""
    argument = source.arguments[number]
    assert argument is not None
    value = narrowed(argument, builder)
    name = builder.helper("distinct", [*types[:-1], ("value", column_type(argument.type, False))])
    builder.rule(name, (*heads, value), body)
    variable = builder.var("value", argument.type, False)
    keys = tuple(one for one in heads if not isinstance(one, ir.Aggregate))
    return (ir.Atom(name, (*keys, variable)),), [ir.Aggregate(asked.name, variable)]


def _aggregate(asked: Asked, argument: Cell | None, builder: Builder) -> ir.Aggregate:
    if asked.name == "count" and not asked.distinct:
        return ir.Aggregate("count")
    assert argument is not None
    return ir.Aggregate(asked.name, narrowed(argument, builder))


def _type(asked: Asked, argument: Cell | None, builder: Builder) -> TypeName:
    if asked.name == "count":
        return "int"
    if argument is None:
        raise builder.no(asked.node, f"{asked.node.sql()} has no argument")
    if asked.name in ("sum", "avg"):
        if argument.type not in ("int", "float", "null"):
            raise builder.no(asked.node, f"{asked.node.sql()} of a {argument.type}")
        return "float" if asked.name == "avg" else argument.type
    return argument.type

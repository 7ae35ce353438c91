"""CREATE TABLE and INSERT: the collections that hold the data, and how it gets in.

A stream `orders` is the table `orders`, fed by the host through the input
`insert_orders`; a changing one can also lose rows through `delete_orders`; a
const one has the rows of its INSERT statements.  A table without PRIMARY KEY may
hold equal rows, so its rows carry a number, which the host gives too.
"""

from __future__ import annotations

from dataclasses import replace

from sqlglot import exp

from bloomish import ir
from bloomish.readers.sql.builder import Builder
from bloomish.readers.sql.frames import Produced, Row, fill
from bloomish.readers.sql.model import ROW, Cell, Col, Rel
from bloomish.readers.sql.queries import produce
from bloomish.readers.sql.script import Script, Table, identifier, is_table
from bloomish.readers.sql.types import sql_type
from bloomish.readers.sql.values import constant, widened


def table(declared: Table, builder: Builder) -> Rel:
    """The collections of a declared table."""
    name = builder.name(declared.name)
    builder.span = declared.span
    ordered = sorted(declared.columns, key=lambda c: c.name not in declared.key)
    cols = []
    for column in declared.columns:
        type_ = sql_type(column.type, column.span)
        cols.append(Col(column.name, type_, column.nullable, ordered.index(column)))
    columns = [
        ir.Column(builder.column_name(c.name), c.ir_type, c.name in declared.key)
        for c in sorted(cols, key=lambda c: c.position)
    ]
    hidden = not declared.key
    if hidden:
        columns.append(ir.Column(ROW, ir.Plain("Any")))
    kind: ir.Kind = "const" if declared.declared == "const" else "table"
    doc = f"CREATE TABLE {declared.name}"
    builder.collections.append(
        ir.Collection(name, kind, tuple(columns), doc=doc, span=declared.span)
    )
    rel = Rel(name, tuple(cols), hidden, declared.key)
    if kind == "table":
        operators: list[tuple[str, ir.Operator]] = [("insert", "<=")]
        if declared.declared == "changing":
            operators.append(("delete", "<-"))
        for verb, operator in operators:
            _fed(rel, f"{verb}_{declared.name}", tuple(columns), operator, builder)
    builder.relations[declared.name] = rel
    return rel


def _fed(
    rel: Rel, wanted: str, columns: tuple[ir.Column, ...], op: ir.Operator, builder: Builder
) -> None:
    feed = builder.name(wanted)
    plain = tuple(replace(column, key=False) for column in columns)
    builder.collections.append(ir.Collection(feed, "input", plain, span=builder.span))
    variables = tuple(ir.Var(column.name) for column in columns)
    builder.rule(rel.name, variables, (ir.Atom(feed, variables),), op)


_FREE = (exp.NotNullColumnConstraint, exp.PrimaryKeyColumnConstraint, exp.CommentColumnConstraint)


def constraints(script: Script, builder: Builder) -> tuple[str, ...]:
    """Constraints that only reject rows are warned about; those that make values refused."""
    warnings = []
    for statement in script.statements:
        if not is_table(statement.tree):
            continue
        for item in statement.tree.this.expressions:
            if isinstance(item, exp.ColumnDef):
                kinds = [c.kind for c in item.args.get("constraints") or ()]
            else:
                kinds = [] if item.find(exp.PrimaryKey) else [item]
            for kind in kinds:
                if isinstance(kind, _FREE):
                    continue
                text = kind.sql(script.dialect)
                if not isinstance(kind, _REJECT) and not item.find(*_REJECT):
                    mend = "give the value in every INSERT"
                    raise builder.no(item, f"{text}: it makes values", mend)
                span = script.places.of(item)
                place = f"{span.file}:{span.line}:{span.column}"
                warnings.append(f"{place}: {text} is not enforced by the rules")
    return tuple(warnings)


_REJECT = (
    exp.UniqueColumnConstraint, exp.CheckColumnConstraint, exp.Reference, exp.ForeignKey,
    exp.Check, exp.Constraint,
)  # fmt: skip


def insert(tree: exp.Insert, rel: Rel, number: int, builder: Builder) -> None:
    """INSERT ... VALUES gives facts, INSERT ... SELECT a rule that stands."""
    for clause in ("conflict", "returning", "overwrite", "alternative", "by_name", "where"):
        if tree.args.get(clause):
            raise builder.no(tree.this, f"INSERT with {clause.upper()}", "", "INSERT")
    targets = [col.name for col in rel.cols]
    if isinstance(tree.this, exp.Schema):
        targets = [identifier(column) for column in tree.this.expressions]
        for name in targets:
            if name not in [col.name for col in rel.cols]:
                raise builder.no(tree.this, f"{rel.name} has no column {name}")
    missing = [col for col in rel.cols if col.name not in targets]
    for col in missing:
        if not col.nullable:
            raise builder.no(tree.this, f"{col.name} gets no value and may not be NULL")
    query = tree.expression
    if isinstance(query, exp.Values):
        _values(query, rel, targets, number, builder)
    elif isinstance(query, exp.Query | exp.Subquery):
        _select(query, rel, targets, number, builder)
    else:
        raise builder.no(tree.this, "this INSERT", "write VALUES or SELECT", "INSERT")


def _values(query: exp.Values, rel: Rel, targets: list[str], number: int, builder: Builder) -> None:
    rows: list[tuple[object, ...]] = []
    for item in query.expressions:
        parts = item.expressions if isinstance(item, exp.Tuple) else [item]
        if len(parts) != len(targets):
            raise builder.no(item, f"{len(parts)} values for {len(targets)} columns")
        given = dict(zip(targets, parts, strict=True))
        row: list[object] = [None] * rel.width
        for col in rel.cols:
            if col.name in given:
                row[col.position] = _value(given[col.name], col, builder)
        if rel.hidden:
            row[-1] = (number, len(rows))
        rows.append(tuple(row))
    builder.facts.append(ir.Facts(rel.name, tuple(rows), span=builder.span))


def _value(node: exp.Expr, col: Col, builder: Builder) -> object:
    cell = constant(node, builder)
    if cell.null == "yes":
        if not col.nullable:
            raise builder.no(node, f"{col.name} may not be NULL")
        return None
    if cell.type != col.type and not (cell.type == "int" and col.type == "float"):
        raise builder.no(node, f"{node.sql()} is no {col.type}, as {col.name} is")
    made = widened(cell, col.type)
    assert isinstance(made.expr, ir.Const)
    return made.expr.value


def _select(query: exp.Expr, rel: Rel, targets: list[str], number: int, builder: Builder) -> None:
    produced = produce(query, builder)
    if len(produced.names) != len(targets):
        raise builder.no(query, f"{len(produced.names)} columns for {len(targets)}")
    types, nulls = produced.types(builder), produced.nulls()
    by_name = {col.name: col for col in rel.cols}
    for name, type_, null in zip(targets, types, nulls, strict=True):
        col = by_name[name]
        if null and not col.nullable:
            raise builder.no(query, f"{name} may be NULL here, and {rel.name}.{name} may not")
        if type_ not in (col.type, "null") and not (type_ == "int" and col.type == "float"):
            raise builder.no(query, f"{name} is {type_} here, and {col.type} in {rel.name}")
    rows = []
    for row in produced.rows:
        given = dict(zip(targets, row.cells, strict=True))
        cells = tuple(given.get(col.name, _null(col)) for col in rel.cols)
        ids = row.ids if produced.hidden else tuple(cell.expr for cell in row.cells)
        rows.append(Row(row.body, cells, (ir.Const(number), ir.TupleExpr(ids))))
    names = [col.name for col in rel.cols]
    fill(rel, Produced(names, rows, not rel.hidden, produced.node), builder)


def _null(col: Col) -> Cell:
    return Cell(ir.Const(None), col.type, "yes")

"""EXISTS, IN, ANY, ALL and subqueries as values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlglot import exp

from bloomish import ir
from bloomish.readers.sql.builder import Builder
from bloomish.readers.sql.conditions import Want, cases, compare, holding
from bloomish.readers.sql.frames import Body, holds
from bloomish.readers.sql.model import Alt, Frame
from bloomish.readers.sql.sources import frames_of
from bloomish.readers.sql.values import alternatives

_COMPLEX = ("group", "having", "qualify", "limit", "offset", "distinct", "with_", "windows")


def exists(node: exp.Exists, want: Want, frame: Frame, builder: Builder) -> list[Body]:
    """EXISTS is never NULL."""
    positive = want in ("true", "not false")
    bodies = [inner.literals for inner, _ in _inner(node.this, frame, builder, values=False)]
    return [(replace(holds(frame, bodies, "exists", builder), negated=not positive),)]


def within(node: exp.In, want: Want, frame: Frame, builder: Builder) -> list[Body]:
    """`x IN (SELECT ...)`: true by a row that equals x, false where all rows differ from x."""
    row_want: Want = "true" if want in ("true", "not true") else "not false"
    positive = want in ("true", "not false")
    equal = exp.EQ(this=exp.Null(), expression=exp.Null())
    return _some(node.this, equal, node.args["query"], row_want, positive, frame, builder)


def quantified(node: exp.Binary, want: Want, frame: Frame, builder: Builder) -> list[Body]:
    """`x < ANY (...)` and `x < ALL (...)`."""
    inner = node.expression.this
    while isinstance(inner, exp.Paren):
        inner = inner.this
    if not isinstance(inner, exp.Query | exp.Subquery):
        raise builder.no(node, f"{node.sql()}: ANY and ALL of a list", "write IN")
    if isinstance(node.expression, exp.Any):
        row_want: Want = "true" if want in ("true", "not true") else "not false"
        positive = want in ("true", "not false")
    else:
        row_want = "not true" if want in ("true", "not true") else "false"
        positive = want in ("not true", "false")
    return _some(node.this, node, inner, row_want, positive, frame, builder)


def _some(
    item: exp.Expr,
    like: exp.Expr,
    query: exp.Expr,
    row_want: Want,
    positive: bool,
    frame: Frame,
    builder: Builder,
) -> list[Body]:
    """That some row of the query compares with `item` as wanted, or that none does."""
    items = item.expressions if isinstance(item, exp.Tuple) else [item]
    bodies: list[Body] = []
    for inner, columns in _inner(query, frame, builder):
        if len(columns) != len(items):
            raise builder.no(query, f"the subquery has {len(columns)} columns, not {len(items)}")
        found: list[Body] = [inner.literals]
        for part, alt in zip(items, columns, strict=True):
            ones = alternatives(part, frame, builder)
            found = [
                tuple(dict.fromkeys((*body, *one.when, *alt.when, *more)))
                for body in found
                for one in ones
                for more in holding(compare(like, one.cell, alt.cell, row_want, builder), ())
            ]
        bodies.extend(found)
    atom = holds(frame, bodies, "in", builder)
    return [(replace(atom, negated=not positive),)]


def _inner(
    query: exp.Expr, frame: Frame, builder: Builder, values: bool = True
) -> list[tuple[Frame, Sequence[Alt]]]:
    """The frames of a subquery, WHERE included, with its columns' values."""
    while isinstance(query, exp.Subquery | exp.Paren) and not query.args.get("limit"):
        query = query.this
    if not isinstance(query, exp.Select) or _is_complex(query):
        from bloomish.readers.sql.queries import relation_of

        rel = relation_of(query, f"{builder.view}_subquery", builder)
        read = builder.read(rel, "", Frame(outer=frame))
        return [(read, [Alt(read.columns["", col.name]) for col in rel.cols])]
    made: list[tuple[Frame, Sequence[Alt]]] = []
    for inner in frames_of(query, builder, frame):
        where = query.args.get("where")
        bodies = cases(where.this, "true", inner, builder) if where is not None else [()]
        for body in bodies:
            found = inner.also(*body)
            if not values:
                made.append((found, ()))
                continue
            choices: list[list[Alt]] = [[]]
            for column in query.expressions:
                if isinstance(column, exp.Star) or isinstance(column.this, exp.Star):
                    raise builder.no(column, "* in this subquery", "name its column")
                more = alternatives(column, found, builder)
                choices = [[*so_far, alt] for so_far in choices for alt in more]
            made.extend((found, choice) for choice in choices)
    return made


def _is_complex(query: exp.Select) -> bool:
    from bloomish.readers.sql.aggregates import has_aggregates
    from bloomish.readers.sql.windows import has_windows

    if any(query.args.get(clause) for clause in _COMPLEX):
        return True
    return has_aggregates(query) or has_windows(query)


def scalar(node: exp.Expr, frame: Frame, builder: Builder) -> list[Alt]:
    """A subquery as a value: an aggregate over its rows, so that there is one."""
    from bloomish.readers.sql.aggregates import grouped, has_aggregates

    query = node
    while isinstance(query, exp.Subquery | exp.Paren):
        query = query.this
    key = (node.sql(), tuple(one.literals for one in frame.outwards()))
    known = builder.scalars.get(key)
    if known is not None:
        return known
    if not isinstance(query, exp.Select) or len(query.expressions) != 1:
        raise builder.no(node, "a subquery as a value must be a SELECT of one column")
    if query.args.get("group") or not has_aggregates(query) or query.args.get("having"):
        mend = "aggregate it, as in (SELECT MAX(x) FROM ...)"
        raise builder.no(node, "a subquery as a value may have several rows", mend)
    if query.args.get("limit") or query.args.get("offset"):
        raise builder.no(node, "LIMIT in a subquery as a value", "an aggregate has one row")
    made: list[Alt] = []
    for inner in grouped(query, _wheres(query, frame, builder), builder):
        for alt in alternatives(query.expressions[0], inner, builder):
            made.append(Alt(alt.cell, (*inner.literals, *alt.when)))
    builder.scalars[key] = made
    return made


def _wheres(query: exp.Select, frame: Frame, builder: Builder) -> list[Frame]:
    where = query.args.get("where")
    found = frames_of(query, builder, frame)
    if where is None:
        return found
    made = [one.also(*body) for one in found for body in cases(where.this, "true", one, builder)]
    # A condition that can never hold still leaves the aggregate of no rows.
    return made or [found[0].also(ir.Condition(ir.Const(False)))]

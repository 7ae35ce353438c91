"""Frames made into relations: helper relations for tests, and rows kept for later steps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from sqlglot import exp

from bloomish import ir
from bloomish.readers.sql.builder import Builder
from bloomish.readers.sql.model import (
    ANY,
    NULL,
    Alt,
    Cell,
    Frame,
    Rel,
    TypeName,
    column_type,
)
from bloomish.readers.sql.tidy import in_literal
from bloomish.readers.sql.values import common_type, fitted

Body = tuple[ir.Literal, ...]


# ------------------------------------------------------------------------- tests


def holds(frame: Frame, bodies: Iterable[Body], what: str, builder: Builder) -> ir.Atom:
    """An atom that is there where one of the bodies has a match, for the frame's row.

    The bodies may use the frame's variables (correlation); then the helper holds
    the identities of the frame's rows, else one row.
    """
    found = list(bodies)
    needed = correlated(found, frame)
    head = frame.all_ids() if needed else (ir.Const(True),)
    types = [(f"c{n + 1}", id_type(one, builder)) for n, one in enumerate(head)]
    name = builder.helper(what, types)
    around = tuple(one for f in reversed(list(frame.outwards())) for one in f.literals)
    for body in found:
        builder.rule(name, head, (*around, *body) if needed else body)
    return ir.Atom(name, head)


def id_type(expr: ir.Expr, builder: Builder) -> ir.Type:
    """The type of an identity's part."""
    if isinstance(expr, ir.Var):
        return column_type(*builder.var_types[expr.name])
    return ir.Plain("bool") if expr == ir.Const(True) else ANY


def correlated(bodies: Iterable[Body], frame: Frame) -> bool:
    """Whether a body uses a variable of the frame or of the frames around it.

    Variables are fresh for every reading of a table, so that to share one is to
    mean the same row.
    """
    mine: set[str] = set()
    for one in frame.outwards():
        mine |= _variables(one.literals)
    return any(mine & _variables(body) for body in bodies)


def _variables(body: Body) -> set[str]:
    used: set[str] = set()

    def note(expr: ir.Expr) -> ir.Expr:
        if isinstance(expr, ir.Var):
            used.add(expr.name)
        return expr

    for literal in body:
        in_literal(literal, note)
    return used


# -------------------------------------------------------------------------- rows


@dataclass(frozen=True)
class Row:
    """One rule to be: body, visible cells, and what tells equal rows apart."""

    body: Body
    cells: tuple[Cell, ...]
    ids: tuple[ir.Expr, ...] = ()


@dataclass
class Produced:
    """The rows of a query before they have a collection."""

    names: list[str]
    rows: list[Row]
    distinct: bool = False
    node: exp.Expr = field(default_factory=exp.Select)
    key: tuple[str, ...] = ()

    def types(self, builder: Builder) -> list[TypeName]:
        """The type of each column, over all rows."""
        columns = range(len(self.names))
        return [
            common_type([r.cells[c].type for r in self.rows], self.node, builder) for c in columns
        ]

    def nulls(self) -> list[bool]:
        """Which columns can be NULL."""
        columns = range(len(self.names))
        return [any(r.cells[c].null != "no" for r in self.rows) for c in columns]

    @property
    def hidden(self) -> bool:
        return not self.distinct and any(row.ids for row in self.rows)


def finish(produced: Produced, name: str, builder: Builder, kind: ir.Kind = "scratch") -> Rel:
    """The collection of a query's rows, and its rules."""
    types, nulls = produced.types(builder), produced.nulls()
    cols = list(zip(produced.names, types, nulls, strict=True))
    rel = builder.relation(name, cols, produced.hidden, kind)
    fill(rel, produced, builder)
    key = produced.key if produced.distinct or not rel.hidden else ()
    return replace(rel, key=key)


def fill(rel: Rel, produced: Produced, builder: Builder) -> None:
    """The rules that put a query's rows into a relation of the right shape."""
    for row in produced.rows:
        wanted = [col.type for col in rel.cols]
        for cells, when in _fitted(row.cells, wanted, builder):
            args: list[ir.Expr] = [NULL] * rel.width
            for col, cell in zip(rel.cols, cells, strict=True):
                args[col.position] = cell.expr
            if rel.hidden:
                args[-1] = ir.TupleExpr(row.ids) if row.ids else ir.Const(())
            builder.rule(rel.name, args, (*row.body, *when))


def _fitted(
    cells: Sequence[Cell], wanted: Sequence[TypeName], builder: Builder
) -> list[tuple[list[Cell], Body]]:
    made: list[tuple[list[Cell], Body]] = [([], ())]
    for cell, type_ in zip(cells, wanted, strict=True):
        parts = fitted(Alt(cell), type_, builder)
        made = [([*so_far, p.cell], (*when, *p.when)) for so_far, when in made for p in parts]
    return made


def kept(frames: Sequence[Frame], what: str, builder: Builder) -> Frame:
    """All frames as one: their rows go through a helper relation.

    The helper holds every column (of groups: every known value) and every part of
    the identity, so that nothing downstream changes but the number of frames.
    """
    first = frames[0]
    slots = [] if first.grouped else list(first.columns)
    texts = list(first.known)
    marks = [slot for slot in first.ids if slot not in slots and slot[1] not in texts]
    names = [slot[1] for slot in slots] + [f"v{n}" for n in range(len(texts))]
    names += [f"id{n}" for n in range(len(marks))]
    rows = []
    for frame in frames:
        cells = [frame.columns[slot] for slot in slots] + [frame.known[text] for text in texts]
        cells += [_mark(frame.ids[slot]) for slot in marks]
        rows.append(Row(frame.literals, tuple(cells)))
    rel = finish(Produced(names, rows, distinct=True), f"{builder.view}_{what}", builder)
    variables = [builder.var(col.name, col.type, col.nullable) for col in rel.cols]
    read = [
        Cell(variable, col.type, "maybe" if col.nullable else "no")
        for variable, col in zip(variables, rel.cols, strict=True)
    ]
    columns = dict(first.columns) | dict(zip(slots, read, strict=False))
    known = dict(zip(texts, read[len(slots) :], strict=False))
    marked = dict(zip(marks, read[len(slots) + len(texts) :], strict=False))
    ids = {
        slot: (columns[slot] if slot in slots else marked.get(slot) or known[slot[1]]).expr
        for slot in first.ids
    }
    literals = (ir.Atom(rel.name, tuple(variables)),)
    return replace(first, literals=literals, columns=columns, ids=ids, known=known)


def _mark(expr: ir.Expr) -> Cell:
    """A part of an identity as a cell: nothing is computed with it."""
    return Cell(expr, "null", "yes" if expr == NULL else "maybe")

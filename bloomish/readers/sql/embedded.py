"""`sql("CREATE VIEW ...")` in the body of a Program: views over its collections."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlglot import exp

from bloomish import ir
from bloomish.functions import Function
from bloomish.readers.refusal import refusal
from bloomish.readers.sql.builder import Builder
from bloomish.readers.sql.model import Col, Rel
from bloomish.readers.sql.reader import DIALECTS, needed, used, view
from bloomish.readers.sql.script import plain_name, read_script
from bloomish.readers.sql.strictness import nothing_passed_over
from bloomish.readers.sql.types import from_ir


@dataclass(frozen=True)
class Views:
    """What a text adds to a program; `names` are its views."""

    names: tuple[str, ...]
    collections: tuple[ir.Collection, ...]
    rules: tuple[ir.Rule, ...]
    facts: tuple[ir.Facts, ...]
    functions: tuple[Function, ...]


def views_of(
    text: str,
    known: Mapping[str, ir.Collection],
    taken: Iterable[str],
    outputs: frozenset[str],
    dialect: str,
    span: ir.Span,
) -> Views:
    """Compile the views of a text over known collections."""
    script = read_script(text, span.file, dialect, span.line)
    if script.dialect not in DIALECTS:
        raise refusal(span, f"no rules for the dialect {script.dialect}")
    builder = Builder(script.places, taken=set(taken))
    for name, collection in known.items():
        builder.relations[name.lower()] = _relation(collection)
    names = []
    for statement in script.statements:
        builder.span = statement.span
        tree = statement.tree
        if not isinstance(tree, exp.Create) or tree.kind != "VIEW":
            mend = "declare tables in Python; write CREATE VIEW name AS SELECT ..."
            raise refusal(statement.span, "only views can be made inside a program", mend)
        nothing_passed_over(tree, builder)
        name = plain_name(tree.this)
        view(tree, builder, "output" if name in outputs else "scratch")
        names.append(builder.relations[name].name)
    for name in outputs - set(names):
        raise refusal(span, f"outputs: there is no view {name} in this text")
    return Views(
        tuple(names),
        tuple(used(builder, frozenset(names))),
        tuple(needed(builder, frozenset(names))),
        tuple(builder.facts),
        tuple(builder.functions.values()),
    )


def _relation(collection: ir.Collection) -> Rel:
    """A Program's collection: a set of rows, never NULL."""
    cols, opaque = [], []
    keyed = any(column.key for column in collection.columns)
    for position, column in enumerate(collection.columns):
        type_ = from_ir(column.type)
        if type_ is not None:
            cols.append(Col(column.name.lower(), type_, False, position))
        elif column.key or not keyed:
            opaque.append(position)
    key = tuple(c.name.lower() for c in collection.columns if c.key)
    others = len(collection.columns) - len(cols)
    names = {col.name for col in cols}
    return Rel(
        collection.name,
        tuple(cols),
        False,
        tuple(k for k in key if k in names),
        tuple(opaque),
        others,
    )

"""A SQL text into one program: tables, views, and what is inserted into tables."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot import exp

from bloomish import ir
from bloomish.externals import Externals
from bloomish.readers.refusal import refusal
from bloomish.readers.sql.builder import Builder
from bloomish.readers.sql.queries import produce, relation_of
from bloomish.readers.sql.script import (
    Script,
    Statement,
    identifier,
    is_table,
    plain_name,
    read_script,
)
from bloomish.readers.sql.strictness import nothing_passed_over
from bloomish.readers.sql.tables import constraints, insert, table

if TYPE_CHECKING:
    from bloomish.elaborate import Compiled

DIALECTS = ("duckdb", "postgres", "sqlite")
"""The dialects whose meaning of what is supported is ours; verdicts take all."""
_IGNORED = (exp.Set, exp.Pragma, exp.Use, exp.Transaction, exp.Commit, exp.Comment, exp.Semicolon)


def read_sql(text: str, filename: str = "", dialect: str = "") -> Compiled:
    """The program of a text; raises `ProgramError` at the first clause that cannot
    become rules."""
    return read_sql_warning(text, filename, dialect)[0]


def read_sql_warning(
    text: str, filename: str = "", dialect: str = ""
) -> tuple[Compiled, tuple[str, ...]]:
    """The program of a text, and what it declares that the rules do not enforce."""
    from bloomish.elaborate import Compiled  # the language is above its readers

    script = read_script(text, filename, dialect)
    if script.dialect not in DIALECTS:
        raise refusal(
            ir.Span(filename, 1, 1),
            f"no rules for the dialect {script.dialect}: its types and NULLs are its own",
            f"`bloomish check` gives verdicts; {', '.join(DIALECTS)} become rules",
        )
    builder = Builder(script.places)
    for declared in script.tables.values():
        table(declared, builder)
    warnings = constraints(script, builder)
    for number, statement in enumerate(script.statements, 1):
        builder.span = statement.span
        _statement(statement, number, script, builder)
    program = ir.Program(
        name=_name(filename),
        collections=tuple(used(builder)),
        rules=tuple(needed(builder)),
        facts=tuple(builder.facts),
        functions=tuple(f._decl for f in builder.functions.values()),
        notation="sql",
        span=ir.Span(filename, 1, 1),
    )
    return Compiled(
        program, Externals({name: f.__wrapped__ for name, f in builder.functions.items()})
    ), warnings


def _statement(statement: Statement, number: int, script: Script, builder: Builder) -> None:
    tree = statement.tree
    if isinstance(tree, _IGNORED):
        return
    nothing_passed_over(tree, builder)
    if is_table(tree):
        return
    match tree:
        case exp.Create(kind="VIEW"):
            view(tree, builder, "output")
        case exp.Create(kind="INDEX" | "SCHEMA"):
            return
        case exp.Insert():
            name = plain_name(tree.this)
            rel = builder.relations.get(name)
            if rel is None or name not in script.tables:
                raise builder.no(tree.this, f"there is no table {name}")
            builder.view = f"insert_{rel.name}"
            insert(tree, rel, number, builder)
        case exp.Query() | exp.Subquery():
            builder.view = f"query_{number}"
            relation_of(tree, builder.view, builder, "output")
        case _:
            words = " ".join(statement.span.text.split()[:2]).upper()
            mend = "CREATE TABLE, CREATE VIEW, INSERT and SELECT become rules"
            raise refusal(statement.span, f"no rules for this: {words}", mend)


def view(tree: exp.Create, builder: Builder, kind: ir.Kind) -> None:
    """CREATE VIEW as a collection of its name."""
    name = plain_name(tree.this)
    if name in builder.relations and not tree.args.get("replace"):
        raise builder.no(tree.this, f"{name} is there already", "take another name")
    builder.view = name.replace(".", "_")
    found = produce(tree.expression, builder)
    if isinstance(tree.this, exp.Schema):
        names = [
            identifier(c.this if isinstance(c, exp.ColumnDef) else c) for c in tree.this.expressions
        ]
        found = replace(found, names=[*names, *found.names[len(names) :]], key=())
    from bloomish.readers.sql.frames import finish

    builder.relations[name] = finish(found, name, builder, kind)


def needed(builder: Builder, views: frozenset[str] = frozenset()) -> list[ir.Rule]:
    """The rules without helpers that came to nothing: a subquery may be looked at twice."""
    rules = list(builder.rules)
    helpers = {c.name for c in builder.collections if c.kind == "scratch"} - views
    while True:
        read = {
            literal.collection
            for rule in rules
            for literal in rule.body
            if isinstance(literal, ir.Atom)
        }
        kept = [rule for rule in rules if rule.head not in helpers or rule.head in read]
        if len(kept) == len(rules):
            return kept
        rules = kept


def used(builder: Builder, views: frozenset[str] = frozenset()) -> list[ir.Collection]:
    rules = needed(builder, views)
    named = {rule.head for rule in rules}
    named |= {x.collection for rule in rules for x in rule.body if isinstance(x, ir.Atom)}
    return [c for c in builder.collections if c.kind != "scratch" or c.name in named]


def _name(filename: str) -> str:
    stem = filename.replace("\\", "/").rsplit("/", 1)[-1].split(".")[0]
    name = "".join(part.capitalize() for part in stem.replace("-", "_").split("_"))
    return name if name.isidentifier() else "Views"

"""A SQL text as statements, tables and their declarations.

`-- bloomish: const` and `-- bloomish: changing`, on the line before a CREATE
TABLE or within it, say how the table behaves; without one it is an append-only
stream.  `-- bloomish: dialect=postgres`, anywhere, names the dialect.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal as OneOf

from sqlglot import Dialect, exp
from sqlglot.dialects.dialect import Dialects
from sqlglot.errors import ParseError, TokenError
from sqlglot.tokenizer_core import Token

from bloomish.errors import BloomishError
from bloomish.ir import Span
from bloomish.readers.refusal import refusal
from bloomish.readers.sql.places import Places

DEFAULT_DIALECT = "duckdb"
Declared = OneOf["stream", "const", "changing"]
_REMARK = re.compile(
    r"--\s*bloomish:\s*(?P<said>[^\n]*?)\s*$|/\*\s*bloomish:\s*(?P<inner>.*?)\s*\*/", re.M
)


@dataclass(frozen=True)
class SqlColumn:
    """A declared column: its type as written, and whether it may be NULL."""

    name: str
    type: exp.DataType | None
    nullable: bool
    span: Span


@dataclass(frozen=True)
class Table:
    """A declared table."""

    name: str
    columns: tuple[SqlColumn, ...]
    key: tuple[str, ...]
    declared: Declared
    span: Span


@dataclass(frozen=True)
class Statement:
    """One statement: sqlglot's tree, and its place."""

    tree: exp.Expr
    span: Span


@dataclass
class Script:
    """A whole text."""

    places: Places
    dialect: str
    statements: list[Statement] = field(default_factory=list)
    tables: dict[str, Table] = field(default_factory=dict)


def read_script(text: str, filename: str = "", dialect: str = "", first_line: int = 1) -> Script:
    """Read a text; raises `ProgramError` where sqlglot cannot."""
    remarks = list(_remarks(text))
    for _line, said in remarks:
        if said.startswith("dialect=") and not dialect:
            dialect = said.removeprefix("dialect=").strip()
    name = dialect or DEFAULT_DIALECT
    if name not in {d.value for d in Dialects} - {""}:
        known = ", ".join(sorted(d.value for d in Dialects if d.value))
        raise BloomishError(f"no SQL dialect {name!r}; sqlglot reads {known}")
    engine = Dialect.get_or_raise(name)
    try:
        tokens = tuple(engine.tokenize(text))
    except TokenError as error:
        raise refusal(
            Span(filename, first_line, 1), f"this is not SQL ({name}): {error}"
        ) from error
    script = Script(Places(text, tokens, filename, first_line), name)
    declared = {line: said for line, said in remarks if not said.startswith("dialect=")}
    for line, said in declared.items():
        if said not in ("const", "changing", "stream"):
            span = Span(filename, line + first_line - 1, 1, text.splitlines()[line - 1].strip())
            mend = "write `-- bloomish: const` or `-- bloomish: changing`"
            raise refusal(span, f"`bloomish: {said}` says nothing about a table", mend)
    used: set[int] = set()
    for chunk in _chunks(tokens):
        tree = _parse(engine, script.places, chunk)
        statement = Statement(tree, script.places.at(chunk[0].start, chunk[-1].end + 1))
        script.statements.append(statement)
        if is_table(tree):
            lines = _lines(text, chunk)
            said = next((declared[n] for n in lines if n in declared), "stream")
            used |= {n for n in lines if n in declared}
            table = _table(script, statement, said)
            script.tables[table.name] = table
    for line in declared:
        if line not in used:
            span = Span(filename, line + first_line - 1, 1, text.splitlines()[line - 1].strip())
            mend = "put it on the line before the CREATE TABLE, or inside it"
            raise refusal(span, "this declaration belongs to no CREATE TABLE", mend)
    return script


def is_table(tree: exp.Expr) -> bool:
    """Whether a statement declares a table with its columns (not CREATE TABLE ... AS)."""
    return (
        isinstance(tree, exp.Create) and tree.kind == "TABLE" and isinstance(tree.this, exp.Schema)
    )


def plain_name(node: exp.Expr | None) -> str:
    """A table's name as identifiers compare: lower case unless quoted; schema kept."""
    if isinstance(node, exp.Schema):
        node = node.this
    if not isinstance(node, exp.Table):
        return ""
    parts = [part for part in node.parts if isinstance(part, exp.Identifier)]
    return ".".join(identifier(part) for part in parts)


def identifier(node: exp.Expr | None) -> str:
    """An identifier's name: SQL folds the case of unquoted ones."""
    if isinstance(node, exp.Identifier):
        return str(node.this) if node.quoted else str(node.this).lower()
    return node.name.lower() if node is not None else ""


def _remarks(text: str) -> Iterator[tuple[int, str]]:
    for match in _REMARK.finditer(text):
        said = match["said"] if match["said"] is not None else match["inner"]
        yield text.count("\n", 0, match.start()) + 1, said.strip().rstrip(";").strip().lower()


def _lines(text: str, chunk: tuple[Token, ...]) -> list[int]:
    first = text.count("\n", 0, chunk[0].start) + 1
    last = text.count("\n", 0, chunk[-1].end) + 1
    above = first - 1
    lines = text.splitlines()
    while above > 1 and not lines[above - 1].strip():
        above -= 1
    return [*range(first, last + 1), above]


def _chunks(tokens: tuple[Token, ...]) -> Iterator[tuple[Token, ...]]:
    chunk: list[Token] = []
    for token in tokens:
        if token.text == ";" and token.token_type.name == "SEMICOLON":
            if chunk:
                yield tuple(chunk)
            chunk = []
        else:
            chunk.append(token)
    if chunk:
        yield tuple(chunk)


def _parse(engine: Dialect, places: Places, chunk: tuple[Token, ...]) -> exp.Expr:
    logger = logging.getLogger("sqlglot")
    level = logger.level
    logger.setLevel(logging.ERROR)  # a statement kept as text is reported by what reads it
    try:
        trees = engine.parser().parse(list(chunk), places.text)
    except ParseError as error:
        found = error.errors[0] if error.errors else {}
        line, column = int(found.get("line") or 0), int(found.get("col") or 0)
        lines = places.text.splitlines()
        text = lines[line - 1].strip() if 0 < line <= len(lines) else ""
        what = str(found.get("description") or error).split(" but got <Token")[0].rstrip(".")
        raise refusal(
            Span(places.filename, line + places.first_line - 1, column, text),
            f"this is not SQL: {what}",
        ) from error
    finally:
        logger.setLevel(level)
    tree = trees[0] if trees else None
    if tree is None:
        raise refusal(places.at(chunk[0].start, chunk[-1].end + 1), "an empty statement")
    return tree


def _table(script: Script, statement: Statement, said: str) -> Table:
    schema = statement.tree.this
    columns, key = [], []
    for item in schema.expressions:
        if isinstance(item, exp.ColumnDef):
            kinds = [c.kind for c in item.args.get("constraints") or ()]
            name = identifier(item.this)
            primary = any(isinstance(kind, exp.PrimaryKeyColumnConstraint) for kind in kinds)
            not_null = any(
                isinstance(kind, exp.NotNullColumnConstraint) and not kind.args.get("allow_null")
                for kind in kinds
            )
            if primary:
                key.append(name)
            span = script.places.of(item)
            columns.append(SqlColumn(name, item.args.get("kind"), not (primary or not_null), span))
        else:
            key.extend(_key_columns(item))
    columns = [SqlColumn(c.name, c.type, c.nullable and c.name not in key, c.span) for c in columns]
    declared: Declared = (
        "const" if said == "const" else "changing" if said == "changing" else "stream"
    )
    return Table(plain_name(schema), tuple(columns), tuple(key), declared, statement.span)


def _key_columns(item: exp.Expr) -> list[str]:
    found = item.find(exp.PrimaryKey)
    if found is None:
        return []
    return [identifier(part.find(exp.Identifier)) for part in found.expressions]

"""A script's statements, run over until the relations that they make stand still.

INSERT ... SELECT is a standing rule here, as in streaming SQL: what it feeds may
be read by the views that feed it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal as OneOf

from sqlglot import exp

from bloomish.analysis.sql.changes import (
    CONST,
    FIXED,
    Gap,
    Reason,
    Relation,
    Rows,
    both,
    settled,
    shown,
)
from bloomish.analysis.sql.queries import query
from bloomish.analysis.sql.scope import Catalog, Scope
from bloomish.ir import Span
from bloomish.readers.refusal import refusal
from bloomish.readers.sql.script import Script, Statement, Table, identifier, is_table, plain_name

_HARMLESS = (
    exp.Set, exp.Pragma, exp.Use, exp.Transaction, exp.Commit, exp.Rollback, exp.Comment,
    exp.Analyze, exp.Copy, exp.Describe, exp.Grant, exp.Semicolon,
)  # fmt: skip
_HARMLESS_KINDS = {"INDEX", "SCHEMA", "DATABASE", "SEQUENCE", "TYPE", "ROLE", "EXTENSION"}
_PASSES = 20
_LATCH_MENDS = (
    "make it a view: a view may take rows back",
    "feed it from a query that only gains rows",
    "seal the query's input, then insert",
)


@dataclass(frozen=True)
class Found:
    """One thing that gets a verdict."""

    name: str
    what: OneOf["view", "insert", "table", "query"]
    relation: Relation
    span: Span


class Statements:
    """The analysis of one script."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.catalog = Catalog(script.places)
        self.found: list[Found] = []
        self.gaps: list[Gap] = []
        self._fed: dict[str, list[Rows]] = {}
        self._poisoned: dict[str, tuple[Gap, ...]] = {}
        self._feeders = self._count_feeders()

    def run(self) -> None:
        """To the fixpoint."""
        for _ in range(_PASSES):
            before = dict(self.catalog.relations)
            self.found, self.gaps, self.catalog.undeclared = [], [], {}
            fed, self._fed = self._fed, {}
            for name, table in self.script.tables.items():
                self.catalog.relations[name] = self._table(table, fed.get(name, []))
            for statement in self.script.statements:
                self._statement(statement)
            if before == self.catalog.relations:
                break
        self.gaps = list(dict.fromkeys(self.gaps))

    def _count_feeders(self) -> dict[str, int]:
        feeders: dict[str, int] = {}
        for statement in self.script.statements:
            tree = statement.tree
            if isinstance(tree, exp.Insert) and not isinstance(tree.expression, exp.Values):
                name = plain_name(tree.this)
                feeders[name] = feeders.get(name, 0) + 1
        return feeders

    def _table(self, table: Table, fed: list[Rows]) -> Relation:
        rows = Rows("grow")
        if table.declared == "const":
            rows = CONST
        elif table.declared == "changing":
            what = f"{table.name} is declared `changing`: its rows come and go"
            mends = ("nothing to do while it is only read",)
            rows = Rows("flux", (Reason("changing table", what, table.span, mends=mends),))
        columns = tuple((column.name, FIXED) for column in table.columns)
        keys = (table.key,) if table.key else ()
        gaps = self._poisoned.get(table.name, ())
        return Relation(both(rows, *fed), columns, gaps, keys)

    # ------------------------------------------------------------- statements

    def _statement(self, statement: Statement) -> None:
        tree = statement.tree
        if is_table(tree) or isinstance(tree, _HARMLESS):
            return
        match tree:
            case exp.Create(kind="VIEW"):
                self._view(tree, statement)
            case exp.Create(kind="TABLE") if isinstance(tree.expression, exp.Query | exp.Subquery):
                self._table_as(tree, statement)
            case exp.Create() if tree.kind in _HARMLESS_KINDS:
                return
            case exp.Insert():
                self._insert(tree, statement)
            case exp.Drop():
                self._drop(tree, statement)
            case exp.Query() | exp.Subquery():
                name = f"query at line {statement.span.line}"
                self.found.append(Found(name, "query", self._query(tree), statement.span))
            case exp.Update() | exp.Delete() | exp.Merge() | exp.TruncateTable() | exp.Alter():
                self._change(tree, statement)
            case _:
                words = statement.span.text.split()[:2]
                self.gaps.append(Gap(f"{' '.join(words).upper()} is not known", statement.span))

    def _query(self, tree: exp.Expr) -> Relation:
        scope = Scope(self.catalog)
        found = query(tree, scope)
        return replace(found, gaps=tuple(scope.gaps), sources=tuple(dict.fromkeys(scope.sources)))

    def _view(self, tree: exp.Create, statement: Statement) -> None:
        name = plain_name(tree.this)
        relation = self._query(tree.expression)
        if isinstance(tree.this, exp.Schema) and relation.columns is not None:
            names = [
                identifier(c.this if isinstance(c, exp.ColumnDef) else c)
                for c in tree.this.expressions
            ]
            columns = [(new, v) for new, (_, v) in zip(names, relation.columns, strict=False)]
            relation = replace(relation, columns=tuple(columns), keys=())
        self.catalog.relations[name] = relation
        self.found.append(Found(name, "view", relation, statement.span))

    def _table_as(self, tree: exp.Create, statement: Statement) -> None:
        name = plain_name(tree.this)
        relation = settled(self._query(tree.expression))
        if relation.rows.way not in ("const", "nondet"):
            what = f"CREATE TABLE {name} AS keeps what is there at the moment when it is run"
            reason = Reason("latch", what, statement.span, mends=("make it a view",))
            relation = replace(relation, rows=Rows("nondet", (reason, *relation.rows.reasons)))
        self.catalog.relations[name] = relation
        self.found.append(Found(name, "table", relation, statement.span))

    def _drop(self, tree: exp.Drop, statement: Statement) -> None:
        names = [plain_name(table) for table in tree.args.get("tables") or [tree.this]]
        made = {found.name for found in self.found}
        for name in names:
            if name in made or name in self.script.tables:
                what = f"DROP of {name}, which this text makes"
                self.gaps.append(Gap(what, statement.span))

    def _change(self, tree: exp.Expr, statement: Statement) -> None:
        """UPDATE, DELETE, MERGE, ALTER: what they leave depends on when they run."""
        target = tree.this if not isinstance(tree, exp.TruncateTable) else tree.expressions[0]
        name = plain_name(target)
        verb = statement.span.text.split()[0].upper()
        gap = Gap(f"{verb} of {name}: what it changes depends on when it is run", statement.span)
        self.gaps.append(gap)
        self._poisoned[name] = (gap,)

    # ---------------------------------------------------------- INSERT ... SELECT

    def _insert(self, tree: exp.Insert, statement: Statement) -> None:
        name = plain_name(tree.this)
        if isinstance(tree.expression, exp.Values) and not tree.args.get("conflict"):
            return
        if tree.expression is None or tree.args.get("default"):
            return
        relation = settled(self._query(tree.expression))
        rows = self._kept(name, relation, tree, statement)
        table = self.script.tables.get(name)
        if table is not None and table.declared == "const" and rows.way != "const":
            raise refusal(
                statement.span,
                f"{name} is declared `bloomish: const` and fed by a query that changes",
                "leave the declaration out, or feed it from tables that are const",
            )
        self._fed.setdefault(name, []).append(rows)
        if name not in self.script.tables and name not in self.catalog.relations:
            self.catalog.undeclared.setdefault(name, self.script.places.of(tree.this))
        shown_as = replace(relation, rows=rows)
        self.found.append(Found(name, "insert", shown_as, statement.span))

    def _kept(self, name: str, relation: Relation, tree: exp.Insert, statement: Statement) -> Rows:
        """The rows that the table keeps: T5 for what is taken back, T8 and T11 for keys."""
        rows = shown(relation)
        if rows.way in ("shrink", "flux"):
            what = f"INSERT INTO {name} keeps rows that its query takes back"
            latch = Reason("latch", what, statement.span, mends=_LATCH_MENDS)
            return Rows("nondet", (latch, *rows.reasons))
        if rows.way != "grow":
            return rows
        race = self._race(name, relation, tree, statement)
        return both(rows, Rows("nondet", (race,))) if race else rows

    def _race(
        self, name: str, relation: Relation, tree: exp.Insert, statement: Statement
    ) -> Reason | None:
        table = self.script.tables.get(name)
        key = table.key if table is not None else ()
        conflict = tree.args.get("conflict")
        replacing = (tree.args.get("alternative") or "").lower() == "replace" or (
            conflict is not None and "UPDATE" in conflict.sql().upper()
        )
        if not key and conflict is None and not replacing:
            return None
        if table is not None and key and self._determined(table, relation, tree):
            return None
        gate = key
        if replacing:
            what = f"rows that arrive later replace the row of {name} with their key"
            merged = (
                "keep all rows and take the greatest by a version column",
                "consensus per key",
            )
            return Reason("overwrite", what, statement.span, gate, merged)
        what = f"two rows with one key race into {name}: the first that comes stays"
        mends = (
            "insert from a source in which the key determines the row",
            "keep all rows and choose when reading",
            "consensus per key",
        )
        return Reason("key-race", what, statement.span, gate, mends)

    def _determined(self, table: Table, relation: Relation, tree: exp.Insert) -> bool:
        """Whether the key determines the inserted row at its source (R4)."""
        if self._feeders.get(table.name, 0) > 1 or relation.columns is None:
            return False
        targets = [column.name for column in table.columns]
        if isinstance(tree.this, exp.Schema):
            targets = [identifier(c) for c in tree.this.expressions]
        names = [name for name, _ in relation.columns]
        if len(names) != len(targets):
            return False
        from_key = {
            source for source, target in zip(names, targets, strict=True) if target in table.key
        }
        if set(targets) <= set(table.key):
            return True
        return any(set(found) <= from_key for found in relation.keys)

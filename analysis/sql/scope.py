"""Names in a query: what is read under which alias, and who stands outside."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from sqlglot import exp

from bloomish.analysis.sql.changes import FIXED, Gap, Relation, Rows, Value
from bloomish.ir import Span
from bloomish.readers.sql.places import Places
from bloomish.readers.sql.script import identifier


@dataclass
class Catalog:
    """The named relations of a script, and the place of its words."""

    places: Places
    relations: dict[str, Relation] = field(default_factory=dict)
    undeclared: dict[str, Span] = field(default_factory=dict)


@dataclass
class Scope:
    """The relations that one SELECT reads.  `gaps` and `sources` collect as we go."""

    catalog: Catalog
    ctes: dict[str, Relation] = field(default_factory=dict)
    outer: Scope | None = None
    read: dict[str, Relation] = field(default_factory=dict)
    aliases: dict[str, Value] = field(default_factory=dict)
    windows: dict[str, exp.Expr] = field(default_factory=dict)
    grouped: Rows | None = None  # the rows that this SELECT's aggregates range over
    gaps: list[Gap] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)

    def inner(self) -> Scope:
        """The scope of a subquery, which shares our collections."""
        return Scope(self.catalog, dict(self.ctes), self, gaps=self.gaps, sources=self.sources)

    def gap(self, node: exp.Expr, what: str, *keywords: str) -> None:
        """Note a clause that cannot be analysed."""
        gap = Gap(what, self.catalog.places.of(node, *keywords))
        if gap not in self.gaps:
            self.gaps.append(gap)

    def relation(self, table: exp.Table, name: str) -> Relation:
        """A relation by its name; an undeclared table is an append-only stream."""
        if name in self.ctes:
            return self.ctes[name]
        self.sources.append(name)
        known = self.catalog.relations.get(name)
        if known is None:
            self.catalog.undeclared.setdefault(name, self.catalog.places.of(table))
            return Relation(Rows("grow"), None)
        for gap in known.gaps:
            inherited = Gap(f"reads {name}: {gap.what}", self.catalog.places.of(table))
            if inherited not in self.gaps:
                self.gaps.append(inherited)
        return known

    def column(self, node: exp.Column) -> Value:
        """What a column does; looked up here, then outside."""
        name, table = (
            identifier(node.this),
            identifier(node.args.get("table")) if node.table else "",
        )
        for scope in self._outwards():
            found = scope._here(name, table)
            if found is not None:
                return found
        if not table and name in self.aliases:
            return self.aliases[name]
        known = any(s.read for s in self._outwards())
        self.gap(
            node,
            f"the column {node.sql()} is in no table that is read here"
            if known
            else f"the column {node.sql()} has no table",
        )
        return FIXED

    def _outwards(self) -> Iterator[Scope]:
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.outer

    def _here(self, name: str, table: str) -> Value | None:
        for alias, relation in self.read.items():
            if table and alias != table and not (alias.endswith("." + table)):
                continue
            found = relation.column(name)
            if found is not None:
                return found
        return None

"""Hosts that say when they have no more: rows of inputs declared by `assume("ends", ...)`.

Whoever knows all that a run's hosts will give (a file that is fed, rows made up
by the simulator) can say so at its end: a row per partition that occurs in what
was given anywhere, to every node that has such an input, after all its rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from bloomish import ir
from bloomish.order import order_key
from bloomish.runtime.evaluator import Row

FILLING: dict[str, object] = {"bool": True, "int": 0, "float": 0.0, "str": ""}
"""What stands in columns that are no part of the key."""


@dataclass(frozen=True, slots=True)
class Ending:
    """An input by which a node's host ends: `key` are the columns of the partition."""

    collection: ir.Collection
    key: tuple[ir.Column, ...]

    def row(self, part: Row) -> Row | None:
        """The row that ends a partition; None where a column cannot be filled in."""
        values = dict(zip((column.name for column in self.key), part, strict=True))
        found = []
        for column in self.collection.columns:
            if column.name not in values:
                name = column.type.name if isinstance(column.type, ir.Plain) else ""
                if name not in FILLING:
                    return None
                values[column.name] = FILLING[name]
            found.append(values[column.name])
        return tuple(found)

    @property
    def types(self) -> tuple[ir.Type, ...]:
        return tuple(column.type for column in self.key)


def endings(program: ir.Program) -> tuple[Ending, ...]:
    """The inputs by which hosts of a program end."""
    declared = {c.name: c for c in program.collections}
    found = []
    for assumption in program.assumptions:
        if assumption.kind == "ends":
            collection = declared[assumption.collection]
            columns = {column.name: column for column in collection.columns}
            key = tuple(columns[name] for name in assumption.key)
            found.append(Ending(collection, key))
    return tuple(found)


@dataclass
class Ends:
    """Notes what is given to nodes, and knows the rows with which to end."""

    programs: dict[str, ir.Program]
    """Node -> what it runs."""
    parts: dict[tuple[ir.Type, ...], dict[Any, Row]] = field(default_factory=dict)
    told: set[tuple[str, str]] = field(default_factory=set)
    """(node, collection) that a host ends by itself."""

    def __post_init__(self) -> None:
        self._endings = {node: endings(program) for node, program in self.programs.items()}
        self._columns = {
            (node, c.name): [column.name for column in c.columns]
            for node, program in self.programs.items()
            for c in program.collections
            if c.kind == "input"
        }

    def note(self, node: str, collection: str, rows: Iterable[Sequence[object]]) -> None:
        """These rows have been given to an input of a node."""
        columns = self._columns.get((node, collection))
        if columns is None:
            return
        for ending in self._endings[node]:
            if ending.collection.name == collection:
                self.told.add((node, collection))
            elif all(column.name in columns for column in ending.key):
                places = [columns.index(column.name) for column in ending.key]
                known = self.parts.setdefault(ending.types, {})
                for row in rows:
                    part = tuple(row[place] for place in places)
                    known.setdefault(order_key(part), part)

    def rows(self, nodes: Iterable[str]) -> list[tuple[str, str, tuple[Row, ...]]]:
        """What ends all of it at these nodes: node, collection, rows."""
        found = []
        for node in nodes:
            for ending in self._endings[node]:
                name = ending.collection.name
                if (node, name) in self.told:
                    continue
                known = self.parts.get(ending.types, {})
                parts = [known[key] for key in sorted(known)] if ending.key else [()]
                rows = tuple(row for row in map(ending.row, parts) if row is not None)
                if rows:
                    found.append((node, name, rows))
        return found

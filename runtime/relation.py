"""The reference's rows: a set, a keyed set, or a lattice map, by the collection's columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from bloomish import ir
from bloomish.runtime.evaluator import Row
from bloomish.values import Misfit, Values, order_key


class Conflict(Exception):
    """Two rows of equal key with different plain values."""

    def __init__(self, there: Row, new: Row) -> None:
        super().__init__(there, new)
        self.there = there
        self.new = new


class Schema:
    """A collection's columns as functions: what fits, what is the key, what merges.

    A collection with a lattice column is a lattice map over its key columns
    (without any: one cell); one without is a set of rows, whose key, where it
    has one, determines the rest.
    """

    def __init__(self, collection: ir.Collection, values: Values) -> None:
        self.collection = collection
        self.name = collection.name
        self.types = tuple(column.type for column in collection.columns)
        self._conform = tuple(values.conform(type_) for type_ in self.types)
        self.merged = tuple(
            (place, values.operations(type_).merge)
            for place, type_ in enumerate(self.types)
            if isinstance(type_, ir.Lattice)
        )
        key = tuple(place for place, column in enumerate(collection.columns) if column.key)
        self.key_places = key if key or self.merged else tuple(range(len(self.types)))
        self.plain_places = tuple(
            place
            for place, type_ in enumerate(self.types)
            if place not in self.key_places and not isinstance(type_, ir.Lattice)
        )
        # where Python would take different values for equal, the order key tells them apart
        self._tagged = any(has_any(type_) for type_ in self.types)

    def row(self, values: Iterable[object]) -> Row:
        """The row as the collection holds it; raises Misfit."""
        given = tuple(values)
        if len(given) != len(self._conform):
            raise Misfit(f"{self.name} has {len(self._conform)} columns, the row has {len(given)}")
        row = []
        for conform, value, column in zip(
            self._conform, given, self.collection.columns, strict=True
        ):
            try:
                row.append(conform(value))
            except Misfit as misfit:
                raise Misfit(f"{self.name}.{column.name}: {misfit}") from None
        return tuple(row)

    def key(self, row: Row) -> Any:
        """What makes two rows one."""
        key = tuple(row[place] for place in self.key_places)
        return order_key(key) if self._tagged else key

    def identity(self, row: Row) -> Any:
        """What makes two rows equal."""
        return order_key(row) if self._tagged else row

    def merge(self, there: Row, new: Row) -> Row:
        """One row of two with the same key; raises Conflict."""
        if any(order_key(there[place]) != order_key(new[place]) for place in self.plain_places):
            raise Conflict(there, new)
        if not self.merged:
            return there
        row = list(there)
        for place, merge in self.merged:
            row[place] = merge(there[place], new[place])
        return tuple(row)


class Relation:
    """Rows of one collection; grows by `insert`, indexed by any columns on demand."""

    __slots__ = ("_indexes", "_version", "rows", "schema")

    def __init__(self, schema: Schema, rows: Iterable[Row] = ()) -> None:
        self.schema = schema
        self.rows: dict[Any, Row] = {}
        self._version = 0
        self._indexes: dict[object, tuple[int, dict[Any, list[Row]]]] = {}
        for row in rows:
            self.insert(row)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows.values())

    def __len__(self) -> int:
        return len(self.rows)

    def copy(self) -> Relation:
        other = Relation(self.schema)
        other.rows = dict(self.rows)
        return other

    def ordered(self) -> list[Row]:
        """The rows in value order."""
        return sorted(self.rows.values(), key=order_key)

    def identities(self) -> dict[Any, Row]:
        return {self.schema.identity(row): row for row in self.rows.values()}

    def insert(self, row: Row) -> bool:
        """Add or merge; whether that changed anything.  Raises Conflict."""
        key = self.schema.key(row)
        there = self.rows.get(key)
        if there is not None:
            merged = self.schema.merge(there, row)
            if self.schema.identity(merged) == self.schema.identity(there):
                return False
            row = merged
        self.rows[key] = row
        self._version += 1
        return True

    def remove(self, row: Row) -> None:
        """Take out this row, if the whole of it is there."""
        key = self.schema.key(row)
        there = self.rows.get(key)
        if there is not None and self.schema.identity(there) == self.schema.identity(row):
            del self.rows[key]
            self._version += 1

    def remove_key(self, row: Row) -> None:
        """Take out whatever row has the key of this one."""
        if self.rows.pop(self.schema.key(row), None) is not None:
            self._version += 1

    def index(
        self, places: tuple[int, ...], keys: tuple[Callable[[Any], Any], ...]
    ) -> dict[Any, list[Row]]:
        """Rows by the values in `places`, each value through its key function."""
        version, found = self._indexes.get((places, keys), (-1, {}))
        if version != self._version:
            found = {}
            for row in self.rows.values():
                at = tuple(key(row[place]) for place, key in zip(places, keys, strict=True))
                found.setdefault(at, []).append(row)
            self._indexes[places, keys] = (self._version, found)
        return found


def difference(new: Relation, old: Relation) -> tuple[list[Row], list[Row]]:
    """Rows (removed, added) from `old` to `new`, in value order."""
    before, after = old.identities(), new.identities()
    removed = [row for identity, row in before.items() if identity not in after]
    added = [row for identity, row in after.items() if identity not in before]
    return sorted(removed, key=order_key), sorted(added, key=order_key)


def has_any(type_: ir.Type) -> bool:
    """Whether values of several kinds may meet in a column of this type."""
    if isinstance(type_, ir.Plain):
        return type_.name == "Any"
    if isinstance(type_, ir.TupleOf):
        return any(map(has_any, type_.items))
    if type_.name in ("LWWRegister", "ORSet"):
        return True
    return any(map(has_any, type_.args))

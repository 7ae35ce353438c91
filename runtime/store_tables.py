"""Collections as SQL tables: how a row is written, read back, and digested.

Ints, floats, str, bytes and bools are columns of their own SQL types, so that
people can open the file with the tools they have.  Tuples, `Any` and other
lattice values are JSON text: tuples as arrays, maps as arrays of pairs, sets as
{"set": array}, bytes as {"bytes": hex}.

SQLite does not check what its pages hold.  So every row has a digest, over its
table's name and its values as SQL sees them, and a table's digest is the sum of
its rows': it does not depend on their order, and a commit changes it by the rows
that it removes and adds.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from operator import itemgetter
from struct import unpack
from typing import Any

from bloomish import ir
from bloomish.order import order_key
from bloomish.runtime.evaluator import Row
from bloomish.values import Values

DIGEST_BYTES = 8
DIGESTS = 1 << (8 * DIGEST_BYTES)

Stored = tuple[Any, ...]
"""A row as SQL sees it."""


@dataclass(frozen=True)
class Column:
    """One column's SQL type, its values there and back, and what a digest takes them for."""

    sql_type: str
    write: Callable[[Any], Any]
    read: Callable[[Any], Any]
    digested: Callable[[Any], Any]
    """Of a value from SQL: what was written, before SQL made a number of a bool."""


@dataclass(frozen=True)
class StoredTable:
    """One durable collection in SQL."""

    name: str
    sql_name: str
    schema: str
    select: str
    insert: str
    replace: str
    """The row of a key by another one."""
    delete: str
    key: Callable[[Stored], Any] | None
    """None where only whole rows tell rows apart."""
    columns: tuple[Column, ...]
    plain: bool
    """Rows are written as they are."""
    salt: bytes
    """What its rows' digests begin with: a row in the wrong table is wrong."""

    def out(self, rows: Iterable[Sequence[Any]]) -> list[Stored]:
        """Rows as they are written."""
        if self.plain:
            return list(map(tuple, rows))
        write = [column.write for column in self.columns]
        return [tuple([one(value) for one, value in zip(write, row, strict=True)]) for row in rows]

    def back(self, rows: Iterable[Stored]) -> list[Row]:
        """Rows as they were."""
        read = [column.read for column in self.columns]
        return [tuple([one(value) for one, value in zip(read, row, strict=True)]) for row in rows]

    def digest(self, rows: Iterable[Stored]) -> int:
        """The sum of the digests of rows as they are written; the caller takes it modulo DIGESTS.

        `ascii`, for `repr` follows the Unicode tables of the Python that runs.
        """
        salt = self.salt
        each = [
            blake2b(salt + ascii(row).encode(), digest_size=DIGEST_BYTES).digest() for row in rows
        ]
        return sum(unpack(f"<{len(each)}Q", b"".join(each)))

    def digest_read(self, rows: Iterable[Stored]) -> int:
        """The same of rows as SQL gives them back."""
        if all(column.digested is _same for column in self.columns):
            return self.digest(rows)
        form = [column.digested for column in self.columns]
        return self.digest(
            tuple([one(value) for one, value in zip(form, row, strict=True)]) for row in rows
        )


def sql_names(names: Sequence[str]) -> dict[str, str]:
    """Their names in SQL, which takes no notice of case and keeps `sqlite_` to itself."""
    taken: set[str] = set()
    found: dict[str, str] = {}
    for name in names:
        sql = f"~{name}" if name.lower().startswith("sqlite_") else name
        while sql.lower() in taken:
            sql += "~"
        taken.add(sql.lower())
        found[name] = sql
    return found


def quoted(name: str) -> str:
    """A name as it stands in SQL text."""
    return '"' + name.replace('"', '""') + '"'


def stored_table(collection: ir.Collection, sql_name: str, values: Values) -> StoredTable:
    """The table of a durable collection."""
    columns = tuple(_column(one.type, values) for one in collection.columns)
    column_names = sql_names([one.name for one in collection.columns])
    names = [quoted(name) for name in column_names.values()]
    keys = [place for place, one in enumerate(collection.columns) if one.key]
    if not keys and not any(isinstance(one.type, ir.Lattice) for one in collection.columns):
        keys = list(range(len(names)))
    parts = [
        f"{name} {column.sql_type}".rstrip() for name, column in zip(names, columns, strict=True)
    ]
    if keys:
        parts.append(f"PRIMARY KEY ({', '.join(names[place] for place in keys)})")
    matches = " AND ".join(f"{name} IS ?" for name in names)
    table = quoted(sql_name)
    # Without a rowid a table is one tree and not two: fewer pages to write at every commit, and
    # no index that could disagree with the rows.
    tail = " WITHOUT ROWID" if keys else ""
    return StoredTable(
        collection.name,
        sql_name,
        f"CREATE TABLE {table} ({', '.join(parts)}){tail}",
        f"SELECT {', '.join(names)} FROM {table}",
        f"INSERT INTO {table} VALUES ({', '.join('?' * len(names))})",
        f"REPLACE INTO {table} VALUES ({', '.join('?' * len(names))})",
        f"DELETE FROM {table} WHERE {matches}",
        itemgetter(*keys) if keys else None,
        columns,
        all(column.write is _same for column in columns),
        ascii(collection.name).encode() + b"\0",
    )


def _column(type_: ir.Type, values: Values) -> Column:
    plain: ir.Type = type_
    if isinstance(type_, ir.Lattice) and type_.name in ("Max", "Min"):
        plain = type_.args[0]  # their bottom, None, is SQL's NULL
    if isinstance(plain, ir.Plain) and plain.name in _PLAIN:
        return _PLAIN[plain.name]
    conform = values.conform(type_)
    return Column("TEXT", _json, lambda text: conform(_from_json(json.loads(text))), _same)


def _same(value: Any) -> Any:
    return value


def _as_bool(value: int | None) -> bool | None:
    return None if value is None else bool(value)


def _zeros_alike(value: float | None) -> float | None:
    """SQLite keeps whole floats as ints, and so no -0.0, which equals 0.0 here anyway."""
    return None if value is None else value + 0.0


_TEXT = Column("TEXT", _same, _same, _same)
_PLAIN: dict[str, Column] = {
    "int": Column("INTEGER", _same, _same, _same),
    "float": Column("REAL", _zeros_alike, _same, _same),
    "str": _TEXT,
    "Address": _TEXT,
    "bytes": Column("BLOB", _same, _same, _same),
    "bool": Column("INTEGER", _same, _as_bool, _as_bool),
}


def _in_json(value: object) -> object:
    """What JSON has no notation for."""
    if isinstance(value, frozenset):
        return {"set": sorted(value, key=order_key)}
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    raise TypeError(f"{value!r} is no value")


_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=_in_json).encode
"""Tuples it writes as arrays by itself, in C."""


def _from_json(value: object) -> object:
    if isinstance(value, dict):
        if "set" in value:
            return frozenset(map(_from_json, value["set"]))
        return bytes.fromhex(value["bytes"])
    if isinstance(value, list):
        return tuple(map(_from_json, value))
    return value

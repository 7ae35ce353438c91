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
from typing import Any

from bloomish import ir
from bloomish.order import order_key
from bloomish.runtime.evaluator import Row
from bloomish.values import Values

DIGEST_BYTES = 16
DIGESTS = 1 << (8 * DIGEST_BYTES)

Stored = tuple[Any, ...]
"""A row as SQL sees it."""


@dataclass(frozen=True)
class Column:
    """One column's SQL type, and its values there and back."""

    sql_type: str
    write: Callable[[Any], Any]
    read: Callable[[Any], Any]


@dataclass(frozen=True)
class StoredTable:
    """One durable collection in SQL."""

    name: str
    sql_name: str
    schema: str
    select: str
    insert: str
    delete: str
    columns: tuple[Column, ...]
    salt: bytes
    """What its rows' digests begin with: a row in the wrong table is wrong."""

    def out(self, row: Sequence[object]) -> Stored:
        """A row as it is written."""
        return tuple([column.write(value) for column, value in zip(self.columns, row, strict=True)])

    def back(self, row: Stored) -> Row:
        """A row as it was."""
        return tuple([column.read(value) for column, value in zip(self.columns, row, strict=True)])

    def digest(self, rows: Iterable[Stored]) -> int:
        """The sum of the rows' digests; the caller takes it modulo DIGESTS.

        `ascii`, for `repr` follows the Unicode tables of the Python that runs.
        """
        total = 0
        salt = self.salt
        for row in rows:
            text = salt + ascii(row).encode()
            total += int.from_bytes(blake2b(text, digest_size=DIGEST_BYTES).digest(), "little")
        return total


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
    keys = [quoted(column_names[one.name]) for one in collection.columns if one.key]
    if not keys and not any(isinstance(one.type, ir.Lattice) for one in collection.columns):
        keys = names
    parts = [
        f"{name} {column.sql_type}".rstrip() for name, column in zip(names, columns, strict=True)
    ]
    if keys:
        parts.append(f"PRIMARY KEY ({', '.join(keys)})")
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
        f"DELETE FROM {table} WHERE {matches}",
        columns,
        ascii(collection.name).encode() + b"\0",
    )


def _column(type_: ir.Type, values: Values) -> Column:
    plain: ir.Type = type_
    if isinstance(type_, ir.Lattice) and type_.name in ("Max", "Min"):
        plain = type_.args[0]  # their bottom, None, is SQL's NULL
    if isinstance(plain, ir.Plain) and plain.name in _PLAIN:
        return _PLAIN[plain.name]
    conform = values.conform(type_)
    return Column(
        "TEXT",
        lambda value: json.dumps(_to_json(value), ensure_ascii=False, separators=(",", ":")),
        lambda text: conform(_from_json(json.loads(text))),
    )


def _same(value: Any) -> Any:
    return value


def _as_bool(value: int | None) -> bool | None:
    return None if value is None else bool(value)


def _as_int(value: bool | None) -> int | None:
    return None if value is None else int(value)


def _zeros_alike(value: float | None) -> float | None:
    """SQLite keeps whole floats as ints, and so no -0.0, which equals 0.0 here anyway."""
    return None if value is None else value + 0.0


_TEXT = Column("TEXT", _same, _same)
_PLAIN: dict[str, Column] = {
    "int": Column("INTEGER", _same, _same),
    "float": Column("REAL", _zeros_alike, _same),
    "str": _TEXT,
    "Address": _TEXT,
    "bytes": Column("BLOB", _same, _same),
    "bool": Column("INTEGER", _as_int, _as_bool),
}


def _to_json(value: object) -> object:
    if isinstance(value, tuple):
        return [_to_json(item) for item in value]
    if isinstance(value, frozenset):
        return {"set": [_to_json(item) for item in sorted(value, key=order_key)]}
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    return value


def _from_json(value: object) -> object:
    if isinstance(value, dict):
        if "set" in value:
            return frozenset(map(_from_json, value["set"]))
        return bytes.fromhex(value["bytes"])
    if isinstance(value, list):
        return tuple(map(_from_json, value))
    return value

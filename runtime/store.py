"""Durable tables in SQLite: one file per node, one SQL table per collection.

A tick is one transaction, committed before the tick's sends, outputs and the
answers to its inserts leave (group commit: the tick is the group).  WAL with
synchronous=FULL: what was committed survives the loss of power; a file that is
torn or is not ours is named, never read as if it were whole.

Ints, floats, str, bytes and bools are columns of their own SQL types, so that
people can open the file with the tools they have.  Tuples, `Any` and other
lattice values are JSON text: tuples as arrays, maps as arrays of pairs, sets as
{"set": array}, bytes as {"bytes": hex}.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bloomish import ir
from bloomish.order import order_key
from bloomish.runtime.evaluator import Row, Tick
from bloomish.values import Values

FORMAT = "1"
META = '"-bloomish"'
"""What the store knows about itself; no collection can have this name."""


class StoreFault(Exception):
    """The store cannot be opened, read or written; the text says what to do."""


@dataclass(frozen=True)
class _Column:
    sql_type: str
    write: Callable[[Any], Any]
    read: Callable[[Any], Any]


@dataclass(frozen=True)
class _Table:
    name: str
    create: str
    select: str
    insert: str
    delete: str
    columns: tuple[_Column, ...]

    def out(self, row: Sequence[object]) -> list[object]:
        return [column.write(value) for column, value in zip(self.columns, row, strict=True)]

    def back(self, row: Sequence[object]) -> Row:
        return tuple(column.read(value) for column, value in zip(self.columns, row, strict=True))


class Store:
    """The durable tables of one node."""

    def __init__(self, path: str | Path, address: str, program: ir.Program, values: Values) -> None:
        self.path = Path(path)
        durable = [one for one in program.collections if one.kind == "table" and one.durable]
        names = _sql_names([one.name for one in durable])
        self._durable = {one.name: _table(one, names[one.name], values) for one in durable}
        self._wants = {
            "format": FORMAT,
            "node": address,
            "schema": json.dumps(
                {name: table.create for name, table in sorted(self._durable.items())}
            ),
        }
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(self.path, timeout=1.0, isolation_level=None)
        except (sqlite3.Error, OSError) as fault:
            raise self._fault(fault) from fault
        try:
            self._open()
        except sqlite3.Error as fault:
            self._db.close()
            raise self._fault(fault) from fault
        except StoreFault:
            self._db.close()
            raise
        self._committed = self._recall("tick") is not None

    def _fault(self, fault: Exception) -> StoreFault:
        text = str(fault)
        if isinstance(fault, sqlite3.DatabaseError) and not isinstance(
            fault, sqlite3.OperationalError
        ):
            text += (
                "; the file is torn or is no store of ours: put a copy of it back, "
                "or move it away and the node starts empty"
            )
        return StoreFault(f"{self.path}: {text}")

    def _open(self) -> None:
        run = self._db.execute
        run("PRAGMA journal_mode = WAL")
        run("PRAGMA synchronous = FULL")
        # One process owns the file; a second node on it must fail, not mix in.
        run("PRAGMA locking_mode = EXCLUSIVE")
        health = [text for (text,) in run("PRAGMA quick_check(3)")]
        if health != ["ok"]:
            raise sqlite3.DatabaseError("; ".join(health))
        run("BEGIN IMMEDIATE")
        run(f"CREATE TABLE IF NOT EXISTS {META} (name TEXT PRIMARY KEY, value TEXT NOT NULL)")
        for name, wanted in self._wants.items():
            found = self._recall(name)
            if found is None:
                run(f"INSERT INTO {META} VALUES (?, ?)", (name, wanted))
            elif found != wanted:
                raise StoreFault(
                    f"{self.path}: its {name} is {found}, this node's is {wanted}; move the file "
                    "away to start empty, or run the program that wrote it"
                )
        for table in self._durable.values():
            run(table.create)
        run("COMMIT")

    def _recall(self, name: str) -> str | None:
        row = self._db.execute(f"SELECT value FROM {META} WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def tables(self) -> Mapping[str, list[Row]] | None:
        """The durable tables as last committed; None if no tick ever was."""
        if not self._committed:
            return None
        try:
            return {
                name: [table.back(row) for row in self._db.execute(table.select)]
                for name, table in self._durable.items()
            }
        except (sqlite3.Error, ValueError) as fault:
            raise self._fault(fault) from fault

    def commit(self, tick: Tick) -> None:
        """Make a tick's changes last.  Raises StoreFault, and then nothing of them does."""
        if not tick.durable and self._committed:
            return
        run = self._db.execute
        try:
            run("BEGIN IMMEDIATE")
            for name, (removed, added) in tick.durable.items():
                table = self._durable[name]
                self._db.executemany(table.delete, map(table.out, removed))
                self._db.executemany(table.insert, map(table.out, added))
            run(f"INSERT OR REPLACE INTO {META} VALUES ('tick', ?)", (str(tick.number),))
            run("COMMIT")
        except sqlite3.Error as fault:
            if self._db.in_transaction:
                run("ROLLBACK")
            raise self._fault(fault) from fault
        self._committed = True

    def close(self) -> None:
        """Close the file."""
        self._db.close()


# ------------------------------------------------------- collections as tables


def _sql_names(names: Sequence[str]) -> dict[str, str]:
    """Their names in SQL, which takes no notice of case and keeps `sqlite_` to itself."""
    taken: set[str] = set()
    found: dict[str, str] = {}
    for name in names:
        sql = f"~{name}" if name.lower().startswith("sqlite_") else name
        while sql.lower() in taken:
            sql += "~"
        taken.add(sql.lower())
        found[name] = '"' + sql.replace('"', '""') + '"'
    return found


def _table(collection: ir.Collection, table: str, values: Values) -> _Table:
    columns = tuple(_column(one.type, values) for one in collection.columns)
    sql_names = _sql_names([one.name for one in collection.columns])
    names = list(sql_names.values())
    keys = [sql_names[one.name] for one in collection.columns if one.key]
    if not keys and not any(isinstance(one.type, ir.Lattice) for one in collection.columns):
        keys = names
    parts = [
        f"{name} {column.sql_type}".rstrip() for name, column in zip(names, columns, strict=True)
    ]
    if keys:
        parts.append(f"PRIMARY KEY ({', '.join(keys)})")
    matches = " AND ".join(f"{name} IS ?" for name in names)
    return _Table(
        collection.name,
        f"CREATE TABLE IF NOT EXISTS {table} ({', '.join(parts)})",
        f"SELECT {', '.join(names)} FROM {table}",
        f"INSERT INTO {table} VALUES ({', '.join('?' * len(names))})",
        f"DELETE FROM {table} WHERE {matches}",
        columns,
    )


_PLAIN: dict[str, str] = {
    "int": "INTEGER",
    "float": "REAL",
    "str": "TEXT",
    "Address": "TEXT",
    "bytes": "BLOB",
    "bool": "INTEGER",
}


def _same(value: Any) -> Any:
    return value


def _column(type_: ir.Type, values: Values) -> _Column:
    plain: ir.Type = type_
    if isinstance(type_, ir.Lattice) and type_.name in ("Max", "Min"):
        plain = type_.args[0]  # their bottom, None, is SQL's NULL
    if isinstance(plain, ir.Plain) and plain.name in _PLAIN:
        return _Column(_PLAIN[plain.name], _same, _bool if plain.name == "bool" else _same)
    conform = values.conform(type_)
    return _Column(
        "TEXT",
        lambda value: json.dumps(_to_json(value), ensure_ascii=False, separators=(",", ":")),
        lambda text: conform(_from_json(json.loads(text))),
    )


def _bool(value: int | None) -> bool | None:
    return None if value is None else bool(value)


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

"""Durable tables in SQLite: one file per node, one SQL table per collection.

A tick's changes are committed before its sends, outputs and the answers to its
inserts leave (group commit: the tick is the group).  A tick of which nothing
leaves may wait for the next one's commit: nobody can tell.  WAL with
synchronous=FULL: what was committed survives the loss of power.

A file that is torn or changed is named, never read as if it were whole.  SQLite
checks its log, not its pages, and takes a log that breaks off for one that ends;
so each table has a digest (store_tables.py), the digests and the number of the
commit are sealed in the same transaction, and the mark (store_mark.py) keeps the
last seal once more beside the file.  A start reads everything through a
connection that cannot write: a file that is refused stays as it was found.
"""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from bloomish import ir
from bloomish.runtime.evaluator import Row, Tick
from bloomish.runtime.store_mark import SEAL_BYTES, Mark, Marked, MarkTorn, read_mark
from bloomish.runtime.store_tables import (
    DIGESTS,
    StoredTable,
    quoted,
    sql_names,
    stored_table,
)
from bloomish.values import Values

log = logging.getLogger("bloomish.store")

FORMAT = "2"
META = "-bloomish"
"""What the store knows about itself; no collection can have this name."""
_META = quoted(META)
_META_SCHEMA = f"CREATE TABLE {_META} (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID"
_NOTE = f"INSERT OR REPLACE INTO {_META} VALUES (?, ?)"
TORN = (
    "; the file is torn or is no store of ours: put a copy of it back, "
    "or move it away and the node starts empty"
)


class StoreFault(Exception):
    """The store cannot be opened, read or written; the text says what to do."""


@dataclass(frozen=True)
class _Found:
    """A store's content, read and checked."""

    number: int
    """How many commits it has seen."""
    digests: Mapping[str, int]
    tables: Mapping[str, list[Row]]


class Store:
    """The durable tables of one node."""

    def __init__(self, path: str | Path, address: str, program: ir.Program, values: Values) -> None:
        self.path = Path(path)
        self.mark_path = self.path.with_suffix(".mark")
        durable = [one for one in program.collections if one.kind == "table" and one.durable]
        names = sql_names([one.name for one in durable])
        self._durable = {one.name: stored_table(one, names[one.name], values) for one in durable}
        schemas = {name: table.schema for name, table in sorted(self._durable.items())}
        self._wants = {"format": FORMAT, "node": address, "schema": json.dumps(schemas)}
        found = self._examined()
        self._digests = dict.fromkeys(self._durable, 0) if found is None else dict(found.digests)
        self._settled = self._digests
        self._number = 0 if found is None else found.number
        self._tables = None if found is None or not found.number else found.tables
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(self.path, timeout=1.0, isolation_level=None)
        except (sqlite3.Error, OSError) as fault:
            raise self._fault(fault) from fault
        try:
            self._open(new=found is None)
            self._mark = Mark(self.mark_path, self._number, self._seal())
        except (sqlite3.Error, OSError) as fault:
            self._db.close()
            raise self._fault(fault) from fault
        except StoreFault:
            self._db.close()
            raise

    def _fault(self, fault: Exception | str, table: str = "") -> StoreFault:
        text = str(fault)
        # Locked, full, not to be written: that is no fault of what the file holds.
        if not isinstance(fault, (sqlite3.OperationalError, OSError)):
            text += TORN
        where = f"{self.path}: table {table}" if table else f"{self.path}"
        return StoreFault(f"{where}: {text}")

    # -- what is there

    def _examined(self) -> _Found | None:
        """What the file holds, if it is all that was committed; None if there is nothing yet."""
        try:
            marked = read_mark(self.mark_path)
        except MarkTorn as fault:
            raise self._fault(str(fault)) from fault
        except OSError as fault:
            raise self._fault(fault) from fault
        if not self.path.exists():
            if marked is not None and marked.number:
                raise self._behind(None, marked)
            return None
        try:
            with closing(
                sqlite3.connect(f"{self.path.absolute().as_uri()}?mode=ro", timeout=1.0, uri=True)
            ) as db:
                found = self._read(db)
        except (sqlite3.Error, OSError) as fault:
            if "locked" in str(fault):
                raise self._fault(fault) from fault
            # Whatever SQLite cannot read here is a matter of the file's content.
            raise self._fault(str(fault)) from fault
        self._compare(found, marked)
        return found

    def _read(self, db: sqlite3.Connection) -> _Found | None:
        health = _checked(db, "quick_check(3)")
        if health:
            raise self._fault(health, self._sick(db))
        schemas = dict(db.execute("SELECT name, sql FROM sqlite_master"))
        if not schemas:
            return None  # killed before its first transaction: as good as not there
        if schemas.get(META) != _META_SCHEMA:
            raise self._fault(f"it has no table {META} as ours have")
        notes: dict[str, str] = dict(db.execute(f"SELECT name, value FROM {_META}"))
        for name, wanted in self._wants.items():
            if notes.get(name) != wanted:
                raise StoreFault(
                    f"{self.path}: its {name} is {notes.get(name)}, this node's is {wanted}; move "
                    "the file away to start empty, or run the program that wrote it"
                )
        declared = {META: _META_SCHEMA} | {
            one.sql_name: one.schema for one in self._durable.values()
        }
        if schemas != declared:
            wrong = sorted(
                name for name in schemas | declared if schemas.get(name) != declared.get(name)
            )
            raise self._fault("it is not declared as this node declared it", ", ".join(wrong))
        number, digests = self._notes(notes)
        tables = {name: self._content(db, one, digests) for name, one in self._durable.items()}
        return _Found(number, digests, tables)

    def _sick(self, db: sqlite3.Connection) -> str:
        """The tables in which SQLite's check finds fault; none where it is the whole file."""
        names = [*(one.sql_name for one in self._durable.values()), META]
        sick = [name for name in names if _checked(db, f"quick_check({quoted(name)})")]
        return "" if sick == names else ", ".join(sick)

    def _notes(self, notes: Mapping[str, str]) -> tuple[int, dict[str, int]]:
        """The number and the digests that the file notes, if their seal holds."""
        try:
            first, seal, *rest = notes["state"].split(" ")
            number = int(first)
            digests = {
                name: int(digest, 16) for name, digest in zip(self._durable, rest, strict=True)
            }
        except (KeyError, ValueError) as fault:
            raise self._fault(f"its state is missing or cannot be read ({fault})", META) from fault
        if seal != self._sealed(number, digests).hex():
            raise self._fault("its state does not have the seal that it was written with", META)
        return number, digests

    def _content(
        self, db: sqlite3.Connection, table: StoredTable, digests: Mapping[str, int]
    ) -> list[Row]:
        try:
            rows = db.execute(table.select).fetchall()
        except sqlite3.Error as fault:
            raise self._fault(str(fault), table.name) from fault
        if table.digest_read(rows) % DIGESTS != digests[table.name]:
            raise self._fault(
                "its rows do not have the digest that was committed with them", table.name
            )
        try:
            return table.back(rows)
        except ValueError as fault:
            raise self._fault(str(fault), table.name) from fault

    def _compare(self, found: _Found | None, marked: Marked | None) -> None:
        """The file beside its mark: a commit that was acknowledged must be there."""
        number = 0 if found is None else found.number
        if marked is None:
            if number:
                log.warning(
                    "%s: there is no %s beside it: whether commit %s was its last cannot be told",
                    self.path, self.mark_path.name, f"{number:,}",
                )  # fmt: skip
            return
        if number < marked.number:
            raise self._behind(number, marked)
        if found is not None and number == marked.number:
            if self._sealed(number, found.digests) != marked.seal:
                raise self._fault(
                    f"commit {number:,} is another one than {self.mark_path.name} knows"
                )

    def _behind(self, number: int | None, marked: Marked) -> StoreFault:
        there = "it is not there" if number is None else f"it ends with commit {number:,}"
        return StoreFault(
            f"{self.path}: {there}, and {self.mark_path.name} knows that commit "
            f"{marked.number:,} was acknowledged: the file or its log "
            f"({self.path.name}-wal) is torn, or an older copy; put a whole copy back, or remove "
            f"{self.mark_path.name} to go on with what is there: what came later is lost then, "
            "and promises with it"
        )

    # -- writing

    def _open(self, new: bool) -> None:
        run = self._db.execute
        # One process owns the file; a second node on it must fail, not mix in.
        run("PRAGMA locking_mode = EXCLUSIVE")
        run("PRAGMA journal_mode = WAL")
        run("PRAGMA synchronous = FULL")
        run("BEGIN IMMEDIATE")
        if new:
            for schema in (_META_SCHEMA, *(one.schema for one in self._durable.values())):
                run(schema)
            state = _state(self._number, self._seal(), self._digests)
            self._db.executemany(_NOTE, [*self._wants.items(), ("state", state)])
        else:
            (state,) = run(f"SELECT value FROM {_META} WHERE name = 'state'").fetchone()
            if state != _state(self._number, self._seal(), self._digests):
                raise StoreFault(f"{self.path}: another process wrote to it just now")
        run("COMMIT")
        # What the reading connection left; the file is ours alone by now.
        self.path.with_name(self.path.name + "-shm").unlink(missing_ok=True)

    def _seal(self) -> bytes:
        return self._sealed(self._number, self._digests)

    def _sealed(self, number: int, digests: Mapping[str, int]) -> bytes:
        """A row's digest has its table's name in it, so their sum stands for all tables."""
        text = f"{self._wants['node']}\0{number}\0{sum(digests.values()) % DIGESTS:x}"
        return blake2b(text.encode(), digest_size=SEAL_BYTES).digest()

    def tables(self) -> Mapping[str, list[Row]] | None:
        """The durable tables as they were when the store was opened, to be taken once; None if
        no tick was ever committed."""
        tables, self._tables = self._tables, None
        return tables

    def commit(self, tick: Tick) -> None:
        """Make a tick's changes last.  Raises StoreFault, and then nothing of them does."""
        self.take(tick)
        self.settle()

    def take(self, tick: Tick) -> None:
        """Take a tick's changes into the transaction that `settle` ends.  Raises StoreFault,
        and then nothing lasts that has not been settled."""
        if not tick.durable and self._number:
            return
        try:
            if not self.owes:
                self._settled = dict(self._digests)
                self._db.execute("BEGIN IMMEDIATE")
            for name, (removed, added) in tick.durable.items():
                change = self._change(self._durable[name], removed, added)
                self._digests[name] = (self._digests[name] + change) % DIGESTS
        except (sqlite3.Error, OSError) as fault:
            self._undo()
            raise self._fault(fault) from fault
        except StoreFault:
            self._undo()
            raise

    @property
    def owes(self) -> bool:
        """Changes have been taken that do not last yet."""
        return self._db.in_transaction

    def settle(self) -> None:
        """Make all that has been taken last: what depends on it may be told after this."""
        if not self.owes:
            return
        number, seal = self._number + 1, self._sealed(self._number + 1, self._digests)
        try:
            self._db.execute(_NOTE, ("state", _state(number, seal, self._digests)))
            self._db.execute("COMMIT")
            self._mark.write(number, seal)
        except (sqlite3.Error, OSError) as fault:
            self._undo()
            raise self._fault(fault) from fault
        self._number = number

    def _undo(self) -> None:
        self._digests = self._settled
        if self.owes:
            self._db.execute("ROLLBACK")

    def _change(self, table: StoredTable, removed: Sequence[Row], added: Sequence[Row]) -> int:
        """Write a table's changes; by how much they change its digest."""
        gone, new = table.out(removed), table.out(added)
        change = table.digest(new) - table.digest(gone)
        if gone and new and table.key is not None:
            key = table.key
            before, after = set(map(key, gone)), set(map(key, new))
            if before == after:
                self._db.executemany(table.replace, new)
                return change
            self._db.executemany(table.replace, [row for row in new if key(row) in before])
            gone = [row for row in gone if key(row) not in after]
            new = [row for row in new if key(row) not in before]
        if gone and self._db.executemany(table.delete, gone).rowcount != len(gone):
            raise self._fault("a row to be deleted is not there", table.name)
        if new:
            self._db.executemany(table.insert, new)
        return change

    def close(self) -> None:
        """Close the file; what was not settled does not last."""
        self._db.close()
        self._mark.close()


def _checked(db: sqlite3.Connection, pragma: str) -> str:
    """What SQLite's own check finds wrong; nothing if all is well."""
    try:
        found = [text for (text,) in db.execute(f"PRAGMA {pragma}")]
    except sqlite3.OperationalError:
        raise  # locked, or not to be read
    except sqlite3.Error as fault:
        return str(fault)
    return "" if found == ["ok"] else "; ".join(found).replace("\n", " ")


def _state(number: int, seal: bytes, digests: Mapping[str, int]) -> str:
    """What every commit notes: its number, the seal, the digests in the order of the tables."""
    return " ".join([str(number), seal.hex(), *[f"{one:x}" for one in digests.values()]])

"""`--feed [WHO:]COLLECTION=FILE`: rows of a file into an input collection.

WHO is a node (`client-1`: all rows go there), a role (`client`: the rows are
dealt to its nodes in turn) or `client-*` (every node of the role gets every
row).  Without it, the one role that has the input is meant.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import IO

from bloomish import ir
from bloomish.errors import BloomishError
from bloomish.runtime.ends import Ends
from bloomish.runtime.evaluator import Row
from bloomish.runtime.host import Node, RowsSetAside
from bloomish.runtime.roles import Role, Roles
from bloomish.runtime.rowtext import SUFFIXES, BadRow, RowReader, guess
from bloomish.values import Values

BATCH = 256
"""Rows per insert, and so per tick of the node that is fed."""


class BadOption(BloomishError):
    """A --feed or --watch that does not fit the program."""


@dataclass(frozen=True)
class Place:
    """Which collection of which nodes an option means."""

    collection: str
    nodes: tuple[str, ...]
    all_of_them: bool = False


@dataclass(frozen=True)
class Feed:
    """One --feed: where from, where to, and the reader of its rows."""

    source: str
    place: Place
    reader: RowReader
    rows: Sequence[Row] | None
    """A file's rows, read and checked beforehand; None for the standard input."""


def find_place(text: str, declared: Roles, kinds: Sequence[str], what: str) -> Place:
    """`[WHO:]COLLECTION` as nodes; raises BadOption that lists the choices."""
    who, _, collection = text.rpartition(":")
    having = [role for role in declared.roles if _find(role, collection, kinds) is not None]
    if not having:
        choices = sorted(
            {
                f"{role.name}:{one.name}"
                for role in declared.roles
                for one in role.program.collections
                if one.kind in kinds
            }
        )
        listed = ", ".join(choices) or "none"
        raise BadOption(f"{text!r}: no {what} {collection!r}; there are: {listed}")
    if not who:
        if len(having) > 1 and what == "input":
            choices = [f"{role.name}:{collection}" for role in having]
            raise BadOption(f"{text!r}: several roles have it; say {' or '.join(choices)}")
        return Place(collection, tuple(node for role in having for node in role.nodes))
    name, star, rest = who.partition("-*")
    if star and not rest:
        return Place(collection, _of_role(text, name, declared, having).nodes, all_of_them=True)
    for role in declared.roles:
        if who in role.nodes and role in having:
            return Place(collection, (who,))
    return Place(collection, _of_role(text, who, declared, having).nodes)


def _of_role(text: str, name: str, declared: Roles, having: Sequence[Role]) -> Role:
    for role in having:
        if role.name == name:
            return role
    choices = ", ".join([role.name for role in having] + [n for r in having for n in r.nodes])
    known = any(role.name == name or name in role.nodes for role in declared.roles)
    wrong = "has no such collection" if known else "is no role or node of this cluster"
    raise BadOption(f"{text!r}: {name} {wrong}; it could be: {choices}")


def _find(role: Role, collection: str, kinds: Sequence[str]) -> ir.Collection | None:
    for one in role.program.collections:
        if one.name == collection and one.kind in kinds:
            return one
    return None


def parse_feed(text: str, declared: Roles) -> Feed:
    """One --feed option.  A file is read and checked here, before anything is started."""
    left, equals, source = text.partition("=")
    if not equals or not left or not source:
        raise BadOption(f"{text!r}: a feed is [NODE or ROLE:]COLLECTION=FILE")
    place = find_place(left, declared, ("input",), "input")
    role = declared.of(place.nodes[0])
    collection = _find(role, place.collection, ("input",))
    assert collection is not None
    values = Values(role.program.lattices, role.externals.lattices)
    name = "standard input" if source == "-" else source
    reader = RowReader(name, collection.name, collection.columns, values)
    if source == "-":
        return Feed(source, place, reader, None)
    try:
        with open(source, encoding="utf-8", newline="") as file:
            return Feed(source, place, reader, list(_rows(reader, file, Path(source).suffix)))
    except (OSError, UnicodeDecodeError) as fault:
        raise BadOption(f"{source}: {fault}") from fault


def _rows(
    reader: RowReader,
    lines: IO[str],
    suffix: str,
    complain: Callable[[BadRow], object] | None = None,
) -> Iterator[Row]:
    form = SUFFIXES.get(suffix.lower())
    if form is not None:
        return reader.rows(lines, form, complain)
    first = list(islice(lines, 1))
    return reader.rows(chain(first, lines), guess(first[0]) if first else "csv", complain)


async def feed(
    one: Feed, nodes: dict[str, Node], complain: Callable[[str], None], ends: Ends
) -> AsyncIterator[int]:
    """Insert a feed's rows; gives how many in each batch.  Lines of the standard input that
    are no rows, and rows that a node sets aside, are told, and it goes on."""
    order = one.place.nodes
    turn = 0
    async for batch in _batches(one, complain):
        shares: dict[str, list[Row]] = {}
        for row in batch:
            if one.place.all_of_them:
                for name in order:
                    shares.setdefault(name, []).append(row)
            else:
                shares.setdefault(order[turn % len(order)], []).append(row)
                turn += 1
        for name, rows in shares.items():
            ends.note(name, one.place.collection, rows)
        inserts = [nodes[name].insert(one.place.collection, rows) for name, rows in shares.items()]
        for outcome in await asyncio.gather(*inserts, return_exceptions=True):
            if isinstance(outcome, RowsSetAside):
                complain(str(outcome))
            elif isinstance(outcome, BaseException):
                raise outcome
        yield len(batch)


async def _batches(one: Feed, complain: Callable[[str], None]) -> AsyncIterator[Sequence[Row]]:
    if one.rows is not None:
        for start in range(0, len(one.rows), BATCH):
            yield one.rows[start : start + BATCH]
        return
    async for batch in _Standard(one.reader, complain):
        yield batch


class _Standard:
    """Rows of the standard input as they come, read by a thread of its own: a line typed
    at a terminal is in the next batch, a long pipe comes in full batches."""

    AHEAD = 16 * BATCH

    def __init__(self, reader: RowReader, complain: Callable[[str], None]) -> None:
        self._reader = reader
        self._complain = complain
        self._loop = asyncio.get_running_loop()
        self._rows: deque[Row] = deque()
        self._room = threading.Semaphore(self.AHEAD)
        self._wake = asyncio.Event()
        self._ended = False
        threading.Thread(target=self._read, daemon=True, name="standard input").start()

    def _read(self) -> None:
        # What is not UTF-8 is a bad line, and no reason to stop.
        with open(
            sys.stdin.fileno(),
            encoding="utf-8",
            errors="surrogateescape",
            newline="",
            closefd=False,
        ) as lines:
            for row in _rows(self._reader, lines, "", self._bad_line):
                self._room.acquire()
                self._rows.append(row)
                self._tell(self._wake.set)
        self._ended = True
        self._tell(self._wake.set)

    def _bad_line(self, fault: BadRow) -> None:
        self._tell(self._complain, str(fault))

    def _tell(self, what: Callable[..., object], *args: object) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(what, *args)

    async def __aiter__(self) -> AsyncIterator[Sequence[Row]]:
        while True:
            self._wake.clear()
            ended = self._ended
            batch = [self._rows.popleft() for _ in range(min(len(self._rows), BATCH))]
            if batch:
                self._room.release(len(batch))
                yield batch
            elif ended:
                return
            else:
                await self._wake.wait()

"""What a node does for its hosts: take rows, hand out rows, say how it is.

A host's insert is answered after the tick that took its rows has been
committed.  Every reader of an output gets all of it; a late reader of a view
gets the current rows first.  Requests are answered in the order in which they
were made, but for inserts while some peer's queue is full: these wait, and so
does the reading of what that host says next.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from bloomish import ir
from bloomish.ephemeral import ephemeral_collections, is_ephemeral
from bloomish.runtime.door import Inbound
from bloomish.runtime.evaluator import (
    FRAME_MAXIMUM,
    Evaluator,
    Row,
    RowRefused,
    Series,
    Tick,
)
from bloomish.runtime.framing import Kind, Malformed, pack
from bloomish.runtime.setaside import SetAside, Shelf
from bloomish.values import Values

WATCHED = ("output", "invariant")


class Fault(Exception):
    """A request that cannot be met; the text is for the host."""


class Owner(Protocol):
    """The node whose desk this is."""

    evaluator: Evaluator
    shelf: Shelf
    values: Values
    tick_number: int

    def status(self) -> dict[str, Any]: ...

    def wake(self) -> None: ...

    def inserted(self, collection: str, rows: Sequence[Row]) -> None: ...

    @property
    def pressed(self) -> bool: ...


@dataclass(slots=True, eq=False)
class _Insert:
    """An insert on its way: one of a host, waiting for its tick."""

    host: Inbound
    request: int
    collection: str
    rows: Sequence[Row]


class Desk:
    """The hosts of one node."""

    def __init__(self, program: ir.Program, owner: Owner) -> None:
        self._program = program
        self._owner = owner
        self._collections = {one.name: one for one in program.collections}
        self._watchers: dict[str, dict[tuple[Inbound, int], None]] = {}
        self._waiting: list[_Insert] = []
        self._held: deque[tuple[Inbound, tuple[Any, ...]]] = deque()
        self._hosts: set[Inbound] = set()
        self._verbs: dict[str, Callable[..., None]] = {
            "insert": self._insert,
            "watch": self._watch,
            "unwatch": self._unwatch,
            "contents": self._contents,
            "status": self._status,
            "set_aside": self._set_aside,
            "replay": self._replay,
        }
        ephemeral = ephemeral_collections(program)
        persistent_heads = {
            rule.head
            for rule in program.rules
            if rule.op == "<=" and not is_ephemeral(program, rule)
        }
        watched = [one.name for one in program.collections if one.kind in WATCHED]
        self._views = {name for name in watched if name not in ephemeral}
        """Their contents are the view."""
        self._mixed: dict[str, dict[Row, None]] = {
            name: {} for name in watched if name in ephemeral and name in persistent_heads
        }
        """Rows of both sorts: the view among them is kept here."""

    @property
    def busy(self) -> bool:
        """Somebody waits for the next tick's outcome."""
        return bool(self._waiting or self._watchers or self._mixed)

    def expects(self, done: Series) -> bool:
        """Somebody is going to be told of these ticks."""
        return bool(self._waiting or (done.shown and (self._watchers or self._mixed)))

    @property
    def owing(self) -> int:
        """Inserts that have not been answered."""
        return len(self._waiting) + len(self._held)

    # -- requests

    def joined(self, host: Inbound) -> dict[str, Any]:
        """What a host is told first: the collections and their columns' types."""
        self._hosts.add(host)
        carriers = {one.name: one.carrier for one in self._program.lattices}
        return {
            "program": self._program.name,
            "evaluator": self._owner.evaluator.name,
            "collections": {
                one.name: [
                    one.kind,
                    [[c.name, _plain_type(c.type, carriers), c.key] for c in one.columns],
                ]
                for one in self._program.collections
            },
        }

    def asked(self, host: Inbound, message: tuple[Any, ...]) -> None:
        """Answer a request, now or after the tick that it needs."""
        if len(message) != 4 or type(message[1]) is not int or not isinstance(message[3], tuple):
            raise Malformed("a request is [7, id, verb, arguments]")
        _, request, verb, arguments = message
        answer = self._verbs.get(verb)
        try:
            if answer is None:
                raise Fault(f"no request {verb!r}; there are: {', '.join(sorted(self._verbs))}")
            answer(host, request, *arguments)
        except TypeError as fault:
            raise Malformed(f"the arguments of {verb}: {fault}") from fault
        except (Fault, RowRefused) as fault:
            host.send(pack([Kind.REPLY, request, str(fault), None]))

    def _reply(self, host: Inbound, request: int, result: object) -> None:
        host.send(pack([Kind.REPLY, request, None, result]))

    def _insert(self, host: Inbound, request: int, collection: str, rows: Sequence[Row]) -> None:
        if self._owner.pressed or any(other is host for other, _ in self._held):
            host.transport.pause_reading()
            self._held.append((host, (Kind.REQUEST, request, "insert", (collection, rows))))
            return
        found = self._find(collection)
        if found.kind != "input":
            raise Fault(f"hosts insert into inputs; {collection} is a {found.kind}")
        self._owner.evaluator.insert(collection, rows)
        self._owner.inserted(collection, rows)
        self._waiting.append(_Insert(host, request, collection, rows))
        self._owner.wake()

    def _watch(self, host: Inbound, request: int, collection: str) -> None:
        found = self._find(collection)
        if found.kind not in WATCHED:
            raise Fault(f"hosts watch outputs; {collection} is a {found.kind}")
        self._watchers.setdefault(collection, {})[(host, request)] = None
        self._reply(host, request, None)
        rows: Sequence[Row] = ()
        if collection in self._views:
            rows = self._owner.evaluator.contents(collection)
        elif collection in self._mixed:
            rows = tuple(self._mixed[collection])
        self._send_first(host, request, rows)

    def _send_first(self, host: Inbound, request: int, rows: Sequence[Row]) -> None:
        """Rows that were asked for: they do not count against a reader that keeps up."""
        for news in _news(rows, (), True):
            body = _addressed(request, self._owner.tick_number, news)
            host.owed += len(body)
            host.send(body)

    def _unwatch(self, host: Inbound, request: int, watch: int) -> None:
        self._forget(host, watch)
        self._reply(host, request, None)

    def _contents(self, host: Inbound, request: int, collection: str) -> None:
        self._find(collection)
        self._send_first(host, request, self._owner.evaluator.contents(collection))
        self._reply(host, request, None)

    def _status(self, host: Inbound, request: int) -> None:
        self._reply(host, request, self._owner.status())

    def _set_aside(self, host: Inbound, request: int, after: int) -> None:
        """The next page of what is set aside: rows with greater numbers."""
        page: list[list[object]] = []
        size = 0
        for one in self._owner.shelf.rows:
            if one.number > after and size < NEWS_MAXIMUM // 4:
                page.append([one.number, one.collection, one.row, one.tick, one.reason])
                size += len(pack(page[-1]))
        self._reply(host, request, page)

    def _replay(self, host: Inbound, request: int, numbers: Sequence[int] | None) -> None:
        taken = self._owner.shelf.take(numbers)
        arrivals = self._owner.evaluator.arrivals()
        arrivals += [(one.collection, one.row) for one in taken]
        self._owner.evaluator.set_arrivals(arrivals)
        for one in taken:
            self._owner.inserted(one.collection, [one.row])
        self._reply(host, request, len(taken))
        self._owner.wake()

    def _find(self, collection: str) -> ir.Collection:
        found = self._collections.get(collection)
        if found is None:
            known = ", ".join(sorted(self._collections))
            raise Fault(f"{self._program.name} has no collection {collection!r}; it has: {known}")
        return found

    # -- what ticks bring

    def ticked(self, ticks: Sequence[Tick], aside: Sequence[SetAside]) -> None:
        """After a commit: hand out the rows of its ticks, answer the inserts that they took."""
        for tick in ticks:
            for name, view in self._mixed.items():
                for row in tick.removed.get(name, ()):
                    view.pop(row, None)
                view.update(dict.fromkeys(tick.added.get(name, ())))
            if self._watchers:
                self._hand_out(tick)
        if self._waiting:
            answered, self._waiting = self._waiting, []
            for insert in answered:
                self._reply(insert.host, insert.request, self._refused(insert, aside))

    def _refused(self, insert: _Insert, aside: Sequence[SetAside]) -> list[object]:
        """How many rows of an insert its tick set aside, and the first of them with reasons."""
        gone = {one.row: one.reason for one in aside if one.collection == insert.collection}
        if not gone:
            return [0, []]
        forms = [
            self._owner.values.conform(column.type)
            for column in self._collections[insert.collection].columns
        ]
        rows = [
            tuple(form(value) for form, value in zip(forms, row, strict=True))
            for row in insert.rows
        ]
        refused = [[row, gone[row]] for row in rows if row in gone]
        return [len(refused), refused[:SHOWN]]

    def _hand_out(self, tick: Tick) -> None:
        for name, watchers in tuple(self._watchers.items()):
            added = [*tick.events.get(name, ()), *tick.added.get(name, ())]
            removed = tick.removed.get(name, ())
            if not added and not removed:
                continue
            for news in _news(added, removed, False):
                for host, watch in tuple(watchers):
                    host.send(_addressed(watch, tick.number, news))

    def pressure_changed(self) -> None:
        """Take up the inserts that were held back, as far as the queues allow."""
        while self._held and not self._owner.pressed:
            held, self._held = self._held, deque()
            for host, message in held:
                if host.open:
                    try:
                        self.asked(host, message)
                    except Malformed as fault:
                        host.stream_fault(str(fault))
            for host in {host for host, _ in held} - {host for host, _ in self._held}:
                if host.open:
                    host.transport.resume_reading()

    def left(self, host: Inbound) -> None:
        """A host is gone: nobody to answer, nobody to hand rows to."""
        self._hosts.discard(host)
        self._waiting = [one for one in self._waiting if one.host is not host]
        self._held = deque(one for one in self._held if one[0] is not host)
        for watchers in tuple(self._watchers.values()):
            for key in tuple(watchers):
                if key[0] is host:
                    self._forget(*key)

    def _forget(self, host: Inbound, watch: int) -> None:
        for name, watchers in tuple(self._watchers.items()):
            watchers.pop((host, watch), None)
            if not watchers:
                del self._watchers[name]

    def farewell(self, reason: str) -> None:
        """The node stops: tell everybody why."""
        for host in tuple(self._hosts):
            host.send(pack([Kind.REFUSED, reason]))


SHOWN = 100
"""So many rows that were set aside are named in the answer to their insert."""
CHUNK = 20_000
"""Rows per message to a host."""
NEWS_MAXIMUM = FRAME_MAXIMUM // 2


def _news(added: Sequence[Row], removed: Sequence[Row], first: bool) -> Iterator[bytes]:
    """Rows as the ends of NEWS messages, packed once for all readers, none of them too big."""
    for start in range(0, max(len(added), len(removed)), CHUNK):
        chunk = slice(start, start + CHUNK)
        yield from _fitting(added[chunk], removed[chunk], first)


def _fitting(added: Sequence[Row], removed: Sequence[Row], first: bool) -> Iterator[bytes]:
    body = pack([added, removed, first])[1:]
    rows = max(len(added), len(removed))
    if len(body) <= NEWS_MAXIMUM or rows == 1:
        yield body
        return
    half = rows // 2
    yield from _fitting(added[:half], removed[:half], first)
    yield from _fitting(added[half:], removed[half:], first)


def _addressed(watch: int, tick: int, news: bytes) -> bytes:
    """A NEWS message, an array of six: kind, watch and tick, then added, removed, first."""
    return b"\x96" + pack([Kind.NEWS, watch, tick])[1:] + news


def _plain_type(type_: ir.Type, carriers: Mapping[str, ir.Type]) -> object:
    """A column's type as plain data; a user's lattice is what carries it."""
    if isinstance(type_, ir.Plain):
        return type_.name
    if isinstance(type_, ir.TupleOf):
        return ["tuple", *(_plain_type(item, carriers) for item in type_.items)]
    if type_.name in carriers:
        return _plain_type(carriers[type_.name], carriers)
    return [type_.name, *(_plain_type(arg, carriers) for arg in type_.args)]

"""A host's connection to a node, and the watches that run over it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from bloomish.errors import BloomishError
from bloomish.runtime.evaluator import Row
from bloomish.runtime.framing import PROTOCOL, Framed, Kind, Malformed, pack, unpack
from bloomish.runtime.tls import names, some


class HostFault(BloomishError):
    """A request that the node did not meet; the text is the node's."""


class NodeGone(HostFault):
    """The connection to the node has ended; the text says why."""


class RowsSetAside(HostFault):
    """The tick could not take some of the inserted rows; the node has set them aside.

    `count` is how many, `rows` the first hundred of them with the reasons.  The
    insert's other rows were taken.
    """

    def __init__(self, count: int, rows: Sequence[tuple[Row, str]]) -> None:
        some = "\n".join(f"  {row!r}: {reason}" for row, reason in rows[:5])
        more = f"\n  and {count - 5:,} more" if count > 5 else ""
        super().__init__(f"{count:,} row(s) were set aside by the node:\n{some}{more}")
        self.count = count
        self.rows = tuple(rows)


@dataclass(frozen=True, slots=True)
class Change:
    """One change of an output: a row that came (an event, or added to a view) or went.

    `first`: it was there when the watch began.
    """

    row: Row
    added: bool = True
    tick: int = 0
    first: bool = False


Item = TypeVar("Item", Row, Change)


class Watch(Generic[Item]):
    """What comes of an output, for `async for`; `close` it to stop.

    It begins before anything that is asked of the same node afterwards.  Who
    stirs another node and must miss nothing here waits for it to have begun:
    `done = await node.watch("done")`.

    Rows that come while nobody asks for them wait, up to a limit; then the
    watch ends with an error that says so.
    """

    def __init__(self, wire: Wire, number: int, collection: str, limit: int) -> None:
        self._wire = wire
        self._number = number
        self._collection = collection
        self._limit = limit
        self._waiting: deque[Item] = deque()
        self._wake = asyncio.Event()
        self._end: HostFault | None = None
        self._closed = False
        self._first = 0
        self._begun: asyncio.Future[Any] | None = None

    def __await__(self) -> Generator[Any, None, Watch[Item]]:
        return self._begin().__await__()

    async def _begin(self) -> Watch[Item]:
        assert self._begun is not None
        await asyncio.wait({self._begun})
        if self._end is not None:
            raise self._end
        return self

    def _put(self, items: Iterable[Item], first: bool) -> None:
        before = len(self._waiting)
        self._waiting.extend(items)
        if first:
            self._first += len(self._waiting) - before
        if len(self._waiting) > self._limit + self._first:
            self._fail(
                HostFault(
                    f"whoever watches {self._collection} does not keep up: "
                    f"{len(self._waiting):,} rows were waiting"
                )
            )
            self._wire.forget(self._number)
        self._wake.set()

    def _fail(self, fault: HostFault) -> None:
        if self._end is None:
            self._end = fault
        self._wake.set()

    def __aiter__(self) -> AsyncIterator[Item]:
        return self

    async def __anext__(self) -> Item:
        while not self._waiting:
            if self._closed:
                raise StopAsyncIteration
            if self._end is not None:
                raise self._end
            self._wake.clear()
            await self._wake.wait()
        return self._waiting.popleft()

    async def take(self, count: int) -> list[Item]:
        """The next so many."""
        return [await self.__anext__() for _ in range(count)]

    def ready(self) -> list[Item]:
        """What has come and was not taken yet, without waiting."""
        items = list(self._waiting)
        self._waiting.clear()
        return items

    async def close(self) -> None:
        """Watch no more; iteration ends."""
        if not self._closed:
            self._closed = True
            self._wake.set()
            self._wire.forget(self._number)


class Wire(Framed):
    """The connection of a host."""

    def __init__(self, cluster: str, expected: str, secured: bool) -> None:
        super().__init__()
        self.cluster = cluster
        self.expected = expected
        self._secured = secured
        loop = asyncio.get_running_loop()
        self.welcome: asyncio.Future[dict[str, Any]] = loop.create_future()
        self.gone: asyncio.Future[None] = loop.create_future()
        self.requests: dict[int, asyncio.Future[Any]] = {}
        self.watches: dict[int, tuple[Any, Any]] = {}
        self.collected: dict[int, list[Row]] = {}
        self.reason = ""
        self._number = 0
        self._writable = asyncio.Event()
        self._writable.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if self._secured and self.expected:
            certified = names(self.transport.get_extra_info("peercert"))
            if self.expected not in certified:
                self.stream_fault(
                    f"whoever listens there has a certificate for {some(certified)}, "
                    f"not for {self.expected}"
                )
                return
        hello = {"protocol": PROTOCOL, "cluster": self.cluster, "from": "", "incarnation": 0}
        self.send(pack([Kind.HELLO, hello | {"to": self.expected}]))

    def next_number(self) -> int:
        self._number += 1
        return self._number

    def ask(self, number: int, verb: str, *arguments: object) -> asyncio.Future[Any]:
        """Send a request; its answer to come."""
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if not self.open:
            answer.set_exception(self.fault())
            return answer
        self.requests[number] = answer
        # Where the connection has failed, the answer is that the node is gone, in a moment.
        self.send(pack([Kind.REQUEST, number, verb, arguments]))
        return answer

    async def room(self) -> None:
        """Wait until the node has taken most of what was written."""
        await self._writable.wait()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def frame_received(self, body: bytes) -> None:
        try:
            message = unpack(body)
            kind = message[0]
            if kind == Kind.WELCOME and not self.welcome.done():
                self.allow()
                self.welcome.set_result(message[1])
            elif kind == Kind.NEWS:
                self._news(*message[1:])
            elif kind == Kind.REPLY:
                self._answered(*message[1:])
            elif kind == Kind.REFUSED:
                self.reason = str(message[1])
                self.close()
            else:
                raise Malformed(f"a message of kind {kind} does not belong here")
        except (Malformed, TypeError, LookupError) as fault:
            self.stream_fault(f"the node does not speak our protocol: {fault}")

    def _news(self, number: int, tick: int, added: Any, removed: Any, first: bool) -> None:
        if number in self.watches:
            watch, items = self.watches[number]
            watch._put(items(tick, added, removed, first), first)
        elif number in self.collected:
            self.collected[number].extend(added)

    def _answered(self, number: int, fault: str | None, result: Any) -> None:
        answer = self.requests.pop(number, None)
        if answer is None or answer.done():
            return
        if fault is None:
            answer.set_result(result)
        else:
            answer.set_exception(HostFault(fault))

    def forget(self, number: int) -> None:
        """A watch is over."""
        if self.watches.pop(number, None) is not None and self.open:
            self.ask(self.next_number(), "unwatch", number).add_done_callback(
                lambda done: done.exception()
            )

    def stream_fault(self, reason: str) -> None:
        self.reason = reason
        self.abort()

    def fault(self) -> NodeGone:
        return NodeGone(self.reason or "the connection to the node is closed")

    def connection_lost(self, exc: Exception | None) -> None:
        self.open = False
        if not self.reason:
            self.reason = f"the node is gone{': ' + str(exc) if exc else ''}"
        for answer in (self.welcome, *self.requests.values()):
            if not answer.done():
                answer.set_exception(self.fault())
                answer.exception()  # nobody may be waiting for it
        self.requests.clear()
        for watch, _ in self.watches.values():
            watch._fail(self.fault())
        self._writable.set()
        if not self.gone.done():
            self.gone.set_result(None)

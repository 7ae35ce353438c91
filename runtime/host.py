"""Hosts: ordinary programs that feed a node and read from it.

    async with connect("127.0.0.1:4711") as node:
        done = node.watch("done")
        await node.insert("want", [(1, "key", "value")])
        async for row in done:
            ...

A host is no node: it has no address, and messages cannot be sent to it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from bloomish import ir
from bloomish.lattices.structure import structure
from bloomish.runtime.directory import Directory, Place, UnknownNode, parse_place
from bloomish.runtime.evaluator import FRAME_MAXIMUM, Row
from bloomish.runtime.framing import pack
from bloomish.runtime.host_wire import Change, HostFault, NodeGone, RowsSetAside, Watch, Wire
from bloomish.runtime.tls import Credentials
from bloomish.values import Values

__all__ = [
    "Aside",
    "Change",
    "Declared",
    "HostFault",
    "Node",
    "NodeGone",
    "RowsSetAside",
    "Watch",
    "connect",
]

WATCH_LIMIT = 1_000_000
"""So many rows may wait in a host for one who watches, beyond the first ones."""


@dataclass(frozen=True, slots=True)
class Aside:
    """A row that a node has set aside."""

    number: int
    collection: str
    row: Row
    tick: int
    reason: str


@dataclass(frozen=True)
class Declared:
    """A collection of the node's program, as a host sees it."""

    kind: str
    columns: tuple[ir.Column, ...]

    @property
    def inputs(self) -> bool:
        """Whether a host may insert into it."""
        return self.kind == "input"


class Node:
    """A running node, as a host sees it."""

    def __init__(self, wire: Wire, welcome: Mapping[str, Any]) -> None:
        self._wire = wire
        self.address: str = welcome["node"]
        self.program: str = welcome["program"]
        self.evaluator: str = welcome["evaluator"]
        self.collections = {
            name: Declared(kind, tuple(ir.Column(c, _type(t), key) for c, t, key in columns))
            for name, (kind, columns) in welcome["collections"].items()
        }
        self._subscribing: set[asyncio.Future[Any]] = set()

    # -- rows in

    async def insert(self, collection: str, rows: Iterable[Sequence[object]]) -> None:
        """Give rows to an input.  Returns when the tick that took them is committed.

        They share one tick (unless they do not fit into one message of 16 MiB).  Raises
        HostFault, and inserts none, if a row does not fit its columns; and
        RowsSetAside if the tick could not take some of them.
        """
        declared = self.collections.get(collection)
        shapes = [_ships(one.type) for one in declared.columns] if declared else []
        taken: Sequence[Sequence[object]] = rows if isinstance(rows, list) else list(rows)
        for row in taken:
            if not isinstance(row, (tuple, list)):
                raise HostFault(
                    f"{row!r} is not a row: `insert({collection!r}, ...)` takes a list of tuples"
                )
        if any(shapes):
            taken = [
                [
                    _shipped(value) if ship else value
                    for ship, value in zip(shapes, row, strict=False)
                ]
                if len(row) == len(shapes)
                else row
                for row in taken
            ]
        count = 0
        aside: list[tuple[Row, str]] = []
        asked = [self._ask("insert", *part) for part in _parts(collection, taken)]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
            count += answer[0]
            aside += answer[1]
        await self._wire.room()
        if count:
            rows = self._decoder(collection)([row for row, _ in aside])
            reasons = [reason for _, reason in aside]
            raise RowsSetAside(count, list(zip(rows, reasons, strict=True)))

    # -- rows out

    def watch(self, collection: str, *, limit: int = WATCH_LIMIT) -> Watch[Row]:
        """The rows of an output: events as they happen, a view's rows as they come in
        (those there now first).  What a view loses is not shown: see `changes`.

        The watch begins with this call, so nothing that an `insert` after it
        brings about is missed.
        """
        decode = self._decoder(collection)

        def items(tick: int, added: Any, removed: Any, first: bool) -> Iterable[Row]:
            return decode(added)

        return self._subscribe(collection, limit, items)

    def changes(self, collection: str, *, limit: int = WATCH_LIMIT) -> Watch[Change]:
        """The changes of an output: as `watch`, with what a view loses."""
        decode = self._decoder(collection)

        def items(tick: int, added: Any, removed: Any, first: bool) -> Iterable[Change]:
            gone = [Change(row, False, tick, first) for row in decode(removed)]
            return gone + [Change(row, True, tick, first) for row in decode(added)]

        return self._subscribe(collection, limit, items)

    def _subscribe(self, collection: str, limit: int, items: Any) -> Watch[Any]:
        number = self._wire.next_number()
        watch: Watch[Any] = Watch(self._wire, number, collection, limit)
        self._wire.watches[number] = (watch, items)
        answer = watch._begun = self._wire.ask(number, "watch", collection)

        def answered(done: asyncio.Future[Any]) -> None:
            if done.cancelled():
                return
            fault = done.exception()
            if isinstance(fault, HostFault):
                self._wire.watches.pop(number, None)
                watch._fail(fault)

        answer.add_done_callback(answered)
        return watch

    # -- how it is

    async def contents(self, collection: str) -> list[Row]:
        """All rows of any collection as the last tick saw it, in value order; to look around."""
        number = self._wire.next_number()
        rows: list[Row] = []
        self._wire.collected[number] = rows
        try:
            await self._wire.ask(number, "contents", collection)
        finally:
            del self._wire.collected[number]
        return self._decoder(collection)(rows)

    async def status(self) -> dict[str, Any]:
        """Counters, queues, the tick's number."""
        status = await self._ask("status")
        assert isinstance(status, dict)
        return status

    async def set_aside(self) -> list[Aside]:
        """The rows that made ticks fail, oldest first."""
        found: list[Aside] = []
        while page := await self._ask("set_aside", found[-1].number if found else 0):
            for number, collection, row, tick, reason in page:
                (form,) = self._decoder(collection)([row])
                found.append(Aside(number, collection, form, tick, reason))
        return found

    async def replay(self, numbers: Sequence[int] | None = None) -> int:
        """Give rows set aside (these, or all) to the next tick again; how many."""
        return int(await self._ask("replay", numbers))

    async def close(self) -> None:
        """Leave."""
        self._wire.close()
        await self._wire.gone

    async def gone(self) -> str:
        """Wait until the connection has ended; why."""
        await asyncio.shield(self._wire.gone)
        return self._wire.reason

    def _ask(self, verb: str, *arguments: object) -> asyncio.Future[Any]:
        return self._wire.ask(self._wire.next_number(), verb, *arguments)

    def _decoder(self, collection: str) -> Callable[[Any], list[Row]]:
        declared = self.collections.get(collection)
        if declared is None or not any(_holds_sets(one.type) for one in declared.columns):
            return lambda rows: rows
        values = Values()
        forms = [values.conform(one.type) for one in declared.columns]
        return lambda rows: [
            tuple(form(value) for form, value in zip(forms, row, strict=True)) for row in rows
        ]


class connect:
    """`async with connect(address) as node`, or `node = await connect(address)` and, later,
    `await node.close()`.

    `address` is `host:port`; or a node's name (`replica-0`) with `directory`, the
    file (or Directory) that says where a cluster's nodes are.  `tls` is the
    folder with ca.pem, host.pem and host.key, or the Credentials.
    """

    def __init__(
        self,
        address: str,
        *,
        directory: Directory | str | Path | None = None,
        tls: Credentials | str | Path | None = None,
        timeout: float = 10.0,
    ) -> None:
        self._address = address
        self._directory = directory
        self._tls = tls
        self._timeout = timeout
        self._node: Node | None = None

    def __await__(self) -> Generator[Any, None, Node]:
        return self._open().__await__()

    async def __aenter__(self) -> Node:
        self._node = await self._open()
        return self._node

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._node is not None:
            await self._node.close()

    def _find(self) -> tuple[Place, str, str]:
        """Where to dial, the cluster's and the node's name if they are known."""
        if self._directory is None:
            return parse_place(self._address), "", ""
        directory = self._directory
        if not isinstance(directory, Directory):
            directory = Directory.read(directory)
        return directory.find(self._address), directory.cluster, self._address

    async def _open(self) -> Node:
        wire: Wire | None = None
        try:
            (host, port), cluster, name = self._find()
            credentials = self._tls
            if credentials is not None and not isinstance(credentials, Credentials):
                credentials = Credentials.of(credentials, "host")
            context = credentials.client() if credentials is not None else None
            async with asyncio.timeout(self._timeout):
                _, wire = await asyncio.get_running_loop().create_connection(
                    lambda: Wire(cluster, name, credentials is not None), host, port, ssl=context
                )
                return Node(wire, await wire.welcome)
        except BaseException as fault:
            if wire is not None:
                wire.abort()
            raise self._clear(fault) from fault

    def _clear(self, fault: BaseException) -> BaseException:
        """What to tell about a connection that did not come about."""
        if isinstance(fault, TimeoutError):
            return NodeGone(f"{self._address} does not answer")
        if isinstance(fault, UnknownNode):
            return NodeGone(str(fault))
        if isinstance(fault, OSError):
            return NodeGone(f"{self._address} cannot be reached: {fault}")
        if isinstance(fault, ValueError):
            return NodeGone(f"{fault}; connect takes host:port, or a name with directory=...")
        return fault


def _parts(
    collection: str, rows: Sequence[Sequence[object]]
) -> Iterable[tuple[str, Sequence[Sequence[object]]]]:
    """One insert as messages that fit: one, unless it is very big."""
    if len(rows) > 1 and len(pack(rows[:1])) * len(rows) > FRAME_MAXIMUM // 16:
        # Worth measuring: the rows are many or long.
        if len(pack(rows)) > FRAME_MAXIMUM - (1 << 16):
            half = len(rows) // 2
            yield from _parts(collection, rows[:half])
            yield from _parts(collection, rows[half:])
            return
    yield collection, rows


def _type(plain: Any) -> ir.Type:
    """A type from what the node's welcome says."""
    if isinstance(plain, str):
        return ir.Plain(plain)  # type: ignore[arg-type]
    name, *args = plain
    parts = tuple(_type(arg) for arg in args)
    return ir.TupleOf(parts) if name == "tuple" else ir.Lattice(name, parts)


def _holds_sets(type_: ir.Type) -> bool:
    """Whether its values have sets in them, which come as arrays."""
    if isinstance(type_, ir.Plain):
        return False
    if isinstance(type_, ir.TupleOf):
        return any(map(_holds_sets, type_.items))
    core = structure(type_)
    return core.name in ("SetUnion", "Antichain") or any(map(_holds_sets, core.args))


def _ships(type_: ir.Type) -> bool:
    """Whether its values may hold dicts, which travel as pairs."""
    return not isinstance(type_, ir.Plain)


def _shipped(value: object) -> object:
    if isinstance(value, dict):
        return [(_shipped(key), _shipped(item)) for key, item in value.items()]
    if isinstance(value, (tuple, list)):
        return [_shipped(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return [_shipped(item) for item in value]
    return value

"""Clients of a running cluster, which record what they ask and what they are told.

Many clients share a host connection to a node.  A client has one operation under way.  What is not
answered in time, or whose node is lost, is `info`: its outcome is unknown, and the client goes on
as a process of another number.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from bloomish.runtime.chaos.loads import Load, Wanted
from bloomish.runtime.chaos.operations import NAMES, Part
from bloomish.runtime.cluster import RunningCluster
from bloomish.runtime.history import Event, Note, Type
from bloomish.runtime.host import Node, NodeGone, RowsSetAside, Watch

RETRY = 0.05
"""Seconds until a node that is lost is dialled again, if it is said to run."""


class Lost(Exception):
    """The outcome of an operation is unknown; the text says why."""


class Refused(Exception):
    """An operation was not executed, and will not be."""


@dataclass
class Recorder:
    """The events of one part's clients, in the order of their times."""

    lines: list[Event | Note] = field(default_factory=list)

    def note(self, text: str) -> None:
        """Something else that happened."""
        self.lines.append(Note(time.monotonic_ns(), text))

    def event(
        self, process: int, type_: Type, wanted: Wanted, value: Any, node: str, error: str = ""
    ) -> None:
        """One line about an operation, now."""
        self.lines.append(
            Event(time.monotonic_ns(), process, type_, wanted.f, wanted.key, value, error, node)
        )


@dataclass
class _Pending:
    part: Part
    f: str
    names: dict[str, Any]
    answer: asyncio.Future[Any]


class Access:
    """The host connection to one node, which all clients there share."""

    def __init__(self, cluster: RunningCluster, node: str, outputs: tuple[str, ...]) -> None:
        self.node = node
        self._cluster = cluster
        self._outputs = outputs
        self._host: Node | None = None
        self._there = asyncio.Event()
        self._pending: dict[int, _Pending] = {}
        self._numbers = itertools.count()

    async def stay(self) -> None:
        """Keeps the connection, and hands out answers, until cancelled."""
        while True:
            await self._cluster.runs(self.node)
            try:
                async with self._cluster.connect(self.node) as host:
                    watches = [await host.watch(name) for name in self._outputs]
                    self._host = host
                    self._there.set()
                    async with asyncio.TaskGroup() as group:
                        for name, watch in zip(self._outputs, watches, strict=True):
                            group.create_task(self._hand_out(name, watch))
            except* NodeGone as gone:
                # Its process has died, and the cluster may not have heard of it yet.
                self._lose(str(gone.exceptions[0]))
                await asyncio.sleep(RETRY)

    def _lose(self, why: str) -> None:
        self._host = None
        self._there.clear()
        for one in self._pending.values():
            if not one.answer.done():
                one.answer.set_exception(Lost(why))

    async def _hand_out(self, output: str, watch: Watch[Any]) -> None:
        async for row in watch:
            for one in tuple(self._pending.values()):
                for pattern in one.part.forms[one.f].answers:
                    if pattern.collection != output or one.answer.done():
                        continue
                    found = pattern.answered(row, one.names)
                    if found is not None:
                        one.answer.set_result(found[0])

    async def there(self) -> None:
        """Wait until the node can be asked."""
        await self._there.wait()

    async def ask(self, part: Part, f: str, names: dict[str, Any], patience: float) -> Any:
        """One operation; raises Lost or Refused."""
        number = next(self._numbers)
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._pending[number] = _Pending(part, f, names, answer)
        try:
            async with asyncio.timeout(patience):
                if self._host is None:
                    raise Refused("the node is not there")
                await self._host.insert(part.forms[f].asks.collection, [part.row(f, names)])
                return await answer
        except RowsSetAside as fault:
            raise Refused(str(fault)) from None
        except NodeGone as fault:
            raise Lost(str(fault)) from None
        except TimeoutError:
            raise Lost(f"no answer within {patience:g} s") from None
        finally:
            del self._pending[number]
            if answer.done() and not answer.cancelled():
                answer.exception()  # it may have come when nobody waited any more


@dataclass
class Client:
    """One client: operations, one after the other, until it is stopped."""

    load: Load
    access: Access
    recorder: Recorder
    numbers: Iterator[int]
    """Of processes; all clients of a run share them."""
    ids: Iterator[int]
    patience: float
    answered: Callable[[Client, int], None]
    """Told of every answer, with the time of the invocation."""

    async def run(self, stopped: asyncio.Event) -> None:
        """Until stopped; what is then under way is waited for."""
        process, count = next(self.numbers), 0
        while not stopped.is_set():
            await self.access.there()
            count += 1
            if not await self._once(process, count):
                process, count = next(self.numbers), 0

    async def _once(self, process: int, count: int) -> bool:
        """One operation; whether the process goes on."""
        load, node = self.load, self.access.node
        wanted = load.wanted(process)
        names = dict.fromkeys(NAMES) | dict(wanted.names)
        names |= {"process": process, "number": count, "id": next(self.ids), "node": node}
        names["key"] = wanted.key
        self.recorder.event(process, "invoke", wanted, wanted.value, node)
        begun = time.monotonic_ns()
        try:
            answer = await self.access.ask(load.part, wanted.f, names, self.patience)
        except Lost as why:
            self.recorder.event(process, "info", wanted, None, node, str(why))
            load.lost(process, wanted)
            return False
        except Refused as why:
            self.recorder.event(process, "fail", wanted, None, node, str(why))
            return True
        self.recorder.event(process, "ok", wanted, answer, node)
        load.learned(process, wanted, answer)
        self.answered(self, begun)
        return True

"""Customers of the replicated carts: they put things into carts, check out, wait for a receipt.

A session belongs to one customer, who uses one device or several.  Each device sends its share of
the changes, the first one then the checkout, with the list of what its screen shows.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import count

from bloomish.runtime.cluster import RunningCluster
from bloomish.runtime.host import Node

CHANGES = 4
OPERATIONS = CHANGES + 1
"""Of a session: changes and the checkout."""
REPLICAS = ("replica-0", "replica-1", "replica-2")
SHOPPERS = ("shopper-0", "shopper-1", "shopper-2")
END = "seal.end"
"""Where a seal was inserted: by this input a device says that a session has no more."""


@dataclass
class Session:
    """What was asked for, when, and what each replica printed."""

    name: str
    asked: float = 0.0
    receipts: dict[str, int] = field(default_factory=dict)
    first: asyncio.Event = field(default_factory=asyncio.Event)
    answered: float = 0.0


@dataclass
class Shop:
    """The carts of a running cluster, as its customers see them."""

    cluster: RunningCluster
    hosts: dict[str, Node] = field(default_factory=dict)
    sessions: dict[str, Session] = field(default_factory=dict)
    _numbers: count[int] = field(default_factory=count)
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    _readers: list[asyncio.Task[None]] = field(default_factory=list)

    async def __aenter__(self) -> Shop:
        for name in (*REPLICAS, *SHOPPERS):
            host = self.cluster.connect(name)
            self.hosts[name] = await self._stack.enter_async_context(host)
        self._readers = [asyncio.create_task(self._read(name)) for name in REPLICAS]
        return self

    async def __aexit__(self, *_: object) -> None:
        for reader in self._readers:
            reader.cancel()
        await asyncio.gather(*self._readers, return_exceptions=True)
        await self._stack.aclose()

    async def _read(self, replica: str) -> None:
        async for name, _, quantity in self.hosts[replica].watch("receipt"):
            session = self.sessions[name]  # type: ignore[index]
            session.receipts[replica] = int(quantity)  # type: ignore[call-overload]
            if not session.first.is_set():
                session.answered = time.perf_counter()
                session.first.set()

    async def shop(self, devices: Sequence[str]) -> Session:
        """A session up to its checkout; its receipts are still to come."""
        session = Session(f"s{next(self._numbers)}")
        self.sessions[session.name] = session
        for place, device in enumerate(devices):
            mine = range(place, CHANGES, len(devices))
            rows = [(session.name, request, "milk", 1) for request in mine]
            await self.hosts[device].insert("do", rows)
        session.asked = time.perf_counter()
        await self.hosts[devices[0]].insert("pay", [(session.name, tuple(range(CHANGES)))])
        if END in self.hosts[devices[0]].collections:
            ends = (self.hosts[one].insert(END, [(session.name,)]) for one in SHOPPERS)
            await asyncio.gather(*ends)
        return session

    async def customer(self, devices: Sequence[str], until: float) -> None:
        """Session after session, each when the one before has its first receipt."""
        while time.perf_counter() < until:
            session = await self.shop(devices)
            await session.first.wait()

    async def sent(self) -> int:
        """The rows that all nodes have sent so far."""
        statuses = await self.cluster.status()
        return sum(one["counters"]["rows_out"] for one in statuses.values())


def quantiles(seconds: Sequence[float]) -> tuple[float, float]:
    """The median and the 99th percentile."""
    ordered = sorted(seconds)
    return ordered[len(ordered) // 2], ordered[len(ordered) * 99 // 100]


def disagreeing(sessions: Sequence[Session]) -> int:
    """Of how many sessions two replicas printed different receipts."""
    return sum(len(set(one.receipts.values())) > 1 for one in sessions)

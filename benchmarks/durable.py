"""Durable state: what it costs beside tables in memory, and the replicated store beside etcd.

A commit is an SQLite transaction and a sync; a tick is a commit, so what shares a tick shares a
sync.  etcd (Debian's etcd-server) runs three members on this machine, as we run three replicas;
its clients speak gRPC to the leader, ours are sessions of a client node, a message each to the
leader.  Puts and gets in turn, all linearizable, 16-byte values, a sync per commit on both sides.

With one client we lose: on a command's way are two syncs one after the other, of the votes and of
what the leader has applied, and six hops between Python processes; etcd answers after the first
sync, applies in memory, and reads without writing to its log.  With more clients the syncs are
shared, and what counts is the processor time per command.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import etcd
from benchmarks.etcd import Played
from benchmarks.programs.sessions import SAMPLED, WORDS
from benchmarks.row import Row
from bloomish.runtime.cluster import launch
from bloomish.runtime.host import Node

PROGRAM = str(Path(__file__).parent / "programs" / "durable.py")
KEPT = f"{PROGRAM}:Kept"
STORE = f"{PROGRAM}:cluster"
CLIENTS = (1, 16, 64)
WRITERS = 64
TURNS = 3
FRESH = itertools.count()
"""Values that no key has had: a row that changes nothing is no commit."""


def run(quick: bool) -> Iterable[Row]:
    """All figures."""
    seconds = 1.0 if quick else 4.0
    yield from asyncio.run(_cost(seconds))
    yield asyncio.run(_restart(20_000 if quick else 200_000))
    yield from asyncio.run(_beside_etcd(1.0 if quick else 4.0))


# ------------------------------------------------------------- with and without a disk


async def _cost(seconds: float) -> list[Row]:
    """The same load on a node with a file and on one without, in turns."""
    loads = [
        ("single rows, one after the other", 1, 1),
        (f"single rows, {WRITERS} at a time", WRITERS, 1),
        ("batches of 100 rows", 1, 100),
        ("batches of 10,000 rows", 1, 10_000),
    ]
    rows = []
    with TemporaryDirectory() as folder:
        async with launch(KEPT, data=folder) as durable, launch(KEPT) as volatile:
            disk = await durable.connect("kept-0")
            memory = await volatile.connect("kept-0")
            for name, writers, batch in loads:
                best = {disk: (0.0, 0.0), memory: (0.0, 0.0)}
                for _ in range(TURNS):
                    for node in best:
                        best[node] = max(best[node], await _written(node, writers, batch, seconds))
                rate, commits = best[disk]
                rows.append(
                    Row(
                        name,
                        "rows/s",
                        rate,
                        "in memory",
                        best[memory][0],
                        rate / best[memory][0],
                        note=f"{commits:,.0f} commits/s",
                    )  # fmt: skip
                )
    return rows


async def _written(node: Node, writers: int, batch: int, seconds: float) -> tuple[float, float]:
    """Rows and commits per second: hosts that write, each waiting until its rows are committed."""
    deadline = time.perf_counter() + seconds
    written = 0

    async def write(place: int) -> None:
        nonlocal written
        while time.perf_counter() < deadline:
            first = (place * 7919 + written) % 100_000
            rows = [(first + number, f"{next(FRESH):016d}") for number in range(batch)]
            await node.insert("write", rows)
            written += batch

    before = (await node.status())["counters"]["commits"]
    started = time.perf_counter()
    await asyncio.gather(*map(write, range(writers)))
    elapsed = time.perf_counter() - started
    commits = (await node.status())["counters"]["commits"] - before
    return written / elapsed, commits / elapsed


async def _restart(rows: int) -> Row:
    """A node that comes back reads and checks all that it has."""
    with TemporaryDirectory() as folder:
        async with launch(KEPT, data=folder) as cluster, cluster.connect("kept-0") as node:
            for start in range(0, rows, 10_000):
                await node.insert("write", [(start + n, f"{n:016d}") for n in range(10_000)])
        started = time.perf_counter()
        async with launch(KEPT, data=folder) as cluster:
            full = time.perf_counter() - started
            async with cluster.connect("kept-0") as node:
                assert len(await node.contents("kept")) == rows
        started = time.perf_counter()
        async with launch(KEPT):
            empty = time.perf_counter() - started
    return Row(
        f"restart with {rows:,} rows", "s", full, "an empty node", empty, full / empty,
        note="read, checked against their digest",
    )  # fmt: skip


# --------------------------------------------------------------------- beside etcd


async def _beside_etcd(seconds: float) -> list[Row]:
    """Both clusters stand, one of them works: in turns, so that both see the same machine."""
    if not etcd.there():
        note = "etcd is not installed (apt-get install etcd-server)"
        return [Row("replicated store beside etcd", "", 0.0, note=f"skipped: {note}")]
    words = [(f"key{n:05d}", f"{n:016d}") for n in range(WORDS)]
    ours: dict[int, list[Played]] = {clients: [] for clients in CLIENTS}
    theirs: dict[int, list[Played]] = {clients: [] for clients in CLIENTS}
    with TemporaryDirectory() as folder:
        async with (
            etcd.leader(Path(folder) / "etcd") as channel,
            launch(STORE, data=Path(folder) / "ours") as cluster,
            cluster.connect("client-0") as client,
        ):
            await client.insert("word", [(n, *word) for n, word in enumerate(words)])
            calls = _Calls(client)
            await etcd.played(channel, 16, seconds / 4, words)
            await calls.play(16, seconds / 4)
            for _ in range(TURNS):
                for clients in CLIENTS:
                    theirs[clients].append(await etcd.played(channel, clients, seconds, words))
                    ours[clients].append(await calls.play(clients, seconds))
    return [
        row
        for clients in CLIENTS
        for row in _compared(clients, _best(ours[clients]), _best(theirs[clients]))
    ]


def _best(turns: list[Played]) -> Played:
    return max(turns, key=lambda one: one.rate)


def _compared(clients: int, mine: Played, peer: Played) -> Iterator[Row]:
    name = f"replicated store, {clients} client{'s' * (clients > 1)}"
    ratio = mine.rate / peer.rate
    wanted = clients > 1
    yield Row(
        name, "operations/s", mine.rate, f"etcd {etcd.version()}", peer.rate, ratio,
        ">= 1x" if wanted else "", ratio >= 1 if wanted else None,
        "half of them reads, a sync per commit on both",
    )  # fmt: skip
    for part, share in (("p50", 0.5), ("p99", 0.99)):
        low, high = mine.latency(share), peer.latency(share)
        yield Row(f"{name}, {part}", "ms", low, "etcd", high, low / high)


class _Calls:
    """The sessions of a client node."""

    def __init__(self, client: Node) -> None:
        self._client = client
        self._done = client.watch("done")
        self._took = client.watch("took", limit=10_000_000)
        self._last = 0

    async def play(self, clients: int, seconds: float) -> Played:
        """About so many seconds: a short run says how many calls that is."""
        each = 20
        short = await self._play(clients, each)
        return await self._play(clients, max(each, round(each * seconds / short.seconds)))

    async def _play(self, clients: int, each: int) -> Played:
        first, self._last = self._last + 1, self._last + each
        started = time.perf_counter()
        await self._client.insert("go", [(one, first, self._last) for one in range(clients)])
        await self._done.take(clients)
        seconds = time.perf_counter() - started
        took = await self._took.take(each * min(clients, SAMPLED))
        return Played(clients * each, seconds, [row[0] for row in took])  # type: ignore[misc]

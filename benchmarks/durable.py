"""Durable state: what it costs beside tables in memory, and the replicated store beside etcd.

A commit is an SQLite transaction and a sync; a tick is a commit, so what shares a tick shares a
sync.  etcd (Debian's etcd-server) runs three members on this machine, as we run three replicas;
its clients speak gRPC to the leader, ours are sessions of a client node, a message each to the
leader.  Puts and gets in turn, all linearizable, 16-byte values, a sync per commit on both sides.

What is compared plays in turns, so that both see the same machine; a figure is the median of its
turns.

With one client we lose: on a command's way are two syncs one after the other, of the votes and of
what the leader has applied, and six hops between Python processes; etcd answers after the first
sync and applies in memory.  With more clients the syncs are shared, and what counts is the
processor time per command.  Both read without writing to the log, once a majority has confirmed
the leader.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks import etcd
from benchmarks.closed_loop import WARM, Sessions
from benchmarks.etcd import Played
from benchmarks.programs.sessions import SAMPLED, WORDS
from benchmarks.row import Row
from bloomish.runtime.cluster import launch
from bloomish.runtime.host import Node

log = logging.getLogger(__name__)
PROGRAM = str(Path(__file__).parent / "programs" / "durable.py")
KEPT = f"{PROGRAM}:Kept"
STORE = f"{PROGRAM}:cluster"
CLIENTS = (1, 16, 64)
WRITERS = 64
LOADS = (
    ("single rows, one after the other", 1, 1),
    (f"single rows, {WRITERS} at a time", WRITERS, 1),
    ("batches of 100 rows", 1, 100),
    ("batches of 10,000 rows", 1, 10_000),
)
FRESH = itertools.count()
"""Values that no key has had: a row that changes nothing is no commit."""


def run(quick: bool) -> Iterable[Row]:
    """All figures."""
    turns = 3 if quick else 5
    yield from asyncio.run(_cost(turns, 0.5 if quick else 1.0))
    yield asyncio.run(_restart(20_000 if quick else 200_000))
    yield from asyncio.run(_beside_etcd(turns, 0.5 if quick else 1.25))


# ------------------------------------------------------------- with and without a disk


async def _cost(turns: int, seconds: float) -> list[Row]:
    """The same load on a node with a file and on one without."""
    rows = []
    with TemporaryDirectory() as folder:
        async with launch(KEPT, data=folder) as durable, launch(KEPT) as volatile:
            disk = await durable.connect("kept-0")
            memory = await volatile.connect("kept-0")
            for name, writers, batch in LOADS:
                seen: dict[Node, list[tuple[float, float]]] = {disk: [], memory: []}
                for turn in range(turns):
                    log.info("%s, turn %d of %d", name, turn + 1, turns)
                    for node in seen:
                        seen[node].append(await _written(node, writers, batch, seconds))
                kept, held = (median(rate for rate, _ in seen[node]) for node in (disk, memory))
                commits = median(commits for _, commits in seen[disk])
                note = f"{commits:,.0f} commits/s; {_medians(turns)}"
                rows.append(Row(name, "rows/s", kept, "in memory", held, kept / held, note=note))
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


async def _beside_etcd(turns: int, seconds: float) -> list[Row]:
    """Both clusters stand, one of them works."""
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
            for clients in CLIENTS:  # both warm up
                log.info("%s, warming up", _store(clients))
                await etcd.played(channel, clients, seconds / 4, words)
                await calls.warm_up(clients, seconds)
            for turn, clients in itertools.product(range(turns), CLIENTS):
                log.info("%s, turn %d of %d", _store(clients), turn + 1, turns)
                theirs[clients].append(await etcd.played(channel, clients, seconds, words))
                ours[clients].append(await calls.play(clients, seconds))
    return [
        row for clients in CLIENTS for row in _compared(clients, ours[clients], theirs[clients])
    ]


class _Calls:
    """The sessions of a client node."""

    def __init__(self, client: Node) -> None:
        self._sessions = Sessions(client)
        self._took = client.watch("took", limit=10_000_000)
        self._each: dict[int, int] = {}
        """How many calls of each client will take as long as a turn is to take."""

    async def warm_up(self, clients: int, seconds: float) -> None:
        before = self._sessions.last
        self._each[clients] = await self._sessions.filling(clients, seconds)
        await self._took.take((self._sessions.last - before) * min(clients, SAMPLED))

    async def play(self, clients: int, seconds: float) -> Played:
        """About so many seconds, by what the turn before has shown."""
        each = self._each[clients]
        elapsed = await self._sessions.play(clients, each)
        took = await self._took.take(each * min(clients, SAMPLED))
        self._each[clients] = max(WARM, round(each * seconds / elapsed))
        return Played(clients * each, elapsed, [row[0] for row in took])  # type: ignore[misc]


def _compared(clients: int, ours: list[Played], theirs: list[Played]) -> Iterator[Row]:
    name, wanted = _store(clients), clients > 1
    mine, peer = (median(one.rate for one in turns) for turns in (ours, theirs))
    yield Row(
        name, "operations/s", mine, f"etcd {etcd.version()}", peer, mine / peer,
        ">= 1x" if wanted else "", mine >= peer if wanted else None,
        f"half reads, a sync per commit on both; {_medians(len(ours))}",
    )  # fmt: skip
    for part, share in (("p50", 0.5), ("p99", 0.99)):
        low, high = (median(one.latency(share) for one in turns) for turns in (ours, theirs))
        yield Row(f"{name}, {part}", "ms", low, "etcd", high, low / high)


def _store(clients: int) -> str:
    return f"replicated store, {clients} client{'s' * (clients > 1)}"


def _medians(turns: int) -> str:
    return f"medians of {turns} turns"

"""Consensus between processes: throughput, latency, and messages beside the protocols' formulas.

Multi-Paxos as `programs/multipaxos.py` has it: three replicas with the key-value store on top, and
a process with 100 sessions, each of which sends its next 16-byte command when the last is answered.
The echo beside it is what bare asyncio gives as many clients: one process that answers, one with
100 connections, nothing replicated.  Two-phase commit is measured in `commit.py`.  Figures from the
literature are printed as such: they were taken elsewhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.bare_clients import answered
from benchmarks.closed_loop import Sessions
from benchmarks.commit import figures
from benchmarks.counting import quiet, sent
from benchmarks.programs.sessions import SAMPLED, WORDS
from benchmarks.row import Row, at_most
from bloomish.runtime.cluster import RunningCluster, launch
from bloomish.runtime.host import Node

TARGET = str(Path(__file__).parent / "programs" / "consensus.py")
REPLICAS = 3
CLIENTS = 100
HYDRO = 207_000
BUD = 168


@dataclass(frozen=True)
class Measured:
    """One run."""

    operations: int
    seconds: float
    batches: int
    rows: float
    """Rows that all nodes sent, but for what the failure detector says all the time."""
    frames: float
    resent: int
    latencies: list[float]

    @property
    def rate(self) -> float:
        return self.operations / self.seconds

    @property
    def batch(self) -> float:
        return self.operations / self.batches

    def latency(self, share: float) -> float:
        """In milliseconds."""
        return sorted(self.latencies)[int(len(self.latencies) * share)] * 1000


def run(quick: bool) -> Iterable[Row]:
    """All figures."""
    seconds = 3.0 if quick else 10.0
    echo = asyncio.run(answered(CLIENTS, seconds / 2))
    memory = asyncio.run(multipaxos(seconds, None))
    yield Row(
        "Multi-Paxos in memory", "commands/s", memory.rate, f"echo to {CLIENTS} connections",
        echo, memory.rate / echo, ">= 30,000", memory.rate >= 30_000,
        f"{REPLICAS} replicas, {CLIENTS} sessions, {memory.batch:.0f} commands a batch",
    )  # fmt: skip
    yield from _latency("Multi-Paxos in memory", memory)
    yield from _messages(memory)
    with TemporaryDirectory() as folder:
        durable = asyncio.run(multipaxos(seconds, folder))
    yield Row(
        "Multi-Paxos durable", "commands/s", durable.rate, "in memory", memory.rate,
        durable.rate / memory.rate, note=f"a sync per commit, {durable.batch:.0f} a batch",
    )  # fmt: skip
    yield from _latency("Multi-Paxos durable", durable)
    for name, figure in (("Hydro's Paxos in its CI, 4 vCPUs", HYDRO), ("Bud's quorum round", BUD)):
        yield Row(
            "Multi-Paxos beside the literature", "commands/s", memory.rate, name, figure,
            memory.rate / figure, note="not of this machine",
        )  # fmt: skip
    yield from figures(quick)


def _latency(name: str, measured: Measured) -> Iterable[Row]:
    for part, share in (("p50", 0.5), ("p99", 0.99)):
        note = f"of {len(measured.latencies):,} commands of {SAMPLED} sessions"
        yield Row(f"{name}, {part}", "ms", measured.latency(share), note=note)


def _messages(measured: Measured) -> Iterable[Row]:
    """A request and an answer per command; per batch `accept`, `voted` and `decide`, to or from
    each replica that does not lead."""
    per_batch = 3 * (REPLICAS - 1)
    formula = 2 + per_batch / measured.batch
    per_command = measured.rows / measured.operations
    yield Row(
        "messages per command", "rows", per_command, f"2 + {per_batch} / batch", formula,
        per_command / formula, "+- 1 %", abs(per_command / formula - 1) <= 0.01,
        f"{measured.resent:,} repeated by the resend timer",
    )  # fmt: skip
    agreeing = (measured.rows - 2 * measured.operations) / measured.batches
    yield Row(
        "messages per batch among replicas", "rows", agreeing, "3 (n - 1)", per_batch,
        agreeing / per_batch,
    )  # fmt: skip
    yield at_most(
        "frames per command", "", measured.frames / measured.operations, formula,
        note="what is for one peer leaves in one frame",
    )  # fmt: skip


async def multipaxos(seconds: float, data: str | None) -> Measured:
    """About so many seconds of load."""
    async with _cluster(data) as (cluster, client, leader):
        sessions = Sessions(client)
        took = await client.watch("took", limit=10_000_000)
        each = await sessions.filling(CLIENTS, seconds)
        await took.take(sessions.last * SAMPLED)
        before, slot = await sent(cluster), await _slot(leader)
        elapsed = await sessions.play(CLIENTS, each)
        rows, frames, resent = await quiet(cluster, before)
        return Measured(
            operations=CLIENTS * each,
            seconds=elapsed,
            batches=await _slot(leader) - slot,
            rows=rows,
            frames=frames,
            resent=resent,
            latencies=[one[0] for one in await took.take(each * SAMPLED)],  # type: ignore[misc]
        )


@asynccontextmanager
async def _cluster(data: str | None) -> AsyncIterator[tuple[RunningCluster, Node, Node]]:
    async with launch(TARGET, data=data) as cluster:
        client = await cluster.connect("client-0")
        await client.insert("word", [(n, f"key{n:05d}", f"val{n:05d}") for n in range(WORDS)])
        yield cluster, client, await cluster.connect("replica-0")


async def _slot(leader: Node) -> int:
    ((slot, _),) = await leader.contents("current")
    return int(slot)  # type: ignore[call-overload,no-any-return]

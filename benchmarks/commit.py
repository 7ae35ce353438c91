"""Two-phase commit between processes: throughput, and messages beside the protocol's formula.

One coordinator, three participants, each a process; 100 sessions at the coordinator's node, each
of which begins its next transaction when its last one is decided.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.closed_loop import Sessions
from benchmarks.counting import quiet, sent
from benchmarks.row import Row, at_most
from bloomish.runtime.cluster import launch

TARGET = str(Path(__file__).parent / "programs" / "commit.py")
PARTICIPANTS = 3
SESSIONS = 100
WANTED = 20_000


@dataclass(frozen=True)
class Measured:
    """One run."""

    transactions: int
    seconds: float
    rows: float
    frames: float
    resent: int

    @property
    def rate(self) -> float:
        return self.transactions / self.seconds


def figures(quick: bool) -> Iterable[Row]:
    """What `python -m benchmarks consensus` shows of it."""
    measured = asyncio.run(committed(3.0 if quick else 10.0))
    yield Row(
        "two-phase commit in memory", "transactions/s", measured.rate,
        target=f">= {WANTED:,}", met=measured.rate >= WANTED,
        note=f"{PARTICIPANTS} participants, {SESSIONS} sessions at the coordinator",
    )  # fmt: skip
    formula = 4 * PARTICIPANTS
    each = measured.rows / measured.transactions
    yield Row(
        "messages per transaction", "rows", each, "4n: request, vote, decision, acknowledgement",
        formula, each / formula, "+- 1 %", abs(each / formula - 1) <= 0.01,
        f"{measured.resent:,} repeated by the resend timer",
    )  # fmt: skip
    yield at_most(
        "frames per transaction", "", measured.frames / measured.transactions, formula,
        note="what is for one peer leaves in one frame",
    )  # fmt: skip


async def committed(seconds: float) -> Measured:
    """About so many seconds of load."""
    async with launch(TARGET) as cluster:
        sessions = Sessions(await cluster.connect("coordinator-0"))
        each = await sessions.filling(SESSIONS, seconds)
        before = await sent(cluster)
        elapsed = await sessions.play(SESSIONS, each)
        rows, frames, resent = await quiet(cluster, before)
        return Measured(SESSIONS * each, elapsed, rows, frames, resent)

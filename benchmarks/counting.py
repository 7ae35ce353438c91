"""What the nodes of a cluster have sent, less what they say to each other when nothing happens."""

from __future__ import annotations

import asyncio
import time

from bloomish.runtime.cluster import RunningCluster

Sent = tuple[float, int, int, int]
"""When, and until then: rows, frames, rows that were sent again."""


async def sent(cluster: RunningCluster) -> Sent:
    """What all nodes have sent by now."""
    status = await cluster.status()
    counters = [one["counters"] for one in status.values()]
    sums = [sum(one[name] for one in counters) for name in ("rows_out", "frames_out")]
    return time.perf_counter(), sums[0], sums[1], sum(one["rows_resent"] for one in counters)


async def quiet(cluster: RunningCluster, before: Sent) -> tuple[float, float, int]:
    """Rows and frames sent since, less what is sent in as long when nothing happens; and how many
    rows were sent again."""
    await asyncio.sleep(0.5)
    loaded = await sent(cluster)
    await asyncio.sleep(2.0)
    idle = await sent(cluster)
    share = (loaded[0] - before[0]) / (idle[0] - loaded[0])
    rows, frames = (loaded[n] - before[n] - share * (idle[n] - loaded[n]) for n in (1, 2))
    return rows, frames, loaded[3] - before[3]

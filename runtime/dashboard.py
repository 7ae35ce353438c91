"""Live counters of a running cluster, on a terminal."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table

from bloomish.runtime.cluster import RunningCluster

INTERVAL = 0.25
COLUMNS = ("node", "state", "tick", "rows in", "rows out", "queued", "refused", "set aside", "lost")


async def show(cluster: RunningCluster) -> None:
    """Show the counters until cancelled."""
    console = Console(stderr=True)
    # Watched rows on the same terminal appear above the table; into a pipe they go untouched.
    with Live(
        _table(cluster, {}),
        console=console,
        auto_refresh=False,
        transient=True,
        redirect_stdout=sys.stdout.isatty(),
        redirect_stderr=True,
    ) as live:
        while True:
            live.update(_table(cluster, await cluster.status()), refresh=True)
            await asyncio.sleep(INTERVAL)


def _table(cluster: RunningCluster, statuses: Mapping[str, Mapping[str, Any]]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in COLUMNS:
        table.add_column(column, justify="left" if column in ("node", "state") else "right")
    for name, member in cluster.members.items():
        status = statuses.get(name)
        if status is None:
            table.add_row(name, member.state)
            continue
        counters = status["counters"]
        queued = sum(frames for frames, _ in status["queues"].values())
        cells = (
            status["tick"],
            counters["rows_in"],
            counters["rows_out"],
            queued,
            counters["rows_refused"] + counters["frames_refused"],
            counters["rows_set_aside"],
            counters["rows_lost"],
        )
        table.add_row(name, member.state, *(f"{cell:,}" for cell in cells))
    return table

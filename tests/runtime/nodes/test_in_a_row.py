"""Ticks in a row on real nodes: their outputs in order, one commit, every tick in a trace."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bloomish.runtime.cluster import launch
from bloomish.runtime.evaluators import engine_built
from bloomish.runtime.trace import TickRecord, read
from tests.runtime.nodes.support import HERE, counter, going

EVALUATORS = ["reference", *(["engine"] if engine_built() else [])]
APPLYING = str(HERE / "in_a_row.py")
SLOTS = 100


@pytest.mark.parametrize("which", EVALUATORS)
@going
async def test_a_log_is_applied_in_order_and_lasts(which: str, tmp_path: Path) -> None:
    slots = range(1, SLOTS + 1)
    async with launch(APPLYING, data=tmp_path, evaluator=which) as cluster:
        async with cluster.connect("log-0") as node:
            current = await node.changes("current")
            await node.insert("append", [(slot, f"k{slot % 7}") for slot in slots])
            changes = await current.take(2 * SLOTS)
            assert [one.row[0] for one in changes if one.added] == list(slots)
            assert [one.row[0] for one in changes if not one.added] == list(slots)
            ticks = [one.tick for one in changes if one.added]
            assert ticks == list(range(ticks[0], ticks[0] + SLOTS))
            assert await counter(cluster, "log-0", "ticks") >= SLOTS
            state = await node.contents("state")
    async with launch(APPLYING, data=tmp_path, evaluator=which) as cluster:
        async with cluster.connect("log-0") as node:
            assert await node.contents("applied") == [(SLOTS + 1,)]
            assert await node.contents("state") == state


@going
async def test_a_trace_has_every_tick(tmp_path: Path) -> None:
    file = tmp_path / "trace.jsonl"
    async with launch(APPLYING, trace=file) as cluster, cluster.connect("log-0") as node:
        current = await node.changes("current")
        await node.insert("append", [(slot, "k") for slot in range(1, 51)])
        await current.take(100)
    records = read(file.read_text().splitlines(keepends=True))
    ticks = [one.tick for one in records if isinstance(one, TickRecord)]
    assert ticks == list(range(1, ticks[-1] + 1)) and len(ticks) >= 50


@going
async def test_a_tick_that_fails_after_others_keeps_what_they_did(tmp_path: Path) -> None:
    """Nothing that arrived makes it fail, so nothing can be set aside: the node stops."""
    async with launch(APPLYING, data=tmp_path) as cluster:
        async with cluster.connect("log-0") as node:
            current = await node.watch("current")
            await node.insert("append", [(1, "a"), (2, "b"), (3, "fail")])
            assert await current.take(2) == [(1,), (2,)]
        await cluster.wait_for("dead", "log-0")
        assert "division by zero" in cluster.members["log-0"].reason
    with closing(sqlite3.connect(tmp_path / "log-0.sqlite")) as db:
        assert db.execute("SELECT * FROM applied").fetchall() == [(3,)]

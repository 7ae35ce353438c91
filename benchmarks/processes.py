"""Nodes as processes: echo, rows one way, start-up, import, memory.

The peer of the echo is a bare asyncio.Protocol between two processes, played in
turns with ours so that both see the same machine; the best of each counts.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import psutil

from benchmarks.bare_echo import played
from benchmarks.row import Row, at_least, at_most, beside
from bloomish.runtime.cluster import RunningCluster, launch
from bloomish.runtime.framing import PROTOCOL, Kind, framed, pack
from bloomish.runtime.host import Node

HERE = Path(__file__).parent
WIRE = str(HERE / "programs" / "wire.py")
KVS = str(HERE.parent / "programs" / "kvs.py")
PAYLOAD = 44
"""Bytes of our ball on the wire, its length included."""
TURNS = 15
STRINGS = 10_000_000
STRINGS_FIRST = 100_000
STRINGS_FRAME = 10_000
BATCHES = (1_000, 10_000, 100_000, 1_000_000)


def run(quick: bool) -> Iterable[Row]:
    """All figures."""
    yield _import_time(3 if quick else 7)
    yield _start_up(2 if quick else 5)
    yield from asyncio.run(_between_two_nodes(quick))
    yield asyncio.run(_memory(STRINGS // 10 if quick else STRINGS))


def _import_time(turns: int) -> Row:
    """`import bloomish` beside a Python that imports nothing."""
    best = [_seconds("pass", turns), _seconds("import bloomish", turns)]
    return at_most("import bloomish", "s", best[1] - best[0], 0.15)


def _seconds(code: str, turns: int) -> float:
    def once() -> float:
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True, cwd=HERE.parent)
        return time.perf_counter() - started

    return min(once() for _ in range(turns))


def _start_up(turns: int) -> Row:
    """From nothing to three nodes that have taken their first tick."""

    async def once() -> float:
        started = time.perf_counter()
        async with launch(KVS):
            return time.perf_counter() - started

    return at_most("three nodes ready", "s", min(asyncio.run(once()) for _ in range(turns)), 2.0)


async def _between_two_nodes(quick: bool) -> list[Row]:
    async with launch(WIRE) as cluster:
        near = await cluster.connect("near-0")
        far = await cluster.connect("far-0")
        rows = [await _echo(near, 2_000)]
        for batch in BATCHES[: 2 if quick else None]:
            rows.append(await _one_way(cluster, near, far, batch, 3 if quick else 5))
        return rows


async def _echo(near: Node, rounds: int) -> Row:
    """Round trips with one message outstanding."""
    done = await near.watch("done")
    ours, bare = [], []
    for _ in range(TURNS):
        bare.append(rounds / await played(PAYLOAD, rounds))
        started = time.perf_counter()
        await near.insert("serve", [("far-0", rounds)])
        await done.take(1)
        ours.append(rounds / (time.perf_counter() - started))
    return beside(
        "echo between two nodes",
        "round trips/s",
        max(ours),
        "bare asyncio.Protocol",
        max(bare),
        at_least=0.6,
    )


async def _one_way(cluster: RunningCluster, near: Node, far: Node, batch: int, turns: int) -> Row:
    """Rows per second from one node's table into the other's ticks, a million in all."""
    got = await far.watch("got")
    for start in range(0, batch, 100_000):
        rows = [(batch, n) for n in range(start, min(batch, start + 100_000))]
        await near.insert("fill", rows)
    rounds = max(1, 1_000_000 // batch)
    best = 0.0
    for turn in range(turns):
        started = time.perf_counter()
        sends = asyncio.gather(
            *(
                near.insert("send", [("far-0", turn * rounds + round_, batch)])
                for round_ in range(rounds)
            )
        )
        arrived = 0
        while arrived < rounds * batch:
            arrived += sum(rows for (rows,) in await got.take(1))  # type: ignore[misc]
        best = max(best, arrived / (time.perf_counter() - started))
        await sends
    await got.close()
    await cluster.quiet(0.1)
    assert arrived == rounds * batch, "rows arrived twice"
    status = await cluster.status()
    lost = sum(one["counters"]["rows_lost"] for one in status.values())
    return at_least(
        f"one way, batches of {batch:,}", "rows/s", best, 1_000_000, note=f"{lost} lost"
    )


async def _memory(strings: int) -> Row:
    """A node's resident memory after so many distinct strings that it does not keep,
    beside that after the first hundred thousand.  We play the peer that sends them."""
    async with launch(WIRE) as cluster:
        far = await cluster.connect("far-0")
        process = cluster.members["far-0"].process
        assert process is not None
        resident = psutil.Process(process.pid).memory_info
        read = await far.watch("read")
        _, writer = await asyncio.open_connection(*cluster.directory.find("far-0"))
        hello = {"protocol": PROTOCOL, "cluster": cluster.directory.cluster, "from": "near-0"}
        hello |= {"to": "far-0", "incarnation": 99}
        writer.write(framed(pack([Kind.HELLO, hello])) + framed(pack([Kind.START, 1])))
        first = 0
        for start in range(0, strings, STRINGS_FRAME):
            rows = [("far-0", f"word {n}") for n in range(start, start + STRINGS_FRAME)]
            writer.write(framed(pack([Kind.ROWS, "near-0", {"Wire.word": rows}])))
            arrived = 0
            while arrived < STRINGS_FRAME:
                ((words,),) = await read.take(1)
                arrived += words  # type: ignore[operator]
            if start + STRINGS_FRAME == STRINGS_FIRST:
                first = resident().rss
        last = resident().rss
        writer.close()
    return beside(
        f"memory after {strings:,} strings",
        "MiB",
        last / 2**20,
        f"after {STRINGS_FIRST:,}",
        first / 2**20,
        at_most=1.2,
    )

"""The simulator: node ticks and states per second, faster than real time, LDFI to a verdict.

All of it runs in one thread, so what is counted is that thread's processor time.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.row import Row, at_least, at_most

HERE = Path(__file__).parent
DEDALUS = HERE.parent / "programs" / "dedalus"


def run(quick: bool) -> Iterator[Row]:
    """All figures."""
    yield from _world(60 if quick else 600)
    yield from _states(quick)
    yield from _ldfi()


def _world(seconds: int) -> Iterator[Row]:
    """Five nodes, a timer of half a second each, everyone sends to everyone."""
    from bloomish.runtime.sim.schedule import SECOND
    from bloomish.runtime.sim.stage import stage_of
    from bloomish.runtime.sim.world import World

    stage = stage_of(str(HERE / "programs" / "heartbeat.py"))
    world = World(stage, 1)
    for number, node in enumerate(stage.nodes):
        world.insert(node, "write", [(number, number)])
    started = time.process_time()
    world.run(seconds * SECOND)
    spent = time.process_time() - started
    evaluator = world.actors[stage.nodes[0]].evaluator.name
    note = f"{world.ticks:,} ticks, {world.messages:,} messages, {evaluator}"
    yield at_least(
        "heartbeat and replication, 5 nodes", "ticks/s", world.ticks / spent, 50_000, note=note
    )
    note = f"{seconds} virtual s in {spent:.2f} s"
    yield at_least("  virtual over real time", "x", seconds / spent, 500, note=note)


def _states(quick: bool) -> Iterator[Row]:
    from bloomish.runtime.sim.explore.space import Limits, explore
    from bloomish.runtime.sim.stage import stage_of
    from bloomish.runtime.sim.workload import systematic

    stage = stage_of(str(DEDALUS / "broadcast_acknowledged.ded"), ("a", "b", "c"))
    limits = Limits(states=20_000 if quick else 200_000, duplicates=0, reduce=False)
    started = time.process_time()
    space = explore(stage, systematic(stage, 1), limits)
    spent = time.process_time() - started
    note = f"{len(space.states):,} states, {space.steps:,} steps"
    yield at_least("exploration, 3 nodes", "states/s", len(space.states) / spent, 20_000, note=note)


def _ldfi() -> Iterator[Row]:
    from bloomish.readers.dedalus import read_dedalus
    from bloomish.runtime.sim.ldfi.faults import Bounds
    from bloomish.runtime.sim.ldfi.search import Attack

    paths = [DEDALUS / "two_phase_commit.ded", DEDALUS / "commit_agreement.ded"]
    program = read_dedalus(paths).program
    bounds = Bounds(("C", "a", "b", "d"), 9, 5, 1)
    started = time.process_time()
    verdict = Attack(program, bounds, limit=50).search()
    spent = time.process_time() - started
    note = f"{verdict.runs} executions, {'complete' if verdict.complete else 'stopped'}"
    yield at_most("ldfi: two-phase commit, 4 nodes, EOT 9", "s", spent, 10, note=note)

"""Applications that do not coordinate: each is flagged at its point of order, and goes wrong."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys

import pytest

from bloomish.analysis import check
from bloomish.runtime.cluster import launch
from bloomish.runtime.sim.explore.outcomes import outcomes
from bloomish.runtime.sim.explore.space import Limits, explore
from tests.programs.applications import APPLICATIONS, FLAGGED, Application

every = pytest.mark.parametrize("application", APPLICATIONS, ids=lambda one: one.name)


@every
def test_the_verdicts(application: Application) -> None:
    report = check(application.target)
    assert {one.collection: one.word for one in report.verdicts} == application.words
    points = {one.rule: one.kind for one in report.points if not one.guards}
    assert points == application.points


@every
def test_the_command_says_so(application: Application) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bloomish", "check", application.target],
        capture_output=True,
        text=True,
    )
    flagged = sum(word == FLAGGED for word in application.words.values())
    assert done.returncode == 1, done.stderr
    assert f"{flagged} need" in done.stdout.splitlines()[-1]


@every
def test_it_goes_wrong(application: Application) -> None:
    world = application.played(application.stage())
    assert application.wrong(world) == application.goes_wrong
    assert world.set_aside == 0


@every
def test_exploration_finds_it(application: Application) -> None:
    """Two ends of the same acts, or an invariant violated, within the first states."""
    stage = application.stage()
    stop = any(stage.collections("invariant"))
    space = explore(
        stage,
        application.inserts(),
        Limits(states=20_000, duplicates=0, stop_at_violation=stop),
    )
    if application.faults:
        assert not space.violations
    elif stop:
        assert {one.collection for one in space.violations} <= application.goes_wrong
        assert space.violations
    else:
        assert len(outcomes(space)) > 1


@every
def test_it_runs_on_processes(application: Application) -> None:
    async def run() -> dict[str, object]:
        async with launch(application.target) as cluster:
            for insert in application.inserts():
                async with cluster.connect(insert.node) as host:
                    await host.insert(insert.collection, list(insert.rows))
            await asyncio.sleep(0.3)
            return await cluster.status()

    status = asyncio.run(asyncio.wait_for(run(), 60))
    assert set(status) == set(application.stage().nodes)


def test_the_points_are_the_same_with_every_hash_seed() -> None:
    def said(seed: str) -> str:
        command = [sys.executable, "-m", "bloomish", "check", "bloomish.programs.first_come_lock"]
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        return subprocess.run(command, capture_output=True, text=True, env=environment).stdout

    assert len({said(str(seed)) for seed in range(4)}) == 1

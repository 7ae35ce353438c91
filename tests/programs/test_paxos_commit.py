"""Paxos Commit: all or nothing, and nobody in doubt as long as a majority of the nodes is up."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bloomish.analysis import check
from bloomish.runtime.cluster import launch
from bloomish.runtime.sim.schedule import SECOND, from_text
from bloomish.runtime.sim.stage import Stage, stage_of
from bloomish.runtime.sim.world import World
from tests.programs.campaigns import Campaign, world
from tests.programs.loads import commitments
from tests.programs.planted import Bug, found, planted
from tests.programs.planted.paxos_commit import BUGS

TARGET = "bloomish.programs.paxos_commit"
PARTICIPANTS = ("participant-0", "participant-1", "participant-2")


@pytest.fixture(scope="module")
def stage() -> Stage:
    return stage_of(TARGET)


def begun(stage: Stage, faults: str = "", veto: str = "", seed: int = 1) -> World:
    run = World(stage, seed, planned=from_text(faults, stage.nodes))
    if veto:
        run.insert(veto, "veto", [("t",)])
    run.at(SECOND // 10, run.insert, "node-1", "begin", [("t",)])
    return run


def outcomes(run: World) -> list[list[tuple[object, ...]]]:
    return [run.rows(node, "outcome") for node in PARTICIPANTS if run.actors[node].up]


def test_the_verdicts() -> None:
    assert {one.word for one in check(TARGET).verdicts} == {"protocol", "monotone"}


def test_unanimous_and_vetoed(stage: Stage) -> None:
    for veto, outcome in (("", True), ("participant-2", False)):
        run = begun(stage, veto=veto)
        run.run(SECOND)
        assert outcomes(run) == [[("t", outcome)]] * 3
        for node in ("node-0", "node-1"):  # the leader, and where it began
            assert run.rows(node, "result") == [("t", outcome)]


def test_a_dead_participant_aborts(stage: Stage) -> None:
    run = begun(stage, "crash participant-1 0.05")
    run.run(3 * SECOND)
    assert outcomes(run) == [[("t", False)]] * 2


def test_it_does_not_block_whenever_the_leader_dies(stage: Stage) -> None:
    """The same fall of the coordinator blocks two-phase commit for as long as it lasts."""
    seen = set()
    for step in range(20):
        run = begun(stage, f"crash node-0 {0.1 + step / 1000:.3f}")
        run.run(5 * SECOND)
        (known,) = {tuple(rows) for rows in outcomes(run)}
        assert len(known) == 1
        seen |= set(known)
    assert ("t", True) in seen


def test_all_faults(fresh_seeds: list[int]) -> None:
    Campaign(world("paxos_commit"), commitments).holds([*range(6), *fresh_seeds])


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_planted_bug_is_found(bug: Bug, tmp_path: Path) -> None:
    campaign = Campaign(planted(bug, "paxos_commit", tmp_path), commitments)
    assert found(campaign, bug) is not None


@pytest.mark.campaign
@pytest.mark.timeout(3_600)
def test_a_thousand_fresh_seeds(thousand_fresh_seeds: range) -> None:
    Campaign(world("paxos_commit"), commitments).holds(thousand_fresh_seeds)


def test_on_processes() -> None:
    async def session() -> None:
        async with launch(TARGET) as cluster:
            async with (
                cluster.connect("node-2") as node,
                cluster.connect("participant-0") as participant,
            ):
                done = participant.watch("done")
                await node.insert("begin", [("t1",)])
                assert await done.take(1) == [("t1", True)]
                await participant.insert("veto", [("t2",)])
                await node.insert("begin", [("t2",)])
                assert await done.take(1) == [("t2", False)]

    asyncio.run(asyncio.wait_for(session(), 60))

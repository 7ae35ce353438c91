"""Two-phase commit: all or nothing, whoever falls whenever; and it says where it is blocked."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bloomish.analysis import check
from bloomish.runtime.cluster import launch
from bloomish.runtime.sim.rates import Rates
from bloomish.runtime.sim.schedule import SECOND, Fault, NodeFault, from_text
from bloomish.runtime.sim.stage import Stage, stage_of
from bloomish.runtime.sim.world import World
from tests.programs.campaigns import Campaign, world
from tests.programs.loads import transactions
from tests.programs.planted import Bug, found, planted
from tests.programs.planted.two_phase_commit import BUGS

TARGET = "bloomish.programs.two_phase_commit"
PARTICIPANTS = ("participant-0", "participant-1", "participant-2")
START = SECOND * 13 // 100  # between two heartbeats


@pytest.fixture(scope="module")
def stage() -> Stage:
    return stage_of(TARGET)


def begun(stage: Stage, faults: tuple[Fault, ...] = (), veto: str = "", seed: int = 1) -> World:
    """One transaction begins at `START`."""
    run = World(stage, seed, planned=faults)
    if veto:
        run.at(START // 2, run.insert, veto, "veto", [("t",)])
    run.at(START, run.insert, "coordinator-0", "begin", [("t",)])
    return run


def outcomes(run: World) -> list[list[tuple[object, ...]]]:
    return [run.rows(node, "outcome") for node in PARTICIPANTS]


def test_the_verdicts() -> None:
    assert {one.word for one in check(TARGET).verdicts} == {"protocol", "monotone"}


def test_unanimous(stage: Stage) -> None:
    run = begun(stage)
    run.run(2 * START)
    assert outcomes(run) == [[("t", True)]] * 3
    assert run.shown("coordinator-0", "result") == [("t", True)]
    assert run.rows("coordinator-0", "committed") == []  # all know: forgotten


def test_one_veto(stage: Stage) -> None:
    run = begun(stage, veto="participant-1")
    run.run(2 * START)
    assert outcomes(run) == [[("t", False)]] * 3
    assert run.shown("coordinator-0", "result") == [("t", False)]


def test_messages_of_a_commit_and_of_an_abort(stage: Stage) -> None:
    """4n for a commit: request, vote, decision, acknowledgement.  An abort has no last one; a yes
    that comes after it is answered once more."""
    quiet = World(stage, 1)
    quiet.run(2 * START)
    for veto, messages in (("", {12}), ("participant-1", {9, 10, 11})):
        run = begun(stage, veto=veto)
        run.run(2 * START)
        assert run.messages - quiet.messages in messages


def moments(stage: Stage, veto: str) -> list[int]:
    """When anything happens in the run of one transaction."""
    run = begun(stage, veto=veto)
    times = []
    while run.now < START + SECOND // 20:
        run.run(ticks=1)
        times.append(run.now)
    return [time for time in sorted(set(times)) if time >= START - 1]


@pytest.mark.parametrize("veto", ["", "participant-1"])
def test_a_fall_at_every_step(stage: Stage, veto: str) -> None:
    """Every node falls just after every tick of the run, whosever it is, and comes back."""
    steps = moments(stage, veto)
    assert len(steps) > 10
    seen = set()
    for time in steps:
        for node in stage.nodes:
            fall = NodeFault("restart", node, time + 1, time + SECOND // 4)
            run = begun(stage, (fall,), veto)
            run.run(SECOND)
            known = {row for rows in outcomes(run) for row in rows}
            assert len(known) <= 1, f"{fall}: {outcomes(run)}"
            assert not any(run.rows(node, "in_doubt") for node in PARTICIPANTS), str(fall)
            assert not run.violations and not run.set_aside
            seen |= known
    assert seen == ({("t", False)} if veto else {("t", True), ("t", False)})


def test_it_blocks_and_says_so(stage: Stage) -> None:
    """The coordinator falls when it has all votes and nobody knows: all wait, and say for whom."""
    cut = "oneway coordinator-0>participant-0,participant-1,participant-2 0.1325-3"
    for seed in range(30):
        faults = from_text(f"{cut}; restart coordinator-0 0.14-3", stage.nodes)
        run = begun(stage, faults, seed=seed)
        run.run(2 * SECOND)
        doubts = [run.rows(node, "in_doubt") for node in PARTICIPANTS]
        if doubts != [[("t", "coordinator-0")]] * 3:
            continue
        assert [run.rows(node, "blocked") for node in PARTICIPANTS] == doubts
        assert outcomes(run) == [[]] * 3
        run.run(6 * SECOND)
        assert [run.rows(node, "blocked") for node in PARTICIPANTS] == [[]] * 3
        assert outcomes(run) in ([[("t", True)]] * 3, [[("t", False)]] * 3)
        return
    raise AssertionError("no run in which all were in doubt")


def test_a_silent_participant_aborts(stage: Stage) -> None:
    run = begun(stage, from_text("crash participant-2 0.05", stage.nodes))
    run.run(2 * SECOND)
    assert outcomes(run)[:2] == [[("t", False)]] * 2


def test_all_faults(fresh_seeds: list[int]) -> None:
    Campaign(world("two_phase_commit"), transactions).holds([*range(12), *fresh_seeds])


def test_loss_alone_delays_and_nothing_else() -> None:
    Campaign(world("two_phase_commit"), transactions, Rates(loss=0.4)).holds(range(3))


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_planted_bug_is_found(bug: Bug, tmp_path: Path) -> None:
    campaign = Campaign(planted(bug, "two_phase_commit", tmp_path), transactions)
    assert found(campaign, bug) is not None


@pytest.mark.campaign
@pytest.mark.timeout(3_600)
def test_a_thousand_fresh_seeds(thousand_fresh_seeds: range) -> None:
    Campaign(world("two_phase_commit"), transactions).holds(thousand_fresh_seeds)


def test_on_processes(tmp_path: Path) -> None:
    """A commit, a veto, and commits again when the coordinator was killed and is back."""

    async def session() -> None:
        async with launch(TARGET, data=tmp_path, restart="on-failure") as cluster:
            async with (
                cluster.connect("coordinator-0") as coordinator,
                cluster.connect("participant-1") as participant,
            ):
                done = participant.watch("done")
                await coordinator.insert("begin", [("t1",)])
                assert await done.take(1) == [("t1", True)]
                await participant.insert("veto", [("t2",)])
                await coordinator.insert("begin", [("t2",)])
                assert await done.take(1) == [("t2", False)]
                cluster.kill("coordinator-0")
                await cluster.wait_for("dead", "coordinator-0")
                await cluster.wait_for("running", "coordinator-0")
                async with cluster.connect("coordinator-0") as again:
                    for number in range(3, 100):  # aborted while the others are out of reach
                        await again.insert("begin", [(f"t{number}",)])
                        (row,) = await done.take(1)
                        if row[1]:
                            return
                    raise AssertionError("no commit")

    asyncio.run(asyncio.wait_for(session(), 60))

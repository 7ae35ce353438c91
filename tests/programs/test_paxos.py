"""Paxos: one decision, whatever happens; some decision, once a majority can talk."""

from __future__ import annotations

from pathlib import Path

import pytest

from bloomish.analysis import check
from bloomish.runtime.sim.random_runs import SAFETY
from bloomish.runtime.sim.rates import Rates
from bloomish.runtime.sim.schedule import SECOND, from_text
from bloomish.runtime.sim.stage import Stage, stage_of
from bloomish.runtime.sim.world import World
from tests.programs.campaigns import Campaign, world
from tests.programs.loads import rivals
from tests.programs.planted import Bug, found, planted
from tests.programs.planted.paxos import BUGS

TARGET = "bloomish.programs.paxos"
NODES = ("node-0", "node-1", "node-2")


@pytest.fixture(scope="module")
def stage() -> Stage:
    return stage_of(TARGET)


def decisions(run: World) -> dict[str, list[tuple[object, ...]]]:
    return {node: run.rows(node, "decided") for node in NODES}


def test_the_verdicts() -> None:
    assert {one.word for one in check(TARGET).verdicts} == {"protocol"}


def test_one_of_the_proposed_values_is_decided_and_all_learn_it(stage: Stage) -> None:
    for seed in range(10):
        run = World(stage, seed)
        for node, value in zip(NODES, ("red", "green", "blue"), strict=True):
            run.insert(node, "propose", [("colour", value)])
        run.run(SECOND)
        (decided,) = run.rows("node-0", "decided")
        assert decided in [("colour", value) for value in ("red", "green", "blue")]
        assert decisions(run) == dict.fromkeys(NODES, [decided])


def test_who_is_down(stage: Stage) -> None:
    """A minority does not matter; without a majority nothing is decided."""
    for down, settled in (([0], True), ([2], True), ([0, 2], False), ([1, 2], False)):
        crashes = "; ".join(f"crash node-{n} 0.1" for n in down)
        run = World(stage, 1, planned=from_text(crashes, NODES))
        run.run(SECOND)
        run.insert("node-1" if 1 not in down else "node-0", "propose", [("x", "1")])
        run.run(4 * SECOND)
        rows = [run.rows(node, "decided") for n, node in enumerate(NODES) if n not in down]
        assert rows == [[("x", "1")] if settled else []] * len(rows)


def test_a_decision_outlives_its_leader(stage: Stage) -> None:
    """node-0 decides and falls silent before anybody hears; the others can only decide the same."""
    cuts = "oneway node-0>node-1 0.1-9; oneway node-0>node-2 0.103-9"
    for seed in range(20):
        run = World(stage, seed, planned=from_text(cuts, NODES))
        run.run(SECOND // 10)
        run.insert("node-0", "propose", [("x", "first")])
        run.insert("node-1", "propose", [("x", "second")])
        run.run(6 * SECOND)
        values = {row for rows in decisions(run).values() for row in rows}
        assert len(values) == 1 and run.rows("node-1", "decided")


def test_messages_of_a_decision_in_fair_weather(stage: Stage) -> None:
    """Two round trips of the leader with all, itself included, then the news and its receipt."""
    run = World(stage, 3)
    run.run(SECOND // 100)
    heartbeats = run.messages
    run.insert("node-0", "propose", [("x", "1")])
    run.run(SECOND // 20)
    assert run.messages - heartbeats == 6 * len(NODES)


def test_all_faults(fresh_seeds: list[int]) -> None:
    outcomes = Campaign(world("paxos"), rivals).holds([*range(12), *fresh_seeds])
    assert all(one.time > SAFETY for one in outcomes)


def test_loss_alone_delays_and_nothing_else() -> None:
    Campaign(world("paxos"), rivals, Rates(loss=0.4)).holds(range(3))


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_planted_bug_is_found(bug: Bug, tmp_path: Path) -> None:
    assert found(Campaign(planted(bug, "paxos", tmp_path), rivals), bug) is not None


@pytest.mark.campaign
@pytest.mark.timeout(3_600)
def test_a_thousand_fresh_seeds(thousand_fresh_seeds: range) -> None:
    Campaign(world("paxos"), rivals).holds(thousand_fresh_seeds)

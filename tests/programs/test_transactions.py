"""Transactions: all parts or none, once, over whatever falls; money neither made nor lost."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from bloomish.analysis import check
from bloomish.runtime.cluster import launch
from bloomish.runtime.sim.rates import Rates
from bloomish.runtime.sim.schedule import SECOND, Fault, NodeFault, from_text
from bloomish.runtime.sim.stage import Stage
from bloomish.runtime.sim.world import World
from tests.programs.campaigns import FAULTS, WORLDS, Campaign, world
from tests.programs.loads import transfers
from tests.programs.planted import Bug, found, planted
from tests.programs.planted.transactions import BUGS

KEEPERS = ("keeper-0", "keeper-1", "keeper-2")
START = SECOND // 100
RATES = replace(FAULTS, crash=0)
"""Who falls comes back: a participant that is gone for good is waited for, for good."""

Transfer = tuple[int, str, str, str, str, int]
FITS: Transfer = (1, "keeper-0", "a", "keeper-1", "c", 30)
TOO_MUCH: Transfer = (1, "keeper-0", "a", "keeper-1", "c", 130)


@pytest.fixture(scope="module")
def stage() -> Stage:
    return world("transactions:cluster")


def begun(stage: Stage, *rows: Transfer, faults: tuple[Fault, ...] = (), seed: int = 1) -> World:
    run = World(stage, seed, planned=faults)
    for row in rows:
        run.at(START, run.insert, "teller-0", "transfer", [row])
    return run


def accounts(run: World) -> dict[str, int]:
    return {name: amount for node in KEEPERS for name, amount in run.rows(node, "accounts")}


def changed(run: World) -> dict[str, int]:
    """What is no longer as it was opened."""
    return {name: amount for name, amount in accounts(run).items() if amount != 100}


def test_the_verdicts() -> None:
    """What the module does is the protocol's business; what it delivers has an order."""
    report = check(f"{WORLDS / 'transactions.py'}:cluster")
    assert {one.word for one in report.verdicts} <= {"protocol", "monotone", "ordered", "eventual"}
    assert report.verdict("moved").word == "ordered"


def test_both_parts(stage: Stage) -> None:
    run = begun(stage, FITS)
    run.run(SECOND)
    assert changed(run) == {"a": 70, "c": 130}
    assert run.shown("teller-0", "outcome") == [(("teller-0", 1), True)]
    assert run.rows("keeper-0", "telling") == []  # all know: forgotten
    assert run.rows("teller-0", "waiting") == []


def test_neither_part(stage: Stage) -> None:
    run = begun(stage, TOO_MUCH)
    run.run(SECOND)
    assert changed(run) == {}
    assert run.shown("teller-0", "outcome") == [(("teller-0", 1), False)]
    assert run.rows("keeper-0", "settled") == [((1, 1), False)]


def test_two_parts_for_one_node(stage: Stage) -> None:
    run = begun(stage, (1, "keeper-0", "a", "keeper-0", "b", 40))
    run.run(SECOND)
    assert changed(run) == {"a": 60, "b": 140}


def test_parts_that_cannot_both_be(stage: Stage) -> None:
    run = begun(stage, (1, "keeper-0", "a", "keeper-0", "a", 40))
    run.run(SECOND)
    assert changed(run) == {}


def test_a_part_for_nobody(stage: Stage) -> None:
    run = begun(stage, (1, "keeper-0", "a", "nobody-3", "x", 40))
    run.run(SECOND)
    assert changed(run) == {}
    assert run.shown("teller-0", "outcome") == [(("teller-0", 1), False)]


def test_rivals_for_what_one_of_them_can_have(stage: Stage) -> None:
    """Both begin in one tick, and each is covered: one of them takes effect."""
    for seed in range(8):
        run = World(stage, seed)
        for teller in ("teller-0", "teller-1"):
            row = (1, "keeper-0", "a", "keeper-1", "c", 70)
            run.at(START, run.insert, teller, "transfer", [row])
        run.run(SECOND)
        assert changed(run) == {"a": 30, "c": 170}
        ends = [run.shown(teller, "outcome")[0][1] for teller in ("teller-0", "teller-1")]
        assert sorted(ends) == [False, True]


def test_messages_of_a_transaction(stage: Stage) -> None:
    """4n + 2: beside request and answer, each participant is asked, says yes, is told, and says
    that it knows."""
    quiet = World(stage, 1)
    quiet.run(SECOND // 20)
    told = 3  # to the auditor: two moves and an end
    run = begun(stage, FITS)
    run.run(SECOND // 20)
    assert run.messages - quiet.messages == 4 * 2 + 2 + told


def moments(stage: Stage, row: Transfer) -> list[int]:
    """When anything happens in the run of one transaction."""
    run = begun(stage, row)
    times = set()
    while run.now < START + SECOND // 60:
        run.run(ticks=1)
        times.add(run.now)
    return sorted(time for time in times if time >= START - 1)


@pytest.mark.parametrize("row", [FITS, TOO_MUCH], ids=["fits", "too much"])
def test_a_fall_at_every_step(stage: Stage, row: Transfer) -> None:
    """Every node falls just after every tick of the run, whosever it is, and comes back."""
    steps = moments(stage, row)
    assert len(steps) > 10
    for time in steps:
        for node in (*KEEPERS[:2], "teller-0"):
            fall = NodeFault("restart", node, time + 1, time + SECOND // 4)
            run = begun(stage, row, faults=(fall,))
            run.run(SECOND)
            if row == FITS and (node != "teller-0" or time > START):
                assert changed(run) == {"a": 70, "c": 130}, str(fall)
            else:
                assert changed(run) in ({}, {"a": 70, "c": 130}), str(fall)
            assert not run.violations and not run.set_aside
            assert not any(run.rows(keeper, "in_doubt") for keeper in KEEPERS), str(fall)


def test_it_blocks_and_says_so() -> None:
    """The coordinator falls when a participant has said yes: who is in doubt waits, and says for
    whom."""
    stage = world("transactions:watched")
    for time in range(START, 4 * START, START // 10):
        run = begun(stage, FITS, faults=from_text(f"restart keeper-0 {time / SECOND}-3", KEEPERS))
        run.run(2 * SECOND)
        if not run.rows("keeper-1", "in_doubt"):
            continue
        (blocked,) = run.rows("keeper-1", "blocked")
        assert blocked[1] == "keeper-0"
        assert run.rows("keeper-1", "accounts") == [("c", 100), ("d", 100)]
        run.run(6 * SECOND)
        assert not run.rows("keeper-1", "blocked")
        assert changed(run) == {"a": 70, "c": 130}
        return
    raise AssertionError("no run in which a participant was in doubt")


def test_all_faults(fresh_seeds: list[int]) -> None:
    Campaign(world("transactions:cluster"), transfers, RATES).holds([*range(12), *fresh_seeds])


def test_loss_alone_delays_and_nothing_else() -> None:
    Campaign(world("transactions:cluster"), transfers, Rates(loss=0.4)).holds(range(3))


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_planted_bug_is_found(bug: Bug, tmp_path: Path) -> None:
    campaign = Campaign(planted(bug, "transactions:cluster", tmp_path), transfers, RATES)
    assert found(campaign, bug) is not None


@pytest.mark.campaign
@pytest.mark.timeout(3_600)
def test_a_thousand_fresh_seeds() -> None:
    Campaign(world("transactions:cluster"), transfers, RATES).holds(range(10_000, 11_000))


def test_on_processes(tmp_path: Path) -> None:
    """Money moves, also after the coordinator was killed and is back."""

    async def session() -> None:
        target = f"{WORLDS / 'transactions.py'}:cluster"
        async with (
            launch(target, data=tmp_path, restart="on-failure") as cluster,
            cluster.connect("teller-0") as teller,
        ):
            outcomes = teller.watch("outcome")
            await teller.insert("transfer", [FITS])
            assert await outcomes.take(1) == [(("teller-0", 1), True)]
            cluster.kill("keeper-0")
            await teller.insert("transfer", [(2, "keeper-0", "a", "keeper-1", "c", 70)])
            assert await outcomes.take(1) == [(("teller-0", 2), True)]
            await teller.insert("transfer", [(3, "keeper-0", "a", "keeper-1", "c", 1)])
            assert await outcomes.take(1) == [(("teller-0", 3), False)]

    asyncio.run(asyncio.wait_for(session(), 60))

"""Seals: what is said to be complete is complete, and stays so."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from bloomish.analysis import check
from bloomish.runtime.cluster import launch
from bloomish.runtime.sim.rates import Rates
from bloomish.runtime.sim.schedule import SECOND, from_text
from bloomish.runtime.sim.stage import Stage, stage_of
from bloomish.runtime.sim.world import World
from tests.programs.campaigns import FAULTS, Campaign, world
from tests.programs.loads import groups
from tests.programs.planted import Bug, found, planted
from tests.programs.planted.seal import BUGS

TARGET = "bloomish.programs.seal"
# What a producer that never comes back would have said, nobody knows: its groups stay open.
RATES = replace(FAULTS, crash=0)


@pytest.fixture(scope="module")
def stage() -> Stage:
    return stage_of(TARGET)


def counting(stage: Stage, faults: str = "") -> World:
    """Two of three producers make up the crew of `g`; both have added, nobody has closed."""
    run = World(stage, 1, planned=from_text(faults, stage.nodes))
    run.insert("registrar-0", "enrol", [("g", "producer-0"), ("g", "producer-1")])
    run.insert("registrar-0", "start", [("g",)])
    run.insert("producer-0", "add", [("g", n, n) for n in range(1, 11)])
    run.insert("producer-1", "add", [("g", 1, 1000)])
    run.run(SECOND // 5)
    return run


def test_the_verdicts() -> None:
    assert not any(one.word == "needs coordination" for one in check(TARGET).verdicts)


def test_nothing_is_said_before_the_seals_and_all_with_them(stage: Stage) -> None:
    run = counting(stage)
    assert run.shown("consumer-0", "part") == run.shown("consumer-0", "total") == []
    run.insert("producer-0", "close", [("g",)])
    run.run(2 * SECOND // 5)
    assert run.shown("consumer-0", "part") == [("producer-0", "g", 55)]
    assert run.shown("consumer-0", "total") == []
    run.insert("producer-1", "close", [("g",)])
    run.run(3 * SECOND // 5)
    for consumer in ("consumer-0", "consumer-1"):
        assert run.shown(consumer, "total") == [("g", 1055)]


def test_what_comes_after_the_close_is_refused(stage: Stage) -> None:
    run = counting(stage)
    run.insert("producer-0", "close", [("g",)])
    run.run(3 * SECOND // 10)
    run.insert("producer-0", "add", [("g", 99, 99)])
    run.run(SECOND)
    assert run.shown("producer-0", "refused") == [("g", 99)]
    assert run.rows("consumer-0", "part") == [("producer-0", "g", 55)]


def test_a_producer_with_nothing_is_waited_for_and_adds_nothing(stage: Stage) -> None:
    run = World(stage, 1)
    run.insert("registrar-0", "enrol", [("g", "producer-0"), ("g", "producer-2")])
    run.insert("registrar-0", "start", [("g",)])
    run.insert("producer-0", "add", [("g", 1, 5)])
    run.insert("producer-0", "close", [("g",)])
    run.run(SECOND)
    assert run.shown("consumer-0", "total") == []
    run.insert("producer-2", "close", [("g",)])
    run.run(2 * SECOND)
    assert run.shown("consumer-0", "total") == [("g", 5)]


def test_repetition_ends_when_all_is_acknowledged(stage: Stage) -> None:
    run = counting(stage)
    for node in ("producer-0", "producer-1"):
        run.insert(node, "close", [("g",)])
    run.run(3 * SECOND)
    before = run.messages
    run.run(10 * SECOND)
    assert run.messages == before


def test_all_faults(fresh_seeds: list[int]) -> None:
    Campaign(world("seal"), groups, RATES).holds([*range(20), *fresh_seeds])


def test_loss_alone_delays_and_nothing_else() -> None:
    Campaign(world("seal"), groups, Rates(loss=0.4)).holds(range(5))


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_planted_bug_is_found(bug: Bug, tmp_path: Path) -> None:
    assert found(Campaign(planted(bug, "seal", tmp_path), groups, RATES), bug) is not None


@pytest.mark.campaign
@pytest.mark.timeout(3_600)
def test_a_thousand_fresh_seeds(thousand_fresh_seeds: range) -> None:
    Campaign(world("seal"), groups, RATES).holds(thousand_fresh_seeds)


def test_on_processes() -> None:
    async def session() -> None:
        async with launch(TARGET) as cluster:
            async with (
                cluster.connect("registrar-0") as registrar,
                cluster.connect("consumer-1") as consumer,
            ):
                total = consumer.watch("total")
                await registrar.insert("enrol", [("g", f"producer-{n}") for n in range(3)])
                await registrar.insert("start", [("g",)])
                for n in range(3):
                    async with cluster.connect(f"producer-{n}") as producer:
                        await producer.insert("add", [("g", 1, 10**n), ("g", 2, 10**n)])
                        await producer.insert("close", [("g",)])
                assert await total.take(1) == [("g", 222)]

    asyncio.run(asyncio.wait_for(session(), 60))

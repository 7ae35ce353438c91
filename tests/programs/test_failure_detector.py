"""Complete at last, accurate once the network is; and a leader that all agree on."""

from __future__ import annotations

import pytest

from bloomish.analysis import check
from bloomish.runtime.sim.rates import PRESETS, draw
from bloomish.runtime.sim.schedule import SECOND, from_text
from bloomish.runtime.sim.stage import Stage, stage_of
from bloomish.runtime.sim.world import World

TARGET = "bloomish.programs.failure_detector"


@pytest.fixture(scope="module")
def stage() -> Stage:
    return stage_of(TARGET)


def after(stage: Stage, faults: str, seconds: float) -> World:
    made = World(stage, 1, planned=from_text(faults, stage.nodes))
    made.run(int(seconds * SECOND))
    return made


def suspects(world: World, node: str) -> list[str]:
    return [str(row[0]) for row in world.rows(node, "suspected")]


def test_it_is_marked_as_what_brings_time_in() -> None:
    verdicts = check(TARGET).verdicts
    assert {one.word for one in verdicts} == {"protocol"}
    guards = {guard for one in verdicts for flag in one.flags for guard in flag.point.guards}
    assert guards == {"time: silence beyond a timeout is a hint, for progress alone"}


@pytest.mark.parametrize("dead", [0, 1, 2])
def test_who_has_died_is_suspected_by_all_that_live(stage: Stage, dead: int) -> None:
    world = after(stage, f"crash member-{dead} 1.0", 2.0)
    for node in stage.nodes:
        if node != f"member-{dead}":
            assert suspects(world, node) == [f"member-{dead}"]
            assert world.rows(node, "leader") == [("member-1" if dead == 0 else "member-0",)]


def test_nobody_is_suspected_while_messages_arrive_in_time(stage: Stage) -> None:
    world = after(stage, "", 5.0)
    assert all(world.shown(node, "suspected") == [] for node in stage.nodes)


def test_the_living_are_suspected_while_cut_off_and_trusted_again(stage: Stage) -> None:
    cut = "oneway member-0>member-1 1.0-2.0"
    assert suspects(after(stage, cut, 1.9), "member-1") == ["member-0"]
    assert suspects(after(stage, cut, 1.9), "member-2") == []
    assert suspects(after(stage, cut, 2.5), "member-1") == []


def test_every_mistake_makes_it_more_patient(stage: Stage) -> None:
    """Pauses of equal length: the first ones deceive it, the later ones do not."""
    pauses = "; ".join(f"pause member-0 {at}.0-{at}.9" for at in range(1, 9))
    world = after(stage, pauses, 10.0)
    mistakes = world.shown("member-1", "suspected").count(("member-0",))
    assert 1 <= mistakes <= 3


@pytest.mark.parametrize("seed", range(10))
def test_at_last_all_trust_those_that_live_and_one_leader(stage: Stage, seed: int) -> None:
    rates = PRESETS["all"]
    world = World(stage, seed, rates, draw(rates, stage.nodes, 5 * SECOND, seed))
    world.run(5 * SECOND)
    world.heal()
    world.run(12 * SECOND)
    alive = [node for node in stage.nodes if world.actors[node].up]
    dead = [node for node in stage.nodes if not world.actors[node].up]
    for node in alive:
        assert suspects(world, node) == dead
        assert world.rows(node, "leader") == [(alive[0],)]

"""Seals of what goes round: nobody has any left, and none is under way."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from bloomish import (
    Address,
    Cluster,
    Program,
    _,
    channel,
    input,
    notin,
    roster,
    table,
    variables,
)
from bloomish.analysis import check
from bloomish.analysis.coordinate import coordinate
from bloomish.analysis.coordination import seal_splice
from bloomish.runtime.coordinated import load
from bloomish.runtime.evaluator import Row
from bloomish.runtime.sim.explore.outcomes import outcomes
from bloomish.runtime.sim.explore.space import Limits, explore
from bloomish.runtime.sim.random_runs import SAFETY
from bloomish.runtime.sim.rates import draw
from bloomish.runtime.sim.schedule import SECOND
from bloomish.runtime.sim.stage import Stage, stage_of_target
from bloomish.runtime.sim.workload import Insert, ended
from bloomish.runtime.sim.world import World
from bloomish.show import printed
from tests.programs.campaigns import FAULTS

ROOT = Path(__file__).parents[3]
GARBAGE = "bloomish.programs.garbage"
NODES = ("node-0", "node-1", "node-2")

n, node, to, x, y = variables("n node to x y")


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("garbage") / "three_heaps.py"
    path.write_text(
        "from bloomish import Cluster\n"
        "from bloomish.programs.garbage import Node\n"
        "cluster = Cluster(node=Node * 3)\n"
    )
    return str(path)


def stage_with_seals(target: str) -> Stage:
    return stage_of_target(load(f"{target} --coordinate --with seal"))


# ------------------------------------------------------------------------------ garbage


def test_the_plan() -> None:
    made = coordinate(GARBAGE, "seal")
    assert made.after.status == 0
    (insertion,) = made.plan.insertions
    assert insertion.what == (
        "collected_1 waits until the node's own host has no more pin or refer and no node has any "
        "mark left to send or under way, and all of it is there (said by node:seal.end(all))"
    )
    assert insertion.entries == ("pin", "mark", "refer")
    assert insertion.price.messages == 2 * 2 * 1
    assert insertion.price.round_trips == 0.5


@pytest.mark.parametrize("limits", [{"duplicates": 1}, {"duplicates": 0, "crashes": 1}])
def test_every_schedule_collects_the_garbage_and_nothing_else(limits: dict[str, int]) -> None:
    stage = stage_with_seals(GARBAGE)
    inserts = [
        Insert(0, "node-0", "pin", (("a",),)),
        Insert(0, "node-0", "refer", (("a", "node-1", "b"),)),
        Insert(0, "node-1", "make", (("b",),)),
        Insert(0, "node-1", "make", (("c",),)),
        Insert(0, "node-1", "sweep", ((1,),)),
    ]
    space = explore(stage, [*inserts, *ended(stage, inserts, 0)], Limits(states=60_000, **limits))  # type: ignore[arg-type]
    assert not space.bounded
    assert not space.violations
    found = outcomes(space)
    assert {rows for one in found for _, name, rows in one.content if name == "collected"} == {
        (("c",),)
    }
    assert len(found) == 1


def test_the_result_is_a_program(tmp_path: Path) -> None:
    path = tmp_path / "collecting.py"
    path.write_text(printed(coordinate(GARBAGE, "seal").deployed.deployment))
    assert check(str(path)).status == 0


class Heaps:
    """A graph of things over three nodes; what the roots reach, and what must go."""

    def __init__(self, seed: int) -> None:
        chance = random.Random(f"heaps/{seed}")
        things = [(chance.choice(NODES), f"t{number}") for number in range(9)]
        self.rows: dict[str, list[tuple[str, Row]]] = {name: [] for name in NODES}
        edges: dict[str, list[str]] = {}
        for home, thing in things:
            self.rows[home].append(("make", (thing,)))
            for other, target in chance.sample(things, chance.randint(0, 2)):
                self.rows[home].append(("refer", (thing, other, target)))
                edges.setdefault(thing, []).append(target)
        roots = chance.sample(things, 2)
        for home, thing in roots:
            self.rows[home].append(("pin", (thing,)))
        reached, queue = set(), [thing for _, thing in roots]
        while queue:
            thing = queue.pop()
            if thing not in reached:
                reached.add(thing)
                queue += edges.get(thing, [])
        self.garbage = {(home, thing) for home, thing in things if thing not in reached}
        for home in NODES:
            self.rows[home].append(("sweep", (1,)))


TABLES = {"make": "things", "refer": "seal_refer.kept", "pin": "seal_pin.kept"}


class Host:
    """Says each row until it is stored, and then, again and again, that there is no more."""

    def __init__(self, world: World, name: str, rows: list[tuple[str, Row]]) -> None:
        self.world, self.name, self.rows = world, name, rows
        self.patience = random.Random(name)
        world.at(0, self.go_on)

    def go_on(self) -> None:
        world = self.world
        waiting = [one for one in self.rows if not self._is_stored(*one)]
        if waiting:
            collection, row = self.patience.choice(waiting)
            world.insert(self.name, collection, [row])
        else:
            world.insert(self.name, "seal.end", [(True,)])
        world.at(world.now + self.patience.randrange(SECOND // 10), self.go_on)

    def _is_stored(self, collection: str, row: Row) -> bool:
        if collection == "sweep":
            return bool(self.world.rows(self.name, "seal.sweep"))
        stored = self.world.rows(self.name, TABLES[collection])
        return any(one[-len(row) :] == row for one in stored)


def collect(target: str, seed: int) -> None:
    """All faults but lost disks and nodes that never come back, and then none."""
    heaps = Heaps(seed)
    stage = stage_with_seals(target)
    rates = replace(FAULTS, crash=0)
    world = World(stage, seed, rates, draw(rates, stage.nodes, SAFETY, seed))
    for name in NODES:
        Host(world, name, heaps.rows[name])
    world.run(SAFETY)
    world.heal()
    world.run(SAFETY + 8 * SECOND)
    gone = {(name, row[0]) for name in NODES for row in world.rows(name, "collected")}
    assert gone <= heaps.garbage, "what is alive was collected"
    assert gone == heaps.garbage, "garbage stays"
    assert not world.violations and not world.set_aside
    messages = world.messages
    world.run(world.now + 20 * SECOND)
    assert world.messages == messages, "it is never quiet"


@pytest.mark.parametrize("seed", range(10))
def test_garbage_is_collected_whatever_falls(three: str, seed: int) -> None:
    collect(three, seed)


MUTANTS = {
    "nothing is compared": ("notin(unheard(_)) & notin(under_way(_, _))", "notin(unheard(_))"),
    "who is silent has nothing": (
        "notin(unheard(_)) & notin(under_way(_, _))",
        "notin(under_way(_, _))",
    ),
    "forgets what it has kept": (
        "    kept = table(producer=Address, part=Any, row=Any, durable=True)\n    ended",
        "    kept = table(producer=Address, part=Any, row=Any)\n    ended",
    ),
    "counts before the end": (
        "moments(number + count_) <= ended(_) & total",
        "moments(number + count_) <= total",
    ),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_planted_bug_is_found(
    three: str, mutant: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (ROOT / "programs" / "sealing.py").read_text()
    right, wrong = MUTANTS[mutant]
    assert right in text
    path = tmp_path / "sealing_with_a_bug.py"
    path.write_text(text.replace(right, wrong))
    monkeypatch.setattr(seal_splice, "MODULE", str(path))
    assert any(_goes_wrong(three, seed) for seed in range(30))


def _goes_wrong(target: str, seed: int) -> bool:
    try:
        collect(target, seed)
    except AssertionError:
        return True
    return False


@pytest.mark.campaign
@pytest.mark.timeout(3_600)
def test_a_thousand_fresh_seeds(three: str) -> None:
    for seed in range(10_000, 11_000):
        collect(three, seed)


# ------------------------------------------------------------------------ what is refused


class Again(Program):
    """What it concludes comes back to it."""

    item = channel(to=Address, id=int)
    peers = roster("again")
    give = input(id=int)
    items = table(id=int)
    free = table(id=int)

    item(to, x) < ~give(x) & peers(to)
    items(x) <= item(_, x)
    free(x + 1) < +items(x) & notin(items(x + 1)) & (x < 5)
    item(to, x) < ~free(x) & peers(to)


def test_what_comes_back_to_the_question_is_refused() -> None:
    made = coordinate(Cluster(again=Again * 2), "seal")
    assert made.after.status == 1
    whys = " ".join(refusal.why for refusal in made.plan.refusals)
    assert "what it concludes comes back to it by item: it can never have seen all" in whys

"""The insertion of seals: what waits for whom at what price, and that the answer is then one.

`BLOOMISH_UPDATE_GOLDEN=1 pytest tests/analysis/coordination/test_seal.py` writes the plans anew;
read the difference before committing it.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bloomish.analysis import check
from bloomish.analysis.coordinate import Coordinated, coordinate
from bloomish.analysis.coordination import seal_splice
from bloomish.ir_json import from_json, to_json
from bloomish.runtime.coordinated import load
from bloomish.runtime.evaluator import Row
from bloomish.runtime.sim.explore.outcomes import outcomes
from bloomish.runtime.sim.explore.space import Limits, Space, explore
from bloomish.runtime.sim.random_runs import SAFETY
from bloomish.runtime.sim.rates import draw
from bloomish.runtime.sim.schedule import SECOND
from bloomish.runtime.sim.stage import Stage, stage_of, stage_of_target
from bloomish.runtime.sim.workload import systematic
from bloomish.runtime.sim.world import World
from bloomish.show import printed
from tests.programs.campaigns import FAULTS
from tests.programs.micro import asking

ROOT = Path(__file__).parents[3]
GOLDEN = ROOT / "tests" / "golden" / "seal"
MICRO = "tests/programs/micro/asking.py"
WORD_COUNT = "bloomish.programs.word_count"


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def sealed(name: str) -> Coordinated:
    return coordinate(f"{MICRO}:{name}", "seal")


def stage_with_seals(target: str) -> Stage:
    return stage_of_target(load(f"{target} --coordinate --with seal"))


def explored(stage: Stage, **limits: int) -> Space:
    return explore(stage, systematic(stage, 1), Limits(**{"states": 40_000, **limits}))  # type: ignore[arg-type]


# ----------------------------------------------------------------------------- plans


def plan_text(made: Coordinated) -> Iterator[str]:
    for one in made.plan.insertions:
        yield f"{one.mechanism} at {one.role}: {one.what}"
        yield f"    settles {', '.join(one.rules)}; cut at {', '.join(one.entries)}"
        yield f"    gate ({', '.join(one.gate)})"
        yield f"    {one.price.messages:g} messages: {one.price.formula}"
        yield f"    {one.price.round_trips:g} round trips; {one.price.stops}"
        yield f"    {', '.join(one.inserted)}"
    for refusal in made.plan.refusals:
        yield f"refused {refusal.rule}: {refusal.why}"


@pytest.mark.parametrize("name", (*asking.SEALED, *asking.ROUNDS, *asking.REFUSED))
def test_the_plan(name: str) -> None:
    made = sealed(name)
    text = "\n".join(plan_text(made)) + "\n"
    expected = GOLDEN / f"{name}.txt"
    if os.environ.get("BLOOMISH_UPDATE_GOLDEN"):
        expected.parent.mkdir(exist_ok=True)
        expected.write_text(text)
    assert text == expected.read_text()
    assert made.before.status == 1
    assert made.after.status == (name in asking.REFUSED)


def test_every_plan_has_its_program() -> None:
    assert {p.stem for p in GOLDEN.glob("*.txt")} == {
        *asking.SEALED,
        *asking.ROUNDS,
        *asking.REFUSED,
    }


def test_of_a_channel_on_which_nobody_sends_nobody_can_say_that_it_ends() -> None:
    from tests.programs.micro import unsettled

    for program, rule in (
        (unsettled.M3, "jilted_1"),
        (unsettled.M5, "report_1"),
        (unsettled.M7, "single_1"),
        (unsettled.M16, "absent_1"),
        (unsettled.M21, "cached_1"),
        (unsettled.M26, "report_1"),
    ):
        (refusal,) = coordinate(program, "seal").plan.refusals
        assert refusal.rule == rule
        assert "nobody here does. Put the program into a Cluster" in refusal.why


def test_what_is_no_question_for_all_is_refused() -> None:
    from tests.programs.micro import racing

    for program, why in (
        (racing.M9, "which comes first"),
        (racing.M13, "which comes last"),
        (racing.M17, "which of rivals comes first"),
        (racing.M20, "a clock or timer decides"),
        (racing.M41timeout, "a clock or timer decides"),
    ):
        (refusal,) = coordinate(program, "seal").plan.refusals
        assert why in refusal.why


def test_the_price_is_a_manifest_and_its_acknowledgement() -> None:
    (insertion,) = coordinate("bloomish.programs.cart:disorderly", "seal").plan.insertions
    assert insertion.price.messages == 2 * 3 * 3
    assert insertion.gate == ("session",)
    assert insertion.rules == ("receipt_1",)


# ------------------------------------------------------------------------ what it is worth

SAYS: dict[str, dict[tuple[str, str], list[Row]]] = {
    "known_vows": {("registrar-0", "jilted"): [(1, "x")]},
    "counted": {("taker-0", "reports"): [(2,)]},
    "single": {("taker-0", "single"): []},
    "absent": {("taker-0", "absent"): [(0, 0)]},
    "cached": {("taker-0", "cached"): [(0, 1)], ("taker-1", "cached"): [(1, 1)]},
    "passing": {("taker-0", "total"): [(2,)]},
    "live": {("taker-0", "reports"): []},
    "local": {("taker-0", "total"): [(1, 1)], ("taker-1", "total"): [(1, 1)]},
    "combined": {("taker-0", "total"): [(1, 2)]},
    "relayed": {("end-0", "total"): [(2,)]},
    "finishing": {("taker-0", "single"): []},
}


@pytest.mark.parametrize("name", asking.SEALED)
def test_all_schedules_end_alike(name: str) -> None:
    space = explored(stage_with_seals(f"{MICRO}:{name}"))
    assert not space.bounded
    assert not space.violations
    (outcome,) = outcomes(space)
    held = {(node, collection): list(rows) for node, collection, rows in outcome.content}
    for place, rows in SAYS.get(name, {}).items():
        assert held.get(place, []) == rows


@pytest.mark.parametrize("name", ["counted", "single", "passing", "cached", "combined"])
def test_without_the_seal_they_do_not(name: str) -> None:
    assert len(outcomes(explored(stage_of(f"{MICRO}:{name}")))) > 1


FEW = [name for name in asking.SEALED if name not in ("live", "relayed")]


@pytest.mark.parametrize("name", FEW)
def test_nor_does_a_crash_matter(name: str) -> None:
    """What is durable is enough.  (In `live` what is not sealed is lost with its node, as before
    the seal; `relayed` takes long.)"""
    space = explored(stage_with_seals(f"{MICRO}:{name}"), crashes=1, duplicates=0)
    assert not space.bounded
    assert not space.violations
    assert len(outcomes(space)) == 1


@pytest.mark.parametrize("name", ["marriage", "combined", "relayed", "local", "finishing"])
def test_the_result_is_a_program(name: str, tmp_path: Path) -> None:
    made = sealed(name)
    path = tmp_path / "sealed.py"
    path.write_text(printed(made.deployed.deployment))
    again = check(str(path))
    assert again.status == 0
    stage = stage_of(str(path))
    assert len(outcomes(explored(stage))) == 1
    roles = {role.name: role.program for role in made.deployed.deployment.roles}
    for member in stage.members:
        mine = roles[member.node.rpartition("-")[0]]
        assert {c.name for c in member.program.collections} == {c.name for c in mine.collections}
        assert len(member.program.rules) == len(mine.rules)


def test_the_deployment_survives_as_data() -> None:
    deployment = sealed("combined").deployed.deployment

    assert to_json(from_json(to_json(deployment))) == to_json(deployment)


def test_inserted_rules_say_where_they_are_from() -> None:
    made = sealed("marriage")
    (insertion,) = made.plan.insertions
    rules = {r.name: r for role in made.deployed.deployment.roles for r in role.program.rules}
    assert {rules[name].origin for name in insertion.inserted} == {"coordination: seal"}
    assert "seal_i_do.manifest_1" in insertion.inserted


# ----------------------------------------------------------------- a seal that is no seal


MUTANTS = {
    "a manifest taken for all rows": (
        "expected(producer, part, count_) & had(producer, part, count_)",
        "expected(producer, part, _)",
    ),
    "one producer for all": (
        "complete(part) <= expected(_, part, _) & notin(awaited(part))",
        "complete(part) <= expected(_, part, _) & whole(_, part)",
    ),
    "rows after the end": (
        "sent(consumer, part, row) <= send(consumer, part, row) & notin(ended(part))",
        "sent(consumer, part, row) <= send(consumer, part, row)",
    ),
    "a manifest before the end": (
        "ended(part) & counted(consumer, part, count_) & consumers(consumer)",
        "counted(consumer, part, count_) & consumers(consumer)",
    ),
    "what was received forgotten": (
        "kept = table(producer=Address, part=Any, row=Any, durable=True)\n    expected",
        "kept = table(producer=Address, part=Any, row=Any)\n    expected",
    ),
    "never sent again": (
        "Sealing.missing(_, consumer, part) & sent(consumer, part, row)\n",
        "Sealing.missing(_, consumer, part) & sent(consumer, part, row) & notin(ended(part))\n",
    ),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_planted_bug_is_found(
    mutant: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (ROOT / "programs" / "sealing.py").read_text()
    right, wrong = MUTANTS[mutant]
    assert right in text
    path = tmp_path / "sealing_with_a_bug.py"
    path.write_text(text.replace(right, wrong))
    monkeypatch.setattr(seal_splice, "MODULE", str(path))
    assert any(_goes_wrong(seed) for seed in range(40))


def _goes_wrong(seed: int) -> bool:
    try:
        run_word_count(seed)
    except AssertionError:
        return True
    return False


# ---------------------------------------------------------------------------------- faults

LINES = [(job, number, text) for job in "ab" for number, text in enumerate(("x y x", "y", "z x"))]
LATE = ("a", 99, "x x x")
MAPPERS = ("mapper-0", "mapper-1")
TOTALS = {(job, *one) for job in "ab" for one in (("x", 3), ("y", 2), ("z", 1))}


class Host:
    """Has lines for one mapper; says each again until it is stored, and then that it has no
    more; and then another line, which is too late."""

    def __init__(self, world: World, node: str, lines: list[Row]) -> None:
        self.world, self.node, self.lines = world, node, lines
        self.patience = random.Random(node)
        world.at(0, self.go_on)

    def go_on(self) -> None:
        world, node = self.world, self.node
        stored = {(row[1], row[3]) for row in world.rows(node, "seal_word.sent")}
        waiting = [line for line in self.lines if (line[0], line[1]) not in stored]
        jobs = {line[0] for line in LINES} - {row[0] for row in world.rows(node, "seal.over")}
        if waiting:
            world.insert(node, "line", [self.patience.choice(waiting)])
        elif jobs:
            world.insert(node, "seal.end", [(job,) for job in sorted(jobs)])
        else:
            world.insert(node, "line", [LATE])
        world.at(world.now + self.patience.randrange(SECOND // 4), self.go_on)


def run_word_count(seed: int) -> None:
    """All faults but lost disks and nodes that never come back, and then none."""
    stage = stage_with_seals(WORD_COUNT)
    rates = replace(FAULTS, crash=0)
    planned = draw(rates, stage.nodes, SAFETY, seed)
    world = World(stage, seed, rates, planned)
    for number, node in enumerate(MAPPERS):
        Host(world, node, LINES[number::2])
    world.run(SAFETY)
    world.heal()
    world.run(SAFETY + 8 * SECOND)
    shown = [row for node in stage.nodes for row in world.shown(node, "total")]
    assert set(shown) <= TOTALS, "a total that is wrong"
    assert set(shown) == TOTALS, "a total that never came"
    refused = {row for node in stage.nodes for row in world.shown(node, "seal_word.refused")}
    assert {row[3] for row in refused} == {LATE[1]}
    assert not world.violations and not world.set_aside


def test_nothing_is_said_before_all_have_ended_and_each_job_waits_alone() -> None:
    stage = stage_with_seals(WORD_COUNT)
    world = World(stage, 1)

    def totals() -> set[Row]:
        return {row for node in stage.nodes for row in world.shown(node, "total")}

    def said(collection: str) -> int:
        return sum(len(world.rows(node, f"seal_word.{collection}")) for node in MAPPERS)

    for number, node in enumerate(MAPPERS):
        world.insert(node, "line", LINES[number::2])
    world.run(SECOND)
    assert totals() == set()
    assert said("ended") == said("known") == 0  # until then nothing is said but the rows
    world.insert("mapper-0", "seal.end", [("a",), ("b",)])
    world.insert("mapper-1", "seal.end", [("b",)])
    world.run(2 * SECOND)
    assert totals() == {total for total in TOTALS if total[0] == "b"}
    world.insert("mapper-1", "seal.end", [("a",)])
    world.run(3 * SECOND)
    assert totals() == TOTALS
    # Per job a manifest and its acknowledgement between each mapper and each reducer.
    (insertion,) = coordinate(WORD_COUNT, "seal").plan.insertions
    assert 2 * said("known") == 2 * insertion.price.messages == 16
    messages = world.messages
    world.run(60 * SECOND)
    assert world.messages == messages  # and then no more


@pytest.mark.parametrize("seed", range(12))
def test_totals_are_exact_whatever_falls(seed: int) -> None:
    run_word_count(seed)


CART = "bloomish.programs.cart:disorderly"
WISHES = [("s", 1, "milk", 2), ("s", 2, "tea", 1), ("s", 3, "milk", -1), ("t", 1, "tea", 5)]
RECEIPTS = {("s", "milk", 1), ("s", "tea", 1), ("t", "tea", 5)}


class Device:
    """Says each wish until it is stored; checks out, and says that it is done, again and again."""

    def __init__(self, world: World, node: str, wishes: list[Row], pays: bool) -> None:
        self.world, self.node, self.wishes, self.pays = world, node, wishes, pays
        self.patience = random.Random(node)
        world.at(0, self.go_on)

    def go_on(self) -> None:
        world, node = self.world, self.node
        stored = {(row[1], row[2]) for row in world.rows(node, "seal_act.sent")}
        waiting = [wish for wish in self.wishes if (wish[0], wish[1]) not in stored]
        if waiting:
            world.insert(node, "do", [self.patience.choice(waiting)])
        else:
            world.insert(node, "seal.end", [("s",), ("t",)])
        if self.pays:
            world.insert(node, "pay", [("s", (1, 2, 3)), ("t", (1,))])
        world.at(world.now + self.patience.randrange(SECOND // 4), self.go_on)


def run_cart(seed: int) -> None:
    """All replicas hand out the same receipts, and the right ones; whoever pays when."""
    stage = stage_with_seals(CART)
    planned = draw(replace(FAULTS, crash=0), stage.nodes, SAFETY, seed)
    world = World(stage, seed, replace(FAULTS, crash=0), planned)
    for number in range(3):
        Device(world, f"shopper-{number}", WISHES[number::3], number == seed % 3)
    world.run(SAFETY)
    world.heal()
    world.run(SAFETY + 8 * SECOND)
    for replica in ("replica-0", "replica-1", "replica-2"):
        assert set(world.shown(replica, "receipt")) == RECEIPTS
        assert set(world.rows(replica, "receipt")) == RECEIPTS
    assert not world.violations and not world.set_aside


@pytest.mark.parametrize("seed", range(12))
def test_receipts_are_exact_and_the_same_whatever_falls(seed: int) -> None:
    run_cart(seed)


def test_a_cart_of_two_devices_has_one_receipt(tmp_path: Path) -> None:
    path = tmp_path / "small_cart.py"
    path.write_text(
        "from bloomish import Cluster\n"
        "from bloomish.programs.cart import DisorderlyCart, Shopper\n"
        "cluster = Cluster(replica=DisorderlyCart, shopper=Shopper * 2)\n"
    )
    space = explored(stage_with_seals(str(path)))
    assert not space.bounded
    (outcome,) = outcomes(space)
    assert ("replica-0", "receipt", (("x", "x", 3),)) in outcome.content


@pytest.mark.campaign
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("run", [run_word_count, run_cart])
def test_a_thousand_fresh_seeds(run: Callable[[int], None]) -> None:
    for seed in range(10_000, 11_000):
        run(seed)

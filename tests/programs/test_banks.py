"""Transfers between two banks, written in several ways: commit is put in, and money stays."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from bloomish.analysis import check
from bloomish.analysis.coordinate import coordinate
from bloomish.pretty_file import deployment_text
from bloomish.runtime.cluster import launch
from bloomish.runtime.sim.explore.outcomes import outcomes
from bloomish.runtime.sim.explore.space import Limits, explore
from bloomish.runtime.sim.random_runs import SAFETY
from bloomish.runtime.sim.rates import draw, parse_rates
from bloomish.runtime.sim.stage import Stage, stage_of
from bloomish.runtime.sim.workload import Insert
from bloomish.runtime.sim.world import World
from tests.programs.campaigns import WORLDS

BANKS = WORLDS / "banks.py"
BY_ACCOUNT = {"two_channels", "two_roles", "patient"}
"""Where what is for different accounts never meets."""
VARIANTS = (
    "two_channels",
    "two_roles",
    "one_channel",
    "each_bank",
    "answering",
    "patient",
    "careless",
    "branches",
)
FAULTS = parse_rates("default,restart=2,pause=1")
Transfer = tuple[int, str, str, str, str, int]


def banks(variant: str) -> tuple[str, str]:
    return ("bank_a-0", "bank_b-0") if variant == "two_roles" else ("bank-0", "bank-1")


def transfers(variant: str, chance: random.Random, count: int) -> list[Transfer]:
    """From any account to any other, now and then at one bank."""
    rows = []
    for number in range(count):
        source, target = chance.choice(banks(variant)), chance.choice(banks(variant))
        names = chance.sample(("alice", "bob"), 2)  # none from an account to itself
        rows.append((number, source, names[0], target, names[1], chance.randint(10, 90)))
    return rows


def tellers(stage: Stage) -> list[str]:
    return [node for node in stage.nodes if node.startswith("teller")]


def given(
    variant: str, row: Transfer, stage: Stage, chance: random.Random
) -> tuple[str, tuple[object, ...]]:
    """A transfer as its bank's host gives it, or some teller's."""
    if variant != "careless":
        return chance.choice(tellers(stage)), row
    number, bank, *rest = row
    return bank, (number, *rest)


def balances(run: World, variant: str) -> dict[tuple[str, str], int]:
    return {
        (bank, account): amount
        for bank in banks(variant)
        for account, amount in run.rows(bank, "balance")
    }


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_flag_is_gone(variant: str, tmp_path: Path) -> None:
    made = coordinate(f"{BANKS}:{variant}")
    assert made.before.status == 1
    assert made.after.status == 0
    (insertion,) = made.plan.insertions
    assert insertion.mechanism == "atomic commit"
    assert insertion.price.messages == 10
    assert insertion.gate == (("account",) if variant in BY_ACCOUNT else ())
    assert not made.plan.refusals
    printed = tmp_path / "banks.py"
    printed.write_text(deployment_text(made.deployed.deployment))
    assert check(str(printed)).status == 0


def test_a_bank_that_debits_and_then_sends_needs_no_commit() -> None:
    made = coordinate(f"{BANKS}:forwarding")
    assert made.after.status == 0
    assert {one.mechanism for one in made.plan.insertions} == {"consensus"}


@pytest.mark.parametrize("variant", VARIANTS)
def test_money_stays_whatever_falls(variant: str) -> None:
    """A transfer takes effect at both banks or at neither, and nobody overdraws."""
    stage = stage_of(f"{BANKS}:{variant} --coordinate")
    moved = 0
    for seed in range(4):
        chance = random.Random(f"banks/{seed}")
        run = World(stage, seed, FAULTS, draw(FAULTS, stage.nodes, SAFETY, seed))
        for row in transfers(variant, chance, 12):
            node, values = given(variant, row, stage, chance)
            run.at(chance.randrange(SAFETY), run.insert, node, "transfer", [values])
        run.run(SAFETY, 20_000)
        run.heal()
        run.run(4 * SAFETY, 20_000)
        found = balances(run, variant)
        assert sum(found.values()) == 400, f"seed {seed}: {found}"
        assert not run.violations and not run.set_aside, f"seed {seed}"
        moved += any(amount != 100 for amount in found.values())
    assert moved > 2


ALICE_TO_BOB = ("bank-0", "alice", "bank-1", "bob")
RIVALS = (
    Insert(0, "teller-0", "transfer", ((1, *ALICE_TO_BOB, 60),)),
    Insert(0, "teller-1", "transfer", ((2, *ALICE_TO_BOB, 70),)),
)


@pytest.mark.parametrize(
    ("limits", "states"),
    [
        (Limits(duplicates=0), 256),
        (Limits(duplicates=1), 2_055),
        (Limits(duplicates=0, crashes=1), 4_117),
    ],
    ids=["in any order", "one message twice", "one crash"],
)
def test_a_transfer_in_every_schedule(limits: Limits, states: int) -> None:
    """Both banks have booked it when all is quiet."""
    stage = stage_of(f"{BANKS}:two_channels --coordinate")
    space = explore(stage, [Insert(0, "teller-0", "transfer", ((1, *ALICE_TO_BOB, 60),))], limits)
    assert not space.violations
    assert len(space.states) == states
    ends = {
        (outcome.rows("bank-0", "balance"), outcome.rows("bank-1", "balance"))
        for outcome in outcomes(space)
    }
    assert ends == {((("alice", 40), ("bob", 100)), (("alice", 100), ("bob", 160)))}


def test_rivals_in_many_schedules() -> None:
    """Each of two transfers is covered, and both are not: one of them takes effect."""
    stage = stage_of(f"{BANKS}:two_channels --coordinate")
    space = explore(stage, RIVALS, Limits(states=10_000, duplicates=0))
    assert not space.violations


@pytest.mark.campaign
@pytest.mark.timeout(600)
def test_rivals_in_every_schedule() -> None:
    """In all 46,944 states: one of them takes effect, whichever."""
    stage = stage_of(f"{BANKS}:two_channels --coordinate")
    space = explore(stage, RIVALS, Limits(states=100_000, duplicates=0))
    assert not space.violations
    assert len(space.states) == 46_944
    ends = {
        (outcome.rows("bank-0", "balance"), outcome.rows("bank-1", "balance"))
        for outcome in outcomes(space)
    }
    assert ends == {
        ((("alice", 40), ("bob", 100)), (("alice", 100), ("bob", 160))),
        ((("alice", 30), ("bob", 100)), (("alice", 100), ("bob", 170))),
    }


def test_who_asked_is_answered() -> None:
    """What is refused is refused by the rules that say so, with nothing done anywhere."""
    stage = stage_of(f"{BANKS}:answering --coordinate")
    run = World(stage, 1)
    run.at(1, run.insert, "teller-0", "transfer", [(1, "bank-0", "alice", "bank-1", "bob", 170)])
    run.at(2, run.insert, "bank-1", "deposit", [("bob", 5)])
    run.at(3, run.insert, "teller-0", "transfer", [(2, "bank-0", "alice", "bank-1", "bob", 70)])
    run.at(SAFETY // 2, run.insert, "teller-0", "question", [("bank-1", "bob")])
    run.run(SAFETY)
    assert run.shown("teller-0", "no") == [(1,)]
    assert run.shown("teller-0", "yes") == [(2,)]
    assert run.shown("teller-0", "answer") == [("bob", 175)]
    assert run.rows("bank-0", "refusals") == [(1,)]
    assert balances(run, "answering") == {
        ("bank-0", "alice"): 30,
        ("bank-0", "bob"): 100,
        ("bank-1", "alice"): 100,
        ("bank-1", "bob"): 175,
    }


def test_one_row_twice_is_vetoed() -> None:
    """A transfer of an account to itself would overwrite one row twice: it is refused."""
    stage = stage_of(f"{BANKS}:two_channels --coordinate")
    run = World(stage, 1)
    same = (1, "bank-0", "alice", "bank-0", "alice", 10)
    other = (2, "bank-0", "alice", "bank-0", "bob", 10)
    run.at(1, run.insert, "teller-0", "transfer", [same])
    run.at(2, run.insert, "teller-0", "transfer", [other])
    run.run(SAFETY)
    assert run.rows("bank-0", "balance") == [("alice", 90), ("bob", 110)]


def test_the_register_by_commit() -> None:
    """Chosen by `--with 2pc`: a write is at all replicas, or waits."""
    target = "bloomish.programs.register"
    made = coordinate(target, "2pc")
    assert made.after.status == 0
    assert {one.mechanism for one in made.plan.insertions} == {"atomic commit"}
    assert made.plan.insertions[0].price.messages == 14
    stage = stage_of(f"{target} --coordinate --with 2pc")
    for seed in range(3):
        run = World(stage, seed, FAULTS, draw(FAULTS, stage.nodes, SAFETY, seed))
        for number in range(12):
            client = f"client-{number % 2}"
            row = (number, "x", f"v{number}")
            run.at(SAFETY * number // 12, run.insert, client, "put", [row])
            run.at(SAFETY * number // 12 + 5, run.insert, client, "get", [(100 + number, "x")])
        run.run(SAFETY, 20_000)
        run.heal()
        run.run(4 * SAFETY, 20_000)
        assert not run.violations and not run.set_aside
        held = [run.rows(f"replica-{n}", "register") for n in range(3)]
        assert held[0] == held[1] == held[2] != []


def test_who_pays_and_who_is_paid_are_of_different_kinds() -> None:
    """The vote is of the one alone; the other takes what comes, and still comes in together."""
    stage = stage_of(f"{BANKS}:payments --coordinate")
    for seed in range(4):
        chance = random.Random(f"payments/{seed}")
        run = World(stage, seed, FAULTS, draw(FAULTS, stage.nodes, SAFETY, seed))
        for number in range(12):
            row = (number, "payer-0", chance.choice(("alice", "bob")), "payee-0", "x", 30)
            node = f"teller-{chance.randrange(2)}"
            run.at(chance.randrange(SAFETY), run.insert, node, "transfer", [row])
        run.run(SAFETY, 20_000)
        run.heal()
        run.run(4 * SAFETY, 20_000)
        left = dict(run.rows("payer-0", "balance"))
        assert min(left.values()) >= 0
        assert sum(left.values()) + 30 * len(run.rows("payee-0", "got")) == 200
        assert not run.set_aside


def test_what_goes_by_the_clock_is_refused() -> None:
    """A vote that may not hold when the decision comes is no vote."""
    made = coordinate(f"{BANKS}:by_the_clock")
    assert made.after.status == 1
    assert any("clock" in refusal.why for refusal in made.plan.refusals)


def test_on_processes(tmp_path: Path) -> None:
    """Money moves between processes, one of which is killed now and then, and none is lost."""

    async def session() -> None:
        target = f"{BANKS}:two_channels --coordinate"
        async with (
            launch(target, data=tmp_path, restart="on-failure") as cluster,
            cluster.connect("teller-0") as teller,
        ):
            outcomes = teller.watch("commit.outcome")
            for number in range(30):
                row = (number, f"bank-{number % 2}", "alice", f"bank-{1 - number % 2}", "bob", 7)
                await teller.insert("transfer", [row])
                if number in (9, 19):
                    cluster.kill(f"bank-{number // 10}")
            ends = dict(await outcomes.take(30))
            assert len(ends) == 30
            assert sum(ends.values()) == 28  # of 15 sevens at either bank there are 14 in a hundred
            held = []
            for bank in ("bank-0", "bank-1"):
                async with cluster.connect(bank) as node:
                    held += [amount for _, amount in await node.contents("balance")]
            assert sum(held) == 400
            assert min(held) == 2

    asyncio.run(asyncio.wait_for(session(), 60))

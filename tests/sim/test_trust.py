"""Trusting the verdicts leaves schedules out, and no way to end."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from bloomish import ir
from bloomish.analysis import check
from bloomish.cli import run
from bloomish.externals import Externals
from bloomish.order import order_key
from bloomish.runtime.coordinated import load
from bloomish.runtime.sim.explore.outcomes import outcomes
from bloomish.runtime.sim.explore.space import Limits, Space, explore
from bloomish.runtime.sim.explore.trust import trusted
from bloomish.runtime.sim.stage import Member, Stage, stage_of, stage_of_target
from bloomish.runtime.sim.workload import Insert, make_up, systematic
from tests.analysis.alarms import ROSTERS
from tests.analysis.mutants import NODES, mutant
from tests.runtime.randomprograms import EXTERNALS, Features, case

PROGRAMS = Path(__file__).parents[2] / "programs"
PLAIN = Features(chance=False, failures=False, functions=False, periodic=False)


def ends(space: Space) -> set[object]:
    return {
        tuple((node, name, order_key(rows)) for node, name, rows in one.content)
        for one in outcomes(space)
    }


def both(stage: Stage, program: ir.Program, seed: int) -> tuple[Space, Space] | None:
    """The unreduced space and that which trusts; None where nothing is trusted, or it takes long.

    Trust is tested alone, and together with partial-order reduction.
    """
    believed = trusted(stage, check(program).modes, alone=True)
    rows = make_up(stage, seed, 2, 100)
    chosen: list[Insert] = random.Random(seed).sample(rows, min(3, len(rows)))
    spaces = []
    for limits in (
        Limits(2_000, seed % 2, reduce=False),
        Limits(2_000, seed % 2, reduce=seed % 4 > 1, trusted=believed),
    ):
        space = explore(stage, chosen, limits)
        if space.bounded or not believed:
            return None
        spaces.append(space)
    return spaces[0], spaces[1]


def compare(drawn: list[tuple[ir.Program, Stage]]) -> None:
    states = [0, 0]
    compared = 0
    for seed, (program, stage) in enumerate(drawn):
        spaces = both(stage, program, seed)
        if spaces is None:
            continue
        full, pruned = spaces
        assert ends(full) == ends(pruned), f"seed {seed}"
        assert set(map(str, full.violations)) == set(map(str, pruned.violations)), f"seed {seed}"
        compared += 1
        states[0] += len(full.states)
        states[1] += len(pruned.states)
    assert compared >= len(drawn) // 5
    assert states[1] < 0.8 * states[0]


def test_random_programs_end_in_the_same_ways() -> None:
    drawn = []
    for seed in range(60):
        one = case(seed, PLAIN)
        members = tuple(Member(node, one.program, EXTERNALS) for node in NODES)
        drawn.append((one.program, Stage("random", members, dict(one.rosters))))
    compare(drawn)


def test_changed_programs_end_in_the_same_ways() -> None:
    drawn = []
    for seed in range(100):
        program = mutant(seed)
        members = tuple(Member(node, program, Externals()) for node in NODES)
        drawn.append((program, Stage("random", members, ROSTERS)))
    compare(drawn)


@pytest.mark.parametrize(("name", "several"), [("quorum", False), ("kvs", True)])
def test_clusters_end_in_the_same_ways(name: str, several: bool) -> None:
    target = str(PROGRAMS / f"{name}.py")
    stage = stage_of(target)
    believed = trusted(stage, check(target).modes, alone=False)
    rows = systematic(stage, 1)
    full, pruned = (
        explore(stage, rows, Limits(duplicates=0, trusted=places))
        for places in (frozenset[tuple[str, str]](), believed)
    )
    assert ends(full) == ends(pruned) and (len(ends(full)) > 1) == several
    assert len(pruned.states) < 0.7 * len(full.states)


def test_what_is_reached_decides() -> None:
    """Puts overwrite; acknowledgements reach an output that only grows."""
    target = str(PROGRAMS / "kvs.py")
    believed = trusted(stage_of(target), check(target).modes, alone=False)
    assert ("client-0", "ack") in believed or ("client-0", "Kvs.ack") in believed
    assert not any(node == "server-0" and name.endswith("put") for node, name in believed)


def test_of_a_coordinated_program_its_own_verdicts_count() -> None:
    """Who owns a name is settled only once claims are ordered; then it goes out in any order."""
    plain = str(PROGRAMS / "user_names.py")
    without = trusted(stage_of(plain), check(plain).modes, alone=False)
    target = load(f"{plain} --coordinate", "contract")
    stage = stage_of_target(target)
    believed = trusted(stage, check(target).modes, alone=False)
    told = {("client-0", "belongs"), ("client-1", "belongs")}
    assert told <= believed and not told & without
    rows = systematic(stage, 1)
    full, pruned = (
        explore(stage, rows, Limits(duplicates=0, trusted=places))
        for places in (frozenset[tuple[str, str]](), believed)
    )
    assert ends(full) == ends(pruned) and len(ends(full)) > 1
    assert len(pruned.states) < len(full.states)


def test_the_command_trusts_a_coordinated_program(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["explore", str(PROGRAMS / "user_names.py"), "--coordinate", "--duplicates", "0"]
    assert run([*arguments, "--format", "json"]) == 0
    full = json.loads(capsys.readouterr().out)
    assert run([*arguments, "--trust-verdicts", "--format", "json"]) == 1
    trusting = json.loads(capsys.readouterr().out)
    assert trusting["trusting_verdicts"] is True
    assert trusting["outcomes"] == full["outcomes"]
    assert trusting["states"] < full["states"]


def test_the_command_claims_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["explore", str(PROGRAMS / "quorum.py"), "--duplicates", "0"]
    assert run(arguments) == 0
    assert "trusting" not in capsys.readouterr().out
    assert run([*arguments, "--trust-verdicts"]) == 1
    assert "trusting verdicts: no claim" in capsys.readouterr().out
    assert run([*arguments, "--trust-verdicts", "--format", "json"]) == 1
    assert json.loads(capsys.readouterr().out)["trusting_verdicts"] is True
    assert run([*arguments, "--trust-verdicts", "--unreduced"]) == 2

"""The explorer: counts that are known, bounds that are told, reduction that loses nothing."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

import pytest

from bloomish.cli import run
from bloomish.order import order_key
from bloomish.runtime.sim.explore.outcomes import Outcome, outcomes
from bloomish.runtime.sim.explore.space import Limits, Space, explore
from bloomish.runtime.sim.explore.witness import witness
from bloomish.runtime.sim.stage import Member, Stage, stage_of
from bloomish.runtime.sim.workload import Insert, make_up, systematic

HERE = Path(__file__).parent
PROGRAMS = HERE.parents[1] / "programs"
sys.path.insert(0, str(HERE.parent / "runtime"))

from randomprograms import EXTERNALS, NODES, Features, case  # noqa: E402


def micro(name: str, rows: int = 2, **limits: int) -> tuple[Space, list[Outcome]]:
    stage = stage_of(f"{HERE / 'micro.py'}:{name}")
    space = explore(stage, systematic(stage, rows), Limits(**limits))  # type: ignore[arg-type]
    return space, outcomes(space)


# ------------------------------------------------------------ ANALYSIS section 5

ONE = ["Grow", "View", "Threshold", "PersistentJoin", "LastByTime", "Gossip"]
MANY = ["Latched", "CountLatched", "EphemeralJoin", "Register", "Entangled", "Counter", "KeyRace"]


@pytest.mark.parametrize("name", ONE)
def test_confluent_programs_have_one_outcome(name: str) -> None:
    space, found = micro(name)
    assert len(found) == 1 and not space.bounded and not space.violations


@pytest.mark.parametrize("name", MANY)
def test_order_sensitive_programs_have_several(name: str) -> None:
    space, found = micro(name)
    assert len(found) > 1 and not space.bounded


def test_a_duplicate_counts_where_it_is_allowed() -> None:
    assert len(micro("Counter", rows=1, duplicates=0)[1]) == 1
    assert len(micro("Counter", rows=1, duplicates=1)[1]) == 2


def test_what_shares_a_tick_is_a_choice() -> None:
    space, _ = micro("TwoAtOnce")
    ((violated, path),) = space.violations.items()
    assert str(violated) == "broken(1, 2) at twoatonce-0"
    assert [len(move.taken) for move in path] == [2]


# ------------------------------------------------------------------ known counts


@pytest.mark.parametrize(("name", "managers", "states"), [("three", 3, 288), ("five", 5, 8832)])
def test_two_phase_commit_has_the_states_of_its_specification(
    name: str, managers: int, states: int
) -> None:
    stage = stage_of(f"{HERE / 'two_phase.py'}:{name}")
    inserts = [
        Insert(0, f"manager-{number}", "go", ((what,),))
        for number in range(managers)
        for what in ("prepare", "abort")
    ]
    inserts += [Insert(0, "tm-0", "decide", ((what,),)) for what in ("committed", "aborted")]
    space = explore(stage, inserts, Limits(step="action"))
    assert len(space.states) == states and not space.bounded


def test_a_quorum_has_one_outcome_and_an_overwriting_store_several() -> None:
    for name, most in (("quorum", 1), ("kvs", 20)):
        stage = stage_of(str(PROGRAMS / f"{name}.py"))
        found = outcomes(explore(stage, systematic(stage, 1)[:3], Limits(duplicates=0)))
        assert (len(found) == 1) == (most == 1)


def test_retry_loops_end() -> None:
    """A standing send is repeated for as long as it is not confirmed."""
    stage = stage_of(f"{HERE / 'planted.py'}:patient")
    space = explore(stage, systematic(stage, 1), Limits(duplicates=0))
    (outcome,) = outcomes(space)
    assert not space.bounded and outcome.rows("client-0", "done") == ((1,),)


def test_dedalus_programs_are_explored_over_delays() -> None:
    path = str(PROGRAMS / "dedalus" / "broadcast_retry.ded")
    space = explore(stage_of(path, ("a", "b")), [], Limits(duplicates=0))
    (outcome,) = outcomes(space)
    assert not space.bounded
    assert outcome.content  # the copies of the message, wherever and whenever they arrived


def test_crashes_are_explored_when_asked() -> None:
    stand = [Insert(0, f"candidate-{n}", "stand", ((1,),)) for n in (0, 1)]
    for name, crashes, breaks in (
        ("forgetful", 0, False),
        ("forgetful", 1, True),
        ("durable", 1, False),
    ):
        stage = stage_of(f"{HERE / 'planted.py'}:{name}")
        limits = Limits(duplicates=0, crashes=crashes, stop_at_violation=True)
        space = explore(stage, stand, limits)
        assert bool(space.violations) == breaks, name
        assert all("torn" in str(one) for one in space.violations)


def test_bounds_are_told() -> None:
    space, _ = micro("Grow", rows=8, states=50)
    assert any("50 states" in text for text in space.bounded)
    assert any("at most 2 messages" in text for text in space.bounded)


# -------------------------------------------------------------------- reduction

PLAIN = Features(chance=False, failures=False, functions=False, periodic=False)


@pytest.mark.parametrize("seed", [0, *range(2, 41)])  # 1 has too many states for a quick test
def test_reduction_loses_no_outcome(seed: int) -> None:
    drawn = case(seed, PLAIN)
    members = tuple(Member(node, drawn.program, EXTERNALS) for node in NODES)
    stage = Stage("random", members, dict(drawn.rosters))
    inserts = make_up(stage, seed, 2, 100)
    chosen = random.Random(seed).sample(inserts, min(3, len(inserts)))
    spaces = [
        explore(stage, chosen, Limits(states=2_000, duplicates=seed % 2, reduce=reduce))
        for reduce in (False, True)
    ]
    assert not any(space.bounded for space in spaces)
    full, reduced = (
        {
            tuple((node, name, order_key(rows)) for node, name, rows in one.content)
            for one in outcomes(space)
        }
        for space in spaces
    )
    assert full == reduced
    assert set(map(str, spaces[0].violations)) == set(map(str, spaces[1].violations))


def test_reduction_reduces() -> None:
    stage = stage_of(str(PROGRAMS / "quorum.py"))
    inserts = [Insert(0, f"voter-{n}", "cast", ((1,),)) for n in range(5)]
    full, reduced = (
        explore(stage, inserts, Limits(duplicates=0, reduce=reduce)) for reduce in (False, True)
    )
    assert len(reduced.states) < 0.7 * len(full.states)
    assert len(outcomes(full)) == len(outcomes(reduced)) == 1


# --------------------------------------------------------------------- witnesses


def test_a_witness_shows_two_schedules_of_the_same_messages() -> None:
    searched = witness(stage_of(f"{HERE / 'micro.py'}:EphemeralJoin"), ["both"])
    found = searched.witness
    assert found is not None
    assert {one.collection for one in found.differences} == {"both"}

    def taken(ticks: object) -> list[str]:
        return sorted(str(row) for tick in ticks for row in tick.taken)  # type: ignore[attr-defined]

    assert taken(found.first.ticks) == taken(found.second.ticks)


def test_no_witness_says_what_was_explored() -> None:
    searched = witness(stage_of(f"{HERE / 'micro.py'}:PersistentJoin"), ["both"])
    assert searched.witness is None and searched.outcomes == 1 and searched.complete
    assert "input(s)" in searched.bounds and searched.states > 10


# ------------------------------------------------------------------ command line


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explore", f"{HERE / 'micro.py'}:Grow", "--rows", "2"]) == 0
    assert "1 outcome(s)" in capsys.readouterr().out
    assert run(["explore", f"{HERE / 'micro.py'}:Register", "--rows", "2"]) == 1
    text = capsys.readouterr().out
    assert "two schedules of the same messages end differently" in text
    assert run(["explore", f"{HERE / 'micro.py'}:TwoAtOnce", "--rows", "2"]) == 1
    assert "VIOLATED: broken(1, 2)" in capsys.readouterr().out
    arguments = ["explore", str(PROGRAMS / "quorum.py"), "--duplicates", "0", "--format", "json"]
    assert run([*arguments, "--states", "100"]) == 0
    assert json.loads(capsys.readouterr().out)["bounded"] != []


def test_nothing_is_claimed_where_no_schedule_came_to_its_end(
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = ["explore", str(PROGRAMS / "multipaxos.py"), "--states", "50"]
    assert run([*arguments, "--duplicates", "0"]) == 1
    assert "bounded: no schedule was followed to its end" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--coordinate", "--nodes", "a,b"], "is a cluster and names its nodes itself: grow-0"),
        (["--protocol"], "--protocol says what of --coordinate to explore: give that too"),
        (["--trust-verdicts", "--unreduced"], "--unreduced leaves nothing out"),
    ],
)
def test_what_the_command_does_not_take(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["explore", f"{HERE / 'micro.py'}:Grow", *arguments]) == 2
    assert message in capsys.readouterr().err

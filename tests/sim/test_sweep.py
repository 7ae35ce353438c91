"""All faults tick by tick: against the lineage-driven search, and where lineage does not go."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bloomish.cli import run
from bloomish.runtime.sim.ldfi.faults import Bounds, CrashMode
from bloomish.runtime.sim.ldfi.global_program import global_program
from bloomish.runtime.sim.ldfi.search import Attack
from bloomish.runtime.sim.ldfi.sweep import sweep
from bloomish.runtime.sim.stage import stage_of
from bloomish.runtime.sim.workload import systematic

SPREAD = Path(__file__).parent / "spread.py"
PROGRAMS = Path(__file__).parents[2] / "programs"


@pytest.mark.parametrize("name", ["once", "again", "counting"])
@pytest.mark.parametrize(("eot", "eff", "crashes"), [(5, 2, 0), (6, 3, 0), (5, 2, 1), (6, 1, 1)])
@pytest.mark.parametrize("mode", ["zombie", "frozen"])
def test_it_finds_what_the_lineage_driven_search_finds(
    name: str, eot: int, eff: int, crashes: int, mode: CrashMode
) -> None:
    stage = stage_of(f"{SPREAD}:{name}")
    bounds = Bounds(stage.nodes, eot, eff, crashes, mode)
    program = global_program(stage, systematic(stage, 1), eot)
    by_lineage = Attack(program, bounds).search()
    swept = sweep(stage, systematic(stage, 1), bounds)
    assert (swept.faults is None) == (by_lineage.counterexample is None)
    if swept.faults is not None:
        assert by_lineage.counterexample is not None
        assert swept.broken


def test_the_faults_that_are_told_are_the_least() -> None:
    stage = stage_of(f"{SPREAD}:once")
    swept = sweep(stage, systematic(stage, 1), Bounds(stage.nodes, 5, 3, 1))
    assert swept.faults is not None
    assert len(swept.faults) == 1


def test_a_limit_stops_and_claims_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--eot", "8", "--eff", "4", "--limit", "5", "--coordinate"]
    assert run(["ldfi", str(PROGRAMS / "user_names.py"), *arguments]) == 3
    assert capsys.readouterr().out.startswith("stopped:")


@pytest.mark.parametrize(
    ("target", "eot", "eff", "crashes"),
    [
        ("user_names.py", 7, 3, 0),
        ("register.py", 7, 3, 0),
        ("bank.py", 9, 3, 1),
        ("first_come_lock.py", 7, 2, 0),
    ],
)
def test_coordinated_programs_withstand_every_loss(
    target: str, eot: int, eff: int, crashes: int, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--eot", str(eot), "--eff", str(eff), "--crashes", str(crashes)]
    status = run(["ldfi", str(PROGRAMS / target), "--coordinate", *arguments, "--format", "json"])
    data = json.loads(capsys.readouterr().out)
    assert (status, data["verdict"]) == (0, "certified")
    assert data["checks"]
    has_a_log = target != "bank.py"
    assert ["kept by one of them" in warning for warning in data["warnings"]] == [True] * has_a_log


def test_without_coordination_a_loss_breaks_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["ldfi", str(PROGRAMS / "user_names.py"), "--eot", "7", "--eff", "2"]) == 1
    out = capsys.readouterr().out
    assert "two_owners" in out
    assert "✗" in out


def test_nothing_to_judge_by_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--coordinate", "--eot", "6"]
    assert run(["ldfi", str(PROGRAMS / "concatenation.py"), *arguments]) == 2
    assert "nothing to judge a run by" in capsys.readouterr().err


JUDGED = """
from bloomish import Key, Max, Program, input, scratch, table, variables

x, y = variables("x y")


class Judged(Program):
    start = input(x=int)
    most = table(k=Key(int), x=Max(int))
    pre = scratch(x=int)
    post = scratch({columns})

    most(0, x) <= start(x)
    pre(x) <= start(x)
    post({values}) <= start(x)
"""


@pytest.mark.parametrize(
    ("columns", "values", "eot", "status", "said"),
    [
        ("x=int", "x", 1, 0, ""),
        ("x=int", "x", 2, 0, "`post` is empty at the end of the run without faults"),
        ("x=int", "x + 1", 1, 0, "`pre` holds no row of `post` in the run without faults"),
        ("x=int, y=int", "x, x", 1, 2, "`pre` has 1 column(s) and `post` 2"),
    ],
)
def test_what_post_does_not_certify_is_told(
    columns: str,
    values: str,
    eot: int,
    status: int,
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As where lineage follows."""
    path = tmp_path / "judged.py"
    path.write_text(JUDGED.format(columns=columns, values=values))
    arguments = ["ldfi", str(path), "--eot", str(eot)]
    assert run(arguments) == status
    err = capsys.readouterr().err
    assert said in err and bool(said) == bool(err)
    if status == 0:
        assert run([*arguments, "--format", "json"]) == 0
        warnings = json.loads(capsys.readouterr().out)["warnings"]
        assert len(warnings) == bool(said) and all(said in one for one in warnings)

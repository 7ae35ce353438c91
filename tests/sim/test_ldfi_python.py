"""Python programs under fault injection: the global program against the evaluators themselves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bloomish.cli import run
from bloomish.runtime.sim.ldfi.code import make_code
from bloomish.runtime.sim.ldfi.exhaustive import exhaust
from bloomish.runtime.sim.ldfi.faults import Bounds
from bloomish.runtime.sim.ldfi.forward import forward
from bloomish.runtime.sim.ldfi.global_program import global_program
from bloomish.runtime.sim.ldfi.search import Attack
from bloomish.runtime.sim.stage import Stage, stage_of
from bloomish.runtime.sim.workload import systematic
from bloomish.runtime.verbs import ldfi as verb

HERE = Path(__file__).parent
SPREAD = HERE / "spread.py"


def synchronous(stage: Stage, eot: int) -> list[dict[str, set[tuple[object, ...]]]]:
    """What every collection of every node holds, tick by tick, with messages that take one."""
    evaluators = {m.node: stage.evaluator(m, 0, "reference") for m in stage.members}
    for one in systematic(stage, 1):
        if one.collection != "crash":
            evaluators[one.node].insert(one.collection, one.rows)
    history: list[dict[str, set[tuple[object, ...]]]] = [{}]
    for _ in range(eot):
        sends = []
        held: dict[str, set[tuple[object, ...]]] = {}
        for member in stage.members:
            evaluator = evaluators[member.node]
            evaluator.tick(0.0)
            evaluator.resend()
            sends += evaluator.sends()
            for collection in member.program.collections:
                rows = {(member.node, *row) for row in evaluator.contents(collection.name)}
                held.setdefault(collection.name, set()).update(rows)
        for to, wire, row in sends:
            if to in evaluators:
                names = {
                    c.wire: c.name
                    for c in stage.member(to).program.collections
                    if c.kind == "channel"
                }
                evaluators[to].insert(names[wire], [row])
        history.append(held)
    return history


@pytest.mark.parametrize("name", ["once", "again", "counting"])
def test_the_global_program_is_what_the_nodes_do(name: str) -> None:
    stage = stage_of(f"{SPREAD}:{name}")
    eot = 6
    program = global_program(stage, systematic(stage, 1), eot)
    done = forward(make_code(program), Bounds(stage.nodes, eot, 1, 0))
    history = synchronous(stage, eot)
    compared = 0
    for time in range(1, eot + 1):
        for collection, rows in history[time].items():
            named = [
                one.name
                for one in program.collections
                if one.name in (collection, f"role0.{collection}")
                or one.name.endswith(f".{collection}")
                and one.name.startswith("channel ")
            ]
            if collection != "crash" and named:
                assert set(done.rows(named[0], time)) == rows, (collection, time)
                compared += len(rows)
    assert compared > 50


@pytest.mark.parametrize(
    ("name", "eot", "eff", "crashes", "expected"),
    [
        ("once", 5, 2, 0, "counterexample"),
        ("again", 8, 4, 0, "certified"),
        ("again", 7, 2, 1, "certified"),
        ("counting", 5, 3, 0, None),
        ("counting", 5, 2, 1, None),
    ],
)
def test_search_and_exhaustion_agree(
    name: str, eot: int, eff: int, crashes: int, expected: str | None
) -> None:
    stage = stage_of(f"{SPREAD}:{name}")
    bounds = Bounds(stage.nodes, eot, eff, crashes)
    program = global_program(stage, systematic(stage, 1), eot)
    found = Attack(program, bounds).search()
    assert found.goals
    if expected is not None:
        assert (expected == "counterexample") == (found.counterexample is not None)
    if eff <= 3 and len(stage.nodes) * eff < 9:
        oracle = exhaust(Attack(program, bounds))
        assert (oracle.counterexample is None) == (found.counterexample is None)


def test_the_command_takes_python_programs(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--eot", "6", "--eff", "3", "--format", "json"]
    assert run(["ldfi", f"{SPREAD}:once", *arguments]) == 1
    data = json.loads(capsys.readouterr().out)
    assert data["faults"][0]["fault"] == "loss"
    assert "spread.py" in json.dumps(data["explanation"])


def test_a_program_that_lineage_follows_is_staged_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Made-up rows, feeds and the program over all nodes are worked out once."""
    calls: list[str] = []
    for name in ("stage_of", "systematic", "global_program"):
        inner = getattr(verb, name)

        def counted(*arguments: Any, name: str = name, inner: Any = inner) -> Any:
            calls.append(name)
            return inner(*arguments)

        monkeypatch.setattr(verb, name, counted)
    assert run(["ldfi", f"{SPREAD}:once", "--eot", "4"]) == 0
    assert calls == ["stage_of", "systematic", "global_program"]
    assert "certified" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["quorum", "chat"])
def test_nothing_to_judge_by_is_an_error_whether_lineage_follows_or_not(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    target = str(HERE.parents[1] / "programs" / f"{name}.py")
    assert run(["ldfi", target, "--eot", "4"]) == 2
    assert f"{name}.py: there is nothing to judge a run by" in capsys.readouterr().err

"""`bloomish check --witness`: verdicts with the executions that back them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bloomish.cli import run

HERE = Path(__file__).parent
PROGRAMS = HERE.parents[1] / "programs"
MICRO = HERE / "micro.py"


def test_a_point_of_order_comes_with_two_schedules(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "register.html"
    target = f"{MICRO}:Register"
    assert run(["check", target, "--witness", "--states", "2000", "--page", str(page)]) == 1
    text = capsys.readouterr().out
    assert "P1  witness: the same messages end differently in register" in text
    assert "first:" in text and "second:" in text and "register at register-0: first has" in text
    drawn = page.read_text()
    assert drawn.count("<svg") == 2 and 'class="mark"' in drawn


def test_what_needs_none_says_what_was_explored(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", f"{MICRO}:Grow", "--witness", "--states", "2000"]) == 0
    text = capsys.readouterr().out
    assert "log: monotone; unreduced, all schedules end alike" in text
    assert "states explored" in text


def test_as_data(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["check", str(PROGRAMS / "kvs.py"), "--witness", "--states", "3000"]
    assert run([*arguments, "--format", "json"]) == 1
    point, rest = json.loads(capsys.readouterr().out)
    assert point["point"] == "P1" and point["witness"]["differences"]
    assert point["collections"] == ["store", "answer"]
    assert rest["collections"] == ["done"] and rest["witness"] is None and not rest["refuted"]


def test_dedalus_programs_have_witnesses_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program = tmp_path / "race.ded"
    program.write_text(
        """
        go("a", "s", "red")@1; go("b", "s", "blue")@1;
        ask(S, V)@async :- go(N, S, V);
        held(S) :- first(S, _);
        first(S, V)@next :- ask(S, V), notin held(S);
        first(S, V)@next :- first(S, V);
        """
    )
    assert run(["check", str(program), "--witness", "--states", "2000"]) == 1
    assert "end differently" in capsys.readouterr().out

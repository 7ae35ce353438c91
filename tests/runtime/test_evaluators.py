"""Which evaluator runs, and how one asks for another."""

from __future__ import annotations

import pytest

from bloomish import Program, input, table
from bloomish.program import compile
from bloomish.runtime import evaluators
from bloomish.runtime.evaluators import VARIABLE, chosen, engine_built, make_evaluator


class Small(Program):
    put = input(x=int)
    kept = table(x=int)
    kept <= put  # noqa: B015 -- a rule


def test_the_reference_is_there_for_the_asking() -> None:
    made = compile(Small)
    assert make_evaluator(made.program, made.externals, which="reference").name == "reference"


def test_without_the_engine_the_reference_runs_and_asking_for_the_engine_says_why_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(evaluators, "engine_built", lambda: False)
    assert chosen() == "reference"
    with pytest.raises(RuntimeError, match="was not built here"):
        chosen("engine")


def test_the_engine_runs_where_it_was_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(evaluators, "engine_built", lambda: True)
    assert chosen() == "engine"


def test_the_environment_may_ask_and_an_argument_outweighs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(evaluators, "engine_built", lambda: True)
    monkeypatch.setenv(VARIABLE, "reference")
    assert chosen() == "reference"
    assert chosen("engine") == "engine"
    monkeypatch.setenv(VARIABLE, "quick")
    with pytest.raises(ValueError, match="no evaluator 'quick'"):
        chosen()


def test_engine_built_says_what_is_there() -> None:
    made = compile(Small)
    wanted = "engine" if engine_built() else "reference"
    assert make_evaluator(made.program, made.externals, which="auto").name == wanted

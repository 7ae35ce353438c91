"""Programs on which the evaluators once differed, as small as they could be made."""
# ruff: noqa: B015 -- rules are expressions that stand alone
# fmt: off

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bloomish import Key, Max, Program, _, input, ir, roster, scratch, size, table, variables
from bloomish.program import compile
from tests.runtime.playing import difference, play
from tests.runtime.randomprograms import Case, Step
from tests.runtime.test_agreement import needs_engine

pytestmark = needs_engine

a, b, k, v, w, x, y, z = variables("a b k v w x y z")


def differs(program: Any, *ticks: dict[str, list[Any]]) -> str:
    """How the two differ when these rows arrive, one dict a tick."""
    made = compile(program)
    steps = tuple(
        Step(tuple((name, tuple(rows)) for name, rows in rows_of.items()), float(number))
        for number, rows_of in enumerate(ticks)
    )
    case = Case(made.program, steps, externals=made.externals)
    return difference(play(case, "reference"), play(case, "engine"))


def test_a_row_deleted_at_every_tick_goes_once_nothing_replaces_it_any_more() -> None:
    class Replaced(Program):
        put = input(k=int)
        kept = table(k=Key(int), v=str)
        kept(k, "a") <+- put(k)
        kept(k, v) <- kept(k, v)

    assert differs(Replaced, {"put": [(3,)]}, {"put": [(3,)]}, {}, {}) == ""


def test_a_replacement_that_stands_alone_again_once_its_rival_of_a_tick_lapses() -> None:
    class Rivals(Program):
        put = input(v=int)
        source = table(v=int)
        source <= [(1,)]
        kept = table(k=Key(int), v=Max(int))
        kept(0, v) <+- put(v)
        kept(0, v) <+- source(v)

    assert differs(Rivals, {"put": [(2,)]}, {"put": [(2,)]}, {}, {}) == ""


def test_a_condition_that_fails_beside_chance_fails_the_tick() -> None:
    class Chancy(Program):
        peers = roster("peer")
        put = input(x=int)
        kept = table(x=int)
        view = scratch(x=int)
        kept(x) <= put(x)
        view(x) <= kept(x)
        view(y) <= view(_) & (y == 1 // (size(peers) - size(peers)))

    made = compile(Chancy)
    *others, last = made.program.rules
    chance = ir.Binary("<", ir.Random(), ir.Const(1.0))
    unknown = ir.Binary("==", ir.Const(0), ir.Var("y"))
    both = ir.Condition(ir.Binary("and", chance, unknown))
    rules = (*others, replace(last, body=(*last.body, both)))
    steps = (Step((("put", ((3,),)),)), Step())
    case = Case(replace(made.program, rules=rules), steps)
    assert [seen.failed for seen in play(case, "reference")] == [True, False]
    assert difference(play(case, "reference"), play(case, "engine")) == ""

"""Programs on which the evaluators once differed, as small as they could be made."""
# ruff: noqa: B015 -- rules are expressions that stand alone
# fmt: off

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bloomish import (
    Key,
    Lex,
    MapUnion,
    Max,
    Program,
    SetUnion,
    _,
    each,
    field,
    input,
    ir,
    roster,
    scratch,
    size,
    table,
    variables,
)
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


def test_a_field_fails_the_tick_unless_another_literal_rules_the_row_out() -> None:
    class Commands(Program):
        command = input(command=Any)
        stock = table(key=Key(str), amount=int)
        names = table(key=Key(str), names=SetUnion(str))
        counts = table(key=Key(str), counts=MapUnion(str, Max(int)))
        best = table(best=Max((int, str)))
        whose = scratch(name=str)
        seen = scratch(key=str, amount=int)
        got = scratch(key=str, amount=int)
        ready = scratch(key=str)

        stock(field(x, 1, str), field(x, 2, int)) <+- command(x) & (field(x, 0, str) == "put")
        names(field(x, 1, str), field(x, 2, SetUnion(str))) <= (
            command(x) & (field(x, 0, str) == "names")
        )
        counts(field(x, 1, str), field(x, 2, MapUnion(str, Max(int)))) <= (
            command(x) & (field(x, 0, str) == "counts")
        )
        best(field(x, 1, (int, str))) <= command(x) & (field(x, 0, str) == "best")
        whose(field(y, 1, str)) <= best(y)
        seen(k, v) <= command(x) & (field(x, 0, str) == "get") & stock(k, v) & (
            k == field(x, 1, str)
        )
        got(k, v) <= command(x) & stock(field(x, 1, str), v) & (field(x, 0, str) == "get") & (
            k == field(x, 1, str)
        )
        ready(y) <= command(x) & (field(x, 0, str) == "all") & each(y, field(x, 1, SetUnion(str)))
        ready(y) <= command(x) & (field(x, 0, str) == "if") & field(x, 1, bool) & (
            y == field(x, 2, str)
        )

    good: list[Any] = [
        (("put", "a", 1),), (("put", "b", 2),), (("names", "a", ("z", "y", "z")),), (("get", "b"),),
        (("counts", "a", (("n", 2), ("m", 1))),), (("best", (2, "who")),), (("all", ("q", "p")),),
        (("if", False, "no"),), (("if", True, "yes"),), (("other",),),
    ]
    bad: list[Any] = [
        (("put", "a"),), (("put", 3, "a"),), (7,), ((),), ("text",), ((None,),), (("all", 3),),
        (("names", "a", "z"),), (("counts", "a", ((1, 2),)),), (("best", (2, "a", 3)),),
        (("if", 1, "x"),), (("get", 0),),
    ]
    assert differs(Commands, {}, {"command": good}, {"command": good[3:4]}) == ""
    for one in bad:
        assert differs(Commands, {}, {"command": [*good, one]}, {"command": [one]}) == "", one


def test_each_over_what_cannot_be_computed_waits_for_the_other_literals() -> None:
    class Ranging(Program):
        put = input(x=int, y=int)
        kept = table(key=(int, int), value=int)
        few = table(x=int)
        few <= [(2,)]
        kept <= [((1, 1), 5), ((2, 2), 6)]
        one = scratch(x=int, y=int)
        two = scratch(x=int, v=int)

        one(x, y) <= put(x, z) & (w == (z // x, 1)) & each(y, w) & few(x) & (y < 9)
        two(x, v) <= put(x, z) & (w == z // x) & kept((w, 1), v) & few(x)

    for x_, y_ in ((0, 1), (2, 2), (2, 5), (1, 1)):
        assert differs(Ranging, {}, {"put": [(x_, y_)]}) == ""
    assert differs(Ranging, {}, {"put": [(0, 1), (2, 2)]}) == ""


def test_each_that_fails_fails_the_tick_if_all_else_agrees() -> None:
    class Ranging(Program):
        put = input(x=int, y=int)
        few = table(x=int)
        few <= [(0,)]
        one = scratch(x=int, y=int)
        two = scratch(x=int, v=int)
        kept = table(key=(int, int), value=int)
        kept <= [((1, 1), 5), ((2, 2), 6)]

        one(x, y) <= put(x, z) & (w == (z // x, 1)) & each(y, w) & few(y) & few(x)
        two(x, v) <= put(x, z) & (w == z // x) & kept((w, 1), v) & few(x) & (v > 5)

    for x_, y_ in ((0, 1), (2, 2), (1, 0), (1, 1)):
        assert differs(Ranging, {}, {"put": [(x_, y_)]}) == ""


def test_a_row_is_found_by_a_sum_and_an_overflow_counts_where_all_else_agrees() -> None:
    class Found(Program):
        put = input(x=int, y=int)
        kept = table(x=Key(int), y=int)
        kept <= [(0, 1), (1, 2), (2, 3)]
        next_ = scratch(x=int, y=int)
        ring = scratch(x=int, y=int)
        few = scratch(x=int)

        next_(x, y) <= put(x, _) & kept(x + 1, y)
        ring(x, y) <= put(x, _) & kept((x - 1) % 3, y) & kept(x * 2, _)
        few(x) <= put(x, y) & kept(x * y, _) & (y < 3)

    most = 2**63 - 1
    assert differs(Found, {}, {"put": [(0, 1), (1, 2), (-1, 9), (5, 0)]}) == ""
    for one in ((most, 1), (most, 9), (-most, 2), (-most, 3)):
        assert differs(Found, {}, {"put": [(0, 1), one]}, {"put": [one]}) == "", one


def test_the_parts_of_a_lex() -> None:
    class Parts(Program):
        put = input(k=str, version=int, value=Any)
        drop = input(k=str)
        kept = table(k=Key(str), vote=Lex(Max(int), Max(Any)))
        sets = table(k=Key(str), vote=Lex(Max((int, str)), SetUnion(int)))
        read = scratch(k=str, version=int, value=Any)
        new = scratch(k=str, vote=Lex(Max(int), Max(Any)))
        seen = scratch(k=str, values=SetUnion(int))

        kept(k, (v, x)) <= put(k, v, x)
        sets(k, ((v, k), {v})) <= put(k, v, _)
        kept(k, y) <- drop(k) & kept(k, y)
        read(k, y.version(), y.value()) <= kept(k, y) & (y.version() >= 2)
        new(k, y) <= kept(k, y) & (y.value() == "new")
        seen(k, y.value()) <= sets(k, y) & (y.version() > (1, ""))

    rows: list[Any] = [
        ("a", 1, "old"), ("a", 2, ("x", 1)), ("b", 2, "new"), ("b", 2, 3), ("c", 0, ()),
    ]  # fmt: skip
    assert differs(Parts, {}, {"put": rows[:3]}, {"put": rows[3:]}, {"drop": [("a",)]}) == ""


def test_sums_that_find_rows_fail_the_tick_if_all_else_agrees() -> None:
    class Next(Program):
        put = input(x=int, y=int)
        kept = table(key=Key(int), value=int)
        kept <= [(1, 5), (2, 6), (3, 7)]
        real = table(key=Key(float), value=int)
        real <= [(1.0, 5), (2.5, 6)]
        few = table(x=int)
        few <= [(2**62,)]
        top = table(top=Max(int))
        one = scratch(x=int, v=int)
        two = scratch(x=int, v=int)
        three = scratch(x=int, v=int)
        four = scratch(x=int, v=int)

        one(x, v) <= put(x, y) & kept(x + y, v)
        two(x, v) <= put(x, y) & kept(k, v) & (k == x * y)
        three(x, v) <= put(x, y) & kept(k, v) & (k == x * y) & few(k)
        four(x, v) <= put(x, y) & real(x - y, v) & top(y)
        four(x, v) <= put(x, _) & top(y) & kept(y - x, v)
        top(x) <= put(x, 0)

    wide = 2**62
    for rows in ([(1, 1)], [(1, 2), (2, 1)], [(wide, wide)], [(wide, 2)], [(wide, 1)], [(2, 0)]):
        later = [(1, 0), (0, 2)]
        assert differs(Next, {}, {"put": rows}, {"put": rows}, {"put": later}) == "", rows

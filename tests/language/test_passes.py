"""Safety, types, strata, growth and ephemerality as functions over the IR."""

from __future__ import annotations

import pytest

from bloomish import (
    Address,
    Any,
    Key,
    MapUnion,
    Max,
    Min,
    Program,
    ProgramError,
    SetUnion,
    _,
    channel,
    count,
    each,
    input,
    ir,
    max_,
    min_,
    notin,
    now,
    output,
    periodic,
    scratch,
    size,
    table,
    tick_number,
    variables,
)  # fmt: skip
from bloomish.ephemeral import ephemeral_collections, is_ephemeral
from bloomish.pretty import literal_text
from bloomish.safety import order_body
from bloomish.schema import Schema
from bloomish.strata import edges, strata
from bloomish.types import expr_type, rule_types
from tests.language.examples import Closure, Expressions

x, y, z, k, v, w, n, d = variables("x y z k v w n d")
INT, STR, ANY, FLOAT = ir.Plain("int"), ir.Plain("str"), ir.Plain("Any"), ir.Plain("float")


def test_bodies_are_ordered_so_that_binding_comes_first() -> None:
    class Ordered(Program):
        a = table(x=int, y=int)
        b = table(x=int, s=SetUnion(int))
        c = scratch(x=int, y=int)
        c(x, z) <= (x < z) & notin(a(z, _)) & (y + 1 == z) & a(x, y)
        a(x, y) < +each(y, v) & b(x, v) & a(x, y + 1)
        a(x, x) < +a(x, x + 1)

    orders = [[literal_text(lit) for lit in order_body(rule)] for rule in Ordered.ir.rules]
    assert orders[0] == ["a(x, y)", "(z == y + 1)", "(x < z)", "notin(a(z, _))"]
    assert orders[1] == ["b(x, v)", "each(y, v)", "a(x, y + 1)"]
    assert orders[2] == ["a(x, x + 1)"]


def test_variables_have_types() -> None:
    class Typed(Program):
        a = table(k=Key(str), m=MapUnion(str, Max(int)))
        p = table(x=Any, to=Address)
        out = output(k=str, n=int, f=float)
        out(k, n, d) <= a(k, v) & each(w, n, v) & p(n, k) & (d == n / 2)

    types = rule_types(Typed.ir, Typed.ir.rules[0])
    assert types == {
        "k": ir.Plain("Address"),
        "v": ir.Lattice("MapUnion", (STR, ir.Lattice("Max", (INT,)))),
        "w": STR,
        "n": ir.Lattice("Max", (INT,)),
        "d": FLOAT,
    }
    assert expr_type(Typed.ir, ir.Binary("+", ir.Var("n"), ir.Const(1)), types) == INT
    assert expr_type(Schema(Typed.ir), ir.Aggregate("avg", ir.Var("n")), types) == FLOAT
    with pytest.raises(ProgramError):
        expr_type(Typed.ir, ir.Binary("+", ir.Var("n"), ir.Const("a")), types)


def test_an_int_goes_into_a_float_column_and_not_the_other_way() -> None:
    class Widened(Program):
        a = table(x=int)
        f = scratch(x=float)
        f(x) <= a(x)
        f(1) <= a(_)

    with pytest.raises(ProgramError, match="is int, and `x / 2` is float"):

        class Narrowed(Program):
            a = table(x=int)
            a(x / 2) < +a(x)


def test_strata_come_in_order() -> None:
    order = strata(Closure.ir)
    names = [name for group in order for name in group]
    assert sorted(names) == sorted(c.name for c in Closure.ir.collections)
    assert names.index("link") < names.index("path") < names.index("far")

    class Mutual(Program):
        a = scratch(x=int)
        b = scratch(x=int)
        c = scratch(x=int)
        a(x) <= b(x)
        b(x) <= a(x)
        c(x) <= a(x) & notin(b(x))

    assert strata(Mutual.ir) == [["a", "b"], ["c"]]


def test_negative_cycles_through_time_are_state_machines() -> None:
    class Toggle(Program):
        on = table(x=int)
        asked = channel(to=Address, x=int)
        on(x) < +asked(_, x) & notin(on(x))
        on(x) < -on(x)
        asked("a", x) < ~on(x) & notin(asked(_, x))

    assert all(len(group) == 1 for group in strata(Toggle.ir))


def test_edges_say_what_must_be_complete() -> None:
    class Edges(Program):
        a = table(x=int)
        most = scratch(n=Max(int))
        least = scratch(n=Min(int))
        total = scratch(n=int)
        most(count()) <= a(_)
        least(count()) <= a(_)
        least(min_(x)) <= a(x)
        total(max_(x)) <= a(x) & notin(a(3))

    schema = Schema(Edges.ir)
    found = [[edge.negative for edge in edges(schema, rule)] for rule in Edges.ir.rules]
    assert found == [[False], [True], [False], [True, True]]


def test_what_is_ephemeral() -> None:
    class Mixed(Program):
        store = table(x=int)
        msg = channel(to=Address, x=int)
        want = input(x=int)
        clock = periodic(1)
        view = scratch(x=int)
        event = scratch(x=int)
        later = output(x=int)
        timed = scratch(t=float)
        calm = output(x=int)
        view(x) <= store(x)
        event(x) <= view(x) & want(x)
        later(x) < +event(x)
        timed(now()) <= store(_)
        calm(x) <= store(x) & notin(msg(_, x))
        store(x) <= msg(_, x)
        store(tick_number()) <= clock(_)
        msg("a", x) < ~store(x)

    assert ephemeral_collections(Mixed.ir) == {"msg", "want", "clock", "event", "later", "timed"}
    names = [r.name for r in Mixed.ir.rules if is_ephemeral(Mixed.ir, r)]
    assert names == ["event_1", "later_1", "timed_1", "store_1", "store_2"]


def test_recursion_over_lattices_that_only_grow() -> None:
    class Grows(Program):
        edge = table(a=str, b=str, w=int)
        dist = scratch(a=Key(str), d=Min(int))
        reach = scratch(a=Key(str), s=SetUnion(str), m=MapUnion(str, Max(int)))
        dist(y, d + w) <= dist(x, d) & edge(x, y, w)
        dist(y, z) <= dist(x, d) & edge(x, y, w) & (z == d + w) & (d < 10)
        reach(x, v, w) <= edge(x, y, _) & reach(y, v, w)
        reach(x, {z}, {z: n}) <= reach(x, v, w) & each(z, n, w) & (size(v) > 3) & v.contains(z)
        reach(x, v | {y}, {}) <= edge(x, y, _) & reach(y, v, _)

    assert len(Grows.ir.rules) == 5


@pytest.mark.parametrize(
    "stated",
    [
        "dist(y, w - d) <= dist(x, d) & edge(x, y, w)",
        "dist(y, d + w) <= dist(x, d) & edge(x, y, w) & (d > 3)",
        "dist(y, w) <= dist(x, d) & edge(x, y, w) & edge(x, _, d)",
        "dist(y, w) <= dist(x, d) & edge(x, y, w) & notin(edge(x, _, d))",
        "dist(y, d * -1) <= dist(x, d) & edge(x, y, _)",
        "dist(y, 3) <= dist(x, d) & dist(y, d)",
        "reach(x, {y}) <= reach(x, v) & edge(x, y, _) & (size(v) == 3)",
        "reach(x, {y}) <= reach(x, v) & edge(x, y, _) & not_(v.contains(y))",
        "reach(x, {size(v)}) <= reach(x, v)",
    ],
)
def test_recursion_over_lattices_that_may_take_back(stated: str) -> None:
    from bloomish import not_

    with pytest.raises(ProgramError, match="still grows"):

        class TakesBack(Program):
            edge = table(a=str, b=str, w=int)
            dist = scratch(a=Key(str), d=Min(int))
            reach = scratch(a=Key(str), s=SetUnion(Any))
            eval(stated, {"not_": not_, **globals()}, locals())


def test_every_expression_has_a_type() -> None:
    for rule in Expressions.ir.rules:
        types = rule_types(Expressions.ir, rule)
        for arg in rule.args:
            expr_type(Expressions.ir, arg, types)

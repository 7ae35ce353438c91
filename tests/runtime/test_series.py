"""Ticks in a row in one call: the same as one by one, with one account of durable tables."""
# ruff: noqa: B015 -- rules are expressions that stand alone
# fmt: off

from __future__ import annotations

from typing import Any

import pytest

from bloomish import (
    Address,
    Key,
    Max,
    Program,
    _,
    channel,
    here,
    input,
    output,
    roster,
    scratch,
    table,
    variables,
)
from bloomish.order import order_key
from bloomish.program import compile
from bloomish.runtime.evaluator import Evaluator, Row, Series, Tick, TickFailed
from bloomish.runtime.evaluators import engine_built, make_evaluator
from tests.runtime.playing import evaluator
from tests.runtime.randomprograms import Case, Features, case

a, n, p, s, x, y = variables("a n p s x y")
LONG = 60.0

WHICH = [
    pytest.param("reference"),
    pytest.param("engine", marks=pytest.mark.skipif(not engine_built(), reason="no engine here")),
]


class Log(Program):
    """Applies one slot per tick; says so at each, sends to a peer at some and to itself at one."""

    peers = roster("peer")
    append = input(slot=int, what=str)
    log = table(slot=Key(int), what=str, durable=True)
    applied = table(slot=Max(int), durable=True)
    state = table(key=Key(str), value=int, durable=True)
    now = scratch(slot=int, what=str)
    told = output(slot=int)
    told_peer = channel(to=Address, slot=int)
    best = channel(to=Address, what=str, slot=Max(int))
    back = output(slot=int)
    divided = scratch(x=int)

    applied <= [(1,)]
    log <= append
    now(s, x) <= applied(s) & log(s, x)
    applied(s + 1) <+ now(s, _)
    state(x, s) <+- now(s, x)
    told(s) <= now(s, _) & append(_, _)
    told(s) <= now(s, "tell")
    told_peer(p, s) <~ now(s, "send") & peers(p)
    told_peer(here, s) <~ now(s, "self")
    best(p, "best", s) <~ now(s, "best") & peers(p)
    back(s) <= told_peer(_, s)
    divided(1 // (s - s)) <= now(s, "fail")


def node(which: str, *whats: str) -> Evaluator:
    made = compile(Log)
    one = make_evaluator(
        made.program, made.externals, node="log-0", rosters={"peer": ("peer-0",)}, which=which
    )
    one.tick()
    one.insert("append", [(slot, what) for slot, what in enumerate(whats, 1)])
    return one


@pytest.mark.parametrize("which", WHICH)
def test_ticks_in_a_row_are_one_commit(which: str) -> None:
    one = node(which, "a", "b", "tell", "a")
    done = one.series(0.0, 100, LONG)
    assert (done.number, done.count, done.again, done.rows_in) == (6, 5, False, 4)
    assert [(tick.number, tick.events, tick.added) for tick in done.shown] == [
        (2, {"told": [(1,)]}, {}), (4, {}, {"told": [(3,)]}), (5, {}, {}),
    ]
    assert done.shown[2].removed == {"told": [(3,)]}
    assert done.durable == {
        "log": ([], [(1, "a"), (2, "b"), (3, "tell"), (4, "a")]),
        "applied": ([(1,)], [(5,)]),
        "state": ([], [("a", 4), ("b", 2), ("tell", 3)]),
    }
    assert one.series(0.0, 100, LONG) == Series(7)


@pytest.mark.parametrize("which", WHICH)
def test_a_series_ends_where_it_must(which: str) -> None:
    one = node(which, *"abcdef")
    done = one.series(0.0, 3, LONG)
    assert (done.count, done.again) == (3, True)
    assert one.series(0.0, 100, 0.0).count == 1
    assert one.series(0.0, 100, LONG).count == 3

    one = node(which, "a", "self", "b")  # what a node sends to itself is in its next tick
    assert one.series(0.0, 100, LONG).count == 2
    [(peer, frame)] = one.frames()
    assert peer == "log-0" and one.receive(frame).rows == 1
    done = one.series(0.0, 100, LONG)
    assert done.count == 2 and done.shown[0].events == {"back": [(2,)]}

    one = node(which, "a", "best", "best", "b")  # rows with a key: a frame of their own
    assert [one.series(0.0, 100, LONG).count, len(one.frames())] == [2, 1]
    assert [one.series(0.0, 100, LONG).count, len(one.frames())] == [1, 1]


@pytest.mark.parametrize("which", WHICH)
def test_a_series_ends_before_a_tick_that_fails(which: str) -> None:
    one = node(which, "a", "b", "fail")
    done = one.series(0.0, 100, LONG)
    assert (done.count, done.again) == (2, True)
    with pytest.raises(TickFailed, match="division by zero"):
        one.series(0.0, 100, LONG)
    assert one.contents("now") == [(2, "b")]


@pytest.mark.skipif(not engine_built(), reason="no engine here")
def test_rows_of_several_ticks_share_a_frame() -> None:
    one = node("engine", "send", "a", "send", "send")
    assert one.series(0.0, 100, LONG).rows_out == 3
    [(peer, frame)] = one.frames()
    other = make_evaluator(compile(Log).program, node="peer-0", which="engine")
    assert peer == "peer-0" and other.receive(frame).rows == 3


@pytest.mark.parametrize("which", WHICH)
def test_series_are_as_ticks_one_by_one(which: str) -> None:
    for seed in range(60, 100):
        _compare(case(seed, Features(sends=False)), which)


def _compare(drawn: Case, which: str) -> None:
    alone, together = evaluator(drawn, which), evaluator(drawn, which)
    state: dict[str, set[Any]] = {}
    other: dict[str, set[Any]] = {}
    for step in drawn.steps:
        for collection, rows in step.rows:
            alone.insert(collection, rows)
            together.insert(collection, rows)
        ticks: list[Tick] = []
        try:
            while len(ticks) < 5 and (not ticks or ticks[-1].again):
                ticks.append(alone.tick(step.now))
        except TickFailed:
            alone.set_arrivals([])
        try:
            done = together.series(step.now, 5, LONG)
        except TickFailed:
            assert not ticks
            together.set_arrivals([])
            continue
        assert (done.count, done.number, done.again) == (
            len(ticks), ticks[-1].number, ticks[-1].again
        )
        shown = [one for one in ticks if one.events or one.added or one.removed]
        assert [_seen(one) for one in done.shown] == [_seen(one) for one in shown]
        for tick in ticks:
            _apply(state, tick)
        _apply(other, done)
        assert {name: rows for name, rows in state.items() if rows} == {
            name: rows for name, rows in other.items() if rows
        }
        assert alone.fingerprint() == together.fingerprint()


def _seen(tick: Tick) -> object:
    return tick.number, tick.events, tick.added, tick.removed


def _apply(state: dict[str, set[Any]], tick: Tick) -> None:
    for name, (removed, added) in tick.durable.items():
        rows = state.setdefault(name, set())
        gone = set(map(_key, removed))
        assert gone <= rows
        rows -= gone
        assert not rows & set(map(_key, added))
        rows |= set(map(_key, added))


def _key(row: Row) -> Any:
    return order_key(row)

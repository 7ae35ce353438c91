"""Values are reclaimed, state is shared by snapshots, failures leave nothing behind."""

from __future__ import annotations

import pytest

from bloomish import (
    Address,
    Key,
    Program,
    SetUnion,
    _,
    channel,
    input,
    output,
    table,
    variables,
)
from bloomish.program import compile
from bloomish.runtime.evaluator import RowRefused, TickFailed
from bloomish.runtime.evaluators import engine_built, make_evaluator

pytestmark = pytest.mark.skipif(not engine_built(), reason="the engine was not built here")

key, value, text = variables("key value text")


class Passing(Program):
    message = channel(to=Address, text=str)
    found = output(text=str)

    found(text) <= message(_, text) & (text == "never sent")


class Store(Program):
    put = input(key=str, value=str)
    kept = table(key=Key(str), value=str)
    seen = table(key=Key(str), values=SetUnion(str))

    kept(key, value) < +-put(key, value)
    seen(key, {value}) <= put(key, value)


def evaluator(program: type[Program]):  # type: ignore[no-untyped-def]
    made = compile(program)
    node = make_evaluator(made.program, made.externals, which="engine")
    node.tick()
    return node


def test_strings_that_nobody_keeps_are_forgotten() -> None:
    node = evaluator(Passing)
    for start in range(0, 300_000, 5_000):
        rows = [("node-0", f"a string sent once: {n}") for n in range(start, start + 5_000)]
        node.insert("message", rows)
        node.tick()
    assert node._engine.interned < 60_000


def test_overwritten_values_are_forgotten_and_kept_ones_are_not() -> None:
    node = evaluator(Store)
    for n in range(60_000):
        node.insert("put", [("the same key", f"value number {n % 30_000 if n < 10 else 'last'}")])
        node.tick()
    assert node.contents("kept") == [("the same key", "value number last")]
    ((_key, values),) = node.contents("seen")
    assert len(values) == 11


def test_a_snapshot_keeps_its_values_while_others_come_and_go() -> None:
    node = evaluator(Store)
    node.insert("put", [("a key of the past", "a value of the past")])
    node.tick()
    node.tick()
    snapshot, state = node.snapshot(), node.fingerprint()
    for n in range(50_000):
        node.insert("put", [("another key", f"something else, number {n}")])
        node.tick()
        if n % 100 == 0:
            node.restore(snapshot)
    node.restore(snapshot)
    assert node.fingerprint() == state
    assert node.contents("kept") == [("a key of the past", "a value of the past")]


def test_a_snapshot_serves_an_equally_made_evaluator() -> None:
    one, other = evaluator(Store), evaluator(Store)
    one.insert("put", [("a longer key", "a longer value"), ("k", "v")])
    one.tick()
    one.tick()
    one.insert("put", [("waiting for a tick", "v")])
    other.insert("put", [("something else", "entirely")])
    other.tick()
    other.restore(one.snapshot())
    assert other.fingerprint() == one.fingerprint()
    assert other.arrivals() == one.arrivals()
    assert other.contents("seen") == one.contents("seen")
    one.tick()
    other.tick()
    assert other.fingerprint() == one.fingerprint()


def test_a_failed_tick_changes_nothing_and_says_who_and_what() -> None:
    node = evaluator(Store)
    node.insert("put", [("k", "first")])
    node.tick()
    node.tick()
    before = node.fingerprint()
    node.insert("put", [("k", "one"), ("k", "two")])
    arrivals = node.arrivals()
    with pytest.raises(TickFailed) as caught:
        node.tick()
    assert caught.value.rule == "kept_1"
    assert {row for _collection, row in caught.value.rows} == {("k", "one"), ("k", "two")}
    assert "key conflict in kept" in str(caught.value)
    assert node.arrivals() == arrivals
    node.set_arrivals([])
    assert node.fingerprint() == before
    assert node.contents("kept") == [("k", "first")]


def test_rows_that_do_not_fit_are_refused_whole() -> None:
    node = evaluator(Store)
    with pytest.raises(RowRefused, match="put.value"):
        node.insert("put", [("k", "fits"), ("k", 1)])
    with pytest.raises(RowRefused, match="rows go into an input"):
        node.insert("kept", [("k", "v")])
    assert node.arrivals() == []

"""Bytes from the network: whatever they are, the engine and the reference say the same."""

from __future__ import annotations

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bloomish import Address, MapUnion, Max, Program, SetUnion, channel, output
from bloomish import _ as any_
from bloomish.order import order_key
from bloomish.program import compile
from bloomish.runtime.evaluators import engine_built, make_evaluator

pytestmark = pytest.mark.skipif(not engine_built(), reason="the engine was not built here")


class Door(Program):
    plain = channel(to=Address, n=int, x=float, text=str, data=bytes, yes=bool)
    nested = channel(to=Address, pair=(int, str), names=SetUnion(str), most=MapUnion(str, Max(int)))
    seen = output(n=int)

    seen(1) <= plain(any_, any_, any_, any_, any_, any_)
    seen(2) <= nested(any_, any_, any_, any_)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 63), (1 << 64) - 1)
    | st.floats()
    | st.text(max_size=9)
    | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)
PLAIN = st.tuples(
    st.just("node-0") | VALUES, st.integers(-5, 5) | VALUES, st.floats() | VALUES,
    st.text(max_size=9) | VALUES, st.binary(max_size=4) | VALUES, st.booleans() | VALUES,
)  # fmt: skip
NESTED = st.tuples(
    st.just("node-0"),
    st.tuples(st.integers(0, 3), st.text(max_size=3)) | VALUES,
    st.lists(st.text(max_size=9)) | VALUES,
    st.lists(st.tuples(st.sampled_from("abc"), st.none() | st.integers(0, 5)))
    | st.dictionaries(st.sampled_from("abc"), st.integers(0, 5))
    | VALUES,
)
FRAMES = st.builds(
    lambda version, sender, plain, nested: msgpack.packb(
        [version, sender, {"Door.plain": plain, "Door.nested": nested}]
    ),
    st.just(1) | VALUES,
    st.just("node-1") | VALUES,
    st.lists(PLAIN, max_size=3) | VALUES,
    st.lists(NESTED, max_size=3) | VALUES,
)
MADE = compile(Door)


def outcome(which: str, frame: bytes) -> object:
    node = make_evaluator(MADE.program, MADE.externals, which=which)
    received = node.receive(frame)
    tick = node.tick() if not received.refused else None
    events = tick.events if tick is not None else {}
    # Equal sets print their elements in any order: rows are compared by their values.
    rows = [*node.arrivals(), *events.items()]
    return repr(received), [order_key(_tuples(row)) for row in rows]


def _tuples(value: object) -> object:
    """Lists are rows here."""
    return tuple(map(_tuples, value)) if isinstance(value, (list, tuple)) else value


@settings(max_examples=150, deadline=None)
@given(frame=FRAMES)
def test_frames_with_odd_things_in_them(frame: bytes) -> None:
    assert outcome("engine", frame) == outcome("reference", frame)


@settings(max_examples=150, deadline=None)
@given(frame=st.binary(max_size=60))
def test_garbage(frame: bytes) -> None:
    assert outcome("engine", frame) == outcome("reference", frame)


@settings(max_examples=100, deadline=None)
@given(frame=FRAMES, cut=st.integers(0, 200), place=st.integers(0, 200), byte=st.integers(0, 255))
def test_frames_that_were_cut_and_changed(frame: bytes, cut: int, place: int, byte: int) -> None:
    broken = bytearray(frame[: max(1, len(frame) - cut)])
    broken[place % len(broken)] = byte
    assert outcome("engine", bytes(broken)) == outcome("reference", bytes(broken))

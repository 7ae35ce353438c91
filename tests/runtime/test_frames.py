"""Frames: nothing that comes from the network can do more than be refused."""
# ruff: noqa: B015 -- rules are expressions that stand alone
# fmt: off

from __future__ import annotations

from typing import Any

import msgpack
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bloomish import (
    Address,
    LWWRegister,
    MapUnion,
    Max,
    Program,
    SetUnion,
    channel,
    input,
    variables,
)
from bloomish.program import compile
from bloomish.runtime.evaluator import FRAME_MAXIMUM
from tests.runtime.conftest import Make

p, v, w, x, y, z = variables("p v w x y z")


class Wires(Program):
    plain = channel(to=Address, x=int, y=float, z=str, b=bytes, t=bool)
    loose = channel(to=Address, x=Any)
    pairs = channel(to=Address, x=(int, str))
    sets = channel(to=Address, x=int, s=SetUnion(str))
    maps = channel(to=Address, m=MapUnion(str, Max(int)))
    last = channel(to=Address, r=LWWRegister(str))
    put = input(to=Address, x=Any)
    loose(p, x) <~ put(p, x)


WIRES = {c.name: c.wire for c in compile(Wires).program.collections if c.kind == "channel"}
QUICK = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
loose = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(
        st.characters(exclude_categories=["Cs"]), max_size=3
    ) | st.binary(max_size=3),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.text("ab", max_size=2), inner, max_size=2),
    max_leaves=12,
)


@QUICK
@given(frame=st.binary(max_size=200))
def test_random_bytes_are_refused(make: Make, frame: bytes) -> None:
    node = make(Wires)
    received = node.receive(frame)
    assert received.rows == 0
    node.tick(0.0)


@QUICK
@given(body=loose, wire=st.sampled_from([*WIRES.values(), "nobody"]))
def test_random_messagepack_is_refused_or_fits(make: Make, body: Any, wire: str) -> None:
    node = make(Wires)
    for frame in (body, [1, "node-1", {wire: body}], [1, "node-1", {wire: [body, ["node-0", 1]]}]):
        node.receive(msgpack.packb(frame))
    for name, row in node.arrivals():
        assert row[0] == "node-0" and name in WIRES
    node.tick(0.0)


@QUICK
@given(cut=st.integers(0, 200), flips=st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255))))
def test_damaged_frames_are_refused_or_still_fit(
    make: Make, cut: int, flips: list[tuple[int, int]]
) -> None:
    node = make(Wires)
    good = msgpack.packb([1, "node-1", {
        WIRES["plain"]: [["node-0", 1, 0.5, "z", b"b", True]],
        WIRES["sets"]: [["node-0", 1, ["a", "b"]]],
        WIRES["maps"]: [["node-0", [["a", 1]]]],
        WIRES["last"]: [["node-0", [[1, "node-1"], "v"]], ["node-0", None]],
    }])
    assert node.receive(good).rows == 5
    damaged = bytearray(good)
    for place, byte in flips:
        damaged[place % len(damaged)] = byte
    node.receive(bytes(damaged))
    node.receive(bytes(damaged[: cut % len(damaged)]))
    node.tick(0.0)


def test_what_is_sent_is_what_arrives(make: Make) -> None:
    rows = [
        ("node-0", value)
        for value in (1, 1.0, True, None, "é", b"\xff", (1, ("a", 2.5)), -(2**63), 2**63 - 1, ())
    ]
    node = make(Wires)
    node.insert("put", rows)
    node.tick(0.0)
    ((_peer, frame),) = node.frames()
    assert node.receive(frame).rows == len(rows)
    node.tick(0.0)
    found = node.contents("loose")
    assert len(found) == len(rows)
    assert {(type(value), value) for _to, value in found} == {(type(v), v) for _to, v in rows}


def test_sets_are_sorted_arrays_and_maps_arrays_of_pairs(make: Make) -> None:
    node = make(Wires)
    received = node.receive(msgpack.packb([1, "node-1", {
        WIRES["sets"]: [["node-0", 1, ["b", "a", "b"]], ["node-0", 1, []]],
        WIRES["maps"]: [["node-0", [["b", 1], ["a", None], ["b", 4]]]],
        WIRES["pairs"]: [["node-0", [1, "a"]], ["node-0", [1]], ["node-0", {"a": 1}]],
    }]))
    assert received.rows == 4
    assert {refusal.channel for refusal in received.refused} == {WIRES["pairs"]}
    assert sum(refusal.rows for refusal in received.refused) == 2
    node.tick(0.0)
    assert node.contents("sets") == [("node-0", 1, frozenset("ab"))]
    assert node.contents("maps") == [("node-0", (("b", 4),))]


@pytest.mark.parametrize("depth", [63, 64, 65, 200, 500, 5000])
def test_nesting_has_a_limit(make: Make, depth: int) -> None:
    node = make(Wires)
    nested = b"\x91" * depth + b"\x01"
    good = b"\x93\x01" + msgpack.packb("node-1") + b"\x81" + msgpack.packb(WIRES["loose"])
    received = node.receive(good + b"\x91\x92" + msgpack.packb("node-0") + nested)
    assert received.rows == (1 if depth <= 64 else 0)
    node.tick(0.0)


def test_an_oversized_frame_is_refused_unread(make: Make) -> None:
    node = make(Wires)
    big = msgpack.packb([1, "node-1", {WIRES["loose"]: [["node-0", b"x" * FRAME_MAXIMUM]]}])
    received = node.receive(big)
    assert received.rows == 0 and len(received.refused) == 1


def test_a_string_that_is_no_utf_8_is_refused_with_its_row(make: Make) -> None:
    node = make(Wires)
    frame = msgpack.packb([1, "node-1", {WIRES["loose"]: [["node-0", "QQ"], ["node-0", "good"]]}])
    received = node.receive(frame.replace(b"QQ", b"\xff\xfe"))
    assert received.rows == 1 and len(received.refused) == 1

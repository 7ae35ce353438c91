"""The frame decoder and a node's door, fed with anything that a network can bring."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bloomish.externals import Externals
from bloomish.program import compile
from bloomish.runtime.directory import Directory
from bloomish.runtime.door import Inbound
from bloomish.runtime.evaluator import FRAME_MAXIMUM
from bloomish.runtime.evaluators import engine_built, make_evaluator
from bloomish.runtime.framing import (
    LENGTH,
    PROTOCOL,
    Framed,
    Kind,
    Malformed,
    count_rows,
    framed,
    pack,
    unpack,
)
from bloomish.runtime.node import Node
from bloomish.values import Values
from tests.runtime.nodes.weather import Receiver

pytestmark = pytest.mark.usefixtures("quiet_log")

EVALUATORS = ["reference", *(["engine"] if engine_built() else [])]

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 63), (1 << 64) - 1)
    | st.floats()
    | st.text(max_size=5)
    | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)
ROWS = st.tuples(
    st.sampled_from(["receiver-0", "elsewhere", 7]),
    st.sampled_from(["sender-0", "", None]),
    st.integers(-5, 5) | VALUES,
    st.text(max_size=5) | VALUES,
)
FRAMES = st.builds(
    lambda version, sender, channels: msgpack.packb([version, sender, channels]),
    st.sampled_from([1, 0, 2, "1"]),
    st.sampled_from(["sender-0", "", 3]),
    st.dictionaries(
        st.sampled_from(["Post.note", "Post.other", ""]), st.lists(ROWS, max_size=3) | VALUES
    ),
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A frame, cut, or with bytes that are not its own."""
    frame = bytearray(draw(FRAMES))
    for _ in range(draw(st.integers(0, 3))):
        frame[draw(st.integers(0, len(frame) - 1))] = draw(st.integers(0, 255))
    return bytes(frame[: draw(st.integers(0, len(frame)))])


class Collector(Framed):
    """Keeps what it is handed."""

    def __init__(self) -> None:
        super().__init__()
        self.bodies: list[bytes] = []
        self.faults: list[str] = []
        self.open = True
        self.allow()

    def frame_received(self, body: bytes) -> None:
        self.bodies.append(body)

    def stream_fault(self, reason: str) -> None:
        self.faults.append(reason)
        self.open = False

    def feed(self, data: bytes) -> None:
        """As the loop does: as much as the buffer takes, again and again."""
        while data and self.open:
            buffer = self.get_buffer(-1)
            assert len(buffer) > 0
            taken = min(len(buffer), len(data))
            buffer[:taken] = data[:taken]
            self.buffer_updated(taken)
            data = data[taken:]


@given(
    st.lists(st.binary(max_size=40) | st.integers(0, 200_000).map(bytes), max_size=6),
    st.lists(st.integers(1, 100_000), min_size=1, max_size=8),
)
@settings(max_examples=60, deadline=None)
def test_frames_come_out_whole_however_the_stream_is_cut(
    bodies: list[bytes], cuts: list[int]
) -> None:
    stream = b"".join(map(framed, bodies))
    collector = Collector()
    place, turn = 0, 0
    while place < len(stream):
        size = cuts[turn % len(cuts)]
        collector.feed(stream[place : place + size])
        place, turn = place + size, turn + 1
    assert collector.bodies == bodies
    assert collector.faults == []


def test_a_frame_over_the_limit_is_a_fault_at_its_length() -> None:
    collector = Collector()
    collector.feed(framed(b"fine") + LENGTH.pack(FRAME_MAXIMUM + 1))
    assert collector.bodies == [b"fine"]
    assert len(collector.faults) == 1


@given(st.binary(max_size=60) | VALUES.map(msgpack.packb))
@settings(max_examples=150, deadline=None)
def test_unpack_gives_a_message_or_says_malformed(body: bytes) -> None:
    for read in (unpack, count_rows):
        try:
            read(body)
        except Malformed:
            continue


def _receiver(which: str) -> Any:
    compiled = compile(Receiver)
    return compiled, make_evaluator(
        compiled.program, compiled.externals, node="receiver-0", which=which
    )


@pytest.mark.parametrize("which", EVALUATORS)
@given(frames=st.lists(st.binary(max_size=60) | FRAMES | damaged(), max_size=5))
@settings(max_examples=150, deadline=None)
def test_receive_raises_on_no_bytes_and_takes_only_what_fits(
    which: str, frames: list[bytes]
) -> None:
    _, evaluator = _receiver(which)
    taken = 0
    for frame in frames:
        received = evaluator.receive(frame)
        taken += received.rows
        assert all(refusal.reason for refusal in received.refused)
    arrivals = evaluator.arrivals()
    assert len(arrivals) <= taken
    for collection, (to, sender, number, text) in arrivals:
        assert collection == "note"
        assert to == "receiver-0"
        assert (type(sender), type(number), type(text)) == (str, int, str)


class Wire(asyncio.Transport):
    """A transport that writes nowhere."""

    def __init__(self) -> None:
        super().__init__()
        self.closed = False

    def write(self, data: Any) -> None:
        assert not self.closed

    def is_closing(self) -> bool:
        return self.closed

    def get_write_buffer_size(self) -> int:
        return 0

    def close(self) -> None:
        self.closed = True

    abort = close


async def _at_the_door(pieces: Sequence[bytes], greet: bool) -> None:
    compiled, evaluator = _receiver("auto")
    directory = Directory("c", dict.fromkeys(("sender-0", "receiver-0"), ("", 1)))
    externals: Externals = compiled.externals
    node = Node(
        compiled.program,
        evaluator,
        directory,
        values=Values(compiled.program.lattices, externals.lattices),
    )
    node.begin()
    door = Inbound(node.transport.door)
    door.connection_made(Wire())
    hello = {"protocol": PROTOCOL, "cluster": "c", "from": "sender-0", "to": "receiver-0"}
    start = framed(pack([Kind.HELLO, hello | {"incarnation": 1}])) if greet else b""
    for piece in (start, *pieces):
        while piece and door.open:
            buffer = door.get_buffer(-1)
            taken = min(len(buffer), len(piece))
            buffer[:taken] = piece[:taken]
            door.buffer_updated(taken)
            piece = piece[taken:]
    await asyncio.sleep(0)
    assert node.stopped is None
    door.connection_lost(None)
    await node.close(0.0)


@given(
    st.lists(
        st.binary(max_size=60)
        | (FRAMES | damaged()).map(framed)
        | st.tuples(st.sampled_from([int(k) for k in Kind]), VALUES, VALUES).map(
            lambda message: framed(msgpack.packb(list(message)))
        ),
        max_size=5,
    ),
    st.booleans(),
)
@settings(max_examples=100, deadline=None)
def test_nothing_at_the_door_ends_a_node(pieces: list[bytes], greet: bool) -> None:
    asyncio.run(_at_the_door(pieces, greet))

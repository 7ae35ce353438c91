"""Frames on a byte stream: four bytes of length, big-endian, then MessagePack.

The first element of every frame's array says what it is.  Rows (1) are the
evaluators' business, whole; the rest is this runtime's own.  Any language that
has MessagePack can speak it (docs/reference/wire.md).
"""

from __future__ import annotations

import asyncio
from enum import IntEnum
from struct import Struct
from typing import Any

import msgpack

from bloomish.order import order_key
from bloomish.runtime.evaluator import FRAME_MAXIMUM

PROTOCOL = 1
"""Both ends of a connection must speak the same version."""

LENGTH = Struct(">I")
HELLO_MAXIMUM = 1 << 16
"""Before a peer has said who it is, it may not make us hold more than this."""
BUFFER = 1 << 16


class Kind(IntEnum):
    """What a frame is."""

    HELLO = 0  # [0, {protocol, cluster, from, to, incarnation}]: the one who dials
    ROWS = 1  # [1, from, {channel: rows}]: between nodes
    WELCOME = 2  # [2, {protocol, cluster, node, incarnation, position, collections}]
    REFUSED = 3  # [3, reason]: the last frame before the connection is closed
    START = 4  # [4, number]: the number of the next ROWS frame; they count from there
    PING = 5  # [5]: answered by TAKEN
    TAKEN = 6  # [6, number]: every ROWS frame up to this one has been taken
    REQUEST = 7  # [7, id, verb, arguments]: a host asks
    REPLY = 8  # [8, id, fault or nil, result]
    NEWS = 9  # [9, watch, tick, added, removed, first]: rows for a host that watches


def _default(value: object) -> object:
    if isinstance(value, (frozenset, set)):
        return sorted(value, key=order_key)
    raise TypeError(f"{value!r} ({type(value).__name__}) cannot be sent")


def pack(message: object) -> bytes:
    """A message as a frame's body.  Sets become sorted arrays."""
    return bytes(msgpack.packb(message, default=_default, use_bin_type=True))


class Malformed(ValueError):
    """Bytes that are no message."""


def unpack(body: bytes) -> tuple[Any, ...]:
    """The message of a frame's body: arrays are tuples.  Raises Malformed."""
    try:
        message = msgpack.unpackb(body, use_list=False, raw=False, strict_map_key=True)
    except (ValueError, TypeError, OverflowError, RecursionError) as fault:
        raise Malformed(f"not MessagePack: {fault}") from fault
    if not isinstance(message, tuple) or not message or type(message[0]) is not int:
        raise Malformed("not an array that starts with the kind of the message")
    return message


def framed(body: bytes) -> bytes:
    """A body with its length in front, ready for the stream."""
    return LENGTH.pack(len(body)) + body


def plain_rows(body: bytes) -> dict[str, tuple[tuple[object, ...], ...]]:
    """The rows of a ROWS frame by channel, without a schema; for traces and counts."""
    message = unpack(body)
    if message[0] != Kind.ROWS or len(message) != 3 or not isinstance(message[2], dict):
        raise Malformed("not a frame of rows")
    return message[2]


def count_rows(body: bytes) -> int:
    """How many rows a frame of rows carries."""
    return sum(len(rows) for rows in plain_rows(body).values())


def failed(transport: asyncio.Transport) -> bool:
    """Nothing that is written to it leaves any more; its `connection_lost` is to come."""
    if transport.is_closing():
        return True
    # asyncio's TLS transport does not say so when the connection below it has failed.
    below = getattr(getattr(transport, "_ssl_protocol", None), "_transport", None)
    return below is not None and bool(below.is_closing())


class Framed(asyncio.BufferedProtocol):
    """A connection that hands over whole frames.

    Reads straight into one buffer (asyncio's plain Protocol allocates a new one
    for every read).  Subclasses take `frame_received`, `stream_fault` (the
    bytes make no sense; they close the connection) and, where they like,
    `batch_done`, called when all frames of one read have been handed over.
    """

    transport: asyncio.Transport

    def __init__(self) -> None:
        self.limit = HELLO_MAXIMUM
        self.open = False
        self._buffer = bytearray(BUFFER)
        self._view = memoryview(self._buffer)
        self._start = 0
        self._end = 0
        self._need = 4

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.open = True

    def allow(self) -> None:
        """The other end has said who it is: frames of full size from now on."""
        self.limit = FRAME_MAXIMUM

    def send(self, body: bytes) -> None:
        """Write one frame; nothing happens once the connection is closed, or has failed."""
        if self.open and not failed(self.transport):
            self.transport.write(LENGTH.pack(len(body)) + body)

    def close(self) -> None:
        """Close when what was written has left."""
        if self.open:
            self.open = False
            self.transport.close()

    def abort(self) -> None:
        """Close now."""
        self.open = False
        self.transport.abort()

    def frame_received(self, body: bytes) -> None:
        raise NotImplementedError

    def batch_done(self) -> None:
        """All frames of one read have been handed over."""

    def stream_fault(self, reason: str) -> None:
        raise NotImplementedError

    def get_buffer(self, sizehint: int) -> memoryview:
        if self._start == self._end:
            self._start = self._end = 0
            if len(self._buffer) > 64 * BUFFER and self._need <= BUFFER:
                self._renew(BUFFER)
        elif self._start + self._need > len(self._buffer):
            self._renew(max(self._need + BUFFER, len(self._buffer)))
        return self._view[self._end :]

    def _renew(self, size: int) -> None:
        """A fresh buffer that starts with what is still unread."""
        buffer = bytearray(size)
        held = self._end - self._start
        buffer[:held] = self._view[self._start : self._end]
        self._buffer, self._view = buffer, memoryview(buffer)
        self._start, self._end = 0, held

    def buffer_updated(self, nbytes: int) -> None:
        self._end += nbytes
        start, end = self._start, self._end
        while end - start >= 4:
            (size,) = LENGTH.unpack_from(self._buffer, start)
            if size > self.limit:
                self.stream_fault(f"a frame of {size:,} bytes; at most {self.limit:,} are taken")
                break
            stop = start + 4 + size
            if stop > end:
                self._need = size + 4
                break
            body = bytes(self._view[start + 4 : stop])
            start = self._start = stop
            self.frame_received(body)
            if not self.open:
                break
        else:
            self._need = 4
        self.batch_done()

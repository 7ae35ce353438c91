"""Frames by the msgpack package: what a node sends its peers, and what it takes from them.

A frame body is the MessagePack array [1, sender, {wire name: [row, ...], ...}],
channels and rows in value order, sets as sorted arrays, maps as arrays of
[key, value], a bottom as nil.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgpack

from bloomish.runtime.evaluator import FRAME_MAXIMUM, FRAME_VERSION, Refusal, Row
from bloomish.runtime.reference_expr import pack
from bloomish.runtime.relation import Schema
from bloomish.values import Misfit


class _Map:
    """A MessagePack map as its pairs: told from an array, and no name lost."""

    def __init__(self, pairs: list[tuple[Any, Any]]) -> None:
        self.pairs = pairs

    def __repr__(self) -> str:
        return f"map {self.pairs!r}"


class _Extension:
    """A MessagePack extension: no value of ours."""

    def __init__(self, code: int, data: bytes) -> None:
        self.code = code

    def __repr__(self) -> str:
        return f"extension {self.code}"


def encode(node: str, rows: Iterable[tuple[str, Row]], limit: int) -> list[bytes]:
    """Rows (wire name, row), ordered, in as few frames as `limit` bytes each allow.

    A row that is larger than the limit by itself has a frame of its own.
    """
    packer = msgpack.Packer()
    start = packer.pack_array_header(3) + pack(FRAME_VERSION) + pack(node)
    frames: list[bytes] = []
    channels: dict[str, list[bytes]] = {}
    size = 0

    def flush() -> None:
        body = [start, packer.pack_map_header(len(channels))]
        for wire, packed in channels.items():
            body += [pack(wire), packer.pack_array_header(len(packed)), *packed]
        frames.append(b"".join(body))

    # the headers of the map and of each array take at most 5 bytes
    for wire, row in rows:
        packed = pack(row)
        more = len(packed) + (0 if wire in channels else len(pack(wire)) + 5)
        if channels and size + more > limit:
            flush()
            channels, size = {}, 0
            more = len(packed) + len(pack(wire)) + 5
        if not channels:
            size = len(start) + 5
        channels.setdefault(wire, []).append(packed)
        size += more
    if channels:
        flush()
    return frames


def decode(
    frame: bytes, node: str, channels: Mapping[str, Schema]
) -> tuple[str, list[tuple[str, Row]], list[Refusal]]:
    """(sender, rows by collection, what was refused); never raises on bytes."""
    if len(frame) > FRAME_MAXIMUM:
        return "", [], [Refusal(f"a frame of {len(frame)} bytes; {FRAME_MAXIMUM} are accepted")]
    try:
        # a str that is not UTF-8 is kept as surrogates here and refused with its row
        body = msgpack.unpackb(
            frame,
            raw=False,
            unicode_errors="surrogateescape",
            object_pairs_hook=_Map,
            ext_hook=_Extension,
            use_list=False,
            strict_map_key=False,
        )
    except (ValueError, msgpack.UnpackException, RecursionError) as error:
        return "", [], [Refusal(f"not MessagePack: {type(error).__name__}: {error}")]
    if not isinstance(body, tuple) or len(body) != 3:
        return "", [], [Refusal("not an array [version, sender, {channel: rows}]")]
    version, sender, contents = body
    if type(version) is not int or version != FRAME_VERSION:
        return "", [], [Refusal(f"frame version {version!r}; this node speaks {FRAME_VERSION}")]
    if not isinstance(sender, str) or not isinstance(contents, _Map):
        return "", [], [Refusal("not an array [version, sender, {channel: rows}]")]
    sender = _printable(sender)
    taken: list[tuple[str, Row]] = []
    refused: list[Refusal] = []
    for wire, rows in contents.pairs:
        _channel(wire, rows, node, channels, taken, refused)
    return sender, taken, refused


def _channel(
    wire: object,
    rows: object,
    node: str,
    channels: Mapping[str, Schema],
    taken: list[tuple[str, Row]],
    refused: list[Refusal],
) -> None:
    if not isinstance(wire, str):
        refused.append(Refusal(f"{wire!r} is not a channel's name"))
        return
    wire = _printable(wire)
    count = len(rows) if isinstance(rows, tuple) else 1
    schema = channels.get(wire)
    if schema is None:
        refused.append(Refusal("no channel of this name here", wire, count))
        return
    if not isinstance(rows, tuple):
        refused.append(Refusal("rows are not an array", wire))
        return
    for row in rows:
        try:
            if not isinstance(row, tuple):
                raise Misfit("a row is not an array")
            conformed = schema.row(row)
            if conformed[0] != node:
                raise Misfit(f"addressed to {conformed[0]!r}, this node is {node!r}")
        except Misfit as misfit:
            refused.append(Refusal(str(misfit), wire, 1, row))
            continue
        taken.append((schema.name, conformed))


def _printable(text: str) -> str:
    """Bytes that are not UTF-8 as question marks: no channel and no node is called so."""
    return text.encode("utf-8", "replace").decode()

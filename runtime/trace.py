"""A run as JSON lines: what every node took, sent and handed over, tick by tick.

Simulated runs and runs on processes write the same records, so that one
picture serves both: a space-time diagram (Lamport 1978) has a line per node, a
point per tick record, and an arrow from the tick that lists an id in `sends` to
the tick that lists it in `receives`.  Each record is one line and one write, so
the nodes of a cluster can append to one file.

Values stand as in frames: tuples and sets are arrays, maps are arrays of
pairs; bytes are {"bytes": hex}.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from json import JSONDecodeError
from typing import Any, Literal

from bloomish.order import order_key

VERSION = 1

Rows = Mapping[str, Sequence[Sequence[object]]]


@dataclass(frozen=True, slots=True)
class Send:
    """One frame on its way.  Its id is unique in the run: `from>to#number`, where a
    node that has been restarted appends its incarnation to its name (`a.2>b#1`)."""

    id: str
    to: str
    rows: Rows
    resend: bool = False


@dataclass(frozen=True, slots=True)
class Receive:
    """A frame that arrived for this tick; a tick may lack the send (a stray or a late one)."""

    id: str
    sender: str
    rows: Rows


@dataclass(frozen=True, slots=True)
class TickRecord:
    """One tick of one node.

    `inserts` are rows of hosts and firings of timers by collection; `events`,
    `added` and `removed` what outputs handed over.  `changes` are the rows
    (removed, added) of durable tables.  Whoever writes may leave out what it
    does not know.
    """

    node: str
    tick: int
    time: float
    inserts: Rows = field(default_factory=dict)
    receives: Sequence[Receive] = ()
    sends: Sequence[Send] = ()
    events: Rows = field(default_factory=dict)
    added: Rows = field(default_factory=dict)
    removed: Rows = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunRecord:
    """The first line: who ran what."""

    target: str
    nodes: Sequence[str]
    source: Literal["processes", "simulator"]
    time: float = 0.0
    seed: int = 0
    cluster: str = ""


@dataclass(frozen=True, slots=True)
class Happening:
    """Anything else on a node's line: started, restarted, stopped, crashed, paused,
    resumed, refused, set aside, lost (`ids` of the sends), partition, heal."""

    what: str
    node: str
    time: float
    text: str = ""
    ids: Sequence[str] = ()
    tick: int | None = None


Record = RunRecord | TickRecord | Happening

# ------------------------------------------------------------------- as JSON


def plain_value(value: object) -> object:
    """A value as JSON can hold it."""
    if isinstance(value, tuple | list):
        return [plain_value(item) for item in value]
    if isinstance(value, frozenset | set):
        return [plain_value(item) for item in sorted(value, key=order_key)]
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    if isinstance(value, dict):
        return [
            [plain_value(key), plain_value(item)]
            for key, item in sorted(value.items(), key=lambda pair: order_key(pair[0]))
        ]
    return value


def _rows(rows: Rows) -> dict[str, list[Any]]:
    return {name: [plain_value(row) for row in some] for name, some in rows.items() if some}


def to_line(record: Record) -> str:
    """A record as one line of JSON, without the newline; empty fields are left out."""
    out: dict[str, object]
    if isinstance(record, RunRecord):
        out = {"kind": "run", "version": VERSION, "target": record.target}
        out |= {"nodes": list(record.nodes), "source": record.source, "time": record.time}
        out |= {"seed": record.seed, "cluster": record.cluster}
    elif isinstance(record, TickRecord):
        out = {"kind": "tick", "node": record.node, "tick": record.tick, "time": record.time}
        parts: dict[str, object] = {
            "inserts": _rows(record.inserts),
            "receives": [
                {"id": one.id, "from": one.sender, "rows": _rows(one.rows)}
                for one in record.receives
            ],
            "sends": [
                {"id": one.id, "to": one.to, "rows": _rows(one.rows)}
                | ({"resend": True} if one.resend else {})
                for one in record.sends
            ],
            "events": _rows(record.events),
            "added": _rows(record.added),
            "removed": _rows(record.removed),
        }
        out |= {name: part for name, part in parts.items() if part}
    else:
        out = {"kind": record.what, "node": record.node, "time": record.time}
        more: dict[str, object] = {"text": record.text, "ids": list(record.ids)}
        out |= {name: part for name, part in more.items() if part}
        if record.tick is not None:
            out["tick"] = record.tick
    return json.dumps(out, ensure_ascii=False, separators=(",", ":"))


def from_line(line: str | bytes) -> Record:
    """The record of one line; raises ValueError where it is none."""
    try:
        data = json.loads(line)
        kind = data["kind"]
        if kind == "run":
            if data["version"] != VERSION:
                raise ValueError(f"version {data['version']} of the trace format is unknown")
            return RunRecord(
                data["target"],
                tuple(data["nodes"]),
                data["source"],
                data["time"],
                data["seed"],
                data["cluster"],
            )
        if kind == "tick":
            return TickRecord(
                data["node"],
                data["tick"],
                data["time"],
                data.get("inserts", {}),
                tuple(
                    Receive(one["id"], one["from"], one["rows"]) for one in data.get("receives", ())
                ),
                tuple(
                    Send(one["id"], one["to"], one["rows"], one.get("resend", False))
                    for one in data.get("sends", ())
                ),
                data.get("events", {}),
                data.get("added", {}),
                data.get("removed", {}),
            )
        return Happening(
            kind,
            data["node"],
            data["time"],
            data.get("text", ""),
            tuple(data.get("ids", ())),
            data.get("tick"),
        )
    except (KeyError, TypeError, AttributeError) as fault:
        raise ValueError(f"not a record of a trace: {fault!r}") from fault


_BEGINNING = b'{"kind":"'


def read(lines: Iterable[bytes | str]) -> Iterator[Record]:
    """The records of a trace, in the order written; raises ValueError with the line number.

    Lines of a file are best given as bytes, since a record may be cut off within a character.
    A record that was cut off (the disk was full, the node was killed) is left out: at the end of
    the trace, or where the record of another node follows it in its line.
    """
    numbered = enumerate(lines, start=1)
    for number, text in numbered:
        line = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
        if not line.strip():
            continue
        *cut, last = _pieces(line)
        try:
            yield from filter(None, map(_unless_cut, cut))
            yield from_line(last)
        except ValueError as fault:
            if not line.endswith(b"\n") and next(numbered, None) is None:
                return
            raise ValueError(f"line {number}: {fault}") from fault


def _pieces(line: bytes) -> list[bytes]:
    """The line before each beginning of a record.  Nothing within a record looks like one: quotes
    in a string are escaped, and no map in a record has the key `kind`."""
    first, *others = line.split(_BEGINNING)
    if not _BEGINNING.startswith(first):
        return [line]
    return ([first] if first else []) + [_BEGINNING + other for other in others]


def _unless_cut(piece: bytes) -> Record | None:
    try:
        return from_line(piece)
    except (JSONDecodeError, UnicodeDecodeError):
        return None


# ----------------------------------------------------------------- the writer


class TraceFile:
    """Appends records to a file.  A write that fails (a full disk) loses the record:
    `lost` counts them and `report` is told once; whoever writes goes on."""

    def __init__(self, path: str, report: Callable[[str], None]) -> None:
        self.path = path
        self.lost = 0
        self._report = report
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)

    def write(self, record: Record) -> None:
        """One record, one write."""
        line = to_line(record).encode("utf-8", "surrogatepass") + b"\n"
        try:
            done = os.write(self._file, line)
            if done < len(line):
                raise OSError("only a part of the record could be written")
        except OSError as fault:
            self.lost += 1
            if self.lost == 1:
                self._report(
                    f"the trace {self.path} cannot be written ({fault}); "
                    "records are lost and counted, the run goes on"
                )

    def close(self) -> None:
        """Close the file; closing twice is fine."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

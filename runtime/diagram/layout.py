"""Records to what the page draws: lines, dots, arrows, marks, and the moments of time.

Moments are the distinct times at which anything happens, in order: the page
spaces them evenly, so that a busy millisecond is as legible as a quiet hour.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bloomish.runtime.trace import Happening, Record, Rows, RunRecord, TickRecord, plain_value

_DOWN = ("crashed", "stopped", "stop", "died")
_UP = ("restarted", "restart", "start", "started")


@dataclass
class Picture:
    """Numbers stand for places in `nodes` and `moments`; -1 is never."""

    title: str = ""
    nodes: list[str] = field(default_factory=list)
    moments: list[float] = field(default_factory=list)
    ticks: list[list[Any]] = field(default_factory=list)  # [node, moment, number, text]
    arrows: list[list[Any]] = field(default_factory=list)
    # [from, sent, to, came, collections, text, resend]; one for each arrival
    marks: list[list[Any]] = field(default_factory=list)  # [node, moment, what, text]
    downs: list[list[int]] = field(default_factory=list)  # [node, from moment, to moment]
    cuts: list[list[Any]] = field(default_factory=list)  # [from moment, to moment, text]

    def data(self) -> dict[str, Any]:
        """For the page's script."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


@dataclass
class _Sent:
    node: int
    time: float
    to: str
    rows: Rows
    resend: bool
    arrivals: list[tuple[int, float]] = field(default_factory=list)
    lost: bool = False


def layout(records: Iterable[Record]) -> Picture:
    """The picture of a run."""
    listed = list(records)
    picture = Picture()
    times: set[float] = set()
    sent: dict[str, _Sent] = {}
    for record in listed:
        if isinstance(record, RunRecord):
            picture.title = record.cluster or record.target
            picture.nodes += [node for node in record.nodes if node not in picture.nodes]
            continue
        times.add(record.time)
        if record.node and record.node not in picture.nodes:
            picture.nodes.append(record.node)
        if isinstance(record, TickRecord):
            here = picture.nodes.index(record.node)
            for send in record.sends:
                sent.setdefault(send.id, _Sent(here, record.time, send.to, send.rows, send.resend))
        else:
            for name in record.ids:
                if name in sent and record.what == "lost":
                    sent[name].lost = True
    moments = picture.moments = sorted(times)
    at = {time: number for number, time in enumerate(moments)}
    places = {name: number for number, name in enumerate(picture.nodes)}
    for record in listed:
        if isinstance(record, TickRecord):
            _tick(picture, record, places, at, sent)
    for name, one in sent.items():
        _arrows(picture, name, one, places, at)
    _happenings(picture, [one for one in listed if isinstance(one, Happening)], places, at)
    return picture


def _tick(
    picture: Picture,
    record: TickRecord,
    places: Mapping[str, int],
    at: Mapping[float, int],
    sent: Mapping[str, _Sent],
) -> None:
    here, moment = places[record.node], at[record.time]
    for receive in record.receives:
        if receive.id in sent:
            sent[receive.id].arrivals.append((here, record.time))
    parts = [
        ("in", record.inserts),
        *((f"from {one.sender}", one.rows) for one in record.receives),
        *((f"to {one.to}" + (" again" if one.resend else ""), one.rows) for one in record.sends),
        ("event", record.events),
        ("added", record.added),
        ("removed", record.removed),
    ]
    lines = [f"{record.node} tick {record.tick} at {record.time:.6f} s"]
    lines += [f"{label}: {text}" for label, rows in parts for text in _texts(rows)]
    picture.ticks.append([here, moment, record.tick, "\n".join(lines)])


def _arrows(
    picture: Picture,
    name: str,
    one: _Sent,
    places: Mapping[str, int],
    at: Mapping[float, int],
) -> None:
    collections = sorted(one.rows)
    text = "\n".join([name + (" (again)" if one.resend else ""), *_texts(one.rows)])
    to = places.get(one.to, -1)
    start = at[one.time]
    arrivals = [[node, at[time]] for node, time in one.arrivals]
    for node, came in arrivals or [[to, -1]]:
        picture.arrows.append([one.node, start, node, came, collections, text, one.resend])


def _happenings(
    picture: Picture,
    happenings: Sequence[Happening],
    places: Mapping[str, int],
    at: Mapping[float, int],
) -> None:
    end = max(0, len(picture.moments) - 1)
    down: dict[int, int] = {}
    cuts: dict[str, int] = {}
    for one in happenings:
        moment = at[one.time]
        if one.what == "lost":
            continue
        if one.what == "partition":
            cuts[one.text] = moment
        elif one.what == "heal":
            picture.cuts.append([cuts.pop(one.text, 0), moment, one.text])
        if not one.node:
            continue
        here = places[one.node]
        if one.what in _DOWN:
            down.setdefault(here, moment)
        elif one.what in _UP and here in down:
            picture.downs.append([here, down.pop(here), moment])
        picture.marks.append([here, moment, one.what, one.text])
    picture.downs += [[node, start, end] for node, start in sorted(down.items())]
    picture.cuts += [[start, end, text] for text, start in sorted(cuts.items())]


def _texts(rows: Rows) -> list[str]:
    return [
        f"{collection}({', '.join(_text(plain_value(value)) for value in row)})"
        for collection, some in rows.items()
        for row in some
    ]


def _text(value: object) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_text, value))}]"
    return repr(value) if isinstance(value, str) else str(value)

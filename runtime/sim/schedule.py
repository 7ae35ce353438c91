"""Faults as a schedule: what happens, to whom, when; as text that a command can replay.

drop a>b#3                 the third message from a to b is lost
duplicate a>b#3 +0.2       it arrives a second time, 0.2 s later
delay a>b#3 +1.5           it takes 1.5 s longer
split a>b#3                its rows travel on their own
partition a,b|c 1.0-2.5    nothing passes between the two groups
oneway a>b 1.0-2.5         nothing passes from a to b
crash a 1.2                for good
restart a 1.2-2.0          down in between; back with its durable tables
losedisk a 1.2-2.0         the same, and the disk is empty
pause a 1.0-2.0            it does nothing; what arrives waits
skew a +0.3                its clock is ahead all the time
jump a 1.2 -5.0            its clock is set back by 5 s
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from bloomish.errors import BloomishError

SECOND = 1_000_000  # virtual time is counted in microseconds

MessageKind = Literal["drop", "duplicate", "delay", "split"]
NodeKind = Literal["crash", "restart", "losedisk", "pause", "skew", "jump"]
LinkKind = Literal["partition", "oneway"]


@dataclass(frozen=True, slots=True, order=True)
class MessageFault:
    """What befalls one message: the `number`th that `sender` sends to `receiver`."""

    kind: MessageKind
    sender: str
    receiver: str
    number: int
    extra: int = 0

    def __str__(self) -> str:
        extra = f" {_signed(self.extra)}" if self.kind in ("duplicate", "delay") else ""
        return f"{self.kind} {self.sender}>{self.receiver}#{self.number}{extra}"


@dataclass(frozen=True, slots=True, order=True)
class NodeFault:
    """What befalls a node, from `start` to `end` (0: there is none); `amount` is of clocks."""

    kind: NodeKind
    node: str
    start: int = 0
    end: int = 0
    amount: int = 0

    def __str__(self) -> str:
        parts = [self.kind, self.node]
        if self.kind in ("restart", "losedisk", "pause"):
            parts.append(f"{_seconds(self.start)}-{_seconds(self.end)}")
        elif self.kind != "skew":
            parts.append(_seconds(self.start))
        if self.kind in ("skew", "jump"):
            parts.append(_signed(self.amount))
        return " ".join(parts)


@dataclass(frozen=True, slots=True, order=True)
class LinkFault:
    """Nothing passes from one group to the other (both ways, if a partition)."""

    kind: LinkKind
    left: tuple[str, ...]
    right: tuple[str, ...]
    start: int
    end: int

    def __str__(self) -> str:
        return f"{self.kind} {self.groups} {_seconds(self.start)}-{_seconds(self.end)}"

    @property
    def groups(self) -> str:
        """Who is cut off from whom: `a,b|c` both ways, `a>b` one way."""
        sign = "|" if self.kind == "partition" else ">"
        return f"{','.join(self.left)}{sign}{','.join(self.right)}"

    def blocks(self, sender: str, receiver: str) -> bool:
        """Is this direction cut?"""
        if sender in self.left and receiver in self.right:
            return True
        return self.kind == "partition" and sender in self.right and receiver in self.left


Fault = MessageFault | NodeFault | LinkFault
Schedule = tuple[Fault, ...]


def to_text(schedule: Iterable[Fault]) -> str:
    """One line, faults separated by `; `."""
    return "; ".join(str(fault) for fault in schedule)


_NODE = r"[^\s|,>#;]+"
_GROUP = rf"{_NODE}(?:,{_NODE})*"
_TIME = r"\d+(?:\.\d+)?"
_FORMS = [
    (re.compile(rf"(drop|split) ({_NODE})>({_NODE})#(\d+)"), "message"),
    (re.compile(rf"(duplicate|delay) ({_NODE})>({_NODE})#(\d+) \+({_TIME})"), "message"),
    (re.compile(rf"(partition) ({_GROUP})\|({_GROUP}) ({_TIME})-({_TIME})"), "link"),
    (re.compile(rf"(oneway) ({_GROUP})>({_GROUP}) ({_TIME})-({_TIME})"), "link"),
    (re.compile(rf"(crash) ({_NODE}) ({_TIME})"), "node"),
    (re.compile(rf"(restart|losedisk|pause) ({_NODE}) ({_TIME})-({_TIME})"), "node"),
    (re.compile(rf"(skew) ({_NODE}) ([+-]{_TIME})"), "skew"),
    (re.compile(rf"(jump) ({_NODE}) ({_TIME}) ([+-]{_TIME})"), "jump"),
]


def from_text(text: str, nodes: Sequence[str]) -> Schedule:
    """The schedule of a text; raises BloomishError with the form that is expected."""
    return tuple(
        _one(" ".join(part.split()), nodes) for part in re.split(r"[;\n]", text) if part.strip()
    )


def _one(text: str, nodes: Sequence[str]) -> Fault:
    for form, kind in _FORMS:
        found = form.fullmatch(text)
        if found is not None:
            return _made(text, kind, found.groups(), nodes)
    raise BloomishError(
        f"{text!r} is not a fault; write for example `drop a>b#3`, `delay a>b#3 +1.5`, "
        "`partition a,b|c 1.0-2.5`, `restart a 1.2-2.0`"
    )


def _made(text: str, kind: str, parts: tuple[str, ...], nodes: Sequence[str]) -> Fault:
    if kind == "message":
        known = (parts[1], parts[2])
        made: Fault = MessageFault(
            parts[0],  # type: ignore[arg-type]  # the form has matched it
            parts[1],
            parts[2],
            int(parts[3]),
            _micros(parts[4]) if len(parts) > 4 else 0,
        )
    elif kind == "link":
        left, right = tuple(parts[1].split(",")), tuple(parts[2].split(","))
        known = (*left, *right)  # type: ignore[assignment]
        made = LinkFault(parts[0], left, right, _micros(parts[3]), _micros(parts[4]))  # type: ignore[arg-type]
    else:
        known = (parts[1],)  # type: ignore[assignment]
        amount = _micros(parts[-1]) if kind in ("skew", "jump") else 0
        times = [_micros(part) for part in parts[2:]] if kind == "node" else []
        if kind == "jump":
            times = [_micros(parts[2])]
        start, end = (*times, 0, 0)[:2]
        made = NodeFault(parts[0], parts[1], start, end, amount)  # type: ignore[arg-type]
    if not isinstance(made, MessageFault) and 0 < made.end < made.start:
        raise BloomishError(f"{text!r}: it ends before it begins")
    for node in known:
        if node not in nodes:
            raise BloomishError(f"{text!r}: there is no node {node}; there are {', '.join(nodes)}")
    return made


def _micros(text: str) -> int:
    return round(float(text) * SECOND)


def _seconds(micros: int) -> str:
    return f"{micros / SECOND:.6f}".rstrip("0").rstrip(".")


def _signed(micros: int) -> str:
    return ("-" if micros < 0 else "+") + _seconds(abs(micros))


NODE_KINDS: tuple[str, ...] = get_args(NodeKind)

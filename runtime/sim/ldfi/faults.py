"""The faults of lineage-driven injection: a node crashes, a channel drops a tick's messages."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

CrashMode = Literal["zombie", "frozen"]


@dataclass(frozen=True, slots=True, order=True)
class Crash:
    """`node` sends nothing from tick `time` on ("frozen": it does nothing at all)."""

    node: str
    time: int

    def __str__(self) -> str:
        return f"crash of {self.node} at {self.time}"


@dataclass(frozen=True, slots=True, order=True)
class Omission:
    """All that `sender` sends to `receiver` at tick `time` is lost."""

    sender: str
    receiver: str
    time: int

    def __str__(self) -> str:
        return f"loss from {self.sender} to {self.receiver} at {self.time}"


Fault = Crash | Omission
Faults = frozenset[Fault]
NO_FAULTS: Faults = frozenset()


@dataclass(frozen=True, slots=True)
class Bounds:
    """What is searched: ticks 1 to `eot`, losses before tick `eff`, at most `crashes` crashes.

    The bound on losses is strict: the last tick that can lose messages is `eff` - 1.
    """

    nodes: tuple[str, ...]
    eot: int
    eff: int
    crashes: int
    mode: CrashMode = "zombie"


def in_order(faults: Iterable[Fault]) -> list[Fault]:
    """Crashes first, then losses by time."""
    return sorted(faults, key=_order)


def _order(fault: Fault) -> tuple[int, int, str, str]:
    if isinstance(fault, Crash):
        return (0, fault.time, fault.node, "")
    return (1, fault.time, fault.sender, fault.receiver)


def crash_times(faults: Faults) -> dict[str, int]:
    """When each crashed node crashes."""
    return {fault.node: fault.time for fault in faults if isinstance(fault, Crash)}


def losses(faults: Faults) -> set[tuple[str, str, int]]:
    """What is lost: from whom, to whom, at which tick."""
    return {(f.sender, f.receiver, f.time) for f in faults if isinstance(f, Omission)}


def without_subsumed(faults: Faults, mode: CrashMode) -> Faults:
    """Without the losses that a crash brings about anyway.

    A crashed sender sends nothing.  A crashed receiver takes nothing only when
    it is frozen: a zombie goes on receiving.
    """
    crashed = crash_times(faults)
    never = 1 << 60
    return frozenset(
        fault
        for fault in faults
        if isinstance(fault, Crash)
        or not (
            crashed.get(fault.sender, never) <= fault.time
            or (mode == "frozen" and crashed.get(fault.receiver, never) <= fault.time + 1)
        )
    )


def as_data(faults: Faults) -> list[dict[str, object]]:
    """For JSON."""
    return [
        {"fault": "crash", "node": fault.node, "time": fault.time}
        if isinstance(fault, Crash)
        else {"fault": "loss", "from": fault.sender, "to": fault.receiver, "time": fault.time}
        for fault in in_order(faults)
    ]

"""Arrivals that make a tick fail, and what becomes of them (DESIGN section 3).

The arrivals are ordered by collection and value; the last row of the shortest
prefix that fails is set aside and the tick is tried again without it.  The
prefix is found by bisection with `probe`, which changes nothing.  After 64 rows
of one batch the whole batch is set aside.  To the outside world rows set aside
are omissions; here they are listed and can be replayed.

A tick that fails without arrivals stops the node, unless it fails by what a log
delivers: modules with a decided log have an input `skip`, which nobody feeds but
this.  With a row in it, the log goes on without delivering.  What is done with a
log is a function of it, so all its replicas pass over the same commands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from bloomish import ir
from bloomish.runtime.evaluator import Arrival, Evaluator, Row, Tick, TickFailed

LIMIT = 64
SKIP = "skip"
"""The input of a module with a decided log that passes over what it delivers."""
KEEP = 10_000
"""So many are kept for listing and replay; older ones make room and stay counted."""


@dataclass(frozen=True, slots=True)
class SetAside:
    """One row that was set aside, and why."""

    number: int
    collection: str
    row: Row
    tick: int
    reason: str


@dataclass
class Shelf:
    """A node's rows set aside, oldest first."""

    rows: list[SetAside] = field(default_factory=list)
    total: int = 0

    def put(self, arrivals: Sequence[Arrival], tick: int, reason: str) -> list[SetAside]:
        """Keep these rows."""
        new = []
        for collection, row in arrivals:
            self.total += 1
            new.append(SetAside(self.total, collection, row, tick, reason))
        self.rows.extend(new)
        del self.rows[: max(0, len(self.rows) - KEEP)]
        return new

    def take(self, numbers: Sequence[int] | None = None) -> list[SetAside]:
        """Take rows off the shelf to replay them: these numbers, or all."""
        wanted = None if numbers is None else set(numbers)
        taken = [one for one in self.rows if wanted is None or one.number in wanted]
        gone = {one.number for one in taken}
        self.rows = [one for one in self.rows if one.number not in gone]
        return taken


class Stuck(Exception):
    """A tick fails with no arrivals at all: the node cannot go on."""

    def __init__(self, failure: TickFailed) -> None:
        super().__init__(str(failure))
        self.failure = failure


@dataclass(frozen=True)
class Rescue:
    """How a failed tick ended: what it did without the rows that were set aside."""

    tick: Tick
    aside: list[SetAside]
    failures: list[TickFailed]
    """One for each row, or one for the whole batch."""
    passed_over: TickFailed | None = None
    """Why a log has gone on without delivering a command."""


def skips(program: ir.Program) -> tuple[str, ...]:
    """The inputs by which logs pass over what they would deliver."""
    scopes = {guard.scope for guard in program.guards if guard.ordered}
    names = {f"{scope}.{SKIP}" if scope else SKIP for scope in scopes}
    return tuple(c.name for c in program.collections if c.kind == "input" and c.name in names)


def rescue(
    evaluator: Evaluator,
    shelf: Shelf,
    failure: TickFailed,
    now: float,
    number: int,
    skips: Sequence[str] = (),
) -> Rescue:
    """After `evaluator.tick(now)` raised `failure`: the tick without what makes it fail.

    Raises Stuck when it fails without arrivals, too, and passing over what logs
    deliver (`skips`) does not help.
    """
    arrivals = evaluator.arrivals()
    empty = evaluator.probe(now, [])
    base: list[Arrival] = []
    if empty is not None:
        base = _passing(evaluator, now, empty, skips)
        evaluator.set_arrivals([*base, *arrivals])
        try:
            return Rescue(evaluator.tick(now), [], [], empty)
        except TickFailed as other:
            failure = other
    aside: list[SetAside] = []
    failures: list[TickFailed] = []
    while True:
        failures.append(failure)
        if len(aside) == LIMIT:
            aside += shelf.put(arrivals, number, f"after {LIMIT} rows, the whole batch: {failure}")
            arrivals = []
        else:
            last = _shortest_failing(evaluator, now, base, arrivals) - 1
            aside += shelf.put([arrivals[last]], number, str(failure))
            del arrivals[last]
        evaluator.set_arrivals([*base, *arrivals])
        try:
            return Rescue(evaluator.tick(now), aside, failures, empty)
        except TickFailed as again:
            if not arrivals:
                raise Stuck(again) from again
            failure = again


def _passing(
    evaluator: Evaluator, now: float, failure: TickFailed, skips: Sequence[str]
) -> list[Arrival]:
    """What makes a tick pass that fails without arrivals: one log that goes on, or all."""
    rows: list[Arrival] = [(name, (failure.rule,)) for name in skips]
    for tried in (*([row] for row in rows), rows):
        if tried and evaluator.probe(now, tried) is None:
            return tried
    raise Stuck(failure)


def _shortest_failing(
    evaluator: Evaluator, now: float, base: Sequence[Arrival], arrivals: Sequence[Arrival]
) -> int:
    """Length of a failing prefix whose next shorter one passes; the shortest where
    a longer prefix of a failing one fails as well.  The empty one passes, the whole fails."""
    passes, fails = 0, len(arrivals)
    while fails - passes > 1:
        middle = (passes + fails) // 2
        if evaluator.probe(now, [*base, *arrivals[:middle]]) is None:
            passes = middle
        else:
            fails = middle
    return fails

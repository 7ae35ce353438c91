"""Two schedules of the same messages that end differently: a point of order, shown.

For the analyzer: `witness(stage, collections)` looks for two schedules after
which one of these collections (of any node) differs, over small inputs made up
for the purpose.  Exploration is unreduced by verdicts, so what it finds backs
them, and where it finds nothing it says within which bounds it looked.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bloomish.order import order_key
from bloomish.runtime.evaluator import Row
from bloomish.runtime.sim.explore.outcomes import Content, Outcome, by_decided_log, outcomes
from bloomish.runtime.sim.explore.space import Limits, Move, Space, explore
from bloomish.runtime.sim.stage import Stage
from bloomish.runtime.sim.workload import Insert, make_up, systematic

SEEDS = 3
MOST_INSERTS = 5


@dataclass(frozen=True, slots=True)
class TickLine:
    """One tick of a schedule: who, what it took (and what of it comes again), what it sent."""

    node: str
    taken: tuple[tuple[str, Row], ...]
    again: tuple[tuple[str, Row], ...]
    sent: tuple[tuple[str, str, Row], ...]  # (to, collection, row)
    crash: bool = False

    def __str__(self) -> str:
        if self.crash:
            return f"{self.node} crashes and restarts"
        took = ", ".join(_row(name, row) for name, row in self.taken) or "nothing"
        line = f"{self.node} takes {took}"
        if self.again:
            line += (
                f" (of which {', '.join(_row(name, row) for name, row in self.again)} comes again)"
            )
        if self.sent:
            line += " and sends " + ", ".join(
                f"{_row(name, row)} to {to}" for to, name, row in self.sent
            )
        return line


@dataclass(frozen=True, slots=True)
class Schedule:
    """Ticks in order, and what all nodes hold at the end."""

    ticks: tuple[TickLine, ...]
    content: Content


@dataclass(frozen=True, slots=True)
class Difference:
    """Rows of one collection that only one of the two schedules ends with."""

    node: str
    collection: str
    first: tuple[Any, ...]
    second: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Witness:
    """Two schedules of the same messages, and where they end differently."""

    inserts: tuple[Insert, ...]
    first: Schedule
    second: Schedule
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class Searched:
    """What was explored: the witness if there is one, and the bounds in words."""

    witness: Witness | None
    states: int
    outcomes: int
    bounds: str
    complete: bool


def witness(
    stage: Stage,
    collections: Sequence[str] | None = None,
    limits: Limits | None = None,
    inserts: Sequence[Insert] | None = None,
    which: str = "auto",
) -> Searched:
    """Looks for two schedules that end differently in one of the collections (the first
    of them that can; None: in any), over given inserts or over several made-up ones."""
    limits = limits or Limits(states=30_000)
    states = most = tried = 0
    complete = True
    for given in [inserts] if inserts is not None else workloads(stage):
        space = explore(stage, given, limits, which=which)
        found = outcomes(space)
        tried += 1
        states += len(space.states)
        most = max(most, len(found))
        complete = complete and not space.bounded
        pair = _first_pair(space, found, collections)
        if pair is not None:
            made = _witness(space, given, *pair)
            return Searched(made, states, most, _bounds(limits, tried), complete)
    return Searched(None, states, most, _bounds(limits, tried), complete)


def workloads(stage: Stage) -> Iterator[list[Insert]]:
    """Small inputs, from one row for each input on; those that meet come first, then
    the same with one row left out, then rows at random."""
    for rows in (1, 2):
        given = systematic(stage, rows)[:MOST_INSERTS]
        yield given
        if rows > 1:
            yield from (given[:out] + given[out + 1 :] for out in range(len(given)))
    yield systematic(stage, 2, all_numbers=True)[:MOST_INSERTS]
    for seed in range(SEEDS):
        yield make_up(stage, seed, 2, 1_000)[:MOST_INSERTS]


def _first_pair(
    space: Space, found: Sequence[Outcome], collections: Sequence[str] | None
) -> tuple[Outcome, Outcome] | None:
    if collections is None:
        return _pair(space, found, None)
    pairs = (_pair(space, found, (name,)) for name in collections)
    return next((pair for pair in pairs if pair is not None), None)


def _pair(
    space: Space, found: Sequence[Outcome], collections: Collection[str] | None
) -> tuple[Outcome, Outcome] | None:
    """Two outcomes of one decided log that differ where it matters; those with the
    shortest schedules."""
    best: tuple[Outcome, Outcome] | None = None
    shortest = 0
    for group in by_decided_log(space, found).values():
        seen: dict[Any, Outcome] = {}
        for outcome in group:
            key = tuple(
                (node, name, order_key(rows))
                for node, name, rows in outcome.content
                if collections is None or name in collections
            )
            seen.setdefault(key, outcome)
        if len(seen) > 1:
            one, other, *_ = sorted(seen.values(), key=lambda o: len(space.path(o.state)))
            length = len(space.path(one.state)) + len(space.path(other.state))
            if best is None or length < shortest:
                best, shortest = (one, other), length
    return best


def _witness(space: Space, inserts: Sequence[Insert], one: Outcome, other: Outcome) -> Witness:
    return Witness(
        tuple(inserts),
        schedule_of(space, space.path(one.state), one.content),
        schedule_of(space, space.path(other.state), other.content),
        tuple(differences(one.content, other.content)),
    )


def schedule_of(space: Space, path: Sequence[Move], content: Content = ()) -> Schedule:
    """A path as ticks in words."""
    state = space.states[0]
    messages = space.bag.messages
    lines = []
    for move in path:
        after, sent, _ = space.successor(state, move)
        lines.append(
            TickLine(
                space.sites[move.site].node,
                tuple((messages[one].collection, messages[one].row) for one in move.taken),
                tuple((messages[one].collection, messages[one].row) for one in move.kept),
                tuple(
                    (
                        space.sites[messages[one].site].node,
                        messages[one].collection,
                        messages[one].row,
                    )
                    for one in sent
                ),
                move.crash,
            )
        )
        state = after
    return Schedule(tuple(lines), content)


def differences(first: Content, second: Content) -> Iterator[Difference]:
    """Collections whose rows differ."""
    one = {(node, name): rows for node, name, rows in first}
    other = {(node, name): rows for node, name, rows in second}
    for place in sorted(one.keys() | other.keys()):
        a, b = one.get(place, ()), other.get(place, ())
        only_a = tuple(row for row in a if row not in b)
        only_b = tuple(row for row in b if row not in a)
        if only_a or only_b:
            yield Difference(*place, only_a, only_b)


def _bounds(limits: Limits, tried: int) -> str:
    parts = [f"{tried} input(s) of at most {MOST_INSERTS} rows", f"{limits.states:,} states each"]
    parts.append(f"{limits.duplicates} duplicate(s)")
    if limits.crashes:
        parts.append(f"{limits.crashes} crash(es)")
    return ", ".join(parts)


def _row(collection: str, row: Row) -> str:
    return f"{collection}({', '.join(map(repr, row))})"

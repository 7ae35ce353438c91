"""One execution of a Dedalus program under given faults, every tick kept.

All nodes are run together, tick by tick, as in Molly: locality is a column.
A rule fires only where its location is a declared node.  A message sent at t
is there at t + 1 unless its sender has crashed or the channel drops that
tick; there are no other delays.  A crashed node goes on computing and
receiving ("zombie", Molly's semantics) or stops ("frozen").
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import fsum
from typing import Any

from bloomish import ir
from bloomish.errors import ProgramError
from bloomish.order import order_key
from bloomish.readers.dedalus.checks import CLOCK, CRASH
from bloomish.runtime.sim.ldfi.code import Code, head_of
from bloomish.runtime.sim.ldfi.faults import NO_FAULTS, Bounds, Faults, crash_times, losses
from bloomish.runtime.sim.ldfi.joins import CompiledRule, Match, Row

# Rows in the order they were derived: a set whose iteration no hash seed changes.
Rows = dict[Row, None]

LOST = 99999
_NOTHING: Rows = {}
_NEVER = 1 << 60


@dataclass(frozen=True, slots=True)
class Fired:
    """One head row and the matches that make it: one, or all of its group."""

    rule: CompiledRule
    row: Row
    members: tuple[Match, ...]
    to: str | None = None
    delivered: bool = True


@dataclass
class Step:
    """One tick: rows of every collection, and what fired (deductive rules last)."""

    time: int
    earlier: Sequence[Step]
    content: defaultdict[str, Rows] = field(default_factory=lambda: defaultdict(dict))
    fired: list[Fired] = field(default_factory=list)
    given: dict[str, Rows] = field(default_factory=dict)
    _indexes: dict[tuple[str, tuple[int, ...]], dict[Any, list[Row]]] = field(default_factory=dict)

    def rows(self, collection: str, at: int | None = None) -> Collection[Row]:
        if at is None or at == self.time:
            return self.content.get(collection, _NOTHING)
        return self.earlier[at].rows(collection) if 0 < at < self.time else _NOTHING

    def by(
        self, collection: str, at: int | None, columns: tuple[int, ...]
    ) -> Mapping[Any, Sequence[Row]]:
        if at is not None and at != self.time:
            return self.earlier[at].by(collection, None, columns) if 0 < at < self.time else {}
        index = self._indexes.get((collection, columns))
        if index is None:
            index = defaultdict(list)
            if len(columns) == 1:
                for row in self.content.get(collection, ()):
                    index[row[columns[0]]].append(row)
            else:
                for row in self.content.get(collection, ()):
                    index[tuple([row[column] for column in columns])].append(row)
            self._indexes[collection, columns] = index
        return index

    def add(self, collection: str, rows: Iterable[Row]) -> bool:
        """Whether any row is new."""
        known = self.content[collection]
        before = len(known)
        known.update(dict.fromkeys(rows))
        if len(known) == before:
            return False
        for key in [key for key in self._indexes if key[0] == collection]:
            del self._indexes[key]
        return True


@dataclass
class Run:
    """`steps[t]` is tick t; `steps[0]` is empty."""

    faults: Faults
    steps: list[Step]
    nodes: frozenset[str]
    arrives: Callable[[str, str, int], bool]

    def rows(self, collection: str, time: int) -> Collection[Row]:
        return self.steps[time].rows(collection)


def forward(code: Code, bounds: Bounds, faults: Faults = NO_FAULTS, base: Run | None = None) -> Run:
    """Runs ticks 1 to EOT.  `base` is the run without faults: what precedes the
    first fault is taken from it."""
    execution = _Execution(code, bounds, faults)
    first = min((fault.time for fault in faults), default=1)
    if base is None or (code.reads_crash and execution.crashed):
        first = 1
    steps = [Step(0, ())] if first == 1 or base is None else base.steps[:first]
    while len(steps) <= bounds.eot:
        steps.append(execution.step(steps))
    return Run(faults, steps, execution.nodes, execution.arrives)


class _Execution:
    def __init__(self, code: Code, bounds: Bounds, faults: Faults) -> None:
        self.code = code
        self.bounds = bounds
        self.nodes = frozenset(bounds.nodes)
        self.crashed = crash_times(faults)
        self.lost = losses(faults)

    def step(self, earlier: Sequence[Step]) -> Step:
        time = len(earlier)
        step = Step(time, earlier)
        self.give(step)
        for fired in earlier[-1].fired:
            if fired.rule.rule.op != "<=" and fired.delivered:
                step.content[head_of(fired.rule.rule)][fired.row] = None
        alive = self.alive(time)
        for stratum in self.code.strata:
            while True:
                found = [fired for rule in stratum.rules for fired in self.fire(rule, step, alive)]
                grown = False
                for fired in found:
                    grown |= step.add(fired.rule.rule.head, (fired.row,))
                if not (grown and stratum.recursive):
                    break
            step.fired += found
        for rule in self.code.inductive:
            step.fired += self.fire(rule, step, alive)
        for rule in self.code.asynchronous:
            step.fired += self.send(rule, step, alive)
        return step

    def alive(self, time: int) -> frozenset[str]:
        """Where rules fire: a zombie computes on."""
        if self.bounds.mode == "zombie" or not self.crashed:
            return self.nodes
        return frozenset(node for node in self.nodes if self.crashed.get(node, _NEVER) > time)

    def arrives(self, sender: str, receiver: str, time: int) -> bool:
        """Is there a clock from one node to the other at this tick?"""
        if sender == receiver:
            return True
        if self.crashed.get(sender, _NEVER) <= time or (sender, receiver, time) in self.lost:
            return False
        frozen = self.bounds.mode == "frozen"
        return not (frozen and self.crashed.get(receiver, _NEVER) <= time + 1)

    def give(self, step: Step) -> None:
        """Facts of this tick, and the provided relations."""
        given = dict(self.code.facts.get(step.time, {}))
        for roster in self.code.rosters:
            given[roster] = {(node,): None for node in self.bounds.nodes}
        if self.code.reads_crash:
            given[CRASH] = {
                (observer, node, time): None
                for observer in self.bounds.nodes
                for node, time in sorted(self.crashed.items())
            }
        if self.code.reads_clock:
            given[CLOCK] = dict.fromkeys(self.clock(step.time))
        step.given = given
        for name, rows in given.items():
            step.content[name].update(rows)

    def clock(self, time: int) -> Iterable[Row]:
        arity = next(len(c.columns) for c in self.code.program.collections if c.name == CLOCK)
        for sender in self.bounds.nodes:
            if self.bounds.mode == "frozen" and self.crashed.get(sender, _NEVER) <= time:
                continue
            for receiver in self.bounds.nodes:
                if sender != receiver and self.crashed.get(sender, _NEVER) <= time:
                    continue
                reached = self.arrives(sender, receiver, time)
                yield (sender, receiver, time, time + 1 if reached else LOST)[:arity]

    # ----------------------------------------------------------------- firing

    def fire(self, rule: CompiledRule, step: Step, alive: frozenset[str]) -> list[Fired]:
        matches = _find(rule, step, alive)
        if not rule.aggregates:
            return [Fired(rule, match.head, (match,)) for match in matches]
        return [Fired(rule, row, members) for row, members in _grouped(rule, matches)]

    def send(self, rule: CompiledRule, step: Step, alive: frozenset[str]) -> list[Fired]:
        """Rows for a destination that is no node vanish; so does what is lost."""
        matches = _find(rule, step, alive)
        if not rule.aggregates:
            return [
                Fired(rule, match.head, (match,), to, self.reaches(match, to, step.time))
                for match in matches
                if (to := match.head[0]) in self.nodes
            ]
        # Molly's clock is part of what is aggregated: only what arrives is counted.
        if isinstance(rule.rule.args[0], ir.Aggregate):
            return []
        sent = []
        for delivered in (True, False):
            some = [
                match
                for match in matches
                if (to := match.head[0][0]) in self.nodes
                and self.reaches(match, to, step.time) == delivered
            ]
            for row, members in _grouped(rule, some):
                sent.append(Fired(rule, row, members, row[0], delivered))
        return sent

    def reaches(self, match: Match, to: str, time: int) -> bool:
        sender = to if match.place is None else str(match.place)
        return self.arrives(sender, to, time)


def _find(rule: CompiledRule, step: Step, alive: frozenset[str]) -> list[Match]:
    try:
        return rule.find(step, alive)
    except ZeroDivisionError:
        raise ProgramError(rule.rule.span, f"division by zero at tick {step.time}") from None
    except TypeError as failure:
        raise ProgramError(
            rule.rule.span, f"arithmetic on what is not a number, at tick {step.time}: {failure}"
        ) from None


_FUNCTIONS: dict[str, Callable[[Sequence[Any]], Any]] = {
    "count": lambda values: len(set(values)),
    "max": lambda values: max(values, key=order_key),
    "min": lambda values: min(values, key=order_key),
    "sum": sum,
    "avg": lambda values: fsum(values) / len(values),
}


def _grouped(
    rule: CompiledRule, matches: Sequence[Match]
) -> Iterable[tuple[Row, tuple[Match, ...]]]:
    groups: defaultdict[Row, list[Match]] = defaultdict(list)
    for match in matches:
        groups[match.head[0]].append(match)
    for group, members in groups.items():
        results = [
            _FUNCTIONS[aggregate.name]([member.head[1][place] for member in members])
            for place, aggregate in enumerate(rule.aggregates)
        ]
        plain, computed = iter(group), iter(results)
        row = tuple(
            next(computed) if isinstance(arg, ir.Aggregate) else next(plain)
            for arg in rule.rule.args
        )
        yield row, tuple(members)

"""Why a fact holds: the firings that made it, found in a finished run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from bloomish.runtime.sim.ldfi.code import head_of
from bloomish.runtime.sim.ldfi.forward import Fired, Run
from bloomish.runtime.sim.ldfi.joins import Match, Row


class Fact(NamedTuple):
    """A row of a collection at a tick."""

    collection: str
    row: Row
    time: int


class Firing(NamedTuple):
    """A rule that fired at tick `time`, and what it made."""

    fired: Fired
    time: int


class Lineage:
    """Firings by the fact they made; one tick is indexed when it is first asked for."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._made: dict[int, dict[tuple[str, Row], list[Firing]]] = {}

    def firings(self, fact: Fact) -> Sequence[Firing]:
        made = self._made.get(fact.time)
        if made is None:
            made = self._made[fact.time] = self._index(fact.time)
        return made.get((fact.collection, fact.row), ())

    def is_given(self, fact: Fact) -> bool:
        """A fact of the program, or a row of a provided relation."""
        return fact.row in self.run.steps[fact.time].given.get(fact.collection, ())

    def _index(self, time: int) -> dict[tuple[str, Row], list[Firing]]:
        made: dict[tuple[str, Row], list[Firing]] = defaultdict(list)
        for fired in self.run.steps[time].fired:
            if fired.rule.rule.op == "<=":
                made[fired.rule.rule.head, fired.row].append(Firing(fired, time))
        for fired in self.run.steps[time - 1].fired:
            if fired.rule.rule.op != "<=" and fired.delivered:
                made[head_of(fired.rule.rule), fired.row].append(Firing(fired, time - 1))
        return made


def subgoals(fired: Fired, match: Match, time: int) -> list[Fact]:
    """The body rows of a match, as facts."""
    return [
        Fact(atom.collection, row, time if atom.at is None else atom.at)
        for atom, row in zip(fired.rule.positive, match.rows, strict=True)
    ]


def critical(fired: Fired) -> list[list[Match]]:
    """Sets of matches, each of which must go wholly for the head row to change.

    A plain rule: its one match.  A count: for any of the counted values, all
    matches that bring it.  A sum: any match.  A maximum: all that bring it.
    """
    rule = fired.rule
    if not rule.aggregates:
        return [list(fired.members)]
    sets: list[list[Match]] = []
    results = iter(
        value
        for arg, value in zip(rule.rule.args, fired.row, strict=True)
        if arg in rule.aggregates
    )
    for place, aggregate in enumerate(rule.aggregates):
        result = next(results)
        if aggregate.name in ("sum", "avg"):
            sets += [[member] for member in fired.members]
            continue
        by_value: dict[object, list[Match]] = defaultdict(list)
        for member in fired.members:
            by_value[member.head[1][place]].append(member)
        if aggregate.name == "count":
            sets += by_value.values()
        else:
            sets.append(by_value[result])
    return sets

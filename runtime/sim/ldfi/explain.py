"""Why a goal failed: from the missed row back to the faults, by comparing two runs."""

from __future__ import annotations

from dataclasses import dataclass

from bloomish.runtime.sim.ldfi.binding import matching, of_match, pattern_of
from bloomish.runtime.sim.ldfi.forward import Fired, Run
from bloomish.runtime.sim.ldfi.joins import Match
from bloomish.runtime.sim.ldfi.lineage import Fact, Firing, Lineage, subgoals
from bloomish.runtime.sim.ldfi.text import show_fact, show_rule

_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the explanation; `depth` indents it below what it explains."""

    depth: int
    text: str


class Explanation:
    """What the good run had and the bad one lacks, and the other way round, to the leaves."""

    def __init__(self, good: Run, bad: Run) -> None:
        self.good = Lineage(good)
        self.bad = Lineage(bad)
        self.steps: list[Step] = []
        self._told: set[tuple[bool, Fact]] = set()

    def missing(self, fact: Fact, depth: int = 0) -> None:
        """The good run derived this fact; the bad one does not."""
        if not self._tell(True, fact, depth, f"no {show_fact(fact)}"):
            return
        for firing in self.good.firings(fact):
            if self._broken(firing, depth + 1):
                return

    def present(self, fact: Fact, depth: int) -> None:
        """The bad run derived this fact; the good one did not."""
        if not self._tell(False, fact, depth, f"but {show_fact(fact)}"):
            return
        for fired, time in self.bad.firings(fact):
            self._say(depth + 1, f"by {show_rule(fired.rule.rule)}")
            for match in fired.members:
                for goal in subgoals(fired, match, time):
                    if not _holds(self.good.run, goal):
                        self.present(goal, depth + 1)
                        return
                for absent in _denied(fired, match, time, self.good.run):
                    self.missing(absent, depth + 1)
                    return
            if fired.rule.aggregates:
                self._say(depth + 1, "its group differs from the run without faults")
            return

    def _broken(self, firing: Firing, depth: int) -> bool:
        fired, time = firing
        self._say(depth, f"needed by {show_rule(fired.rule.rule)}")
        for match in fired.members:
            for goal in subgoals(fired, match, time):
                if not _holds(self.bad.run, goal):
                    self.missing(goal, depth)
                    return True
            for row in _denied(fired, match, time, self.bad.run):
                self.present(row, depth)
                return True
            if fired.to is not None and match.place is not None:
                if not self.bad.run.arrives(str(match.place), fired.to, time):
                    self._say(depth, f"lost: {match.place} to {fired.to} at {time}")
                    return True
        if fired.rule.aggregates:
            self._say(depth, "its group has other members")
            return True
        return False

    def _tell(self, missing: bool, fact: Fact, depth: int, text: str) -> bool:
        if (missing, fact) in self._told or len(self.steps) > _LONGEST:
            return False
        self._told.add((missing, fact))
        self._say(depth, text)
        return True

    def _say(self, depth: int, text: str) -> None:
        self.steps.append(Step(depth, text))


def _holds(run: Run, fact: Fact) -> bool:
    return fact.row in run.rows(fact.collection, fact.time)


def _denied(fired: Fired, match: Match, time: int, run: Run) -> list[Fact]:
    """Rows of the given run that the match's negated atoms deny."""
    binding = of_match(fired.rule, match)
    found = []
    for atom in fired.rule.negative:
        then = time if atom.at is None else atom.at
        for row in matching(run.steps[time], atom, pattern_of(atom, binding)):
            found.append(Fact(atom.collection, row, then))
    return found

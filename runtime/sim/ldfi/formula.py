"""A run's lineage as a formula over faults: what must fail for a goal to fail.

`falsified(fact)` is the conjunction over its firings of the disjunction over
what each needs: a body row falsified, its message lost or its sender crashed,
a denied row gained.  The condition is necessary, not sufficient: every model
is executed.  Clauses are one-sided (variable -> disjunction), which is all
that a monotone goal needs (Tseitin; Plaisted and Greenbaum 1986).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from pysat.card import CardEnc, EncType
from pysat.solvers import Solver

from bloomish import ir
from bloomish.readers.dedalus.checks import CLOCK
from bloomish.runtime.sim.ldfi.binding import Binding, of_head, of_match, pattern_of
from bloomish.runtime.sim.ldfi.faults import Bounds, Crash, Fault, Faults, Omission, crash_times
from bloomish.runtime.sim.ldfi.forward import Fired
from bloomish.runtime.sim.ldfi.gains import Gains, Rules
from bloomish.runtime.sim.ldfi.joins import Match, Row
from bloomish.runtime.sim.ldfi.lineage import Fact, Lineage, critical, subgoals
from bloomish.runtime.sim.ldfi.needs import Needs

Lit = int | None  # None: cannot be


class Formula:
    """The clauses for some goals of one run.  Faults of the run itself are no variables."""

    def __init__(
        self,
        lineage: Lineage,
        rules: Rules,
        bounds: Bounds,
        times: Mapping[str, Sequence[int]],
    ) -> None:
        """`times`: per node, the ticks at which a crash makes a difference."""
        self.lineage = lineage
        self.bounds = bounds
        self.gains = Gains(self, rules)
        self.clauses: list[list[int]] = []
        self.variables: dict[Fault, int] = {}
        self._names: dict[object, int] = {}
        self._pending: list[tuple[int, Callable[[], Iterable[Iterable[Lit]]]]] = []
        self._goals: list[tuple[int, Needs]] = []
        self._top = 0
        crashed = crash_times(lineage.run.faults)
        self.budget = bounds.crashes - len(crashed)
        self.times = {
            node: () if node in crashed or self.budget <= 0 else tuple(times[node])
            for node in bounds.nodes
        }

    # ------------------------------------------------------------------ goals

    def missed(self, post: Fact, needs: Needs) -> Lit:
        """`post` does not hold though what `pre` needs does."""
        falsified = self.falsified(post)
        if falsified is None or post in needs.facts:
            return None
        return self._goal(falsified, needs)

    def excuse_lost(self, pre: Fact) -> Lit:
        """`pre`, which does not hold, comes to hold."""
        gained = self.gains.gained(pre.collection, pre.row, pre.time)
        return None if gained is None else self._goal(gained, Needs())

    def _goal(self, comes_about: int, needs: Needs) -> int:
        self._goals.append((goal := self.fresh(), needs))
        self.clauses.append([-goal, comes_about])
        return goal

    def write(self) -> None:
        """Writes the clauses of all that has been asked for."""
        while self._pending:
            variable, parts = self._pending.pop()
            for part in parts():
                literals = [literal for literal in part if literal is not None]
                self.clauses.append([-variable, *dict.fromkeys(literals)])
        for goal, needs in self._goals:
            names = sorted(self._names[fact] for fact in needs.facts if fact in self._names)
            crashes = [
                variable
                for fault, variable in self.variables.items()
                if isinstance(fault, Crash) and fault.node in needs.up
            ]
            self.clauses += [[-goal, -variable] for variable in (*names, *crashes)]

    def falsified(self, fact: Fact) -> Lit:
        """The fact does not hold."""
        if fact.collection == CLOCK and self.lineage.is_given(fact):
            sender, receiver, time = fact.row[0], fact.row[1], fact.row[2]
            return self.disjunction(("clock", fact.row), lambda: self.link(sender, receiver, time))
        if self.lineage.is_given(fact):
            return None
        return self.define(
            fact, lambda: (self.broken(one.fired, one.time) for one in self.lineage.firings(fact))
        )

    # ------------------------------------------------------- parts of a firing

    def broken(self, fired: Fired, time: int) -> Iterator[Lit]:
        """The firing does not happen, or (under an aggregate) makes another row."""
        for matches in critical(fired):
            if len(matches) == 1:
                yield from self.unmatched(fired, matches[0], time)
            else:
                yield self.all_unmatched(fired, matches, time)
        if fired.rule.aggregates:
            yield from self.gains.member(fired.rule, _group(fired), time)

    def all_unmatched(self, fired: Fired, matches: Sequence[Match], time: int) -> Lit:
        key = (id(fired), tuple(match.rows for match in matches))
        return self.define(key, lambda: (self.unmatched(fired, match, time) for match in matches))

    def unmatched(self, fired: Fired, match: Match, time: int) -> Iterator[Lit]:
        """What one match needs, failing."""
        for fact in subgoals(fired, match, time):
            yield self.falsified(fact)
        if fired.rule.negative:
            binding = of_match(fired.rule, match)
            for atom in fired.rule.negative:
                pattern = pattern_of(atom, binding)
                yield self.gains.gained(atom.collection, pattern, _then(atom, time))
        if fired.to is not None:
            yield from self.link(fired.to if match.place is None else match.place, fired.to, time)
        if self.bounds.mode == "frozen" and match.place is not None:
            yield from self.crash(match.place, time)

    def link(self, sender: object, receiver: object, time: int) -> Iterator[Lit]:
        """The message is lost, its sender has crashed (its receiver, if crashes freeze)."""
        if sender == receiver:
            return
        if 1 <= time < self.bounds.eff:
            yield self.fault(Omission(str(sender), str(receiver), time))
        yield from self.crash(sender, time)
        if self.bounds.mode == "frozen":
            yield from self.crash(receiver, time + 1)

    def crash(self, node: object, until: int | None = None) -> Iterator[Lit]:
        """The node (None: any) crashes, at `until` or before."""
        for name in self.bounds.nodes if node is None else (str(node),):
            for time in self.times.get(name, ()):
                if until is None or time <= until:
                    yield self.fault(Crash(name, time))

    # -------------------------------------------------------------- variables

    def fault(self, fault: Fault) -> int:
        if fault not in self.variables:
            self.variables[fault] = self.fresh()
        return self.variables[fault]

    def fresh(self) -> int:
        self._top += 1
        return self._top

    def disjunction(self, key: object, parts: Callable[[], Iterable[Lit]]) -> int:
        return self.define(key, lambda: (parts(),))

    def define(self, key: object, parts: Callable[[], Iterable[Iterable[Lit]]]) -> int:
        """A variable that implies each of the disjunctions; written when its turn comes."""
        variable = self._names.get(key)
        if variable is None:
            variable = self._names[key] = self.fresh()
            self._pending.append((variable, parts))
        return variable

    # ----------------------------------------------------------------- models

    def minimal_models(self, goals: Sequence[tuple[Row, int]]) -> Iterator[tuple[Row, Faults]]:
        """Minimal sets of further faults under which a goal may fail, goal by goal."""
        faults = {variable: fault for fault, variable in self.variables.items()}
        if not faults:
            return
        with Solver(name="g4", bootstrap_with=self.clauses) as solver:
            solver.add_clause(list(faults))
            self._limit_crashes(solver)
            solver.set_phases([-variable for variable in faults])
            for row, goal in goals:
                while solver.solve(assumptions=[goal]):
                    chosen = self._shrink(solver, goal, _true(solver, faults), faults)
                    yield row, frozenset(faults[variable] for variable in chosen)
                    solver.add_clause([-goal, *(-variable for variable in chosen)])

    def _limit_crashes(self, solver: Solver) -> None:
        """A node crashes once; at most `budget` nodes do.

        Auxiliary variables are numbered from `_top`: all fault variables exist
        by now, or an encoding would silently share their numbers.
        """
        crashes = {fault: v for fault, v in self.variables.items() if isinstance(fault, Crash)}
        for node in self.bounds.nodes:
            own = [variable for fault, variable in crashes.items() if fault.node == node]
            for place, one in enumerate(own):
                for other in own[:place]:
                    solver.add_clause([-one, -other])
        if crashes:
            limit = CardEnc.atmost(
                list(crashes.values()),
                bound=self.budget,
                top_id=self._top,
                encoding=EncType.seqcounter,
            )
            for clause in limit.clauses:
                solver.add_clause(clause)

    @staticmethod
    def _shrink(
        solver: Solver, goal: int, chosen: set[int], faults: Mapping[int, Fault]
    ) -> set[int]:
        """Drops faults one by one as long as a model remains within the rest."""
        for variable in sorted(chosen):
            if variable in chosen and len(chosen) > 1:
                rest = chosen - {variable}
                absent = [-other for other in faults if other not in rest]
                if solver.solve(assumptions=[goal, *absent]):
                    chosen = _true(solver, faults)
        return chosen


def _then(atom: ir.Atom, time: int) -> int:
    return time if atom.at is None else atom.at


def _group(fired: Fired) -> Binding:
    """The variables that an aggregate's group determines."""
    return of_head(fired.rule, fired.row) or {}


def _true(solver: Solver, faults: Mapping[int, Fault]) -> set[int]:
    model = solver.get_model() or []
    return {literal for literal in model if literal > 0 and literal in faults}

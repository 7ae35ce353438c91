"""The loop: run, ask the formula for minimal fault sets, run those.

First in, first out.  A fault set that was to falsify a goal and leaves it
standing is extended by what falsifies that goal in the run under it; goals do
not multiply each other's fault sets.  The search ends with a run that violates
the specification, or with no fault set left to try.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from bloomish import ir
from bloomish.order import order_key
from bloomish.runtime.sim.ldfi.code import Code, make_code
from bloomish.runtime.sim.ldfi.faults import (
    NO_FAULTS,
    Bounds,
    Crash,
    Faults,
    crash_times,
    in_order,
    without_subsumed,
)
from bloomish.runtime.sim.ldfi.formula import Formula
from bloomish.runtime.sim.ldfi.forward import Run, forward
from bloomish.runtime.sim.ldfi.gains import Rules
from bloomish.runtime.sim.ldfi.joins import Row
from bloomish.runtime.sim.ldfi.lineage import Fact, Lineage
from bloomish.runtime.sim.ldfi.needs import Necessity
from bloomish.runtime.sim.ldfi.symmetry import canonical, renamings
from bloomish.runtime.sim.ldfi.verdict import POST, PRE, check_specification, vacuous, violations


@dataclass(frozen=True, slots=True)
class Counterexample:
    """A run that violates the specification; no fault can be left out of it."""

    faults: Faults
    missed: tuple[Row, ...]
    run: Run


@dataclass
class Verdict:
    """`counterexample` None: certified within the bounds (with `complete`)."""

    bounds: Bounds
    good: Run
    goals: tuple[Row, ...]
    counterexample: Counterexample | None = None
    runs: int = 0
    hypotheses: int = 0
    complete: bool = True
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Hypothesis:
    """Faults that may falsify a goal.

    `since`: per crashed node, the last tick at which it was known to send
    before its crash; a crash anywhere in between was taken to be the same.
    """

    faults: Faults
    goal: Row
    since: tuple[tuple[str, int], ...] = ()


class Attack:
    """One program under attack within bounds."""

    def __init__(self, program: ir.Program, bounds: Bounds, limit: int | None = None) -> None:
        check_specification(program)
        self.code: Code = make_code(program)
        self.bounds = bounds
        self.limit = limit
        self.rules = Rules(self.code)
        self.good = forward(self.code, bounds)
        goals = sorted(self.good.rows(POST, bounds.eot), key=order_key)
        self.verdict = Verdict(bounds, self.good, tuple(goals), runs=1)
        if why := vacuous(goals, self.good.rows(PRE, bounds.eot)):
            self.warn(why)

    def warn(self, message: str) -> None:
        self.verdict.warnings.append(message)

    def run(self, faults: Faults) -> Run:
        self.verdict.runs += 1
        return forward(self.code, self.bounds, faults, self.good)

    # ------------------------------------------------------------ lineage-driven

    def search(self) -> Verdict:
        """Counterexample or certificate."""
        representative = canonical(renamings(self.code, self.bounds))
        run_already = {NO_FAULTS}
        asked: set[tuple[Faults, Row]] = set()
        queue: dict[Faults, list[_Hypothesis]] = {
            NO_FAULTS: [_Hypothesis(NO_FAULTS, goal) for goal in self.verdict.goals]
        }
        while queue:
            faults = next(iter(queue))
            waiting = queue.pop(faults)
            run = forward(self.code, self.bounds, faults, self.good)
            for one in self.extensions(run, waiting):
                more = without_subsumed(one.faults, self.bounds.mode)
                question = representative(more, one.goal)
                if question in asked:
                    continue
                asked.add(question)
                if question[0] not in run_already:
                    run_already.add(question[0])
                    if self.is_spent() or self.violates(more):
                        return self.verdict
                queue.setdefault(more, []).append(replace(one, faults=more))
        return self.verdict

    def is_spent(self) -> bool:
        """Has the limit of runs been reached?"""
        if self.limit is None or self.verdict.runs < self.limit:
            return False
        self.verdict.complete = False
        self.warn(f"stopped after {self.limit} runs: not every fault set was tried")
        return True

    def violates(self, faults: Faults) -> bool:
        """Runs a fault set; a violation becomes the counterexample."""
        self.verdict.hypotheses += 1
        run = self.run(faults)
        missed = violations(run, self.verdict.goals, self.bounds.eot)
        if missed:
            self.verdict.counterexample = self.shrink(faults, run, missed)
        return bool(missed)

    def extensions(self, run: Run, waiting: Sequence[_Hypothesis]) -> Iterator[_Hypothesis]:
        """Fault sets to try next, given a run that is good, for the goals that were
        to fail in it."""
        for one in waiting:
            yield from self.variants(run, one)
        post, pre = run.rows(POST, self.bounds.eot), run.rows(PRE, self.bounds.eot)
        times = self.crash_ticks(run)
        lineage = Lineage(run)
        formula = Formula(lineage, self.rules, self.bounds, times)
        necessity = Necessity(lineage, self.rules)
        goals: list[tuple[Row, int]] = []
        since: dict[Row, tuple[tuple[str, int], ...]] = {}
        for one in waiting:
            wanted, excuse = (Fact(name, one.goal, self.bounds.eot) for name in (POST, PRE))
            goal = None
            if one.goal in post:
                goal = formula.missed(wanted, necessity.of(excuse))
            elif one.goal not in pre:  # missed, but excused: until `pre` holds it again
                goal = formula.excuse_lost(excuse)
            if goal is not None and one.goal not in since:
                goals.append((one.goal, goal))
                since[one.goal] = one.since
        formula.write()
        for row, more in formula.minimal_models(goals):
            crashed = tuple(
                (fault.node, max((t for t in times[fault.node] if t < fault.time), default=0))
                for fault in in_order(more)
                if isinstance(fault, Crash)
            )
            yield _Hypothesis(run.faults | more, row, since[row] + crashed)

    def variants(self, run: Run, hypothesis: _Hypothesis) -> Iterator[_Hypothesis]:
        """Under these faults a crashed node may send before its crash where it did
        not when the crash was chosen; then an earlier crash is another hypothesis."""
        crashed = crash_times(run.faults)
        sends = send_ticks(run)
        for node, since in hypothesis.since:
            for time in sends.get(node, ()):
                if since < time < crashed[node]:
                    faults = run.faults - {Crash(node, crashed[node])} | {Crash(node, time)}
                    yield replace(hypothesis, faults=faults)

    def crash_ticks(self, run: Run) -> dict[str, Sequence[int]]:
        """Per node, one tick of each set of ticks at which a crash has the same effect.

        A zombie's crash takes effect when it would next send; the last tick
        stands for all that follow its last message.
        """
        every = range(1, self.bounds.eot + 1)
        if self.bounds.mode == "frozen" or self.code.reads_crash_time or self.code.reads_clock:
            return dict.fromkeys(self.bounds.nodes, every)
        sends = send_ticks(run)
        last = self.bounds.eot
        return {node: sorted({*sends.get(node, ()), last}) for node in self.bounds.nodes}

    # ---------------------------------------------------------------- outcomes

    def shrink(self, faults: Faults, run: Run, missed: Sequence[Row]) -> Counterexample:
        """Leaves out every fault that the violation does not need."""
        for fault in reversed(in_order(faults)):
            fewer = faults - {fault}
            attempt = self.run(fewer)
            rows = violations(attempt, self.verdict.goals, self.bounds.eot)
            if rows:
                faults, run, missed = fewer, attempt, rows
        return Counterexample(faults, tuple(missed), run)


def send_ticks(run: Run) -> dict[str, list[int]]:
    """Per node, the ticks at which it sends (or would, if it were up) to another."""
    found: dict[str, set[int]] = {}
    for step in run.steps:
        for fired in step.fired:
            if fired.to is not None:
                for match in fired.members:
                    if match.place is not None and match.place != fired.to:
                        found.setdefault(str(match.place), set()).add(step.time)
    return {node: sorted(times) for node, times in found.items()}

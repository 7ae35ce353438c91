"""The loop: run, ask the formula for minimal fault sets, run those.

First in, first out.  A fault set that leaves every goal standing is extended
by what falsifies a goal of the run under it.  The search ends with a run that
violates the specification, or with no fault set left to try.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

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
from bloomish.runtime.sim.ldfi.formula import Formula, Lit
from bloomish.runtime.sim.ldfi.forward import Run, forward
from bloomish.runtime.sim.ldfi.gains import Rules
from bloomish.runtime.sim.ldfi.joins import Row
from bloomish.runtime.sim.ldfi.lineage import Fact, Lineage
from bloomish.runtime.sim.ldfi.needs import Necessity
from bloomish.runtime.sim.ldfi.symmetry import canonical, renamings
from bloomish.runtime.sim.ldfi.verdict import POST, PRE, check_specification, violations


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
    """`since`: per crashed node, the last tick at which it was known to send
    before its crash; a crash anywhere in between was taken to be the same."""

    faults: Faults
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
        if not goals:
            self.warn("`post` is empty at the end of the run without faults: nothing is certified")
        elif not any(goal in self.good.rows(PRE, bounds.eot) for goal in goals):
            self.warn("`pre` holds no row of `post` in the run without faults")

    def warn(self, message: str) -> None:
        self.verdict.warnings.append(message)

    def run(self, faults: Faults) -> Run:
        self.verdict.runs += 1
        return forward(self.code, self.bounds, faults, self.good)

    # ------------------------------------------------------------ lineage-driven

    def search(self) -> Verdict:
        """Counterexample or certificate."""
        representative = canonical(renamings(self.code, self.bounds))
        seen = {NO_FAULTS}
        queue: deque[_Hypothesis] = deque()
        pending = self.extensions(self.good, _Hypothesis(NO_FAULTS))
        while True:
            for hypothesis in pending:
                faults = without_subsumed(hypothesis.faults, self.bounds.mode)
                name = representative(faults)
                if name in seen:
                    continue
                if self.limit is not None and self.verdict.runs >= self.limit:
                    self.verdict.complete = False
                    self.warn(f"stopped after {self.limit} runs: not every fault set was tried")
                    return self.verdict
                seen.add(name)
                self.verdict.hypotheses += 1
                run = self.run(faults)
                missed = violations(run, self.verdict.goals, self.bounds.eot)
                if missed:
                    self.verdict.counterexample = self.shrink(faults, run, missed)
                    return self.verdict
                queue.append(_Hypothesis(faults, hypothesis.since))
            if not queue:
                return self.verdict
            current = queue.popleft()
            run = forward(self.code, self.bounds, current.faults, self.good)
            pending = self.extensions(run, current)

    def extensions(self, run: Run, hypothesis: _Hypothesis) -> Iterator[_Hypothesis]:
        """Fault sets to try next, given a run that is good."""
        yield from self.variants(run, hypothesis)
        post, pre = run.rows(POST, self.bounds.eot), run.rows(PRE, self.bounds.eot)
        times = self.crash_ticks(run)
        lineage = Lineage(run)
        formula = Formula(lineage, self.rules, self.bounds, times)
        necessity = Necessity(lineage, self.rules)
        goals: list[Lit] = []
        for row in self.verdict.goals:
            if row in post:
                needs = necessity.of(Fact(PRE, row, self.bounds.eot))
                goals.append(formula.missed(Fact(POST, row, self.bounds.eot), needs))
            elif row not in pre:  # missed, but excused: until `pre` holds it again
                goals.append(formula.gains.gained(PRE, row, self.bounds.eot))
        if not formula.require(goals):
            return
        for more in formula.minimal_models():
            since = hypothesis.since + tuple(
                (fault.node, max((t for t in times[fault.node] if t < fault.time), default=0))
                for fault in in_order(more)
                if isinstance(fault, Crash)
            )
            yield _Hypothesis(run.faults | more, since)

    def variants(self, run: Run, hypothesis: _Hypothesis) -> Iterator[_Hypothesis]:
        """Under these faults a crashed node may send before its crash where it did
        not when the crash was chosen; then an earlier crash is another hypothesis."""
        crashed = crash_times(run.faults)
        sends = send_ticks(run)
        for node, since in hypothesis.since:
            for time in sends.get(node, ()):
                if since < time < crashed[node]:
                    faults = run.faults - {Crash(node, crashed[node])} | {Crash(node, time)}
                    yield _Hypothesis(faults, hypothesis.since)

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

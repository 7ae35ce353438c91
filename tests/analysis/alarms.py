"""How often the analyzer cries wolf: programs that are flagged though no schedule differs.

A program counts as confluent if, for several sets of arrivals, all explored
schedules (ordered partitions, duplicates, empty ticks) end in one outcome.
That is generous to it: arrivals that were not tried may tell schedules apart,
so the share of false alarms is an upper bound.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from bloomish import ir
from bloomish.analysis.checking import analyse
from bloomish.analysis.inference import Inference
from bloomish.analysis.result import Report
from bloomish.externals import Externals
from tests.analysis.mutants import NODES, arrivals, mutant
from tests.analysis.schedules import NODE, Judge, Run, disturbed, partitions, run

CEILING = 0.28
"""The share may fall below this and must not rise above."""
ROLES = ("node", "agent", "voter", "boss", "replica")
ROSTERS: dict[str, tuple[str, ...]] = dict.fromkeys(ROLES, NODES)
SAMPLE = 400
"""How many programs the benchmark and the test look at: the same ones, so that shares compare."""
SETS, SCHEDULES = 12, 5


@dataclass(frozen=True)
class Alarms:
    """Of so many confluent programs so many are flagged; `wrong` are their seeds."""

    confluent: int
    wrong: tuple[int, ...]
    ceiling: float = CEILING

    @property
    def flagged(self) -> int:
        return len(self.wrong)

    @property
    def share(self) -> float:
        return self.flagged / self.confluent if self.confluent else 0.0


def false_alarms(programs: int, first: int = 0) -> Alarms:
    """Counts them over the mutants of so many seeds."""
    confluent, wrong = 0, []
    for seed in range(first, first + programs):
        program = mutant(seed)
        inference, report = analyse(program)
        if not report.verdicts or not is_confluent(program, inference, report, seed):
            continue
        confluent += 1
        if report.needs_coordination:
            wrong.append(seed)
    return Alarms(confluent, tuple(wrong))


def is_confluent(program: ir.Program, inference: Inference, report: Report, seed: int) -> bool:
    """Whether all schedules tried end in one outcome; False for what fails or never rests."""
    judge = Judge(inference, program, Externals())
    rng = random.Random(seed)
    something = False
    for _ in range(SETS):
        rows = arrivals(program, inference.system.external, rng)
        outcomes = []
        for done in _runs(program, rows, rng):
            if done.failed or not done.quiet:
                return False
            outcomes.append(_outcome(judge, done, report))
            something |= any(outcomes[-1].values())
        if any(outcome != outcomes[0] for outcome in outcomes):
            return False
    return something


def _runs(program: ir.Program, rows: list[tuple[str, tuple[object, ...]]], rng: random.Random) \
        -> Iterator[Run]:  # fmt: skip
    schedules = list(partitions(rows))
    rng.shuffle(schedules)
    for schedule in schedules[:SCHEDULES]:
        yield run(program, Externals(), schedule, rng, ROSTERS)
        yield run(program, Externals(), disturbed(schedule, rng), rng, ROSTERS)


def _outcome(judge: Judge, done: Run, report: Report) -> dict[str, object]:
    """Per verdict: what was ever handed out or sent, or what a table or view ends as."""
    found: dict[str, object] = {}
    for verdict in report.verdicts:
        name = verdict.collection
        if verdict.kind == "channel":
            found[name] = judge.merged(name, done.sent.get(name, set()))
        elif verdict.kind == "output":
            ever = (row for contents in done.contents for row in contents[NODE, name])
            found[name] = judge.merged(name, ever)
        else:
            found[name] = done.contents[-1][NODE, name]
    return found

"""Modes are promises, and the reference evaluator is the judge.

Random programs and mutants of the micro-programs run under many schedules of
the same arrivals (ordered partitions into ticks, duplicates, empty ticks), and
every collection must keep what its mode promises: Grow never shrinks and ends
the same, Event is the same in sum, Part is part of what full knowledge gives,
Flux ends the same.  What a verdict says follows from these.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from bloomish import ir
from bloomish.analysis.graph import System
from bloomish.analysis.inference import Inference, infer
from bloomish.externals import Externals
from bloomish.runtime.evaluator import Row
from tests.analysis.alarms import CEILING, ROSTERS, SAMPLE, false_alarms
from tests.analysis.mutants import NODES, arrivals, mutant
from tests.analysis.schedules import NODE, Judge, Run, disturbed, partitions, run
from tests.runtime.randomprograms import Features, cases

SCHEDULES = 8


def verify(
    program: ir.Program,
    rows: Sequence[tuple[str, Row]],
    seed: int = 0,
    externals: Externals | None = None,
    rosters: dict[str, tuple[str, ...]] | None = None,
    schedules: int = SCHEDULES,
    nodes: Sequence[str] = (NODE,),
) -> str:
    """Fails if some schedule breaks a promise.  "kept", or why the runs prove nothing."""
    inference = infer(System(program))
    externals, rosters = externals or Externals(), rosters or ROSTERS
    rng = random.Random(seed)
    ordered = list(partitions(rows))
    rng.shuffle(ordered)
    runs: list[Run] = []
    for schedule in ordered[:schedules]:
        for one in (schedule, disturbed(schedule, rng)):
            done = run(program, externals, one, rng, rosters, nodes=nodes)
            if done.failed is not None:
                assert _is_known_to_fail(inference, done), done.failed
                return "a tick fails, as flagged"
            if not done.quiet:
                return "never at rest"
            runs.append(done)
    full = run(program, externals, [list(rows)] * 4, rng, rosters, True, nodes)
    if full.failed is not None or not full.quiet:
        return "never at rest"
    broken = Judge(inference, program, externals).broken(runs, full)
    assert not broken, broken
    return "kept"


def _is_known_to_fail(inference: Inference, done: Run) -> bool:
    """A key conflict sets rows aside: it must be flagged, or be the program's own at any rate
    (without arrivals, among local rows, or in a log that a protocol vouches for)."""
    assert done.failed is not None
    system, logs = inference.system, inference.known.lineage.logs
    where = {name for name, _ in done.failed.rows}
    if not done.contents or any(name not in system.asynchronous for name in where) or where & logs:
        return True
    kinds = {f.kind.value for c in inference.conclusions for f in c.findings}
    return bool(kinds & {"key race", "overwrite"})


def from_outside(program: ir.Program, given: list[tuple[str, Row]]) -> list[tuple[str, Row]]:
    """Up to three arrivals that the outside may send: one per key where there is a key."""
    external = System(program).external
    declared = {c.name: c for c in program.collections}
    found: dict[tuple[str, Row], tuple[str, Row]] = {}
    for name, row in given:
        if name in external:
            keys = tuple(v for v, c in zip(row, declared[name].columns, strict=True) if c.key)
            found.setdefault((name, keys or row), (name, row))
    return list(found.values())[:3]


COMMON = settings(
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


@COMMON
@given(st.integers(0, 1 << 40))
def test_mutants_of_the_micro_programs_keep_their_promises(seed: int) -> None:
    program = mutant(seed)
    rows = arrivals(program, System(program).external, random.Random(seed))
    _conclude(verify(program, rows, seed))


@COMMON
@given(st.integers(0, 1 << 40))
def test_mutants_on_two_nodes_keep_their_promises(seed: int) -> None:
    program = mutant(seed)
    rows = arrivals(program, System(program).external, random.Random(seed), NODES)
    _conclude(verify(program, rows, seed, schedules=5, nodes=NODES))


@COMMON
@given(cases(Features(failures=False, durable=False, chance=False)), st.integers(0, 1 << 20))
def test_random_programs_keep_their_promises(case: object, seed: int) -> None:
    from tests.runtime.randomprograms import Case

    assert isinstance(case, Case)
    given_rows = [(name, row) for step in case.steps for name, rows in step.rows for row in rows]
    rows = from_outside(case.program, given_rows)
    _conclude(verify(case.program, rows, seed, case.externals, dict(case.rosters), 5))


def _conclude(found: str) -> None:
    event(found)
    assume(found == "kept")


@pytest.mark.parametrize("seed", range(40))
def test_the_micro_programs_themselves(seed: int) -> None:
    from tests.programs.micro.expected import EXPECTED

    program = EXPECTED[seed % len(EXPECTED)].program.ir
    rows = arrivals(program, System(program).external, random.Random(seed))
    verify(program, rows, seed)


@pytest.mark.slow
def test_false_alarms_do_not_rise() -> None:
    found = false_alarms(SAMPLE)
    assert found.confluent > 100
    assert found.share <= CEILING

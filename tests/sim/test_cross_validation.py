"""Verdicts against executions: `check` and the explorer agree on the micro-programs, both ways."""

from __future__ import annotations

import pytest

from bloomish.elaborate import compiled
from bloomish.runtime.sim.explore.space import Limits
from bloomish.runtime.sim.explore.witness import Searched, witness
from bloomish.runtime.sim.stage import stage_of_target
from bloomish.targets import Target
from tests.programs.micro.expected import EXPECTED, FLAGGED, Expected

UNCONFIRMED = {
    "M25": "the first tick, which takes nothing, finds all but the root unreachable",
    "M40batch": "the log is kept, so the latest slot wins in the end whatever the batches",
}


def explored(expected: Expected, reduce: bool) -> Searched:
    program = compiled(expected.program)
    target = Target(expected.name, (program,))
    limits = Limits(states=3_000, reduce=reduce)
    searched = witness(stage_of_target(target), [expected.collection], limits)
    sends = any(rule.op == "<~" for rule in program.program.rules)
    if searched.witness is None and sends:
        pair = stage_of_target(target, ("node-0", "node-1"))
        searched = witness(pair, [expected.collection], limits)
    return searched


@pytest.mark.parametrize(
    "expected", [e for e in EXPECTED if e.word == FLAGGED], ids=lambda expected: expected.name
)
def test_what_needs_coordination_has_two_schedules_that_end_differently(
    expected: Expected,
) -> None:
    searched = explored(expected, reduce=True)
    if expected.name in UNCONFIRMED:
        assert searched.witness is None
    else:
        assert searched.witness is not None
        assert expected.collection in {one.collection for one in searched.witness.differences}


@pytest.mark.parametrize(
    "expected",
    [e for e in EXPECTED if e.word not in (FLAGGED, "snapshot")],
    ids=lambda expected: expected.name,
)
def test_what_needs_none_survives_the_unreduced_exploration(expected: Expected) -> None:
    searched = explored(expected, reduce=False)
    assert searched.witness is None and searched.states > 5

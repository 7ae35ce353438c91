"""Of every micro-program, alone or on three nodes: it is settled, or the plan says why not."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType

import pytest

from bloomish import Cluster, Program
from bloomish.analysis.coordinate import coordinate
from bloomish.runtime.sim.explore.outcomes import by_decided_log, outcomes
from bloomish.runtime.sim.explore.space import Limits, explore
from bloomish.runtime.sim.stage import stage_of_target
from bloomish.runtime.sim.workload import systematic
from bloomish.targets import Target
from tests.programs.micro import asking, growing, racing, sealed, shapes, unsettled

GIVEN_UP = {"M25", "M40batch", "two_channels"}
"""Nobody known sends what would have to be sealed; a log is read by the batch; a question goes
round by way of two channels."""


def targets(module: ModuleType) -> Iterator[tuple[str, object]]:
    """Clusters, and programs that stand alone."""
    for name, value in vars(module).items():
        own = isinstance(value, type) and value.__module__ == module.__name__
        if isinstance(value, Cluster) or (own and issubclass(value, Program)):
            yield name, value


TARGETS = {
    name: target
    for module in (asking, growing, racing, sealed, shapes, unsettled)
    for name, target in targets(module)
}


@pytest.mark.parametrize("nodes", [1, 3])
@pytest.mark.parametrize("name", TARGETS)
def test_it_is_settled_or_the_plan_says_why_not(name: str, nodes: int) -> None:
    made = coordinate(TARGETS[name], nodes=nodes)  # type: ignore[arg-type]
    open_rules = {point.rule for point in made.after.unguarded}
    assert {refusal.rule for refusal in made.plan.refusals} == open_rules
    assert made.after.status == (name in GIVEN_UP)


def test_what_no_seal_can_answer_beside_others_goes_through_one_log() -> None:
    """One rule asks for a ballot's votes, and another for all votes on that answer."""
    made = coordinate(asking.polls)
    (insertion,) = made.plan.insertions
    assert insertion.mechanism == "local order"
    assert insertion.entries == ("Polls.vote",)


def test_no_log_is_put_before_what_belongs_to_a_seal() -> None:
    made = coordinate(asking.polls, "seal")
    assert [one.mechanism for one in made.plan.insertions] == ["seal"]
    again = coordinate(Target("sealed", (), made.deployed))
    (refusal,) = again.plan.refusals
    assert not again.plan.insertions
    assert "and that belongs to a protocol with an order of its own" in refusal.why


EXPLORED = [
    (name, nodes)
    for name, target in TARGETS.items()
    for nodes in ((1,) if isinstance(target, Cluster) else (1, 2))
    if name not in GIVEN_UP and name != "vouched"  # made-up rows are not as it vouches
]


@pytest.mark.parametrize(("name", "nodes"), EXPLORED)
def test_schedules_that_decide_alike_end_alike(name: str, nodes: int) -> None:
    """With two rows for every input, in as many schedules as fit."""
    made = coordinate(TARGETS[name], nodes=nodes, log="contract")  # type: ignore[arg-type]
    if not made.plan.insertions:
        assert made.before.status == 0
        return
    stage = stage_of_target(Target(name, (), made.deployed), ())
    space = explore(stage, systematic(stage, 2), Limits(states=3_000, duplicates=0))
    assert not space.violations
    groups = by_decided_log(space, outcomes(space))
    assert all(len(group) == 1 for group in groups.values())
    if all(one.mechanism in ("seal", "persist") for one in made.plan.insertions):
        assert len(groups) <= 1

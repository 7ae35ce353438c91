"""The insertion of tables: what meets by chance meets for certain, and nothing is sent for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from bloomish import (
    Address,
    Key,
    Max,
    Program,
    _,
    channel,
    count,
    input,
    output,
    scratch,
    sum_,
    table,
    variables,
)
from bloomish.analysis import check
from bloomish.analysis.checking import analyse
from bloomish.analysis.coordinate import Coordinated, coordinate, deployed_of
from bloomish.analysis.coordination.data import Insertion, Price
from bloomish.analysis.coordination.persist import persistable, persisted
from bloomish.cluster import CompiledCluster
from bloomish.elaborate import Compiled
from bloomish.runtime.sim.explore.outcomes import outcomes
from bloomish.runtime.sim.explore.space import Limits, explore
from bloomish.runtime.sim.stage import Stage, stage_of_target
from bloomish.runtime.sim.workload import systematic
from bloomish.show import printed
from bloomish.targets import Target, load
from tests.programs.micro import racing, unsettled

k, n, who, x, y, z = variables("k n who x y z")


class Viewed(Program):
    """The join is made in a view, which others read as it passes."""

    left = channel(to=Address, key=int, a=str)
    right = channel(to=Address, key=int, b=str)
    third = input(key=int, c=str)
    both = scratch(key=int, a=str, b=str)
    seen = output(key=int, a=str, b=str)
    all_three = table(key=int, a=str, b=str, c=str, durable=True)

    both(k, x, y) <= left(_, k, x) & right(_, k, y)
    seen(k, x, y) <= both(k, x, y)
    all_three(k, x, y, z) <= both(k, x, y) & third(k, z)


class Merged(Program):
    """A cell into which is merged what met by chance."""

    left = channel(to=Address, key=int, a=int)
    right = channel(to=Address, key=int)
    most = table(key=Key(int), a=Max(int))

    most(k, x) <= left(_, k, x) & right(_, k)


class Rivals(Program):
    """Stored, the rows of a key are still rivals."""

    left = channel(to=Address, key=int, a=str)
    right = channel(to=Address, key=int, b=str)
    both = table(key=Key(int), a=str, b=str)

    both(k, x, y) <= left(_, k, x) & right(_, k, y)


class Batch(Program):
    """Sums what a tick brings: over all that came it is a view."""

    item = channel(to=Address, key=int, value=int)
    total = scratch(key=Key(int), n=int)

    total(k, sum_(x)) <= item(_, k, x)


class Acting(Program):
    """Sums what a tick brings, and acts on it."""

    item = channel(to=Address, key=int, value=int)
    total = scratch(key=Key(int), n=int)
    told = output(key=int, n=int)

    total(k, count(x)) <= item(_, k, x)
    told(k, n) <= total(k, n)


def stage_for(made: Coordinated) -> Stage:
    deployed = made.deployed
    programs = tuple(
        Compiled(role.program, deployed.externals[role.name]) for role in deployed.deployment.roles
    )
    cluster = CompiledCluster(deployed.deployment, deployed.externals)
    return stage_of_target(Target("made", programs, cluster))


def ends(stage: Stage, collection: str) -> list[int]:
    """How many rows a collection may have in the end."""
    space = explore(stage, systematic(stage, 2), Limits())
    assert not space.bounded
    found = {rows for one in outcomes(space) for _, name, rows in one.content if name == collection}
    return sorted(map(len, found))


@pytest.mark.parametrize(
    ("program", "collection", "rows"),
    [
        (racing.M10, "both", 4),
        (unsettled.M37, "answers", 2),
        (Viewed, "all_three", 8),
        (Merged, "most", 1),
    ],
)
def test_the_join_is_clean_and_every_schedule_ends_alike(
    program: type[Program], collection: str, rows: int
) -> None:
    made = coordinate(program)
    assert made.before.status == 1
    assert made.after.status == 0
    assert [one.mechanism for one in made.plan.insertions] == ["persist"]
    assert made.plan.insertions[0].price.messages == 0
    assert ends(stage_for(made), collection) == [rows]


def test_the_plan_of_a_join() -> None:
    (insertion,) = coordinate(racing.M10).plan.insertions
    assert insertion == Insertion(
        "persist",
        "m10",
        ("P1",),
        ("both_1",),
        ("left", "right"),
        (),
        "left and right are kept in a table each: both_1 finds whatever came, in whatever order",
        Price(0.0, "nothing: what comes is kept", 0.0, "nothing"),
        ("kept.left_1", "kept.right_1"),
    )


def test_a_view_is_made_anew_for_the_rule_and_others_see_it_pass() -> None:
    made = coordinate(Viewed)
    (role,) = made.deployed.deployment.roles
    rules = {rule.name: rule for rule in role.program.rules}
    read = {
        name: {part.collection for part in rules[name].body}  # type: ignore[union-attr]
        for name in ("seen_1", "all_three_1", "kept.both_1")
    }
    assert read == {
        "seen_1": {"both"},
        "all_three_1": {"kept.both", "kept.third"},
        "kept.both_1": {"kept.left", "kept.right"},
    }
    kinds = {c.name: (c.kind, c.durable) for c in role.program.collections}
    assert kinds["kept.both"] == ("scratch", False)
    assert kinds["kept.left"] == kinds["kept.third"] == ("table", True)


def test_the_result_is_a_program(tmp_path: Path) -> None:
    for program in (racing.M10, Viewed, Merged):
        made = coordinate(program)
        path = tmp_path / f"{program.__name__}.py"
        path.write_text(printed(made.deployed.deployment))
        assert check(str(path)).status == 0
        (again,) = load(str(path)).programs
        (role,) = made.deployed.deployment.roles
        assert [r.body for r in again.program.rules] == [r.body for r in role.program.rules]


def test_rivals_stay_rivals_and_are_refused() -> None:
    deployed = deployed_of(Rivals)
    inference, report = analyse(deployed.deployment)
    (point,) = [p for p in report.points if p.kind == "unguarded join"]
    made = persisted(deployed, inference, report, [point])
    assert made.insertions == ()
    assert made.deployed == deployed
    (refusal,) = made.refusals
    assert refusal.why == (
        "stored, and still: rows of one key may differ in a, b: the first to come wins, the other "
        "is a conflict"
    )


def test_a_total_of_a_batch_is_a_view_of_all() -> None:
    deployed = deployed_of(Batch)
    inference, report = analyse(deployed.deployment)
    (point,) = report.points
    assert point.kind == "choice"
    assert persistable(inference, report, point) == ""
    made = persisted(deployed, inference, report, [point])
    assert [one.mechanism for one in made.insertions] == ["persist"]
    assert check(made.deployed.deployment).verdict("total").word == "eventual"


def test_it_is_the_cheapest_way() -> None:
    made = coordinate(Batch)
    assert [one.mechanism for one in made.plan.insertions] == ["persist"]
    assert made.after.status == 0


def test_not_where_it_is_acted_on() -> None:
    deployed = deployed_of(Acting)
    inference, report = analyse(deployed.deployment)
    point = next(p for p in report.points if p.kind == "choice")
    assert (
        persistable(inference, report, point) == "`told_1` acts for good on what may be taken back"
    )
    assert persisted(deployed, inference, report, [point]).insertions == ()


def test_others_are_refused() -> None:
    deployed = deployed_of(racing.M13)
    inference, report = analyse(deployed.deployment)
    (refusal,) = persisted(deployed, inference, report, report.points).refusals
    assert refusal.why == "it does not depend on what meets by chance"

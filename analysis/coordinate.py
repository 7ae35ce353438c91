"""Coordination inserted where the analysis asks for it, and the result analysed again.

    from bloomish.analysis.coordinate import coordinate

    made = coordinate("programs/cart.py:destructive")
    made.plan.insertions     # what was put in, where, at what price
    made.deployed            # an ordinary deployment
    made.after.status        # 0: nothing is flagged any more

Every pass (persist, seals, order, atomic commit) takes a deployment and the
points of order that are its own, and gives a deployment; they run in the order
of what they cost, each on a fresh analysis, until nothing is flagged or nothing
more can be done.  Source: ANALYSIS 4.6; Hellerstein and Alvaro, "Keeping CALM"
(CACM 2020).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from bloomish import ir
from bloomish.analysis.checking import Checkable, loaded
from bloomish.analysis.coordination.choose import FORCED, choose
from bloomish.analysis.coordination.commit import commits
from bloomish.analysis.coordination.data import (
    MECHANISMS,
    Inserted,
    Insertion,
    LogKind,
    Mechanism,
    Plan,
    Proposal,
    Refusal,
)
from bloomish.analysis.coordination.order import orders
from bloomish.analysis.coordination.persist import persisted
from bloomish.analysis.coordination.seal import seals
from bloomish.analysis.coordination.splice import without_idle
from bloomish.analysis.graph import System
from bloomish.analysis.inference import Inference, infer
from bloomish.analysis.result import Point, Report
from bloomish.analysis.verdict import conclude
from bloomish.cluster import CompiledCluster
from bloomish.errors import BloomishError
from bloomish.externals import Externals

Pass = Callable[[CompiledCluster, Inference, Report, Sequence[Point]], Inserted]


@dataclass(frozen=True, slots=True)
class Coordinated:
    """A target with its coordination, and what the analysis says before and after."""

    plan: Plan
    deployed: CompiledCluster
    before: Report
    after: Report


def coordinate(
    target: Checkable,
    mechanism: str = "",
    log: LogKind = "paxos",
    nodes: int = 1,
    shards: int = 1,
) -> Coordinated:
    """Put into a target the coordination that its points of order need.

    `mechanism` forces one ("paxos", "2pc", "seal").  `log` says who keeps a
    log of several nodes: see `LogKind`.  `shards`: so many logs, split by key, where the rules
    keep to one key.  A program that stands alone becomes a deployment
    of `nodes` nodes.  Raises BloomishError for a mechanism that there is not, and
    for a .ded program.
    """
    if mechanism and mechanism not in FORCED:
        known = ", ".join(FORCED)
        raise BloomishError(f"no mechanism is called {mechanism!r}; there are {known}")
    forced = FORCED[mechanism] if mechanism else None
    deployed = deployed_of(target, nodes)
    inference, before = _analyse(deployed)
    report = before
    insertions: list[Insertion] = []
    proposals: list[Proposal] = []
    refusals: dict[tuple[str, str], Refusal] = {}
    given_up: set[tuple[str, str]] = set()
    while points := [p for p in report.unguarded if (p.role, p.rule) not in given_up]:
        settled = choose(inference, report, points, forced)
        proposals += settled.proposals if not insertions and not refusals else []
        for refusal in settled.refusals:
            role = next(p.role for p in points if p.id == refusal.point)
            refusals[role, refusal.rule] = refusal
            given_up.add((role, refusal.rule))
        first = next((m for m in MECHANISMS if settled.points.get(_family(m))), None)
        if first is None:
            break
        mine = settled.points[_family(first)]
        made = _pass(_family(first), log, shards)(deployed, inference, report, mine)
        for refusal in made.refusals:
            role = next(p.role for p in mine if p.id == refusal.point)
            refusals[role, refusal.rule] = refusal
            given_up.add((role, refusal.rule))
        insertions += made.insertions
        if not made.insertions:
            given_up |= {(p.role, p.rule) for p in mine}
        deployed = without_idle(deployed, made.deployed)
        inference, report = _analyse(deployed)
    still = {(point.role, point.rule) for point in report.unguarded}  # what else was put in helped
    refused = tuple(refusal for at, refusal in refusals.items() if at in still)
    plan = Plan(before.name, tuple(insertions), refused, tuple(proposals))
    return Coordinated(plan, deployed, before, report)


def _family(mechanism: Mechanism) -> Mechanism:
    """A local order and consensus are one pass: the number of nodes tells them apart."""
    return "consensus" if mechanism == "local order" else mechanism


def _pass(mechanism: Mechanism, log: LogKind, shards: int) -> Pass:
    passes: dict[Mechanism, Pass] = {
        "persist": persisted,
        "seal": seals,
        "consensus": partial(orders, log=log, shards=shards),
        "atomic commit": commits,
    }
    return passes[mechanism]


def _analyse(deployed: CompiledCluster) -> tuple[Inference, Report]:
    inference = infer(System(deployed.deployment))
    sizes = {role.name: role.size for role in deployed.deployment.roles}
    return inference, conclude(inference, sizes)


def deployed_of(target: Checkable, nodes: int = 1) -> CompiledCluster:
    """Whatever names a program, as a deployment.

    A program that stands alone runs as one role, which all its rosters mean.
    """
    given = loaded(target)
    if isinstance(given.data, ir.Program) and given.data.notation == "dedalus":
        raise BloomishError(
            f"{given.data.name}: a .ded program says itself where every row is and when it moves; "
            "coordination is inserted into programs whose nodes run by themselves"
        )
    python = {program.name: externals or Externals() for program, externals in given.programs}
    if isinstance(given.data, ir.Deployment):
        data = given.data
        return CompiledCluster(data, {role.name: python[role.program.name] for role in data.roles})
    program = given.data
    name = program.name.lower()
    program = replace(
        program,
        collections=tuple(
            replace(c, role=name) if c.kind == "roster" else c for c in program.collections
        ),
    )
    deployment = ir.Deployment(name, (ir.Role(name, program, nodes),))
    return CompiledCluster(deployment, {name: python[given.data.name]})

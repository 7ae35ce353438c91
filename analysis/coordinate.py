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

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, field, replace
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
    start = _State(deployed, inference, before)
    passes = partial(_pass, log=log, shards=shards)
    made = _inserted(start, passes, forced, frozenset())
    coarse: frozenset[str] = frozenset()
    while made.coarse - coarse and forced in (None, "seal"):
        # What was sealed in finer parts than a later question can tell apart; but a stream that
        # ends in parts goes on, and one that ends as a whole does not.
        coarse |= made.coarse
        again = _inserted(start, partial(passes, coarse=coarse), forced, frozenset())
        if _unsealed(again) >= _unsealed(made) or _whole(again) > _whole(made):
            break
        made = again
    open_roles = {point.role for point in made.report.unguarded}
    if forced is None and any(
        one.mechanism == "seal" and one.role in open_roles for one in made.insertions
    ):
        # What a log delivers row by row needs no seal, and no log can be put before a seal.
        unsealed = _inserted(start, passes, None, open_roles)
        if len(unsealed.report.unguarded) < len(made.report.unguarded):
            made = unsealed
    plan = Plan(before.name, tuple(made.insertions), made.refused(), tuple(made.proposals))
    return Coordinated(plan, made.deployed, before, made.report)


@dataclass(slots=True)
class _State:
    """How far the insertion has come; refusals by (role, rule)."""

    deployed: CompiledCluster
    inference: Inference
    report: Report
    insertions: list[Insertion] = field(default_factory=list)
    proposals: list[Proposal] = field(default_factory=list)
    refusals: dict[tuple[str, str], Refusal] = field(default_factory=dict)
    coarse: frozenset[str] = frozenset()
    """Columns without which, in the parts of seals, more could be sealed."""

    def refused(self) -> tuple[Refusal, ...]:
        """Why each rule that is still flagged is; what else was put in has helped others."""
        first: dict[tuple[str, str], Point] = {}
        for point in self.report.unguarded:
            first.setdefault((point.role, point.rule), point)
        return tuple(self.refusals.get(at) or _without_effect(p) for at, p in first.items())


def _unsealed(state: _State) -> tuple[int, int]:
    """How many rules are flagged still, and how many are settled by more than a seal."""
    dearer = [
        len(one.rules) for one in state.insertions if one.mechanism not in ("persist", "seal")
    ]
    return len(state.report.unguarded), sum(dearer)


def _whole(state: _State) -> int:
    """How many seals say once that there is no more, and not part by part."""
    sealed = [one for one in state.insertions if one.mechanism == "seal" and one.entries]
    return sum(not one.gate for one in sealed)


def _without_effect(point: Point) -> Refusal:
    return Refusal(
        point.id, point.rule, point.span, f"what was put in does not settle it: {point.why}"
    )


def _inserted(
    start: _State,
    passes: Callable[[Mechanism], Pass],
    forced: Mechanism | None,
    unsealed: Set[str],
) -> _State:
    """Pass after pass; no seals at the roles `unsealed`."""
    state = _State(start.deployed, start.inference, start.report)
    given_up: set[tuple[str, str]] = set()
    while points := [p for p in state.report.unguarded if (p.role, p.rule) not in given_up]:
        settled = choose(state.inference, state.report, points, forced, unsealed)
        state.coarse |= settled.coarse
        if not state.insertions and not state.refusals:
            state.proposals += settled.proposals
        first = next((m for m in MECHANISMS if settled.points.get(_family(m))), None)
        mine = settled.points[_family(first)] if first else []
        made = Inserted(state.deployed)
        if first is not None:
            made = passes(_family(first))(state.deployed, state.inference, state.report, mine)
        for refusal in (*settled.refusals, *made.refusals):
            role = next(p.role for p in points if p.id == refusal.point)
            state.refusals[role, refusal.rule] = refusal
            given_up.add((role, refusal.rule))
        if first is None:
            break
        state.insertions += made.insertions
        if not made.insertions:
            given_up |= {(p.role, p.rule) for p in mine}
        state.deployed = without_idle(state.deployed, made.deployed)
        state.inference, state.report = _analyse(state.deployed)
    return state


def _family(mechanism: Mechanism) -> Mechanism:
    """A local order and consensus are one pass: the number of nodes tells them apart."""
    return "consensus" if mechanism == "local order" else mechanism


def _pass(mechanism: Mechanism, log: LogKind, shards: int, coarse: Set[str] = frozenset()) -> Pass:
    passes: dict[Mechanism, Pass] = {
        "persist": persisted,
        "seal": partial(seals, coarse=coarse),
        "consensus": partial(orders, log=log, shards=shards),
        "atomic commit": partial(commits, log=log),
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
    python = [externals or Externals() for _, externals in given.programs]
    if isinstance(given.data, ir.Deployment):
        names = (role.name for role in given.data.roles)
        return CompiledCluster(given.data, dict(zip(names, python, strict=True)))
    program = given.data
    name = program.name.lower()
    program = replace(
        program,
        collections=tuple(
            replace(c, role=name) if c.kind == "roster" else c for c in program.collections
        ),
    )
    deployment = ir.Deployment(name, (ir.Role(name, program, nodes),))
    return CompiledCluster(deployment, {name: python[0]})

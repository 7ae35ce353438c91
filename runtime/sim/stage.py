"""Who runs in the world: the nodes of a target, and what reaches them from outside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bloomish import ir
from bloomish.analysis.coordination.data import LogKind
from bloomish.errors import BloomishError
from bloomish.externals import Externals
from bloomish.runtime.coordinated import load
from bloomish.runtime.evaluator import Evaluator
from bloomish.runtime.evaluators import make_evaluator
from bloomish.runtime.roles import Roles, roles
from bloomish.runtime.sim.dedalus_node import at_node
from bloomish.targets import Target

DEDALUS_ROLE = "node"


@dataclass(frozen=True)
class Member:
    """One node: its address, its program, the Python behind it."""

    node: str
    program: ir.Program
    externals: Externals


@dataclass(frozen=True)
class Stage:
    """All members; `steps` if they tick at every step (Dedalus) and not on arrivals alone."""

    target: str
    members: tuple[Member, ...]
    rosters: Mapping[str, tuple[str, ...]]
    steps: bool = False
    declared: Roles | None = None

    @property
    def nodes(self) -> tuple[str, ...]:
        return tuple(member.node for member in self.members)

    def member(self, node: str) -> Member:
        """The member of an address."""
        for one in self.members:
            if one.node == node:
                return one
        raise BloomishError(f"there is no node {node}; there are {', '.join(self.nodes)}")

    def evaluator(self, member: Member, seed: int, which: str = "auto") -> Evaluator:
        """A fresh evaluator for a member."""
        return make_evaluator(
            member.program,
            member.externals,
            node=member.node,
            rosters=self.rosters,
            seed=seed,
            which=which,
        )

    def collections(self, *kinds: str) -> Iterator[tuple[Member, ir.Collection]]:
        """Every member's collections of some kinds."""
        for member in self.members:
            for collection in member.program.collections:
                if collection.kind in kinds:
                    yield member, collection

    def sent_wires(self) -> set[str]:
        """Channels that some member sends on; what comes on others comes from outside."""
        wires = set()
        for member in self.members:
            names = {c.name: c.wire or c.name for c in member.program.collections}
            wires |= {names[rule.head] for rule in member.program.rules if rule.op == "<~"}
        return wires


def stage_of(target: str, nodes: Sequence[str] = (), log: LogKind = "paxos") -> Stage:
    """The stage of a TARGET; `nodes` names the nodes of a `.ded` program or of a
    program that stands alone.  `log`: see `bloomish.runtime.coordinated`."""
    return stage_of_target(load(target, log), nodes)


def stage_of_target(target: Target, nodes: Sequence[str] = ()) -> Stage:
    """The same for a target that is loaded."""
    if target.cluster is None and len(target.programs) == 1:
        (compiled,) = target.programs
        program = compiled.program
        if program.notation == "dedalus":
            return dedalus_stage(target.text, program, nodes)
        if nodes:
            rosters = {c.role: tuple(nodes) for c in program.collections if c.kind == "roster"}
            members = tuple(Member(node, program, compiled.externals) for node in nodes)
            return Stage(target.text, members, rosters)
    declared = roles(target)
    if nodes:
        raise BloomishError(
            f"{target.text} is a cluster and names its nodes itself: {', '.join(declared.nodes)}"
        )
    return stage_of_roles(declared)


def stage_of_roles(declared: Roles) -> Stage:
    """The stage of a cluster."""
    members = tuple(
        Member(node, role.program, role.externals) for role in declared.roles for node in role.nodes
    )
    return Stage(declared.target, members, declared.rosters, declared=declared)


def dedalus_stage(text: str, program: ir.Program, nodes: Sequence[str]) -> Stage:
    """Every node runs the program, made local: its own facts, rules at its own location.

    Nodes that are not named are those at which there are facts.
    """
    nodes = nodes or located(program)
    if not nodes:
        raise BloomishError(f"{text}: name the nodes of a .ded program: --nodes a,b,c")
    members = tuple(Member(node, at_node(program, node, nodes), Externals()) for node in nodes)
    return Stage(text, members, {DEDALUS_ROLE: tuple(nodes)}, steps=True)


def located(program: ir.Program) -> tuple[str, ...]:
    """The locations of a Dedalus program's facts."""
    first = (row[0] for facts in program.facts for row in facts.rows if row)
    return tuple(dict.fromkeys(place for place in first if isinstance(place, str)))

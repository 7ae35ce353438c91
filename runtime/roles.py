"""Who runs what in a target: the roles of its cluster, or its one program alone.

A program without a cluster runs as a cluster of one node, which then is every
role that the program has a roster of.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bloomish import ir
from bloomish.errors import BloomishError
from bloomish.externals import Externals
from bloomish.targets import Target


class NoSuchRole(BloomishError):
    """A role or node that the cluster does not have."""


@dataclass(frozen=True)
class Role:
    """One role: its program, the Python behind it, its nodes' addresses."""

    name: str
    program: ir.Program
    externals: Externals
    nodes: tuple[str, ...]


@dataclass(frozen=True)
class Roles:
    """All roles of one target."""

    name: str
    target: str
    roles: tuple[Role, ...]
    rosters: Mapping[str, tuple[str, ...]]

    def role(self, name: str) -> Role:
        """A role by its name."""
        for one in self.roles:
            if one.name == name:
                return one
        known = ", ".join(one.name for one in self.roles)
        raise NoSuchRole(f"{self.name} has no role {name!r}; it has: {known}")

    def of(self, node: str) -> Role:
        """The role that a node runs as."""
        for one in self.roles:
            if node in one.nodes:
                return one
        raise NoSuchRole(f"{self.name} has no node {node!r}; it has: {', '.join(self.nodes)}")

    @property
    def nodes(self) -> tuple[str, ...]:
        """All addresses, role by role."""
        return tuple(node for one in self.roles for node in one.nodes)


def roles(target: Target) -> Roles:
    """The roles of a loaded target."""
    if target.cluster is not None:
        deployment = target.cluster.deployment
        rosters = {
            role.name: tuple(f"{role.name}-{number}" for number in range(role.size))
            for role in deployment.roles
        }
        return Roles(
            deployment.name,
            target.text,
            tuple(
                Role(
                    role.name, role.program, target.cluster.externals[role.name], rosters[role.name]
                )
                for role in deployment.roles
            ),
            rosters,
        )
    if len(target.programs) != 1:
        names = ", ".join(one.program.name for one in target.programs)
        raise BloomishError(f"{target.text} has several programs ({names}) and no Cluster")
    (compiled,) = target.programs
    program = compiled.program
    if program.notation == "dedalus":
        raise BloomishError(
            f"{target.text}: nodes of a .ded program tick in step, which processes do not; "
            "run it with `bloomish sim` or `bloomish ldfi`"
        )
    name = program.name.lower()
    nodes = (f"{name}-0",)
    rosters = {one.role: nodes for one in program.collections if one.kind == "roster"}
    role = Role(name, program, compiled.externals, nodes)
    return Roles(program.name, target.text, (role,), rosters | {name: nodes})

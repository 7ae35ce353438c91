"""Cluster: who runs what, as data that the runtime launches."""

from __future__ import annotations

import keyword
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bloomish import ir
from bloomish.elaborate import compiled
from bloomish.errors import ProgramError
from bloomish.externals import Externals
from bloomish.program import ProgramMeta, Replicated
from bloomish.source import span_at, user_frame
from bloomish.values import type_text


@dataclass(frozen=True, slots=True)
class CompiledCluster:
    """A deployment as data, and the Python behind each role's program."""

    deployment: ir.Deployment
    externals: Mapping[str, Externals]


class Cluster:
    """`Cluster(server=Server, client=Client * 2)`: the roles, and how many nodes run each.

    Nodes are named `server-0`, `client-0`, `client-1`.
    """

    def __init__(self, *args: Any, **roles: Any) -> None:
        self.span = span_at(user_frame())
        if args:
            self._refuse("a cluster names its roles", "write `Cluster(server=Server, client=...)`")
        if not roles:
            self._refuse("a cluster without roles", "write `Cluster(node=MyProgram * 3)`")
        self.roles: dict[str, Replicated] = {}
        for name, who in roles.items():
            self.roles[name] = self._role(name, who)
        self._check_rosters()
        self._check_channels()

    def __repr__(self) -> str:
        inside = ", ".join(
            f"{name}={role.program.__name__}" + (f" * {role.size}" if role.size != 1 else "")
            for name, role in self.roles.items()
        )
        return f"Cluster({inside})"

    def compile(self, name: str = "cluster") -> CompiledCluster:
        """The deployment as data."""
        made = {name: compiled(role.program) for name, role in self.roles.items()}
        return CompiledCluster(
            ir.Deployment(
                name,
                tuple(
                    ir.Role(name, made[name].program, role.size)
                    for name, role in self.roles.items()
                ),
            ),
            {name: one.externals for name, one in made.items()},
        )

    def _refuse(self, what: str, mend: str) -> None:
        raise ProgramError(self.span, what, mend)

    def _role(self, name: str, who: Any) -> Replicated:
        if keyword.iskeyword(name) or name.startswith("_") or not name.isidentifier():
            self._refuse(f"`{name}` cannot name a role", "take a plain Python name")
        if isinstance(who, ProgramMeta):
            return Replicated(who, 1)  # type: ignore[arg-type]
        if not isinstance(who, Replicated):
            self._refuse(
                f"the role `{name}` is {who!r}, not a program",
                f"write `{name}=MyProgram`, or `{name}=MyProgram * 3` for three nodes",
            )
        assert isinstance(who, Replicated)
        return who

    def _check_rosters(self) -> None:
        for role in self.roles.values():
            for collection in compiled(role.program).program.collections:
                if collection.kind == "roster" and collection.role not in self.roles:
                    listed = ", ".join(f"`{known}`" for known in self.roles)
                    self._refuse(
                        f'`{collection.name} = roster("{collection.role}")` of '
                        f"{role.program.__name__}: the cluster has no role `{collection.role}`",
                        f"its roles are {listed}: add `{collection.role}=...` to the cluster, "
                        "or name one of these in the roster",
                    )

    def _check_channels(self) -> None:
        """One name on the wire has one shape."""
        known: dict[str, tuple[str, ir.Collection]] = {}
        for name, role in self.roles.items():
            for collection in compiled(role.program).program.collections:
                if collection.kind != "channel":
                    continue
                other, first = known.setdefault(collection.wire, (name, collection))
                if first.columns != collection.columns:
                    self._refuse(
                        f"the roles `{other}` and `{name}` give the channel `{collection.wire}` "
                        f"different columns: {_columns(first)} and {_columns(collection)}",
                        "declare it once, in a class that both programs inherit",
                    )


def _columns(collection: ir.Collection) -> str:
    return "(" + ", ".join(f"{c.name}={type_text(c.type)}" for c in collection.columns) + ")"

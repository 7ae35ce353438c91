"""`check`: the whole analysis, from a program to a report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bloomish import ir
from bloomish.analysis.graph import System
from bloomish.analysis.inference import Inference, infer
from bloomish.analysis.result import Report
from bloomish.analysis.verdict import conclude
from bloomish.cluster import CompiledCluster
from bloomish.externals import Externals
from bloomish.laws import broken_laws
from bloomish.program import compile as compile_program
from bloomish.strata import strata
from bloomish.targets import Target, load

Checkable = Any
"""A Program class, a Cluster, an `ir.Program`, an `ir.Deployment`, a TARGET as text or loaded."""


def check(
    target: Checkable, replicas: int | Mapping[str, int] = 1, explain: bool = False
) -> Report:
    """Which outputs are right without coordination, and why the others are not.

    `replicas` says how many nodes run each role; a cluster knows it itself.
    `explain` adds how every rule came by its mode.  Raises ProgramError where
    the program is wrong in itself (unstratifiable, or with a lattice that breaks
    a law).
    """
    return analyse(target, replicas, explain)[1]


def analyse(
    target: Checkable, replicas: int | Mapping[str, int] = 1, explain: bool = False
) -> tuple[Inference, Report]:
    """The inference, for pictures and questions, and the report that follows from it."""
    given = loaded(target)
    for program, externals in given.programs:
        strata(program)
        if externals is not None and program.lattices:
            for broken in broken_laws(program, externals):
                raise broken.error()
    inference = infer(System(given.data), verbose=explain)
    report = conclude(inference, _replica_counts(given.data, replicas))
    return inference, replace(report, warnings=given.warnings)


@dataclass(frozen=True, slots=True)
class Loaded:
    """The data to analyse, its programs (of a deployment: role by role) with their Python, what
    a reader had to say.

    Without its Python (None) a program's lattices are taken at their word.
    """

    data: ir.Program | ir.Deployment
    programs: tuple[tuple[ir.Program, Externals | None], ...]
    warnings: tuple[str, ...] = ()


def loaded(target: Checkable) -> Loaded:
    """Whatever names a program."""
    if isinstance(target, ir.Program):
        return Loaded(target, ((target, None),))
    if isinstance(target, ir.Deployment):
        return Loaded(target, tuple((role.program, None) for role in target.roles))
    if isinstance(target, (str, Path)):
        target = load(str(target))
    if isinstance(target, Target):
        if target.cluster is not None:
            return _roles(target.cluster, target.warnings)
        programs = tuple((one.program, one.externals) for one in target.programs)
        return Loaded(target.programs[0].program, programs, target.warnings)
    if isinstance(target, type):
        compiled = compile_program(target)
        return Loaded(compiled.program, ((compiled.program, compiled.externals),))
    return _roles(target.compile())


def _roles(cluster: CompiledCluster, warnings: tuple[str, ...] = ()) -> Loaded:
    roles = cluster.deployment.roles
    pairs = tuple((role.program, cluster.externals[role.name]) for role in roles)
    return Loaded(cluster.deployment, pairs, warnings)


def _replica_counts(
    data: ir.Program | ir.Deployment, replicas: int | Mapping[str, int]
) -> dict[str, int]:
    """How many nodes run each role: as asked, else as the deployment says."""
    if isinstance(data, ir.Program):
        count = replicas if isinstance(replicas, int) else replicas.get(data.name, 1)
        return {data.name: count}
    if isinstance(replicas, int):
        if replicas > 1:
            return {role.name: replicas for role in data.roles}
        return {role.name: role.size for role in data.roles}
    return {role.name: replicas.get(role.name, role.size) for role in data.roles}

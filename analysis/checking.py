"""`check`: the whole analysis, from a program to a report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from bloomish import ir
from bloomish.analysis.graph import System
from bloomish.analysis.inference import Inference, infer
from bloomish.analysis.result import Report
from bloomish.analysis.verdict import conclude
from bloomish.strata import strata

Checkable = Any
"""A Program class, a Cluster, an `ir.Program`, an `ir.Deployment`, or a TARGET as text."""


def check(
    target: Checkable, replicas: int | Mapping[str, int] = 1, explain: bool = False
) -> Report:
    """Which outputs are right without coordination, and why the others are not.

    `replicas` says how many nodes run each role; a cluster knows it itself.
    `explain` adds how every rule came by its mode.  Raises ProgramError where
    the program is wrong in itself (unstratifiable, for one).
    """
    return analyse(target, replicas, explain)[1]


def analyse(
    target: Checkable, replicas: int | Mapping[str, int] = 1, explain: bool = False
) -> tuple[Inference, Report]:
    """The inference, for pictures and questions, and the report that follows from it."""
    data, warnings = as_data(target)
    for program in _programs(data):
        strata(program)
    inference = infer(System(data), verbose=explain)
    report = conclude(inference, _replica_counts(data, replicas))
    return inference, replace(report, warnings=warnings)


def as_data(target: Checkable) -> tuple[ir.Program | ir.Deployment, tuple[str, ...]]:
    """The IR of whatever names a program, and what its reader had to say."""
    if isinstance(target, (ir.Program, ir.Deployment)):
        return target, ()
    if isinstance(target, (str, Path)):
        from bloomish.targets import load

        loaded = load(str(target))
        if loaded.cluster is not None:
            return loaded.cluster.deployment, loaded.warnings
        return loaded.programs[0].program, loaded.warnings
    if isinstance(target, type):
        return target.ir, ()  # type: ignore[attr-defined]
    return target.compile().deployment, ()


def _programs(data: ir.Program | ir.Deployment) -> tuple[ir.Program, ...]:
    if isinstance(data, ir.Program):
        return (data,)
    return tuple(role.program for role in data.roles)


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

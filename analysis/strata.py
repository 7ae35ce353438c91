"""Strata of a system's collections, and the temporal clusters of 4.2."""

from __future__ import annotations

from bloomish.analysis.graph import System
from bloomish.strata import edges, strata


def stratum_numbers(system: System) -> dict[str, int]:
    """How many negations or aggregates deep a collection lies within one tick, from 0."""
    found: dict[str, int] = {}
    for name, role in system.roles.items():
        program = role.program
        negative: dict[str, list[tuple[str, bool]]] = {}
        for rule in program.rules:
            if rule.op == "<=":
                for edge in edges(program, rule):
                    negative.setdefault(rule.head, []).append((edge.source, edge.negative))
        local: dict[str, int] = {}
        for component in strata(program):
            level = 0
            for member in component:
                for source, is_negative in negative.get(member, ()):
                    level = max(level, local.get(source, 0) + is_negative)
            for member in component:
                local[member] = level
        for collection, level in local.items():
            id = system.id(name, collection)
            found[id] = max(found.get(id, 0), level)
    return found


def temporal_clusters(system: System) -> list[frozenset[str]]:
    """Components that hold a negation, aggregate, deletion or overwrite and an edge in time.

    Source: Alvaro et al., CIDR 2011, section 4: every edge into one is a point
    of order, if anything asynchronous feeds it.
    """
    found = []
    for number in sorted(system.remembering):
        component = system.components[number]
        inner = [
            (unit, use)
            for unit in system.units
            if unit.head in component
            for use in unit.uses
            if use.node in component and not system.is_own_row(unit, use)
        ]
        if any(
            use.atom.negated or unit.aggregates or unit.op in ("<-", "<+-") for unit, use in inner
        ):
            found.append(component)
    return found

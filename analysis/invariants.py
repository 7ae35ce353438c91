"""Invariant confluence, as far as the syntax shows it (4.7).

An `invariant` is a denial: each of its rows is a violation.  Replicas that each
keep it must keep it when their tables are united.  A denial that looks at one
growing row at a time is kept, since that row stood at some replica and was
looked at there.  One that joins two growing rows, or aggregates over growing
rows, can be violated by a merge of two states that keep it: uniqueness, a
balance that must not fall below zero.  A row that must have a partner
(`notin`) keeps its partner under union, but not where partners are deleted.
Source: Bailis et al., "Coordination Avoidance in Database Systems" (VLDB
2015), table 2.
"""

from __future__ import annotations

from collections import deque

from bloomish.analysis.graph import System, Unit
from bloomish.analysis.inference import Inference
from bloomish.analysis.modes import CONST
from bloomish.analysis.result import Invariance, Mend

MENDS = (
    Mend("rewrite", "escrow: give each replica a share beforehand that it may use up alone"),
    Mend("consensus", "let the updates that can violate it go through one log"),
)


def invariances(inference: Inference) -> tuple[Invariance, ...]:
    """One judgement per `invariant` of the system."""
    found = []
    for id, node in inference.system.nodes.items():
        if node.kind == "invariant":
            why = _violable(inference, id)
            found.append(
                Invariance(
                    id,
                    node.role,
                    not why,
                    node.collection.span,
                    why or "a merge of states that keep it keeps it",
                    MENDS if why else (),
                )
            )
    return tuple(found)


def _violable(inference: Inference, id: str) -> str:
    for unit in inference.system.producers[id]:
        why = _violable_rule(inference, unit)
        if why:
            return why
    return ""


def _violable_rule(inference: Inference, unit: Unit) -> str:
    """Why a merge may make the rule derive a violation, "" if it cannot."""
    system = inference.system
    growing = [use for use in unit.positives if inference.modes[use.node] is not CONST]
    aggregates: list[str] = [a.name for _, a in unit.aggregates]
    for use in unit.uses:
        aggregates += _aggregated(system, use.node)
    if aggregates:
        return f"{aggregates[0]}() over rows of several replicas may pass a bound that none passed"
    if len(growing) > 1:
        names = " and ".join(use.atom.collection for use in growing)
        return f"rows of {names} that never stood at one replica may meet in the merge"
    for use in unit.negatives:
        if _deleted_from(system, use.node):
            name = use.atom.collection
            return f"one replica deletes from {name} what another's row refers to"
    return ""


def _aggregated(system: System, id: str) -> list[str]:
    """Aggregates in the views, not the tables, that a collection is derived by."""
    found: list[str] = []
    seen, queue = {id}, deque([id])
    while queue:
        node = queue.popleft()
        if system.nodes[node].kind not in ("scratch", "output"):
            continue
        for unit in system.producers[node]:
            found += [aggregate.name for _, aggregate in unit.aggregates]
            for use in unit.uses:
                if use.node not in seen:
                    seen.add(use.node)
                    queue.append(use.node)
    return found


def _deleted_from(system: System, id: str) -> bool:
    return any(unit.op in ("<-", "<+-") for unit in system.producers[id])

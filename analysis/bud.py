"""Bud's own labels: Bot, A, N and D on the paths from inputs to outputs.

A port of what Bud's `labeling` computes (Alvaro et al., the Bud prototype), to
compare with: A an asynchronous edge, N a non-monotone one, D what is
non-monotone after something asynchronous and so may diverge.  It knows no
lattices, no constants and no difference between what settles and what does
not: `bloomish.analysis.modes` refines its D.  `unguarded` is Bud's
GuardedAsync: two channels that meet without a table on both ways.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal as OneOf

from bloomish.analysis.graph import System, Unit, Use

Label = OneOf["Bot", "A", "N", "D"]


@dataclass(frozen=True, slots=True)
class BudLabels:
    """`paths`: output -> input -> label; `unguarded`: outputs where channels race."""

    paths: dict[str, dict[str, Label]]
    unguarded: frozenset[str]

    def outputs(self) -> dict[str, Label]:
        return {output: disjunction(found.values()) for output, found in self.paths.items()}


def then(state: Label, edge: Label) -> Label:
    """The label of a path that goes on by one edge: A.N is D, D absorbs, Bot is neutral."""
    if state == "Bot" or edge == state:
        return edge
    if edge == "Bot":
        return state
    if "D" in (state, edge) or (state, edge) == ("A", "N"):
        return "D"
    return edge


def disjunction(labels: Iterable[Label]) -> Label:
    """The label of several paths together."""
    found = set(labels)
    if "D" in found or {"A", "N"} <= found:
        return "D"
    return "N" if "N" in found else "A" if "A" in found else "Bot"


def edge_label(unit: Unit, use: Use) -> Label:
    """A for `<~`; N for a negation, an aggregate, or any part of a deletion."""
    if unit.op == "<~":
        return "A"
    hard = use.atom.negated or bool(unit.aggregates) or unit.op in ("<-", "<+-")
    return "N" if hard else "Bot"


def bud_labels(system: System) -> BudLabels:
    """Labels for every output that some input reaches."""
    steps: dict[str, list[tuple[str, Label]]] = {}
    for unit in system.units:
        for use in unit.uses:
            steps.setdefault(use.node, []).append((unit.head, edge_label(unit, use)))
    sinks = {id for id in system.nodes if not system.readers[id] and system.producers[id]}
    paths: dict[str, dict[str, Label]] = {}
    for id in system.external:
        first: Label = "A" if system.nodes[id].kind == "channel" else "Bot"
        reached: dict[str, set[Label]] = {}
        queue: deque[tuple[str, Label]] = deque([(id, first)])
        while queue:
            node, state = queue.popleft()
            for head, label in steps.get(node, ()):
                after = then(state, label)
                if after not in reached.setdefault(head, set()):
                    reached[head].add(after)
                    queue.append((head, after))
        for sink in sinks & reached.keys():
            paths.setdefault(sink, {})[id] = disjunction(reached[sink])
    return BudLabels(paths, _unguarded(system) & sinks)


def _unguarded(system: System) -> frozenset[str]:
    """What depends on two channels that meet with no table on one of the ways."""
    channels = [id for id, node in system.nodes.items() if node.kind == "channel"]
    ways = {channel: _ways(system, channel) for channel in channels}
    found: set[str] = set()
    for one in channels:
        for other in channels:
            if one >= other or other in {n for n, _ in ways[one]}:
                continue
            if one in {n for n, _ in ways[other]}:
                continue
            bare = {node for node, stored in ways[one] if not stored}
            bare_too = {node for node, stored in ways[other] if not stored}
            met = {node for node, _ in ways[one]} & {node for node, _ in ways[other]}
            found |= met & (bare | bare_too)
    return frozenset(found)


def _ways(system: System, channel: str) -> set[tuple[str, bool]]:
    """Collections that a channel reaches, and whether by way of a table."""
    found: set[tuple[str, bool]] = set()
    queue: deque[tuple[str, bool]] = deque([(channel, False)])
    while queue:
        node, stored = queue.popleft()
        for unit in system.readers[node]:
            state = (unit.head, stored or system.nodes[unit.head].persisted)
            if state not in found:
                found.add(state)
                queue.append(state)
    return found

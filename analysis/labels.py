"""Blazes' labels for the roles of a deployment, its paths taken from the inference.

A role is a component; its inputs are the channels and inputs that it reads, its
outputs what it sends, hands out, or keeps unread.  A path is order-sensitive if
a rule on it takes back or depends on the schedule (it has origins or findings),
and writes if it passes a persisted collection.
"""

from __future__ import annotations

from collections import deque

from bloomish.analysis import blazes
from bloomish.analysis.graph import System
from bloomish.analysis.inference import Conclusion, Inference


def labels(inference: Inference, replicas: dict[str, int]) -> dict[str, str]:
    """Collection -> label, for what replicated roles give out; empty without replication."""
    if not any(count > 1 for count in replicas.values()):
        return {}
    found = blazes.label(dataflow(inference, replicas))
    system = inference.system
    wanted = set(system.sinks)
    result = {}
    for stream, one in found.items():
        node = stream.partition("!")[0]
        if node in wanted:
            result[node] = str(one)
    return result


def dataflow(inference: Inference, replicas: dict[str, int]) -> blazes.Dataflow:
    """The roles as components, with the paths that their rules make."""
    system = inference.system
    components = []
    for role in system.roles:
        paths = tuple(_paths(inference, role))
        components.append(blazes.Component(role, paths, replicas.get(role, 1) > 1))
    return blazes.Dataflow(tuple(components), _seals(system), _injections(system))


def _seals(system: System) -> dict[str, blazes.Label]:
    found = {}
    for role in system.roles.values():
        for assumption in role.program.assumptions:
            if assumption.kind == "sealed":
                node = system.id(role.name, assumption.collection)
                found[node] = blazes.seal(*assumption.key)
    return found


def _injections(system: System) -> frozenset[tuple[str, str]]:
    return frozenset(
        (key, value)
        for role in system.roles.values()
        for assumption in role.program.assumptions
        if assumption.kind == "injective"
        for key in assumption.key
        for value in assumption.value
    )


def _paths(inference: Inference, role: str) -> list[blazes.Path]:
    system = inference.system
    mine: dict[str, list[Conclusion]] = {}
    for conclusion in inference.conclusions:
        if conclusion.unit.role == role:
            for node in {use.node for use in conclusion.unit.uses}:
                mine.setdefault(node, []).append(conclusion)
    entries = [id for id in mine if system.nodes[id].kind in ("channel", "input")]
    sinks = set(system.sinks)
    found: list[blazes.Path] = []
    for entry in entries:
        for (node, sensitive, writes), gate in _reachable(system, mine, entry).items():
            kind = system.nodes[node].kind
            if kind == "channel" or (kind != "input" and node in sinks):
                annotation = blazes.Annotation(not sensitive, writes, gate)
                found.append(blazes.Path(entry, node, annotation))
    return found


State = tuple[str, bool, bool]
Gate = frozenset[str] | None


def _reachable(system: System, mine: dict[str, list[Conclusion]], entry: str) -> dict[State, Gate]:
    """Collections that the entry reaches within the role: (collection, sensitive, writes)
    to the gate of what is order-sensitive on the way, None where gates differ."""
    found: dict[State, Gate] = {}
    queue: deque[tuple[State, Gate]] = deque([((entry, False, False), frozenset())])
    while queue:
        (node, sensitive, writes), gate = queue.popleft()
        for conclusion in mine.get(node, ()):
            head = conclusion.unit.head
            own = _gate(conclusion)
            after = gate if own is None else _joined(gate, own, sensitive)
            state = (
                head,
                sensitive or own is not None,
                writes or system.nodes[head].persisted,
            )
            if state not in found or (found[state] != after and found[state] is not None):
                found[state] = after if state not in found else None
                if system.nodes[head].kind != "channel":
                    queue.append((state, found[state]))
    return found


def _gate(conclusion: Conclusion) -> frozenset[str] | None:
    """The gate of an order-sensitive rule, None of one that is confluent."""
    if not conclusion.origins and not conclusion.findings:
        return None
    for origin in conclusion.origins:
        return frozenset(origin.gate)
    return frozenset(conclusion.findings[0].gate)


def _joined(gate: Gate, own: frozenset[str], sensitive: bool) -> Gate:
    if not sensitive:
        return own
    return gate if gate == own else None

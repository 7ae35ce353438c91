"""Blazes' labels for the roles of a deployment, its paths taken from the inference.

A role is a component; its inputs are the channels and inputs that it reads, its
outputs what it sends, hands out, or keeps unread.  A path is order-sensitive if
a rule on it takes back or depends on the schedule (it has origins or findings),
and writes if it passes a persisted collection.  What is order-sensitive only
after the last write on its way is a read of that state.

Modules that seal are components of their own, whose word is taken: nothing on a
path in them is order-sensitive, and a rule that asks when they say that all is
there settles what was so on the way to it (R14).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

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
    found: dict[blazes.Path, None] = {}
    for entry in entries:
        for state, gate in _reachable(system, mine, entry).items():
            kind = system.nodes[state.node].kind
            if kind == "channel" or (kind != "input" and state.node in sinks):
                for annotation in _annotations(state, gate):
                    found[blazes.Path(entry, state.node, annotation)] = None
    return list(found)


Gate = frozenset[str] | None


@dataclass(frozen=True, slots=True)
class State:
    """How one comes to a collection: by what order-sensitive rules before the last write
    and after it, and whether there was a write at all."""

    node: str
    before: bool = False
    written: bool = False
    after: bool = False


def _annotations(state: State, gate: Gate) -> list[blazes.Annotation]:
    """What is sensitive before a write leaves its mark in the state; what is so only after
    the last one reads a confluent state out of order."""
    if state.before:
        return [blazes.Annotation(False, True, gate)]
    confluent = blazes.Annotation(True, state.written)
    if not state.after:
        return [confluent]
    read = blazes.Annotation(False, False, gate)
    return [read, confluent] if state.written else [read]


def _reachable(system: System, mine: dict[str, list[Conclusion]], entry: str) -> dict[State, Gate]:
    """The ways by which the entry reaches collections within the role, with the gate of
    what is order-sensitive on each; None where gates differ."""
    found: dict[State, Gate] = {}
    queue: deque[tuple[State, Gate]] = deque([(State(entry), frozenset())])
    while queue:
        state, gate = queue.popleft()
        for conclusion in mine.get(state.node, ()):
            head = conclusion.unit.head
            own = _gate(conclusion)
            before = State(state.node, written=state.written) if conclusion.settled else state
            following = _onward(before, head, own is not None, system.nodes[head].persisted)
            after = gate if own is None else _joined(gate, own, state.before or state.after)
            if following in found and (found[following] in (after, None)):
                continue
            found[following] = None if following in found else after
            if system.nodes[head].kind != "channel":
                queue.append((following, found[following]))
    return found


def _onward(state: State, head: str, sensitive: bool, persisted: bool) -> State:
    since = state.after or sensitive
    if persisted:
        return State(head, state.before or since, True, False)
    return State(head, state.before, state.written, since)


def _gate(conclusion: Conclusion) -> frozenset[str] | None:
    """The gate of an order-sensitive rule, None of one that is confluent."""
    if conclusion.trusted or not (conclusion.origins or conclusion.findings):
        return None
    for origin in conclusion.origins:
        return frozenset(origin.gate)
    return frozenset(conclusion.findings[0].gate)


def _joined(gate: Gate, own: frozenset[str], sensitive: bool) -> Gate:
    if not sensitive:
        return own
    return gate if gate == own else None

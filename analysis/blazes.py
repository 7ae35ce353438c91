"""Blazes: what replicas of a component may disagree about, by labels on streams (4.5).

Source: Alvaro, Conway, Hellerstein, Maier, "Blazes: Coordination Analysis for
Distributed Programs" (ICDE 2014).  A component's path from an input to an
output is confluent or order-sensitive, reads or writes; a stream is sealed,
asynchronous, or worse.  Two readings differ from the printed paper, as ANALYSIS
says: an incompatible seal before an order-sensitive read is a read out of order
(1'), and a read is protected if *those* streams are compatibly sealed that
write the state it reads.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum

import networkx as nx


class Severity(IntEnum):
    """How bad a stream's disorder is; the reconciled label of an output is the worst."""

    SEAL = 1
    ASYNC = 2
    RUN = 3
    INST = 4
    DIVERGE = 5


@dataclass(frozen=True, slots=True)
class Label:
    """A stream's label; `key` of a sealed one."""

    severity: Severity
    key: frozenset[str] = frozenset()

    def __str__(self) -> str:
        if self.severity is Severity.SEAL:
            return f"Seal({', '.join(sorted(self.key))})"
        return self.severity.name.capitalize()


ASYNC = Label(Severity.ASYNC)
RUN = Label(Severity.RUN)
INST = Label(Severity.INST)
DIVERGE = Label(Severity.DIVERGE)


def seal(*key: str) -> Label:
    return Label(Severity.SEAL, frozenset(key))


@dataclass(frozen=True, slots=True)
class Annotation:
    """CR, CW, OR(gate) or OW(gate); `gate` None is unknown, and compatible with nothing."""

    confluent: bool
    writes: bool
    gate: frozenset[str] | None = frozenset()

    def __str__(self) -> str:
        name = ("C" if self.confluent else "O") + ("W" if self.writes else "R")
        if self.confluent:
            return name
        return f"{name}({', '.join(sorted(self.gate)) if self.gate is not None else '*'})"


CR = Annotation(True, False)
CW = Annotation(True, True)


def order_read(*gate: str) -> Annotation:
    return Annotation(False, False, frozenset(gate))


def order_write(*gate: str) -> Annotation:
    return Annotation(False, True, frozenset(gate))


@dataclass(frozen=True, slots=True)
class Path:
    """From an input stream to an output stream of one component.

    `kept`: the seal's columns that survive on the way, by an injective renaming;
    None: all of them.
    """

    input: str
    output: str
    annotation: Annotation
    kept: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Component:
    name: str
    paths: tuple[Path, ...]
    replicated: bool = False


@dataclass(frozen=True, slots=True)
class Dataflow:
    """Components, the labels of the streams that come from outside, and injective
    functions between attributes (identity is always one)."""

    components: tuple[Component, ...]
    sources: Mapping[str, Label] = field(default_factory=dict)
    injective: frozenset[tuple[str, str]] = frozenset()


def label(flow: Dataflow) -> dict[str, Label]:
    """The label of every stream.  Cycles collapse to the worst label in them."""
    producers: dict[str, list[Component]] = {}
    graph = nx.DiGraph()
    for component in flow.components:
        for path in component.paths:
            graph.add_edge(path.input, path.output)
            if component not in producers.setdefault(path.output, []):
                producers[path.output].append(component)
    labels: dict[str, Label] = {}
    condensed = nx.condensation(graph)
    for number in nx.topological_sort(condensed):
        members = sorted(condensed.nodes[number]["members"])
        for stream in members:  # what a cycle starts from
            labels[stream] = flow.sources.get(stream, ASYNC)
        for _ in range(len(Severity) if len(members) > 1 else 1):
            found = {
                stream: _output(flow, stream, producers.get(stream, ()), labels)
                for stream in members
            }
            if len(members) > 1:
                top = max(found.values(), key=lambda one: one.severity)
                found = dict.fromkeys(members, top)
            labels.update(found)
    return labels


def _output(
    flow: Dataflow, stream: str, components: Iterable[Component], labels: Mapping[str, Label]
) -> Label:
    inferred = [flow.sources[stream]] if stream in flow.sources else []
    for component in components:
        for path in component.paths:
            if path.output == stream:
                inferred.append(_reconcile(flow, component, path, labels))
    if not inferred:
        return ASYNC
    worst = max(inferred, key=lambda one: one.severity)
    seals = {one.key for one in inferred if one.severity is Severity.SEAL}
    if worst.severity is Severity.SEAL and len(seals) > 1:
        return ASYNC
    return worst


def _reconcile(
    flow: Dataflow, component: Component, path: Path, labels: Mapping[str, Label]
) -> Label:
    """Rules (1) to (4) and p, and then what they come to at the output."""
    given, annotation = labels.get(path.input, ASYNC), path.annotation
    disordered = given.severity in (Severity.ASYNC, Severity.RUN)
    mismatched = given.severity is Severity.SEAL and not _fits(flow, annotation.gate, given.key)
    if not annotation.confluent and not annotation.writes and (disordered or mismatched):
        if _protected(flow, component, path, labels):
            return ASYNC
        return INST if component.replicated else RUN
    tainted = (not annotation.confluent and annotation.writes and (disordered or mismatched)) or (
        given.severity is Severity.INST and annotation.writes
    )
    if tainted:
        return DIVERGE if component.replicated else RUN
    if given.severity is Severity.SEAL:
        survives = path.kept is None or given.key <= path.kept
        return given if annotation.confluent and survives else ASYNC
    return given


def _protected(
    flow: Dataflow, component: Component, path: Path, labels: Mapping[str, Label]
) -> bool:
    """Whether all that writes the state this path reads is sealed compatibly with it."""
    writers = [
        other
        for other in component.paths
        if other.annotation.writes and other.input != path.input and other.output == path.output
    ]
    return bool(writers) and all(
        labels.get(other.input, ASYNC).severity is Severity.SEAL
        and _fits(flow, path.annotation.gate, labels[other.input].key)
        for other in writers
    )


def _fits(flow: Dataflow, gate: frozenset[str] | None, key: frozenset[str]) -> bool:
    """compatible(gate, key): the key determines, one to one, some column of the gate."""
    if gate is None or not key:
        return False
    reached = set(key) if len(key) == 1 else set()
    if len(key) > 1 and key <= gate:
        return True
    grown = True
    while grown:
        new = {to for one, to in flow.injective if one in reached} - reached
        reached |= new
        grown = bool(new)
    return bool(reached & gate)

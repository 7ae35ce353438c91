"""Where order is put in: the cheapest cut between what arrives and what depends on its order.

The rules of one role are a graph from collections to heads.  Every message
channel, input and timer is a source, since what comes by it comes in any
order; the points of order are the sinks.  A minimum cut (Ford and Fulkerson
1956; networkx) severs them at the collections through which the fewest rows
come per operation.  Only channels and inputs can be cut, and timers that do no
more than prompt: a row that passes a rule has met the others of its tick
already.  Channels that a clock or chance has had a say in are cut where
nothing else serves: the log then settles what they say.  Source: ANALYSIS 4.6.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import networkx as nx

from bloomish import ir
from bloomish.analysis.contracts import within
from bloomish.analysis.graph import System, Unit
from bloomish.analysis.inference import Inference
from bloomish.analysis.modes import NONDET, PART
from bloomish.analysis.verdict import conclude

SOURCE, SINK = "source", "sink"
UNSETTLED = 1_000.0
"""How much dearer it is to cut what is unsettled already."""
TIMER = 1_000_000.0
"""And a timer, which fires whether or not anything happens."""


@dataclass(frozen=True, slots=True)
class Cut:
    """The collections to be cut at a role, by the graph's names, and the rows per operation
    that pass them.  Not empty `uncut`: the collection by which unordered rows get through."""

    entries: tuple[str, ...]
    rows: float
    uncut: str = ""


def placement(inference: Inference, role: str, goals: Iterable[Unit]) -> Cut:
    """The minimum cut between what arrives at a role and the rules `goals`."""
    graph = _graph(inference, role, tuple(goals))
    if SOURCE not in graph:
        return Cut((), 0.0)
    try:
        _, (reached, _) = nx.minimum_cut(graph, SOURCE, SINK)
    except nx.NetworkXUnbounded:
        way = nx.shortest_path(_open(graph), SOURCE, SINK)
        return Cut((), 0.0, way[1][0])
    cut = sorted(name for name, end in reached - {SOURCE} if (name, "out") not in reached)
    rates = Rates(inference.system)
    return Cut(tuple(dict.fromkeys(cut)), sum(rates.of(name) for name in cut))


def still_open(inference: Inference, roles: Iterable[str]) -> list[tuple[str, str]]:
    """(role, collection) where the graph would have to be cut beside, some of it being ordered
    by now."""
    unguarded = conclude(inference, {}).unguarded
    found: list[tuple[str, str]] = []
    for role in roles:
        rules = dict.fromkeys(point.rule for point in unguarded if point.role == role)
        goals = [unit for rule in rules for unit in inference.system.stated(role, rule)]
        if goals:
            cut = placement(inference, role, _with_rivals(inference.system, goals))
            found += ((role, node) for node in cut.entries)
    return found


def _with_rivals(system: System, goals: Iterable[Unit]) -> list[Unit]:
    """These rules, and all others that write to what one of them writes to or deletes from: a
    table is a function of an order only if all that is put into it and taken out of it is."""
    found: dict[int, Unit] = {}
    for goal in goals:
        found[goal.id] = goal
        if system.nodes[goal.head].persisted:
            found |= {unit.id: unit for unit in system.producers[goal.head]}
    return list(found.values())


def _graph(inference: Inference, role: str, goals: tuple[Unit, ...]) -> nx.DiGraph:
    """Collections that lead to a goal, each an edge of its capacity; rules cost nothing."""
    system, rates = inference.system, Rates(inference.system)
    graph = nx.DiGraph()
    queue = list(dict.fromkeys(use.node for goal in goals for use in goal.uses))
    seen = set(queue)
    for node in queue:
        graph.add_edge((node, "out"), SINK)
    while queue:
        node = queue.pop()
        price = _price(inference, role, node, rates)
        if price < float("inf"):
            graph.add_edge((node, "in"), (node, "out"), capacity=price)
        else:
            graph.add_edge((node, "in"), (node, "out"))
        if node in inference.known.lineage.logs:
            continue  # decided: what fills it is the protocol's business
        if system.nodes[node].kind in ("channel", "input", "periodic"):
            graph.add_edge(SOURCE, (node, "in"))
            continue  # what comes before a channel, the channel puts out of order again
        for unit in system.producers[node]:
            for use in unit.uses:
                if system.is_own_row(unit, use):
                    continue
                graph.add_edge((use.node, "out"), (node, "in"))
                if use.node not in seen:
                    seen.add(use.node)
                    queue.append(use.node)
    return graph


def _price(inference: Inference, role: str, node: str, rates: Rates) -> float:
    """The capacity of a collection: rows per operation, dearer if cutting settles less."""
    system = inference.system
    kind = system.nodes[node].kind
    if kind == "periodic":
        numbered = any(
            not isinstance(argument, ir.Wild)
            for unit in system.readers[node]
            for use in unit.positives
            if use.node == node
            for argument in use.atom.args
        )
        return float("inf") if numbered else TIMER
    if kind not in ("channel", "input"):
        return float("inf")
    if not any(unit.role == role for unit in system.readers[node]):
        return float("inf")
    if is_private(system, role, node):
        return float("inf")
    unsettled = inference.modes[node] in (NONDET, PART)
    return rates.of(node) * (UNSETTLED if unsettled else 1.0)


def is_private(system: System, role: str, node: str) -> bool:
    """Whether a collection belongs to a protocol, which has an order of its own."""
    program = system.program(role)
    return any(
        within(collection.name, guard.scope)
        for guard in program.guards
        for collection in program.collections
        if system.id(role, collection.name) == node
    )


def by_a_timer(timer: str, wanted: str) -> str:
    """Why nothing is inserted where nothing but a timer leads to a rule."""
    return (
        f"it goes by the time at which {timer} fires at each node: send what the clock suggests "
        f"through a channel, so that it can be {wanted}"
    )


def _open(graph: nx.DiGraph) -> nx.DiGraph:
    """The edges that nothing can cut."""
    return nx.DiGraph((a, b) for a, b, data in graph.edges(data=True) if "capacity" not in data)


class Rates:
    """Rows per operation, an operation being one row of every input: what a rule sends it
    sends to so many nodes."""

    def __init__(self, system: System) -> None:
        self.system = system
        self._known: dict[str, float] = {}

    def of(self, node: str) -> float:
        """The rate of a collection, at least one row."""
        if node not in self._known:
            self._known[node] = 1.0  # what feeds itself is counted once
            units = [unit for unit in self.system.producers[node] if unit.op != "<-"]
            self._known[node] = max(1.0, sum(map(self._made, units)))
        return self._known[node]

    def _made(self, unit: Unit) -> float:
        rate, fan = 0.0, 1.0
        for use in unit.positives:
            collection = self.system.nodes[use.node]
            if collection.kind == "roster":
                known = self.system.roles.get(collection.collection.role)
                fan *= known.size if known else 1
            elif not collection.persisted:
                rate = max(rate, self.of(use.node))
        return max(rate, 1.0) * fan if unit.op == "<~" else max(rate, 1.0)

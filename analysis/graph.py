"""The predicate dependency graph of a whole deployment.

One node per collection of a role, except that a channel is one node for all
roles that speak over it: its content is what any of them sends.  One `Unit` per
rule of a role.  `System` answers every structural question that the inference
asks (who derives, who reads, which component), each computed once.

Frame rules of Dedalus (`p(X)@next :- p(X)`) are recognised here: a collection
with one is persisted like a `table`, and `p@next :- p, notin d` is persisted
and loses what `d` names, like a `table` with `p <- p & d`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import networkx as nx

from bloomish import ir
from bloomish.readers.dedalus.checks import CRASH

MONITORS = ("invariant", "eventually")
"""Kinds that judge a program and are no part of what it does."""

Target = ir.Program | ir.Deployment


@dataclass(frozen=True, slots=True)
class Node:
    """A collection at a role.  `persisted`: rows stay until something deletes them."""

    id: str
    role: str
    collection: ir.Collection
    persisted: bool

    @property
    def kind(self) -> ir.Kind:
        return self.collection.kind

    @property
    def columns(self) -> tuple[ir.Column, ...]:
        return self.collection.columns

    @property
    def keys(self) -> tuple[int, ...]:
        return tuple(i for i, column in enumerate(self.columns) if column.key)

    @property
    def plain_values(self) -> tuple[int, ...]:
        """The plain columns outside a declared key."""
        if not self.keys:
            return ()
        return tuple(
            i
            for i, column in enumerate(self.columns)
            if not column.key and not isinstance(column.type, ir.Lattice)
        )

    @property
    def lattices(self) -> tuple[int, ...]:
        return tuple(i for i, c in enumerate(self.columns) if isinstance(c.type, ir.Lattice))


@dataclass(frozen=True, slots=True)
class Use:
    """An atom in a body: literal number `index`, of the collection `node`."""

    node: str
    atom: ir.Atom
    index: int


@dataclass(frozen=True, slots=True)
class Unit:
    """A rule at a role, as the analysis takes it.

    `op` and `body` differ from `rule`'s where a frame with a negation was
    recognised: it then reads as the deletion that it means.
    """

    id: int
    role: str
    rule: ir.Rule
    op: ir.Operator
    body: tuple[ir.Literal, ...]
    head: str
    positives: tuple[Use, ...]
    negatives: tuple[Use, ...]
    aggregates: tuple[tuple[int, ir.Aggregate], ...]

    @property
    def uses(self) -> tuple[Use, ...]:
        return self.positives + self.negatives

    @property
    def conditions(self) -> tuple[ir.Condition, ...]:
        return tuple(part for part in self.body if isinstance(part, ir.Condition))

    @property
    def temporal(self) -> bool:
        return self.op != "<="


class System:
    """All nodes and units of a program or deployment, and the graph between them."""

    def __init__(self, target: Target) -> None:
        self.name = target.name
        self.target = target
        roles = (
            target.roles
            if isinstance(target, ir.Deployment)
            else (ir.Role(target.name, target, 1),)
        )
        self.roles: dict[str, ir.Role] = {role.name: role for role in roles}
        self.closed = isinstance(target, ir.Deployment)
        self.nodes: dict[str, Node] = {}
        self.units: list[Unit] = []
        self.frames: list[tuple[str, ir.Rule]] = []
        self.implicit: dict[str, dict[int, ir.Lattice | None] | None] = {}
        """What `lattice_types.implicit_cells` has found, per collection."""
        self._ids: dict[tuple[str, str], str] = {}
        for role in roles:
            self._declare(role)
        for role in roles:
            self._state(role)
        self.producers: dict[str, list[Unit]] = {id: [] for id in self.nodes}
        self.readers: dict[str, list[Unit]] = {id: [] for id in self.nodes}
        for unit in self.units:
            self.producers[unit.head].append(unit)
            for node in {use.node for use in unit.uses}:
                self.readers[node].append(unit)

    # ------------------------------------------------------------- building

    def _declare(self, role: ir.Role) -> None:
        framed = frames(role.program)
        for collection in role.program.collections:
            id = self._id_for(role.name, collection)
            self._ids[role.name, collection.name] = id
            persisted = collection.kind == "table" or collection.name in framed
            if id not in self.nodes:
                owner = "" if collection.kind == "channel" else role.name
                self.nodes[id] = Node(id, owner, collection, persisted)

    def _id_for(self, role: str, collection: ir.Collection) -> str:
        if len(self.roles) == 1:
            return collection.name
        if collection.kind == "channel":
            return collection.wire or collection.name
        return f"{role}.{collection.name}"

    def _state(self, role: ir.Role) -> None:
        framed = frames(role.program)
        for rule in role.program.rules:
            if rule.head not in framed or frame_of(rule) is None:
                self._add(role.name, rule, rule.op, rule.body)
                continue
            self.frames.append((role.name, rule))
            own = next(p for p in rule.body if isinstance(p, ir.Atom) and not p.negated)
            for lost in framed[rule.head]:
                self._add(role.name, rule, "<-", (own, _positive(lost)))

    def _add(self, role: str, rule: ir.Rule, op: ir.Operator, body: tuple[ir.Literal, ...]) -> None:
        positives: list[Use] = []
        negatives: list[Use] = []
        for index, part in enumerate(body):
            if isinstance(part, ir.Atom):
                use = Use(self._ids[role, part.collection], part, index)
                (negatives if part.negated else positives).append(use)
        self.units.append(
            Unit(
                len(self.units),
                role,
                rule,
                op,
                body,
                self._ids[role, rule.head],
                tuple(positives),
                tuple(negatives),
                tuple((i, a) for i, a in enumerate(rule.args) if isinstance(a, ir.Aggregate)),
            )
        )

    # ------------------------------------------------------------ questions

    def id(self, role: str, collection: str) -> str:
        """The node of a role's collection."""
        return self._ids[role, collection]

    def program(self, role: str) -> ir.Program:
        return self.roles[role].program

    def stated(self, role: str, rule: str) -> list[Unit]:
        """A role's rule by its name: one unit, or several of a frame that loses in several ways."""
        return [unit for unit in self.units if (unit.role, unit.rule.name) == (role, rule)]

    @cached_property
    def declarations(
        self,
    ) -> dict[str, tuple[dict[str, ir.LatticeDecl], dict[str, ir.FunctionDecl]]]:
        """Per role: lattices and functions by name."""
        return {
            name: (
                {lattice.name: lattice for lattice in role.program.lattices},
                {function.name: function for function in role.program.functions},
            )
            for name, role in self.roles.items()
        }

    @cached_property
    def facts(self) -> dict[str, list[ir.Facts]]:
        found: dict[str, list[ir.Facts]] = {}
        for role in self.roles.values():
            for facts in role.program.facts:
                found.setdefault(self._ids[role.name, facts.collection], []).append(facts)
        return found

    @cached_property
    def oracles(self) -> frozenset[str]:
        """Dedalus's `crash`: the same facts at every tick of a run, known from the first."""
        return frozenset(
            id
            for id, node in self.nodes.items()
            if node.kind == "input"
            and node.collection.name == CRASH
            and self.program(node.role).notation == "dedalus"
        )

    @cached_property
    def external(self) -> frozenset[str]:
        """What the outside fills: inputs, and channels that nobody here sends on."""
        return frozenset(
            id
            for id, node in self.nodes.items()
            if (node.kind == "input" and id not in self.oracles)
            or (node.kind == "channel" and not self.producers[id])
        )

    @cached_property
    def asynchronous(self) -> frozenset[str]:
        """src = async (4.3): channels and inputs, and whatever depends on them."""
        sources = ("input", "channel")
        queue = [id for id, node in self.nodes.items() if node.kind in sources]
        queue = [id for id in queue if id not in self.oracles]
        queue += [unit.head for unit in self.units if unit.op == "<~"]
        found = set(queue)
        while queue:
            for unit in self.readers[queue.pop()]:
                if unit.head not in found:
                    found.add(unit.head)
                    queue.append(unit.head)
        return frozenset(found)

    def shrinking(self, unit: Unit) -> str:
        """A table that a rule joins, itself or by views, and that rules take rows from; or ""."""
        queue = [use.node for use in unit.positives]
        seen = set(queue)
        while queue:
            node = queue.pop(0)
            producers = self.producers[node]
            if self.nodes[node].persisted:
                if any(other.op in ("<-", "<+-") for other in producers):
                    return node
                continue
            for use in (use for other in producers if other.op == "<=" for use in other.positives):
                if use.node not in seen:
                    seen.add(use.node)
                    queue.append(use.node)
        return ""

    def is_async(self, unit: Unit) -> bool:
        """Whether anything asynchronous feeds the rule's body."""
        return any(use.node in self.asynchronous for use in unit.uses)

    @cached_property
    def digraph(self) -> nx.DiGraph:
        """Body to head over all rules; what a deletion's own row matches is left out."""
        graph = nx.DiGraph()
        graph.add_nodes_from(self.nodes)
        for unit in self.units:
            for use in unit.uses:
                if not self.is_own_row(unit, use):
                    graph.add_edge(use.node, unit.head)
        return graph

    @cached_property
    def components(self) -> list[frozenset[str]]:
        """Strongly connected components, what is read before what reads it."""
        condensed = list(nx.strongly_connected_components(self.digraph))
        condensed.reverse()
        return [frozenset(component) for component in _topological(self.digraph, condensed)]

    @cached_property
    def component(self) -> dict[str, int]:
        return {id: n for n, members in enumerate(self.components) for id in members}

    @cached_property
    def remembering(self) -> frozenset[int]:
        """Components with a cycle that goes through time (`<+`, `<~`, `<+-`, `<-`)."""
        found = set()
        for unit in self.units:
            if unit.temporal:
                here = self.component[unit.head]
                if any(
                    self.component[use.node] == here and not self.is_own_row(unit, use)
                    for use in unit.uses
                ):
                    found.add(here)
        return frozenset(found)

    def recursive(self, unit: Unit, use: Use) -> bool:
        """Whether a body atom depends on the rule's head in turn."""
        return self.component[use.node] == self.component[unit.head] and not self.is_own_row(
            unit, use
        )

    @staticmethod
    def is_own_row(unit: Unit, use: Use) -> bool:
        """In `p(x) <- p(x) & ...`: the row to be deleted, no dependency."""
        return (
            unit.op == "<-"
            and use.node == unit.head
            and not use.atom.negated
            and use.atom.args == unit.rule.args
        )

    @cached_property
    def sinks(self) -> list[str]:
        """What gets a verdict: outputs, durable tables, and what nothing else reads.

        Collections that read each other in a ring and that nobody else reads
        count as unread: of these the persisted ones, or all if none persists.
        """
        found: dict[str, None] = {}
        unread = {id for component in self.components for id in self._unread(component)}
        for id, node in self.nodes.items():
            if node.kind in MONITORS:
                continue
            if node.kind == "output" or (node.kind == "table" and node.collection.durable):
                found[id] = None
            elif id in unread:
                found[id] = None
        return list(found)

    def _unread(self, component: frozenset[str]) -> Iterable[str]:
        for id in component:
            for unit in self.readers[id]:
                if unit.head not in component and self.nodes[unit.head].kind not in MONITORS:
                    return ()
        made = [id for id in component if self.producers[id] or self._is_kept(id)]
        lasting = [id for id in made if self.nodes[id].persisted]
        return lasting or made

    def _is_kept(self, id: str) -> bool:
        return self.nodes[id].kind == "table" and id in self.facts


def frame_of(rule: ir.Rule) -> tuple[ir.Atom, ...] | None:
    """What a frame rule takes away: () if nothing, None if it is no frame rule.

    A frame rule hands a collection's own rows to the next tick, all of them or
    all but those that negated atoms name.
    """
    if rule.op != "<+":
        return None
    positive = [p for p in rule.body if isinstance(p, ir.Atom) and not p.negated]
    negated = tuple(p for p in rule.body if isinstance(p, ir.Atom) and p.negated)
    if len(positive) != 1 or len(positive) + len(negated) != len(rule.body):
        return None
    own = positive[0]
    if own.collection != rule.head or own.args != rule.args or own.at is not None:
        return None
    names = [arg.name for arg in own.args if isinstance(arg, ir.Var)]
    if len(names) != len(own.args) or len(set(names)) != len(names):
        return None
    return negated


def frames(program: ir.Program) -> dict[str, tuple[ir.Atom, ...]]:
    """The collections that frame rules persist, each with what takes rows away.

    Tables keep everything anyway.  A collection with several frames, none of
    them pure, loses only what all of them lose: these stay ordinary rules.
    """
    found: dict[str, list[tuple[ir.Atom, ...]]] = {}
    for rule in program.rules:
        frame = frame_of(rule)
        if frame is not None:
            found.setdefault(rule.head, []).append(frame)
    tables = {c.name for c in program.collections if c.kind == "table"}
    result: dict[str, tuple[ir.Atom, ...]] = {}
    for head, all_frames in found.items():
        if () in all_frames or head in tables:
            result[head] = ()
        elif len(all_frames) == 1:
            result[head] = all_frames[0]
    return result


def _positive(atom: ir.Atom) -> ir.Atom:
    return ir.Atom(atom.collection, atom.args, False, atom.at, atom.span)


def _topological(graph: nx.DiGraph, components: list[set[str]]) -> list[set[str]]:
    """Components so that what is read comes first, in a stable order."""
    number = {id: n for n, members in enumerate(components) for id in members}
    order = nx.DiGraph()
    order.add_nodes_from(range(len(components)))
    order.add_edges_from((number[a], number[b]) for a, b in graph.edges if number[a] != number[b])
    return [components[n] for n in nx.topological_sort(order)]

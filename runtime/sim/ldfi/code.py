"""A Dedalus program made ready to run: rules as code, deductive strata, facts by tick."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import networkx as nx

from bloomish import ir
from bloomish.errors import ProgramError
from bloomish.readers.dedalus.checks import CLOCK, CRASH
from bloomish.readers.dedalus.translate import ARRIVAL, PROVIDED
from bloomish.runtime.sim.ldfi.joins import CompiledRule, Row, compile_rule


@dataclass(frozen=True, slots=True)
class Stratum:
    """Rules that are taken to their fixpoint together."""

    rules: tuple[CompiledRule, ...]
    recursive: bool


@dataclass(frozen=True, slots=True)
class Code:
    """`heads[i]` and `rules[i]` belong together; a sent row's head is its predicate."""

    program: ir.Program
    strata: tuple[Stratum, ...]
    inductive: tuple[CompiledRule, ...]
    asynchronous: tuple[CompiledRule, ...]
    facts: dict[int, dict[str, dict[Row, None]]]
    rosters: tuple[str, ...]
    reads_crash: bool
    reads_clock: bool
    reads_crash_time: bool

    @property
    def rules(self) -> Iterable[CompiledRule]:
        for stratum in self.strata:
            yield from stratum.rules
        yield from self.inductive
        yield from self.asynchronous


def head_of(rule: ir.Rule) -> str:
    """The predicate that a rule derives: of a send, the one that the receiver sees."""
    return rule.head.removesuffix("@async") if rule.op == "<~" else rule.head


def make_code(program: ir.Program) -> Code:
    """Compiles the rules and orders the deductive ones; raises on a negative cycle.

    The hidden channel of an `@async` predicate and the rule that unpacks it
    are one step here: what is sent at t is a row of the predicate at t + 1.
    """
    kinds = {collection.name: collection.kind for collection in program.collections}
    compiled = [
        compile_rule(rule) for rule in program.rules if rule.origin not in (ARRIVAL, PROVIDED)
    ]
    facts: dict[int, dict[str, dict[Row, None]]] = {}
    for fact in program.facts:
        at = facts.setdefault(fact.at or 1, {})
        at.setdefault(fact.collection, {}).update(dict.fromkeys(fact.rows))
    atoms = [part for one in compiled for part in one.rule.body if isinstance(part, ir.Atom)]
    provided = {rule.head for rule in program.rules if rule.origin == PROVIDED}
    crashes = [atom for atom in atoms if atom.collection == CRASH and kinds.get(CRASH) == "input"]
    return Code(
        program,
        deductive_strata([one for one in compiled if one.rule.op == "<="]),
        tuple(one for one in compiled if one.rule.op == "<+"),
        tuple(one for one in compiled if one.rule.op == "<~"),
        facts,
        tuple(name for name, kind in kinds.items() if kind == "roster"),
        bool(crashes),
        CLOCK in provided,
        any(not isinstance(atom.args[2], ir.Wild) for atom in crashes),
    )


def deductive_strata(rules: Sequence[CompiledRule]) -> tuple[Stratum, ...]:
    """Strongly connected components of the rules of one tick, in order.

    Only the deductive fragment has to stratify: a cycle through `@next` or
    `@async` takes time.  So does, usually, an atom with an absolute time: it
    counts as an edge unless that alone would make a cycle.
    """
    graph = _graph(rules, absolute=True)
    if _negative_cycle(graph) is not None:
        graph = _graph(rules, absolute=False)
        cycle = _negative_cycle(graph)
        if cycle is not None:
            raise _unstratifiable(rules, cycle)
    strata = []
    for component in nx.lexicographical_topological_sort(
        (condensed := nx.condensation(graph)),
        key=lambda node: min(condensed.nodes[node]["members"]),
    ):
        members: set[str] = condensed.nodes[component]["members"]
        inside = tuple(one for one in rules if one.rule.head in members)
        recursive = any(
            atom.collection in members and atom.at is None
            for one in inside
            for atom in one.positive
        )
        if inside:
            strata.append(Stratum(inside, recursive))
    return tuple(strata)


def _graph(rules: Sequence[CompiledRule], absolute: bool) -> nx.DiGraph[str]:
    graph: nx.DiGraph[str] = nx.DiGraph()
    for one in rules:
        graph.add_node(one.rule.head)
        for atom in (*one.positive, *one.negative):
            if atom.at is None or absolute:
                strict = atom.negated or bool(one.aggregates)
                old = graph.get_edge_data(atom.collection, one.rule.head, {"strict": False})
                graph.add_edge(atom.collection, one.rule.head, strict=strict or old["strict"])
    return graph


def _negative_cycle(graph: nx.DiGraph[str]) -> set[str] | None:
    for component in nx.strongly_connected_components(graph):
        for source, target, strict in graph.edges(component, data="strict"):
            if strict and source in component and target in component:
                return set(component)
    return None


def _unstratifiable(rules: Sequence[CompiledRule], cycle: set[str]) -> ProgramError:
    inside = [one.rule for one in rules if one.rule.head in cycle]
    first = min(inside, key=lambda rule: (rule.span.file, rule.span.line))
    listing = "; ".join(f"line {rule.span.line}: {rule.span.text}" for rule in inside)
    return ProgramError(
        first.span,
        f"{', '.join(sorted(cycle))} depend on their own absence within one tick ({listing})",
        "let one of these rules take time: `@next` or `@async`",
    )

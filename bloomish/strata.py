"""Strata: within a tick, what must be complete before what is derived.

Only the `<=` rules must stratify: a negative cycle through `<+` or `<~` is a
state machine (Dedalus, Alvaro et al., 2010, section 3; Apt, Blair and Walker,
1988).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bloomish import ir
from bloomish.errors import ProgramError, where
from bloomish.pretty import rule_text
from bloomish.schema import Schema, schema_of


@dataclass(frozen=True, slots=True)
class Edge:
    """A rule's head reads `source`; negative: `source` must be complete first."""

    source: str
    negative: bool
    literal: int  # its place in the body
    why: str = ""  # "negation" or "aggregation" of a negative edge


def grows(aggregate: ir.Aggregate, column: ir.Type) -> bool:
    """Does the aggregate only rise in the column's lattice as its group grows?"""
    if not isinstance(column, ir.Lattice):
        return False
    return (aggregate.name, column.name) in {("count", "Max"), ("max", "Max"), ("min", "Min")}


def edges(program: ir.Program | Schema, rule: ir.Rule) -> tuple[Edge, ...]:
    """What a rule reads, in the order of its body."""
    columns = schema_of(program).collections[rule.head].columns
    aggregated = any(
        isinstance(arg, ir.Aggregate) and not grows(arg, column.type)
        for arg, column in zip(rule.args, columns, strict=True)
    )
    found = []
    for number, literal in enumerate(rule.body):
        if isinstance(literal, ir.Atom):
            why = "negation" if literal.negated else "aggregation" if aggregated else ""
            found.append(Edge(literal.collection, bool(why), number, why))
    return tuple(found)


def components(nodes: Iterable[str], successors: dict[str, list[str]]) -> list[list[str]]:
    """Strongly connected components, each after those that it reads (Tarjan, 1972).

    `successors` of a node is what it reads.  Without recursion, as programs
    may be long.
    """
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    on_stack: set[str] = set()
    stack: list[str] = []
    found: list[list[str]] = []
    for root in nodes:
        if root in index:
            continue
        work = [(root, iter(successors.get(root, ())))]
        index[root] = low[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        while work:
            node, rest = work[-1]
            for after in rest:
                if after not in index:
                    index[after] = low[after] = len(index)
                    stack.append(after)
                    on_stack.add(after)
                    work.append((after, iter(successors.get(after, ()))))
                    break
                if after in on_stack:
                    low[node] = min(low[node], index[after])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    component: list[str] = []
                    while True:
                        member = stack.pop()
                        on_stack.discard(member)
                        component.append(member)
                        if member == node:
                            break
                    found.append(sorted(component))
    return found


def strata(program: ir.Program | Schema) -> list[list[str]]:
    """The collections in the order in which they are completed within a tick.

    Each list is one component of mutually recursive collections over the `<=`
    rules.  Raises ProgramError, with the cycle rule by rule, if a component
    reads itself through a negation or an aggregate.
    """
    schema = schema_of(program)
    reads: dict[str, list[str]] = {}
    negative: list[tuple[ir.Rule, Edge]] = []
    for rule in schema.program.rules:
        if rule.op != "<=":
            continue
        for edge in edges(schema, rule):
            reads.setdefault(rule.head, []).append(edge.source)
            if edge.negative:
                negative.append((rule, edge))
    found = components((c.name for c in schema.program.collections), reads)
    member = {name: number for number, component in enumerate(found) for name in component}
    for rule, edge in negative:
        if member[rule.head] == member[edge.source]:
            raise _unstratifiable(schema, rule, edge, set(found[member[rule.head]]))
    return found


def _unstratifiable(schema: Schema, rule: ir.Rule, edge: Edge, component: set[str]) -> ProgramError:
    path = _path(schema, edge.source, rule.head, component)
    notes = []
    for step, reads, why in [(rule, edge.source, edge.why), *path]:
        how = f", by {why}" if why else ""
        place = where(step.span)
        notes.append(f"{step.head} needs {reads}{how}: {step.name}{f' at {place}' * bool(place)}")
        if path:
            notes += [f"    {line}" for line in (step.span.text or rule_text(step)).splitlines()]
    mend = f"break the cycle with `<+`, so that `{rule.head}` changes at the next tick"
    if path:
        mend += f", or derive `{edge.source}` without `{rule.head}`"
    what = f"`{rule.head}` depends on its own {edge.why} within one tick"
    return ProgramError(rule.span, what, mend, tuple(notes))


def _path(
    schema: Schema, start: str, goal: str, component: set[str]
) -> list[tuple[ir.Rule, str, str]]:
    """The shortest chain of `<=` rules by which `start` reads `goal`."""
    if start == goal:
        return []
    rules: dict[str, list[tuple[ir.Rule, Edge]]] = {}
    for rule in schema.program.rules:
        if rule.op == "<=" and rule.head in component:
            rules.setdefault(rule.head, []).extend((rule, e) for e in edges(schema, rule))
    came: dict[str, tuple[str, ir.Rule, Edge]] = {}
    layer = [start]
    while layer and goal not in came:
        following = []
        for name in layer:
            for rule, edge in rules.get(name, ()):
                if edge.source in component and edge.source not in came and edge.source != start:
                    came[edge.source] = (name, rule, edge)
                    following.append(edge.source)
        layer = following
    chain: list[tuple[ir.Rule, str, str]] = []
    while goal != start:
        before, rule, edge = came[goal]
        chain.append((rule, goal, edge.why))
        goal = before
    return chain[::-1]

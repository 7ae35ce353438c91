"""Views follow their tables: larger inputs than random programs have, against simple loops."""

from __future__ import annotations

import random
from collections.abc import Iterable

import networkx
import pytest

from bloomish import (
    Key,
    Min,
    Program,
    SetUnion,
    _,
    count,
    input,
    max_,
    notin,
    scratch,
    size,
    sum_,
    table,
    variables,
)
from bloomish.program import compile
from bloomish.runtime.evaluator import Evaluator
from bloomish.runtime.evaluators import engine_built, make_evaluator

pytestmark = pytest.mark.skipif(not engine_built(), reason="the engine was not built here")

a, b, c, d, n, x, y, z = variables("a b c d n x y z")
Edge = tuple[int, int]


class Graph(Program):
    put = input(x=int, y=int)
    drop = input(x=int, y=int)
    edge = table(x=int, y=int)

    edge(x, y) <= put(x, y)
    edge(x, y) < -drop(x, y)


class Closure(Graph):
    """One recursive relation, linear."""

    path = scratch(x=int, y=int)

    path(x, y) <= Graph.edge(x, y)
    path(x, z) <= path(x, y) & Graph.edge(y, z)


class Doubling(Graph):
    """One recursive relation, with itself."""

    path = scratch(x=int, y=int)

    path(x, y) <= Graph.edge(x, y)
    path(x, z) <= path(x, y) & path(y, z)


class Alternating(Graph):
    """Two relations, each by the other."""

    odd = scratch(x=int, y=int)
    even = scratch(x=int, y=int)

    odd(x, y) <= Graph.edge(x, y)
    odd(x, z) <= even(x, y) & Graph.edge(y, z)
    even(x, z) <= odd(x, y) & Graph.edge(y, z)


class Stuck(Graph):
    """A negation over a recursion."""

    path = scratch(x=int, y=int)
    apart = scratch(x=int, y=int)

    path(x, y) <= Graph.edge(x, y)
    path(x, z) <= path(x, y) & Graph.edge(y, z)
    apart(x, y) <= Graph.edge(x, _) & Graph.edge(_, y) & notin(path(x, y))


class Distances(Graph):
    """A recursive lattice."""

    distance = scratch(x=Key(int), d=Min(int))

    distance(0, 0) <= Graph.edge(_, _)
    distance(y, d + 1) <= distance(x, d) & Graph.edge(x, y)


class Degrees(Graph):
    """Aggregates that are carried on, and joins under them."""

    degree = scratch(x=int, n=int)
    weight = scratch(x=int, total=int, greatest=int)

    degree(x, count()) <= Graph.edge(x, _)
    weight(x, sum_(z), max_(z)) <= Graph.edge(x, y) & Graph.edge(y, z)


class Followers(Graph):
    """A lattice that gathers, and a threshold on it."""

    before = scratch(x=Key(int), by=SetUnion(int))
    popular = scratch(x=int)

    before(y, {x}) <= Graph.edge(x, y)
    popular(x) <= before(x, a) & (size(a) > 2)


def evaluator(program: type[Program]) -> Evaluator:
    made = compile(program)
    node = make_evaluator(made.program, made.externals, which="engine")
    node.tick()
    return node


def expected(program: type[Program], edges: set[Edge]) -> dict[str, set[tuple[object, ...]]]:
    graph = networkx.DiGraph(sorted(edges))
    paths = {
        (one, other)
        for one in graph
        for other in graph
        if any(
            other == after or networkx.has_path(graph, after, other)
            for after in graph.successors(one)
        )
    }
    if program in (Closure, Doubling):
        return {"path": set(paths)}
    if program is Alternating:
        odd, even = set(edges), set()
        while True:
            more = {(p, r) for p, q in odd for r in graph.successors(q)} - even
            less = {(p, r) for p, q in even | more for r in graph.successors(q)} - odd
            if not more and not less:
                return {"odd": set(odd), "even": set(even)}
            even |= more
            odd |= less
    if program is Stuck:
        heads, tails = {p for p, _ in edges}, {q for _, q in edges}
        return {"apart": {(p, q) for p in heads for q in tails} - paths}
    if program is Distances:
        if not edges:
            return {"distance": set()}
        graph.add_node(0)
        return {"distance": set(networkx.single_source_shortest_path_length(graph, 0).items())}
    if program is Degrees:
        degrees = {(p, graph.out_degree(p)) for p in graph if graph.out_degree(p)}
        weights = set()
        for p in graph:
            ends = [r for q in graph.successors(p) for r in graph.successors(q)]
            if ends:
                weights.add((p, sum(ends), max(ends)))
        return {"degree": degrees, "weight": weights}
    sets = {q: frozenset(graph.predecessors(q)) for q in graph if graph.in_degree(q)}
    return {"before": set(sets.items()), "popular": {(q,) for q, s in sets.items() if len(s) > 2}}


PROGRAMS = (Closure, Doubling, Alternating, Stuck, Distances, Degrees, Followers)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
@pytest.mark.parametrize("seed", range(3))
def test_a_view_follows_insertions_and_deletions(program: type[Program], seed: int) -> None:
    rng = random.Random(seed)
    nodes = 14
    node = evaluator(program)
    edges: set[Edge] = set()

    def check() -> None:
        for name, rows in expected(program, edges).items():
            assert set(node.contents(name)) == rows, name

    for _step in range(60):
        put = {(rng.randrange(nodes), rng.randrange(nodes)) for _ in range(rng.choice((0, 1, 4)))}
        drop = _some(rng, edges, rng.choice((0, 1, 3)))
        node.insert("put", sorted(put))
        node.insert("drop", sorted(drop))
        node.tick()
        edges |= put
        check()
        node.tick()
        edges -= drop
        check()


def _some(rng: random.Random, edges: Iterable[Edge], most: int) -> set[Edge]:
    found = sorted(edges)
    return set(rng.sample(found, min(most, len(found))))


def test_a_deletion_visits_few_rows() -> None:
    """In a graph of one component nearly every path goes through every edge, somehow."""
    rng = random.Random(5)
    edges = sorted({(rng.randrange(150), rng.randrange(150)) for _ in range(450)})
    node = evaluator(Closure)
    node.insert("put", edges)
    node.tick()
    before = node.contents("path")
    for edge in edges[:40]:
        node.insert("drop", [edge])
        node.tick()
        node.tick()
        node.insert("put", [edge])
        node.tick()
    assert node.contents("path") == before

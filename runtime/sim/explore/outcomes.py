"""How schedules end: the states that fair schedules settle in, and what they hold.

A schedule ends where nothing new can happen any more, or in a set of states
round which it goes for ever (a retry loop): in a strongly connected component
without a way out (Tarjan 1972).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bloomish.order import order_key
from bloomish.runtime.sim.explore.sites import SET_ASIDE
from bloomish.runtime.sim.explore.space import Space

Content = tuple[tuple[str, str, tuple[Any, ...]], ...]  # (node, collection, rows)


@dataclass(frozen=True)
class Outcome:
    """One way to end, and a state in which a schedule does."""

    content: Content
    state: int

    def rows(self, node: str, collection: str) -> tuple[Any, ...]:
        """A collection's rows at a node."""
        for where, name, rows in self.content:
            if (where, name) == (node, collection):
                return rows
        return ()


def outcomes(space: Space) -> list[Outcome]:
    """Distinct contents at the end of schedules, in the order they were met."""
    found: dict[Any, Outcome] = {}
    for component in _ends(space):
        quiet = [
            state
            for state in component
            if space.limits.step == "action" or not space.states[state].flying
        ]
        for state in sorted(quiet or component):
            content = content_of(space, state)
            key = tuple((node, name, order_key(rows)) for node, name, rows in content)
            found.setdefault(key, Outcome(content, state))
    return sorted(found.values(), key=lambda outcome: outcome.state)


def content_of(space: Space, state: int) -> Content:
    """What all nodes hold and have handed over."""
    content = []
    for site, local in zip(space.sites, space.states[state].locals, strict=True):
        for name, rows in sorted(site.contents(local).items()):
            if rows:
                content.append((site.node, name, tuple(sorted(rows, key=order_key))))
    return tuple(content)


def _ends(space: Space) -> list[list[int]]:
    """Components without a way out, of the states that were explored."""
    component = _components(space.edges)
    members: dict[int, list[int]] = {}
    open_: set[int] = set()
    for state, number in enumerate(component):
        members.setdefault(number, []).append(state)
        if state not in space.expanded or any(component[to] != number for to in space.edges[state]):
            open_.add(number)
    return [states for number, states in sorted(members.items()) if number not in open_]


def _components(edges: Sequence[Sequence[int]]) -> list[int]:
    """The number of each state's strongly connected component."""
    count = len(edges)
    index = [-1] * count
    low = [0] * count
    component = [-1] * count
    stack: list[int] = []
    clock = 0
    for root in range(count):
        if index[root] >= 0:
            continue
        work = [(root, 0)]
        while work:
            node, place = work.pop()
            if place == 0:
                index[node] = low[node] = clock
                clock += 1
                stack.append(node)
            descend = False
            for position in range(place, len(edges[node])):
                to = edges[node][position]
                if index[to] < 0:
                    work += [(node, position + 1), (to, 0)]
                    descend = True
                    break
                if component[to] < 0:
                    low[node] = min(low[node], index[to])
            if descend:
                continue
            if low[node] == index[node]:
                while True:
                    member = stack.pop()
                    component[member] = node
                    if member == node:
                        break
            if work:
                parent = work[-1][0]
                low[parent] = min(low[parent], low[node])
    return component


def by_decided_log(space: Space, found: Sequence[Outcome]) -> Mapping[Any, list[Outcome]]:
    """Outcomes by what is decided at run time: the collections that a guard declares
    `ordered`, or that lie in the scope of a protocol.  One outcome for each is what
    coordination promises; a seal decides nothing, so there is one in all."""
    decided: dict[Any, list[Outcome]] = {}
    distinct: dict[Any, set[Any]] = {}
    for outcome in found:
        log: list[Any] = []
        rest: list[Any] = []
        for node, name, rows in outcome.content:
            (log if _is_decided(space, node, name) else rest).append((node, name, order_key(rows)))
        if tuple(rest) not in distinct.setdefault(tuple(log), set()):
            distinct[tuple(log)].add(tuple(rest))
            decided.setdefault(tuple(log), []).append(outcome)
    return decided


def _is_decided(space: Space, node: str, name: str) -> bool:
    collection = name.removeprefix(SET_ASIDE)  # what a protocol refuses is its business too
    program = space.stage.member(node).program
    return any(
        collection in guard.ordered or not guard.scope or collection.startswith(f"{guard.scope}.")
        for guard in program.guards
        if not guard.sealed
    )

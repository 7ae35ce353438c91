"""What modules declare to be sealed: `protocol(sealed={rows: complete})`, taken at its word.

Inside such a module points of order are its own business: it is model-checked
by itself (4.6, trust boundary).  What a program outside sees of it is decreed:
the rows only grow, to what was given; where `complete` has a row, all rows that
agree with it in the columns of both are there and will not change (R14).
What a program gives to the module is not the module's business and is judged
like a send: what may be taken back, or depends on the schedule, stays so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from bloomish import ir
from bloomish.analysis.graph import System, Unit
from bloomish.analysis.modes import CERTAIN, EVENT, GROW, NONDET, Mode


@dataclass(frozen=True, slots=True)
class Contract:
    """`rows` are all there where `complete` says so; `columns` pairs the columns of `complete`
    with those of `rows`."""

    rows: str
    complete: str
    columns: tuple[tuple[int, int], ...]


class Contracts:
    """The sealed collections of one system."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.by_rows: dict[str, Contract] = {}
        self.by_complete: dict[str, Contract] = {}
        self.scopes: dict[str, list[str]] = {}
        for name, role in system.roles.items():
            for guard in role.program.guards:
                for rows, complete in guard.sealed:
                    contract = self._contract(system.id(name, rows), system.id(name, complete))
                    self.by_rows[contract.rows] = contract
                    self.by_complete[contract.complete] = contract
                if guard.sealed:
                    self.scopes.setdefault(name, []).append(guard.scope)

    def _contract(self, rows: str, complete: str) -> Contract:
        places = {column.name: i for i, column in enumerate(self.system.nodes[rows].columns)}
        columns = self.system.nodes[complete].columns
        pairs = tuple((i, places[column.name]) for i, column in enumerate(columns))
        return Contract(rows, complete, pairs)

    # ---------------------------------------------------------------- scopes

    def scope(self, unit: Unit) -> str | None:
        """The module that a rule is part of: all that it mentions lies there."""
        if not self.scopes:
            return None
        named = [unit.rule.head, *(p.collection for p in unit.body if isinstance(p, ir.Atom))]
        for scope in self.scopes.get(unit.role, ()):
            if all(within(name, scope) for name in named):
                return scope
        return None

    def gives(self, unit: Unit) -> bool:
        """Whether a rule outside hands rows to a module."""
        return (
            bool(self.scopes)
            and self.scope(unit) is None
            and any(within(unit.rule.head, scope) for scope in self.scopes.get(unit.role, ()))
        )

    @cached_property
    def decreed(self) -> Mapping[str, tuple[str, ...]]:
        """What a module's interface consists of, by node: the collections that are given to it
        from outside and lead there."""
        if not self.scopes:
            return {}
        inside = {unit.id for unit in self.system.units if self.scope(unit) is not None}
        found = {}
        for id, node in self.system.nodes.items():
            mine = any(unit.id in inside for unit in self.system.producers[id])
            interface = node.kind == "channel" or id in self.by_rows or id in self.by_complete
            if mine and interface:
                found[id] = self._entries(id, inside)
        return found

    def _entries(self, node: str, inside: set[int]) -> tuple[str, ...]:
        """Collections of the module beneath a node that rules outside give rows to."""
        seen, queue = {node}, [node]
        entries: dict[str, None] = {}
        while queue:
            at = queue.pop()
            for unit in self.system.producers[at]:
                if unit.id not in inside:
                    entries[at] = None
                    continue
                for use in unit.uses:
                    if use.node not in seen:
                        seen.add(use.node)
                        queue.append(use.node)
        return tuple(entries)

    def mode(self, unit: Unit, modes: Mapping[str, Mode]) -> Mode | None:
        """The mode by decree of what a rule of a module derives, None if it is not decreed."""
        entries = self.decreed.get(unit.head)
        if entries is None or self.scope(unit) is None:
            return None
        if any(modes[entry] not in CERTAIN for entry in entries):
            return NONDET
        return EVENT if self.system.nodes[unit.head].kind == "channel" else GROW


def within(name: str, scope: str) -> bool:
    """Whether a collection is one of the module under `scope`; all are under ""."""
    return not scope or name.startswith(f"{scope}.")

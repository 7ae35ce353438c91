"""By which columns of a gate a log can be split into shards: see `shard.py` for when it may."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bloomish import ir
from bloomish.analysis.coordination.shard import spread
from bloomish.analysis.graph import System

Places = Mapping[str, int]
"""Collection -> the column in which it has the key."""


@dataclass(frozen=True, slots=True)
class Shard:
    """The columns of a key: for each, where every collection of the cluster has it."""

    names: tuple[str, ...]
    places: tuple[Places, ...]

    def of(self, node: str) -> tuple[int, ...]:
        """Where a collection has the key's columns."""
        return tuple(places[node] for places in self.places)


def key_of(
    system: System, role: str, entries: Sequence[str], written: str, gate: Sequence[str]
) -> Shard:
    """The columns of a gate by which a role's log of these entries can be split.

    `written` is the collection whose columns the gate names.  No column: it cannot.
    """
    program = system.program(role)
    names = {system.id(role, c.name): c.name for c in program.collections}
    columns = system.nodes[written].columns
    kept, found = [], []
    for name in gate:
        place = next((i for i, column in enumerate(columns) if column.name == name), None)
        if place is None or isinstance(columns[place].type, ir.Lattice):
            continue
        places = spread(program, [names[entry] for entry in entries], names[written], place)
        if places is not None:
            kept.append(name)
            found.append({system.id(role, one): at for one, at in places.items()})
    return Shard(tuple(kept), tuple(found))

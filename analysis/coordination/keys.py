"""By which columns a log can be split: all rules that it feeds keep to one key.

A log may be split into shards by a column of its entries if every rule between
the entries and what they write joins rows of one value of that column only:
then no rule ever sees the order between two keys.  Source: ANALYSIS 4.6 (shard
by the gate where all rules of the cluster are keyed by it); the same argument
as for partitions in Blazes (ICDE 2014), seals on a key that a gate contains.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bloomish import ir
from bloomish.analysis.graph import System, Unit, Use

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
    cluster = _cluster(system, role, entries)
    columns = system.nodes[written].columns
    names, found = [], []
    for name in gate:
        place = next((i for i, column in enumerate(columns) if column.name == name), None)
        if place is None or isinstance(columns[place].type, ir.Lattice):
            continue
        places = _spread(system, role, cluster, {written: place})
        if places is not None and all(entry in places for entry in entries):
            names.append(name)
            found.append(places)
    return Shard(tuple(names), tuple(found))


def _cluster(system: System, role: str, entries: Sequence[str]) -> frozenset[str]:
    """What rows of the entries flow into at this role."""
    queue, found = list(entries), set(entries)
    while queue:
        for unit in system.readers[queue.pop()]:
            if unit.role == role and unit.op != "<~" and unit.head not in found:
                found.add(unit.head)
                queue.append(unit.head)
    return frozenset(found)


def _spread(
    system: System, role: str, cluster: frozenset[str], start: dict[str, int]
) -> Places | None:
    """The key's column everywhere in the cluster; None where a rule does not keep to one key."""
    places = dict(start)
    units = [
        unit
        for unit in system.units
        if unit.role == role and any(use.node in cluster for use in unit.uses)
    ]
    grown = True
    while grown:
        before = len(places)
        for unit in units:
            if not _keeps(system, unit, cluster, places):
                return None
        grown = len(places) > before
    needed = {node for node in cluster if any(u.role == role for u in system.readers[node])}
    return places if needed <= places.keys() else None


def _keeps(system: System, unit: Unit, cluster: frozenset[str], places: dict[str, int]) -> bool:
    """One rule: whether all it reads and writes of the cluster has one key; notes new places."""
    uses = [use for use in unit.uses if use.node in cluster]
    kept = unit.head in places or bool(system.readers[unit.head])
    heads = kept and unit.head in cluster and unit.op != "<~"
    if len(uses) == 1 and not heads:
        return True  # an answer to one row
    known = {_term(use, places[use.node]) for use in uses if use.node in places}
    if heads and unit.head in places:
        known.add(unit.rule.args[places[unit.head]])
    if not known:
        return True
    (term, *others) = known
    if others or not isinstance(term, ir.Var):
        return False
    for use in uses:
        if use.node not in places:
            if term not in use.atom.args:
                return False
            places[use.node] = use.atom.args.index(term)
    if heads and unit.head not in places:
        if term not in unit.rule.args:
            return False
        places[unit.head] = unit.rule.args.index(term)
    return True


def _term(use: Use, place: int) -> ir.HeadArg:
    return use.atom.args[place]

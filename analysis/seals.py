"""Seals: when a partition of a collection is known to be complete (R11).

The form that is recognised, with any names and columns:

    item(to, b, x) <~ source(b, x) & ...            one producer, constant rows
    manifest(to, b, count(x)) <~ source(b, x) & ... and how many there are per b
    q(b, x) <= item(_, b, x)        m(b, n) <= manifest(_, b, n)
    had(b, count(x)) <= q(b, x)
    done(b) <= m(b, n) & had(b, n)                  or (h >= n), or in the rule itself

Where as many rows as the manifest says have come, nothing more can come for
that b: `q` is complete there.  Source: sealing by punctuations (Alvaro et al.,
CIDR 2011, section 5; Blazes, ICDE 2014).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bloomish import ir
from bloomish.analysis.expressions import conjuncts
from bloomish.analysis.graph import System, Unit, Use
from bloomish.analysis.modes import CONST, LASTING, Mode

Places = dict[int, int]
"""Columns of one collection -> columns of another that hold the same values."""


@dataclass(frozen=True, slots=True)
class Count:
    """A collection that counts the rows of `counted` per group: `column` has the number,
    `groups` maps its other columns to those of `counted`; `of` is the counted column."""

    counted: str
    column: int
    groups: tuple[tuple[int, int], ...]
    of: int | None


class Seals:
    """Finds what is sealed by counts, once per rule."""

    def __init__(self, system: System) -> None:
        self.system = system
        self._counts: dict[str, Count | None] = {}
        self._sealed: dict[tuple[int, str], tuple[frozenset[str], ...]] = {}

    def closes(self, unit: Unit, use: Use, modes: Mapping[str, Mode]) -> str:
        """Why the partition that an atom asks about is complete, "" if that is not known."""
        if not self._is_kept(use.node) or modes[use.node] not in LASTING:
            return ""
        for guard in unit.positives:
            for places in self._guarded(guard, use.node, modes):
                if all(
                    isinstance(use.atom.args[at], ir.Var)
                    and use.atom.args[at] == guard.atom.args[of]
                    for of, at in places.items()
                ):
                    return f"{guard.atom.collection} says that {use.atom.collection} is complete"
        for names in self.sealed_here(unit, use.node, modes):
            count = self._count_of(use.node)
            if count and all(_is_in(use.atom.args[at], names) for _, at in count.groups):
                return f"as many rows of {use.atom.collection} as its manifest says have come"
        return ""

    def reached(self, unit: Unit, use: Use, modes: Mapping[str, Mode]) -> str:
        """Why a count that must equal a manifest stays equal to it, "" if it need not."""
        count = self._count(use.node)
        if count and self.sealed_here(unit, count.counted, modes):
            return f"{use.atom.collection} cannot pass what the manifest says"
        return ""

    def _guarded(self, guard: Use, q: str, modes: Mapping[str, Mode]) -> Iterator[Places]:
        """For a collection `done(b)` all of whose rules seal q: done's columns to q's."""
        units = self.system.producers[guard.node]
        count = self._count_of(q)
        if not units or not count or guard.node in self.system.facts or len(units) != 1:
            return
        (unit,) = units
        if unit.op == "<-":
            return
        for names in self.sealed_here(unit, q, modes):
            counter = next(u for u in unit.positives if u.node == self._counter(q))
            places: Places = {}
            for group, at in count.groups:
                variable = counter.atom.args[group]
                for i, argument in enumerate(unit.rule.args):
                    if argument == variable and _is_in(argument, names):
                        places[i] = at
            if len(set(places.values())) == len(count.groups):
                yield places

    def sealed_here(
        self, unit: Unit, q: str, modes: Mapping[str, Mode]
    ) -> tuple[frozenset[str], ...]:
        """The group variables for which this rule's own body says that q is complete."""
        counter = self._counter(q)
        count = self._count_of(q)
        if not counter or not count:
            return ()
        found = []
        for had in (use for use in unit.positives if use.node == counter):
            for manifest in unit.positives:
                if manifest is not had and modes[manifest.node] in LASTING:
                    column = _equated(unit, had, count.column, manifest)
                    if column is not None and self._is_manifest(
                        manifest, column, had, count, q, modes
                    ):
                        groups = {had.atom.args[group] for group, _ in count.groups}
                        found.append(frozenset(v.name for v in groups if isinstance(v, ir.Var)))
        return tuple(found)

    # --------------------------------------------------------------- counts

    def _counter(self, q: str) -> str:
        """The collection that counts q, "" if none does."""
        for unit in self.system.readers[q]:
            count = self._count(unit.head)
            if count and count.counted == q:
                return unit.head
        return ""

    def _count_of(self, q: str) -> Count | None:
        counter = self._counter(q)
        return self._count(counter) if counter else None

    def _count(self, node: str) -> Count | None:
        if node not in self._counts:
            self._counts[node] = self._find_count(node)
        return self._counts[node]

    def _find_count(self, node: str) -> Count | None:
        units = self.system.producers[node]
        if len(units) != 1 or node in self.system.facts or units[0].op != "<=":
            return None
        (unit,) = units
        if len(unit.body) != 1 or len(unit.positives) != 1:
            return None
        return _counting(unit, unit.positives[0])

    # ------------------------------------------------------------ manifests

    def _is_manifest(
        self,
        manifest: Use,
        column: int,
        had: Use,
        count: Count,
        q: str,
        modes: Mapping[str, Mode],
    ) -> bool:
        """Whether the manifest counts, at the one producer, the very rows that q gets."""
        wanted: Places = {}  # q's columns -> the manifest's
        for group, at in count.groups:
            argument = had.atom.args[group]
            matches = [i for i, other in enumerate(manifest.atom.args) if other == argument]
            if not isinstance(argument, ir.Var) or not matches:
                return False
            wanted[at] = matches[0]
        said = self._source(manifest.node, [column, *wanted.values()], modes)
        come = self._source(q, list(range(len(self.system.nodes[q].columns))), modes)
        if said is None or come is None:
            return False
        counting, places = said
        producing, where = come
        own = _counting(counting, _rows(self.system, counting))
        shipped = _rows(self.system, producing)
        if own is None or counting.head not in self.system.nodes or own.counted != shipped.node:
            return False
        if places.get(column) != own.column:
            return False
        columns = {
            at: shipped.atom.args.index(producing.rule.args[i])
            for at, i in where.items()
            if producing.rule.args[i] in shipped.atom.args
        }
        groups = dict(own.groups)
        same = all(groups.get(places.get(wanted[at], -1)) == columns.get(at) for at in wanted)
        if len(own.groups) != len(count.groups) or not same:
            return False
        if count.of is not None and own.of is not None:
            return columns.get(count.of) == own.of
        whole = {*columns.values()} == {*range(len(shipped.atom.args))}
        return count.of is None and own.of is None and whole

    def _source(
        self, node: str, columns: list[int], modes: Mapping[str, Mode]
    ) -> tuple[Unit, Places] | None:
        """The one rule over constant rows that a collection's rows are copies from, and
        where in its head these columns stand."""
        places = {column: column for column in columns}
        for _ in range(len(self.system.nodes)):
            units = self.system.producers[node]
            if len(units) != 1 or units[0].op in ("<-", "<+-") or node in self.system.facts:
                return None
            (unit,) = units
            if unit.negatives or unit.conditions or len(unit.body) != len(unit.positives):
                return None
            if all(modes[use.node] is CONST for use in unit.positives):
                return unit, places
            moving = [use for use in unit.positives if modes[use.node] is not CONST]
            if len(unit.positives) != 1 or unit.aggregates:
                return None
            (use,) = moving
            following: Places = {}
            for column, at in places.items():
                argument = unit.rule.args[at]
                if not isinstance(argument, ir.Var) or argument not in use.atom.args:
                    return None
                following[column] = use.atom.args.index(argument)
            node, places = use.node, following
        return None

    def _is_kept(self, q: str) -> bool:
        return self.system.nodes[q].persisted


def _rows(system: System, unit: Unit) -> Use:
    """The atom that a producer's rows come from: that which is no roster."""
    rows = [use for use in unit.positives if system.nodes[use.node].kind != "roster"]
    return rows[0] if len(rows) == 1 else unit.positives[0]


def _counting(unit: Unit, rows: Use) -> Count | None:
    """A rule `head(b, count(x)) <- rows(b, x)` as a count."""
    if len(unit.aggregates) != 1 or unit.aggregates[0][1].name != "count":
        return None
    column, aggregate = unit.aggregates[0]
    of: int | None = None
    if aggregate.value is not None:
        if aggregate.value not in rows.atom.args:
            return None
        of = rows.atom.args.index(aggregate.value)
    elif any(not isinstance(argument, ir.Var) for argument in rows.atom.args):
        return None
    groups = []
    for i, argument in enumerate(unit.rule.args):
        if i == column:
            continue
        if isinstance(argument, ir.Var) and argument in rows.atom.args:
            groups.append((i, rows.atom.args.index(argument)))
        elif unit.op != "<~":
            return None
    return Count(rows.node, column, tuple(groups), of)


def _equated(unit: Unit, had: Use, column: int, manifest: Use) -> int | None:
    """The manifest's column that a rule holds equal to, or not above, the count."""
    number = had.atom.args[column]
    for i, argument in enumerate(manifest.atom.args):
        if not isinstance(argument, ir.Var):
            continue
        if argument == number:
            return i
        for condition in unit.conditions:
            for test in conjuncts(condition.test):
                if isinstance(test, ir.Binary) and (test.op, test.left, test.right) in (
                    ("==", number, argument),
                    ("==", argument, number),
                    (">=", number, argument),
                    ("<=", argument, number),
                ):
                    return i
    return None


def _is_in(argument: ir.HeadArg, names: frozenset[str]) -> bool:
    return isinstance(argument, ir.Var) and argument.name in names

"""Functional dependencies: which columns determine which, and where that is proven.

Three strengths.  At *tick* level a dependency holds among the rows that a
collection has in one tick: that is what a declared `Key` enforces.  At *node*
level it holds among all rows that it ever has at one node, at *run* level
among all rows at all nodes: that is what makes "first come wins" harmless
(R4), since rivals are equal.  A proof is by closure over the rule's body, as in database theory
(Armstrong); a user may vouch with `Assume("fd")` (R13).
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from bloomish import ir
from bloomish.analysis.expressions import mentions, variables_of
from bloomish.analysis.graph import System, Unit, Use


class Level(Enum):
    TICK = "tick"
    NODE = "node"
    RUN = "run"


class Dependencies:
    """Answers, with memory, what determines what in one system."""

    def __init__(self, system: System) -> None:
        self.system = system
        self._proofs: dict[tuple[str, frozenset[int], Level], frozenset[int]] = {}
        self._assumed: dict[str, list[tuple[frozenset[int], frozenset[int]]]] = {}
        for role in system.roles.values():
            for assumption in role.program.assumptions:
                if assumption.kind == "fd":
                    self._assume(system.id(role.name, assumption.collection), assumption)

    def _assume(self, node: str, assumption: ir.Assume) -> None:
        names = [column.name for column in self.system.nodes[node].columns]
        key = frozenset(names.index(name) for name in assumption.key)
        given = assumption.value or tuple(names)
        value = frozenset(names.index(name) for name in given)
        self._assumed.setdefault(node, []).append((key, value))

    def determined(self, node: str, columns: Iterable[int], level: Level) -> frozenset[int]:
        """The columns of a collection that these columns determine."""
        start = frozenset(columns)
        memo = (node, start, level)
        if memo not in self._proofs:
            self._proofs[memo] = start  # what recursion may rely on: nothing more
            self._proofs[memo] = self._determined(node, start, level)
        return self._proofs[memo]

    def _determined(self, node: str, start: frozenset[int], level: Level) -> frozenset[int]:
        found = start
        declared = self.system.nodes[node]
        everything = frozenset(range(len(declared.columns)))
        for key, value in self._assumed.get(node, ()):
            if key <= start:
                found |= value
        keys = frozenset(declared.keys)
        if keys and keys <= start and self._enforced(node, level):
            return everything
        if declared.kind == "roster" or found == everything:
            return found
        return found | self._proven(node, start, level)

    def _enforced(self, node: str, level: Level) -> bool:
        """Whether a declared key holds at this level."""
        declared = self.system.nodes[node]
        if level is Level.TICK or declared.kind == "const":
            return True
        if node in self.system.external:  # a promise of who fills it
            return level is Level.NODE or declared.kind == "channel"
        if not declared.persisted:
            return False
        if level is Level.NODE:  # what stays refuses its rivals
            return all(unit.op in ("<=", "<+") for unit in self.system.producers[node])
        return not self.system.producers[node]  # the program's own facts, the same everywhere

    def _proven(self, node: str, start: frozenset[int], level: Level) -> frozenset[int]:
        units = self.system.producers[node]
        facts = self.system.facts.get(node, ())
        if not units:
            if not facts or self.system.nodes[node].kind in ("input", "channel"):
                return frozenset()
            return _in_rows(row for given in facts for row in given.rows)(start)
        if len(units) != 1 or facts or node in self.system.external:
            return frozenset()
        unit = units[0]
        if unit.op == "<-" or self.system.nodes[node].kind == "input":
            return frozenset()
        if unit.op == "<~" and level is Level.NODE:
            level = Level.RUN  # what arrives here was sent by any node
        return self.head_determined(unit, start, level)

    # ------------------------------------------------------------ in a rule

    def head_determined(
        self,
        unit: Unit,
        start: frozenset[int],
        level: Level,
        settled: frozenset[int] = frozenset(),
    ) -> frozenset[int]:
        """The head columns of one rule's rows that these head columns determine.

        The body atoms `settled`, by index, have the same rows in all ticks that matter.
        """
        args = unit.rule.args
        if level is Level.RUN and self._one_node(unit, start):
            level = Level.NODE
        group = [i for i, arg in enumerate(args) if not isinstance(arg, ir.Aggregate)]
        known = self.closure(unit, _given(args, start), level, settled)
        found = {i for i in group if i in start or self._is_known(args[i], known, level)}
        ranked = any(aggregate.name == "index" for _, aggregate in unit.aggregates)
        if found >= set(group) and not ranked and self._same_groups(unit, level, settled):
            found |= {i for i, _ in unit.aggregates}
        return frozenset(found) | start

    def _one_node(self, unit: Unit, start: frozenset[int]) -> bool:
        """Whether rows that agree in these columns come from one node."""
        by_address = any(isinstance(unit.rule.args[i], ir.Here) for i in start)
        alone = self.system.closed and self.system.roles[unit.role].size == 1
        return by_address or alone

    def _same_groups(self, unit: Unit, level: Level, settled: frozenset[int]) -> bool:
        """An aggregate has one value per group in a tick; over a run only if nothing moves."""
        return level is Level.TICK or all(
            use.index in settled
            or (not self.system.producers[use.node] and use.node not in self.system.asynchronous)
            for use in unit.uses
        )

    def closure(
        self,
        unit: Unit,
        known: Iterable[str],
        level: Level,
        settled: frozenset[int] = frozenset(),
    ) -> frozenset[str]:
        """All variables of the body that these determine."""
        names = set(known)
        grown = True
        while grown:
            before = len(names)
            for use in unit.positives:
                within = Level.TICK if use.index in settled else level
                names |= self._from_atom(use, names, within)
            for condition in unit.conditions:
                names |= self._from_condition(condition.test, names, level)
            grown = len(names) > before
        return frozenset(names)

    def _from_atom(self, use: Use, names: set[str], level: Level) -> set[str]:
        columns = [i for i, arg in enumerate(use.atom.args) if self._is_known(arg, names, level)]
        determined = self.determined(use.node, columns, level)
        return {
            argument.name
            for i, argument in enumerate(use.atom.args)
            if i in determined and isinstance(argument, ir.Var)
        }

    def _from_condition(self, test: ir.Expr, names: set[str], level: Level) -> set[str]:
        found: set[str] = set()
        if isinstance(test, ir.Binary) and test.op == "and":
            found |= self._from_condition(test.left, names, level)
            found |= self._from_condition(test.right, names, level)
        if isinstance(test, ir.Binary) and test.op == "==":
            for one, other in ((test.left, test.right), (test.right, test.left)):
                if isinstance(one, ir.Var) and self._is_known(other, names, level):
                    found.add(one.name)
        return found

    def _is_known(self, term: ir.HeadArg, names: Iterable[str], level: Level) -> bool:
        if isinstance(term, (ir.Wild, ir.Aggregate)):
            return False
        moving: tuple[type, ...] = (ir.Random,)
        if level is not Level.TICK:
            moving = (ir.Random, ir.Now, ir.TickNumber)
        if level is Level.RUN:
            moving = (*moving, ir.Here)
        return not mentions(term, *moving) and variables_of(term) <= set(names)


def _given(args: tuple[ir.HeadArg, ...], start: frozenset[int]) -> set[str]:
    """The variables that are given with these head columns."""
    return {arg.name for i, arg in enumerate(args) if i in start and isinstance(arg, ir.Var)}


class _in_rows:
    """The dependencies that hold in rows that are given once and for all."""

    def __init__(self, rows: Iterable[tuple[object, ...]]) -> None:
        self.rows = list(rows)

    def __call__(self, start: frozenset[int]) -> frozenset[int]:
        if not self.rows:
            return start
        width = len(self.rows[0])
        found = set(start)
        order = sorted(start)
        for column in set(range(width)) - start:
            seen: dict[tuple[object, ...], object] = {}
            if all(
                seen.setdefault(tuple(row[i] for i in order), row[column]) == row[column]
                for row in self.rows
            ):
                found.add(column)
        return frozenset(found)

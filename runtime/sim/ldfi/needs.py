"""What must hold for `pre` to hold a row, however it comes to do so.

A run violates the specification only where `pre` holds.  So whatever every
derivation of `pre(X)` needs may not be what falsifies `post(X)`: fault sets
that take it away are excused, and are not worth running (Molly's vacuity).
"""

from __future__ import annotations

from dataclasses import dataclass

from bloomish.readers.dedalus.checks import CRASH
from bloomish.runtime.sim.ldfi.binding import (
    FREE,
    Binding,
    cases,
    is_bound,
    of_head,
    pattern_of,
)
from bloomish.runtime.sim.ldfi.gains import Rules
from bloomish.runtime.sim.ldfi.joins import CompiledRule
from bloomish.runtime.sim.ldfi.lineage import Fact, Lineage


@dataclass(frozen=True, slots=True)
class Needs:
    """Facts that hold, and nodes that do not crash."""

    facts: frozenset[Fact] = frozenset()
    up: frozenset[str] = frozenset()

    def __or__(self, other: Needs) -> Needs:
        return Needs(self.facts | other.facts, self.up | other.up)

    def __and__(self, other: Needs) -> Needs:
        return Needs(self.facts & other.facts, self.up & other.up)


class Necessity:
    """Needs of facts in one run and in every run with more faults."""

    def __init__(self, lineage: Lineage, rules: Rules) -> None:
        self.lineage = lineage
        self.rules = rules
        self._known: dict[Fact, Needs] = {}

    def of(self, fact: Fact) -> Needs:
        """What every derivation of the fact needs, the fact itself included."""
        known = self._known.get(fact)
        if known is None:
            own = Needs(frozenset((fact,)))
            self._known[fact] = own  # within a cycle: itself, which is less and as safe
            known = self._known[fact] = own | self._common(fact)
        return known

    def _common(self, fact: Fact) -> Needs:
        if self.lineage.is_given(fact) or fact.collection in self.rules.provided:
            return Needs()
        common: Needs | None = None
        for rule in self.rules.of.get(fact.collection, ()):
            then = fact.time if rule.rule.op == "<=" else fact.time - 1
            binding = of_head(rule, fact.row)
            if then < 1 or binding is None:
                continue
            if rule.aggregates:
                return Needs()
            content = self.lineage.run.steps[then]
            for case in cases(rule, binding, content, self.rules.stable):
                needs = self._body(rule, case, then)
                common = needs if common is None else common & needs
                if not common.facts and not common.up:
                    return common
        return common or Needs()

    def _body(self, rule: CompiledRule, binding: Binding, time: int) -> Needs:
        needs = Needs()
        for atom in rule.positive:
            pattern = pattern_of(atom, binding)
            if is_bound(atom, pattern) and FREE not in pattern:
                needs |= self.of(Fact(atom.collection, pattern, atom.at or time))
        for atom in rule.negative:
            pattern = pattern_of(atom, binding)
            if atom.collection == CRASH and CRASH in self.rules.provided:
                if pattern[1] is not FREE and is_bound(atom, pattern) and pattern[2] is FREE:
                    observers = pattern[0] is FREE or pattern[0] in self.lineage.run.nodes
                    needs |= Needs(up=frozenset((pattern[1],) if observers else ()))
        return needs

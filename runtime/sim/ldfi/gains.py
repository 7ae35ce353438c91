"""Which rows could appear under more faults, and through what loss.

A fault takes messages away.  A row that is absent from a run can appear under
more faults only through a rule that reads an absence: a `notin`, an aggregate
whose group changes, or a provided relation that grows with faults (`crash`).
Rows are asked for by pattern, and a rule's body is filled in as far as its
head and the relations that cannot gain determine it: what holds already is
not a reason, what does not must be gained or lost for the rule to fire.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from bloomish import ir
from bloomish.readers.dedalus.checks import CLOCK, CRASH
from bloomish.runtime.sim.ldfi.binding import (
    FREE,
    Binding,
    Pattern,
    cases,
    evaluate,
    is_bound,
    matches,
    matching,
    of_head,
    pattern_of,
)
from bloomish.runtime.sim.ldfi.code import Code, head_of
from bloomish.runtime.sim.ldfi.joins import CompiledRule, location
from bloomish.runtime.sim.ldfi.lineage import Fact

if TYPE_CHECKING:
    from bloomish.runtime.sim.ldfi.formula import Formula, Lit


class Rules:
    """A program's rules by head, and the relations that never gain a row by a fault."""

    def __init__(self, code: Code) -> None:
        self.code = code
        self.of: dict[str, list[CompiledRule]] = {}
        for rule in code.rules:
            self.of.setdefault(head_of(rule.rule), []).append(rule)
        self.provided = {CRASH} if code.reads_crash else set()
        if code.reads_clock:
            self.provided.add(CLOCK)
        names = {collection.name for collection in code.program.collections}
        self.stable = self._stable(names - self.provided)

    def _stable(self, names: set[str]) -> frozenset[str]:
        stable = set(names)
        while True:
            shaken = {name for name in stable if not self._is_stable(name, stable)}
            if not shaken:
                return frozenset(stable)
            stable -= shaken

    def _is_stable(self, name: str, stable: set[str]) -> bool:
        return all(
            not rule.aggregates
            and all(atom.collection in stable for atom in rule.positive)
            and all(self._is_given(atom.collection) for atom in rule.negative)
            for rule in self.of.get(name, ())
        )

    def _is_given(self, name: str) -> bool:
        """Facts alone: nothing of it can be lost."""
        return name not in self.of and name not in self.provided


class Gains:
    """Answers for one run, as literals of its formula."""

    def __init__(self, formula: Formula, rules: Rules) -> None:
        self.formula = formula
        self.rules = rules
        self.nodes = formula.bounds.nodes

    def gained(self, relation: str, pattern: Pattern, time: int) -> Lit:
        """A row that fits the pattern, and that this run does not have, is there."""
        if not 1 <= time <= self.formula.bounds.eot or relation in self.rules.stable:
            return None
        key = ("gained", relation, pattern, time)
        return self.formula.disjunction(key, lambda: self._causes(relation, pattern, time))

    def member(self, rule: CompiledRule, binding: Binding, time: int) -> Iterator[Lit]:
        """The rule's body, with these variables, is matched where it was not."""
        content = self.formula.lineage.run.steps[time]
        for case in cases(rule, binding, content, self.rules.stable):
            yield self._case(rule, case, time)

    # ----------------------------------------------------------------- causes

    def _causes(self, relation: str, pattern: Pattern, time: int) -> Iterator[Lit]:
        if relation in self.rules.provided:
            yield from self._provided(relation, pattern, time)
        for rule in self.rules.of.get(relation, ()):
            then = time if rule.rule.op == "<=" else time - 1
            binding = of_head(rule, pattern)
            if then < 1 or binding is None:
                continue
            if rule.aggregates:
                yield from self._lost_members(rule, pattern, then)
            yield from self.member(rule, binding, then)

    def _provided(self, relation: str, pattern: Pattern, time: int) -> Iterator[Lit]:
        """Crashes are told at every tick; a lost message shows in the sender's clock."""
        formula = self.formula
        if relation == CRASH:
            yield from formula.crash(None if pattern[1] is FREE else pattern[1])
            return
        yield from formula.crash(None)
        for sender in self.nodes:
            for receiver in self.nodes:
                yield from formula.link(sender, receiver, time)

    def _lost_members(self, rule: CompiledRule, pattern: Pattern, time: int) -> Iterator[Lit]:
        """A group that could have a row like this changes by losing a match."""
        plain = tuple(
            FREE if isinstance(arg, ir.Aggregate) else want
            for arg, want in zip(rule.rule.args, pattern, strict=True)
        )
        for fired in self.formula.lineage.run.steps[time].fired:
            if fired.rule is rule and fired.delivered and matches(plain, fired.row):
                for match in fired.members:
                    yield from self.formula.unmatched(fired, match, time)

    def _case(self, rule: CompiledRule, binding: Binding, time: int) -> Lit:
        """With these variables: all that is missing comes about, or anything that could."""
        if not self._can_fire(rule, binding, time):
            return None
        required: list[int | None] = []
        possible: list[int | None] = []
        content = self.formula.lineage.run.steps[time]
        for atom in (*rule.positive, *rule.negative):
            pattern = pattern_of(atom, binding)
            rows = matching(content, atom, pattern)
            bound = is_bound(atom, pattern)
            then = time if atom.at is None else atom.at
            if atom.negated:
                target = required if bound else possible
                target += (self.formula.falsified(Fact(atom.collection, row, then)) for row in rows)
            elif not rows:
                required.append(self.gained(atom.collection, pattern, then))
            elif not bound:
                possible.append(self.gained(atom.collection, pattern, then))
        if required:
            return self._all(required)
        return self._any(possible)

    def _can_fire(self, rule: CompiledRule, binding: Binding, time: int) -> bool:
        """Its location is a node, and what it sends arrives: faults stay."""
        place = evaluate(location(rule.rule), binding)
        if place is not FREE and place not in self.nodes:
            return False
        if rule.rule.op != "<~":
            return True
        to = evaluate(rule.rule.args[0], binding)
        if to is FREE:
            return True
        if isinstance(location(rule.rule), ir.Wild):
            return to in self.nodes
        return to in self.nodes and (
            place is FREE or self.formula.lineage.run.arrives(place, to, time)
        )

    def _all(self, literals: Sequence[Lit]) -> Lit:
        some: dict[int, None] = {}
        for literal in literals:
            if literal is None:
                return None
            some[literal] = None
        if len(some) == 1:
            return next(iter(some))
        return self.formula.define(("all", *some), lambda: ((literal,) for literal in some))

    def _any(self, literals: Iterable[Lit]) -> Lit:
        some: dict[int, None] = dict.fromkeys(one for one in literals if one is not None)
        if len(some) < 2:
            return next(iter(some), None)
        return self.formula.disjunction(("any", *some), lambda: iter(some))

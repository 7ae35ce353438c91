"""What a message does at a node: by which rules it takes effect, and whether these may not hold.

A message is read by rules of two kinds.  Those that change state are its effect,
as far as the state is what some guard looks at: a balance, a lock.  A guard is
a condition on a node's own state, an absence in it, or a row in it that need not
stay: if no effect holds, the node has vetoed the message.  All other rules answer
or take notes: that a debit was refused is no effect of the debit; nor is, beside a
guarded effect, what is noted of every message, such as that it was seen.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from functools import cached_property

import networkx as nx

from bloomish import ir
from bloomish.analysis.expressions import variables_of

VIEWS = ("scratch", "output")


@dataclass(frozen=True)
class Effects:
    """The effects of the messages `entries` (by their names at the role) in one role's program."""

    program: ir.Program
    entries: frozenset[str]

    @cached_property
    def kinds(self) -> dict[str, ir.Kind]:
        return {c.name: c.kind for c in self.program.collections}

    @cached_property
    def slices(self) -> frozenset[str]:
        """Views that the entries feed within the tick."""
        return self._grown(set(), lambda rule, found: self.reads(rule, self.entries | found))

    def _grown(
        self, found: set[str], belongs: Callable[[ir.Rule, set[str]], bool]
    ) -> frozenset[str]:
        """These collections, and views of which a rule belongs to what is found already."""
        again = True
        while again:
            again = False
            for rule in self.program.rules:
                if rule.op != "<=" or rule.head in found or self.kinds[rule.head] not in VIEWS:
                    continue
                if belongs(rule, found):
                    found.add(rule.head)
                    again = True
        return frozenset(found)

    @cached_property
    def passing(self) -> frozenset[str]:
        """Entries and their slices: what is there because a message is."""
        return self.entries | self.slices

    @staticmethod
    def reads(rule: ir.Rule, names: Collection[str]) -> bool:
        """Whether a rule has a positive atom on one of these."""
        return any(
            isinstance(part, ir.Atom) and not part.negated and part.collection in names
            for part in rule.body
        )

    @cached_property
    def changing(self) -> tuple[ir.Rule, ...]:
        """All rules by which a message changes a table."""
        return tuple(
            rule
            for rule in self.program.rules
            if rule.op != "<~"
            and self.kinds[rule.head] == "table"
            and self.reads(rule, self.passing)
        )

    @cached_property
    def deciding(self) -> tuple[ir.Rule, ...]:
        """The effects of all entries, and the views on their way."""
        return tuple(
            rule
            for rule in self.program.rules
            if rule in self.changing or (rule.head in self.slices and rule.op == "<=")
        )

    def by_entry(self, entry: str) -> tuple[ir.Rule, ...]:
        """The effect of one entry's messages."""
        mine = Effects(self.program, frozenset({entry})).passing
        candidates = [
            rule
            for rule in self.changing
            if self.reads(rule, mine) and (rule.op in ("<+-", "<-") or rule.head in self.watched)
        ]
        if not candidates:
            candidates = [rule for rule in self.changing if self.reads(rule, mine)]
        if any(self.is_guarded(rule) for rule in candidates):
            candidates = [rule for rule in candidates if not is_certain(rule)]
        return tuple(candidates)

    # ----------------------------------------------------------------- guards

    @cached_property
    def watched(self) -> frozenset[str]:
        """The state that guards look at, and what it is made of."""
        graph = nx.DiGraph()
        graph.add_nodes_from(self.kinds)
        for rule in self.program.rules:
            if rule.op != "<~":
                graph.add_edges_from((name, rule.head) for name in _names(rule))
        found: set[str] = set()
        for rule in self.changing:
            if self.is_guarded(rule):
                for name in _names(rule):
                    if name not in self.passing:
                        found |= {name} | nx.ancestors(graph, name)
        return frozenset(found)

    def is_guarded(self, rule: ir.Rule) -> bool:
        """Whether the state of the node may keep a rule, or a view on its way, from holding."""
        way = (other for other in self._on_the_way(rule) if self.reads(other, self.passing))
        return any(map(self._guards, (rule, *way)))

    def _on_the_way(self, rule: ir.Rule) -> Iterable[ir.Rule]:
        """The rules of the views between the messages and a rule."""
        queue, seen = [rule], {rule.name}
        while queue:
            views = {name for name in _names(queue.pop()) if name in self.slices}
            for other in self.program.rules:
                if other.head in views and other.op == "<=" and other.name not in seen:
                    seen.add(other.name)
                    queue.append(other)
                    yield other

    def _guards(self, rule: ir.Rule) -> bool:
        state = [p for p in rule.body if isinstance(p, ir.Atom) and self._is_state(p.collection)]
        if any(atom.negated or self._may_go(atom, rule) for atom in state):
            return True
        bound = {arg.name for atom in state for arg in atom.args if isinstance(arg, ir.Var)}
        return any(
            isinstance(part, ir.Condition)
            and not _binds(part, rule)
            and variables_of(part.test) & bound
            for part in rule.body
        )

    def _may_go(self, atom: ir.Atom, rule: ir.Rule) -> bool:
        """Whether that there is such a row is a condition, as rows are taken away or replaced: to
        look up what a key has now is none."""
        others = [part for part in rule.body if isinstance(part, ir.Atom) and part is not atom]
        elsewhere = {arg for part in others for arg in part.args}
        if rule.op == "<-" and (atom.collection, atom.args) == (rule.head, rule.args):
            # Whatever is there goes: that is no condition, unless the message says which.
            if any(isinstance(arg, ir.Var) and arg not in elsewhere for arg in atom.args):
                return False
        if atom.collection in self.losing:
            return True
        if not any(r.op == "<+-" and r.head == atom.collection for r in self.program.rules):
            return False
        columns = next(c.columns for c in self.program.collections if c.name == atom.collection)
        return any(
            not column.key
            and not isinstance(arg, ir.Wild)
            and (not isinstance(arg, ir.Var) or arg in elsewhere)
            for arg, column in zip(atom.args, columns, strict=True)
        )

    @cached_property
    def losing(self) -> frozenset[str]:
        """Tables that rules delete from, and views that lose rows: of such, or by an absence."""

        def loses(rule: ir.Rule, found: set[str]) -> bool:
            atoms = (part for part in rule.body if isinstance(part, ir.Atom))
            return any(atom.negated or atom.collection in found for atom in atoms)

        return self._grown({rule.head for rule in self.program.rules if rule.op == "<-"}, loses)

    def _is_state(self, name: str) -> bool:
        return self.kinds[name] not in ("const", "roster") and name not in self.passing

    # ------------------------------------------------------------------- rows

    def keeps_to_its_row(self, rule: ir.Rule) -> bool:
        """Whether an overwriting rule looks at no state but the row that it replaces."""
        if rule.op != "<+-" or any(isinstance(arg, ir.Aggregate) for arg in self.keys(rule)):
            return False
        keys = self.keys(rule)
        for part in rule.body:
            if isinstance(part, ir.Atom) and self._is_state(part.collection):
                if not self._is_row(part, rule):
                    return False
        return bool(keys) and not any(
            self._is_state(name) for other in self._on_the_way(rule) for name in _names(other)
        )

    def rewrites_its_row(self, rule: ir.Rule) -> bool:
        """Whether a rule makes a row of the one that it replaces, so that two cannot do so."""
        if rule.op != "<+-" or any(isinstance(arg, ir.Aggregate) for arg in self.keys(rule)):
            return False
        return self.keeps_to_its_row(rule) or any(
            self._is_row(part, rule) for part in rule.body if isinstance(part, ir.Atom)
        )

    def _is_row(self, atom: ir.Atom, rule: ir.Rule) -> bool:
        """Whether an atom reads the row that the rule replaces."""
        keys = self.keys(rule)
        return atom.collection == rule.head and atom.args[: len(keys)] == keys

    def keys(self, rule: ir.Rule) -> tuple[ir.HeadArg, ...]:
        """A head's arguments at the key columns."""
        columns = next(c.columns for c in self.program.collections if c.name == rule.head)
        return tuple(arg for arg, c in zip(rule.args, columns, strict=True) if c.key)


def is_certain(rule: ir.Rule) -> bool:
    """Whether a rule holds for whatever message comes: it asks for nothing else."""
    if len(rule.body) != 1 or not isinstance(rule.body[0], ir.Atom):
        return False
    args = [arg for arg in rule.body[0].args if not isinstance(arg, ir.Wild)]
    return all(isinstance(arg, ir.Var) for arg in args) and len(set(args)) == len(args)


def _names(rule: ir.Rule) -> Iterable[str]:
    return (part.collection for part in rule.body if isinstance(part, ir.Atom))


def _binds(part: ir.Condition, rule: ir.Rule) -> bool:
    """`(x == expression)` where nothing else binds x."""
    test = part.test
    if not (isinstance(test, ir.Binary) and test.op == "==" and isinstance(test.left, ir.Var)):
        return False
    return not any(test.left in atom.args for atom in rule.body if isinstance(atom, ir.Atom))

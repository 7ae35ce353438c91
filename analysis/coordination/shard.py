"""By which column what arrives at a role can be kept apart, so that other rows run beside it.

If every rule that a message leads to joins rows of one account with rows of that
account alone, and makes rows of it, then messages for different accounts never
meet, in one tick or in several: an order is needed only for each account.
Source: ANALYSIS 4.6, "shard by g when all rules are keyed by g"; Helland, "Life
beyond Distributed Transactions" (CIDR 2007), for entities with a key.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bloomish import ir

FREE = ("const", "roster")
"""What never changes may be joined with anything."""
Side = tuple[str, tuple[ir.HeadArg, ...]]
JUDGES = ("invariant", "eventually")
ENDS = ("channel", "output", "invariant", "eventually")
"""Where rows leave: nothing that is kept apart meets there."""


def key_columns(program: ir.Program, entries: Iterable[str]) -> Mapping[str, int]:
    """A column for each of the entries; nothing if there are no such columns."""
    names = list(entries)
    first = next(c for c in program.collections if c.name == names[0])
    for column in range(1 if first.kind == "channel" else 0, len(first.columns)):
        found = spread(program, names, names[0], column)
        if found is not None:
            return {name: found[name] for name in names}
    return {}


def spread(
    program: ir.Program, entries: Iterable[str], start: str, column: int
) -> Mapping[str, int] | None:
    """The key's column in every collection that the entries lead to, if it is this one at
    `start`; None where some rule joins across keys, or an entry or a table has no such column."""
    names = frozenset(entries)
    kinds = {c.name: c.kind for c in program.collections}
    attempt = _Keys(program, kinds, names)
    needed = names | {name for name in attempt.cluster if kinds[name] == "table"}
    found = attempt.spread(start, column)
    return found if found is not None and needed <= found.keys() else None


class _Keys:
    """One attempt: key columns of all that the entries lead to, from one column."""

    def __init__(
        self, program: ir.Program, kinds: Mapping[str, ir.Kind], entries: frozenset[str]
    ) -> None:
        self.program, self.kinds, self.entries = program, kinds, entries
        self.cluster = self._reached()
        self.keys: dict[str, int] = {}

    def _reached(self) -> frozenset[str]:
        found = set(self.entries)
        again = True
        while again:
            again = False
            for rule in self.program.rules:
                if rule.head in found or self.kinds[rule.head] in ENDS:
                    continue
                if any(isinstance(p, ir.Atom) and p.collection in found for p in rule.body):
                    found.add(rule.head)
                    again = True
        return frozenset(found)

    def spread(self, start: str, column: int) -> Mapping[str, int] | None:
        """The columns that follow, None where some rule joins across keys."""
        self.keys[start] = column
        again = True
        while again:
            before = len(self.keys)
            for rule in self.program.rules:
                if not self._fits(rule):
                    return None
            again = len(self.keys) > before
        return self.keys

    def _fits(self, rule: ir.Rule) -> bool:
        atoms = [
            part
            for part in rule.body
            if isinstance(part, ir.Atom) and part.collection in self.cluster
        ]
        leaves = rule.head not in self.cluster
        if not atoms or self.kinds[rule.head] in JUDGES:
            return True
        if leaves and len(atoms) == 1:
            return not any(isinstance(arg, ir.Aggregate) for arg in rule.args)
        if any(
            isinstance(part, ir.Atom)
            and part.collection not in self.cluster
            and self.kinds[part.collection] not in FREE
            for part in rule.body
        ):
            return False
        sides: list[Side] = [(atom.collection, atom.args) for atom in atoms]
        sides += [] if leaves else [(rule.head, rule.args)]
        known = [args[self.keys[name]] for name, args in sides if name in self.keys]
        if not known:
            return True  # not yet: asked again when its columns are known
        key = known[0]
        if not isinstance(key, ir.Var):
            return False
        if leaves and any(isinstance(arg, ir.Aggregate) for arg in rule.args):
            return key in rule.args and all(self._settle(*side, key) for side in sides)
        return all(self._settle(*side, key) for side in sides)

    def _settle(self, name: str, args: tuple[ir.HeadArg, ...], key: ir.Var) -> bool:
        """Whether the key stands at a collection's key column, which this may fix."""
        if name not in self.keys and key in args:
            self.keys[name] = args.index(key)
        return name in self.keys and args[self.keys[name]] == key

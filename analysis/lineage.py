"""Where rows come from: timers, clocks, decided logs, and columns copied through rules.

The refinements of 4.8 need more than a predicate graph: that an
acknowledgement carries the very value of the message (R5), that two events
stem from one message (R12), that a count counts the rows of a manifest (R11).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from bloomish import ir
from bloomish.analysis.dependencies import Dependencies
from bloomish.analysis.expressions import terms_of, variables_of, walk
from bloomish.analysis.graph import System, Unit, Use
from bloomish.analysis.modes import CONST, SEQ, Mode

Columns = Mapping[int, frozenset[int]]
"""Column of a collection -> the columns of another whose value it is, in every derivation."""


CLOCKS: dict[type, str] = {
    ir.Now: "now()",
    ir.Random: "random()",
    ir.TickNumber: "tick_number()",
}


ONE_SLOT = "one slot per tick"
"""What a guard is called `by` that vouches for it."""


@dataclass(frozen=True, slots=True)
class Stem:
    """The one message that an event is derived from."""

    source: str
    columns: Mapping[int, int]  # column of the event -> column of the message
    used: frozenset[int]  # the message's columns that the derivation looks at


class Lineage:
    """Answers, with memory, where the rows of one system come from."""

    def __init__(self, system: System, dependencies: Dependencies) -> None:
        self.system = system
        self.dependencies = dependencies
        self._pulses: dict[str, str] = {}
        self._clocks: dict[int, tuple[str, ...]] = {}
        self._traces: dict[tuple[str, str], Columns | None] = {}
        self._stems: dict[str, Stem | None] = {}

    # --------------------------------------------------------------- timers

    def clocks(self, unit: Unit) -> tuple[str, ...]:
        """`now()`, `random()`, `tick_number()`, as far as a rule mentions them."""
        if unit.id not in self._clocks:
            terms = [*unit.rule.args, *(term for part in unit.body for term in terms_of(part))]
            found = {type(part) for term in terms for part in walk(term)} & CLOCKS.keys()
            self._clocks[unit.id] = tuple(name for kind, name in CLOCKS.items() if kind in found)
        return self._clocks[unit.id]

    def pulse(self, node: str) -> str:
        """The periodic that `node` is, or of which it is a view joined with constants; or ""."""
        if node not in self._pulses:
            self._pulses[node] = ""
            self._pulses[node] = self._pulse(node)
        return self._pulses[node]

    def _pulse(self, node: str) -> str:
        system = self.system
        if system.nodes[node].kind == "periodic":
            return node
        if not self.has_timers or node in system.asynchronous or system.nodes[node].persisted:
            return ""
        if system.nodes[node].kind != "scratch" or len(system.producers[node]) != 1:
            return ""
        (unit,) = system.producers[node]
        if unit.op != "<=" or unit.negatives or unit.aggregates or self.clocks(unit):
            return ""
        timers = [self.pulse(use.node) for use in unit.positives]
        found = [timer for timer in timers if timer]
        for use, timer in zip(unit.positives, timers, strict=True):
            if timer:
                direct = system.nodes[use.node].kind == "periodic"
                if direct and not all(isinstance(arg, ir.Wild) for arg in use.atom.args):
                    return ""
            elif system.nodes[use.node].kind not in ("const", "roster"):
                return ""
        return found[0] if len(found) == 1 else ""

    @cached_property
    def has_timers(self) -> bool:
        return any(node.kind == "periodic" for node in self.system.nodes.values())

    def is_clocked(self, unit: Unit) -> bool:
        """Whether a clock's reading, directly or through local state, is in a local rule."""
        if not self.has_timers and not self._clock_mentioned:
            return False
        return "now()" in self.clocks(unit) or any(
            use.node in self.clocked or self._reads_number(use) for use in unit.uses
        )

    @cached_property
    def _clock_mentioned(self) -> bool:
        return any("now()" in self.clocks(unit) for unit in self.system.units)

    def _reads_number(self, use: Use) -> bool:
        return self.system.nodes[use.node].kind == "periodic" and not all(
            isinstance(argument, ir.Wild) for argument in use.atom.args
        )

    @cached_property
    def clocked(self) -> frozenset[str]:
        """Local collections that a clock's reading has flowed into."""
        system = self.system
        queue = [
            unit.head
            for unit in system.units
            if "now()" in self.clocks(unit) or any(self._reads_number(use) for use in unit.uses)
        ]
        found = set(queue)
        while queue:
            for unit in system.readers[queue.pop()]:
                if unit.head not in found and unit.head not in system.asynchronous:
                    found.add(unit.head)
                    queue.append(unit.head)
        return frozenset(found)

    # ----------------------------------------------------------------- logs

    @cached_property
    def logs(self) -> frozenset[str]:
        """Collections that a guard declares to be a decided log."""
        found = set()
        for role in self.system.roles.values():
            for guard in role.program.guards:
                for name in guard.ordered:
                    found.add(self.system.id(role.name, name))
        return frozenset(found)

    @cached_property
    def cursors(self) -> frozenset[str]:
        """Registers that go forward one slot per tick: `at(n + 1) <+- at(n) & log(n, ...)`."""
        found = set()
        for id, node in self.system.nodes.items():
            units = [unit for unit in self.system.producers[id] if unit.op != "<-"]
            if node.persisted and units and all(self._advances(unit) for unit in units):
                found.add(id)
        return frozenset(found)

    def _advances(self, unit: Unit) -> bool:
        if unit.op != "<+-" or unit.negatives or unit.aggregates:
            return False
        own = [use for use in unit.positives if use.node == unit.head]
        others = [use for use in unit.positives if use.node != unit.head]
        if len(own) != 1 or not any(use.node in self.logs for use in others):
            return False
        steps = [arg for arg in unit.rule.args if isinstance(arg, ir.Binary) and arg.op == "+"]
        slots = {arg.name for arg in own[0].atom.args if isinstance(arg, ir.Var)}
        return any(variables_of(step) & slots for step in steps) and self._at_cursor(unit, own[0])

    def _at_cursor(self, unit: Unit, cursor: Use) -> bool:
        """Whether every log atom of the rule is read at the cursor's slot alone.

        The log must keep its slots, else one that comes early is missed.
        """
        slots = {arg for arg in cursor.atom.args if isinstance(arg, ir.Var)}
        logs = [use for use in unit.positives if use.node in self.logs]
        return bool(logs) and all(
            self.system.nodes[use.node].persisted
            and any(argument in slots for argument in use.atom.args)
            for use in logs
        )

    def one_slot(self, unit: Unit) -> bool:
        """Whether the rule takes the log's slot at a cursor, and so one per tick."""
        return any(
            use.node in self.cursors and self._at_cursor(unit, use) for use in unit.positives
        )

    def one_per_tick(self, node: str) -> bool:
        """A declared log that is itself handed on slot by slot."""
        units = self.system.producers[node]
        return bool(units) and all(self._takes_a_slot(unit) for unit in units)

    def _takes_a_slot(self, unit: Unit) -> bool:
        for use in unit.positives:
            if use.node in self._steppers:
                slots = {arg for arg in use.atom.args if isinstance(arg, ir.Var)}
                others = [other for other in unit.positives if other is not use]
                if any(slots & set(other.atom.args) for other in others):
                    return True
        return False

    @cached_property
    def _steppers(self) -> frozenset[str]:
        """Registers that some rule moves forward by one."""
        found = set()
        for unit in self.system.units:
            if unit.op == "<+-" and self.system.nodes[unit.head].persisted:
                for use in unit.positives:
                    if use.node == unit.head and _adds(unit, use):
                        found.add(unit.head)
        return frozenset(found)

    @cached_property
    def vouched(self) -> frozenset[str]:
        """Passing collections of a module whose contract is to hand on one slot per tick.

        The module is trusted, and model-checked by itself (4.6, trust boundary).
        """
        found = set()
        for role in self.system.roles.values():
            for guard in role.program.guards:
                if guard.scope and ONE_SLOT in guard.by:
                    found |= {self.system.id(role.name, name) for name in guard.ordered}
        return frozenset(id for id in found if not self.system.nodes[id].persisted)

    def log_mode(self, node: str, persisted: bool) -> Mode:
        """A declared log: Seq where it comes slot by slot, else rows in some order."""
        if self.one_per_tick(node) or node in self.vouched:
            return SEQ
        return Mode.GROW if persisted else Mode.EVENT

    def over_a_log(self, unit: Unit, modes: Mapping[str, Mode]) -> str:
        """Why a rule is a function of the log alone, "" if it is not."""
        if self.clocks(unit):
            return ""
        if unit.head in self.cursors and self._advances(unit):
            rest = [u for u in unit.positives if u.node not in self.logs and u.node != unit.head]
            return "goes to the next slot" if self._all_const(rest, modes) else ""
        if self.one_slot(unit):
            aside = [use for use in unit.uses if use.node not in self.logs]
            fine = all(modes[u.node] in (CONST, SEQ) or u.node in self.cursors for u in aside)
            logs = {use.node for use in unit.negatives} & self.logs
            return "takes the log slot by slot" if fine and not logs else ""
        used = [modes[use.node] for use in unit.uses]
        if set(used) <= {SEQ, CONST} and (SEQ in used or self.turns_on_a_log(unit, modes)):
            return "a function of the log" if self.at_a_slot(unit) else ""
        return ""

    def at_a_slot(self, unit: Unit) -> bool:
        """Whether a rule changes the next tick's state only as something passes, or once for all at
        the first: else it does so at a tick of the node's own, before the next slot or with it."""
        if unit.op not in ("<+", "<-", "<+-") or self._at_first(unit):
            return True
        queue = [use.node for use in unit.positives]
        for node in queue:
            if node in self.logs or self.system.nodes[node].kind in ("channel", "input"):
                return True
            if not self.system.nodes[node].persisted:
                queue += [
                    use.node
                    for made in self.system.producers[node]
                    for use in made.positives
                    if use.node not in queue
                ]
        return False

    def _at_first(self, unit: Unit) -> bool:
        """Whether a rule gives what is there from the start: where there is none, and none goes."""
        return all(
            self.system.nodes[use.node].kind in ("const", "roster") for use in unit.positives
        ) and all(
            self.system.nodes[use.node].persisted
            and all(
                made.op != "<-" or self._takes_an_image(made)
                for made in self.system.producers[use.node]
            )
            for use in unit.negatives
        )

    def _takes_an_image(self, unit: Unit) -> bool:
        """Whether a table is emptied and filled anew in one tick, as a log's protocol says."""
        prompts = {use.node for use in unit.positives} & self.logs
        return any(
            made.op == "<+" and not prompts.isdisjoint(use.node for use in made.positives)
            for made in self.system.producers[unit.head]
        )

    def turns_on_a_log(self, unit: Unit, modes: Mapping[str, Mode]) -> bool:
        """Whether a rule is part of a cycle that a log feeds: what it reads is not Const for
        good, the inference has only not come to it yet."""
        system = self.system
        if not any(system.recursive(unit, use) for use in unit.uses):
            return False
        return any(
            modes[use.node] is SEQ
            for member in system.components[system.component[unit.head]]
            for producer in system.producers[member]
            for use in producer.uses
        )

    @staticmethod
    def _all_const(uses: list[Use], modes: Mapping[str, Mode]) -> bool:
        return all(modes[use.node] is CONST for use in uses)

    # -------------------------------------------------------------- columns

    def trace(self, node: str, target: str) -> Columns | None:
        """Which columns of `node` are copies of which columns of `target`.

        None if some row of `node` need not come from a row of `target`.  In a
        rule that reads a channel, `here` is the channel's address column: the
        row was delivered here.
        """
        memo = (node, target)
        if memo not in self._traces:
            self._traces[memo] = None  # a derivation by itself comes from nowhere
            self._traces[memo] = self._trace(node, target)
        return self._traces[memo]

    def _trace(self, node: str, target: str) -> Columns | None:
        if node == target:
            return {i: frozenset((i,)) for i in range(len(self.system.nodes[node].columns))}
        system = self.system
        units = [unit for unit in system.producers[node] if unit.op != "<-"]
        if not units or node in system.facts or node in system.external:
            return None
        result: dict[int, frozenset[int]] | None = None
        for unit in units:
            one = self._trace_rule(unit, target)
            if one is None:
                return None
            if result is None:
                result = one
            else:
                result = {i: result[i] & one[i] for i in result}
        return result

    def _trace_rule(self, unit: Unit, target: str) -> dict[int, frozenset[int]] | None:
        found: dict[int, frozenset[int]] | None = None
        for use in unit.positives:
            inner = self.trace(use.node, target)
            if inner is None:
                continue
            found = found or {i: frozenset() for i in range(len(unit.rule.args))}
            for i, argument in enumerate(unit.rule.args):
                for j in self._same_value(unit, use, argument):
                    found[i] |= inner.get(j, frozenset())
        return found

    def _same_value(self, unit: Unit, use: Use, argument: ir.HeadArg) -> list[int]:
        """The columns of an atom that hold the value of a head argument."""
        if isinstance(argument, (ir.Aggregate, ir.Wild)):
            return []
        columns = [j for j, other in enumerate(use.atom.args) if other == argument]
        channel = self.system.nodes[use.node].kind == "channel"
        if isinstance(argument, ir.Here) and channel and 0 not in columns:
            columns.append(0)
        return columns

    # --------------------------------------------------------------- events

    def stem(self, node: str) -> Stem | None:
        """The message that all of an event collection's rows are derived from."""
        if node not in self._stems:
            self._stems[node] = None
            self._stems[node] = self._stem(node)
        return self._stems[node]

    def _stem(self, node: str) -> Stem | None:
        system = self.system
        kind = system.nodes[node].kind
        if kind in ("channel", "input"):
            columns = {i: i for i in range(len(system.nodes[node].columns))}
            return Stem(node, columns, frozenset())
        units = system.producers[node]
        if len(units) != 1 or system.nodes[node].persisted or node in system.facts:
            return None
        (unit,) = units
        if unit.op != "<=" or unit.aggregates or unit.negatives or self.clocks(unit):
            return None
        moving = [use for use in unit.positives if use.node in system.asynchronous]
        if len(moving) != 1:
            return None
        (use,) = moving
        inner = self.stem(use.node)
        if inner is None:
            return None
        columns = {}
        for i, argument in enumerate(unit.rule.args):
            for j, other in enumerate(use.atom.args):
                if isinstance(argument, ir.Var) and argument == other and j in inner.columns:
                    columns[i] = inner.columns[j]
        return Stem(inner.source, columns, inner.used | self.looked_at(use, inner))

    @staticmethod
    def looked_at(use: Use, stem: Stem) -> frozenset[int]:
        """The message's columns that an atom looks at."""
        return frozenset(
            stem.columns[i]
            for i, argument in enumerate(use.atom.args)
            if not isinstance(argument, ir.Wild) and i in stem.columns
        )


def _adds(unit: Unit, own: Use) -> bool:
    slots = {argument.name for argument in own.atom.args if isinstance(argument, ir.Var)}
    return any(
        isinstance(argument, ir.Binary) and argument.op == "+" and variables_of(argument) & slots
        for argument in unit.rule.args
    )

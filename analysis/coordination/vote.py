"""A participant of atomic commit: what it votes, and what it does with what is delivered.

The vote on a part is what the program itself would do with the message: the
rules of its effect, and the views they read, are stated once more for what is
*tried*, with the head `can`.  What is *taken* is what was committed, and what
was declined, since a message without an effect may still have an answer.

Parts of one transaction are tried one by one and taken together.  So two of
them at one node must not overwrite one row, nor must two of them that share a
lock have guards that look at more than the row they overwrite: such a
transaction is vetoed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from bloomish import ir
from bloomish.analysis.coordination.effects import Effects, is_certain
from bloomish.analysis.coordination.splice import label_of, stated
from bloomish.analysis.expressions import terms_of, variables_of

TICKET = ir.TupleOf((ir.Plain("int"), ir.Plain("int")))
LABEL, ROW, LOCK = 1, 2, 3
"""Places in a part; the node comes before them."""


@dataclass(slots=True)
class Voting:
    """Collections and rules for one role's part in transactions, under a path."""

    program: ir.Program
    path: str
    entries: Sequence[ir.Collection]
    origin: str
    collections: list[ir.Collection] = field(default_factory=list)
    rules: list[ir.Rule] = field(default_factory=list)

    def __post_init__(self) -> None:
        effects = Effects(self.program, frozenset(entry.name for entry in self.entries))
        by_entry = {entry.name: effects.by_entry(entry.name) for entry in self.entries}
        chosen = {
            rule.name: rule for rules in by_entry.values() for rule in rules if not is_certain(rule)
        }
        needed = _needed(effects, chosen.values())
        tried = [rule for rule in self.program.rules if rule.op == "<=" and rule.head in needed]
        asked = {
            part.collection
            for rule in (*chosen.values(), *tried)
            for part in rule.body
            if isinstance(part, ir.Atom)
        }
        for entry in self.entries:
            rules = by_entry[entry.name]
            certain = not rules or any(map(is_certain, rules))
            self._take(entry, not certain)
            if certain:
                self._state("can", (TICKET_VAR, PART_VAR), (self._asked(), _is(entry)))
            if entry.name in asked:  # be it that there is none
                self._try(entry)
        for name in needed:
            self._try_view(name, effects)
        for rule in chosen.values():
            self._vote(rule, effects)
        self._veto(list(chosen.values()), effects)

    @property
    def taken(self) -> Mapping[str, str]:
        """Entries by name, and what is read in their place."""
        return {entry.name: self._of("taken", entry.name) for entry in self.entries}

    # ---------------------------------------------------------------- messages

    def _take(self, entry: ir.Collection, may_be_declined: bool) -> None:
        name = self._of("taken", entry.name)
        doc = f"{entry.name}, of transactions that are committed"
        columns = tuple(replace(column, key=False) for column in entry.columns)
        self.collections.append(ir.Collection(name, "scratch", columns, doc=doc))
        for source in ("deliver", "declined") if may_be_declined else ("deliver",):
            atom = ir.Atom(f"{self.path}.{source}", (ir.Wild(), PART_VAR))
            self._rule(name, _columns(entry), (atom, _is(entry), ROW_OF_PART))

    def _try(self, entry: ir.Collection) -> None:
        self._declare("tried", entry, f"{entry.name}, to be voted on")
        head = (TICKET_VAR, PART_VAR, *_columns(entry))
        self._rule(self._of("tried", entry.name), head, (self._asked(), _is(entry), ROW_OF_PART))

    def _try_view(self, view: str, effects: Effects) -> None:
        """A view on the way to an effect, as it would be if the part were there."""
        declared = next(c for c in self.program.collections if c.name == view)
        self._declare("tried", declared, f"{view}, for a part to be voted on")
        for rule in self.program.rules:
            if rule.head == view and rule.op == "<=":
                ticket, part = _fresh(rule)
                head = (ticket, part, *rule.args)
                self._rule(self._of("tried", view), head, self._tried(rule, effects))

    # ------------------------------------------------------------------ the vote

    def _vote(self, rule: ir.Rule, effects: Effects) -> None:
        self._state("can", _fresh(rule), self._tried(rule, effects))

    def _veto(self, rules: Sequence[ir.Rule], effects: Effects) -> None:
        """Two parts that are each fine and not both."""
        overwriting: dict[str, list[ir.Rule]] = {}
        for rule in rules:
            if effects.rewrites_its_row(rule):
                overwriting.setdefault(rule.head, []).append(rule)
        for table, writers in overwriting.items():
            name = self._of("touched", table)
            declared = next(c for c in self.program.collections if c.name == table)
            keys = tuple(replace(c, key=False) for c in declared.columns if c.key)
            self._scratch(name, keys, f"rows of {table} that parts would overwrite")
            for rule in writers:
                head = (*_fresh(rule), *effects.keys(rule))
                self._rule(name, head, self._tried(rule, effects))
            same = tuple(ir.Var(column.name) for column in keys)
            self._clash(name, same)
        wide = [r for r in rules if effects.is_guarded(r) and not effects.keeps_to_its_row(r)]
        if wide:
            name = f"{self.path}.guarded"
            self._scratch(name, (), "parts whose guards look at more than one row")
            for rule in wide:
                self._rule(name, _fresh(rule), self._tried(rule, effects))
            locks = (ir.Field(part, LOCK, ir.Plain("Any")) for part in (PART_VAR, OTHER_VAR))
            self._clash(name, (), ir.Condition(ir.Binary("==", *locks)))

    def _clash(self, name: str, same: tuple[ir.Var, ...], *more: ir.Condition) -> None:
        body: tuple[ir.Literal, ...] = (
            ir.Atom(name, (TICKET_VAR, PART_VAR, *same)),
            ir.Atom(name, (TICKET_VAR, OTHER_VAR, *same)),
            ir.Condition(ir.Binary("!=", PART_VAR, OTHER_VAR)),
            *more,
        )
        self._state("veto", (TICKET_VAR,), body)

    def _tried(self, rule: ir.Rule, effects: Effects) -> tuple[ir.Literal, ...]:
        """A rule's body about what is tried."""
        ticket, part = _fresh(rule)
        body: list[ir.Literal] = []
        for literal in rule.body:
            if isinstance(literal, ir.Atom) and literal.collection in effects.passing:
                name = self._of("tried", literal.collection)
                literal = replace(literal, collection=name, args=(ticket, part, *literal.args))
            body.append(literal)
        if effects.reads(rule, effects.passing):
            return tuple(body)
        return (ir.Atom(f"{self.path}.ask", (ticket, part)), *body)

    # --------------------------------------------------------------- making rules

    def _of(self, what: str, name: str) -> str:
        return f"{self.path}.{what}_{name.replace('.', '_')}"

    def _asked(self) -> ir.Atom:
        return ir.Atom(f"{self.path}.ask", (TICKET_VAR, PART_VAR))

    def _declare(self, what: str, like: ir.Collection, doc: str) -> None:
        columns = tuple(replace(column, key=False) for column in like.columns)
        self._scratch(self._of(what, like.name), columns, doc)

    def _scratch(self, name: str, columns: Sequence[ir.Column], doc: str) -> None:
        own = (ir.Column("ticket_", TICKET), ir.Column("part_", ir.Plain("Any")))
        self.collections.append(ir.Collection(name, "scratch", (*own, *columns), doc=doc))

    def _state(self, name: str, args: Sequence[ir.Expr], body: tuple[ir.Literal, ...]) -> None:
        self._rule(f"{self.path}.{name}", args, body)

    def _rule(self, head: str, args: Sequence[ir.HeadArg], body: tuple[ir.Literal, ...]) -> None:
        stated(self.rules, head, args, body, self.origin)


TICKET_VAR, PART_VAR, ROW_VAR = ir.Var("ticket_"), ir.Var("part_"), ir.Var("row_")
OTHER_VAR = ir.Var("other_part_")
ROW_OF_PART = ir.Condition(ir.Binary("==", ROW_VAR, ir.Field(PART_VAR, ROW, ir.Plain("Any"))))


def _is(entry: ir.Collection) -> ir.Condition:
    label = ir.Field(PART_VAR, LABEL, ir.Plain("str"))
    return ir.Condition(ir.Binary("==", label, ir.Const(label_of(entry))))


def _columns(entry: ir.Collection) -> tuple[ir.Expr, ...]:
    """An entry's columns out of a part's row; where it goes is here."""
    channel = entry.kind == "channel"
    own = entry.columns[1:] if channel else entry.columns
    taken = tuple(ir.Field(ROW_VAR, place, column.type) for place, column in enumerate(own))
    return (ir.Here(), *taken) if channel else taken


def _fresh(rule: ir.Rule) -> tuple[ir.Var, ir.Var]:
    """Variables for ticket and part that a rule does not use."""
    terms = (*rule.args, *(term for literal in rule.body for term in terms_of(literal)))
    used = {name for term in terms for name in variables_of(term)}
    ticket, part = TICKET_VAR.name, PART_VAR.name
    while ticket in used:
        ticket += "_"
    while part in used:
        part += "_"
    return ir.Var(ticket), ir.Var(part)


def _needed(effects: Effects, rules: Iterable[ir.Rule]) -> list[str]:
    """The views that some effects read, and those which these read."""
    found: dict[str, None] = {}
    queue = list(rules)
    while queue:
        for literal in queue.pop().body:
            if isinstance(literal, ir.Atom) and literal.collection in effects.slices:
                if literal.collection not in found:
                    found[literal.collection] = None
                    queue += [
                        rule
                        for rule in effects.program.rules
                        if rule.head == literal.collection and rule.op == "<="
                    ]
    return list(found)

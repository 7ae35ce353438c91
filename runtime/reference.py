"""The semantics by definition: a naive evaluator of the IR.

What a tick is, after Dedalus (Alvaro et al., 2010) as the design page decides it:
the tables as the last tick left them for this one, facts, arrivals and
yesterday's `<+` rows; the `<=` rules to their fixpoint, stratum by stratum, each
round evaluating every rule anew; then `<+`, `<-`, `<+-` and `<~` on the state
that came out.  Nothing is maintained from tick to tick.  A tick computes a new
state beside the old one, so a tick that fails has changed nothing.

Where no engine could be built this is what runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Any

from bloomish import ir
from bloomish.ephemeral import is_ephemeral
from bloomish.externals import Externals
from bloomish.runtime.evaluator import (
    FRAME_LIMIT,
    Arrival,
    Received,
    Row,
    RowRefused,
    Series,
    Tick,
    TickFailed,
)
from bloomish.runtime.frames_reference import decode, encode
from bloomish.runtime.reference_expr import Expressions, Moment, pack
from bloomish.runtime.reference_rules import RuleEvaluator
from bloomish.runtime.relation import Conflict, Relation, Schema, difference
from bloomish.runtime.series import series
from bloomish.strata import strata
from bloomish.types import rule_types
from bloomish.values import Misfit, Values, order_key

ARRIVING = ("channel", "input", "periodic")
SHOWN = ("output", "invariant")


@dataclass(frozen=True)
class Staged:
    """The `<+` rows of a collection without memory, as rows of events and of views."""

    events: tuple[Row, ...] = ()
    view: tuple[Row, ...] = ()


@dataclass(frozen=True)
class State:
    """All that a tick leaves behind.  Never changed in place."""

    number: int = 0
    loaded: bool = False
    tables: dict[str, Relation] = field(default_factory=dict)  # as the next tick starts
    staged: dict[str, Staged] = field(default_factory=dict)
    standing: dict[str, Relation] = field(default_factory=dict)  # derivable standing sends
    views: dict[str, Relation] = field(default_factory=dict)
    history: dict[tuple[str, int], Relation] = field(default_factory=dict)
    contents: dict[str, Relation] = field(default_factory=dict)  # as the last tick saw it


class Reference:
    """One node, by definition."""

    name = "reference"

    def __init__(
        self,
        program: ir.Program,
        externals: Externals | None = None,
        *,
        node: str = "node-0",
        rosters: Mapping[str, Sequence[str]] | None = None,
        seed: int = 0,
    ) -> None:
        self.node = node
        self.program = program
        values = Values(program.lattices, externals.lattices if externals else {})
        self._schemas = {c.name: Schema(c, values) for c in program.collections}
        self._wires = {c.wire or c.name: c.name for c in self._of_kind("channel")}
        self._rosters = {
            c.name: [self._schemas[c.name].row((a,)) for a in (rosters or {}).get(c.role, ())]
            for c in self._of_kind("roster")
        }
        sizes = {name: len(set(rows)) for name, rows in self._rosters.items()}
        self._moment = Moment(node, seed, sizes)
        self._facts = [
            (facts, [self._schemas[facts.collection].row(row) for row in facts.rows])
            for facts in program.facts
        ]
        expressions = Expressions(program, externals or Externals(), values, self._moment)
        self._rules = {
            rule.name: RuleEvaluator(
                rule,
                self._schemas[rule.head],
                self._schemas,
                rule_types(program, rule),
                expressions,
            )
            for rule in program.rules
        }
        self._ephemeral = {rule.name for rule in program.rules if is_ephemeral(program, rule)}
        self._strata = [self._rules_of(group) for group in strata(program)]
        atoms = [lit for rule in program.rules for lit in rule.body if isinstance(lit, ir.Atom)]
        self._remembered = {(a.collection, a.at) for a in atoms if a.at is not None}
        times = [at for _, at in self._remembered] + [f.at for f in program.facts if f.at]
        self._last_time = max(times, default=0)
        self._arrivals: dict[str, dict[Any, Row]] = {}
        self._queue: dict[Any, tuple[str, str, Row]] = {}
        tables = {c.name: Relation(self._schemas[c.name]) for c in self._of_kind("table")}
        self._state = State(tables=tables)
        self._stood: set[tuple[str, object]] = set()
        self._tells = True

    def _of_kind(self, *kinds: str) -> list[ir.Collection]:
        return [c for c in self.program.collections if c.kind in kinds]

    def _rules_of(self, group: Iterable[str]) -> tuple[list[RuleEvaluator], bool]:
        """The `<=` rules of a stratum, and whether they feed each other."""
        members = set(group)
        rules = [r for r in self.program.rules if r.op == "<=" and r.head in members]
        recursive = any(
            isinstance(literal, ir.Atom) and literal.collection in members
            for rule in rules
            for literal in rule.body
        )
        return [self._rules[rule.name] for rule in rules], recursive

    # ------------------------------------------------------------- arrivals

    def insert(self, collection: str, rows: Sequence[Row]) -> None:
        schema = self._schemas.get(collection)
        if schema is None or schema.collection.kind not in ARRIVING:
            kind = schema.collection.kind if schema else "no collection of this program"
            raise RowRefused(f"{collection} is {kind}: rows go into an input")
        try:
            conformed = [schema.row(row) for row in rows]
        except (Misfit, TypeError) as error:
            raise RowRefused(str(error)) from None
        self._arrive(schema, conformed)

    def _arrive(self, schema: Schema, rows: Iterable[Row]) -> None:
        there = self._arrivals.setdefault(schema.name, {})
        for row in rows:
            there[schema.identity(row)] = row

    def receive(self, frame: bytes) -> Received:
        channels = {wire: self._schemas[name] for wire, name in self._wires.items()}
        sender, taken, refused = decode(frame, self.node, channels)
        for collection, row in taken:
            self._arrive(self._schemas[collection], [row])
        return Received(len(taken), tuple(refused), sender)

    def arrivals(self) -> list[Arrival]:
        return [
            (collection, row)
            for collection in sorted(self._arrivals)
            for row in sorted(self._arrivals[collection].values(), key=order_key)
        ]

    def set_arrivals(self, arrivals: Sequence[Arrival]) -> None:
        before, self._arrivals = self._arrivals, {}
        try:
            for collection, row in arrivals:
                self.insert(collection, [row])
        except RowRefused:
            self._arrivals = before
            raise

    def load(self, tables: Mapping[str, Sequence[Row]]) -> None:
        if self._state.number:
            raise RuntimeError("load comes before the first tick")
        loaded = dict(self._state.tables)
        for name, rows in tables.items():
            if name not in loaded or not self._schemas[name].collection.durable:
                raise RowRefused(f"{name} is not a durable table of this program")
            try:
                loaded[name] = Relation(self._schemas[name], map(self._schemas[name].row, rows))
            except (Misfit, Conflict) as error:
                raise RowRefused(str(error)) from None
        self._state = replace(self._state, loaded=True, tables=loaded, contents=dict(loaded))

    # ----------------------------------------------------------------- tick

    def tick(self, now: float = 0.0) -> Tick:
        arrivals = self.arrivals()
        state, tick, sends = Run(self, now, arrivals).run()
        self._state = state
        self._arrivals = {}
        self._send(sends)
        return tick

    def series(self, now: float, limit: int, patience: float) -> Series:
        return series(self.tick, now, limit, patience)

    def probe(self, now: float, arrivals: Sequence[Arrival]) -> TickFailed | None:
        try:
            Run(self, now, [(c, self._schemas[c].row(row)) for c, row in arrivals]).run()
        except TickFailed as failure:
            return failure
        return None

    # ---------------------------------------------------------------- sends

    def _send(self, rows: Iterable[tuple[str, Row]]) -> int:
        count = 0
        for channel, row in rows:
            schema = self._schemas[channel]
            wire = schema.collection.wire or channel
            self._queue[wire, schema.identity(row)] = (str(row[0]), wire, row)
            count += 1
        return count

    def sends(self) -> list[tuple[str, str, Row]]:
        queued = sorted(self._queue.values(), key=order_key)
        self._queue = {}
        return queued

    def frames(self, limit: int = FRAME_LIMIT) -> list[tuple[str, bytes]]:
        peers: dict[str, list[tuple[str, Row]]] = {}
        for peer, wire, row in self.sends():
            peers.setdefault(peer, []).append((wire, row))
        return [
            (peer, frame)
            for peer, rows in peers.items()
            for frame in encode(self.node, rows, limit)
        ]

    def resend(self) -> int:
        standing = self._state.standing
        return self._send((name, row) for name, relation in standing.items() for row in relation)

    def resend_stood(self) -> tuple[int, int]:
        standing = {
            (name, order_key(row)): (name, row)
            for name, relation in self._state.standing.items()
            for row in relation
        }
        stood, self._stood = self._stood, set(standing)
        count = self._send(row for key, row in standing.items() if key in stood)
        return count, len(standing)

    def keep_to_itself(self) -> None:
        self._tells = False

    # ---------------------------------------------------------------- state

    def contents(self, collection: str) -> list[Row]:
        if collection not in self._schemas:
            raise KeyError(f"no collection {collection!r}")
        relation = self._state.contents.get(collection)
        return relation.ordered() if relation is not None else []

    def fingerprint(self) -> bytes:
        """Of what the future depends on; the number only up to the last time named."""
        state = self._state
        parts = [
            _digestible(state.tables),
            sorted((name, _keys(s.events), _keys(s.view)) for name, s in state.staged.items()),
            _digestible(state.standing),
            _digestible(state.views),
            sorted(
                (name, at, relation.ordered()) for (name, at), relation in state.history.items()
            ),
            state.loaded and not state.number,
            min(state.number, max(1, self._last_time)),
            [order_key(arrival) for arrival in self.arrivals()],
            _keys(self._queue.values()),
        ]
        return blake2b(pack(parts), digest_size=16).digest()

    def snapshot(self) -> object:
        arrivals = {name: dict(rows) for name, rows in self._arrivals.items()}
        return (self._state, arrivals, dict(self._queue))

    def restore(self, snapshot: object) -> None:
        assert isinstance(snapshot, tuple)
        self._state, arrivals, queue = snapshot
        self._arrivals = {name: dict(rows) for name, rows in arrivals.items()}
        self._queue = dict(queue)


class Run:
    """One tick, computed beside the state that it starts from."""

    def __init__(self, node: Reference, now: float, arrivals: list[Arrival]) -> None:
        self._node = node
        self._before = node._state
        self._number = node._state.number + 1
        self._arrivals = arrivals
        self._db = {name: Relation(schema) for name, schema in node._schemas.items()}
        self._origins: dict[tuple[str, Any], str] = {}  # who put a keyed row there
        self._replacers: dict[tuple[str, Any], ir.Rule] = {}
        node._moment.now, node._moment.tick = now, self._number

    def run(self) -> tuple[State, Tick, list[tuple[str, Row]]]:
        before = self._before
        self._start()
        for rules, recursive in self._node._strata:
            self._fixpoint(rules, recursive)
        tables = self._next_tables()
        staged = self._staged()
        standing, sends = self._sends()
        events, views = self._shown()
        history = dict(before.history)
        for name, at in self._node._remembered:
            if at == self._number:
                history[name, at] = self._db[name]
        shown = self._changes(views, before.views)
        durable = {
            c.name: changed
            for c in self._node._of_kind("table")
            if c.durable
            and self._node._tells
            and any(changed := difference(tables[c.name], before.tables[c.name]))
        }
        tick = Tick(
            number=self._number,
            again=self._again(tables, staged),
            events={name: rel.ordered() for name, rel in sorted(events.items()) if len(rel)},
            added={name: added for name, (_, added) in shown.items() if added},
            removed={name: removed for name, (removed, _) in shown.items() if removed},
            durable=durable,
            rows_in=len(self._arrivals),
            rows_out=len(sends),
        )
        state = State(
            number=self._number,
            loaded=before.loaded,
            tables=tables,
            staged=staged,
            standing=standing,
            views=views,
            history=history,
            contents=self._db,
        )
        return state, tick, sends

    # ------------------------------------------------------- 1. what is there

    def _start(self) -> None:
        for name, table in self._before.tables.items():
            self._db[name] = table.copy()
        for name, rows in self._node._rosters.items():
            self._put(name, rows, "the roster")
        for facts, rows in self._node._facts:
            if self._holds(facts):
                self._put(facts.collection, rows, "a fact", facts.span)
        for collection, row in self._arrivals:
            self._put(collection, [row], "an arrival")
        for name, staged in self._before.staged.items():
            self._put(name, staged.events + staged.view, "<+ of the last tick")

    def _holds(self, facts: ir.Facts) -> bool:
        collection = self._node._schemas[facts.collection].collection
        if facts.at is not None:
            return facts.at == self._number
        if collection.kind != "table":
            return True
        return self._number == 1 and not (collection.durable and self._before.loaded)

    def _put(
        self, name: str, rows: Iterable[Row], origin: str, span: ir.Span | None = None
    ) -> bool:
        return self._insert(self._db[name], rows, origin, span)

    def _insert(
        self, relation: Relation, rows: Iterable[Row], origin: str, span: ir.Span | None = None
    ) -> bool:
        """Add rows on the word of `origin`; a key conflict fails the tick."""
        schema = relation.schema
        changed = False
        for row in rows:
            try:
                new = relation.insert(row)
            except Conflict as conflict:
                raise self._conflict(schema, conflict, origin, span) from None
            except Misfit as misfit:
                raise TickFailed(origin, [(schema.name, row)], str(misfit), span) from None
            if new:
                changed = True
                if schema.plain_places:
                    self._origins[schema.name, schema.key(row)] = origin
        return changed

    def _conflict(
        self, schema: Schema, conflict: Conflict, origin: str, span: ir.Span | None
    ) -> TickFailed:
        first = self._origins.get((schema.name, schema.key(conflict.there)), "the table")
        key = tuple(conflict.new[place] for place in schema.key_places)
        return TickFailed(
            origin if first in (origin, "the table") else f"{first}, {origin}",
            [(schema.name, conflict.there), (schema.name, conflict.new)],
            f"key conflict in {schema.name}: two rows have the key {key!r} "
            f"(one by {first}, one by {origin})",
            span,
        )

    # --------------------------------------------------------- 2. the fixpoint

    def _lookup(self, atom: ir.Atom) -> Relation:
        if atom.at is None or atom.at == self._number:
            return self._db[atom.collection]
        there = self._before.history.get((atom.collection, atom.at))
        return there or Relation(self._node._schemas[atom.collection])

    def _fixpoint(self, rules: list[RuleEvaluator], recursive: bool) -> None:
        changed = True
        while changed:
            changed = False
            for rule in rules:
                changed |= self._put(
                    rule.rule.head, rule.derive(self._lookup), rule.rule.name, rule.rule.span
                )
            changed &= recursive

    # ------------------------------------------------------------ 3. what next

    def _derived(self, op: ir.Operator) -> Iterable[tuple[RuleEvaluator, list[Row]]]:
        for rule in self._node.program.rules:
            if rule.op == op:
                evaluator = self._node._rules[rule.name]
                yield evaluator, evaluator.derive(self._lookup)

    def _next_tables(self) -> dict[str, Relation]:
        """(what is there - deleted - replaced) + inserted + replacing, conflicts included."""
        schemas = self._node._schemas
        tables = {name: self._db[name].copy() for name in self._before.tables}
        for rule, rows in self._derived("<-"):
            for row in rows:
                tables[rule.rule.head].remove(row)
        replacing: dict[str, Relation] = {}
        for rule, rows in self._derived("<+-"):
            head = rule.rule.head
            relation = replacing.setdefault(head, Relation(schemas[head]))
            self._insert(relation, rows, rule.rule.name, rule.rule.span)
            for row in rows:
                self._replacers.setdefault((head, relation.schema.key(row)), rule.rule)
        for name, relation in replacing.items():
            for row in relation:
                tables[name].remove_key(row)
        for rule, rows in self._derived("<+"):
            if rule.rule.head in tables:
                self._insert(tables[rule.rule.head], rows, rule.rule.name, rule.rule.span)
        for name, relation in replacing.items():
            for row in relation:
                by = self._replacers[name, relation.schema.key(row)]
                self._insert(tables[name], [row], by.name, by.span)
        return tables

    def _staged(self) -> dict[str, Staged]:
        """`<+` rows of collections without memory."""
        staged: dict[str, Relation] = {}
        parts: dict[str, Staged] = {}
        for rule, rows in self._derived("<+"):
            head = rule.rule.head
            if head in self._before.tables:
                continue
            relation = staged.setdefault(head, Relation(self._node._schemas[head]))
            self._insert(relation, rows, rule.rule.name, rule.rule.span)
            part = parts.get(head, Staged())
            if rule.rule.name in self._node._ephemeral:
                part = replace(part, events=self._distinct(head, part.events, rows))
            else:
                part = replace(part, view=self._distinct(head, part.view, rows))
            parts[head] = part
        return {name: part for name, part in parts.items() if part.events or part.view}

    def _distinct(self, name: str, *rows: Iterable[Row]) -> tuple[Row, ...]:
        identity = self._node._schemas[name].identity
        return tuple({identity(row): row for group in rows for row in group}.values())

    def _again(self, tables: dict[str, Relation], staged: dict[str, Staged]) -> bool:
        """Would the next tick start with what this one has not seen."""
        if any(any(difference(tables[name], self._db[name])) for name in tables):
            return True
        for name in staged.keys() | self._before.staged.keys():
            identity = self._node._schemas[name].identity
            before = self._before.staged.get(name, Staged())
            part = staged.get(name, Staged())
            had = set(map(identity, before.events + before.view))
            will = set(map(identity, part.events + part.view))
            # An event that is over is no change; what a view takes back is.
            if not had >= will or not will.issuperset(map(identity, before.view)):
                return True
        return False

    def _sends(self) -> tuple[dict[str, Relation], list[tuple[str, Row]]]:
        """Standing sends derivable now, and the rows that leave: events, and what is new."""
        schemas = self._node._schemas
        standing: dict[str, Relation] = {}
        leaving: dict[str, Relation] = {}
        for rule, rows in self._derived("<~"):
            ephemeral = rule.rule.name in self._node._ephemeral
            found = leaving if ephemeral else standing
            relation = found.setdefault(rule.rule.head, Relation(Loose(schemas[rule.rule.head])))
            self._insert(relation, rows, rule.rule.name, rule.rule.span)
        for name, relation in standing.items():
            before = self._before.standing.get(name, Relation(relation.schema))
            new = difference(relation, before)[1]
            self._insert(leaving.setdefault(name, Relation(relation.schema)), new, name)
        sends = [(name, row) for name, relation in leaving.items() for row in relation]
        return standing, sends

    def _shown(self) -> tuple[dict[str, Relation], dict[str, Relation]]:
        """Events and views of outputs and invariants."""
        events: dict[str, Relation] = {}
        views: dict[str, Relation] = {}
        for collection in self._node._of_kind(*SHOWN):
            name = collection.name
            schema = self._node._schemas[name]
            staged = self._before.staged.get(name, Staged())
            events[name] = Relation(schema, staged.events)
            views[name] = Relation(schema, staged.view)
            for facts, rows in self._node._facts:
                if facts.collection == name and self._holds(facts):
                    self._insert(views[name], rows, "a fact")
        for rule, rows in self._derived("<="):
            head = rule.rule.head
            if head in views:
                part = events if rule.rule.name in self._node._ephemeral else views
                self._insert(part[head], rows, rule.rule.name, rule.rule.span)
        return events, views

    def _changes(
        self, views: dict[str, Relation], before: dict[str, Relation]
    ) -> dict[str, tuple[list[Row], list[Row]]]:
        return {
            name: difference(view, before.get(name, Relation(view.schema)))
            for name, view in sorted(views.items())
        }


class Loose(Schema):
    """A channel's columns on the way out: lattices merge, and rivals all leave."""

    def __init__(self, schema: Schema) -> None:
        self.__dict__.update(schema.__dict__)
        if not self.merged:
            self.key_places = tuple(range(len(self.types)))
            self.plain_places = ()


def _keys(rows: Iterable[Any]) -> list[Any]:
    return sorted(map(order_key, rows))


def _digestible(relations: Mapping[str, Relation]) -> list[tuple[str, list[Any]]]:
    return [(name, _keys(relation)) for name, relation in sorted(relations.items())]

"""IR to join plans: what relations there are, in which order they are computed, and how.

Data to data.  The program's collections become relations, each of one kind:

- `base`: filled from outside the rules (arrivals, facts, what was staged);
- `table`: rows that `<=` put there stay;
- `view`: follows its rules from tick to tick;
- `event`: empty at the start of each tick.

A collection that both ephemeral and other rules feed is an event that copies a
view.  Every rule with aggregates fills a relation of its own, which a rule
copies to the head; so does everything staged (`<+`, `<-`, `<+-`) and sent
(`<~`), so that the engine maintains it like any view and works out the next tick
from what changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bloomish import ir
from bloomish.ephemeral import ephemeral_collections, is_ephemeral
from bloomish.runtime.plan_data import (
    AggregatePlan,
    ArrivalPlan,
    Body,
    BoundPlan,
    DeltaPlan,
    FactsPlan,
    OutputPlan,
    Plan,
    RelationPlan,
    RulePlan,
    SendPlan,
    StagedPlan,
    StratumPlan,
    TablePlan,
    Virtual,
)
from bloomish.runtime.plan_expressions import Externs, type_data
from bloomish.runtime.plan_joins import Joins
from bloomish.runtime.relation import Schema
from bloomish.strata import components
from bloomish.types import rule_types
from bloomish.values import Values

ARRIVING = ("channel", "input", "periodic")
SHOWN = ("output", "invariant")


class Planner:
    """Plans one program; `plan` is the entrance."""

    def __init__(
        self,
        program: ir.Program,
        values: Values,
        externs: Externs,
        rosters: Mapping[str, Sequence[str]],
    ) -> None:
        self._program = program
        self._values = values
        self._externs = externs
        self._rosters = rosters
        self._collections = {c.name: c for c in program.collections}
        self._schemas = {c.name: Schema(c, values) for c in program.collections}
        ephemeral = ephemeral_collections(program)
        self._ephemeral = {r.name for r in program.rules if is_ephemeral(program, r, ephemeral)}
        self._visible: dict[str, int] = {}  # what rules that read a collection see
        self._events: dict[str, int] = {}  # what its ephemeral rules fill
        self._views: dict[str, int] = {}  # what its other rules fill
        self._remembered: dict[tuple[str, int], int] = {}
        self._virtual: list[Virtual] = []
        self.plan = Plan()

    def run(self) -> Plan:
        for collection in self._program.collections:
            self._declare(collection)
        for name, at in self._times():
            self._remember(name, at)
        for facts in self._program.facts:
            self._facts(facts)
        for rule in self._program.rules:
            self._rule(rule)
        for virtual in self._virtual:
            self._track(virtual)
        self._stratify()
        return self.plan

    # ------------------------------------------------------------ relations

    def _relation(
        self, collection: ir.Collection, kind: str, *, as_set: bool = False, ephemeral: bool = False
    ) -> int:
        """A relation with a collection's columns, or with its rows as a mere set."""
        schema = self._schemas[collection.name]
        arity = len(schema.types)
        merges = [
            (place, type_data(self._values, type_))
            for place, type_ in enumerate(schema.types)
            if isinstance(type_, ir.Lattice) and place in dict(schema.merged)
        ]
        relation = RelationPlan(
            name=collection.name,
            arity=arity,
            key=arity if as_set else len(schema.key_places),
            kind=kind,
            types=[type_data(self._values, type_) for type_ in schema.types],
            merges=[] if as_set else merges,
            plain=[] if as_set else list(schema.plain_places),
            ephemeral=ephemeral or kind == "event",
            sourced=bool(schema.plain_places),
        )
        self.plan.relations.append(relation)
        return len(self.plan.relations) - 1

    def _declare(self, c: ir.Collection) -> None:
        plan = self.plan
        match c.kind:
            case "channel" | "input" | "periodic":
                place = self._relation(c, "base", ephemeral=True)
                wire = (c.wire or c.name) if c.kind == "channel" else None
                plan.arrivals.append(ArrivalPlan(c.name, place, wire))
            case "table":
                place = self._relation(c, "table")
                plan.tables.append(TablePlan(place, c.name, c.durable))
            case "roster":
                place = self._relation(c, "base")
                addresses = dict.fromkeys(self._rosters.get(c.role, ()))
                rows: list[tuple[object, ...]] = [(address,) for address in addresses]
                plan.facts.append(FactsPlan(place, rows, roster=True))
            case "const":
                place = self._relation(c, "base")
            case _:
                place = self._declare_view(c)
        self._visible[c.name] = place
        plan.contents.append((c.name, place))

    def _declare_view(self, c: ir.Collection) -> int:
        fed = [r for r in self._program.rules if r.head == c.name and r.op in ("<=", "<+")]
        events = any(rule.name in self._ephemeral for rule in fed)
        facts = any(facts.collection == c.name for facts in self._program.facts)
        view = facts or any(rule.name not in self._ephemeral for rule in fed)
        shown = c.kind in SHOWN
        if events and view:
            place = self._relation(c, "event")
            self._views[c.name] = self._relation(c, "view")
            self._copy(self._views[c.name], place, c, each_tick=True)
            self._events[c.name] = self._relation(c, "event") if shown else place
            if shown:
                self._copy(self._events[c.name], place, c, each_tick=True)
        elif events:
            place = self._events[c.name] = self._relation(c, "event")
        else:
            place = self._views[c.name] = self._relation(c, "view")
        if shown:
            output = OutputPlan(c.name, self._events.get(c.name), self._views.get(c.name))
            self.plan.outputs.append(output)
        return place

    def _copy(
        self, source: int, head: int, c: ir.Collection, *, each_tick: bool, name: str = ""
    ) -> None:
        """A rule that copies a relation with the columns of a collection."""
        columns = tuple(ir.Var(f"c{place}") for place in range(len(c.columns)))
        rules = [r.name for r in self._program.rules if r.head == c.name]
        self._virtual.append(
            Virtual(
                name or ", ".join(rules),
                head,
                columns,
                Body(((ir.Atom(c.name, columns), source),)),
                {f"c{place}": column.type for place, column in enumerate(c.columns)},
                each_tick,
                raw=True,
                copy=True,
            )
        )

    def _times(self) -> list[tuple[str, int]]:
        program = self._program
        atoms = [lit for rule in program.rules for lit in rule.body if isinstance(lit, ir.Atom)]
        found = sorted({(a.collection, a.at) for a in atoms if a.at is not None})
        times = [at for _, at in found] + [f.at for f in program.facts if f.at is not None]
        self.plan.last_time = max(times, default=0)
        return found

    def _remember(self, name: str, at: int) -> None:
        """The content of a collection at one tick, kept from then on."""
        c = self._collections[name]
        place = self._relation(c, "table", as_set=True)
        self._remembered[name, at] = place
        columns = tuple(ir.Var(f"c{column}") for column in range(len(c.columns)))
        test = ir.Condition(ir.Binary("==", ir.TickNumber(), ir.Const(at)))
        body = Body(((test, -1), (ir.Atom(name, columns), self._visible[name])))
        types = {f"c{column}": spec.type for column, spec in enumerate(c.columns)}
        self._virtual.append(Virtual(name, place, columns, body, types, True, raw=True))

    def _facts(self, facts: ir.Facts) -> None:
        c = self._collections[facts.collection]
        rows = [self._schemas[c.name].row(row) for row in facts.rows]
        place = self._visible[c.name]
        if c.kind == "table":
            spec = FactsPlan(place, rows, facts.at, table=True, durable=c.durable)
        elif c.kind in ARRIVING or (c.kind in ("const", "roster") and facts.at is None):
            spec = FactsPlan(place, rows, facts.at)
        else:
            base = self._relation(c, "base")
            head = self._views.get(c.name, place)
            self._copy(base, head, c, each_tick=False, name="a fact")
            spec = FactsPlan(base, rows, facts.at)
        self.plan.facts.append(spec)

    # ---------------------------------------------------------------- rules

    def _rule(self, rule: ir.Rule) -> None:
        ephemeral = rule.name in self._ephemeral
        c = self._collections[rule.head]
        head = self._head(rule, c, ephemeral)
        types = rule_types(self._program, rule)
        pairs = []
        for literal in rule.body:
            relation = -1
            if isinstance(literal, ir.Atom):
                relation = self._visible[literal.collection]
                if literal.at is not None:
                    relation = self._remembered[literal.collection, literal.at]
            pairs.append((literal, relation))
        virtual = Virtual(
            rule.name,
            head,
            rule.args,
            Body(tuple(pairs)),
            types,
            ephemeral,
            head_types=[column.type for column in c.columns],
            source=rule,
        )
        if any(isinstance(arg, ir.Aggregate) for arg in rule.args):
            self._aggregated(virtual, c)
        else:
            self._virtual.append(virtual)

    def _aggregated(self, virtual: Virtual, c: ir.Collection) -> None:
        """The rule fills a relation of its own: group, other plain columns, results."""
        assert virtual.source is not None
        args = virtual.args
        own: set[ir.Expr | None] = set()
        ranks = False
        for arg in args:
            if isinstance(arg, ir.Aggregate) and arg.name == "index":
                ranks = True
                own.add(arg.value)
                if isinstance(arg.value, ir.TupleExpr):
                    own.update(arg.value.items)
        plain = [place for place, arg in enumerate(args) if not isinstance(arg, ir.Aggregate)]
        group = [place for place in plain if args[place] not in own]
        rest = [place for place in plain if args[place] in own]
        results = [place for place, arg in enumerate(args) if isinstance(arg, ir.Aggregate)]
        order = [*group, *rest, *results]
        kind = "event" if virtual.each_tick else "view"
        running = self._running(virtual)
        relation = RelationPlan(
            name=c.name,
            arity=len(order) + running,
            key=len(order) if ranks else len(group),
            kind=kind,
            types=[("any",)] * (len(order) + running),
            ephemeral=virtual.each_tick,
        )
        if ranks:
            relation.indexes.append(list(range(len(group))))
        self.plan.relations.append(relation)
        place = len(self.plan.relations) - 1
        self._externs.untyped.add(place)
        head, virtual.head = virtual.head, place
        virtual.args = tuple(args[at] for at in order)
        virtual.aggregate = True
        virtual.raw = True
        self._virtual.append(virtual)
        columns = tuple(ir.Var(f"c{at}") for at in range(len(order)))
        back = tuple(columns[order.index(at)] for at in range(len(order)))
        self._virtual.append(
            Virtual(
                virtual.name,
                head,
                back,
                Body(((ir.Atom(c.name, columns + (ir.Wild(),) * running), place),)),
                {},
                virtual.each_tick,
                head_types=virtual.head_types,
                source=virtual.source,
            )
        )

    def _running(self, virtual: Virtual) -> bool:
        """Whether results can be carried on: what is invertible, and extremes until one goes."""
        if virtual.each_tick or any(
            isinstance(literal, ir.Atom) and literal.negated for literal, _ in virtual.body.literals
        ):
            return False
        return all(
            arg.name in ("sum", "min", "max") or (arg.name == "count" and arg.value is None)
            for arg in virtual.args
            if isinstance(arg, ir.Aggregate)
        )

    def _head(self, rule: ir.Rule, c: ir.Collection, ephemeral: bool) -> int:
        """The relation that a rule's operator fills."""
        kind = "event" if ephemeral else "view"
        if rule.op == "<=":
            part = self._events if ephemeral else self._views
            return part.get(c.name, self._visible[c.name])
        if rule.op == "<~":
            return self._sending(c, ephemeral)
        if c.kind == "table":
            table = next(t for t in self.plan.tables if t.name == c.name)
            return self._staging(rule.op, table, c, kind)
        staged = next((s for s in self.plan.staged if s.relation == self._visible[c.name]), None)
        if staged is None:
            staged = StagedPlan(self._visible[c.name])
            self.plan.staged.append(staged)
        known = staged.events if ephemeral else staged.view
        if known is None:
            base = self._relation(c, "base", as_set=True, ephemeral=ephemeral)
            known = (self._relation(c, kind, as_set=True), base)
            part = self._events if ephemeral else self._views
            name = "<+ of the last tick"
            self._copy(base, part[c.name], c, each_tick=ephemeral, name=name)
            if ephemeral:
                staged.events = known
            else:
                staged.view = known
        return known[0]

    def _staging(self, op: ir.Operator, table: TablePlan, c: ir.Collection, kind: str) -> int:
        relations = self.plan.relations
        known = {
            "<-": table.minus,
            "<+-": table.replace,
            "<+": [relation for relation, _ in table.plus],
        }[op]
        for relation in known:
            if relations[relation].kind == kind:
                return relation
        place = self._relation(c, kind, as_set=op != "<+-")
        if op == "<-":
            table.minus.append(place)
        elif op == "<+-":
            table.replace.append(place)
        else:
            key = relations[table.relation].key
            by_key = key < relations[table.relation].arity
            slot = relations[place].slot(list(range(key))) if by_key else None
            table.plus.append((place, slot))
        return place

    def _sending(self, c: ir.Collection, ephemeral: bool) -> int:
        wire = c.wire or c.name
        send = next((s for s in self.plan.sends if s.wire == wire), None)
        if send is None:
            send = SendPlan(wire, self._visible[c.name])
            self.plan.sends.append(send)
        known = send.events if ephemeral else send.standing
        if known is None:
            # rivals for a key all leave; values of lattices merge
            merges = bool(self._schemas[c.name].merged)
            known = self._relation(c, "event" if ephemeral else "view", as_set=not merges)
            if ephemeral:
                send.events = known
            else:
                send.standing = known
        return known

    def _track(self, virtual: Virtual) -> None:
        """Rules that are maintained follow the changes of ephemeral relations that they negate."""
        if virtual.each_tick:
            return
        for literal, relation in virtual.body.literals:
            if isinstance(literal, ir.Atom) and self.plan.relations[relation].ephemeral:
                self.plan.relations[relation].tracked = True

    # --------------------------------------------------------------- strata

    def _stratify(self) -> None:
        reads: dict[str, list[str]] = {}
        for virtual in self._virtual:
            sources = [str(rel) for _, rel in virtual.body.literals if rel >= 0]
            reads.setdefault(str(virtual.head), []).extend(sources)
        nodes = [str(place) for place in range(len(self.plan.relations))]
        groups = [sorted(map(int, group)) for group in components(nodes, reads)]
        for virtual in self._virtual:
            group = next(group for group in groups if virtual.head in group)
            self.plan.rules.append(self._planned(virtual, set(group)))
        for group in groups:
            rules = [i for i, virtual in enumerate(self._virtual) if virtual.head in group]
            if not rules:
                continue
            recursive = any(
                relation in group for i in rules for _, relation in self._virtual[i].body.literals
            )
            self.plan.strata.append(StratumPlan(group, rules, recursive))
            views = [rel for rel in group if self.plan.relations[rel].kind == "view"]
            if recursive and len(views) > 1:
                for view in views:
                    self.plan.relations[view].ranked = True

    def _planned(self, virtual: Virtual, stratum: set[int]) -> RulePlan:
        joins = Joins(virtual, self.plan.relations, stratum, self._values, self._externs)
        args = joins.head()
        full = joins.steps()
        deltas = []
        for literal, (atom, relation) in enumerate(virtual.body.literals):
            if not isinstance(atom, ir.Atom):
                continue
            same = relation in stratum
            if virtual.each_tick and (atom.negated or not same):
                continue
            steps = joins.steps(driver=literal)
            deltas.append(DeltaPlan(literal, relation, atom.negated, same, steps))
        bound = None
        if not virtual.each_tick:
            relation_plan = self.plan.relations[virtual.head]
            width = relation_plan.arity
            if relation_plan.merges:
                width = relation_plan.key
            elif virtual.aggregate:
                width = self._group_width(virtual)
            register, steps = joins.bound(width)
            bound = BoundPlan(width, register, steps)
        return RulePlan(
            name=virtual.name,
            head=virtual.head,
            each_tick=virtual.each_tick,
            registers=joins.registers,
            args=args,
            full=full,
            deltas=deltas,
            bound=bound,
            aggregate=self._aggregate_plan(virtual) if virtual.aggregate else None,
            reads=[
                relation
                for literal, relation in virtual.body.literals
                if isinstance(literal, ir.Atom) and not literal.negated
            ],
            copies=virtual.body.literals[0][1] if virtual.copy else None,
        )

    def _group_width(self, virtual: Virtual) -> int:
        relation = self.plan.relations[virtual.head]
        return len(relation.indexes[0]) if self._ranks(virtual) else relation.key

    def _ranks(self, virtual: Virtual) -> bool:
        return any(isinstance(a, ir.Aggregate) and a.name == "index" for a in virtual.args)

    def _aggregate_plan(self, virtual: Virtual) -> AggregatePlan:
        assert virtual.source is not None
        args = virtual.args
        plain = [place for place, arg in enumerate(args) if not isinstance(arg, ir.Aggregate)]
        columns = []
        at = len(plain)
        for arg in args[len(plain) :]:
            assert isinstance(arg, ir.Aggregate)
            own = {arg.value}
            if isinstance(arg.value, ir.TupleExpr):
                own.update(arg.value.items)
            others = [place for place in plain if args[place] not in own]
            name = "count distinct" if arg.name == "count" and arg.value is not None else arg.name
            columns.append((str(name), at, at + 1, others if arg.name == "index" else []))
            at += 2
        # the priority of choose() names the group's values in the order of the head
        named = [arg for arg in virtual.source.args if not isinstance(arg, ir.Aggregate)]
        taken: list[int] = []
        for arg in named:
            taken.append(next(p for p in plain if args[p] == arg and p not in taken))
        rules = [rule.name for rule in self._program.rules]
        group = self._group_width(virtual)
        rule = rules.index(virtual.source.name)
        return AggregatePlan(group, taken, columns, rule, self._running(virtual))


def plan(
    program: ir.Program,
    values: Values,
    externs: Externs,
    rosters: Mapping[str, Sequence[str]],
) -> Plan:
    """The plan of a program for one node."""
    return Planner(program, values, externs, rosters).run()

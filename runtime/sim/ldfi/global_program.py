"""A cluster's programs as one Dedalus program over all nodes, for fault injection.

Every collection gets its node as first column, every rule the location `here`;
tables are frames (`t@next :- t, notin deleted`), sends are `@async`, timers fire
at every tick, hosts insert at the first.  What the lineage follows is rules over
plain columns; lattices, functions and `each` are refused, with their place.
A host's input called `crash(node, time)` tells which nodes crash.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from bloomish import ir
from bloomish.errors import ProgramError
from bloomish.readers.dedalus.checks import CRASH
from bloomish.runtime.sim.ldfi.verdict import POST, PRE
from bloomish.runtime.sim.stage import Member, Stage
from bloomish.runtime.sim.workload import Insert

_HERE = ir.Var("here@")
_AGGREGATES = ("count", "sum", "min", "max", "avg")
_FIRST = ir.Column("node", ir.Plain("Address"))


class NotFollowed(ProgramError):
    """Lineage does not go through this."""


def global_program(stage: Stage, inserts: Sequence[Insert], eot: int) -> ir.Program:
    """The programs of a stage as one; raises ProgramError for what cannot be followed."""
    roles: dict[int, list[Member]] = {}
    for member in stage.members:
        roles.setdefault(id(member.program), []).append(member)
    builder = _Builder(stage, eot)
    for number, members in enumerate(roles.values()):
        builder.role(f"role{number}", members)
    builder.inserts(inserts)
    first = stage.members[0].program
    return ir.Program(
        stage.target,
        tuple(builder.collections.values()),
        tuple(builder.rules),
        tuple(builder.facts),
        notation="dedalus",
        span=first.span,
    )


@dataclass
class _Builder:
    stage: Stage
    eot: int
    collections: dict[str, ir.Collection] = field(default_factory=dict)
    rules: list[ir.Rule] = field(default_factory=list)
    facts: list[ir.Facts] = field(default_factory=list)
    names: dict[tuple[str, str], str] = field(default_factory=dict)  # (node, collection)

    # ------------------------------------------------------------ collections

    def role(self, role: str, members: Sequence[Member]) -> None:
        """The collections, facts and rules of the nodes that run one program."""
        program = members[0].program
        nodes = [member.node for member in members]
        self.always(f"@{role}", [(node,) for node in nodes], (_FIRST,))
        named: dict[str, str] = {}
        for collection in program.collections:
            named[collection.name] = self.collection(role, collection, nodes)
        for node in nodes:
            self.names |= {(node, name): known for name, known in named.items()}
        for facts in program.facts:
            rows = [(node, *row) for node in nodes for row in facts.rows]
            if program_kind(program, facts.collection) == "const":
                self.always(named[facts.collection], rows)
            else:
                self.given(named[facts.collection], rows, facts.at or 1)
        translator = _Translator(role, program, named, self.stage)
        for rule in program.rules:
            self.rules += translator.rule(rule)
        for collection in program.collections:
            if collection.kind == "table":
                self.frame(role, collection, named[collection.name], program)

    def collection(self, role: str, collection: ir.Collection, nodes: Sequence[str]) -> str:
        """Declares a collection; the name that it has among all nodes."""
        for column in collection.columns:
            if isinstance(column.type, ir.Lattice):
                raise _refused(
                    collection.span, f"the lattice column {collection.name}.{column.name}"
                )
        name = collection.name
        if collection.kind == "channel":
            name = f"channel {collection.wire or name}"
        elif name not in (PRE, POST, CRASH):
            name = f"{role}.{name}"
        kind: ir.Kind = "input" if name == CRASH else "scratch"
        known = self.collections.get(name)
        columns = (_FIRST, *collection.columns)
        if known is not None and len(known.columns) != len(columns):
            raise ProgramError(
                collection.span,
                f"`{collection.name}` has different columns in different roles",
                "give it the same columns everywhere",
            )
        self.collections[name] = ir.Collection(name, kind, columns, span=collection.span)
        if collection.kind == "roster":
            others = self.stage.rosters.get(collection.role, ())
            self.always(name, [(node, other) for node in nodes for other in others])
        elif collection.kind == "periodic":
            for time in range(1, self.eot + 1):
                self.given(name, [(node, time) for node in nodes], time)
        return name

    def frame(self, role: str, table: ir.Collection, name: str, program: ir.Program) -> None:
        """A table's rows stay, unless they are deleted or their key is replaced."""
        operators = {rule.op for rule in program.rules if rule.head == table.name}
        row = (_HERE, *(ir.Var(column.name) for column in table.columns))
        body: list[ir.Literal] = [ir.Atom(name, row, span=table.span)]
        if "<-" in operators:
            body.append(ir.Atom(f"{name}@delete", row, negated=True, span=table.span))
            self.hidden(name, "delete")
        if "<+-" in operators:
            keys = (
                _HERE,
                *(ir.Var(c.name) if c.key else ir.Wild() for c in table.columns),
            )
            body.append(ir.Atom(f"{name}@replace", keys, negated=True, span=table.span))
            self.hidden(name, "replace")
            put = ir.Atom(f"{name}@replace", row, span=table.span)
            self.rules.append(ir.Rule(f"{name} replaced", name, row, "<+", (put,), span=table.span))
        span = replace(table.span, text=f"{table.name} stays")
        self.rules.append(ir.Rule(f"{name} stays", name, row, "<+", tuple(body), span=span))

    def hidden(self, name: str, what: str) -> None:
        """A scratch with the columns of a collection."""
        hidden = f"{name}@{what}"
        self.collections[hidden] = replace(self.collections[name], name=hidden)

    # ------------------------------------------------------------------ facts

    def given(self, name: str, rows: Iterable[tuple[object, ...]], at: int) -> None:
        """Rows at one tick."""
        self.facts.append(ir.Facts(name, tuple(rows), at))

    def always(
        self,
        name: str,
        rows: Sequence[tuple[object, ...]],
        columns: tuple[ir.Column, ...] = (),
    ) -> None:
        """Rows at every tick."""
        if columns:
            self.collections[name] = ir.Collection(name, "scratch", columns)
        for time in range(1, self.eot + 1):
            self.given(name, rows, time)

    def inserts(self, inserts: Sequence[Insert]) -> None:
        """What hosts insert, all at the first tick."""
        for one in inserts:
            if one.collection != CRASH:
                rows = [(one.node, *row) for row in one.rows]
                self.given(self.names[one.node, one.collection], rows, 1)


def program_kind(program: ir.Program, collection: str) -> str:
    """A collection's kind."""
    return next(one.kind for one in program.collections if one.name == collection)


@dataclass
class _Translator:
    """The rules of one role, located."""

    role: str
    program: ir.Program
    named: dict[str, str]
    stage: Stage

    def rule(self, rule: ir.Rule) -> list[ir.Rule]:
        """The rule at every node of the role."""
        span = rule.span
        body: list[ir.Literal] = [ir.Atom(f"@{self.role}", (_HERE,), span=span)]
        body += (self.literal(literal, span) for literal in rule.body)
        args = tuple(self.head(arg, span) for arg in rule.args)
        head = self.named[rule.head]
        operator: ir.Operator = rule.op
        place: ir.HeadArg = _HERE
        if rule.op == "<~":
            place = args[0]
        elif rule.op == "<-":
            head, operator = f"{head}@delete", "<="
        elif rule.op == "<+-":
            head, operator = f"{head}@replace", "<="
        name = f"{self.role}.{rule.name}"
        return [ir.Rule(name, head, (place, *args), operator, tuple(body), span=span)]

    def literal(self, literal: ir.Literal, span: ir.Span) -> ir.Literal:
        if isinstance(literal, ir.Atom):
            args = tuple(self.expression(arg, span) for arg in literal.args)
            name = self.named[literal.collection]
            return ir.Atom(name, (_HERE, *args), literal.negated, literal.at, literal.span)
        if isinstance(literal, ir.Condition):
            return ir.Condition(self.expression(literal.test, span), literal.span)
        raise _refused(span, "`each`")

    def head(self, arg: ir.HeadArg, span: ir.Span) -> ir.HeadArg:
        if not isinstance(arg, ir.Aggregate):
            return self.expression(arg, span)
        if arg.name not in _AGGREGATES:
            raise _refused(span, f"the aggregate {arg.name}")
        value = None if arg.value is None else self.expression(arg.value, span)
        return ir.Aggregate(arg.name, value)

    def expression(self, expression: ir.Expr, span: ir.Span) -> ir.Expr:
        if isinstance(expression, ir.Var | ir.Wild | ir.Const):
            return expression
        if isinstance(expression, ir.Here):
            return _HERE
        if isinstance(expression, ir.Unary):
            return ir.Unary(expression.op, self.expression(expression.operand, span))
        if isinstance(expression, ir.Binary) and expression.op != "|":
            left = self.expression(expression.left, span)
            return ir.Binary(expression.op, left, self.expression(expression.right, span))
        if isinstance(expression, ir.Size) and isinstance(expression.of, str):
            roster = next(c for c in self.program.collections if c.name == expression.of)
            return ir.Const(len(self.stage.rosters.get(roster.role, ())))
        raise _refused(span, f"{type(expression).__name__.lower()} expressions")


def _refused(span: ir.Span, what: str) -> NotFollowed:
    return NotFollowed(
        span,
        f"fault injection does not follow {what}",
        "it follows rules over plain columns; `bloomish sim` and `explore` take all programs",
    )

"""Statements to `ir.Program`.

- Every predicate is a `scratch`; `@next` rules are `<+`, so that a frame rule
  (`p(X)@next :- p(X)`) is what it says.
- A predicate `p` with `@async` rules may have other rules too, and an IR
  channel takes `<~` only.  So its messages travel in a channel `p@async`, and
  one rule of origin "arrival" hands them over: `p(...) <= p@async(...)`.
- The location of a rule is the first column of its first body predicate, as
  the order of the body keeps it.  Molly adds a positive `clock` literal, which
  binds a location or destination that nothing else binds, to each node in
  turn: here an atom of the roster `node@all`.
- `clock` and `crash` are provided: `clock` follows the tick number, `crash` is
  an input that the simulator fills.
"""

from __future__ import annotations

import keyword
from collections.abc import Iterator, Sequence

from bloomish import ir
from bloomish.readers.dedalus.checks import CLOCK, CRASH, check_statements
from bloomish.readers.dedalus.columns import infer_columns, variables
from bloomish.readers.dedalus.rules import ALL_NODES, constant_of, translate_clause
from bloomish.readers.dedalus.sources import Warn
from bloomish.readers.dedalus.syntax import Clause, Fact, Name, Predicate

ARRIVAL = "arrival"
PROVIDED = "provided"


def channel_of(name: str) -> str:
    """The hidden channel that carries the `@async` rows of a predicate."""
    return f"{name}@async"


def translate(
    name: str, statements: Sequence[Fact | Clause], span: ir.Span
) -> tuple[ir.Program, list[Warn]]:
    """The whole program, and what a reader should be told about it."""
    arities, places, warnings = check_statements(statements)
    types, typing = infer_columns(statements, places, arities)
    names = _column_names(statements, arities)
    defined = {s.predicate.name if isinstance(s, Fact) else s.head.name for s in statements}
    collections = [
        ir.Collection(
            predicate,
            "input" if predicate == CRASH and CRASH not in defined else "scratch",
            _columns(names[predicate], types[predicate]),
            span=places[predicate],
        )
        for predicate in arities
    ]
    rules: list[ir.Rule] = []
    counts: dict[str, int] = {}
    for clause in (s for s in statements if isinstance(s, Clause)):
        translated = translate_clause(clause, counts, types)
        rules += translated.rules
        collections += translated.hidden
        warnings += translated.warnings
    collections, rules = _carry(collections, rules)
    if CLOCK in arities and CLOCK not in defined:
        rules.append(_clock_rule(arities[CLOCK]))
    if any(_reads(rule, ALL_NODES) for rule in rules):
        address = (ir.Column("node", ir.Plain("Address")),)
        collections.append(ir.Collection(ALL_NODES, "roster", address, role="node"))
    program = ir.Program(
        name,
        tuple(collections),
        tuple(rules),
        _facts(statements),
        notation="dedalus",
        span=span,
    )
    return program, warnings + typing


def _carry(
    collections: list[ir.Collection], rules: list[ir.Rule]
) -> tuple[list[ir.Collection], list[ir.Rule]]:
    """A hidden channel, and the rule that hands its rows over, per sent predicate."""
    declared = {collection.name: collection for collection in collections}
    sent = {rule.head.removesuffix("@async"): rule.span for rule in rules if rule.op == "<~"}
    for predicate, span in sent.items():
        of = declared[predicate]
        first = ir.Column(of.columns[0].name, ir.Plain("Address"))
        columns = (first, *of.columns[1:])
        collections.append(
            ir.Collection(channel_of(predicate), "channel", columns, wire=predicate, span=span)
        )
        row = tuple(ir.Var(column.name) for column in columns)
        rules.append(
            ir.Rule(
                f"{predicate}_arrival",
                predicate,
                row,
                "<=",
                (ir.Atom(channel_of(predicate), row, span=span),),
                origin=ARRIVAL,
                span=span,
            )
        )
    return collections, rules


def _clock_rule(arity: int) -> ir.Rule:
    """`clock(From, To, Time, Arrival)`: what this node can send, one row per node."""
    arrival = ir.Binary("+", ir.TickNumber(), ir.Const(1))
    row = (ir.Here(), ir.Var("To"), ir.TickNumber(), arrival)[:arity]
    body = (ir.Atom(ALL_NODES, (ir.Var("To"),)),)
    return ir.Rule("clock_provided", CLOCK, row, "<=", body, origin=PROVIDED)


def _reads(rule: ir.Rule, collection: str) -> bool:
    return any(isinstance(part, ir.Atom) and part.collection == collection for part in rule.body)


def _facts(statements: Sequence[Fact | Clause]) -> tuple[ir.Facts, ...]:
    rows: dict[tuple[str, int], dict[tuple[object, ...], None]] = {}
    spans: dict[tuple[str, int], ir.Span] = {}
    for fact in (s.predicate for s in statements if isinstance(s, Fact)):
        assert isinstance(fact.time, int)
        key = (fact.name, fact.time)
        rows.setdefault(key, {})[_row(fact)] = None
        spans.setdefault(key, fact.span)
    return tuple(
        ir.Facts(name, tuple(found), at, spans[name, at]) for (name, at), found in rows.items()
    )


def _row(fact: Predicate) -> tuple[object, ...]:
    return tuple(constant_of(argument) for argument in fact.args)


def _columns(names: Sequence[str], types: Sequence[ir.Plain]) -> tuple[ir.Column, ...]:
    return tuple(ir.Column(name, kind) for name, kind in zip(names, types, strict=True))


def _column_names(
    statements: Sequence[Fact | Clause], arities: dict[str, int]
) -> dict[str, list[str]]:
    """Columns are called as the variables that first stand in them, if that is unambiguous."""
    found: dict[str, list[str]] = {name: [""] * arity for name, arity in arities.items()}
    for name, position, variable in _named_places(statements):
        word = "".join(c for c in variable.lower() if c.isalnum() or c == "_").strip("_")
        if not found[name][position] and word not in found[name] and _is_name(word):
            found[name][position] = word
    return {
        name: [word or f"c{position}" for position, word in enumerate(words)]
        for name, words in found.items()
    }


def _named_places(statements: Sequence[Fact | Clause]) -> Iterator[tuple[str, int, str]]:
    for clause in (s for s in statements if isinstance(s, Clause)):
        for predicate in (clause.head, *(p for p in clause.body if isinstance(p, Predicate))):
            for position, argument in enumerate(predicate.args):
                if isinstance(argument, Name):
                    for variable in variables(argument):
                        yield predicate.name, position, variable


def _is_name(word: str) -> bool:
    return word.isidentifier() and not keyword.iskeyword(word)

"""pyDatalog clause text into the IR (pyDatalog 0.22; Carbonnelle, 2012-2026).

`read(text)` gives the program; its text is never executed.  Each predicate with
clauses becomes an output of its name, each with facts alone a table.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from bloomish import ir
from bloomish.externals import Externals
from bloomish.readers.pydatalog.aggregates import emit_aggregate
from bloomish.readers.pydatalog.clauses import (
    Built,
    C,
    Clause,
    Cmp,
    Fact,
    Fn,
    In,
    Item,
    Lit,
    Not,
    Op,
    Pred,
    Query,
    Sig,
    Source,
    Term,
    Tup,
    V,
    variables,
)
from bloomish.readers.pydatalog.demand import flatten, given
from bloomish.readers.pydatalog.emit import Emitter
from bloomish.readers.pydatalog.functions import library
from bloomish.readers.pydatalog.normal import Match, Rule
from bloomish.readers.pydatalog.syntax import parse, parse_query

if TYPE_CHECKING:
    from bloomish.elaborate import Compiled

ANSWER = "answer"
"""The output that holds the answer of `read_query`'s query."""


def read(text: str, filename: str = "") -> Compiled:
    """The program of a clause text; its queries are the outputs `query_1`, ..."""
    source = parse(text, filename)
    return _compiled(source, [f"query_{n + 1}" for n in range(len(source.queries))], filename)


def read_query(text: str, query: str, filename: str = "") -> tuple[Compiled, tuple[str, ...]]:
    """The program with one query, whose answer is the output `ANSWER`, and the
    names of its variables (none: the output has one row, or no row)."""
    source = parse(text, filename)
    asked = parse_query(query)
    compiled = _compiled(Source(source.facts, source.clauses, (asked,)), [ANSWER], filename)
    return compiled, tuple(_shown(asked.body))


def _compiled(source: Source, names: list[str], filename: str) -> Compiled:
    from bloomish.elaborate import Compiled  # the language is above its readers

    program, functions = _translate(source, names, filename)
    return Compiled(program, Externals(functions))


def _translate(
    source: Source, names: list[str], filename: str
) -> tuple[ir.Program, dict[str, Callable[..., Any]]]:
    clauses = list(source.clauses)
    for name, query in zip(names, source.queries, strict=True):
        clauses.append(_as_clause(query, name))
    normal, calls = flatten(clauses, source.facts)
    facts = [*source.facts, *calls]
    rules, facts = _apart(normal.rules, facts)
    emitter = Emitter(rules, facts, normal.helpers)
    externals: dict[str, Callable[..., Any]] = {}
    for number, rule in enumerate(rules):
        if rule.agg is not None:
            emit_aggregate(emitter, number, rule, externals)
            continue
        args = tuple(emitter.expr(number, arg, (rule.sig, at)) for at, arg in enumerate(rule.args))
        head = emitter.names[rule.sig]
        emitter.rule(head, args or (ir.Const(True),), emitter.body(number, rule.steps), rule)
    decls, python = library(emitter.used)
    program = ir.Program(
        name=_name(filename),
        collections=tuple(emitter.collections()),
        rules=tuple(emitter.out),
        facts=tuple(emitter.program_facts()),
        functions=(*decls, *emitter.extra_functions),
        notation="pydatalog",
        span=ir.Span(filename, 1, 1),
    )
    return program, {**python, **externals}


def _apart(rules: list[Rule], facts: list[Fact]) -> tuple[list[Rule], list[Fact]]:
    """Facts of a relation that has rules move to a table of their own."""
    derived = {rule.sig for rule in rules}
    kept: list[Fact] = []
    links: dict[Sig, Rule] = {}
    for fact in facts:
        if fact.sig not in derived:
            kept.append(fact)
            continue
        kept.append(Fact(given(fact.sig), fact.row, False, fact.span))
        args = tuple(V(f"C{at + 1}") for at in range(fact.sig.arity))
        step = Match(given(fact.sig), args, False, fact.span)
        links.setdefault(fact.sig, Rule(fact.sig, args, (step,), fact.span))
    return [*rules, *links.values()], kept


def _as_clause(query: Query, name: str) -> Clause:
    shown = _shown(query.body)
    args = tuple(V(variable) for variable in shown)
    return Clause(Sig(name, len(args)), args, query.body, query.span)


def _shown(body: tuple[Lit, ...]) -> list[str]:
    """A query's columns: its variables as pyDatalog meets them, functions first."""
    found: dict[str, None] = {}
    for literal in body:
        if isinstance(literal, Not):
            continue
        for name in (*_function_variables(literal), *variables(literal)):
            found[name] = None
    return list(found)


def _function_variables(what: Lit | Term) -> list[str]:
    match what:
        case Fn(_, keys):
            inner = [name for key in keys for name in _function_variables(key)]
            return inner + [name for key in keys for name in variables(key)]
        case Pred(_, parts) | Tup(parts) | Built(_, parts):
            return [name for part in parts for name in _function_variables(part)]
        case Cmp(_, left, right) | Op(_, left, right) | In(left, right) | Item(left, right):
            return _function_variables(left) + _function_variables(right)
        case V() | C() | Not():
            return []
    return []


def _name(filename: str) -> str:
    stem = filename.replace("\\", "/").rsplit("/", 1)[-1].split(".")[0]
    name = "".join(part.capitalize() for part in stem.replace("-", "_").split("_"))
    return name if name.isidentifier() else "Clauses"

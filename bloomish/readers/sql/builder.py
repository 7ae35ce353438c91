"""Collects the collections, rules and facts of one SQL text as it is compiled."""

from __future__ import annotations

import keyword
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from sqlglot import exp

from bloomish import ir
from bloomish.errors import ProgramError
from bloomish.functions import Function
from bloomish.readers.refusal import refusal
from bloomish.readers.sql.functions import library
from bloomish.readers.sql.model import ROW, Alt, Cell, Col, Frame, Rel, TypeName, column_type
from bloomish.readers.sql.places import Places
from bloomish.readers.sql.tidy import tidy

MOST_CASES = 100
"""How many cases (of NULLs, of OR, of CASE) one query may fall into."""


@dataclass
class Builder:
    """The program under way.  `relations` are the tables and views by SQL name."""

    places: Places
    relations: dict[str, Rel] = field(default_factory=dict)
    collections: list[ir.Collection] = field(default_factory=list)
    rules: list[ir.Rule] = field(default_factory=list)
    facts: list[ir.Facts] = field(default_factory=list)
    functions: dict[str, Function] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)
    ordinals: Counter[str] = field(default_factory=Counter)
    var_types: dict[str, tuple[TypeName, bool]] = field(default_factory=dict)
    scalars: dict[object, list[Alt]] = field(default_factory=dict)
    span: ir.Span = field(default_factory=ir.Span)  # of the statement under way
    view: str = "query"  # what helpers are named after
    _one: str = ""

    # ------------------------------------------------------------------ names

    def name(self, wanted: str) -> str:
        """A collection name: an identifier that nothing else has."""
        stem = re.sub(r"\W", "_", wanted).strip("_") or "relation"
        if keyword.iskeyword(stem) or stem[0].isdigit() or stem in ("ir", "mro"):
            stem += "_" if not stem[0].isdigit() else ""
            stem = stem if not stem[0].isdigit() else f"t{stem}"
        name, number = stem, 1
        while name in self.taken:
            number += 1
            name = f"{stem}_{number}"
        self.taken.add(name)
        return name

    def var(self, wanted: str, type_: TypeName, nullable: bool) -> ir.Var:
        """A variable that no other literal of the query has."""
        stem = re.sub(r"\W", "_", wanted).strip("_").lower() or "value"
        if keyword.iskeyword(stem) or stem[0].isdigit():
            stem = f"v_{stem}"
        self.ordinals[f"var {stem}"] += 1
        number = self.ordinals[f"var {stem}"]
        name = stem if number == 1 else f"{stem}_{number}"
        if name in self.var_types:
            return self.var(f"{stem}_", type_, nullable)
        self.var_types[name] = (type_, nullable)
        return ir.Var(name)

    def column_name(self, wanted: str) -> str:
        """A column's name as an identifier."""
        return _distinct([(wanted, ir.Plain("Any"))])[0][0]

    def mark(self) -> tuple[int, int, int]:
        """Where the program stands, for `reset`."""
        return len(self.collections), len(self.rules), len(self.facts)

    def reset(self, mark: tuple[int, int, int]) -> None:
        """Forget what was made since; names stay taken."""
        collections, rules, facts = mark
        kept = [c for c in self.collections[collections:] if c.name == self._one]
        given = [f for f in self.facts[facts:] if f.collection == self._one]
        self.collections[collections:], self.facts[facts:] = kept, given
        del self.rules[rules:]
        self.scalars.clear()

    # ---------------------------------------------------------------- helpers

    def helper(self, what: str, types: Sequence[tuple[str, ir.Type]]) -> str:
        """A scratch of the reader's own, named after the view."""
        name = self.name(f"{self.view}_{what}")
        columns = tuple(ir.Column(column, type_) for column, type_ in _distinct(types))
        self.collections.append(ir.Collection(name, "scratch", columns, span=self.span))
        return name

    def relation(
        self,
        what: str,
        cols: Sequence[tuple[str, TypeName, bool]],
        hidden: bool,
        kind: ir.Kind = "scratch",
    ) -> Rel:
        """A collection that holds a query's rows."""
        name = self.name(what)
        made = tuple(Col(n, t, null, at) for at, (n, t, null) in enumerate(cols))
        types = [(c.name, column_type(c.type, c.nullable)) for c in made]
        if hidden:
            types.append((ROW, ir.Plain("Any")))
        columns = tuple(ir.Column(column, type_) for column, type_ in _distinct(types))
        self.collections.append(ir.Collection(name, kind, columns, span=self.span))
        return Rel(name, made, hidden)

    def rule(
        self,
        head: str,
        args: Iterable[ir.HeadArg],
        body: Iterable[ir.Literal],
        op: ir.Operator = "<=",
    ) -> None:
        """A rule, made readable: equal variables shared, unused ones left out."""
        shown, literals = tidy(tuple(args), tuple(body), self.var_types)
        if not any(isinstance(one, ir.Atom) and not one.negated for one in literals):
            literals = (ir.Atom(self.one(), (ir.Const(1),)), *literals)
        self.ordinals[head] += 1
        name = f"{head}_{self.ordinals[head]}"
        spanned = tuple(replace(one, span=self.span) for one in literals)
        if len(self.rules) > 20 * MOST_CASES:
            raise refusal(self.span, "too many cases: this text would need thousands of rules")
        self.rules.append(ir.Rule(name, head, shown, op, spanned, "sql", self.span))

    def one(self) -> str:
        """A constant of one row, for what holds without any row."""
        if not self._one:
            self._one = self.name("sql_one")
            column = ir.Column("one", ir.Plain("int"))
            self.collections.append(ir.Collection(self._one, "const", (column,), span=self.span))
            self.facts.append(ir.Facts(self._one, ((1,),), span=self.span))
        return self._one

    def call(self, name: str, *args: ir.Expr) -> ir.Call:
        """A function of the library."""
        self.functions[name] = library(name)
        return ir.Call(name, args)

    def read(self, rel: Rel, alias: str, frame: Frame) -> Frame:
        """The frame joined with a relation under an alias."""
        args: list[ir.Expr] = [ir.Wild()] * rel.width
        columns, ids = dict(frame.columns), dict(frame.ids)
        for col in rel.cols:
            variable = self.var(col.name, col.type, col.nullable)
            args[col.position] = variable
            columns[alias, col.name] = Cell(variable, col.type, "maybe" if col.nullable else "no")
        if rel.hidden:
            hidden = self.var("row", "null", True)
            args[-1] = hidden
            ids[alias, ROW] = hidden
        else:
            for col in rel.cols:
                if not rel.key or col.name in rel.key:
                    ids[alias, col.name] = args[col.position]
            for position in rel.opaque:
                # Not a value that SQL knows, yet part of what tells rows apart.
                args[position] = ids[alias, f"#{position}"] = self.var("other", "null", True)
        atom = ir.Atom(rel.name, tuple(args))
        return replace(frame, literals=(*frame.literals, atom), columns=columns, ids=ids)

    # --------------------------------------------------------------- refusals

    def no(self, node: exp.Expr, what: str, mend: str = "", *keywords: str) -> ProgramError:
        """That a clause cannot become rules, and where it stands."""
        return refusal(self.places.of(node, *keywords), f"no rules for this: {what}", mend)


def _distinct(types: Sequence[tuple[str, ir.Type]]) -> list[tuple[str, ir.Type]]:
    """Column names of a collection: identifiers, each once."""
    made: list[tuple[str, ir.Type]] = []
    taken: set[str] = set()
    for number, (wanted, type_) in enumerate(types, 1):
        stem = re.sub(r"\W", "_", wanted).strip("_").lower()
        if not stem or stem[0].isdigit():
            stem = f"c{number}"
        if keyword.iskeyword(stem):
            stem += "_"
        name, again = stem, 1
        while name in taken:
            again += 1
            name = f"{stem}_{again}"
        taken.add(name)
        made.append((name, type_))
    return made

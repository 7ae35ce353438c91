"""The parse tree of a `.ded` program: what was written, before it means anything.

The notation is the one that Molly accepts (Alvaro, Rosen, Hellerstein,
"Lineage-driven Fault Injection", SIGMOD 2015), see docs/reference/ded.md.
"""

from __future__ import annotations

from dataclasses import dataclass

from bloomish.ir import Span

NEXT = "next"
ASYNC = "async"


@dataclass(frozen=True, slots=True)
class Name:
    """A bare identifier: a variable, `_`, or a constant, by its first letter."""

    text: str
    span: Span

    @property
    def is_wild(self) -> bool:
        return self.text == "_"

    @property
    def is_variable(self) -> bool:
        return self.text[0].isupper() or (self.text[0] == "_" and len(self.text) > 1)


@dataclass(frozen=True, slots=True)
class Value:
    """A string or an integer."""

    value: str | int
    span: Span


@dataclass(frozen=True, slots=True)
class Operation:
    """`left op right`, arithmetic or comparison."""

    op: str
    left: Expression
    right: Expression
    span: Span


@dataclass(frozen=True, slots=True)
class AggregateOf:
    """`count<X>`, in a head only."""

    function: str
    variable: str
    span: Span


Expression = Name | Value | Operation
Argument = Expression | AggregateOf


@dataclass(frozen=True, slots=True)
class Predicate:
    """`notin p(a, b)@t`; `time` is "next", "async", a tick number or None."""

    name: str
    args: tuple[Argument, ...]
    negated: bool
    time: str | int | None
    span: Span


@dataclass(frozen=True, slots=True)
class Test:
    """A comparison in a body."""

    test: Operation
    span: Span


@dataclass(frozen=True, slots=True)
class Fact:
    """`p("a", 1)@1;`"""

    predicate: Predicate


@dataclass(frozen=True, slots=True)
class Clause:
    """`head :- body;`"""

    head: Predicate
    body: tuple[Predicate | Test, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Include:
    """`include "file.ded";`"""

    path: str
    span: Span


Statement = Fact | Clause | Include

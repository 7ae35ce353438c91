"""pyDatalog clauses as data: what the parser hands to the translation.

The names follow pyDatalog (Carbonnelle): a *predicate* `p(X, Y)` and a
*function* `f[X] == Y` are both relations; a function's value is its last
column and is unique per key.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal as OneOf

from bloomish.ir import Span


@dataclass(frozen=True, slots=True)
class Sig:
    """Which relation: pyDatalog keeps `p/1`, `p/2` and `p[1]` apart."""

    name: str
    arity: int  # all columns, a function's value included
    function: bool = False

    def __str__(self) -> str:
        return f"{self.name}[{self.arity - 1}]" if self.function else f"{self.name}/{self.arity}"


# ---------------------------------------------------------------------- terms


@dataclass(frozen=True, slots=True)
class V:
    """A variable; `_` is a variable like any other in pyDatalog."""

    name: str


@dataclass(frozen=True, slots=True)
class C:
    """A constant; a lower-case name is the string of its letters."""

    value: object


Arithmetic = OneOf["+", "-", "*", "/", "//", "%", "**"]


@dataclass(frozen=True, slots=True)
class Op:
    """Arithmetic on two terms."""

    op: Arithmetic
    left: Term
    right: Term


@dataclass(frozen=True, slots=True)
class Tup:
    """A tuple (a list is one too)."""

    items: tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class Item:
    """`X[i]` of a variable that is bound already: an element of a tuple."""

    of: Term
    index: Term


@dataclass(frozen=True, slots=True)
class Built:
    """`range_(n)` and `format_(text, ...)`."""

    name: OneOf["range", "format"]
    args: tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class Fn:
    """`f[X]` inside an expression: the value of the function f."""

    sig: Sig
    keys: tuple[Term, ...]


Term = V | C | Op | Tup | Item | Built | Fn

# ------------------------------------------------------------------- literals

Comparison = OneOf["==", "!=", "<", "<=", ">", ">="]


@dataclass(frozen=True, slots=True)
class Pred:
    """`p(X, Y)`, or `f[X] == Y` with the value as the last argument."""

    sig: Sig
    args: tuple[Term, ...]
    span: Span = field(default_factory=Span, compare=False)


@dataclass(frozen=True, slots=True)
class Cmp:
    """A comparison; `==` binds a free variable on either side."""

    op: Comparison
    left: Term
    right: Term
    span: Span = field(default_factory=Span, compare=False)


@dataclass(frozen=True, slots=True)
class In:
    """`X in values`, or `X not in values`."""

    item: Term
    values: Term
    negated: bool = False
    span: Span = field(default_factory=Span, compare=False)


@dataclass(frozen=True, slots=True)
class Not:
    """`~literal` or `~(literal & literal)`."""

    body: tuple[Lit, ...]
    span: Span = field(default_factory=Span, compare=False)


Lit = Pred | Cmp | In | Not

# -------------------------------------------------------------------- clauses

AggregateName = OneOf[
    "sum_", "len_", "min_", "max_", "mean_", "concat_", "tuple_", "rank_", "running_sum_",
    "linear_regression_",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Agg:
    """`sum_(Y, for_each=Z)` and its kin; `order_by` says which are descending."""

    name: AggregateName
    value: V | None = None
    group_by: tuple[V, ...] = ()
    for_each: tuple[V, ...] = ()
    order_by: tuple[tuple[V, bool], ...] = ()
    sep: str = ""


@dataclass(frozen=True, slots=True)
class Fact:
    """`+p(1)` (or `-p(1)`: `gone`); a function's fact replaces that of the same key."""

    sig: Sig
    row: tuple[object, ...]
    gone: bool
    span: Span


@dataclass(frozen=True, slots=True)
class Clause:
    """`head <= body`; with `agg`, the head's value is that aggregate of the body."""

    sig: Sig
    args: tuple[Term, ...]  # with an aggregate: the keys alone
    body: tuple[Lit, ...]
    span: Span
    agg: Agg | None = None


@dataclass(frozen=True, slots=True)
class Query:
    """A body that stands alone: its answer is a row per binding of its variables."""

    body: tuple[Lit, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Source:
    """A program text after its facts were asserted and retracted in order."""

    facts: tuple[Fact, ...]
    clauses: tuple[Clause, ...]
    queries: tuple[Query, ...]


def variables(what: Term | Lit) -> Iterator[str]:
    """The variables of a term or literal, in order of appearance, with repetitions."""
    match what:
        case V(name):
            yield name
        case C():
            return
        case Op(_, left, right) | Cmp(_, left, right):
            yield from variables(left)
            yield from variables(right)
        case Tup(items) | Built(_, items) | Fn(_, items):
            for item in items:
                yield from variables(item)
        case Item(of, index):
            yield from variables(of)
            yield from variables(index)
        case Pred(_, args):
            for arg in args:
                yield from variables(arg)
        case In(item, values):
            yield from variables(item)
            yield from variables(values)
        case Not(body):
            for literal in body:
                yield from variables(literal)

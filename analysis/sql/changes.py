"""How a relation and its values change as rows arrive (ANALYSIS 4.9 and 4.3).

SQL tables are persisted, so of the modes of 4.3 these remain, with the
direction of growth that makes a negation of a negation monotone (R7, R10):

    const    complete from the start                                     Const
    grow     rows come and stay, whatever the schedule                   Grow
    shrink   rows go and never come back: a negation of what grows       Flux
    flux     rows come and go; at rest the content is the schedule's none Flux
    nondet   the content depends on the schedule                         Nondet
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Literal as OneOf

from bloomish.ir import Span

Way = OneOf["const", "grow", "shrink", "flux", "nondet"]
Change = OneOf["fixed", "up", "down", "varying"]
"""A value within a row that stays: it is part of the row, or a cell that only
rises, only falls, or does as it likes."""


@dataclass(frozen=True)
class Reason:
    """Why a relation takes rows back, or depends on the schedule."""

    kind: str
    what: str
    span: Span
    gate: tuple[str, ...] = ()
    mends: tuple[str, ...] = ()


@dataclass(frozen=True)
class Gap:
    """A clause that this analysis does not know."""

    what: str
    span: Span


@dataclass(frozen=True)
class Value:
    """What an expression does; `nondet` where it depends on clock or chance."""

    change: Change = "fixed"
    reason: Reason | None = None
    nondet: Reason | None = None


FIXED = Value()


@dataclass(frozen=True)
class Rows:
    """A direction with its reasons."""

    way: Way
    reasons: tuple[Reason, ...] = ()


CONST = Rows("const")


@dataclass(frozen=True)
class Relation:
    """A table, view or query.  `rows` is about the rows without their cells
    (columns that are not fixed); `columns` None: the columns are not known."""

    rows: Rows
    columns: tuple[tuple[str, Value], ...] | None
    gaps: tuple[Gap, ...] = ()
    keys: tuple[tuple[str, ...], ...] = field(default=())  # columns that identify a row
    sources: tuple[str, ...] = ()

    def column(self, name: str) -> Value | None:
        """A column's value; fixed where the columns are not known."""
        if self.columns is None:
            return FIXED
        return next((value for known, value in self.columns if known == name), None)


def both(*parts: Rows) -> Rows:
    """Rows that need all parts, or any of them: join, union, intersection."""
    result = CONST
    for part in parts:
        result = _both(result, part)
    return result


def _both(one: Rows, two: Rows) -> Rows:
    if "nondet" in (one.way, two.way):
        return Rows("nondet", _of((one, two), "nondet"))
    if one.way == "const":
        return two
    if two.way == "const" or one.way == two.way:
        return Rows(one.way, _unique((*one.reasons, *two.reasons)))
    return Rows("flux", _unique((*one.reasons, *two.reasons)))


def negated(part: Rows, reason: Reason) -> Rows:
    """That a row is not there: what grows becomes what shrinks, for `reason`."""
    match part.way:
        case "grow":
            return Rows("shrink", (reason,))
        case "shrink":
            return Rows("grow")
        case "flux":
            return Rows("flux", _unique((*part.reasons, reason)))
    return part


def cell(value: Value) -> Rows:
    """The rows that show a cell's value: replaced whenever it changes."""
    rows = CONST
    if value.change != "fixed" and value.reason:
        rows = Rows("flux", (value.reason,))
    if value.nondet:
        rows = both(rows, Rows("nondet", (value.nondet,)))
    return rows


def shown(relation: Relation) -> Rows:
    """The rows with all their columns, as a reader of a view sees them."""
    parts = [relation.rows, *(cell(value) for _, value in relation.columns or ())]
    return both(*parts)


def settled(relation: Relation) -> Relation:
    """The relation with its cells as plain values: set operations compare whole rows."""
    columns = relation.columns
    if columns is not None:
        columns = tuple((name, FIXED) for name, _ in columns)
    return replace(relation, rows=shown(relation), columns=columns)


def _of(parts: Iterable[Rows], way: Way) -> tuple[Reason, ...]:
    return _unique(reason for part in parts if part.way == way for reason in part.reasons)


def _unique(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    return tuple(dict.fromkeys(reasons))

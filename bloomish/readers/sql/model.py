"""What the SQL reader works with: types, relations, and the frames of a FROM.

SQL is about bags, the IR about sets.  A row that a projection could make equal
to another keeps a hidden last column, the identity of the rows that it was made
of; a relation whose rows are distinct anyway has none.  NULL is `None` in a
column of type `Any`; whether a value can be NULL is known for each expression.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Literal as OneOf

from bloomish import ir

TypeName = OneOf["int", "float", "str", "bool", "bytes", "null"]
Nullness = OneOf["no", "maybe", "yes"]

ANY = ir.Plain("Any")
NULL = ir.Const(None)
ROW = "rowid"
"""The hidden column's name."""


@dataclass(frozen=True)
class Col:
    """A visible column, and where it stands in the collection's row."""

    name: str
    type: TypeName
    nullable: bool
    position: int

    @property
    def ir_type(self) -> ir.Type:
        return column_type(self.type, self.nullable)


@dataclass(frozen=True)
class Rel:
    """A collection as a relation.  `hidden`: its last column tells equal rows apart.
    `key`: names of columns that identify a row, where fewer than all do."""

    name: str
    cols: tuple[Col, ...]
    hidden: bool = False
    key: tuple[str, ...] = ()
    opaque: tuple[int, ...] = ()  # places of columns whose values SQL cannot compute with
    others: int = 0  # how many columns are not among `cols`

    @property
    def width(self) -> int:
        return len(self.cols) + self.others + self.hidden


@dataclass(frozen=True)
class Cell:
    """A value within one frame: an expression, its type, and whether it is NULL."""

    expr: ir.Expr
    type: TypeName
    null: Nullness = "no"


@dataclass(frozen=True)
class Alt:
    """One way in which an expression has its value: under `when`, it is `cell`."""

    cell: Cell
    when: tuple[ir.Literal, ...] = ()


Slot = tuple[str, str]  # alias and column


@dataclass(frozen=True)
class Frame:
    """One way in which FROM gives a row: literals, columns by alias, identity.

    An outer join has several frames: the rows with a partner, and those without.
    `merged` columns (USING, NATURAL) answer to their bare name but once.
    """

    literals: tuple[ir.Literal, ...] = ()
    columns: dict[Slot, Cell] = field(default_factory=dict)
    ids: dict[Slot, ir.Expr] = field(default_factory=dict)
    merged: frozenset[Slot] = frozenset()
    outer: Frame | None = None
    known: dict[str, Cell] = field(default_factory=dict)  # by SQL text: groups, aggregates, windows
    grouped: bool = False

    def also(self, *literals: ir.Literal) -> Frame:
        """The frame with more literals."""
        return replace(self, literals=(*self.literals, *literals))

    def all_ids(self) -> tuple[ir.Expr, ...]:
        """The identity of the row with that of the rows outside."""
        outside = self.outer.all_ids() if self.outer is not None else ()
        return (*outside, *self.ids.values())

    def outwards(self) -> Iterator[Frame]:
        frame: Frame | None = self
        while frame is not None:
            yield frame
            frame = frame.outer


def column_type(name: TypeName, nullable: bool) -> ir.Type:
    """The IR's type of a column."""
    if nullable or name == "null":
        return ANY
    return ir.Plain(name)


def common(one: TypeName, two: TypeName) -> TypeName | None:
    """The type of a column that holds both, if SQL and we agree that there is one."""
    if one == two or two == "null":
        return one
    if one == "null":
        return two
    if {one, two} == {"int", "float"}:
        return "float"
    return None

"""The class body being built.

`Program`'s metaclass hands every class body a `Scope` as its namespace.  A
rule finds its scope by walking the frames, so nothing global is kept: an
exception in one class body leaves nothing behind for the next.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import FrameType
from typing import TYPE_CHECKING, Any

from bloomish import ir

if TYPE_CHECKING:
    from bloomish.collections import Collection, Embedding
    from bloomish.terms import Atom, Use

_OPTIMIZED = 0x01  # CO_OPTIMIZED: a function's frame, whose locals are not a namespace


@dataclass(slots=True)
class Stated:
    """A rule as it was stated, with the collections and functions that it mentions."""

    head: Collection
    args: tuple[ir.HeadArg, ...]
    op: ir.Operator
    body: tuple[ir.Literal, ...]
    uses: frozenset[Use]
    span: ir.Span


@dataclass(slots=True)
class Given:
    """Facts as they were stated."""

    collection: Collection
    rows: tuple[object, ...]
    at: int | None
    span: ir.Span


@dataclass(slots=True)
class Boundary:
    """`protocol(...)` or `assume(...)`, with the collections that it names."""

    value: ir.Guard | ir.Assume
    uses: frozenset[Use]
    span: ir.Span


@dataclass(slots=True)
class Statements:
    """What a class body declared and stated, in order."""

    declared: list[Collection | Embedding] = field(default_factory=list)
    rules: list[Stated] = field(default_factory=list)
    facts: list[Given] = field(default_factory=list)
    boundaries: list[Boundary] = field(default_factory=list)
    loose: dict[int, Atom] = field(default_factory=dict)  # literals that no rule has taken yet


class Scope(dict[str, Any]):
    """A class body's namespace; `statements` collects what it says."""

    def __init__(self, name: str, bases: tuple[type, ...], span: ir.Span) -> None:
        super().__init__()
        self.name = name
        self.bases = bases
        self.span = span
        self.statements = Statements()

    def __hash__(self) -> int:  # type: ignore[override]
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other

    def __setitem__(self, name: str, value: Any) -> None:
        self.declare(name, value)
        super().__setitem__(name, value)

    def __missing__(self, name: str) -> Any:
        return self.unknown(name)

    def declare(self, name: str, value: Any) -> None:
        """Called for every assignment in the body; the metaclass's scope overrides it."""

    def unknown(self, name: str) -> Any:
        """Called for every name that the body itself does not define."""
        raise KeyError(name)


def _frames() -> Iterator[FrameType]:
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        yield frame
        frame = frame.f_back


def current() -> Scope | None:
    """The scope of the innermost class body under way, None outside of any.

    A module that is imported meanwhile does not belong to the class body.
    """
    for frame in _frames():
        if frame.f_code.co_flags & _OPTIMIZED:
            continue
        namespace = frame.f_locals
        if isinstance(namespace, Scope):
            return namespace
        if frame.f_code.co_name == "<module>":
            return None
    return None

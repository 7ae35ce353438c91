"""Polarity and class of an expression (4.4): how it moves as cells ascend, what it keeps."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import cache

from bloomish import ir
from bloomish.lattices.structure import structure


class Way(IntEnum):
    """Polarity: 0, +, -, * of 4.4.  Joined by `either`, mirrored by `opposite`."""

    FIXED = 0
    UP = 1
    DOWN = 2
    UNKNOWN = 3


class Kept(IntEnum):
    """Class: what a function keeps of the lattice; the greater the worse."""

    MORPHISM = 0
    MONOTONE = 1
    PLAIN = 2


@dataclass(frozen=True, slots=True)
class Typed:
    """An expression's polarity, class, and type where it is a lattice's."""

    way: Way = Way.FIXED
    kept: Kept = Kept.MORPHISM
    type: ir.Type | None = None
    cells: frozenset[str] = frozenset()


FIXED = Typed()
CHAINS = ("Max", "Min", "Bool")
_NUMERIC = ("int", "float")


def either(a: Way, b: Way) -> Way:
    """The polarity of what depends on two things."""
    return Way(a | b)


def opposite(a: Way) -> Way:
    return {Way.UP: Way.DOWN, Way.DOWN: Way.UP}.get(a, a)


@cache
def core(type: ir.Type | None) -> ir.Type | None:
    """A lattice without its shorthand names, to compare it by."""
    return structure(type) if isinstance(type, ir.Lattice) else type


def is_chain(type: ir.Type | None) -> bool:
    return isinstance(type, ir.Lattice) and type.name in CHAINS


def plainly(typed: Typed) -> Way:
    """Which way a value goes in the order of plain values: a Min's goes down."""
    if typed.way is Way.FIXED or not isinstance(typed.type, ir.Lattice):
        return typed.way
    if typed.type.name in ("Max", "Bool"):
        return typed.way
    return opposite(typed.way) if typed.type.name == "Min" else Way.UNKNOWN


def is_numeric(typed: Typed) -> bool:
    """Of a lattice: a chain of numbers.  What is fixed or computed is taken for one."""
    if typed.way is Way.FIXED or typed.type is None:
        return True
    if not isinstance(typed.type, ir.Lattice) or typed.type.name not in ("Max", "Min"):
        return False
    element = typed.type.args[0]
    return isinstance(element, ir.Plain) and element.name in _NUMERIC


def unknown(typed: Typed) -> Typed:
    way = Way.FIXED if typed.way is Way.FIXED else Way.UNKNOWN
    return Typed(way, typed.kept, None, typed.cells)


def equality(term: ir.Binary, a: Way, b: Way) -> Way:
    """`x == True` is x; any other equality of something that moves is a gamble."""
    for way, other in ((a, term.right), (b, term.left)):
        if isinstance(other, ir.Const) and isinstance(other.value, bool):
            return way if other.value is (term.op == "==") else opposite(way)
    return either(a, b) if Way.FIXED is either(a, b) else Way.UNKNOWN


def not_a_threshold(way: Way) -> str:
    if way is Way.DOWN:
        return "the condition may cease to hold as the value ascends"
    return "the condition tests more than a threshold"

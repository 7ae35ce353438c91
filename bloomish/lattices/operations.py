"""Merge, bottom and normal form of a lattice over its carriers.

A carrier is the plain value that stands for a lattice value everywhere: in
rows, on the wire, in hashes, in the order.  Every lattice value has exactly one
carrier, its normal form, so that equal values are equal carriers.
The order is derived, never declared: a <= b iff merge(a, b) = b.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bloomish import ir
from bloomish.lattices.structure import expand
from bloomish.order import order_key

Merge = Callable[[Any, Any], Any]
Normalise = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Operations:
    """What can be done with the carriers of one lattice.

    `normalise` takes a carrier whose parts fit their types already to its
    normal form: no bottoms in a map, no dominated versions in an antichain.
    """

    type: ir.Lattice
    bottom: Any
    merge: Merge
    normalise: Normalise

    def leq(self, a: Any, b: Any) -> bool:
        """a <= b in the lattice's order, as merge has it."""
        return same(self.merge(a, b), b)

    def is_bottom(self, a: Any) -> bool:
        return same(a, self.bottom)


Parts = Callable[[ir.Lattice], Operations]
"""Finds the operations of a lattice inside a lattice (which may be a user's)."""

_COMPARABLE = (int, str, float, bytes)


def same(a: Any, b: Any) -> bool:
    """Equal and of equal kind: 1, 1.0 and True differ."""
    if type(a) is not type(b):
        return False
    if type(a) in _COMPARABLE:
        return bool(a == b)
    return order_key(a) == order_key(b)


def above(a: Any, b: Any) -> bool:
    """Whether a comes after b in the value order."""
    if type(a) is type(b) and type(a) in _COMPARABLE:
        return bool(a > b)
    return order_key(a) > order_key(b)


def unchanged(value: Any) -> Any:
    return value


def primitive(type_: ir.Lattice, parts: Parts) -> Operations:
    """The operations of a shipped lattice, given those of its parts."""
    core = expand(type_)
    build = _BUILDERS[core.name]
    bottom, merge, normalise = build(core, parts)
    return Operations(type_, bottom, merge, normalise)


_Built = tuple[Any, Merge, Normalise]


def _argument(type_: ir.Lattice, place: int, parts: Parts) -> Operations:
    argument = type_.args[place]
    if not isinstance(argument, ir.Lattice):
        raise TypeError(f"{type_.name}: argument {place + 1} must be a lattice")
    return parts(argument)


def _max(type_: ir.Lattice, parts: Parts) -> _Built:
    def merge(a: Any, b: Any) -> Any:
        return b if above(b, a) else a

    return None, merge, unchanged


def _min(type_: ir.Lattice, parts: Parts) -> _Built:
    def merge(a: Any, b: Any) -> Any:
        if a is None:
            return b
        if b is None or above(b, a):
            return a
        return b

    return None, merge, unchanged


def _bool(type_: ir.Lattice, parts: Parts) -> _Built:
    def merge(a: Any, b: Any) -> Any:
        return a or b

    return False, merge, unchanged


def _set_union(type_: ir.Lattice, parts: Parts) -> _Built:
    def merge(a: Any, b: Any) -> Any:
        return a | b

    return frozenset(), merge, unchanged


def sorted_pairs(items: dict[Any, Any]) -> tuple[tuple[Any, Any], ...]:
    """A map's carrier: its pairs in the value order of the keys."""
    return tuple(sorted(items.items(), key=lambda pair: order_key(pair[0])))


def _map_union(type_: ir.Lattice, parts: Parts) -> _Built:
    inner = _argument(type_, 1, parts)

    def normalise(pairs: Any) -> Any:
        merged: dict[Any, Any] = {}
        for key, value in pairs:
            merged[key] = inner.merge(merged[key], value) if key in merged else value
        return sorted_pairs({k: v for k, v in merged.items() if not inner.is_bottom(v)})

    def merge(a: Any, b: Any) -> Any:
        if not a or not b:
            return a or b
        return normalise(a + b)

    return (), merge, normalise


def _pair(type_: ir.Lattice, parts: Parts) -> _Built:
    first, second = _argument(type_, 0, parts), _argument(type_, 1, parts)

    def merge(a: Any, b: Any) -> Any:
        return (first.merge(a[0], b[0]), second.merge(a[1], b[1]))

    return (first.bottom, second.bottom), merge, unchanged


def _lex(type_: ir.Lattice, parts: Parts) -> _Built:
    """The greater version wins, equal versions merge: a lattice since versions form a chain."""
    chain, inner = _argument(type_, 0, parts), _argument(type_, 1, parts)
    if expand(chain.type).name not in ("Max", "Min"):
        raise TypeError("Lex: the first argument must be a chain, Max or Min")

    def normalise(value: Any) -> Any:
        if value is None or (chain.is_bottom(value[0]) and inner.is_bottom(value[1])):
            return None
        return value

    def merge(a: Any, b: Any) -> Any:
        if a is None or b is None:
            return b if a is None else a
        if same(a[0], b[0]):
            return (a[0], inner.merge(a[1], b[1]))
        return b if chain.leq(a[0], b[0]) else a

    return None, merge, normalise


def _antichain(type_: ir.Lattice, parts: Parts) -> _Built:
    """Values by version; what a greater version has overtaken is dropped."""
    versions = _argument(type_, 0, parts)

    def normalise(pairs: Any) -> Any:
        known = {version for version, _ in pairs}

        def overtaken(version: Any) -> bool:
            return any(not same(version, other) and versions.leq(version, other) for other in known)

        dropped = {version for version in known if overtaken(version)}
        return frozenset(pair for pair in pairs if pair[0] not in dropped)

    def merge(a: Any, b: Any) -> Any:
        return normalise(a | b)

    return frozenset(), merge, normalise


_BUILDERS: dict[str, Callable[[ir.Lattice, Parts], _Built]] = {
    "Max": _max,
    "Min": _min,
    "Bool": _bool,
    "SetUnion": _set_union,
    "MapUnion": _map_union,
    "Pair": _pair,
    "Lex": _lex,
    "Antichain": _antichain,
}

"""Elements of a type, to try laws on: a few small ones, and any number of random ones."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Iterator
from typing import Any

from bloomish import ir
from bloomish.lattices.structure import ARITY, expand
from bloomish.values import Values, order_key

_SMALL: dict[str, tuple[Any, ...]] = {
    "int": (0, 1, 2, -1),
    "float": (0.0, 1.0, 0.5, -2.0),
    "str": ("", "a", "b"),
    "bytes": (b"", b"a"),
    "bool": (False, True),
    "Address": ("node-0", "node-1"),
    "Any": (0, "a", (1, "b")),
}


class Elements:
    """Makes elements of the types of one program.

    Of a user's lattice these are the carriers given as its `elements`, or else
    what its carrier's type has; with the bottom, and what merging makes of them.
    """

    def __init__(self, values: Values, limit: int = 12) -> None:
        self._values = values
        self._limit = limit
        self._known: dict[ir.Type, list[Any]] = {}

    def small(self, type_: ir.Type) -> list[Any]:
        """A few different elements, the simplest first."""
        if type_ not in self._known:
            self._known[type_] = self._distinct(self._enumerate(type_))
        return self._known[type_]

    def _distinct(self, elements: Iterable[Any]) -> list[Any]:
        found: dict[Any, Any] = {}
        for element in elements:
            found.setdefault(order_key(element), element)
            if len(found) == self._limit:
                break
        return list(found.values())

    def _enumerate(self, type_: ir.Type) -> Iterator[Any]:
        if isinstance(type_, ir.Plain):
            yield from _SMALL[type_.name]
            return
        if isinstance(type_, ir.TupleOf):
            yield from _product(map(self.small, type_.items), self._limit)
            return
        if type_.name not in ARITY:
            yield from self._users(type_)
            return
        operations = self._values.operations(type_)
        yield operations.bottom
        core = expand(type_)
        parts = [self.small(arg) for arg in core.args]
        match core.name:
            case "Max" | "Min":
                yield from parts[0]
            case "Bool":
                yield True
            case "SetUnion":
                for chosen in _subsets(parts[0][:4]):
                    yield frozenset(chosen)
            case "MapUnion" | "Antichain":
                pairs = list(_product([parts[0][:3], parts[1][:4]], 6))
                conform = self._values.conform(type_)
                for chosen in _subsets(pairs):
                    yield conform(chosen)
            case "Pair" | "Lex":
                conform = self._values.conform(type_)
                for pair in _product(parts, self._limit):
                    yield conform(pair)

    def _users(self, type_: ir.Lattice) -> Iterator[Any]:
        operations = self._values.operations(type_)
        conform = self._values.conform(type_)
        given = [conform(element) for element in self._values.lattice_class(type_.name).elements]
        own = given or self.small(self._values.declaration(type_).carrier)
        yield operations.bottom
        yield from own
        for a, b in itertools.combinations(own, 2):
            yield operations.merge(a, b)

    def draw(self, type_: ir.Type, rng: random.Random) -> Any:
        """One element, often larger than the small ones."""
        if isinstance(type_, ir.Plain):
            return _random_plain(type_.name, rng)
        if isinstance(type_, ir.TupleOf):
            return tuple(self.draw(item, rng) for item in type_.items)
        if type_.name not in ARITY:
            return self._random_users(type_, rng)
        core = expand(type_)
        if rng.random() < 0.1:
            return self._values.operations(type_).bottom
        match core.name:
            case "Max" | "Min":
                return self.draw(core.args[0], rng)
            case "Bool":
                return rng.random() < 0.5
            case "SetUnion":
                return frozenset(self.draw(core.args[0], rng) for _ in range(rng.randrange(5)))
            case "MapUnion" | "Antichain":
                pairs = [
                    tuple(self.draw(arg, rng) for arg in core.args) for _ in range(rng.randrange(5))
                ]
                return self._values.lift(pairs, type_)
            case _:
                return self._values.lift([self.draw(arg, rng) for arg in core.args], type_)

    def _random_users(self, type_: ir.Lattice, rng: random.Random) -> Any:
        known = self.small(type_)
        cls = self._values.lattice_class(type_.name)
        if cls.elements or rng.random() < 0.3:
            return self._values.operations(type_).merge(rng.choice(known), rng.choice(known))
        return self.draw(self._values.declaration(type_).carrier, rng)


def _product(parts: Iterable[list[Any]], limit: int) -> Iterator[tuple[Any, ...]]:
    """Combinations, those of the first elements first."""
    ranked = itertools.product(*(enumerate(part) for part in parts))
    nearest = sorted(ranked, key=lambda pairs: (sum(i for i, _ in pairs), [i for i, _ in pairs]))
    for pairs in nearest[:limit]:
        yield tuple(element for _, element in pairs)


def _subsets(elements: list[Any]) -> Iterator[tuple[Any, ...]]:
    for size in range(len(elements) + 1):
        yield from itertools.combinations(elements, size)


def _random_plain(name: str, rng: random.Random) -> Any:
    if rng.random() < 0.5:
        return rng.choice(_SMALL[name])
    match name:
        case "int":
            return rng.randrange(-50, 50)
        case "float":
            return rng.randrange(-50, 50) / 4
        case "str":
            return "".join(rng.choice("abcé") for _ in range(rng.randrange(4)))
        case "bytes":
            return rng.randbytes(rng.randrange(4))
        case "Address":
            return f"node-{rng.randrange(4)}"
        case _:
            return rng.choice(_SMALL[name])

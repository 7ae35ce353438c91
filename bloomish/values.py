"""Which values a type has: checked, and brought to the one form that evaluators hold.

`conform` is the door for everything that comes from outside the rules (a host's
rows, frames, facts, what a user's function returns) and for what the rules
themselves put in a column.  It is lenient where no meaning is lost: a list
stands for a tuple or a set, a dict for a map, an int for a float.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from bloomish import ir
from bloomish.lattices.operations import Operations, primitive
from bloomish.lattices.structure import ARITY, expand
from bloomish.order import order_key

__all__ = ["Misfit", "Values", "order_key", "type_text"]

INT_MIN, INT_MAX = -(1 << 63), (1 << 63) - 1
DEPTH = 64
"""How deep tuples may nest in an `Any` column, whoever sends them."""

Conform = Callable[[object], Any]


class Misfit(ValueError):
    """A value that its type does not have."""


class Values:
    """The values and lattices of one program's types.

    `declared` are the program's own lattices and `classes` the Python behind
    them (`Externals.lattices`).
    """

    def __init__(
        self,
        declared: Iterable[ir.LatticeDecl] = (),
        classes: Mapping[str, type[Any]] | None = None,
    ) -> None:
        self.declared = {decl.name: decl for decl in declared}
        self._classes = dict(classes or {})
        self._operations: dict[ir.Lattice, Operations] = {}
        self._conform: dict[ir.Type, Conform] = {}

    def operations(self, type_: ir.Lattice) -> Operations:
        """Merge, bottom and normal form of a lattice."""
        found = self._operations.get(type_)
        if found is None:
            if type_.name in ARITY:
                found = primitive(type_, self.operations)
            else:
                found = self._users(type_)
            self._operations[type_] = found
        return found

    def declaration(self, type_: ir.Lattice) -> ir.LatticeDecl:
        """A user's lattice by its name."""
        try:
            return self.declared[type_.name]
        except KeyError:
            raise TypeError(f"no lattice {type_.name!r} is declared") from None

    def _users(self, type_: ir.Lattice) -> Operations:
        self.declaration(type_)
        cls = self.lattice_class(type_.name)
        conform = self.conform(type_)

        def merge(a: Any, b: Any) -> Any:
            try:
                return conform(cls.merge(a, b))
            except Exception as error:
                what = f"{type_.name}.merge({a!r}, {b!r})"
                raise Misfit(f"{what}: {type(error).__name__}: {error}") from error

        return Operations(type_, conform(cls.bottom), merge, lambda value: value)

    def lattice_class(self, name: str) -> type[Any]:
        """The Python class behind a user's lattice."""
        try:
            return self._classes[name]
        except KeyError:
            raise TypeError(f"the Python class of lattice {name!r} was not given") from None

    def conform(self, type_: ir.Type) -> Conform:
        """The function that takes a value to its form in `type_`, or raises Misfit."""
        found = self._conform.get(type_)
        if found is None:
            found = self._conform[type_] = self._conforming(type_)
        return found

    def lift(self, value: object, type_: ir.Type) -> Any:
        """A plain value as the carrier of `type_`: conform, once."""
        return self.conform(type_)(value)

    def _conforming(self, type_: ir.Type) -> Conform:
        if isinstance(type_, ir.Plain):
            return _PLAIN[type_.name]
        if isinstance(type_, ir.TupleOf):
            return self._tuple(type_)
        if type_.name not in ARITY:
            return self.conform(self.declaration(type_).carrier)
        return self._lattice(type_)

    def _tuple(self, type_: ir.TupleOf) -> Conform:
        places = tuple(self.conform(item) for item in type_.items)

        def conform(value: object) -> Any:
            if not isinstance(value, (tuple, list)) or len(value) != len(places):
                raise _misfit(value, type_)
            return tuple(place(part) for place, part in zip(places, value, strict=True))

        return conform

    def _lattice(self, type_: ir.Lattice) -> Conform:
        core = expand(type_)
        parts = tuple(self.conform(arg) for arg in core.args)
        normalise = self.operations(type_).normalise

        def chain(value: object) -> Any:
            return None if value is None else parts[0](value)

        def boolean(value: object) -> Any:
            if not isinstance(value, bool):
                raise _misfit(value, type_)
            return value

        def set_union(value: object) -> Any:
            return frozenset(map(parts[0], _elements(value, type_)))

        def map_union(value: object) -> Any:
            pairs = value.items() if isinstance(value, dict) else _elements(value, type_)
            return normalise([two(pair) for pair in pairs])

        def two(value: object) -> Any:
            if not isinstance(value, (tuple, list)) or len(value) != 2:
                raise _misfit(value, type_)
            return (parts[0](value[0]), parts[1](value[1]))

        def lex(value: object) -> Any:
            return None if value is None else normalise(two(value))

        def antichain(value: object) -> Any:
            return normalise(frozenset(two(pair) for pair in _elements(value, type_)))

        shapes: dict[str, Conform] = {
            "Max": chain,
            "Min": chain,
            "Bool": boolean,
            "SetUnion": set_union,
            "MapUnion": map_union,
            "Pair": two,
            "Lex": lex,
            "Antichain": antichain,
        }
        return shapes[core.name]


def _misfit(value: object, type_: ir.Type, why: str = "") -> Misfit:
    reason = f": {why}" if why else ""
    name = type(value).__name__
    return Misfit(f"{shortened(value)} ({name}) is not of type {type_text(type_)}{reason}")


def shortened(value: object) -> str:
    """A value for an error's text."""
    shown = repr(value)
    return shown if len(shown) <= 200 else shown[:197] + "..."


def _elements(value: object, type_: ir.Lattice) -> Iterable[object]:
    if not isinstance(value, (frozenset, set, tuple, list)):
        raise _misfit(value, type_)
    return value


def _int(value: object) -> Any:
    if type(value) is not int:
        raise _misfit(value, ir.Plain("int"))
    if not INT_MIN <= value <= INT_MAX:
        raise _misfit(value, ir.Plain("int"), "an int has 64 bits")
    return value


def _float(value: object) -> Any:
    if type(value) is int:
        value = float(_int(value))
    if type(value) is not float:
        raise _misfit(value, ir.Plain("float"))
    if value != value:
        raise _misfit(value, ir.Plain("float"), "NaN is not a value")
    return value + 0.0  # there is one zero


def _text(name: ir.PlainName) -> Conform:
    def conform(value: object) -> Any:
        if not isinstance(value, str):
            raise _misfit(value, ir.Plain(name))
        if not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError:
                raise _misfit(value, ir.Plain(name), "it has no UTF-8 encoding") from None
        return value if type(value) is str else str(value)

    return conform


def _bytes(value: object) -> Any:
    if not isinstance(value, bytes):
        raise _misfit(value, ir.Plain("bytes"))
    return bytes(value)


def _bool(value: object) -> Any:
    if type(value) is not bool:
        raise _misfit(value, ir.Plain("bool"))
    return value


def _any(value: object, depth: int = 0) -> Any:
    if value is None or type(value) is bool:
        return value
    conform = _ANY.get(type(value))
    if conform is not None:
        return conform(value)
    if depth == DEPTH:
        raise Misfit(f"a value is nested deeper than {DEPTH}")
    if isinstance(value, (tuple, list)):
        return tuple(_any(part, depth + 1) for part in value)
    if isinstance(value, (frozenset, set)):
        return frozenset(_any(part, depth + 1) for part in value)
    for kind in (str, bytes):
        if isinstance(value, kind):
            return _ANY[kind](value)
    raise _misfit(value, ir.Plain("Any"))


_str = _text("str")
_ANY: dict[type, Conform] = {int: _int, float: _float, str: _str, bytes: _bytes}
_PLAIN: dict[str, Conform] = {
    "int": _int,
    "float": _float,
    "str": _str,
    "bytes": _bytes,
    "bool": _bool,
    "Address": _text("Address"),
    "Any": _any,
}


def type_text(type_: ir.Type) -> str:
    """A type as a program writes it."""
    if isinstance(type_, ir.Plain):
        return type_.name
    if isinstance(type_, ir.TupleOf):
        inside = ", ".join(map(type_text, type_.items))
        return f"({inside},)" if len(type_.items) == 1 else f"({inside})"
    return f"{type_.name}({', '.join(map(type_text, type_.args))})"

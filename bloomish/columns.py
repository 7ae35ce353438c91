"""Columns: what is written as a column's type, and the `ir.Type` that it means."""

from __future__ import annotations

import keyword
import types
import typing
from typing import Any, Generic, TypeVar

from bloomish import ir
from bloomish.source import fail
from bloomish.values import type_text

T = TypeVar("T")


class Address(str):
    """A node's name in its cluster, such as `replica-0`.  Carried by a plain str."""

    __slots__ = ()


class Key(Generic[T]):
    """`Key(int)`: a column of the key.  Rows of equal key are one row."""

    __slots__ = ("type",)

    def __init__(self, type: Any) -> None:
        if isinstance(type, Key):
            fail("Key of a Key", "write `Key(int)`")
        self.type = type

    def __class_getitem__(cls, item: Any) -> Any:
        return cls(item)


_PLAIN: dict[Any, ir.PlainName] = {
    int: "int",
    float: "float",
    str: "str",
    bytes: "bytes",
    bool: "bool",
    Address: "Address",
    Any: "Any",
    object: "Any",
    tuple: "Any",
}


def column_type(written: Any) -> ir.Type:
    """`int`, `(int, str)`, `tuple[int, str]`, `SetUnion(Address)`, ... as data.

    A tuple of unknown length (`tuple`, `tuple[int, ...]`) is `Any`.  Everything
    else is a lattice and says what it is by its `__ir_type__`.
    """
    if isinstance(written, (ir.Plain, ir.TupleOf, ir.Lattice)):
        return written
    try:
        plain = _PLAIN.get(written)
    except TypeError:  # unhashable, so none of these
        plain = None
    if plain is not None:
        return ir.Plain(plain)
    if isinstance(written, tuple):
        if not written:
            fail("a tuple type needs a type for each of its places", "write `(int, str)`")
        return ir.TupleOf(tuple(column_type(item) for item in written))
    if isinstance(written, types.GenericAlias) and written.__origin__ is tuple:
        items = written.__args__
        if len(items) == 2 and items[1] is Ellipsis:
            return ir.Plain("Any")
        return ir.TupleOf(tuple(column_type(item) for item in items))
    lattice = getattr(written, "__ir_type__", None)
    if lattice is not None:
        found = lattice() if callable(lattice) else lattice
        if isinstance(found, ir.Lattice):
            return found
    if isinstance(written, Key):
        fail("`Key` stands outermost in a column's type", "write `Key((int, str))`")
    if isinstance(written, str):
        fail(f"{written!r} is not a column type", "name the type itself, without quotes")
    if written in (list, set, frozenset, dict) or typing.get_origin(written) in (
        list, set, frozenset, dict,
    ):  # fmt: skip
        name = getattr(written, "__name__", repr(written))
        mend = {
            "list": "a value of a row never changes: use a tuple, such as `(int, str)`, or `Any`",
            "dict": "use a lattice: `MapUnion(str, Max(int))`, or a table with a Key",
        }.get(name, "use a lattice: `SetUnion(str)`, or one row for each element")
        fail(f"{name} is not a column type", mend)
    if typing.get_origin(written) in (typing.Union, types.UnionType):
        fail(
            f"{written} is not a column type: a column has one type",
            "`Any` takes every value; where there is no value, leave the row out",
        )
    shown = getattr(written, "__name__", None) or repr(written)
    fail(
        f"{shown} is not a column type",
        "columns are int, float, str, bytes, bool, Address, Any, tuples of these, or lattices",
    )


def column(name: str, written: Any) -> ir.Column:
    """One column of a declaration."""
    if keyword.iskeyword(name) or not name.isidentifier() or name.startswith("_"):
        fail(
            f"`{name}` cannot name a column",
            "take a plain Python name without a leading underscore, as columns go by keyword",
        )
    key = isinstance(written, Key)
    type_ = column_type(written.type if key else written)
    if key and isinstance(type_, ir.Lattice):
        fail(
            f"the key column `{name}` has the lattice type {type_text(type_)}, "
            "and a key must not grow",
            f"make `{name}` a plain column, or drop `Key`",
        )
    return ir.Column(name, type_, key)


def columns(declared: dict[str, Any]) -> tuple[ir.Column, ...]:
    """The columns of a declaration, keys settled.

    With lattice columns and no `Key`, the plain columns are the key: rows that
    agree on them merge.
    """
    found = tuple(column(name, written) for name, written in declared.items())
    if not found:
        fail("a collection without columns", "declare columns by keyword: `table(key=Key(str))`")
    lattices = [c for c in found if isinstance(c.type, ir.Lattice)]
    if lattices and not any(c.key for c in found):
        found = tuple(
            c if isinstance(c.type, ir.Lattice) else ir.Column(c.name, c.type, True) for c in found
        )
    plain = [c for c in found if not c.key and not isinstance(c.type, ir.Lattice)]
    if lattices and plain:
        fail(
            f"`{plain[0].name}` is neither a key nor a lattice, and `{lattices[0].name}` is a "
            "lattice: when two rows of equal key merge, it has no one value",
            f"make it `{plain[0].name}=Key({type_text(plain[0].type)})`, a lattice "
            f"(`{plain[0].name}=Max({type_text(plain[0].type)})`), or a collection of its own",
        )
    for before, after in zip(found, found[1:], strict=False):
        if after.key and not before.key:
            fail(
                f"the key column `{after.name}` comes after `{before.name}`, which is none",
                "put the key columns first",
            )
    return found


def lattice_classes(written: Any) -> frozenset[type[Any]]:
    """The users' lattice classes in what was written as a column's type."""
    if isinstance(written, Key):
        return lattice_classes(written.type)
    if isinstance(written, type) and hasattr(written, "__ir_decl__"):
        return frozenset({written})
    inside = written if isinstance(written, tuple) else getattr(written, "__ir_args__", ())
    if isinstance(written, types.GenericAlias):
        inside = written.__args__
    return frozenset().union(*(lattice_classes(item) for item in inside))

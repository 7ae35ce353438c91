"""Lattices as they are written in column types: the shipped ones, and one's own.

A shipped one is written with its parameters, `SetUnion(Address)`; `Bool`,
`VectorClock`, `GCounter` and `PNCounter` have none.  One's own is a class:

    class Highest(Lattice):
        carrier = int
        bottom = 0

        def merge(a, b):
            return max(a, b)

        @morphism(Bool)
        def above(a, n):
            return a > n

Everything in it is a function over carriers, the plain values that stand for
the lattice's.  `bloomish check` tests the laws that `merge` and the marks claim.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from typing import Any, TypeVar

from bloomish import ir
from bloomish.errors import ProgramError
from bloomish.lattices.structure import ARITY

F = TypeVar("F", bound=Callable[..., Any])

_MARK = "__bloomish_mark__"
_RESULT = "__bloomish_result__"


class _TypeHook:
    """`__ir_type__` of a lattice class written bare, and of one with parameters."""

    def __get__(self, instance: Any, owner: type[Any]) -> Callable[[], ir.Lattice]:
        arguments = instance.parameters if instance is not None else ()
        return lambda: owner._type(arguments)


class Written:
    """What `SetUnion(Address)` evaluates to: a lattice and its parameters.

    `__ir_args__` is what is written inside, where users' lattices may stand.
    """

    __ir_type__ = _TypeHook()
    __ir_args__: tuple[Any, ...] = ()

    def __init__(self, *parameters: Any) -> None:
        self.parameters = parameters
        self.__ir_args__ = parameters

    @classmethod
    def _type(cls, parameters: tuple[Any, ...]) -> ir.Lattice:
        raise NotImplementedError

    def __repr__(self) -> str:
        shown = ", ".join(getattr(p, "__name__", repr(p)) for p in self.parameters)
        return f"{type(self).__name__}({shown})"


def _types(parameters: tuple[Any, ...]) -> tuple[ir.Type, ...]:
    from bloomish.columns import column_type

    return tuple(map(column_type, parameters))


# ---------------------------------------------------------------- shipped


class Shipped(Written):
    """A lattice that comes with the language; what it does is in `operations`, `methods`."""

    @classmethod
    def _type(cls, parameters: tuple[Any, ...]) -> ir.Lattice:
        from bloomish.source import fail

        name, wanted = cls.__name__, ARITY[cls.__name__]
        if len(parameters) != wanted:
            takes = "no parameters" if wanted == 0 else f"{wanted} type{'s' * (wanted > 1)}"
            fail(f"{name} takes {takes}, not {len(parameters)}", f"write `{_EXAMPLES[name]}`")
        types = _types(parameters)
        lattices = _LATTICE_PARAMETERS.get(name, ())
        for place, type_ in enumerate(types):
            if place in lattices and not isinstance(type_, ir.Lattice):
                fail(
                    f"parameter {place + 1} of {name} must be a lattice",
                    f"write `{_EXAMPLES[name]}`",
                )
            if place not in lattices and _holds_lattice(type_):
                fail(
                    f"parameter {place + 1} of {name} is a plain type, as what is in it is "
                    "compared and never merged",
                    f"write `{_EXAMPLES[name]}`",
                )
        if name == "Lex":
            chain = types[0]
            assert isinstance(chain, ir.Lattice)
            if chain.name not in ("Max", "Min"):
                fail(
                    f"the first parameter of Lex must be a chain, and {chain.name} is none: two "
                    "versions of which neither is greater would have no merge",
                    "use Max or Min there, or an Antichain, which keeps both values",
                )
        return ir.Lattice(name, types)


def _holds_lattice(type_: ir.Type) -> bool:
    if isinstance(type_, ir.TupleOf):
        return any(map(_holds_lattice, type_.items))
    return isinstance(type_, ir.Lattice)


_LATTICE_PARAMETERS = {"MapUnion": (1,), "Pair": (0, 1), "Lex": (0, 1), "Antichain": (0,)}
_EXAMPLES = {
    "Max": "Max(int)",
    "Min": "Min(int)",
    "Bool": "Bool",
    "SetUnion": "SetUnion(str)",
    "MapUnion": "MapUnion(str, Max(int))",
    "Pair": "Pair(Max(int), SetUnion(str))",
    "Lex": "Lex(Max(int), SetUnion(str))",
    "Antichain": "Antichain(VectorClock, str)",
    "VectorClock": "VectorClock",
    "LWWRegister": "LWWRegister(str)",
    "MVRegister": "MVRegister(str)",
    "GCounter": "GCounter",
    "PNCounter": "PNCounter",
    "ORSet": "ORSet(str)",
}


class Max(Shipped):
    """The greatest value seen, in the value order."""


class Min(Shipped):
    """The least value seen, in the value order."""


class Bool(Shipped):
    """Or: false until it is once true."""


class SetUnion(Shipped):
    """A set that grows."""


class MapUnion(Shipped):
    """A map whose keys grow and whose values merge, key by key."""


class Pair(Shipped):
    """Two lattices side by side."""


class Lex(Shipped):
    """A value under a version: the greater version wins, equal versions merge."""


class Antichain(Shipped):
    """Values under versions of which none has overtaken another."""


class VectorClock(Shipped):
    """How much of what each node did has been seen (Fidge, Mattern, 1988)."""


class LWWRegister(Shipped):
    """The last writer wins: by time, then by the writer's address."""


class MVRegister(Shipped):
    """All values that were written last, concurrently (Dynamo, 2007)."""


class GCounter(Shipped):
    """A counter that grows: one count per node."""


class PNCounter(Shipped):
    """A counter that goes up and down: two that grow."""


class ORSet(Shipped):
    """A set whose removals cover the additions that they have seen."""


# -------------------------------------------------------------- one's own

_NOT_METHODS = ("merge", "elements")


class Lattice(Written):
    """Base class of one's own lattices.

    `carrier` is the column type whose values stand for the lattice's, `bottom`
    the least of them, `merge(a, b)` the least upper bound of two.  `elements`,
    if given, are carriers that the check of the laws tries besides its own.
    """

    carrier: Any = None
    bottom: Any = None
    elements: Any = ()

    @staticmethod
    def merge(a: Any, b: Any) -> Any:
        raise NotImplementedError

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        from bloomish.source import fail

        name = cls.__name__
        if name in ARITY:
            fail(f"there is a shipped lattice {name}", f"give yours another name, or use {name}")
        for member, what in (
            ("carrier", "the column type that carries it, such as `carrier = int`"),
            ("bottom", "its least value, such as `bottom = 0`"),
            ("merge", "`def merge(a, b)`, the least upper bound of two carriers"),
        ):
            if not any(member in base.__dict__ for base in cls.__mro__ if base is not Lattice):
                fail(f"the lattice {name} has no `{member}`", f"give it {what}")

    def __init__(self, *parameters: Any) -> None:
        super().__init__(*parameters)
        self.__ir_args__ = (type(self), *parameters)

    @classmethod
    def _type(cls, parameters: tuple[Any, ...]) -> ir.Lattice:
        return ir.Lattice(cls.__name__, _types(parameters))

    @classmethod
    def __ir_decl__(cls) -> ir.LatticeDecl:
        """The lattice as data."""
        methods = _methods(cls)
        (carrier,) = _types((cls.carrier,))
        return ir.LatticeDecl(
            cls.__name__,
            f"{cls.__module__}:{cls.__qualname__}",
            carrier,
            tuple((name, kind) for name, kind, _ in methods),
            tuple((name, result) for name, _, result in methods),
            _span(cls),
        )


def _methods(cls: type[Lattice]) -> list[tuple[str, ir.MethodClass, ir.Type]]:
    found = []
    for name in sorted({name for base in _bases(cls) for name in vars(base)}):
        if name.startswith("_") or name in _NOT_METHODS:
            continue
        function = getattr(cls, name)
        if inspect.isroutine(function):
            kind: ir.MethodClass = getattr(function, _MARK, "plain")
            found.append((name, kind, _result(cls, name, function, kind)))
    return found


def _bases(cls: type[Lattice]) -> list[type[Any]]:
    return [base for base in cls.__mro__ if issubclass(base, Lattice) and base is not Lattice]


def _result(
    cls: type[Lattice], name: str, function: Callable[..., Any], kind: ir.MethodClass
) -> ir.Type:
    """What a method gives: as its mark says, else its annotation.

    A marked method gives a lattice, or there would be no order to keep; a plain
    bool stands for Bool there.
    """
    written = getattr(function, _RESULT, None)
    if written is None:
        written = typing.get_type_hints(function).get("return")
    if written is None:
        return cls._type(()) if kind == "morphism" else ir.Plain("Any")
    (type_,) = _types((written,))
    if kind == "plain" or isinstance(type_, ir.Lattice):
        return type_
    if type_ == ir.Plain("bool"):
        return ir.Lattice("Bool")
    from bloomish.source import definition
    from bloomish.values import type_text

    raise ProgramError(
        definition(function.__code__),
        f"{cls.__name__}.{name} is marked @{kind} and gives {type_text(type_)}, "
        "which is no lattice",
        f"say which lattice its result grows in: `@{kind}(Max(int))`",
    )


def _span(cls: type[Any]) -> ir.Span:
    try:
        file = inspect.getsourcefile(cls) or ""
        lines, line = inspect.getsourcelines(cls)
    except (OSError, TypeError):
        return ir.Span()  # a class without a file, typed in a console
    return ir.Span(file, line, 1, lines[0].strip())


def _marked(kind: ir.MethodClass, given: Any) -> Any:
    def mark(function: Any) -> Any:
        plain = function.__func__ if isinstance(function, staticmethod) else function
        setattr(plain, _MARK, kind)
        return function

    if inspect.isroutine(given) or isinstance(given, staticmethod):
        return mark(given)

    def mark_with_result(function: Any) -> Any:
        plain = function.__func__ if isinstance(function, staticmethod) else function
        setattr(plain, _RESULT, given)
        return mark(function)

    return mark_with_result


@typing.overload
def morphism(given: F) -> F: ...
@typing.overload
def morphism(given: Any) -> Callable[[F], F]: ...
def morphism(given: Any) -> Any:
    """Marks a method f with f(bottom) = bottom and f(a | b) = f(a) | f(b).

    `@morphism(Bool)` names the lattice of its result; without, that is the
    lattice itself, or Bool for a method annotated `-> bool`.
    """
    return _marked("morphism", given)


@typing.overload
def monotone(given: F) -> F: ...
@typing.overload
def monotone(given: Any) -> Callable[[F], F]: ...
def monotone(given: Any) -> Any:
    """Marks a method that keeps the order: a <= b gives f(a) <= f(b).

    `@monotone(Max(int))` names the lattice of its result.
    """
    return _marked("monotone", given)

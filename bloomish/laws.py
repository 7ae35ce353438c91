"""Do lattices keep the laws that they claim?  Tried on elements, small and random.

Merge must be associative, commutative and idempotent with `bottom` its
identity, or replicas that saw the same messages would differ; a method marked
@morphism or @monotone must be one, or the analyzer's verdicts would rest on
sand.  (Laws by testing on generated elements: "Logic and Lattices", Conway et
al., 2012, leaves them to the programmer; Hydro and Flix check them.)
"""

from __future__ import annotations

import inspect
import itertools
import random
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from bloomish import ir
from bloomish.errors import ProgramError
from bloomish.externals import Externals
from bloomish.lattices.elements import Elements
from bloomish.lattices.methods import LatticeMethod, OutOfDomain, method_of, methods_of
from bloomish.lattices.operations import Operations, same
from bloomish.lattices.structure import ARITY
from bloomish.values import Values

RANDOM_TRIALS = 300
ARGUMENT_TRIALS = 6


@dataclass(frozen=True)
class Broken:
    """A law, and the elements that break it."""

    lattice: str
    law: str
    what: str
    elements: tuple[Any, ...]
    mend: str
    span: ir.Span = field(default_factory=ir.Span)

    def error(self) -> ProgramError:
        """The same, to be shown with file and line."""
        return ProgramError(self.span, f"{self.lattice} is not a lattice: {self.what}", self.mend)

    def __str__(self) -> str:
        return str(self.error())


def broken_laws(program: ir.Program, externals: Externals, seed: int = 0) -> tuple[Broken, ...]:
    """What the lattices that a program declares break."""
    values = Values(program.lattices, externals.lattices)
    found: list[Broken] = []
    for decl in program.lattices:
        found += check_laws(ir.Lattice(decl.name), values, seed)
    return tuple(found)


def check_laws(type_: ir.Lattice, values: Values, seed: int = 0) -> list[Broken]:
    """The laws of one lattice, each with the first elements that break it."""
    span = ir.Span() if type_.name in ARITY else values.declaration(type_).span
    try:
        operations = values.operations(type_)
        elements = Elements(values)
        elements.small(type_)
        found = list(_merge_laws(operations, elements, random.Random(seed), span))
    except ValueError as misfit:
        mend = f"`merge` and `bottom` of {type_.name} must give values of its carrier"
        return [Broken(type_.name, "carrier", str(misfit), (), mend, span)]
    if found:
        return found  # without a merge there is no order, and nothing to keep
    if type_.name in ARITY:
        methods = methods_of(type_).values()
    else:
        decl = values.declaration(type_)
        methods = {
            name: method_of(values.declared, type_, name) for name, _ in decl.methods
        }.values()
    for method in methods:
        if method.kind != "plain":
            rng = random.Random(seed)
            found += _method_laws(type_, method, values, elements, rng, span)
    return found


# ---------------------------------------------------------------------- merge

_MERGE_MENDS = {
    "idempotent": "a sum or a counter by addition counts a repeated message twice: keep one count "
    "per node (GCounter), or a set of what was counted (SetUnion)",
    "commutative": "the result must not depend on which comes first: order the two by value "
    "(Max, Min), or keep both (SetUnion, Antichain)",
    "associative": "merging in groups must give what merging one by one gives: keep what the "
    "result is computed from (a SetUnion, a MapUnion) and compute it in a method",
    "bottom": "`bottom` must be below every value that the carrier has: choose another, or "
    "name the values that are meant in `elements`",
}


def _merge_laws(
    operations: Operations, elements: Elements, rng: random.Random, span: ir.Span
) -> Iterator[Broken]:
    name = operations.type.name
    merge, bottom = operations.merge, operations.bottom

    def broken(law: str, what: str, *used: Any) -> Broken:
        return Broken(name, law, f"merge is not {what}", used, _MERGE_MENDS[law], span)

    def idempotent(a: Any) -> Broken | None:
        if same(merge(a, a), a):
            return None
        return broken(
            "idempotent", f"idempotent, merge({a!r}, {a!r}) = {merge(a, a)!r} and not {a!r}", a
        )

    def has_bottom(a: Any) -> Broken | None:
        if same(merge(bottom, a), a):
            return None
        text = f"merge(bottom, {a!r}) = merge({bottom!r}, {a!r}) = {merge(bottom, a)!r}"
        return broken("bottom", f"neutral on bottom, {text} and not {a!r}", a)

    def commutative(a: Any, b: Any) -> Broken | None:
        one, two = merge(a, b), merge(b, a)
        if same(one, two):
            return None
        text = f"merge({a!r}, {b!r}) = {one!r} and merge({b!r}, {a!r}) = {two!r}"
        return broken("commutative", f"commutative, {text}", a, b)

    def associative(a: Any, b: Any, c: Any) -> Broken | None:
        one, two = merge(merge(a, b), c), merge(a, merge(b, c))
        if same(one, two):
            return None
        text = (
            f"merge(merge({a!r}, {b!r}), {c!r}) = {one!r} "
            f"and merge({a!r}, merge({b!r}, {c!r})) = {two!r}"
        )
        return broken("associative", f"associative, {text}", a, b, c)

    laws: tuple[tuple[int, Callable[..., Broken | None]], ...] = (
        (1, idempotent),
        (2, commutative),
        (3, associative),
        (1, has_bottom),
    )
    for count, law in laws:
        for used in _trials(elements, operations.type, count, rng):
            found = law(*used)
            if found is not None:
                yield found
                break


def _trials(
    elements: Elements, type_: ir.Lattice, count: int, rng: random.Random
) -> Iterator[tuple[Any, ...]]:
    """Every combination of the small elements, then random ones."""
    yield from itertools.product(elements.small(type_), repeat=count)
    for _ in range(RANDOM_TRIALS):
        yield tuple(elements.draw(type_, rng) for _ in range(count))


# -------------------------------------------------------------------- methods


class _Raised(Exception):
    """A method that raised on an element."""


def _method_laws(
    type_: ir.Lattice,
    method: LatticeMethod,
    values: Values,
    elements: Elements,
    rng: random.Random,
    span: ir.Span,
) -> list[Broken]:
    operations = values.operations(type_)
    parameters = _parameters(type_, method, values)
    result = method.result(type_, parameters)
    span = _place(type_, method, values, span)
    if not isinstance(result, ir.Lattice):
        what = f"{method.name} is marked @{method.kind} and its result is in no lattice"
        mend = f"name the lattice of its result: `@{method.kind}(Max(int))`"
        return [Broken(type_.name, method.kind, what, (), mend, span)]
    into, conform = values.operations(result), values.conform(result)
    function = method.bind(values, type_)

    def apply(a: Any, args: tuple[Any, ...]) -> Any:
        try:
            return conform(function(a, *args))
        except OutOfDomain:
            raise
        except Exception as error:
            text = f"{_call(method, a, args)} raised {type(error).__name__}: {error}"
            raise _Raised(text) from error

    def broken(what: str, mend: str, *used: Any) -> list[Broken]:
        text = f"{method.name} is no {method.kind}{' function' * (method.kind == 'monotone')}"
        return [Broken(type_.name, method.kind, f"{text}, {what}", used, mend, span)]

    def in_domain(args: tuple[Any, ...]) -> bool:
        try:
            for a in elements.small(type_):
                apply(a, args)
        except OutOfDomain:
            return False
        return True

    try:
        tried = [args for args in _arguments(parameters, elements, rng) if in_domain(args)]
        for args in tried:
            if method.kind == "morphism" and not into.is_bottom(apply(operations.bottom, args)):
                given = _call(method, operations.bottom, args)
                value = apply(operations.bottom, args)
                return broken(
                    f"{given} = {value!r}, and of bottom it must be bottom, {into.bottom!r}",
                    "mark it @monotone",
                    operations.bottom,
                )
            for a, b in _trials(elements, type_, 2, rng):
                top = operations.merge(a, b)
                low, high = apply(a, args), apply(top, args)
                if not into.leq(low, high):
                    return broken(
                        f"{a!r} is below {top!r}, and {_call(method, a, args)} = {low!r} "
                        f"is not below {_call(method, top, args)} = {high!r}",
                        "leave the method unmarked: what it says may be taken back",
                        a,
                        top,
                    )
                if method.kind == "morphism":
                    apart = into.merge(low, apply(b, args))
                    if not same(apart, high):
                        return broken(
                            f"{_call(method, top, args)} = {high!r}, and merging those of {a!r} "
                            f"and {b!r} gives {apart!r}",
                            "mark it @monotone: it needs the whole value",
                            a,
                            b,
                        )
        return _argument_laws(type_, method, parameters, tried, into, apply, values, elements)
    except _Raised as raised:
        mend = "a marked method must give a value for every element"
        return [Broken(type_.name, method.kind, f"{method.name}: {raised}", (), mend, span)]


def _argument_laws(
    type_: ir.Lattice,
    method: LatticeMethod,
    parameters: tuple[ir.Type, ...],
    tried: list[tuple[Any, ...]],
    into: Operations,
    apply: Callable[[Any, tuple[Any, ...]], Any],
    values: Values,
    elements: Elements,
) -> list[Broken]:
    """Lattice arguments of polarity + and - (the registry's; users' marks are the receiver's)."""
    for place, (sign, parameter) in enumerate(zip(method.polarity[1:], parameters, strict=False)):
        if sign == "0" or not isinstance(parameter, ir.Lattice):
            continue
        inner = values.operations(parameter)
        for args in tried:
            for a, more in itertools.product(elements.small(type_), elements.small(parameter)):
                risen = inner.merge(args[place], more)
                after = (*args[:place], risen, *args[place + 1 :])
                low, high = apply(a, args), apply(a, after)
                if sign == "-":
                    low, high = high, low
                if not into.leq(low, high):
                    what = f"{method.name}: argument {place + 1} has not the polarity {sign!r}"
                    return [Broken(type_.name, "polarity", what, (a, args, after), "")]
    return []


def _arguments(
    parameters: tuple[ir.Type, ...], elements: Elements, rng: random.Random
) -> list[tuple[Any, ...]]:
    """A few lists of arguments; one empty list for a method without."""
    if not parameters:
        return [()]
    few = [
        tuple(elements.small(type_)[turn % len(elements.small(type_))] for type_ in parameters)
        for turn in range(3)
    ]
    many = [
        tuple(elements.draw(type_, rng) for type_ in parameters) for _ in range(ARGUMENT_TRIALS - 3)
    ]
    return few + many


def _parameters(type_: ir.Lattice, method: LatticeMethod, values: Values) -> tuple[ir.Type, ...]:
    """Types of the arguments: a user's by annotation, else as the carrier's."""
    if type_.name in ARITY:
        return method.parameters(type_)
    from bloomish.columns import column_type

    function = getattr(values.lattice_class(type_.name), method.name)
    hints = typing.get_type_hints(function)
    names = list(inspect.signature(function).parameters)[1:]
    carrier = values.declaration(type_).carrier
    return tuple(column_type(hints[name]) if name in hints else carrier for name in names)


def _place(type_: ir.Lattice, method: LatticeMethod, values: Values, span: ir.Span) -> ir.Span:
    """Where a user's method is written."""
    if type_.name in ARITY:
        return span
    function = getattr(values.lattice_class(type_.name), method.name)
    try:
        lines, line = inspect.getsourcelines(function)
    except (OSError, TypeError):
        return span  # typed in a console: the class is all we have
    return ir.Span(span.file, line, 1, "".join(lines).rstrip())


def _call(method: LatticeMethod, a: Any, args: tuple[Any, ...]) -> str:
    return f"{method.name}({', '.join(map(repr, (a, *args)))})"

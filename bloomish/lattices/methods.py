"""The methods of lattices: what each computes, and whether it is monotone.

The table is Bud's ("Logic and Lattices", Conway et al., SoCC 2012, table 1),
extended to the composed lattices.  A *morphism* f has f(bottom) = bottom and
f(a | b) = f(a) | f(b), so it may be evaluated on what changed; a *monotone*
function only keeps the order, so it needs the whole value; a *plain* one may
take back what it said.  A class holds in the receiver, and a morphism is one in
each lattice argument of polarity "+" as well.

Polarity says how the result moves with an argument, receiver first: "+" with
it, "-" against it, "0" neither.  A lattice argument moves in its lattice's
order, a plain one in the value order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from bloomish import ir
from bloomish.lattices.operations import Operations, above, sorted_pairs
from bloomish.lattices.structure import ADDRESS, ANY, ARITY, BOOL, FLOAT, INT, expand, lattice
from bloomish.order import order_key

Polarity = Literal["+", "-", "0"]
Function = Callable[..., Any]


class Domain(Protocol):
    """What a method's implementation may need of a program's types."""

    def operations(self, type_: ir.Lattice) -> Operations: ...

    def lattice_class(self, name: str) -> type[Any]: ...


@dataclass(frozen=True, slots=True)
class LatticeMethod:
    """One method: its class, polarities, types, and Python over carriers.

    `parameters` gives the types of the arguments after the receiver, `result`
    that of the value, `bind` the function (receiver, *arguments) -> value.
    `applies` says for which arguments of the lattice there is such a method.
    """

    name: str
    kind: ir.MethodClass
    polarity: tuple[Polarity, ...]
    parameters: Callable[[ir.Lattice], tuple[ir.Type, ...]]
    result: Callable[[ir.Lattice, tuple[ir.Type, ...]], ir.Type]
    bind: Callable[[Domain, ir.Lattice], Function]
    applies: Callable[[ir.Lattice], bool] = lambda type_: True


class OutOfDomain(ValueError):
    """An argument that the method is not for: it fails the tick."""


class NoSuchMethod(LookupError):
    """A method that the lattice does not have."""


TRUTH = lattice("Bool")
NUMBER_OF = lattice("Max", INT)

METHODS: dict[str, dict[str, LatticeMethod]] = {name: {} for name in ARITY}
"""Lattice name -> method name -> method; composed lattices have their structure's too."""


def methods_of(type_: ir.Lattice) -> dict[str, LatticeMethod]:
    """All methods of a shipped lattice."""
    core = expand(type_)
    inherited = {}
    if core != type_:
        inherited = {name: _on_structure(method) for name, method in METHODS[core.name].items()}
    found = inherited | METHODS[type_.name]
    return {name: method for name, method in found.items() if method.applies(type_)}


def method_of(
    declared: Mapping[str, ir.LatticeDecl], type_: ir.Lattice, name: str
) -> LatticeMethod:
    """The method `name` of a lattice, shipped or declared; raises NoSuchMethod."""
    if type_.name in ARITY:
        found = methods_of(type_)
    elif type_.name in declared:
        found = _declared_methods(declared[type_.name])
    else:
        raise NoSuchMethod(f"no lattice {type_.name!r} is declared")
    if name not in found:
        known = ", ".join(sorted(found)) or "none"
        raise NoSuchMethod(f"{type_.name} has no method {name!r}; its methods are {known}")
    return found[name]


def _on_structure(method: LatticeMethod) -> LatticeMethod:
    """A method of what a named lattice is made of, as its own."""
    return LatticeMethod(
        method.name,
        method.kind,
        method.polarity,
        lambda type_: method.parameters(expand(type_)),
        lambda type_, args: method.result(expand(type_), args),
        lambda domain, type_: method.bind(domain, expand(type_)),
        lambda type_: method.applies(expand(type_)),
    )


def _declared_methods(decl: ir.LatticeDecl) -> dict[str, LatticeMethod]:
    results = dict(decl.results)

    def method(name: str, kind: ir.MethodClass) -> LatticeMethod:
        def bind(domain: Domain, type_: ir.Lattice) -> Function:
            function: Function = getattr(domain.lattice_class(type_.name), name)
            return function

        return LatticeMethod(
            name,
            kind,
            ("0",) if kind == "plain" else ("+",),
            lambda type_: (),
            lambda type_, args: results.get(name, ANY),
            bind,
        )

    return {name: method(name, kind) for name, kind in decl.methods}


# ------------------------------------------------------------- the registry

_Type = ir.Type | Callable[..., ir.Type]


def _method(
    of: str,
    name: str,
    kind: ir.MethodClass,
    polarity: str,
    parameters: tuple[_Type, ...],
    result: _Type,
    applies: Callable[..., bool] = lambda *args: True,
) -> Callable[[Callable[..., Function]], Callable[..., Function]]:
    """Registers `make(operations of the parts..., receiver's type) -> function`.

    Types are given as types or as functions of the lattice's arguments.
    """

    def settle(type_: _Type, args: tuple[Any, ...]) -> ir.Type:
        return type_(*args) if callable(type_) else type_

    def register(make: Callable[..., Function]) -> Callable[..., Function]:
        def parameter_types(type_: ir.Lattice) -> tuple[ir.Type, ...]:
            return tuple(settle(parameter, type_.args) for parameter in parameters)

        def result_type(type_: ir.Lattice, args: tuple[ir.Type, ...]) -> ir.Type:
            if result is _PRODUCT:
                (mine,), other = type_.args, args[0] if args else ANY
                theirs = other.args[0] if isinstance(other, ir.Lattice) and other.args else ANY
                return lattice("SetUnion", ir.TupleOf((mine, theirs)))
            return settle(result, type_.args)

        METHODS[of][name] = LatticeMethod(
            name,
            kind,
            tuple(polarity),  # type: ignore[arg-type]
            parameter_types,
            result_type,
            make,
            lambda type_: applies(*type_.args),
        )
        return make

    return register


def _simple(function: Function) -> Callable[[Domain, ir.Lattice], Function]:
    return lambda domain, type_: function


def _is_number(a: ir.Type) -> bool:
    return a in (INT, FLOAT)


def _is_tuple(a: ir.Type) -> bool:
    return isinstance(a, ir.TupleOf)


def _first(a: ir.Type, *rest: ir.Type) -> ir.Type:
    return a


def _second(a: ir.Type, b: ir.Type) -> ir.Type:
    return b


def _PRODUCT(*args: ir.Type) -> ir.Type:
    """Marks a result that depends on the argument's type."""
    return ANY


def _max_of_first(a: ir.Type) -> ir.Type:
    return lattice("Max", a)


def _min_of_first(a: ir.Type) -> ir.Type:
    return lattice("Min", a)


def _set_of_first(a: ir.Type, *rest: ir.Type) -> ir.Type:
    return lattice("SetUnion", a)


def _map_of_both(k: ir.Type, v: ir.Type) -> ir.Type:
    return lattice("MapUnion", k, v)


def _known(compare: Callable[[Any, Any], bool]) -> Function:
    """A comparison that does not hold while nothing is known."""
    return lambda a, n: a is not None and n is not None and compare(a, n)


def _moved(sign: int) -> Function:
    return lambda a, n: None if a is None or n is None else a + sign * n


# Max, Min: thresholds in the direction of growth are morphisms
_GREATER = _simple(_known(above))
_GREATER_EQ = _simple(_known(lambda a, n: not above(n, a)))
_LESS = _simple(_known(lambda a, n: above(n, a)))
_LESS_EQ = _simple(_known(lambda a, n: not above(a, n)))
for _of, _up, _itself in (("Max", True, _max_of_first), ("Min", False, _min_of_first)):
    _toward: ir.MethodClass = "morphism" if _up else "plain"
    _away: ir.MethodClass = "plain" if _up else "morphism"
    _method(_of, "gt", _toward, "+-" if _up else "-+", (_first,), TRUTH if _up else BOOL)(_GREATER)
    _method(_of, "gt_eq", _toward, "+-" if _up else "-+", (_first,), TRUTH if _up else BOOL)(
        _GREATER_EQ
    )
    _method(_of, "lt", _away, "-+" if _up else "++", (_first,), BOOL if _up else TRUTH)(_LESS)
    _method(_of, "lt_eq", _away, "-+" if _up else "++", (_first,), BOOL if _up else TRUTH)(_LESS_EQ)
    for _name, _sign in (("plus", 1), ("minus", -1)):
        _with = "++" if _up == (_sign == 1) else "+-"
        _method(_of, _name, "morphism", _with, (_first,), _itself, _is_number)(
            _simple(_moved(_sign))
        )
    _method(_of, "value", "plain", "+" if _up else "-", (), _first)(_simple(lambda a: a))


@_method("Max", "min_of", "morphism", "++", (_first,), _max_of_first)
def _min_of(domain: Domain, type_: ir.Lattice) -> Function:
    return lambda a, n: None if a is None or n is None else (n if above(a, n) else a)


@_method("Min", "max_of", "morphism", "+-", (_first,), _min_of_first)
def _max_of(domain: Domain, type_: ir.Lattice) -> Function:
    return lambda a, n: None if a is None or n is None else (n if above(n, a) else a)


# Bool
_method("Bool", "when_true", "morphism", "+", (), TRUTH)(_simple(lambda a: a))
_method("Bool", "both", "morphism", "++", (TRUTH,), TRUTH)(_simple(lambda a, b: a and b))
_method("Bool", "value", "plain", "+", (), BOOL)(_simple(lambda a: a))

# SetUnion
_method("SetUnion", "contains", "morphism", "+0", (_first,), TRUTH)(_simple(lambda a, x: x in a))
_method("SetUnion", "intersect", "morphism", "++", (_set_of_first,), _set_of_first)(
    _simple(lambda a, b: a & b)
)
_method("SetUnion", "difference", "morphism", "+-", (_set_of_first,), _set_of_first)(
    _simple(lambda a, b: a - b)
)
_method("SetUnion", "union", "monotone", "++", (_set_of_first,), _set_of_first)(
    _simple(lambda a, b: a | b)
)
_method("SetUnion", "add", "monotone", "+0", (_first,), _set_of_first)(
    _simple(lambda a, x: a | {x})
)
_method("SetUnion", "contains_all", "monotone", "+-", (_set_of_first,), TRUTH)(
    _simple(lambda a, b: a >= b)
)
_method("SetUnion", "size", "monotone", "+", (), NUMBER_OF)(_simple(len))
_method("SetUnion", "is_empty", "plain", "-", (), BOOL)(_simple(lambda a: not a))
_method("SetUnion", "elements", "plain", "0", (), ANY)(
    _simple(lambda a: tuple(sorted(a, key=order_key)))
)


ANY_SET = lattice("SetUnion", ANY)


@_method("SetUnion", "product", "morphism", "++", (ANY_SET,), _PRODUCT)
def _product(domain: Domain, type_: ir.Lattice) -> Function:
    return lambda a, b: frozenset((x, y) for x in a for y in b)


def _place(x: Any, i: int) -> Any:
    if not isinstance(x, tuple) or not 0 <= i < len(x):
        raise OutOfDomain(f"{x!r} has no place {i}")
    return x[i]


@_method("SetUnion", "eqjoin", "morphism", "++00", (ANY_SET, INT, INT), _PRODUCT, _is_tuple)
def _eqjoin(domain: Domain, type_: ir.Lattice) -> Function:
    """Pairs of tuples that agree: place i of mine with place j of theirs."""

    def eqjoin(a: Any, b: Any, i: int, j: int) -> Any:
        theirs: dict[Any, list[Any]] = {}
        for y in b:
            theirs.setdefault(order_key(_place(y, j)), []).append(y)
        return frozenset((x, y) for x in a for y in theirs.get(order_key(_place(x, i)), ()))

    return eqjoin


@_method("SetUnion", "project", "morphism", "+0", (INT,), ANY_SET, _is_tuple)
def _project(domain: Domain, type_: ir.Lattice) -> Function:
    return lambda a, i: frozenset(_place(x, i) for x in a)


@_method(
    "SetUnion",
    "group_count",
    "monotone",
    "+0",
    (INT,),
    lattice("MapUnion", ANY, NUMBER_OF),
    _is_tuple,
)
def _group_count(domain: Domain, type_: ir.Lattice) -> Function:
    """How many elements (tuples) have each value in place i."""

    def group_count(a: Any, i: int) -> Any:
        counts: dict[Any, int] = {}
        for x in a:
            counts[_place(x, i)] = counts.get(x[i], 0) + 1
        return sorted_pairs(counts)

    return group_count


@_method("SetUnion", "positive_sum", "monotone", "+", (), _max_of_first, _is_number)
def _positive_sum(domain: Domain, type_: ir.Lattice) -> Function:
    """The sum of the different numbers above zero (Bud's LPSet)."""
    return lambda a: sum(sorted(x for x in a if x > 0))


# MapUnion
def _lookup(pairs: Any, key: Any, absent: Any) -> Any:
    sought = order_key(key)
    return next((v for k, v in pairs if order_key(k) == sought), absent)


@_method("MapUnion", "at", "morphism", "+0", (_first,), _second)
def _at(domain: Domain, type_: ir.Lattice) -> Function:
    bottom = _part(domain, type_, 1).bottom
    return lambda a, key: _lookup(a, key, bottom)


_ABSENT = object()
_method("MapUnion", "contains_key", "morphism", "+0", (_first,), TRUTH)(
    _simple(lambda a, key: _lookup(a, key, _ABSENT) is not _ABSENT)
)
_method("MapUnion", "key_set", "morphism", "+", (), _set_of_first)(
    _simple(lambda a: frozenset(k for k, _ in a))
)
_method("MapUnion", "size", "monotone", "+", (), NUMBER_OF)(_simple(len))
_method("MapUnion", "items", "plain", "0", (), ANY)(_simple(lambda a: a))


@_method("MapUnion", "filter", "morphism", "+", (), _set_of_first, lambda k, v: v == TRUTH)
def _filter(domain: Domain, type_: ir.Lattice) -> Function:
    """The keys whose value, a Bool, is true."""
    return lambda a: frozenset(k for k, v in a if v is True)


@_method("MapUnion", "merged", "morphism", "+", (), _second)
def _merged(domain: Domain, type_: ir.Lattice) -> Function:
    """All values merged into one."""
    inner = _part(domain, type_, 1)

    def merged(a: Any) -> Any:
        result = inner.bottom
        for _, value in a:
            result = inner.merge(result, value)
        return result

    return merged


@_method("MapUnion", "intersect", "morphism", "++", (_map_of_both,), _map_of_both)
def _intersect(domain: Domain, type_: ir.Lattice) -> Function:
    """The keys that both have, their values merged."""
    inner = _part(domain, type_, 1)

    def intersect(a: Any, b: Any) -> Any:
        theirs = dict(b)
        return tuple((k, inner.merge(v, theirs[k])) for k, v in a if k in theirs)

    return intersect


@_method("MapUnion", "restrict", "morphism", "++", (_set_of_first,), _map_of_both)
def _restrict(domain: Domain, type_: ir.Lattice) -> Function:
    """The part of the map whose keys are in a set."""
    return lambda a, keys: tuple((k, v) for k, v in a if k in keys)


# Pair, Lex, Antichain
_method("Pair", "first", "morphism", "+", (), _first)(_simple(lambda a: a[0]))
_method("Pair", "second", "morphism", "+", (), _second)(_simple(lambda a: a[1]))


@_method("Lex", "version", "morphism", "+", (), _first)
def _version(domain: Domain, type_: ir.Lattice) -> Function:
    return lambda a: None if a is None else a[0]


@_method("Lex", "value", "plain", "0", (), _second)
def _lex_value(domain: Domain, type_: ir.Lattice) -> Function:
    bottom = _part(domain, type_, 1).bottom
    return lambda a: bottom if a is None else a[1]


@_method("Antichain", "top", "morphism", "+", (), _first)
def _top(domain: Domain, type_: ir.Lattice) -> Function:
    """All versions merged: what has been seen."""
    versions = _part(domain, type_, 0)

    def top(a: Any) -> Any:
        result = versions.bottom
        for version, _ in a:
            result = versions.merge(result, version)
        return result

    return top


_method("Antichain", "values", "plain", "0", (), lambda v, t: lattice("SetUnion", t))(
    _simple(lambda a: frozenset(value for _, value in a))
)
_method("Antichain", "versions", "plain", "0", (), lambda v, t: lattice("SetUnion", v))(
    _simple(lambda a: frozenset(version for version, _ in a))
)
_method("Antichain", "size", "plain", "0", (), INT)(_simple(len))

# VectorClock, GCounter, PNCounter
CLOCK, COUNTER = lattice("VectorClock"), lattice("GCounter")


@_method("VectorClock", "dominates", "monotone", "+-", (CLOCK,), TRUTH)
def _dominates(domain: Domain, type_: ir.Lattice) -> Function:
    """Has seen all that the other has seen."""
    leq = domain.operations(type_).leq
    return lambda a, b: leq(b, a)


@_method("VectorClock", "before", "plain", "-+", (CLOCK,), BOOL)
def _before(domain: Domain, type_: ir.Lattice) -> Function:
    leq = domain.operations(type_).leq
    return lambda a, b: leq(a, b) and not leq(b, a)


@_method("VectorClock", "concurrent", "plain", "00", (CLOCK,), BOOL)
def _concurrent(domain: Domain, type_: ir.Lattice) -> Function:
    leq = domain.operations(type_).leq
    return lambda a, b: not leq(a, b) and not leq(b, a)


def _add(a: Any, key: Any, n: int) -> Any:
    if n < 0:
        raise OutOfDomain(f"a count never falls, and {n} is below zero")
    counts = dict(a)
    counts[key] = max(counts.get(key, 0), 0) + n
    return sorted_pairs(counts)


_method("VectorClock", "tick", "monotone", "+0", (ADDRESS,), CLOCK)(
    _simple(lambda a, key: _add(a, key, 1))
)
_method("GCounter", "increment", "monotone", "+0+", (ADDRESS, INT), COUNTER)(_simple(_add))


def _total(a: Any) -> int:
    """What all have counted; a count below zero is none."""
    return sum(n for _, n in a if n > 0)


_method("GCounter", "value", "monotone", "+", (), NUMBER_OF)(_simple(_total))
_method("PNCounter", "value", "plain", "0", (), INT)(_simple(lambda a: _total(a[0]) - _total(a[1])))
_method("PNCounter", "increments", "morphism", "+", (), COUNTER)(_simple(lambda a: a[0]))
_method("PNCounter", "decrements", "morphism", "+", (), COUNTER)(_simple(lambda a: a[1]))

# LWWRegister, MVRegister, ORSet
_method("LWWRegister", "value", "plain", "0", (), _first)(
    _simple(lambda a: None if a is None else a[1])
)
_method(
    "LWWRegister",
    "stamp",
    "morphism",
    "+",
    (),
    lattice("Max", ir.TupleOf((ANY, ADDRESS))),
)(_simple(lambda a: None if a is None else a[0]))
_method("MVRegister", "clock", "morphism", "+", (), CLOCK)(
    lambda domain, type_: _top(domain, expand(type_))
)


def _tagged(element: ir.Type) -> ir.Type:
    return lattice("SetUnion", ir.TupleOf((element, ANY)))


_method("ORSet", "contains", "plain", "00", (_first,), BOOL)(
    _simple(lambda a, x: any(order_key(y) == order_key(x) for y, _ in a[0] - a[1]))
)
_method("ORSet", "elements", "plain", "0", (), _set_of_first)(
    _simple(lambda a: frozenset(x for x, _ in a[0] - a[1]))
)
_method("ORSet", "size", "plain", "0", (), INT)(
    _simple(lambda a: len({order_key(x) for x, _ in a[0] - a[1]}))
)
_method("ORSet", "adds", "morphism", "+", (), _tagged)(_simple(lambda a: a[0]))
_method("ORSet", "removes", "morphism", "+", (), _tagged)(_simple(lambda a: a[1]))
_method("ORSet", "tags", "morphism", "+0", (_first,), _tagged)(
    _simple(lambda a, x: frozenset(pair for pair in a[0] if order_key(pair[0]) == order_key(x)))
)


def _part(domain: Domain, type_: ir.Lattice, place: int) -> Operations:
    part = expand(type_).args[place]
    assert isinstance(part, ir.Lattice)
    return domain.operations(part)

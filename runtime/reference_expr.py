"""Expressions by definition: what each operator gives, and when a tick fails by it.

An expression is compiled to a function of a match, the tuple of all values that
the body bound so far.  `None` is a bottom, "nothing known yet": arithmetic
keeps it (f(bottom) = bottom) and no ordering comparison holds with it, so that
a threshold on a Max or Min that has no value yet is not passed.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from bloomish import ir
from bloomish.externals import Externals
from bloomish.lattices.methods import method_of
from bloomish.types import Clash, Typing
from bloomish.values import INT_MAX, INT_MIN, Misfit, Values, order_key, shortened, type_text

Match = tuple[Any, ...]
Compiled = Callable[[Match], Any]


class Failure(Exception):
    """What makes a tick fail, in words; who evaluates adds the rule and the rows."""


class Unknown:
    """Stands for the value of a binding that could not be computed."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure


@dataclass(slots=True)
class Moment:
    """What a tick may know besides its rows."""

    node: str
    seed: int
    rosters: Mapping[str, int]
    now: float = 0.0
    tick: int = 0


class Expressions:
    """Compiles the expressions of one program."""

    def __init__(
        self, program: ir.Program, externals: Externals, values: Values, moment: Moment
    ) -> None:
        self.values = values
        self.moment = moment
        self._externals = externals
        self._functions = {decl.name: decl for decl in program.functions}
        self._typing = Typing(program)

    def compile(
        self,
        expr: ir.Expr,
        slots: Mapping[str, int],
        types: Mapping[str, ir.Type],
        rule: str = "",
        trail: Sequence[int] = (),
    ) -> Compiled:
        """The expression as a function of a match.

        `slots` says where each variable is in the match, `types` its type, and
        `trail` where the body's row values are, in the order of the rule's text.
        """

        def sub(inner: ir.Expr) -> Compiled:
            return self.compile(inner, slots, types, rule, trail)

        match expr:
            case ir.Var(name):
                return _variable(slots[name])
            case ir.Const(value):
                constant = self.values.conform(ir.Plain("Any"))(value)
                return lambda match: constant
            case ir.Unary("-", operand):
                return _apply(_negative, sub(operand))
            case ir.Unary("not", operand):
                return _apply(lambda value: not truth(value), sub(operand))
            case ir.Binary("and", left, right):
                first, second = sub(left), sub(right)
                return lambda match: truth(first(match)) and truth(second(match))
            case ir.Binary("or", left, right):
                first, second = sub(left), sub(right)
                return lambda match: truth(first(match)) or truth(second(match))
            case ir.Binary("|", left, right):
                return self._merge(expr, sub(left), sub(right), types)
            case ir.Binary(op, left, right):
                return _apply(_BINARY[op], sub(left), sub(right))
            case ir.Call(function, args):
                return _apply(self._function(function), *map(sub, args))
            case ir.Method(name, receiver, args):
                return self._method(expr, name, sub(receiver), tuple(map(sub, args)), types)
            case ir.Size(str() as roster):
                return lambda match: self.moment.rosters[roster]
            case ir.Size(of):
                return self._size(of, sub(of), types)  # type: ignore[arg-type]
            case ir.Here():
                return lambda match: self.moment.node
            case ir.Now():
                return lambda match: self.moment.now
            case ir.TickNumber():
                return lambda match: self.moment.tick
            case ir.Random():
                places = tuple(trail)
                return lambda match: self._random(rule, [match[place] for place in places])
            case ir.TupleExpr(items):
                return _apply(lambda *parts: parts, *map(sub, items))
            case ir.SetExpr(items):
                return _apply(lambda *parts: frozenset(parts), *map(sub, items))
            case ir.MapExpr(items):
                pairs = [(sub(key), sub(value)) for key, value in items]
                return lambda match: tuple(
                    sorted(((key(match), value(match)) for key, value in pairs), key=order_key)
                )
            case ir.Field(of, place, type_):
                known = self.lattice(of, types) is not None
                return _apply(self.field(place, type_, known), sub(of))
            case _:
                raise TypeError(f"{expr!r} has no value")

    # ------------------------------------------------------------- lattices

    def lattice(self, expr: ir.Expr, types: Mapping[str, ir.Type]) -> ir.Lattice | None:
        """The lattice of an expression's value, or None where that is plain or open."""
        found = self.type(expr, types)
        return found if isinstance(found, ir.Lattice) else None

    def type(self, expr: ir.Expr, types: Mapping[str, ir.Type]) -> ir.Type:
        """The type of an expression; Any where it has none (Dedalus warns and goes on)."""
        try:
            return self._typing.expr(expr, types)
        except Clash:
            return ir.Plain("Any")

    def _merge(
        self, expr: ir.Expr, left: Compiled, right: Compiled, types: Mapping[str, ir.Type]
    ) -> Compiled:
        lattice = self.lattice(expr, types)
        if lattice is None:
            return _apply(_union, left, right)
        operations, conform = self.values.operations(lattice), self.values.conform(lattice)
        return _apply(
            lambda a, b: _call("merge", operations.merge, conform(a), conform(b)), left, right
        )

    def _method(
        self,
        expr: ir.Method,
        name: str,
        receiver: Compiled,
        args: tuple[Compiled, ...],
        types: Mapping[str, ir.Type],
    ) -> Compiled:
        lattice = self.lattice(expr.receiver, types)
        if lattice is None:
            raise TypeError(f"{name}: its receiver is not of a lattice type")
        spec = method_of(self.values.declared, lattice, name)
        function = spec.bind(self.values, lattice)
        result = self.values.conform(self.type(expr, types))
        receive = self.values.conform(lattice)

        def method(value: Any, *arguments: Any) -> Any:
            return _revealed(name, result, _call(name, function, receive(value), *arguments))

        return _apply(method, receiver, *args)

    def field(self, place: int, type_: ir.Type, lattice: bool) -> Callable[[Any], Any]:
        """What `field` gives of a value; of a lattice's bottom nothing is known yet."""
        conform = self.values.conform(type_)

        def field(value: Any) -> Any:
            if value is None and lattice:
                return None
            call = f"field({shortened(value)}, {place}, {type_text(type_)})"
            if not isinstance(value, tuple):
                raise Failure(f"{call}: it is not a tuple")
            if place >= len(value):
                raise Failure(f"{call}: its length is {len(value)}")
            try:
                return conform(value[place])
            except Misfit as misfit:
                raise Failure(f"{call}: {misfit}") from None

        return field

    def _size(self, of: ir.Expr, inner: Compiled, types: Mapping[str, ir.Type]) -> Compiled:
        lattice = self.lattice(of, types)
        if lattice is None:
            return _apply(_length, inner)
        spec = method_of(self.values.declared, lattice, "size")
        return _apply(spec.bind(self.values, lattice), inner)

    # ------------------------------------------------------ functions, chance

    def _function(self, name: str) -> Callable[..., Any]:
        function = self._externals.functions[name]
        result = self.values.conform(self._functions[name].result)

        def call(*args: Any) -> Any:
            value = _call(name, function, *args)
            try:
                return result(value)
            except Misfit as misfit:
                raise Failure(f"{name} returned {misfit}") from None

        return call

    def _random(self, rule: str, body: list[Any]) -> float:
        """The first 53 bits of a keyed hash: a function of seed, node, tick, rule and rows."""
        moment = self.moment
        digest = keyed(moment.seed, [moment.node, moment.tick, rule, *body])
        return (int.from_bytes(digest, "big") >> 11) / (1 << 53)


def keyed(seed: int, values: list[Any]) -> bytes:
    """8 bytes that anybody with the seed and the values computes alike."""
    text = (seed & ((1 << 64) - 1)).to_bytes(8, "little") + pack(values)
    return blake2b(text, digest_size=8).digest()


def pack(value: Any) -> bytes:
    """MessagePack of a value; sets as arrays in value order."""
    import msgpack  # late: the engine hardly ever gets here, and starts sooner without it

    return bytes(msgpack.packb(value, default=_sorted_set, use_bin_type=True))


def _sorted_set(value: Any) -> Any:
    if isinstance(value, frozenset):
        return sorted(value, key=order_key)
    raise TypeError(f"{value!r} cannot be packed")


def truth(value: Any) -> bool:
    """The value of a condition."""
    if value is True or value is False:
        return bool(value)
    raise Failure(f"{value!r} is used as a condition and is not a bool")


def _variable(place: int) -> Compiled:
    return lambda match: computed(match[place])


def computed(value: Any) -> Any:
    """A value of a match; raises the failure that stands for one that has none."""
    if type(value) is Unknown:
        raise value.failure
    return value


def _apply(function: Callable[..., Any], *args: Compiled) -> Compiled:
    if len(args) == 2:
        first, second = args
        return lambda match: function(first(match), second(match))
    return lambda match: function(*[arg(match) for arg in args])


def _call(name: str, function: Callable[..., Any], *args: Any) -> Any:
    """A user's code: whatever it raises fails the tick, and says so."""
    try:
        return function(*args)
    except Failure:
        raise
    except Exception as error:
        shown = ", ".join(map(repr, args))
        raise Failure(f"{name}({shown}) raised {type(error).__name__}: {error}") from error


def _revealed(name: str, conform: Callable[[object], Any], value: Any) -> Any:
    if value is None:  # a bottom revealed: nothing known yet
        return None
    try:
        return conform(value)
    except Misfit as misfit:
        raise Failure(f"{name} returned {misfit}") from None


# ------------------------------------------------------------------ arithmetic


def is_number(value: Any) -> bool:
    return type(value) is int or type(value) is float


def whole(value: int) -> int:
    """An int that fits 64 bits."""
    if INT_MIN <= value <= INT_MAX:
        return value
    raise Failure(f"int overflow: {value} does not fit 64 bits")


def number(value: Any) -> Any:
    """A result: ints within 64 bits, no NaN, one zero."""
    if type(value) is int:
        return whole(value)
    if value != value:
        raise Failure("the result is not a number (NaN)")
    return value + 0.0


def _arithmetic(name: str, function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def apply(a: Any, b: Any) -> Any:
        if a is None or b is None:
            return None
        if not (is_number(a) and is_number(b)):
            raise Failure(f"{a!r} {name} {b!r}: not two numbers")
        try:
            return number(function(a, b))
        except ZeroDivisionError:
            raise Failure(f"{a!r} {name} {b!r}: division by zero") from None
        except OverflowError:
            raise Failure(f"{a!r} {name} {b!r}: overflow") from None

    return apply


def _plus(a: Any, b: Any) -> Any:
    if type(a) is type(b) and isinstance(a, (str, bytes, tuple)):
        return a + b
    return _ADD(a, b)


def _truncate(a: Any, b: Any) -> Any:
    if type(a) is not int or type(b) is not int:
        raise Failure(f"{a!r} div {b!r}: not two ints")
    quotient = abs(a) // abs(b)
    return quotient if (a < 0) == (b < 0) else -quotient


def _negative(value: Any) -> Any:
    if value is None:
        return None
    if not is_number(value):
        raise Failure(f"-{value!r}: not a number")
    return number(-value)


def _union(a: Any, b: Any) -> Any:
    if isinstance(a, frozenset) and isinstance(b, frozenset):
        return a | b
    raise Failure(f"{a!r} | {b!r}: not two values of one lattice")


def _length(value: Any) -> Any:
    if isinstance(value, (frozenset, tuple)):
        return len(value)
    raise Failure(f"size({value!r}): it has no size")


_ADD = _arithmetic("+", operator.add)

# ----------------------------------------------------------------- comparison


def equal(a: Any, b: Any) -> bool:
    """Numbers numerically; values of different kinds are different."""
    if is_number(a) and is_number(b):
        return bool(a == b)
    return order_key(a) == order_key(b)


def _comparison(holds: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def compare(a: Any, b: Any) -> bool:
        if a is None or b is None:
            return False
        if is_number(a) and is_number(b):
            return holds(a, b)
        return holds(order_key(a), order_key(b))

    return compare


_BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "+": _plus,
    "-": _arithmetic("-", operator.sub),
    "*": _arithmetic("*", operator.mul),
    "/": _arithmetic("/", operator.truediv),
    "//": _arithmetic("//", operator.floordiv),
    "%": _arithmetic("%", operator.mod),
    "div": _arithmetic("div", _truncate),
    "==": equal,
    "!=": lambda a, b: not equal(a, b),
    "<": _comparison(operator.lt),
    "<=": _comparison(operator.le),
    ">": _comparison(operator.gt),
    ">=": _comparison(operator.ge),
}

# ----------------------------------------------------------------- aggregates


def aggregate(
    name: ir.AggregateName,
    pairs: list[tuple[Any, Any]],
    priority: Callable[[Any], bytes],
) -> Any:
    """The aggregate of a group, one (value, by) per match; never of an empty group."""
    values = [value for value, _ in pairs]
    match name:
        case "count":
            return len({order_key(value) for value in values})
        case "collect":
            return tuple(distinct(values))
        case "choose":
            return min(values, key=lambda value: (priority(value), order_key(value)))
        case "argmax":
            return max(pairs, key=lambda pair: (order_key(pair[1]), order_key(pair[0])))[0]
        case "argmin":
            return min(pairs, key=lambda pair: (order_key(pair[1]), order_key(pair[0])))[0]
    known = [value for value in values if value is not None]
    if not known:
        return None
    match name:
        case "sum":
            return _sum(known)
        case "avg":
            total = _sum(known, exact=True)
            return number(total / len(known))
        case "min":
            return min(known, key=order_key)
        case "max":
            return max(known, key=order_key)
    raise TypeError(f"no aggregate {name!r}")


def distinct(values: list[Any]) -> list[Any]:
    """The different values, in value order."""
    found = {order_key(value): value for value in values}
    return [found[key] for key in sorted(found)]


def _sum(values: list[Any], exact: bool = False) -> Any:
    """Exact for ints; for floats the exactly rounded sum, whatever the order."""
    for value in values:
        if not is_number(value):
            raise Failure(f"sum of {value!r}, which is not a number")
    if all(type(value) is int for value in values):
        return sum(values) if exact else whole(sum(values))
    try:
        return number(math.fsum(sorted(values)))
    except (OverflowError, ValueError) as error:
        raise Failure(f"sum: {error}") from None

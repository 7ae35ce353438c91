"""The few Python functions that clauses need beyond the IR's own operators."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from bloomish import ir

_ANY, _INT, _FLOAT, _STR = ir.Plain("Any"), ir.Plain("int"), ir.Plain("float"), ir.Plain("str")


def tuple_size(value: Any) -> int:
    """How many elements a tuple has; -1 for what is no tuple."""
    return len(value) if isinstance(value, tuple) else -1


def part(value: Any, index: int) -> Any:
    """An element of a tuple, or None: a pattern that does not fit finds nothing."""
    if isinstance(value, tuple) and index < len(value):
        return value[index]
    return None


def item(value: Any, index: Any) -> Any:
    """`X[index]` of a tuple or a string."""
    return value[index]


def range_of(size: Any) -> tuple[int, ...]:
    """`range_(size)`."""
    return tuple(range(size))


def format_text(text: str, values: tuple[Any, ...]) -> str:
    """`format_(text, ...)`."""
    return text.format(*values)


def power_int(base: Any, exponent: Any) -> int:
    """`base ** exponent` of ints."""
    if exponent < 0:
        raise ValueError(f"{base} ** {exponent} of ints is no int")
    result = 1
    for _ in range(exponent):
        result *= base
        if result in (0, 1):
            break
        if abs(result) >= 2**63:
            if result == -(2**63):
                continue
            raise OverflowError(f"{base} ** {exponent} does not fit in 64 bits")
    return result


def power_float(base: Any, exponent: Any) -> float:
    """`base ** exponent` with a float among them."""
    return float(base**exponent)


_LIBRARY: dict[str, tuple[Callable[..., Any], tuple[ir.Type, ...], ir.Type]] = {
    "tuple_size": (tuple_size, (_ANY,), _INT),
    "part": (part, (_ANY, _INT), _ANY),
    "item": (item, (_ANY, _ANY), _ANY),
    "range_of": (range_of, (_ANY,), _ANY),
    "format_text": (format_text, (_STR, _ANY), _STR),
    "power_int": (power_int, (_ANY, _ANY), _INT),
    "power_float": (power_float, (_ANY, _ANY), _FLOAT),
}


def library(names: Iterable[str]) -> tuple[list[ir.FunctionDecl], dict[str, Callable[..., Any]]]:
    """The declarations and the Python of the named functions."""
    decls, python = [], {}
    for name in sorted(names):
        function, params, result = _LIBRARY[name]
        decls.append(ir.FunctionDecl(name, f"{__name__}:{name}", params, result))
        python[name] = function
    return decls, python

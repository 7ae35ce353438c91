"""Arithmetic on constants, done while reading."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

_COMPUTE: dict[str, Callable[[Any, Any], object]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv,
    "//": operator.floordiv, "%": operator.mod, "**": operator.pow,
}  # fmt: skip


def compute(op: str, left: object, right: object) -> object:
    """`left op right` as Python has it; huge powers are not worth their time."""
    if op == "**" and isinstance(right, int) and abs(right) > 1024:
        raise OverflowError("the exponent is above 1024")
    if op in ("*", "%") and (isinstance(left, str | bytes | tuple)):
        raise TypeError(f"{op} of a {type(left).__name__}")
    return _COMPUTE[op](left, right)

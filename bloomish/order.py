"""The one total order of values: every tie, sort, frame and rank goes by it.

None < bool < number < str < bytes < tuple < set.  Ints and floats compare
numerically, an int before an equal float; str by code points (equal to the
order of their UTF-8 bytes); tuples lexicographically; sets as the sorted tuple
of their elements.
"""

from __future__ import annotations

from typing import Any

Key = tuple[Any, ...]


def order_key(value: object) -> Key:
    """A key that sorts by the value order.

    Different values have different keys (1, 1.0 and True too), so it is also a
    value's identity where Python would call such values equal.
    """
    kind = type(value)
    if kind is int:
        return (2, value, 0)
    if kind is str:
        return (3, value)
    if isinstance(value, tuple):
        return (5, tuple(map(order_key, value)))
    if kind is float:
        return (2, value, 1)
    if kind is bool:
        return (1, value)
    if value is None:
        return (0,)
    if kind is bytes:
        return (4, value)
    if isinstance(value, frozenset):
        return (6, tuple(sorted(map(order_key, value))))
    raise TypeError(f"{value!r} ({kind.__name__}) is not a value of the language")

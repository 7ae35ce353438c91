"""The smallest part of a schedule that still breaks (ddmin; Zeller and Hildebrandt 2002)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")

MOST_RUNS = 400


def shrink(
    items: Sequence[T], fails: Callable[[Sequence[T]], bool], most: int = MOST_RUNS
) -> list[T]:
    """A subset, in the same order, that fails and of which no single item can be left out
    (unless `most` runs are used up first).  The whole is known to fail."""
    left = list(items)
    runs = 0

    def still(candidate: Sequence[T]) -> bool:
        nonlocal runs
        runs += 1
        return fails(candidate)

    if left and still([]):
        return []
    pieces = 2
    while len(left) > 1 and runs < most:
        size = -(-len(left) // pieces)
        chunks = [left[start : start + size] for start in range(0, len(left), size)]
        for number in range(len(chunks)):
            rest = [item for place, chunk in enumerate(chunks) if place != number for item in chunk]
            if runs < most and still(rest):
                left, pieces = rest, max(2, pieces - 1)
                break
        else:
            if pieces >= len(left):
                break
            pieces = min(len(left), 2 * pieces)
    return left

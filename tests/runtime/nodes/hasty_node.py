"""A node that answers first and commits later, as a store would that leaves it to the next second.

It is started in a node's place by tests that must notice."""

from __future__ import annotations

import asyncio

from bloomish.runtime import node_process
from bloomish.runtime.store import Store

LATE = 0.2
"""Seconds; the kernel writes back later still, but a killed process loses none of that."""


class HastyStore(Store):
    """Commits what it was given once in a while."""

    _due = False
    _closed = False

    def settle(self) -> None:
        if not self._due:
            self._due = True
            asyncio.get_running_loop().call_later(LATE, self._at_last)

    def _at_last(self) -> None:
        self._due = False
        if not self._closed:
            super().settle()

    def close(self) -> None:
        self._closed = True
        super().close()


if __name__ == "__main__":
    node_process.Store = HastyStore  # type: ignore[attr-defined]
    node_process.main()

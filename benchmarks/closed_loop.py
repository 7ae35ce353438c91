"""Sessions of a program that call again when they are answered, and how far they are told to go."""

from __future__ import annotations

import time

from bloomish.runtime.host import Node

WARM = 20
"""Calls of each session before anything is counted."""


class Sessions:
    """The sessions of a node: each goes on to the number in its `go`, and says so in `done`."""

    def __init__(self, node: Node) -> None:
        self.last = 0
        """The number up to which they have called."""
        self._node = node
        self._done = node.watch("done")

    async def play(self, sessions: int, each: int) -> float:
        """So many sessions with so many calls each; the seconds that it took."""
        first, self.last = self.last + 1, self.last + each
        started = time.perf_counter()
        await self._node.insert("go", [(one, first, self.last) for one in range(sessions)])
        await self._done.take(sessions)
        return time.perf_counter() - started

    async def filling(self, sessions: int, seconds: float) -> int:
        """How many calls of each will take about so many seconds: warms up, and tries it."""
        each, elapsed = WARM, 0.0
        await self.play(sessions, each)
        while elapsed < seconds / 10:
            each *= 2
            elapsed = await self.play(sessions, each)
        return round(each * seconds / elapsed)

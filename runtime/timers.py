"""When a node ticks without anything having arrived: periodics and resends.

Both go by the loop's monotonic clock.  A process that was suspended fires a
periodic once when it wakes, not once for every period it has missed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

FIRST = 0.1
LAST = 5.0


class Periodic:
    """Fires every `period` seconds with its firing number, from 1."""

    def __init__(self, period: float, fire: Callable[[int], None]) -> None:
        self._period = period
        self._fire = fire
        self._number = 0
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """The first firing is one period from now."""
        loop = asyncio.get_running_loop()
        self._due = loop.time() + self._period
        self._timer = loop.call_at(self._due, self._ring)

    def _ring(self) -> None:
        loop = asyncio.get_running_loop()
        self._number += 1
        self._due += self._period
        if self._due <= loop.time():
            self._due = loop.time() + self._period
        self._timer = loop.call_at(self._due, self._ring)
        self._fire(self._number)

    def stop(self) -> None:
        """No more firings."""
        if self._timer is not None:
            self._timer.cancel()


class Resend:
    """The resend timer of standing sends (DESIGN section 3).

    It runs only while something stands.  `look` says what has been standing since
    it last looked: a number that is equal for equal rows, 0 if all that stands is
    new, or None for nothing.  As long as that stays the same the waits double,
    from `first` to `last`; a new standing send starts them anew.  Arrivals and
    answers do not, so two nodes that stand sending to each other both fall back
    to the long wait.
    """

    def __init__(
        self,
        look: Callable[[], int | None],
        send: Callable[[], None],
        first: float = FIRST,
        last: float = LAST,
    ) -> None:
        self._look = look
        self._send = send
        self._first = first
        self._last = max(first, last)
        self._wait = first
        self._due = 0.0
        self._seen: int | None = None
        self._timer: asyncio.TimerHandle | None = None

    def sent_something(self) -> None:
        """A tick has queued rows: among them may be new standing ones."""
        loop = asyncio.get_running_loop()
        soon = loop.time() + self._first / 2
        if self._timer is None:
            self._wait, self._due = self._first, soon
        elif self._timer.when() <= soon:
            return
        else:
            self._timer.cancel()
        self._timer = loop.call_at(soon, self._ring)

    def at_once(self) -> None:
        """A peer is back: what stands goes out now, and the waits start anew."""
        if self._timer is None:
            return
        self._timer.cancel()
        self._look()  # what is new has been standing, too
        self._seen = None
        loop = asyncio.get_running_loop()
        self._timer = loop.call_at(loop.time(), self._ring)

    def _ring(self) -> None:
        loop = asyncio.get_running_loop()
        standing = self._look()
        if standing is None:
            self._timer, self._seen = None, None
            return
        now = loop.time()
        if standing == 0:
            self._seen = None
            self._wait, self._due = self._first, now + self._first / 2
            self._timer = loop.call_at(self._due, self._ring)
            return
        if standing != self._seen:
            self._seen, self._wait = standing, self._first
        elif now < self._due - 0.001:
            # Nothing new stands: this was an early look, the back-off goes on.
            self._timer = loop.call_at(self._due, self._ring)
            return
        self._send()
        self._wait = min(self._wait * 2, self._last)
        self._due = loop.time() + self._wait
        self._timer = loop.call_at(self._due, self._ring)

    def stop(self) -> None:
        """No more resends."""
        if self._timer is not None:
            self._timer.cancel()

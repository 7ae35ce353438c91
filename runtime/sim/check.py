"""Is a history linearizable: could every operation have taken effect at one moment between its
invocation and its answer?

Wing, Gong, "Testing and Verifying Concurrent Objects" (JPDC 1993): search for an order, one
operation after the other, among those that were under way when the earliest operation that is not
placed yet was answered.  Lowe, "Testing for Linearizability" (Concurrency and Computation 2017):
never go on twice from the same operations placed and the same state; key by key where objects are
local (Herlihy, Wing, "Linearizability", TOPLAS 1990, theorem 1).  Two things more cut the search
without losing an order:

- An operation that only looks is placed as soon as it can be: any order that places it later has
  one that places it now.
- Operations of unknown outcome may take effect at any time after their invocation, or never.  So
  who has come to the same state with fewer of them placed can do whatever the other can.

A search that ends without an order has proved that there is none.  One that reaches its limit has
proved nothing, and says `unknown`.  Where there is none, what is told is the shortest prefix
without one; what is not answered in it may have come about, with the answer that it had later, or
not.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from bloomish.runtime.history import History, Operation
from bloomish.runtime.sim.objects import Effect, Model, State, text

Verdict = Literal["yes", "no", "unknown"]
STATES = 5_000_000
SECONDS = 60.0
TAIL = 6
"""So many operations of an order that leads nowhere are kept."""
EXAMPLES = 3
"""So many states that lead nowhere are kept."""
CLOCK_EVERY = 1 << 10


@dataclass
class Budget:
    """What a check may take, all keys together."""

    states: int = STATES
    seconds: float = SECONDS
    visited: int = 0
    _until: float = field(init=False)

    def __post_init__(self) -> None:
        self._until = time.monotonic() + self.seconds

    def spent(self) -> bool:
        """One state more: is it too many?"""
        self.visited += 1
        if self.visited % CLOCK_EVERY == 0 and time.monotonic() > self._until:
            self.states = 0
        return self.visited > self.states


@dataclass(frozen=True)
class DeadEnd:
    """A state that an order of what came before leads to, and the end of that order."""

    state: str
    order: tuple[Operation, ...]
    placed: int
    """How many operations the order has."""


@dataclass(frozen=True)
class Trouble:
    """Why there is no order: whatever explains all answers up to those before this one, cannot
    explain this one."""

    operation: Operation
    beside: tuple[Operation, ...]
    """What else was under way, and could have come before it."""
    dead_ends: tuple[DeadEnd, ...]


@dataclass(frozen=True)
class Judged:
    """One key's history, or, where keys are judged together, all."""

    key: Any
    verdict: Verdict
    operations: int
    open: int
    order: tuple[Operation, ...] = ()
    """If there is one: an order that explains all answers."""
    trouble: Trouble | None = None


@dataclass(frozen=True)
class Judgement:
    """A whole history's."""

    keys: tuple[Judged, ...]
    states: int
    seconds: float

    @property
    def verdict(self) -> Verdict:
        """No, if one key has no order; unknown, if one may have none."""
        verdicts = {one.verdict for one in self.keys}
        return "no" if "no" in verdicts else "unknown" if "unknown" in verdicts else "yes"


def linearizable(
    history: History,
    model: Model,
    initial: object = None,
    *,
    states: int = STATES,
    seconds: float = SECONDS,
) -> Judgement:
    """Judges a history, key by key."""
    started = time.monotonic()
    budget = Budget(states, seconds)
    judged = tuple(
        _judge(key, operations, model, initial, budget) for key, operations in by_key(history)
    )
    return Judgement(judged, budget.visited, time.monotonic() - started)


def by_key(history: History) -> Iterable[tuple[Any, Sequence[Operation]]]:
    """The operations that may have been executed, object by object."""
    keys: dict[str, tuple[Any, list[Operation]]] = {}
    for one in history.operations:
        _, mine = keys.setdefault(text(one.key), (one.key, []))
        if one.outcome != "fail":
            mine.append(one)
    return keys.values()


def _judge(
    key: Any, operations: Sequence[Operation], model: Model, initial: object, budget: Budget
) -> Judged:
    opens = sum(one.outcome == "open" for one in operations)
    first = model.first(initial)
    search = Search(operations, model)
    verdict = search.run(first, budget)
    return Judged(
        key,
        verdict,
        len(operations),
        opens,
        search.order if verdict == "yes" else (),
        _shortest(search, first, budget) if verdict == "no" else None,
    )


def _shortest(failed: Search, first: State, budget: Budget) -> Trouble:
    """Why a history has no order, told of its shortest prefix that has none; if the limit is
    reached first, of one that is short."""
    if failed.model.possible is None:
        return failed.trouble()  # what comes later has cut nothing: it is the shortest
    low, high = 0, len(failed.completed)  # up to so many answers there is an order; there is none
    while high - low > 1:
        middle = (low + high) // 2
        search = Search(failed.operations, failed.model, failed.completed[middle - 1].end)
        verdict = search.run(first, budget)
        if verdict == "unknown":
            break
        low, high = (middle, high) if verdict == "yes" else (low, middle)
    answer = failed.completed[high - 1]
    search = Search(failed.operations, failed.model, answer.end, answer)
    if search.run(first, budget) == "unknown":
        return Trouble(answer, (), ())
    return search.trouble()


@dataclass(slots=True)
class _Frame:
    """A state of the search: all `completed[:first]` are placed, and those after it whose bits
    `mask` has; of the open ones, those of `used`."""

    first: int
    mask: int
    used: int
    state: State
    choices: Iterator[int]
    placed: Operation | None


class Search:
    """The search for an order of one object's operations."""

    def __init__(
        self,
        operations: Sequence[Operation],
        model: Model,
        until: int | None = None,
        doubted: Operation | None = None,
    ) -> None:
        """With `until`, of the prefix up to that line: what is answered after it need not be
        placed.  The answer of `doubted` tells nothing about what comes before it."""
        begun = [one for one in operations if until is None or one.begin < until]
        known = [(one, does) for one in begun if (does := model.effect(one)) is not None]
        ended = [pair for pair in known if _answered(pair[0], until)]
        ended.sort(key=lambda pair: pair[0].end or 0)
        never = [pair for pair in known if not _answered(pair[0], until)]
        never.sort(key=lambda pair: pair[0].begin)
        self.operations = operations
        self.model = model
        self.completed = [one for one, _ in ended]
        self.open = [one for one, _ in never]
        self.effects: list[Effect] = [does for _, does in ended + never]
        self.order: tuple[Operation, ...] = ()
        trusted = [one for one in self.completed if one is not doubted]
        self._possible = (model.possible or _anything)(trusted)
        self._under_way = _under_way(self.completed)
        begins = [one.begin for one in self.open]
        self._open_by = [bisect_left(begins, one.end or 0) for one in self.completed]
        self._farthest = 0
        self._dead_ends: dict[State, DeadEnd] = {}

    def run(self, state: State, budget: Budget) -> Verdict:
        """Looks for an order."""
        count = len(self.completed)
        if not count:
            return "yes"
        operations = self.completed + self.open
        seen: dict[tuple[int, int, State], list[int]] = {}
        stack = [self._frame(0, 0, 0, state, None)]
        while stack:
            frame = stack[-1]
            choice = next(frame.choices, -1)
            if choice < 0:
                self._stuck(stack)
                stack.pop()
                continue
            effect = self.effects[choice]
            after = effect.after(frame.state)
            if after is None or not self._possible(after):
                continue
            first, mask, used = frame.first, frame.mask, frame.used
            if choice >= count:
                if after == frame.state:
                    continue  # without it, as good
                used |= 1 << (choice - count)
            else:
                if effect.looks:
                    frame.choices = iter(())
                mask |= 1 << (choice - first)
                while mask & 1:
                    mask >>= 1
                    first += 1
            placed = operations[choice]
            if first == count:
                self.order = (*(one.placed for one in stack if one.placed), placed)
                return "yes"
            earlier = seen.setdefault((first, mask, after), [])
            if any(fewer & used == fewer for fewer in earlier):
                continue
            if budget.spent():
                return "unknown"
            earlier.append(used)
            if first > self._farthest:
                self._farthest = first
                self._dead_ends.clear()
            stack.append(self._frame(first, mask, used, after, placed))
        return "no"

    def _frame(
        self, first: int, mask: int, used: int, state: State, placed: Operation | None
    ) -> _Frame:
        return _Frame(first, mask, used, state, self._choices(first, mask, used), placed)

    def _choices(self, first: int, mask: int, used: int) -> Iterator[int]:
        """What can come next: whatever was invoked before the earliest answer that is to come."""
        for place in self._under_way[first]:
            if not mask >> (place - first) & 1:
                yield place
        count = len(self.completed)
        for place in range(self._open_by[first]):
            if not used >> place & 1:
                yield count + place

    def _stuck(self, stack: Sequence[_Frame]) -> None:
        """Notes where the farthest orders end."""
        frame = stack[-1]
        if frame.first < self._farthest or frame.state in self._dead_ends:
            return
        if len(self._dead_ends) < EXAMPLES:
            order = tuple(one.placed for one in stack[-TAIL:] if one.placed)
            self._dead_ends[frame.state] = DeadEnd(
                self.model.show(frame.state), order, len(stack) - 1
            )

    def trouble(self) -> Trouble:
        """After a search that found none: where every order ends."""
        operation = self.completed[self._farthest]
        beside = [self.completed[place] for place in self._under_way[self._farthest][1:]]
        beside += self.open[: self._open_by[self._farthest]]
        beside.sort(key=lambda one: one.begin)
        return Trouble(operation, tuple(beside), tuple(self._dead_ends.values()))


def _answered(operation: Operation, until: int | None) -> bool:
    return operation.end is not None and (until is None or operation.end <= until)


def _anything(operations: Sequence[Operation]) -> Callable[[Any], bool]:
    return lambda state: True


def _under_way(completed: Sequence[Operation]) -> list[tuple[int, ...]]:
    """Of operations in the order of their answers: for each, itself and those answered later that
    had been invoked when it was answered."""
    begun = sorted(range(len(completed)), key=lambda place: completed[place].begin)
    found: list[tuple[int, ...]] = []
    active: dict[int, None] = {}
    next_begun = 0
    for place, one in enumerate(completed):
        end = one.end or 0
        while next_begun < len(begun) and completed[begun[next_begun]].begin < end:
            active[begun[next_begun]] = None
            next_begun += 1
        del active[place]
        found.append((place, *active))
    return found

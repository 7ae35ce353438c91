"""Is a history sequentially consistent: is there one order of all operations, the same for all
processes, in which each process's own stand as it did them?

Lamport, "How to Make a Multiprocessor Computer That Correctly Executes Multiprocess Programs"
(1979).  It says nothing about real time, and it is not local: two objects that are sequentially
consistent each may not be so together, so all keys are judged at once.  What is linearizable is
sequentially consistent, too; of the rest, the search is that of `check`, on how far each process
has come and on the states of all keys.  It tries the order of the answers first.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from bloomish.runtime.history import History, Operation
from bloomish.runtime.sim.check import (
    SECONDS,
    STATES,
    TAIL,
    Budget,
    DeadEnd,
    Judged,
    Judgement,
    Trouble,
    Verdict,
    linearizable,
)
from bloomish.runtime.sim.objects import Effect, Model, State, text

LAST = 1 << 62
_T = TypeVar("_T")


@dataclass(frozen=True)
class _Step:
    operation: Operation
    effect: Effect
    key: int


@dataclass(slots=True)
class _Frame:
    positions: tuple[int, ...]
    states: tuple[State, ...]
    choices: list[int]
    """Processes, the one to be tried next last."""
    placed: Operation | None


def sequential(
    history: History,
    model: Model,
    initial: object = None,
    *,
    states: int = STATES,
    seconds: float = SECONDS,
) -> Judgement:
    """Judges a history, all keys together."""
    started = time.monotonic()
    stronger = linearizable(history, model, initial, states=states // 2, seconds=seconds / 2)
    if stronger.verdict == "yes":
        return stronger
    budget = Budget(states, seconds - stronger.seconds, stronger.states)
    executed = [one for one in history.operations if one.outcome != "fail"]
    search = _Search(executed, model)
    verdict = search.run(model.first(initial), budget)
    judged = Judged(
        None,
        verdict,
        len(executed),
        sum(one.outcome == "open" for one in executed),
        search.order if verdict == "yes" else (),
        search.trouble() if verdict == "no" else None,
    )
    return Judgement((judged,), budget.visited, time.monotonic() - started)


class _Search:
    def __init__(self, operations: Sequence[Operation], model: Model) -> None:
        self.model = model
        self.keys: dict[str, int] = {}
        lanes: dict[int, list[_Step]] = {}
        for one in operations:
            effect = model.effect(one)
            key = self.keys.setdefault(text(one.key), len(self.keys))
            if effect is not None:
                lanes.setdefault(one.process, []).append(_Step(one, effect, key))
        self.lanes = list(lanes.values())
        # An operation of unknown outcome is the last of its process: it need not take effect.
        self.ends = tuple(len(lane) - (lane[-1].operation.outcome == "open") for lane in self.lanes)
        self.order: tuple[Operation, ...] = ()
        self._farthest = -1
        self._stuck: tuple[tuple[int, ...], DeadEnd] | None = None

    def run(self, state: State, budget: Budget) -> Verdict:
        positions = (0,) * len(self.lanes)
        stack = [self._frame(positions, (state,) * len(self.keys), None)]
        seen = {(positions, stack[0].states)}
        while stack:
            frame = stack[-1]
            if all(at >= end for at, end in zip(frame.positions, self.ends, strict=True)):
                self.order = tuple(one.placed for one in stack if one.placed)
                return "yes"
            if not frame.choices:
                self._note(stack)
                stack.pop()
                continue
            lane = frame.choices.pop()
            step = self.lanes[lane][frame.positions[lane]]
            before = frame.states[step.key]
            after = step.effect.after(before)
            if after is None or (after == before and step.operation.outcome == "open"):
                continue
            if step.effect.looks:
                frame.choices.clear()  # no order is lost by placing it here
            there = _with(frame.positions, lane, frame.positions[lane] + 1)
            states = frame.states if after == before else _with(frame.states, step.key, after)
            if (there, states) in seen:
                continue
            if budget.spent():
                return "unknown"
            seen.add((there, states))
            stack.append(self._frame(there, states, step.operation))
        return "no"

    def _frame(
        self, positions: tuple[int, ...], states: tuple[State, ...], placed: Operation | None
    ) -> _Frame:
        choices = [lane for lane, at in enumerate(positions) if at < len(self.lanes[lane])]
        choices.sort(key=lambda lane: -(self.lanes[lane][positions[lane]].operation.end or LAST))
        return _Frame(positions, states, choices, placed)

    def _note(self, stack: Sequence[_Frame]) -> None:
        """Where the longest order ends."""
        if len(stack) > self._farthest:
            self._farthest = len(stack)
            frame = stack[-1]
            shown = "; ".join(
                f"{key}: {self.model.show(frame.states[place])}" for key, place in self.keys.items()
            )
            order = tuple(one.placed for one in stack[-TAIL:] if one.placed)
            self._stuck = (frame.positions, DeadEnd(shown, order, len(stack) - 1))

    def trouble(self) -> Trouble:
        """What none of the processes could go on with, where the longest order ends."""
        assert self._stuck is not None
        positions, dead_end = self._stuck
        waiting = [
            self.lanes[lane][at].operation
            for lane, at in enumerate(positions)
            if at < self.ends[lane]
        ]
        waiting.sort(key=lambda one: one.end or LAST)
        return Trouble(waiting[0], tuple(waiting[1:]), (dead_end,))


def _with(items: tuple[_T, ...], place: int, item: _T) -> tuple[_T, ...]:
    return (*items[:place], item, *items[place + 1 :])

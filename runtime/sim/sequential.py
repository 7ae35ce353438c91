"""Is a history sequentially consistent: is there one order of all operations, the same for all
processes, in which each process's own stand as it did them?

Lamport, "How to Make a Multiprocessor Computer That Correctly Executes Multiprocess Programs"
(1979).  It says nothing about real time, and it is not local: two objects that are sequentially
consistent each may not be so together, so all keys are judged at once.  What is linearizable is
sequentially consistent, too; of the rest, the search is that of `check`, on how far each process
has come and on the states of all keys.  It tries the order of the answers first, and leaves no
state that somebody has yet to see and nobody can bring about again.
"""

from __future__ import annotations

import time
from collections import Counter
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
    placed: _Step | None


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
        steps = [step for lane in self.lanes for step in lane]
        self._needed = Counter(
            (step.key, step.effect.needs) for step in steps if step.operation.outcome == "ok"
        )
        self._makers = Counter((step.key, step.effect.makes) for step in steps)
        # Of these it is known which states can come about again.
        self._known = set(self.keys.values()) - {
            step.key for step in steps if not step.effect.looks and step.effect.makes is None
        }
        self._stuck: tuple[_Frame, DeadEnd] | None = None

    def run(self, state: State, budget: Budget) -> Verdict:
        positions = (0,) * len(self.lanes)
        stack = [self._frame(positions, (state,) * len(self.keys), None)]
        seen = {(positions, stack[0].states)}
        while stack:
            frame = stack[-1]
            if all(at >= end for at, end in zip(frame.positions, self.ends, strict=True)):
                self.order = tuple(one.placed.operation for one in stack if one.placed)
                return "yes"
            if not frame.choices:
                self._note(stack)
                stack.pop()
                if frame.placed is not None:
                    self._count(frame.placed, 1)
                continue
            lane = frame.choices.pop()
            step = self.lanes[lane][frame.positions[lane]]
            before = frame.states[step.key]
            after = step.effect.after(before)
            if after is None or (after == before and step.operation.outcome == "open"):
                continue
            if after != before and self._leaves_too_soon(step, before):
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
            self._count(step, -1)
            stack.append(self._frame(there, states, step))
        return "no"

    def _count(self, step: _Step, change: int) -> None:
        """A step is placed (-1), or taken back."""
        if step.operation.outcome == "ok":
            self._needed[step.key, step.effect.needs] += change
        self._makers[step.key, step.effect.makes] += change

    def _leaves_too_soon(self, step: _Step, state: State) -> bool:
        """Does somebody else have yet to find the state that this step leaves, for good?"""
        if step.key not in self._known or self._makers[step.key, state]:
            return False
        needed = self._needed[step.key, state]
        return needed > (step.operation.outcome == "ok" and step.effect.needs == state)

    def _frame(
        self, positions: tuple[int, ...], states: tuple[State, ...], placed: _Step | None
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
            order = tuple(one.placed.operation for one in stack[-TAIL:] if one.placed)
            self._stuck = (frame, DeadEnd(shown, order, len(stack) - 1))

    def trouble(self) -> Trouble:
        """What none of the processes could go on with, where the longest order ends."""
        assert self._stuck is not None
        frame, dead_end = self._stuck
        left = [
            step
            for lane, at, end in zip(self.lanes, frame.positions, self.ends, strict=True)
            for step in lane[at:end]
        ]
        waiting = [
            lane[at]
            for lane, at, end in zip(self.lanes, frame.positions, self.ends, strict=True)
            if at < end
        ]
        waiting.sort(key=lambda step: step.operation.end or LAST)
        cause = waiting[0]
        if cause.effect.after(frame.states[cause.key]) is not None:
            # It could be placed, if nobody had yet to see what it replaces.
            state = frame.states[cause.key]
            needing = [step for step in left if step.key == cause.key]
            cause = next((step for step in needing if step.effect.needs == state), cause)
        beside = tuple(step.operation for step in waiting if step is not cause)
        return Trouble(cause.operation, beside, (dead_end,))


def _with(items: tuple[_T, ...], place: int, item: _T) -> tuple[_T, ...]:
    return (*items[:place], item, *items[place + 1 :])

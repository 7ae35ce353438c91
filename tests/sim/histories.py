"""Histories by hand, at random, and judged by trying every order."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from typing import Any

from bloomish.runtime.history import Event, History, Operation, paired
from bloomish.runtime.sim.objects import Model


def written(text: str) -> History:
    """A history from lines: a process, then `f value` to invoke, or an outcome and the answer.

    0 write 1
    0 ok
    1 read
    1 ok 1
    """
    events: list[Event] = []
    under_way: dict[int, Event] = {}
    for number, line in enumerate(text.strip().splitlines(), start=1):
        who, word, *rest = line.split(maxsplit=2)
        process = int(who)
        value: Any = eval(rest[0], {"null": None, "true": True, "false": False}) if rest else None
        if word in ("ok", "fail", "info"):
            asked = under_way.pop(process)
            events.append(Event(number, process, word, asked.f, asked.key, value))  # type: ignore[arg-type]
        else:
            name, _, key = word.partition(".")
            under_way[process] = Event(number, process, "invoke", name, key or None, value)
            events.append(under_way[process])
    return paired(events)


def brute_force(operations: Sequence[Operation], model: Model, initial: object = None) -> bool:
    """Every order of every choice of the open ones that keeps to real time."""
    executed = [one for one in operations if one.outcome != "fail"]
    ended = [one for one in executed if one.end is not None]
    never = [one for one in executed if one.end is None and model.effect(one) is not None]
    for some in _subsets(never):
        for order in itertools.permutations([*ended, *some]):
            if _in_time(order) and _explains(order, model, initial):
                return True
    return False


def brute_force_sequential(
    operations: Sequence[Operation], model: Model, initial: object = None
) -> bool:
    """The same where only each process's own order counts; keys together."""
    executed = [one for one in operations if one.outcome != "fail"]
    ended = [one for one in executed if one.end is not None]
    never = [one for one in executed if one.end is None and model.effect(one) is not None]
    for some in _subsets(never):
        for order in itertools.permutations([*ended, *some]):
            own = all(
                one.begin < other.begin
                for one, other in itertools.combinations(order, 2)
                if one.process == other.process
            )
            if own and all(
                _explains([one for one in order if one.key == key], model, initial)
                for key in {one.key for one in order}
            ):
                return True
    return False


def _subsets(items: Sequence[Operation]) -> Iterator[tuple[Operation, ...]]:
    for size in range(len(items) + 1):
        yield from itertools.combinations(items, size)


def _in_time(order: Sequence[Operation]) -> bool:
    return all(
        other.end is None or other.end > one.begin
        for one, other in itertools.combinations(order, 2)
    )


def _explains(order: Sequence[Operation], model: Model, initial: object) -> bool:
    state: Any = model.first(initial)
    for one in order:
        effect = model.effect(one)
        if effect is not None:
            state = effect.after(state)
            if state is None:
                return False
    return True


# ----------------------------------------------------------------- at random


def asked(model: str, chance: random.Random) -> tuple[str, Any]:
    """An operation of a model and its value."""
    small = chance.randrange(3)
    forms: dict[str, list[tuple[str, Any]]] = {
        "register": [
            ("read", None),
            ("write", small),
            ("cas", [chance.randrange(3), chance.randrange(3)]),
        ],
        "once": [("claim", small), ("read", None)],
        "lock": [("acquire", small), ("release", small), ("read", None)],
        "list": [("append", small), ("read", None)],
        "text": [("append", "abc"[small]), ("read", None)],
        "counter": [("add", small - 1), ("read", None)],
        "set": [("add", small), ("remove", small), ("read", None)],
    }
    return chance.choice(forms[model])


def done(model: str, state: Any, f: str, value: Any) -> tuple[Any, Any]:
    """What an object that is one place does: the state after it, and the answer."""
    if f == "read":
        if model == "set":
            return state, sorted(state)
        return state, list(state) if model == "list" else state
    if model == "register":
        if f == "write":
            return value, None
        return (value[1], True) if state == value[0] else (state, False)
    if model == "once":
        now = value if state is None else state
        return now, now == value
    if model == "lock":
        if f == "acquire":
            return (value, True) if state is None else (state, False)
        return (None, True) if state == value else (state, False)
    if model == "list":
        return (*state, value), None
    if model == "set":
        return (state | {value}, None) if f == "add" else (state - {value}, None)
    return state + value, None


FIRST: dict[str, Any] = {
    "register": None, "once": None, "lock": None,
    "list": (), "text": "", "counter": 0, "set": frozenset(),
}  # fmt: skip


def simulated(
    model: str,
    chance: random.Random,
    operations: int,
    clients: int,
    keys: Sequence[Any] = (None,),
    unknown: float = 0.1,
) -> list[Event]:
    """What clients see of objects that are each in one place and do one thing at a time: every
    operation takes effect at a moment between its invocation and its answer, or, if it is unknown,
    at any time after its invocation, or never."""
    states = dict.fromkeys(keys, FIRST[model])
    events: list[Event] = []
    waiting: list[tuple[int, str, Any, Any]] = []  # not yet taken effect
    effected: dict[int, tuple[str, Any, Any, Any]] = {}  # taken effect, not yet answered
    idle = list(range(clients))
    fresh = clients
    begun = 0
    forgotten: list[tuple[int, str, Any, Any]] = []

    def tell(process: int, type_: Any, f: str, key: Any, value: Any) -> None:
        events.append(Event(len(events) + 1, process, type_, f, key, value))

    while begun < operations or waiting or effected:
        moves = ["effect"] * bool(waiting) + ["answer"] * bool(effected)
        moves += ["begin"] * (bool(idle) and begun < operations) + ["late"] * bool(forgotten)
        move = chance.choice(moves)
        if move == "begin":
            process = idle.pop(chance.randrange(len(idle)))
            f, value = asked(model, chance)
            key = chance.choice(keys)
            tell(process, "invoke", f, key, value)
            begun += 1
            waiting.append((process, f, key, value))
        elif move == "late":
            _, f, key, value = forgotten.pop(chance.randrange(len(forgotten)))
            states[key], _ = done(model, states[key], f, value)
        elif move == "effect":
            one = waiting.pop(chance.randrange(len(waiting)))
            process, f, key, value = one
            if chance.random() < unknown:
                tell(process, "info", f, key, None)
                idle.append(fresh)
                fresh += 1
                if chance.random() < 0.5:
                    forgotten.append(one)
                continue
            states[key], answer = done(model, states[key], f, value)
            effected[process] = (f, key, value, answer)
        else:
            process = chance.choice(list(effected))
            f, key, _, answer = effected.pop(process)
            tell(process, "ok", f, key, answer)
            idle.append(process)
    return events

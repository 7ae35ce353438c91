"""What a history can be a history of: an object, and what each operation does to it.

An operation with its outcome is a function from a state to the next one, or to None where it could
not have had that outcome; one whose outcome is unknown gives the state with its effect.  States are
hashable; values are kept as JSON text, so that 1, true and "1" are three values.

register  read; write VALUE; cas [OLD, NEW], which answers whether it has swapped
once      claim VALUE, which answers whether it is that for ever; read
lock      acquire OWNER, which answers whether it is held now, or with a fencing token that is
          greater than all before; release OWNER; read (the owner)
list      append VALUE; read (all, in order)
text      append TEXT; read (all in one)
counter   add NUMBER; read
set       add VALUE; remove VALUE; read (all, in any order)
"""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from json.encoder import encode_basestring
from typing import Any

from bloomish.errors import BloomishError
from bloomish.runtime.history import Operation

State = Hashable


@dataclass(frozen=True, slots=True)
class Effect:
    """What an operation does."""

    after: Callable[[Any], Any]
    """From a state to the next; None: not with this outcome."""
    looks: bool = False
    """It changes no state, whatever that is."""
    needs: State | None = None
    """The only state at which it fits, if there is one and only one."""
    makes: State | None = None
    """The only state that it leaves, if it leaves the same always."""


def _looks(fits: Callable[[Any], bool], needs: State | None = None) -> Effect:
    return Effect(lambda state: state if fits(state) else None, True, needs)


class WrongOperation(BloomishError):
    """An operation that the object does not have, or with a value that it does not take."""


@dataclass(frozen=True)
class Model:
    """An object's kind.  Each key of a history is an object of its own: all of these are local, a
    history is linearizable if that of every key is (Herlihy, Wing 1990, theorem 1)."""

    name: str
    first: Callable[[Any], State]
    """The state that an initial value stands for."""
    operations: Mapping[str, Callable[[Operation], Effect | None]]
    """By `f`; None: it says nothing about the order (a read without an answer)."""
    show: Callable[[Any], str]
    """A state in words."""
    possible: Callable[[Sequence[Operation]], Callable[[Any], bool]] | None = None
    """Where the answers tell which states there can have been, as they do of what only grows at its
    end: whether a state is one of these."""

    def effect(self, operation: Operation) -> Effect | None:
        """What an operation does; raises WrongOperation."""
        try:
            return self.operations[operation.f](operation)
        except KeyError:
            known = ", ".join(self.operations)
            raise WrongOperation(
                f"line {operation.begin}: a {self.name} has no operation {operation.f!r}; "
                f"it has: {known}"
            ) from None
        except (TypeError, ValueError):
            raise WrongOperation(
                f"{operation.lines}: {operation.f} of a {self.name} cannot have the value "
                f"{text(operation.value)} and the answer {text(operation.answer)}"
            ) from None


def text(value: Any) -> str:
    """A value as JSON, equal for equal values."""
    if type(value) is str:
        return encode_basestring(value)
    if type(value) is int:
        return str(value)
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _open(operation: Operation) -> bool:
    return operation.outcome == "open"


def _succeeded(operation: Operation) -> bool:
    """Of an operation that can answer no: it answered yes, or nothing, or what it was asked.  Any
    other answer is neither yes nor no."""
    answer = operation.answer
    if type(answer) is bool or answer is None or text(answer) == text(operation.value):
        return answer is not False
    raise ValueError


def _reads(parsed: Callable[[Any], Any]) -> Callable[[Operation], Effect | None]:
    """A read: the state is what it answered."""

    def read(operation: Operation) -> Effect | None:
        if _open(operation):
            return None
        seen = parsed(operation.answer)
        return _looks(lambda state: bool(state == seen), seen)

    return read


def _told(operation: Operation, parsed: Callable[[Any], Any]) -> Any:
    """What an update says the state is after it; None if it says nothing.  A sum may be equal to
    what was added: that is a sum, and no repetition of what was asked."""
    answer = operation.answer
    if _open(operation) or answer is None or answer is True:
        return None
    return parsed(answer)


# ----------------------------------------------------------------- register


def _write(operation: Operation) -> Effect:
    new = text(operation.value)
    return Effect(lambda state: new, makes=new)


def _cas(operation: Operation) -> Effect:
    if not isinstance(operation.value, list | tuple):
        raise ValueError
    before, after = operation.value
    old, new = text(before), text(after)
    if _succeeded(operation):
        return Effect(lambda state: new if state == old else None, False, old, new)
    return _looks(lambda state: bool(state != old))


REGISTER = Model("register", text, {"read": _reads(text), "write": _write, "cas": _cas}, str)


# ----------------------------------------------------------------- once

UNCLAIMED = "null"


def _claim(operation: Operation) -> Effect:
    """The first claim is what it is for ever; the same claim again has the same answer."""
    mine = text(operation.value)
    if mine == UNCLAIMED:
        raise ValueError
    if _open(operation):
        return Effect(lambda state: mine if state == UNCLAIMED else state)
    if _succeeded(operation):
        return Effect(lambda state: mine if state in (UNCLAIMED, mine) else None)
    return _looks(lambda state: state not in (UNCLAIMED, mine))


ONCE = Model("once", text, {"claim": _claim, "read": _reads(text)}, str)


# ----------------------------------------------------------------- lock

FREE = "null"
# A state is (owner, the last fencing token).


def _owner(operation: Operation) -> str:
    return text(operation.process if operation.value is None else operation.value)


def _acquire(operation: Operation) -> Effect:
    owner, token = _owner(operation), operation.answer
    if type(token) is int:
        fenced = (owner, token)
        return Effect(lambda state: fenced if state[0] == FREE and token > state[1] else None)
    if not _succeeded(operation):
        return _looks(lambda state: bool(state[0] != FREE))
    return Effect(lambda state: (owner, state[1]) if state[0] == FREE else None)


def _release(operation: Operation) -> Effect:
    owner = _owner(operation)
    if _succeeded(operation):
        return Effect(lambda state: (FREE, state[1]) if state[0] == owner else None)
    return _looks(lambda state: bool(state[0] != owner))


def _read_owner(operation: Operation) -> Effect | None:
    if _open(operation):
        return None
    seen = text(operation.answer)
    return _looks(lambda state: bool(state[0] == seen))


LOCK = Model(
    "lock",
    lambda initial: (text(initial), -1),
    {"acquire": _acquire, "release": _release, "read": _read_owner},
    lambda state: "free" if state[0] == FREE else f"held by {state[0]}",
)


# ----------------------------------------------------------------- append-only


def _items(values: Any) -> tuple[str, ...]:
    if values is None:
        return ()
    if not isinstance(values, list):
        raise ValueError
    return tuple(map(text, values))


def _beginnings(
    parsed: Callable[[Any], Any],
) -> Callable[[Sequence[Operation]], Callable[[Any], bool]]:
    """Of what is appended to alone, every state is a beginning of the longest answer, or begins
    with it."""

    def possible(operations: Sequence[Operation]) -> Callable[[Any], bool]:
        told = [parsed(one.answer) if one.f == "read" else _told(one, parsed) for one in operations]
        longest = max((one for one in told if one is not None), key=len, default=None)
        if longest is None:
            return lambda state: True
        length = len(longest)
        return lambda state: bool(
            state == longest[: len(state)] if len(state) < length else state[:length] == longest
        )

    return possible


def _append_item(operation: Operation) -> Effect:
    item, told = text(operation.value), _told(operation, _items)

    def append(state: tuple[str, ...]) -> tuple[str, ...] | None:
        after = (*state, item)
        return after if told is None or after == told else None

    return Effect(append)


LIST = Model(
    "list",
    _items,
    {"append": _append_item, "read": _reads(_items)},
    lambda state: f"[{', '.join(state)}]",
    _beginnings(_items),
)


def _word(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError
    return value


def _append_word(operation: Operation) -> Effect:
    word, told = _word(operation.value), _told(operation, _word)

    def append(state: str) -> str | None:
        after = state + word
        return after if told is None or after == told else None

    return Effect(append)


TEXT = Model(
    "text", _word, {"append": _append_word, "read": _reads(_word)}, text, _beginnings(_word)
)


# ----------------------------------------------------------------- counter


LARGE = 1e300
"""Numbers are less: a sum of an int and a float that is too large is no number in Python."""


def _number(value: Any) -> int | float:
    if value is None:
        return 0
    if type(value) not in (int, float) or not abs(value) < LARGE:
        raise ValueError
    return value  # type: ignore[no-any-return]


def _add_number(operation: Operation) -> Effect:
    amount, told = _number(operation.value), _told(operation, _number)

    def add(state: int | float) -> int | float | None:
        after = state + amount
        return after if told is None or after == told else None

    return Effect(add)


COUNTER = Model("counter", _number, {"add": _add_number, "read": _reads(_number)}, str)


# ----------------------------------------------------------------- set


def _members(values: Any) -> frozenset[str]:
    return frozenset(_items(values))


def _add_member(operation: Operation) -> Effect:
    member = frozenset((text(operation.value),))
    return Effect(lambda state: state | member)


def _remove_member(operation: Operation) -> Effect:
    member = frozenset((text(operation.value),))
    return Effect(lambda state: state - member)


SET = Model(
    "set",
    _members,
    {"add": _add_member, "remove": _remove_member, "read": _reads(_members)},
    lambda state: "{" + ", ".join(sorted(state)) + "}",
)

MODELS = {one.name: one for one in (REGISTER, ONCE, LOCK, LIST, TEXT, COUNTER, SET)}


def model(name: str) -> Model:
    """A model by its name."""
    try:
        return MODELS[name]
    except KeyError:
        raise BloomishError(f"there is no model {name!r}; there are {', '.join(MODELS)}") from None

"""What clients ask for: operations drawn from a seed and from what was learned on the way.

Values are never written twice, so a read names the write that it saw.  An object is left after a
number of operations, and a new key begins: the checker's work stays small, and a lock that may be
held by nobody alive (its acquisition was of unknown outcome) is not waited for.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bloomish.runtime.chaos.operations import Part

READS = 0.4
"""So many of the operations look."""
DECIDED = 6
"""Operations after which an object is left that is what it is once and for all."""


@dataclass(frozen=True)
class Wanted:
    """An operation to be done."""

    f: str
    key: str
    value: Any
    names: Mapping[str, Any]
    """What `operations.NAMES` stand for, as far as the operation says it."""


@dataclass
class Load:
    """What the clients of one part share."""

    part: Part
    chance: random.Random
    keys: int
    """Objects that are in use at a time."""
    per_key: int
    """Operations after which an object is left."""
    _written: int = 0
    _used: list[int] = field(default_factory=list)
    _names: list[str] = field(default_factory=list)
    _begun: int = 0
    _seen: dict[str, Any] = field(default_factory=dict)
    """The last value of a register that somebody has been told."""
    _begun_keys: set[str] = field(default_factory=set)
    """Keys of which an operation was answered."""
    _held: dict[int, str] = field(default_factory=dict)
    """The lock that a process holds, as far as it knows."""
    _kept: set[str] = field(default_factory=set)
    """Locks that are held for ever: there is no release."""

    def __post_init__(self) -> None:
        forms = self.part.forms
        if "claim" in forms or ("acquire" in forms and "release" not in forms):
            self.per_key = min(self.per_key, DECIDED)
        for _ in range(self.keys):
            self._names.append("")
            self._used.append(0)
            self._renew(len(self._names) - 1)

    def _renew(self, place: int) -> None:
        self._begun += 1
        self._names[place] = f"{self.part.model}-{self._begun}"
        self._used[place] = 0

    def wanted(self, process: int) -> Wanted:
        """The next operation of a process."""
        if "release" in self.part.forms and process in self._held:
            return self._lock("release", self._held[process], process)
        place = self.chance.randrange(self.keys)
        if self._used[place] >= self.per_key or self._names[place] in self._kept:
            self._renew(place)
        self._used[place] += 1
        key = self._names[place]
        forms = self.part.forms
        if self.part.first and key not in self._begun_keys:
            f = self.part.first
        elif "read" in forms and self.chance.random() < READS:
            f = "read"
        else:
            f = self.chance.choice([one for one in forms if one != "read"])
        if f in ("acquire", "release"):
            return self._lock("acquire", key, process)
        if f == "read":
            return Wanted(f, key, None, {})
        if f == "cas" and key in self._seen:
            new = self._value()
            old = self._seen[key]
            return Wanted(f, key, [old, new], {"old": old, "new": new})
        if f == "cas":
            f = "write" if "write" in forms else "cas"
        value = self._value()
        if f == "cas":
            initial = self.part.initial
            return Wanted(f, key, [initial, value], {"old": initial, "new": value})
        return Wanted(f, key, value, {"value": value})

    def _lock(self, f: str, key: str, process: int) -> Wanted:
        owner = self.part.made_values()(process)
        return Wanted(f, key, owner, {"owner": owner, "value": owner})

    def _value(self) -> Any:
        self._written += 1
        if self.part.model == "counter":
            return self.chance.choice((1, 2, 5))
        if self.part.made_values() is int:
            return self._written
        return f"{self._written} "

    def learned(self, process: int, wanted: Wanted, answer: Any) -> None:
        """A process was told."""
        self._begun_keys.add(wanted.key)
        if wanted.f == "read":
            self._seen[wanted.key] = answer
        elif wanted.f == "write":
            self._seen[wanted.key] = wanted.value
        elif wanted.f == "cas" and answer is not False:
            self._seen[wanted.key] = wanted.value[1]
        elif wanted.f == "acquire" and answer is not False:
            self._held[process] = wanted.key
            if "release" not in self.part.forms:
                self._kept.add(wanted.key)
        elif wanted.f == "release":
            self._held.pop(process, None)

    def lost(self, process: int, wanted: Wanted) -> None:
        """Nobody knows what became of it."""
        self._held.pop(process, None)
        if self.part.model == "lock" and wanted.key in self._names:
            self._renew(self._names.index(wanted.key))

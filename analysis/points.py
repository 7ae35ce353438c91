"""What the inference finds at a rule: plain data, no places or words yet."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class PointKind(Enum):
    """The kinds of a point of order, as `check` prints them."""

    LATCH = "latch"
    EXPORT = "export"
    FINAL_OUTPUT = "final output"
    DELETE_RACE = "delete race"
    OVERWRITE = "overwrite"
    KEY_RACE = "key race"
    UNGUARDED_JOIN = "unguarded join"
    CLOCK = "clock"
    CHOICE = "choice"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where rows that only ever came begin to be taken back.

    `what`: "negation", "aggregate", "threshold", "reveal" or "deletion".
    `gate`: the columns within which one has to know all (4.3).
    """

    unit: int
    what: str
    subject: str
    gate: tuple[str, ...] = ()
    node: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that makes an outcome depend on the schedule.

    `through` is the body collection by which the trouble comes in, "" if the
    rule itself is all of it; `origin` is set if this rule takes back, too.
    """

    unit: int
    kind: PointKind
    rule: str
    why: str
    gate: tuple[str, ...] = ()
    through: str = ""
    origin: Origin | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a derivation: the inference rule, what it saw, what followed."""

    rule: str
    text: str
    mode: str

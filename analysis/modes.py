"""The modes of 4.3 and how they combine.

A mode says what a collection's history is, over all fair schedules:

- `CONST`: complete from the first tick, never changed.
- `GROW`: only ever grows (rows, or lattice values upwards), to a content that
  no schedule changes.
- `EVENT`: comes and goes; the union over the run is the same in all schedules.
- `PART`: every row belongs to a whole that no schedule changes.
- `FLUX`: may take rows back; the content at quiescence is the same.
- `DET`: local; a function of the node's own ticks, which arrivals do not change.
- `SEQ`: a function of a decided log.
- `NONDET`: depends on the schedule.

The order is a diamond and not the chain that ANALYSIS prints: a view that is
now partial (`PART`) is not what it will be at quiescence (`FLUX`), nor is what
comes and goes (`EVENT`), so the join of either with `FLUX` is `NONDET`.  With
that every transfer rule is monotone and the fixpoint is the least one.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum


class Mode(Enum):
    """What is known of a collection's history; see the module."""

    CONST = "const"
    GROW = "grow"
    EVENT = "event"
    PART = "part"
    FLUX = "flux"
    DET = "det"
    SEQ = "seq"
    NONDET = "nondet"

    def __repr__(self) -> str:
        return self.name

    @property
    def word(self) -> str:
        """As ANALYSIS writes it."""
        return self.value.capitalize()


CONST, GROW, EVENT, PART = Mode.CONST, Mode.GROW, Mode.EVENT, Mode.PART
FLUX, DET, SEQ, NONDET = Mode.FLUX, Mode.DET, Mode.SEQ, Mode.NONDET

_BELOW: dict[Mode, frozenset[Mode]] = {
    CONST: frozenset((CONST,)),
    GROW: frozenset((CONST, GROW)),
    EVENT: frozenset((CONST, GROW, EVENT)),
    PART: frozenset((CONST, GROW, EVENT, PART)),
    FLUX: frozenset((CONST, GROW, FLUX)),
    DET: frozenset((CONST, GROW, EVENT, DET)),
    SEQ: frozenset((CONST, SEQ)),
    NONDET: frozenset(Mode),
}


def leq(a: Mode, b: Mode) -> bool:
    """Whether what `a` promises includes what `b` promises."""
    return a in _BELOW[b]


def worst(modes: Iterable[Mode]) -> Mode:
    """The least mode above all of these: what a union of such parts is."""
    found = CONST
    for mode in modes:
        if leq(found, mode):
            found = mode
        elif not leq(mode, found):
            found = NONDET
    return found


CERTAIN = frozenset((CONST, GROW, EVENT))
"""Modes whose collected rows no schedule changes."""

LASTING = frozenset((CONST, GROW))
"""Modes whose rows, once there, are there for good."""

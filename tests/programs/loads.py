"""What hosts ask of the protocols in a campaign."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from bloomish.runtime.sim.workload import Insert
from tests.programs.campaigns import MOMENT, at, moments

NODES = ("node-0", "node-1", "node-2")


def rivals(chance: random.Random, falls: Sequence[int]) -> Iterator[Insert]:
    """Every decision has rival values, and often a usurper."""
    for number, time in enumerate(moments(chance, falls, 25)):
        for node, value in zip(NODES, "xyz", strict=True):
            when = time + chance.randrange(MOMENT)
            yield at(when, node, "propose", (f"i{number}", value))
            if chance.random() < 0.4:
                yield at(when + chance.randrange(MOMENT), node, "usurp", (number,))


def transactions(chance: random.Random, falls: Sequence[int]) -> Iterator[Insert]:
    """Some are vetoed, some given up."""
    for number, time in enumerate(moments(chance, falls, 25)):
        tx = (f"t{number}",)
        yield at(time, "coordinator-0", "begin", tx)
        if chance.random() < 0.3:
            veto = time - MOMENT // 2 + chance.randrange(6 * MOMENT)
            yield at(max(0, veto), f"participant-{chance.randrange(3)}", "veto", tx)
        if chance.random() < 0.2:
            yield at(time + chance.randrange(MOMENT), "coordinator-0", "give_up", tx)

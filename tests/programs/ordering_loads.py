"""What hosts ask of ordered registers in a campaign."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from bloomish.runtime.sim.workload import Insert
from tests.programs.campaigns import MOMENT, at, moments

REPLICAS = ("replica-0", "replica-1", "replica-2")
SUBMITTERS = ("submitter-0", "submitter-1")


def words(chance: random.Random, falls: Sequence[int]) -> Iterator[Insert]:
    """Words said and wished for at submitters and replicas; some wishes lapse."""
    for number, time in enumerate(moments(chance, falls, 60)):
        node = chance.choice((*SUBMITTERS, "submitter-1", *REPLICAS))
        word = (f"w{number}",)
        if chance.random() < 0.5:
            yield at(time, node, "say", word)
            continue
        yield at(time, node, "wish", word)
        if chance.random() < 0.2:
            yield at(time + chance.randrange(20 * MOMENT), node, "lapse", word)


def words_and_usurpers(chance: random.Random, falls: Sequence[int]) -> Iterator[Insert]:
    """The same where replicas have a leader, or take themselves for one."""
    for one in words(chance, falls):
        yield one
        if chance.random() < 0.35:
            when = one.time + chance.randrange(MOMENT)
            yield at(when, chance.choice(REPLICAS), "usurp", (one.time,))

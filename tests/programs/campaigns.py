"""Campaigns for protocols: all faults but lost disks, and then a number of ticks to recover in."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bloomish.runtime.sim.random_runs import SAFETY, Outcome, Settings, run_seed
from bloomish.runtime.sim.rates import PRESETS, Rates, draw
from bloomish.runtime.sim.schedule import Fault, NodeFault
from bloomish.runtime.sim.stage import Stage, stage_of
from bloomish.runtime.sim.workload import Insert

MOMENT = 8_000  # microseconds: about as long as a decision takes
WORLDS = Path(__file__).parent / "worlds"
# Promises and votes are lies where the disk that holds them is lost: no protocol here claims more.
FAULTS = replace(
    PRESETS["all"], losedisk=0, loss=0.15, delay=0.1, restart=6, pause=2, partition=2, oneway=2
)


class Fall(int):
    """A moment at which a node goes down or stands still, or comes back."""

    fault: NodeFault

    def __new__(cls, time: int, fault: NodeFault) -> Fall:
        made = super().__new__(cls, time)
        made.fault = fault
        return made


Load = Callable[[random.Random, Sequence[Fall]], Iterable[Insert]]
"""What hosts do, given when nodes fall."""
Plot = Callable[[random.Random], Iterable[Fault]]
"""Faults that a protocol is to stand besides those drawn by their rates."""


def no_plot(chance: random.Random) -> Iterable[Fault]:
    return ()


def world(name: str) -> Stage:
    """`paxos`, or `paxos:cluster` where there are several."""
    module, _, cluster = name.partition(":")
    return stage_of(f"{WORLDS / module}.py" + (f":{cluster}" if cluster else ""))


@dataclass(frozen=True)
class Campaign:
    """What hosts do, drawn anew for every seed; `ticks` in each phase of a run."""

    stage: Stage
    load: Load
    rates: Rates = FAULTS
    ticks: int = 2_500
    plot: Plot = no_plot

    def run(self, seed: int) -> Outcome:
        """The faults of a seed come first; half of what hosts do is done about then."""
        plotted = list(self.plot(random.Random(f"plot/{seed}")))
        falls = [
            Fall(time, fault)
            for fault in (*draw(self.rates, self.stage.nodes, SAFETY, seed), *plotted)
            if isinstance(fault, NodeFault)
            for time in (fault.start, fault.end)
            if 0 < time < SAFETY
        ]
        inserts = sorted(self.load(random.Random(f"load/{seed}"), falls), key=lambda one: one.time)
        settings = Settings(self.stage, self.rates, self.ticks, inserts=inserts, faults=plotted)
        return run_seed(settings, seed)

    def holds(self, seeds: Iterable[int]) -> list[Outcome]:
        """Runs every seed, and names the first in which a property breaks."""
        outcomes = []
        for seed in seeds:
            outcome = self.run(seed)
            broken = [str(one) for one in outcome.violations]
            assert not broken, f"seed {seed}: {broken}"
            assert not outcome.set_aside, f"seed {seed}: {outcome.set_aside} rows set aside"
            outcomes.append(outcome)
        return outcomes

    def broken(self, seed: int) -> set[str]:
        """The properties that break in the run of a seed."""
        return {one.collection for one in self.run(seed).violations}


def moments(chance: random.Random, falls: Sequence[int], count: int) -> list[int]:
    """So many times, in order; half of them about when a node goes down or comes back."""
    times = []
    for number in range(count):
        if falls and number % 2:
            times.append(max(0, chance.choice(falls) - MOMENT + chance.randrange(2 * MOMENT)))
        else:
            times.append(chance.randrange(SAFETY * 3 // 4))
    return sorted(times)


def at(time: int, node: str, collection: str, *rows: Sequence[object]) -> Insert:
    return Insert(time, node, collection, tuple(tuple(row) for row in rows))

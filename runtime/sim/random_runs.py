"""Many seeds: a safety phase with faults, a liveness phase after they have stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from bloomish.runtime.sim.checkers import unmet, until_quiet
from bloomish.runtime.sim.rates import Rates, draw
from bloomish.runtime.sim.recorder import Recorder
from bloomish.runtime.sim.schedule import SECOND, Fault, Schedule
from bloomish.runtime.sim.stage import Stage
from bloomish.runtime.sim.workload import Insert, make_up
from bloomish.runtime.sim.world import Violation, World

SAFETY = 5 * SECOND  # faults begin within this much virtual time
TICKS = 2_000


@dataclass(frozen=True)
class Settings:
    """What is simulated, and for how long: at most `ticks` in each phase."""

    stage: Stage
    rates: Rates = field(default_factory=Rates)
    ticks: int = TICKS
    rows: int = 3
    inserts: Sequence[Insert] | None = None
    which: str = "auto"
    faults: Sequence[Fault] = ()
    """What happens besides that which is drawn."""


@dataclass(frozen=True)
class Outcome:
    """One run."""

    seed: int
    violations: tuple[Violation, ...]
    schedule: Schedule
    trace_hash: str
    ticks: int
    messages: int
    lost: int
    set_aside: int
    time: int
    quiet: bool


def workload(settings: Settings, seed: int) -> Sequence[Insert]:
    """What hosts give in the run of this seed."""
    if settings.inserts is not None:
        return settings.inserts
    return make_up(settings.stage, seed, settings.rows, SAFETY // 2)


def run_seed(
    settings: Settings,
    seed: int,
    schedule: Schedule | None = None,
    recorder: Recorder | None = None,
) -> Outcome:
    """The run of a seed; with a schedule, these faults and no others happen in it."""
    stage = settings.stage
    if schedule is None:
        drawn = draw(settings.rates, stage.nodes, SAFETY, seed)
        planned: Sequence[Fault] = [*drawn, *settings.faults]
        rates = settings.rates
    else:
        planned, rates = schedule, Rates()
    world = World(stage, seed, rates, planned, settings.which, recorder)
    for one in workload(settings, seed):
        world.at(one.time, world.insert, one.node, one.collection, one.rows)
    world.run(SAFETY, settings.ticks)
    world.heal()
    quiet = until_quiet(world, settings.ticks)
    violations = (*world.violations, *unmet(world))
    return Outcome(
        seed,
        violations,
        world.schedule(),
        world.trace_hash(),
        world.ticks,
        world.messages,
        world.lost,
        world.set_aside,
        world.now,
        quiet,
    )


def campaign(
    settings: Settings, seeds: Sequence[int], told: Callable[[Outcome], None] = lambda one: None
) -> Iterator[Outcome]:
    """The outcomes of the seeds in order, up to the first that violates a property."""
    for seed in seeds:
        outcome = run_seed(settings, seed)
        told(outcome)
        yield outcome
        if outcome.violations:
            return

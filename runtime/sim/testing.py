"""`@simulate`: a test that is run once per seed, under faults, and shrunk when it fails.

    from bloomish.runtime.sim.testing import Run, simulate

    @simulate(cluster, seeds=200, faults="loss=0.2,restart=1")
    def test_everything_arrives(run: Run) -> None:
        run.insert("client-0", "want", (1, "k", "v"))
        run.quiet()
        assert run.rows("server-0", "store") == [("k", "v")]

Rows in `invariant` collections fail the test as well, and so do `eventually`
collections that are empty when the world is quiet.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

from bloomish.cluster import Cluster
from bloomish.elaborate import compiled
from bloomish.program import ProgramMeta
from bloomish.runtime.evaluator import Row
from bloomish.runtime.sim.checkers import unmet, until_quiet
from bloomish.runtime.sim.random_runs import SAFETY, TICKS
from bloomish.runtime.sim.rates import Rates, draw, parse_rates
from bloomish.runtime.sim.schedule import SECOND, Fault, Schedule, from_text, to_text
from bloomish.runtime.sim.shrink import shrink
from bloomish.runtime.sim.stage import Stage, stage_of, stage_of_target
from bloomish.runtime.sim.world import World
from bloomish.targets import Target


class Run:
    """One run of a test: the cluster in its world."""

    def __init__(self, world: World, ticks: int) -> None:
        self.world = world
        self._ticks = ticks
        self._quiet = False

    @property
    def nodes(self) -> tuple[str, ...]:
        """All addresses."""
        return self.world.stage.nodes

    def insert(self, node: str, collection: str, *rows: Row) -> None:
        """Rows of a host, now."""
        self.world.insert(node, collection, rows)

    def go(self, seconds: float) -> None:
        """Let virtual time pass, with faults."""
        self.world.run(self.world.now + round(seconds * SECOND), self._ticks)

    def quiet(self) -> None:
        """Let the faults run out, then run on until nothing changes any more."""
        if not self._quiet:
            self.world.run(max(SAFETY, self.world.now), self._ticks)
            self.world.heal()
            self._quiet = True
        until_quiet(self.world, self._ticks)

    def rows(self, node: str, collection: str) -> list[Row]:
        """What a collection holds."""
        return self.world.rows(node, collection)

    def shown(self, node: str, output: str) -> list[Row]:
        """All that an output has handed over."""
        return list(self.world.shown(node, output))

    def check(self) -> None:
        """Raises AssertionError where a declared property does not hold."""
        broken = [*self.world.violations, *(unmet(self.world) if self._quiet else ())]
        if broken:
            raise AssertionError("; ".join(map(str, broken)))


def simulate(
    cluster: Any,
    *,
    seeds: int | Sequence[int] = 200,
    faults: str = "default",
    ticks: int = TICKS,
    schedule: str | None = None,
    evaluator: str = "auto",
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Runs the decorated test with a `Run` as its first argument, once per seed.

    `cluster` is a Cluster, a Program class or a TARGET; `schedule` replays given
    faults instead of drawing them.
    """

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(test)
        def campaign(*args: Any, **kwargs: Any) -> None:
            __tracebackhide__ = True
            stage = _stage(cluster)
            rates = parse_rates(faults)

            def attempt(seed: int, given: Schedule | None) -> tuple[Exception | None, World]:
                planned: Sequence[Fault] = given if given is not None else ()
                if given is None:
                    planned = draw(rates, stage.nodes, SAFETY, seed)
                own = rates if given is None else Rates()
                world = World(stage, seed, own, planned, evaluator)
                one = Run(world, ticks)
                try:
                    test(one, *args, **kwargs)
                    one.check()
                except Exception as failure:  # whatever the test raises is what is shrunk
                    return failure, world
                return None, world

            given = None if schedule is None else from_text(schedule, stage.nodes)
            for seed in range(seeds) if isinstance(seeds, int) else seeds:
                failure, world = attempt(seed, given)
                if failure is not None:
                    raise _shrunk(attempt, seed, failure, world) from failure

        signature = inspect.signature(test)
        left = list(signature.parameters.values())[1:]
        campaign.__signature__ = signature.replace(parameters=left)  # type: ignore[attr-defined]
        return campaign

    return decorate


def _shrunk(
    attempt: Callable[[int, Schedule | None], tuple[Exception | None, World]],
    seed: int,
    failure: Exception,
    world: World,
) -> AssertionError:
    """The failure with the fewest faults under which the test still fails."""

    def fails(candidate: Sequence[Fault]) -> bool:
        return type(attempt(seed, tuple(candidate))[0]) is type(failure)

    faults = tuple(shrink(world.schedule(), fails))
    last = attempt(seed, faults)[0] or failure
    return AssertionError(
        f"{last}\n"
        f"seed {seed}, faults: {to_text(faults) or 'none'}\n"
        f'replay: @simulate(..., seeds=[{seed}], schedule="{to_text(faults)}")'
    )


def _stage(cluster: Any) -> Stage:
    if isinstance(cluster, Cluster):
        made = cluster.compile()
        programs = {id(role.program): compiled(role.program) for role in cluster.roles.values()}
        return stage_of_target(Target("cluster", tuple(programs.values()), made))
    if isinstance(cluster, ProgramMeta):
        return stage_of_target(Target(cluster.__name__, (compiled(cluster),)))
    return stage_of(str(cluster))

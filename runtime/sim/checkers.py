"""Properties of a run: invariants as they break, `eventually` at its end."""

from __future__ import annotations

from bloomish.runtime.sim.schedule import SECOND
from bloomish.runtime.sim.world import Violation, World

WINDOW = 3 * SECOND


def until_quiet(world: World, ticks: int) -> bool:
    """Runs a healed world until nothing changes any more, or for so many ticks.

    Nothing changes when two whole windows, each longer than every timer and
    resend, leave the state of all nodes as it was.
    """
    periods = [
        round(collection.period * SECOND) for _, collection in world.stage.collections("periodic")
    ]
    window = max([WINDOW, *(2 * period for period in periods)])
    last = world.ticks + ticks
    before: object = None
    while world.ticks < last:
        world.run(world.now + window, last - world.ticks)
        now = (world.fingerprint(), len(world.violations))
        if now == before:
            return True
        before = now
    return False


def unmet(world: World) -> list[Violation]:
    """`eventually` collections that are empty at the end, on nodes that are up."""
    found = []
    for member, collection in world.stage.collections("eventually"):
        actor = world.actors[member.node]
        if actor.up and not actor.stuck and not world.rows(member.node, collection.name):
            found.append(Violation("never came:", member.node, collection.name, None, world.now))
    return found

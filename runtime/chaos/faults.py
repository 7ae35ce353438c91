"""Faults of real processes and of the network between them, by a schedule in the simulator's words.

restart a 1.2-2.0      SIGKILL; started again, from its durable tables
crash a 1.2            SIGKILL, for good
pause a 1.0-2.0        SIGSTOP, SIGCONT
partition a,b|c 1-2    nothing passes between the two groups
oneway a>b 1.0-2.5     nothing passes from a to b

Faults of one node come one after the other: one that is due while another holds waits for its end.
"""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import Callable, Sequence

from bloomish.errors import BloomishError
from bloomish.runtime.chaos.network import Network
from bloomish.runtime.cluster import RunningCluster
from bloomish.runtime.sim.schedule import SECOND, Fault, LinkFault, NodeFault, Schedule

KINDS = ("restart", "pause", "partition", "oneway")
SHORTEST, LONGEST = 0.2, 2.5
"""Seconds that a fault holds."""
AT_ONCE = 0.4
"""So many of the kills are of several nodes at the same moment."""
ONCE_IN = 1.2
"""Seconds after which, on average, the next one begins."""


def drawn(
    seed: int,
    attacked: Sequence[str],
    everybody: Sequence[str],
    seconds: float,
    kinds: Sequence[str] = KINDS,
) -> Schedule:
    """Faults for so many seconds, from a seed.  `attacked` are killed and paused; partitions go
    through `everybody`.  Each kind comes once before any comes again."""
    chance = random.Random(f"torture/{seed}")
    faults: list[Fault] = []
    coming: list[str] = []
    start = chance.uniform(0, ONCE_IN)
    while kinds and start < seconds - SHORTEST:
        if not coming:
            coming = chance.sample(list(kinds), len(kinds))
        kind = coming.pop()
        end = min(start + chance.uniform(SHORTEST, LONGEST), seconds)
        times = (round(start * SECOND), round(end * SECOND))
        if kind in ("restart", "pause"):
            # Several at once, as when a rack loses its power.
            several = kind == "restart" and chance.random() < AT_ONCE
            some = chance.randint(2, len(attacked)) if several and len(attacked) > 1 else 1
            for node in sorted(chance.sample(list(attacked), some)):
                faults.append(NodeFault(kind, node, *times))  # type: ignore[arg-type]
        elif kind == "partition":
            # Through the attacked, where it matters most; the others fall on either side.
            cut = set(chance.sample(list(attacked), chance.randint(1, max(1, len(attacked) // 2))))
            cut |= {one for one in everybody if one not in attacked and chance.random() < 0.5}
            left = tuple(one for one in everybody if one in cut)
            right = tuple(one for one in everybody if one not in cut)
            if left and right:
                faults.append(LinkFault("partition", left, right, *times))
        elif len(everybody) > 1:
            sender, receiver = chance.sample(list(everybody), 2)
            faults.append(LinkFault("oneway", (sender,), (receiver,), *times))
        start += chance.uniform(0, 2 * ONCE_IN)
    return tuple(faults)


def check(schedule: Schedule) -> None:
    """Raises BloomishError for a fault that processes cannot be given."""
    for fault in schedule:
        real = isinstance(fault, LinkFault) or (
            isinstance(fault, NodeFault) and fault.kind in ("restart", "crash", "pause")
        )
        if not real:
            raise BloomishError(
                f"`{fault}` is for the simulator; processes can have {', '.join(KINDS)}, crash"
            )


async def inflict(
    schedule: Schedule,
    cluster: RunningCluster,
    network: Network,
    note: Callable[[str], None],
) -> None:
    """All faults, at their times from now; returns when the last is over and every node that is
    to come back runs."""
    begun = asyncio.get_running_loop().time()
    turns = {name: asyncio.Lock() for name in cluster.members}
    async with asyncio.TaskGroup() as group:
        for fault in schedule:
            if isinstance(fault, LinkFault):
                group.create_task(_on_links(fault, network, begun, note))
            elif isinstance(fault, NodeFault):
                group.create_task(_on_node(fault, cluster, turns[fault.node], begun, note))


async def _until(moment: int, begun: float) -> None:
    await asyncio.sleep(begun + moment / SECOND - asyncio.get_running_loop().time())


async def _on_links(
    fault: LinkFault, network: Network, begun: float, note: Callable[[str], None]
) -> None:
    await _until(fault.start, begun)
    network.cut(fault)
    note(f"{fault.kind} {fault.groups} begins")
    await _until(fault.end, begun)
    network.heal(fault)
    note(f"{fault.kind} {fault.groups} ends")


async def _on_node(
    fault: NodeFault,
    cluster: RunningCluster,
    turn: asyncio.Lock,
    begun: float,
    note: Callable[[str], None],
) -> None:
    await _until(fault.start, begun)
    async with turn:
        if cluster.members[fault.node].state != "running":
            return  # it has crashed for good
        if fault.kind == "pause":
            cluster.kill(fault.node, signal.SIGSTOP)
            note(f"{fault.node} stands still")
            try:
                await _until(fault.end, begun)
            finally:  # who stands still cannot be stopped in order
                cluster.kill(fault.node, signal.SIGCONT)
            note(f"{fault.node} goes on")
            return
        cluster.kill(fault.node)
        note(f"{fault.node} is killed")
        await cluster.wait_for("dead", fault.node)
        if fault.kind == "crash":
            return
        await _until(fault.end, begun)
        await cluster.restart(fault.node)
        await cluster.wait_for("running", fault.node)
        note(f"{fault.node} is back")

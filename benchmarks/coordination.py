"""CALM in numbers: one application three times, with the coordination that each form of it needs.

The destructive cart with a log inserted (Multi-Paxos), the disorderly cart with a seal inserted at
the checkout, the lattice cart with nothing; each on the same six processes, under the same
customers, and with the network cut in two.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmarks.row import Row, at_least, at_most
from benchmarks.shopping import (
    OPERATIONS,
    REPLICAS,
    SHOPPERS,
    Session,
    Shop,
    disagreeing,
    quantiles,
)
from bloomish.runtime.chaos.network import Network
from bloomish.runtime.cluster import launch
from bloomish.runtime.sim.schedule import LinkFault

CART = "bloomish.programs.cart"
CUSTOMERS = 48
ASKED = 10
"""Sessions of each kind while the network is cut."""
PATIENCE = 3.0
"""So long each may wait for a receipt."""
SETTLING = 2.0
"""From the cut to the first session: a majority has a new leader by then, if it needs one."""
MINORITY = ("replica-0", "shopper-0")
MAJORITY = ("replica-1", "replica-2", "shopper-1", "shopper-2")
CUT = LinkFault("partition", MINORITY, MAJORITY, 0, 0)


@dataclass(frozen=True)
class Variant:
    """A form of the cart, and what is inserted into it."""

    name: str
    target: str
    what: str
    formula: str
    """Rows between nodes, for `n` replicas, `d` devices, sessions of `k` changes."""


VARIANTS = (
    Variant(
        "destructive + log",
        f"{CART}:destructive --coordinate",
        "Multi-Paxos inserted",
        "2 + 3(n - 1) / batch, and heartbeats",
    ),
    Variant(
        "disorderly + seal",
        f"{CART}:disorderly --coordinate",
        "seals of all devices inserted",
        "n + 2nd / (k + 1)",
    ),
    Variant("lattice", f"{CART}:lattice", "nothing inserted", "n"),
)


def run(quick: bool) -> Iterable[Row]:
    """Under load and cut in two, form by form."""
    seconds = 2.0 if quick else 8.0
    for variant in VARIANTS:
        yield from asyncio.run(_under_load(variant, seconds))
    for variant in VARIANTS:
        yield from asyncio.run(_cut_in_two(variant))


async def _under_load(variant: Variant, seconds: float) -> list[Row]:
    """Closed loop: every customer waits for the receipt before shopping on."""
    async with launch(variant.target) as cluster, Shop(cluster) as shop:
        await shop.customer(SHOPPERS[:2], time.perf_counter() + seconds / 4)
        warm, sent = len(shop.sessions), await shop.sent()
        began = time.perf_counter()
        until = began + seconds
        await asyncio.gather(*(shop.customer(devices(n), until) for n in range(CUSTOMERS)))
        spent = time.perf_counter() - began
        await asyncio.sleep(SETTLING / 2)
        sent = await shop.sent() - sent
        served = list(shop.sessions.values())[warm:]
    operations = OPERATIONS * len(served)
    median, high = quantiles([one.answered - one.asked for one in served])
    return [
        Row(f"{variant.name}: throughput", "operations/s", operations / spent, note=variant.what),
        Row(f"{variant.name}: checkout, p50", "ms", 1000 * median),
        Row(f"{variant.name}: checkout, p99", "ms", 1000 * high),
        Row(f"{variant.name}: messages", "/operation", sent / operations, note=variant.formula),
        at_most(
            f"{variant.name}: differing receipts",
            "",
            disagreeing(served),
            0,
            note=f"of {len(served):,}",
        ),
    ]


def devices(customer: int) -> Sequence[str]:
    """The two devices of a customer."""
    return SHOPPERS[customer % 3], SHOPPERS[(customer + 1) % 3]


async def _cut_in_two(variant: Variant) -> list[Row]:
    """Who still answers whom, and after the cut has healed."""
    async with (
        Network((*REPLICAS, *SHOPPERS)) as network,
        launch(variant.target, seen=network.seen) as cluster,
        Shop(cluster) as shop,
    ):
        await _answered(shop, [await shop.shop(SHOPPERS)], PATIENCE)
        network.cut(CUT)
        await asyncio.sleep(SETTLING)
        kinds = {
            "minority, own devices": ("shopper-0",),
            "majority, own devices": ("shopper-1", "shopper-2"),
            "devices on both sides": ("shopper-0", "shopper-1"),
        }
        asked = {kind: [await shop.shop(own) for _ in range(ASKED)] for kind, own in kinds.items()}
        everything = [one for sessions in asked.values() for one in sessions]
        during = await _answered(shop, everything, PATIENCE)
        rows = [
            Row(
                f"{variant.name}, cut: {kind}",
                f"of {ASKED} answered",
                sum(one in during for one in sessions),
                note=_by_whom(sessions),
            )
            for kind, sessions in asked.items()
        ]
        network.heal(CUT)
        after = await _answered(shop, everything, 2 * PATIENCE)
        name, unit = f"{variant.name}, healed", f"of {len(everything)} answered"
        rows.append(at_least(name, unit, len(after), len(everything)))
        name = f"{variant.name}, healed: differing receipts"
        rows.append(at_most(name, "", disagreeing(everything), 0))
        return rows


async def _answered(shop: Shop, sessions: Sequence[Session], patience: float) -> list[Session]:
    """Those of the sessions that have a receipt in time."""
    waits = [asyncio.create_task(one.first.wait()) for one in sessions]
    _, pending = await asyncio.wait(waits, timeout=patience)
    for wait in pending:
        wait.cancel()
    return [one for one in sessions if one.first.is_set()]


def _by_whom(sessions: Sequence[Session]) -> str:
    """The replicas that have printed receipts for them."""
    replicas = sorted({replica for one in sessions for replica in one.receipts})
    return f"by {', '.join(replicas)}" if replicas else "by nobody"

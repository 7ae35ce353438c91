"""What `bloomish demo` runs: a recorded log of shopping, replayed on six processes.

Three shoppers replay what a dozen households did on three devices each; three replicas of the cart
take it in, each in an order of its own unless something gives them one.
"""

from __future__ import annotations

import asyncio
import csv
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from importlib.resources import files
from itertools import groupby
from typing import Any

from bloomish.runtime.cluster import launch
from bloomish.runtime.host import Node, Watch

MODULE = "bloomish.programs.cart"
SHOPPERS = ("shopper-0", "shopper-1", "shopper-2")
REPLICAS = ("replica-0", "replica-1", "replica-2")
AT_ONCE = 10
POLL, STILL = 0.1, 1.5
"""Seconds between two looks at the replicas, and for which they must not have changed."""

Act = tuple[str, tuple[Any, ...]]  # the input that takes it, and the row
Holdings = dict[str, dict[str, int]]  # session -> item -> quantity


@dataclass(frozen=True)
class Cart:
    """A cart as the demo runs it."""

    name: str
    target: str
    must_agree: bool


DESTRUCTIVE = Cart("DestructiveCart", f"{MODULE}:destructive", False)
COORDINATED = Cart("DestructiveCart --coordinate", f"{MODULE}:destructive --coordinate", True)
LATTICE = Cart("LatticeCart", f"{MODULE}:lattice", True)
CARTS = (DESTRUCTIVE, COORDINATED, LATTICE)


@dataclass
class Replica:
    """What one replica ended with."""

    carts: Holdings
    receipts: Holdings


@dataclass
class Outcome:
    """One cart's run: how long until nothing changed any more, and the rows that were sent."""

    cart: Cart
    acts: int
    seconds: float = 0.0
    sent: int = 0
    replicas: dict[str, Replica] = field(default_factory=dict)

    def differing(self, what: str) -> list[str]:
        """The sessions in which the replicas' `carts` or `receipts` are not equal."""
        held: list[Holdings] = [getattr(one, what) for one in self.replicas.values()]
        return [
            session
            for session in sorted(self.sessions(what))
            if any(one.get(session) != held[0].get(session) for one in held)
        ]

    def sessions(self, what: str) -> set[str]:
        """The sessions of which some replica holds anything."""
        return {session for one in self.replicas.values() for session in getattr(one, what)}

    @property
    def agrees(self) -> bool:
        """Whether all replicas hold the same, and printed the same."""
        return not self.differing("carts") and not self.differing("receipts")


def recorded(limit: int | None) -> dict[str, list[Act]]:
    """The action log, shopper by shopper, each in the order of the record."""
    text = (files("bloomish.programs") / "data" / "cart_actions.csv").read_text()
    acts: dict[str, list[Act]] = {shopper: [] for shopper in SHOPPERS}
    for line in list(csv.DictReader(text.splitlines()))[:limit]:
        mine = acts[f"shopper-{line['shopper']}"]
        if line["item"]:
            row = (line["session"], int(line["request"]), line["item"], int(line["change"]))
            mine.append(("do", row))
        else:
            listed = tuple(int(request) for request in line["checkout"].split())
            mine.append(("pay", (line["session"], listed)))
    return acts


async def run_cart(
    cart: Cart, acts: dict[str, list[Act]], evaluator: str, done: Callable[[int], None]
) -> Outcome:
    """Six processes from start to rest; what the replicas hold then."""
    outcome = Outcome(cart, sum(map(len, acts.values())))
    async with launch(cart.target, evaluator=evaluator) as cluster, AsyncExitStack() as stack:
        hosts = {
            name: await stack.enter_async_context(cluster.connect(name))
            for name in (*SHOPPERS, *REPLICAS)
        }
        watches = {name: hosts[name].watch("receipt") for name in REPLICAS}
        began = time.monotonic()
        await asyncio.gather(*(replay(hosts[one], mine, done) for one, mine in acts.items()))
        printed, outcome.seconds = await at_rest(hosts, watches, began)
        for status in (await cluster.status()).values():
            outcome.sent += status["counters"]["rows_out"]
        for name in REPLICAS:
            carts = holdings(await hosts[name].contents("cart"))
            outcome.replicas[name] = Replica(carts, holdings(printed[name]))
    return outcome


async def replay(device: Node, acts: Sequence[Act], done: Callable[[int], None]) -> None:
    """One device, a few acts at a time, in their order."""
    for collection, some in groupby(acts, key=lambda act: act[0]):
        for part in batched([row for _, row in some]):
            await device.insert(collection, part)
            done(len(part))


def batched(rows: list[tuple[Any, ...]]) -> list[list[tuple[Any, ...]]]:
    """As a screen that has been out of reach for a moment sends them."""
    return [rows[start : start + AT_ONCE] for start in range(0, len(rows), AT_ONCE)]


async def at_rest(
    hosts: dict[str, Node], watches: dict[str, Watch[Any]], began: float
) -> tuple[dict[str, list[Any]], float]:
    """Waits until no replica changes any more; the receipts of each, and how long it took.

    Nodes that have a leader say so to each other for ever, so silence is not to be waited for.
    """
    printed: dict[str, list[Any]] = {name: [] for name in REPLICAS}
    last, changed = None, time.monotonic()
    while time.monotonic() < changed + STILL:
        for name, watch in watches.items():
            printed[name] += watch.ready()
        carts = [await hosts[name].contents("cart") for name in REPLICAS]
        now = (carts, [len(rows) for rows in printed.values()])
        if now != last:
            last, changed = now, time.monotonic()
        await asyncio.sleep(POLL)
    return printed, changed - began


def holdings(rows: Sequence[tuple[Any, ...]]) -> Holdings:
    """Rows of (session, item, quantity), or of (session, requests), as what a session holds."""
    held: dict[str, Counter[str]] = {}
    for session, *rest in rows:
        cart = held.setdefault(session, Counter())
        if len(rest) == 1:
            for _, changes in rest[0]:
                for item, change in changes:
                    cart[item] += change
        else:
            cart[rest[0]] += rest[1]
    return {s: {i: n for i, n in sorted(c.items()) if n} for s, c in sorted(held.items())}

"""`bloomish demo`: the three carts of the CALM papers, each on six processes, side by side.

Three shoppers replay a recorded log of what a dozen households did on three devices each; three
replicas of the cart take it in, each in an order of its own.  What the replicas hold in the end,
and what they printed on the receipts, is laid side by side.
"""

from __future__ import annotations

import asyncio
import csv
import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bloomish.runtime.cluster import RunningCluster, launch
from bloomish.runtime.evaluators import chosen
from bloomish.runtime.host import Node

MODULE = "bloomish.programs.cart"
CARTS = {
    "DestructiveCart": "destructive",
    "DisorderlyCart": "disorderly",
    "LatticeCart": "lattice",
}
SHOPPERS = ("shopper-0", "shopper-1", "shopper-2")
REPLICAS = ("replica-0", "replica-1", "replica-2")
EXAMPLES = 4
WIDTH = 11  # of a replica's column

Act = tuple[str, tuple[Any, ...]]  # the input that takes it, and the row
Holdings = dict[str, dict[str, int]]  # session -> item -> quantity


@dataclass
class Replica:
    """What one replica ended with."""

    carts: Holdings
    receipts: Holdings


@dataclass
class Outcome:
    """One cart's run."""

    program: str
    seconds: float
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
    program: str, acts: dict[str, list[Act]], evaluator: str, done: Callable[[], None]
) -> Outcome:
    """Six processes from start to quiet; what the replicas hold then."""
    started = time.monotonic()
    async with launch(f"{MODULE}:{CARTS[program]}", evaluator=evaluator) as cluster:
        hosts = [await cluster.connect(name) for name in REPLICAS]
        watches = [host.watch("receipt") for host in hosts]
        await asyncio.gather(
            *(replay(cluster, shopper, mine, done) for shopper, mine in acts.items())
        )
        await cluster.quiet()
        outcome = Outcome(program, 0.0)
        for host, watch in zip(hosts, watches, strict=True):
            carts = holdings(await host.contents("cart"))
            outcome.replicas[host.address] = Replica(carts, holdings(watch.ready()))
            await host.close()
    outcome.seconds = time.monotonic() - started
    return outcome


async def replay(
    cluster: RunningCluster, shopper: str, acts: Sequence[Act], done: Callable[[], None]
) -> None:
    """One device, act by act."""
    node: Node
    async with cluster.connect(shopper) as node:
        for collection, row in acts:
            await node.insert(collection, [row])
            done()


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


# ----------------------------------------------------------------------- report


def side_by_side(outcomes: Sequence[Outcome], what: str) -> list[str]:
    """A line per session, a column per replica: how many units it holds."""
    names = "".join(f"  {outcome.program:<{3 * WIDTH + 8}}" for outcome in outcomes)
    replicas = "".join(f"{name:>{WIDTH}}" for name in REPLICAS)
    lines = [
        f"{'':8}{names}".rstrip(),
        f"{'session':8}" + "          ".join([replicas] * len(outcomes)),
    ]
    differ = [set(outcome.differing(what)) for outcome in outcomes]
    for session in sorted({s for outcome in outcomes for s in outcome.sessions(what)}):
        line = f"{session:8}"
        for outcome, differing in zip(outcomes, differ, strict=True):
            units = [
                sum(getattr(replica, what).get(session, {}).values())
                for replica in outcome.replicas.values()
            ]
            colour = "red" if session in differing else "green"
            counts = "".join(f"{count:>{WIDTH}}" for count in units)
            word = "  [red]differ[/red]  " if session in differing else " " * 10
            line += f"[{colour}]{counts}[/{colour}]{word}"
        lines.append(line.rstrip())
    return lines


def examples(outcome: Outcome, what: str) -> list[str]:
    """A few items on whose quantity the replicas differ."""
    found = []
    for session in outcome.differing(what):
        held = [getattr(one, what).get(session, {}) for one in outcome.replicas.values()]
        for item in sorted(set().union(*held)):
            quantities = [one.get(item, 0) for one in held]
            if len(set(quantities)) > 1:
                counts = ", ".join(map(str, quantities))
                found.append(f"{session}: {item} {counts}")
    return found


def conclusion(outcome: Outcome) -> list[str]:
    """Whether the replicas agree, in words."""
    lines = []
    for what in ("carts", "receipts"):
        differing = outcome.differing(what)
        sessions = outcome.sessions(what)
        text = (
            f"[red]replicas disagree[/red] on {len(differing)} of {len(sessions)}"
            if differing
            else f"[green]replicas agree[/green] on all {len(sessions)}"
        )
        lines.append(f"  {what:9}{text}")
        found = examples(outcome, what)
        if found:
            more = f", and {len(found) - EXAMPLES} more" if len(found) > EXAMPLES else ""
            lines.append(f"           such as {'; '.join(found[:EXAMPLES])}{more}")
    return lines


MEANING = {
    "DestructiveCart": "changes the quantities in place: the order of the changes matters",
    "DisorderlyCart": "keeps a log and sums it up: only the receipt depends on the order",
    "LatticeCart": "knows what its receipt must wait for: nothing depends on the order",
}
MUST_AGREE = {("DisorderlyCart", "carts"), ("LatticeCart", "carts"), ("LatticeCart", "receipts")}


def broken_promises(outcomes: Sequence[Outcome]) -> list[str]:
    """Where replicas differ that cannot, whatever the order."""
    return [
        f"{outcome.program}: {what} of {', '.join(outcome.differing(what))}"
        for outcome in outcomes
        for what in ("carts", "receipts")
        if (outcome.program, what) in MUST_AGREE and outcome.differing(what)
    ]


def print_report(outcomes: Sequence[Outcome], console: Console) -> None:
    wide = console.width >= 8 + len(outcomes) * (3 * WIDTH + 10)
    groups = [outcomes] if wide else [[outcome] for outcome in outcomes]
    for what, title in (("carts", "Units in the carts"), ("receipts", "Units on the receipts")):
        console.print(f"[bold]{title}, replica by replica[/bold]")
        for group in groups:
            for line in side_by_side(group, what):
                console.print(line, highlight=False)
            console.print()
    for outcome in outcomes:
        console.print(f"[bold]{outcome.program}[/bold] {MEANING[outcome.program]}")
        for line in conclusion(outcome):
            console.print(line, highlight=False)
        console.print()
    console.print(
        "That the first cart disagrees, and the second one on receipts, is what the CALM papers\n"
        "predict. Which rules are to blame can be had without running anything:\n"
        f"    bloomish check {MODULE}:destructive",
        highlight=False,
    )


def as_json(outcomes: Sequence[Outcome], acts: int, evaluator: str) -> str:
    carts = [
        {
            "program": outcome.program,
            "seconds": round(outcome.seconds, 3),
            "carts_agree": not outcome.differing("carts"),
            "receipts_agree": not outcome.differing("receipts"),
            "carts_differ": outcome.differing("carts"),
            "receipts_differ": outcome.differing("receipts"),
            "replicas": {
                name: {"carts": one.carts, "receipts": one.receipts}
                for name, one in outcome.replicas.items()
            },
        }
        for outcome in outcomes
    ]
    return json.dumps({"acts": acts, "evaluator": evaluator, "carts": carts}, indent=1)


async def run_all(acts: dict[str, list[Act]], evaluator: str, console: Console) -> list[Outcome]:
    """One cart after the other, with a bar for each."""
    total = sum(map(len, acts.values()))
    columns = (
        TextColumn("{task.description:16}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("acts"),
        TimeElapsedColumn(),
    )
    outcomes = []
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        for program in CARTS:
            if not console.is_terminal:
                console.print(f"{program}: six processes, {total:,} acts")
            bar = progress.add_task(program, total=total)
            advance = lambda bar=bar: progress.advance(bar)  # noqa: E731
            outcomes.append(await run_cart(program, acts, evaluator, advance))
    return outcomes


def demo(limit: int | None, evaluator: str, form: str) -> int:
    """Run the carts and report; 1 if replicas differ where no order can make them."""
    progress = Console(stderr=True)
    acts = recorded(limit)
    name = chosen(evaluator)
    if name == "reference":
        progress.print("[yellow]the slow reference evaluator is in use[/yellow]")
    outcomes = asyncio.run(run_all(acts, evaluator, progress))
    if form == "json":
        print(as_json(outcomes, sum(map(len, acts.values())), name))
    else:
        terminal = Console()
        print_report(outcomes, terminal if terminal.is_terminal else Console(width=160))
    broken = broken_promises(outcomes)
    for line in broken:
        progress.print(f"[red]this must not be[/red]: {line}")
    return 1 if broken else 0

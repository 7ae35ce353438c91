"""`bloomish demo`: CALM in a minute.

A cart that changes quantities in place runs on six processes, and its replicas disagree.  `check`
says at which rule, and two schedules of the same two messages show it.  The same cart runs with its
coordination inserted, and the replicas agree, at a price.  A cart that only ever adds agrees for
nothing.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bloomish.analysis.checking import check
from bloomish.analysis.coordinate import coordinate
from bloomish.analysis.coordination.data import Plan
from bloomish.analysis.result import Report
from bloomish.runtime.evaluators import chosen
from bloomish.runtime.sim.explore.space import Limits
from bloomish.runtime.sim.explore.witness import Witness, witness
from bloomish.runtime.sim.stage import stage_of
from bloomish.runtime.sim.workload import Insert
from bloomish.runtime.verbs import demo_report as report
from bloomish.runtime.verbs.demo_carts import (
    COORDINATED,
    DESTRUCTIVE,
    LATTICE,
    MODULE,
    Act,
    Cart,
    Outcome,
    recorded,
    run_cart,
)

SLOWLY = 150
"""So many acts, where nothing else is said, for the slow evaluator."""
MESSAGES = (("replica-0", "ann", 1, "milk", 2), ("replica-0", "ann", 2, "milk", -3))
"""Two more of milk, and three fewer, which leaves none: and the other way round?"""


@dataclass(frozen=True)
class Story:
    """All that the demo finds out."""

    acts: int
    evaluator: str
    outcomes: tuple[Outcome, ...]
    checked: Report
    shown: Witness
    plan: Plan

    @property
    def broken(self) -> list[str]:
        """Where replicas differ that must not, whatever the order."""
        return [
            f"{one.cart.name}: {what} of {', '.join(one.differing(what))}"
            for one in self.outcomes
            for what in ("carts", "receipts")
            if one.cart.must_agree and one.differing(what)
        ]


def demo(limit: int | None, evaluator: str, form: str) -> int:
    """Tell the story; 1 if replicas differ where no order can make them."""
    progress = Console(stderr=True)
    name = chosen(evaluator)
    if name == "reference":
        progress.print("[yellow]the slow reference evaluator is in use[/yellow]")
        limit = limit or SLOWLY
    acts = recorded(limit)
    story = asyncio.run(_told(acts, evaluator, name, progress, form == "text"))
    if form == "json":
        print(json.dumps(report.as_data(story), indent=1))
    for line in story.broken:
        progress.print(f"[red]this must not be[/red]: {line}")
    return 1 if story.broken else 0


async def _told(
    acts: dict[str, list[Act]], evaluator: str, name: str, progress: Console, aloud: bool
) -> Story:
    """Every part of the story is told as soon as it has happened."""
    terminal = Console(highlight=False, soft_wrap=True, quiet=not aloud)
    total = sum(map(len, acts.values()))

    terminal.print(report.opening(total))
    drifting = await _run(DESTRUCTIVE, acts, evaluator, progress)
    terminal.print(report.replicas(drifting))

    checked, shown = check(DESTRUCTIVE.target), _witness()
    terminal.print(report.verdict(checked))
    terminal.print(report.schedules(shown))

    plan = coordinate(DESTRUCTIVE.target).plan
    terminal.print(report.insertion(plan))
    agreeing = await _run(COORDINATED, acts, evaluator, progress)
    terminal.print(report.replicas(agreeing))

    terminal.print(report.for_nothing())
    lattice = await _run(LATTICE, acts, evaluator, progress)
    terminal.print(report.replicas(lattice))

    story = Story(total, name, (drifting, agreeing, lattice), checked, shown, plan)
    terminal.print(report.price(story.outcomes))
    return story


async def _run(
    cart: Cart, acts: dict[str, list[Act]], evaluator: str, progress: Console
) -> Outcome:
    """One cart, with a bar for whoever watches."""
    total = sum(map(len, acts.values()))
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("acts"),
        TimeElapsedColumn(),
    )
    with Progress(
        *columns, console=progress, disable=not progress.is_terminal, transient=True
    ) as bars:
        bar = bars.add_task(cart.name, total=total)
        return await run_cart(cart, acts, evaluator, lambda acts: bars.advance(bar, acts))


def _witness() -> Witness:
    """Two schedules of the two messages at one replica that end differently."""
    stage = stage_of(f"{MODULE}:DestructiveCart", ("replica-0",))
    inserts = [Insert(0, "replica-0", "act", (row,)) for row in MESSAGES]
    found = witness(stage, ["cart"], Limits(duplicates=0), inserts).witness
    assert found is not None, "the order of these two matters"
    return found

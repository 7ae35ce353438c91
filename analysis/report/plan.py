"""A plan of coordination as text, and as data: what goes in where, and at what price."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from bloomish.analysis.coordinate import Coordinated
from bloomish.analysis.coordination.data import Insertion
from bloomish.errors import where

WIDTH = 100


def render(made: Coordinated) -> str:
    """The plan, for people; ends with a newline."""
    return "\n".join(_lines(made)) + "\n"


def as_data(made: Coordinated) -> dict[str, Any]:
    """The same for programs."""
    return {
        **asdict(made.plan),
        "before": {v.collection: v.word for v in made.before.verdicts},
        "after": {v.collection: v.word for v in made.after.verdicts},
        "status": made.after.status,
    }


def _lines(made: Coordinated) -> Iterator[str]:
    plan = made.plan
    free = [v for v in made.before.verdicts if v.word != "needs coordination"]
    for word in dict.fromkeys(verdict.word for verdict in free):
        names = ", ".join(verdict.collection for verdict in free if verdict.word == word)
        yield from _wrapped(f"nothing for {names}: {word}", "  ")
    if not plan.insertions and not plan.refusals:
        yield f"{plan.name}: nothing to coordinate"
        return
    if free:
        yield ""
    for number, insertion in enumerate(plan.insertions, 1):
        yield f"{number}. {insertion.mechanism} at {insertion.role}: {insertion.what}"
        yield from _insertion(insertion)
        yield ""
    for refusal in plan.refusals:
        yield f"refused  {where(refusal.span) or refusal.rule}: {refusal.rule}"
        yield from _field("why", refusal.why)
        yield ""
    if plan.proposals:
        yield "Cheaper, if the program may change:"
        width = max(8, *(len(proposal.rule) for proposal in plan.proposals))
        for rule, text in dict.fromkeys((p.rule, p.text) for p in plan.proposals):
            yield from _field(rule, text, width)
        yield ""
    yield _summary(made)


def _insertion(insertion: Insertion) -> Iterator[str]:
    yield from _field("settles", ", ".join(insertion.rules))
    yield from _field("cut at", ", ".join(insertion.entries))
    if insertion.gate:
        shards = f", in {insertion.shards} shards" if insertion.shards > 1 else ""
        yield from _field("gate", f"per ({', '.join(insertion.gate)}){shards}")
    if insertion.whole:
        yield from _field(
            "shards", "none: no column is the key that each of the rules behind the log keeps to"
        )
    if insertion.apart:
        names = ", ".join(insertion.apart)
        yield from _field(
            "apart",
            f"{names}: what comes for some of the nodes these alone keep; what all are to keep "
            "alike has to be sent to all of them",
        )
    price = insertion.price
    yield from _field(
        "price",
        f"{price.messages:g} messages per operation ({price.formula}), "
        f"{price.round_trips:g} round trips",
    )
    yield from _field("stops", price.stops)
    yield from _field("inserts", f"{len(insertion.inserted)} rules")


def _field(name: str, text: str, width: int = 8) -> Iterator[str]:
    yield from _wrapped(f"   {name:<{width}} {text}", " " * (width + 4))


def _wrapped(text: str, after: str) -> Iterator[str]:
    yield from textwrap.wrap(text, WIDTH, subsequent_indent=after, break_on_hyphens=False)


def _summary(made: Coordinated) -> str:
    before = sum(v.word == "needs coordination" for v in made.before.verdicts)
    after = sum(v.word == "needs coordination" for v in made.after.verdicts)
    return f"{made.plan.name}: needed coordination: {before} before, {after} after"

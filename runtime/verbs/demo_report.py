"""What `bloomish demo` says, part by part; and all of it as data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from bloomish.analysis.coordination.data import Plan
from bloomish.analysis.result import Report
from bloomish.runtime.sim.explore.witness import Schedule, Witness
from bloomish.runtime.verbs.demo_carts import COORDINATED, DESTRUCTIVE, LATTICE, REPLICAS, Outcome

if TYPE_CHECKING:
    from bloomish.runtime.verbs.demo import Story

WIDTH = 10  # of a replica's column
EXAMPLES = 2


def _title(number: int, text: str) -> str:
    return f"[bold]{number}. {text}[/bold]"


def opening(acts: int) -> str:
    """What is run first."""
    return "\n".join(
        [
            _title(1, f"A shopping cart on three replicas: {DESTRUCTIVE.target}"),
            f"{acts:,} recorded acts of a dozen households, from three devices, on six processes.",
            "A change replaces the quantity of an item, and no quantity falls below none.",
            "",
        ]
    )


def replicas(outcome: Outcome) -> str:
    """A line per session, a column per replica: units in the carts and on the receipts."""
    carts, receipts = set(outcome.differing("carts")), set(outcome.differing("receipts"))
    names = "".join(f"{name:>{WIDTH}}" for name in REPLICAS)
    wide = 3 * WIDTH
    lines = [
        f"{'':8}{'units in the cart':>{wide}}   {'units on the receipt':>{wide}}",
        f"{'session':8}{names}   {names}",
    ]
    for session in sorted(outcome.sessions("carts") | outcome.sessions("receipts")):
        left = _units(outcome, "carts", session, session in carts)
        right = _units(outcome, "receipts", session, session in receipts)
        word = "  [red]differ[/red]" if session in carts | receipts else ""
        lines.append(f"{session:8}{left}   {right}{word}")
    return "\n".join([*lines, "", *_conclusion(outcome), ""])


def _units(outcome: Outcome, what: str, session: str, differ: bool) -> str:
    counts = "".join(
        f"{sum(getattr(one, what).get(session, {}).values()):>{WIDTH}}"
        for one in outcome.replicas.values()
    )
    colour = "red" if differ else "green"
    return f"[{colour}]{counts}[/{colour}]"


def _conclusion(outcome: Outcome) -> list[str]:
    """Whether the replicas agree, in words."""
    lines = []
    for what in ("carts", "receipts"):
        differing, sessions = outcome.differing(what), outcome.sessions(what)
        if not sessions:
            lines.append(f"{what:9} none yet")
            continue
        if not differing:
            lines.append(f"{what:9} [green]replicas agree[/green] on all {len(sessions)}")
            continue
        lines.append(
            f"{what:9} [red]replicas disagree[/red] on {len(differing)} of {len(sessions)}, "
            f"such as {'; '.join(_examples(outcome, what))}"
        )
    return lines


def _examples(outcome: Outcome, what: str) -> list[str]:
    """A few items on whose quantity the replicas differ."""
    found = []
    for session in outcome.differing(what):
        held = [getattr(one, what).get(session, {}) for one in outcome.replicas.values()]
        for item in sorted(set().union(*held)):
            quantities = [one.get(item, 0) for one in held]
            if len(set(quantities)) > 1:
                found.append(f"{session} {item} {'/'.join(map(str, quantities))}")
    return found[:EXAMPLES]


def verdict(checked: Report) -> str:
    """The rules to blame, without their ways out."""
    lines = [_title(2, f"Why: bloomish check {DESTRUCTIVE.target}")]
    for one in checked.verdicts:
        lines.append(f"{one.collection}  [red]{one.word}[/red]")
    for point in checked.points:
        place = f"{PurePath(point.span.file).name}:{point.span.line}"
        lines.append(f"  {place:12} {point.kind}: {_escaped(point.why)}")
    return "\n".join([*lines, ""])


def schedules(shown: Witness) -> str:
    """The two schedules, one replica's ticks each."""
    lines = ["The same two messages, in two orders, at one replica:"]
    for schedule in (shown.first, shown.second):
        lines += _schedule(schedule)
    return "\n".join([*lines, ""])


def _schedule(schedule: Schedule) -> list[str]:
    ticks = [tick for tick in schedule.ticks if tick.taken]
    said = [" and ".join(f"{row[4]:+d} {row[3]}" for _, row in tick.taken) for tick in ticks]
    ends = [
        f"{row[2]} {row[1]}" for _, name, rows in schedule.content if name == "cart" for row in rows
    ]
    at_once = " at once" if len(ticks) == 1 else ""
    return [f"  {', then '.join(said) + at_once:30} ends with {', '.join(ends)}"]


def insertion(plan: Plan) -> str:
    """What is inserted, and what it will cost."""
    lines = [_title(3, f"The same program, coordinated: bloomish run {COORDINATED.target}")]
    for one in plan.insertions:
        costs = (
            f"{one.price.messages:g} messages per act, fewer where acts share a batch; "
            f"{one.price.round_trips:g} round trips"
        )
        lines.append(f"{one.mechanism} at {one.role}: {_escaped(one.what)}")
        for head, text in (("costs", costs), ("stops", one.price.stops)):
            lines += wrap(
                _escaped(text), 80, initial_indent=f"  {head}  ", subsequent_indent=" " * 9
            )
    return "\n".join([*lines, ""])


def for_nothing() -> str:
    """What is run last."""
    return "\n".join(
        [
            _title(4, f"A cart that needs no coordination: {LATTICE.target}"),
            "It keeps requests and checkouts, which only grow; a receipt waits for what its",
            "checkout lists.",
            "",
        ]
    )


def price(outcomes: Sequence[Outcome]) -> str:
    """One line per run."""
    head = f"{'':30}{'acts/s':>10}{'messages per act':>20}   replicas"
    lines = [_title(5, "The price"), head]
    for one in outcomes:
        word = "[green]agree[/green]" if one.agrees else "[red]disagree[/red]"
        lines.append(
            f"{one.cart.name:30}{one.acts / one.seconds:>10,.0f}{one.sent / one.acts:>20.1f}"
            f"   {word}"
        )
    return "\n".join(lines)


def as_data(story: Story) -> dict[str, Any]:
    """The story for programs."""
    return {
        "acts": story.acts,
        "evaluator": story.evaluator,
        "runs": [_run(one) for one in story.outcomes],
        "points": [
            {"rule": one.rule, "kind": one.kind, "file": one.span.file, "line": one.span.line}
            for one in story.checked.points
        ],
        "witness": [
            [str(tick) for tick in schedule.ticks]
            for schedule in (story.shown.first, story.shown.second)
        ],
        "insertions": [
            {
                "mechanism": one.mechanism,
                "role": one.role,
                "rules": list(one.rules),
                "messages": one.price.messages,
                "round_trips": one.price.round_trips,
                "stops": one.price.stops,
            }
            for one in story.plan.insertions
        ],
    }


def _run(outcome: Outcome) -> dict[str, Any]:
    return {
        "program": outcome.cart.name,
        "target": outcome.cart.target,
        "seconds": round(outcome.seconds, 3),
        "messages_per_act": round(outcome.sent / outcome.acts, 2),
        "carts_agree": not outcome.differing("carts"),
        "receipts_agree": not outcome.differing("receipts"),
        "carts_differ": outcome.differing("carts"),
        "receipts_differ": outcome.differing("receipts"),
        "replicas": {
            name: {"carts": one.carts, "receipts": one.receipts}
            for name, one in outcome.replicas.items()
        },
    }


def _escaped(text: str) -> str:
    """Text of programs in rich's markup."""
    return text.replace("[", r"\[")

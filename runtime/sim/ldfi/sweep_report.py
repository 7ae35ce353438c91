"""What a sweep found, as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bloomish.runtime.sim.ldfi.faults import as_data, in_order
from bloomish.runtime.sim.ldfi.report import (
    CERTIFIED,
    COUNTEREXAMPLE,
    STOPPED,
    bounds_data,
    bounds_text,
)
from bloomish.runtime.sim.ldfi.sweep import Swept


def word(swept: Swept) -> str:
    """One word for the outcome."""
    if swept.faults is not None:
        return COUNTEREXAMPLE
    return CERTIFIED if swept.complete else STOPPED


def as_text(swept: Swept, replay: str) -> Iterator[str]:
    """Lines for the terminal."""
    yield f"{word(swept)}: {bounds_text(swept.bounds)}"
    yield f"  every fault, tick by tick: {swept.states:,} state(s); {', '.join(swept.checks)}"
    if swept.faults is None:
        return
    yield ""
    yield "faults:" if swept.faults else "faults: none"
    for fault in in_order(swept.faults):
        yield f"  {fault}"
    yield ""
    yield "broken:"
    for broken in swept.broken:
        yield f"  {broken}"
    yield ""
    yield "messages (✗ lost):"
    for moment in swept.moments:
        for sender, to, collection, row, arrives in moment.sent:
            mark = " " if arrives else "✗"
            yield f"  {moment.time:>3} {mark} {sender} -> {to}  {collection}{row!r}"
    yield ""
    yield f"replay: {replay}"


def as_json(swept: Swept, warnings: list[str]) -> dict[str, Any]:
    """The same as data."""
    return {
        "verdict": word(swept),
        "bounds": bounds_data(swept.bounds),
        "checks": list(swept.checks),
        "states": swept.states,
        "faults": as_data(swept.faults or frozenset()),
        "broken": list(swept.broken),
        "warnings": [*warnings, *swept.warnings],
        "messages": [
            {
                "time": moment.time,
                "from": sender,
                "to": to,
                "collection": collection,
                "row": list(row),
                "arrives": arrives,
            }
            for moment in swept.moments
            for sender, to, collection, row, arrives in moment.sent
        ],
    }

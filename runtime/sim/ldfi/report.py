"""The verdict as text and as JSON, and the lineage as a graph."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bloomish.runtime.sim.ldfi.explain import Explanation
from bloomish.runtime.sim.ldfi.faults import Bounds, as_data, in_order
from bloomish.runtime.sim.ldfi.lineage import Fact, Lineage, subgoals
from bloomish.runtime.sim.ldfi.search import Verdict
from bloomish.runtime.sim.ldfi.text import diagram, listing, messages, show_fact, show_row
from bloomish.runtime.sim.ldfi.verdict import POST

CERTIFIED, COUNTEREXAMPLE, STOPPED = "certified", "counterexample", "stopped"


def word(verdict: Verdict) -> str:
    """One word for the outcome."""
    if verdict.counterexample is not None:
        return COUNTEREXAMPLE
    return CERTIFIED if verdict.complete else STOPPED


def bounds_text(bounds: Bounds) -> str:
    """Within what it holds."""
    losses = f"losses before tick {bounds.eff}" if bounds.eff > 1 else "no losses"
    return (
        f"nodes {', '.join(bounds.nodes)}; ticks 1 to {bounds.eot}; {losses}; "
        f"at most {bounds.crashes} crash(es), {bounds.mode}"
    )


def bounds_data(bounds: Bounds) -> dict[str, Any]:
    """The same for JSON."""
    return {
        "nodes": list(bounds.nodes),
        "eot": bounds.eot,
        "eff": bounds.eff,
        "crashes": bounds.crashes,
        "crash": bounds.mode,
    }


def as_text(verdict: Verdict, replay: str) -> Iterator[str]:
    """Lines for the terminal."""
    found = verdict.counterexample
    if found is None:
        yield f"{word(verdict)}: {bounds_text(verdict.bounds)}"
        yield f"  {verdict.runs} run(s), {len(verdict.goals)} row(s) of post"
        return
    yield f"{COUNTEREXAMPLE}: {bounds_text(verdict.bounds)}"
    yield f"  {verdict.runs} run(s)"
    yield ""
    yield "faults:" if found.faults else "faults: none"
    for fault in in_order(found.faults):
        yield f"  {fault}"
    yield ""
    yield "missed although pre holds:"
    for row in found.missed:
        yield f"  {show_row(POST, row)}"
    yield ""
    yield "why:"
    for step in _explanation(verdict):
        yield f"  {'  ' * step.depth}{step.text}"
    yield ""
    yield "space and time (✗ lost):"
    for line in diagram(found.run, verdict.bounds):
        yield f"  {line}"
    yield ""
    yield "messages:"
    for line in listing(found.run, verdict.bounds):
        yield f"  {line}"
    yield ""
    yield f"replay: {replay}"


def _explanation(verdict: Verdict) -> list[Any]:
    found = verdict.counterexample
    assert found is not None
    explanation = Explanation(verdict.good, found.run)
    explanation.missing(Fact(POST, found.missed[0], verdict.bounds.eot))
    return explanation.steps


def as_json(verdict: Verdict, warnings: list[str]) -> dict[str, Any]:
    """The same as data."""
    bounds, found = verdict.bounds, verdict.counterexample
    data: dict[str, Any] = {
        "verdict": word(verdict),
        "bounds": bounds_data(bounds),
        "runs": verdict.runs,
        "hypotheses": verdict.hypotheses,
        "post": [list(row) for row in verdict.goals],
        "faults": [],
        "missed": [],
        "warnings": [*warnings, *verdict.warnings],
    }
    if found is not None:
        data["faults"] = as_data(found.faults)
        data["missed"] = [list(row) for row in found.missed]
        data["explanation"] = [
            {"depth": step.depth, "text": step.text} for step in _explanation(verdict)
        ]
        data["messages"] = [
            {
                "time": time,
                "from": sender,
                "to": receiver,
                "collection": collection,
                "row": list(row),
                "arrives": found.run.arrives(sender, receiver, time),
            }
            for (time, sender, receiver), rows in sorted(messages(found.run).items())
            for collection, row in sorted(rows, key=str)
        ]
    return data


def lineage_dot(verdict: Verdict) -> Iterator[str]:
    """The lineage of post in the run without faults, for Graphviz; what the
    counterexample's run lacks is red."""
    lineage = Lineage(verdict.good)
    bad = verdict.counterexample.run if verdict.counterexample else None
    missed = verdict.counterexample.missed if verdict.counterexample else verdict.goals
    pending = [Fact(POST, row, verdict.bounds.eot) for row in missed]
    seen = set(pending)
    yield "digraph lineage {"
    yield '  rankdir="RL"; node [shape=box, fontname="sans-serif"];'
    while pending:
        fact = pending.pop()
        gone = bad is not None and fact.row not in bad.rows(fact.collection, fact.time)
        colour = ' [color="red", fontcolor="red"]' if gone else ""
        yield f"  {_quoted(show_fact(fact))}{colour};"
        for fired, time in lineage.firings(fact):
            for match in fired.members:
                for goal in subgoals(fired, match, time):
                    label = "message" if fired.to not in (None, match.place) else ""
                    yield (
                        f"  {_quoted(show_fact(goal))} -> {_quoted(show_fact(fact))}"
                        f' [label="{label}"];'
                    )
                    if goal not in seen:
                        seen.add(goal)
                        pending.append(goal)
    yield "}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'

"""A judgement in words, and as data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bloomish.runtime.history import Operation
from bloomish.runtime.sim.check import Judged, Judgement, Trouble, Verdict
from bloomish.runtime.sim.objects import text

BESIDE = 12
"""So many operations that were under way are listed."""
LONG = 60
"""So many characters of a value are shown."""
NOTHING_ELSE = "nothing else was under way that could come before it"


def heading(judgement: Judgement, verdict: Verdict, property_: str, model: str) -> str:
    """One line: what was judged, and what came out."""
    operations = sum(one.operations for one in judgement.keys)
    opens = sum(one.open for one in judgement.keys)
    word = {"yes": property_, "no": f"not {property_}", "unknown": "unknown"}[verdict]
    unknown = f", {opens:,} of them of unknown outcome" if opens else ""
    return (
        f"{word}: {operations:,} operations on {len(judgement.keys):,} {model}(s){unknown}; "
        f"{judgement.states:,} states in {judgement.seconds:.2f} s"
    )


def words(judgement: Judgement) -> Iterator[str]:
    """Lines about the keys that have no order, the first in full, or of which it is not known."""
    bad = [(_line(one), place) for place, one in enumerate(judgement.keys) if one.trouble]
    for _, place in sorted(bad):
        yield from _words(judgement.keys[place], place == min(bad)[1])
    for one in judgement.keys:
        if one.verdict == "unknown":
            yield f"{_of(one)}the limit was reached before an order was found, or proved not to be"


def _line(judged: Judged) -> int:
    return judged.trouble.operation.end or 0 if judged.trouble else 0


def _of(judged: Judged) -> str:
    return "" if judged.key is None else f"key {text(judged.key)}: "


def _words(judged: Judged, in_full: bool) -> Iterator[str]:
    assert judged.trouble is not None
    if in_full:
        yield f"{_of(judged)}no order of the operations explains what was seen"
        yield from _trouble(judged.trouble)
    else:
        yield f"{_of(judged)}no order either, from line {_line(judged)} on"


def _trouble(trouble: Trouble) -> Iterator[str]:
    operation = trouble.operation
    yield f"  up to line {operation.end} nothing does, up to the answer before it something does"
    yield "  cannot be placed:"
    yield f"    {told(operation)}"
    yield "  under way beside it:"
    for one in trouble.beside[:BESIDE]:
        yield f"    {told(one)}"
    if not trouble.beside:
        yield f"    {NOTHING_ELSE}"
    elif len(trouble.beside) > BESIDE:
        yield f"    and {len(trouble.beside) - BESIDE} more"
    for end in trouble.dead_ends:
        yield f"  an order that gets no further leaves: {_short(end.state)}"
        if end.placed > len(end.order):
            yield f"    ... ({end.placed - len(end.order):,})"
        for one in end.order:
            yield f"    {told(one)}"


def told(operation: Operation) -> str:
    """One operation: who, what, the answer, where it stands."""
    value = "" if operation.value is None else f" {_short(text(operation.value))}"
    if operation.outcome == "open":
        answer = "outcome unknown"
    elif operation.f != "read" and operation.answer in (None, operation.value):
        answer = "ok"
    else:
        answer = _short(text(operation.answer))
    return f"process {operation.process}: {operation.f}{value} -> {answer}  ({operation.lines})"


def _short(value: str) -> str:
    """A long value without its middle: what is appended stands at the end."""
    return value if len(value) <= LONG else f"{value[: LONG // 4]} ... {value[-LONG // 2 :]}"


def as_data(judgement: Judgement, property_: str, model: str) -> dict[str, Any]:
    """For `--format json`."""
    return {
        "property": property_,
        "model": model,
        "verdict": judgement.verdict,
        "operations": sum(one.operations for one in judgement.keys),
        "open": sum(one.open for one in judgement.keys),
        "states": judgement.states,
        "seconds": round(judgement.seconds, 3),
        "keys": [_key(one) for one in judgement.keys],
    }


def _key(judged: Judged) -> dict[str, Any]:
    data: dict[str, Any] = {
        "key": judged.key,
        "verdict": judged.verdict,
        "operations": judged.operations,
        "open": judged.open,
    }
    trouble = judged.trouble
    if trouble is not None:
        data["trouble"] = {
            "line": trouble.operation.end,
            "operation": _operation(trouble.operation),
            "beside": [_operation(one) for one in trouble.beside],
            "dead_ends": [
                {
                    "state": end.state,
                    "placed": end.placed,
                    "last": [_operation(one) for one in end.order],
                }
                for end in trouble.dead_ends
            ],
        }
    return data


def _operation(one: Operation) -> dict[str, Any]:
    return {
        "process": one.process,
        "f": one.f,
        "value": one.value,
        "answer": one.answer,
        "outcome": one.outcome,
        "lines": [one.begin] if one.end is None else [one.begin, one.end],
    }

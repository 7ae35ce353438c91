"""Facts, rules and runs as people read them."""

from __future__ import annotations

import json
from collections.abc import Sequence

from bloomish import ir
from bloomish.runtime.sim.ldfi.faults import Bounds, CrashMode, crash_times
from bloomish.runtime.sim.ldfi.forward import Run
from bloomish.runtime.sim.ldfi.joins import Row
from bloomish.runtime.sim.ldfi.lineage import Fact

_NEVER = 1 << 60


def show_row(collection: str, row: Row) -> str:
    """`p("a", 1)`, as in a `.ded` file."""
    return f"{collection}({', '.join(map(_show_value, row))})"


def show_fact(fact: Fact) -> str:
    """`p("a", 1)@3`."""
    return f"{show_row(fact.collection, fact.row)}@{fact.time}"


def show_rule(rule: ir.Rule) -> str:
    """The rule as written, with its place."""
    return f"{rule.span.file}:{rule.span.line}: {rule.span.text}"


def _show_value(value: object) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str | int) else repr(value)


def messages(run: Run) -> dict[tuple[int, str, str], list[tuple[str, Row]]]:
    """What was sent, by tick, sender and receiver; not to oneself, not by the crashed."""
    found: dict[tuple[int, str, str], list[tuple[str, Row]]] = {}
    for step in run.steps:
        for fired in step.fired:
            for match in fired.members if fired.to is not None else ():
                if match.place is None or match.place == fired.to:
                    continue
                if not is_down(run, str(match.place), step.time):
                    key = (step.time, str(match.place), str(fired.to))
                    row = (fired.rule.rule.head.removesuffix("@async"), fired.row)
                    if row not in found.setdefault(key, []):
                        found[key].append(row)
    return found


def is_down(run: Run, node: str, time: int) -> bool:
    """Has it crashed by then?"""
    return crash_times(run.faults).get(node, _NEVER) <= time


def diagram(run: Run, bounds: Bounds) -> list[str]:
    """Nodes as columns, ticks as rows: to whom each sends, and what does not arrive."""
    sent = messages(run)
    cells: list[list[str]] = [["", *bounds.nodes]]
    for time in range(1, bounds.eot + 1):
        line = [str(time)]
        for node in bounds.nodes:
            to = [
                f"→{receiver}" + ("" if run.arrives(node, receiver, time) else "✗")
                for receiver in bounds.nodes
                if (time, node, receiver) in sent
            ]
            down = is_down(run, node, time)
            line.append(_down_mark(bounds.mode) if down else " ".join(to) or "|")
        cells.append(line)
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    ]


def _down_mark(mode: CrashMode) -> str:
    return "crashed" if mode == "frozen" else "silent"


def listing(run: Run, bounds: Bounds) -> Sequence[str]:
    """Every message of the run, in order."""
    lines = []
    for (time, sender, receiver), rows in sorted(messages(run).items()):
        arrived = run.arrives(sender, receiver, time)
        for collection, row in sorted(rows, key=str):
            mark = "" if arrived else "  LOST"
            lines.append(f"{time:>3}  {sender} → {receiver}  {show_row(collection, row)}{mark}")
    return lines

"""A run as records of the common trace format, for `bloomish trace`."""

from __future__ import annotations

from collections.abc import Iterator

from bloomish.runtime.sim.ldfi.faults import Bounds, crash_times
from bloomish.runtime.sim.ldfi.forward import Run
from bloomish.runtime.sim.ldfi.text import is_down, messages
from bloomish.runtime.trace import Happening, Receive, Record, RunRecord, Send, TickRecord


def records(run: Run, bounds: Bounds, target: str) -> Iterator[Record]:
    """One record per node and tick; a lost message and a crash stand beside them."""
    yield RunRecord(target, bounds.nodes, "simulator")
    sent = messages(run)
    numbered = {
        key: f"{key[1]}>{key[2]}#{number}" for number, key in enumerate(sorted(sent), start=1)
    }
    crashed = crash_times(run.faults)
    for time in range(1, bounds.eot + 1):
        for node in bounds.nodes:
            if crashed.get(node) == time:
                yield Happening("crashed", node, float(time), tick=time)
            if bounds.mode == "frozen" and is_down(run, node, time):
                continue
            out = {key: rows for key, rows in sent.items() if key[:2] == (time, node)}
            came = {
                key: rows
                for key, rows in sent.items()
                if (key[0], key[2]) == (time - 1, node) and run.arrives(key[1], node, time - 1)
            }
            yield TickRecord(
                node,
                time,
                float(time),
                receives=[
                    Receive(numbered[key], key[1], _by_collection(rows))
                    for key, rows in sorted(came.items())
                ],
                sends=[
                    Send(numbered[key], key[2], _by_collection(rows))
                    for key, rows in sorted(out.items())
                ],
            )
            lost = [numbered[key] for key in sorted(out) if not run.arrives(node, key[2], time)]
            if lost:
                yield Happening("lost", node, float(time), ids=lost, tick=time)


def _by_collection(
    rows: list[tuple[str, tuple[object, ...]]],
) -> dict[str, list[tuple[object, ...]]]:
    found: dict[str, list[tuple[object, ...]]] = {}
    for collection, row in sorted(rows, key=str):
        found.setdefault(collection, []).append(row)
    return found

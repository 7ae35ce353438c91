"""Many schedules of the same messages on the reference evaluator, and what each mode promises.

A schedule is an ordered partition of the arrivals into ticks, with duplicates
and empty ticks; what the node sends to itself comes back at a tick of its own
choosing, at least once.  The modes of the analyzer are promises about every
collection of the program: `broken` says which of them a set of runs breaks.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from bloomish import ir
from bloomish.analysis.inference import Inference
from bloomish.analysis.modes import CONST, DET, EVENT, FLUX, GROW, PART
from bloomish.externals import Externals
from bloomish.lattices.operations import Operations
from bloomish.runtime.evaluator import Row, TickFailed
from bloomish.runtime.reference import Reference
from bloomish.values import Values

Arrival = tuple[str, Row]
Schedule = Sequence[Sequence[Arrival]]
NODE = "node-0"
LIMIT = 40


@dataclass
class Run:
    """What one schedule did: contents per tick, all rows sent, and whether it came to rest."""

    contents: list[dict[str, frozenset[Row]]] = field(default_factory=list)
    sent: dict[str, set[Row]] = field(default_factory=dict)
    quiet: bool = False
    failed: TickFailed | None = None


def run(
    program: ir.Program,
    externals: Externals,
    schedule: Schedule,
    rng: random.Random,
    rosters: dict[str, tuple[str, ...]],
    saturated: bool = False,
) -> Run:
    """One run.  `saturated`: everything that ever came comes again at every tick."""
    node = Reference(program, externals, node=NODE, rosters=rosters)
    wires = {c.wire or c.name: c.name for c in program.collections if c.kind == "channel"}
    beats = [c.name for c in program.collections if c.kind == "periodic"]
    result = Run()
    waiting: dict[Arrival, None] = {}
    seen: dict[Arrival, None] = {}
    firings = 0
    names = [c.name for c in program.collections]

    def tick(batch: Iterable[Arrival]) -> bool:
        for collection, row in batch:
            seen[collection, row] = None
            node.insert(collection, [row])
        if saturated:
            for collection, row in seen:
                node.insert(collection, [row])
        done = node.tick(now=rng.choice((0.0, 1.0, 2.5)))
        result.contents.append({name: frozenset(node.contents(name)) for name in names})
        moved = False
        for to, wire, row in node.sends():
            channel = wires[wire]
            if row not in result.sent.setdefault(channel, set()):
                result.sent[channel].add(row)
                moved = True
            if to == NODE and (channel, row) not in seen:
                waiting[channel, row] = None
        return done.again or moved

    def fired() -> list[Arrival]:
        nonlocal firings
        firings += 1
        return [(beat, (firings,)) for beat in beats]

    try:
        tick(())
        for batch in schedule:
            back = [one for one in waiting if rng.random() < 0.5]
            for one in back:
                if rng.random() < 0.8:
                    del waiting[one]
            due = fired() if rng.random() < 0.4 else []
            tick([*batch, *back, *due])
            if rng.random() < 0.2:
                tick(())
        for _ in range(LIMIT):
            back = list(waiting)
            if rng.random() < 0.5:
                rng.shuffle(back)
                back = back[:1]
            for one in back:
                del waiting[one]
            busy = tick([*back, *fired()])
            busy = tick(()) or busy
            if not busy and not waiting and _still(result, beats):
                result.quiet = True
                break
    except TickFailed as failed:
        result.failed = failed
    return result


def _still(result: Run, beats: list[str]) -> bool:
    """Three rounds of an empty tick and a firing changed nothing that lasts."""
    ends = result.contents[::-1][:6:2]
    return len(ends) == 3 and ends[0] == ends[1] == ends[2]


def partitions(items: Sequence[Arrival]) -> Iterator[list[list[Arrival]]]:
    """All ordered partitions into ticks."""
    if not items:
        yield []
        return
    first, rest = items[0], items[1:]
    for partition in partitions(rest):
        for place in range(len(partition) + 1):
            yield [*partition[:place], [first], *partition[place:]]
        for place in range(len(partition)):
            yield [*partition[:place], [first, *partition[place]], *partition[place + 1 :]]


def disturbed(schedule: Schedule, rng: random.Random) -> list[list[Arrival]]:
    """With duplicates and empty ticks."""
    everything = [arrival for batch in schedule for arrival in batch]
    result: list[list[Arrival]] = []
    for batch in schedule:
        if rng.random() < 0.3:
            result.append([])
        more = [rng.choice(everything)] if everything and rng.random() < 0.4 else []
        result.append([*batch, *more])
    return result


# ------------------------------------------------------------------- promises


class Judge:
    """Compares runs with the modes inferred."""

    def __init__(self, inference: Inference, program: ir.Program, externals: Externals) -> None:
        self.modes = inference.modes
        self.inference = inference
        self.program = program
        values = Values(program.lattices, externals.lattices)
        self.columns: dict[str, list[tuple[int, Operations]]] = {
            c.name: [
                (i, values.operations(column.type))
                for i, column in enumerate(c.columns)
                if isinstance(column.type, ir.Lattice)
            ]
            for c in program.collections
        }

    def merged(self, name: str, rows: Iterable[Row]) -> dict[Row, tuple[object, ...]]:
        """Rows by their plain columns, lattice columns merged."""
        cells = self.columns[name]
        places = {i for i, _ in cells}
        found: dict[Row, tuple[object, ...]] = {}
        for row in rows:
            key = tuple((type(v).__name__, v) for i, v in enumerate(row) if i not in places)
            values = tuple(row[i] for i, _ in cells)
            if key in found:
                values = tuple(
                    ops.merge(a, b)
                    for (_, ops), a, b in zip(cells, found[key], values, strict=True)
                )
            found[key] = values
        return found

    def below(self, name: str, part: Iterable[Row], whole: Iterable[Row]) -> bool:
        """Whether all rows of a part are among, or below, those of the whole."""
        all_of, some = self.merged(name, whole), self.merged(name, part)
        operations = [ops for _, ops in self.columns[name]]
        return all(
            key in all_of
            and all(
                ops.leq(a, b) for ops, a, b in zip(operations, values, all_of[key], strict=True)
            )
            for key, values in some.items()
        )

    def broken(self, runs: Sequence[Run], full: Run) -> str:
        """The first promise that these runs break, "" if they keep all."""
        for collection in self.program.collections:
            name = collection.name
            why = self._broken(name, runs, full)
            if why:
                return f"{name} ({self.modes[name].word}): {why}"
        return ""

    def _broken(self, name: str, runs: Sequence[Run], full: Run) -> str:
        mode = self.modes[name]
        histories = [[contents[name] for contents in run.contents] for run in runs]
        unions = [
            self.merged(name, (row for content in history for row in content))
            for history in histories
        ]
        if name in self.inference.system.external or name.startswith("beat"):
            return ""
        if mode is CONST:
            contents = {content for history in histories for content in history}
            return "" if len(contents) == 1 else "it changes"
        if mode is GROW:
            for history in histories:
                for before, after in zip(history, history[1:], strict=False):
                    if not self.below(name, before, after):
                        return f"it shrinks from {set(before)} to {set(after)}"
        if mode in (GROW, FLUX):
            ends = [history[-1] for history in histories]
            if any(end != ends[0] for end in ends):
                otherwise = next(end for end in ends if end != ends[0])
                return f"it ends as {set(ends[0])} or {set(otherwise)}"
        if mode is EVENT:
            sent = [run.sent.get(name, set()) for run in runs]
            whole = [
                self.merged(name, rows) if self._is_channel(name) else union
                for rows, union in zip(sent, unions, strict=True)
            ]
            if any(one != whole[0] for one in whole):
                other = next(one for one in whole if one != whole[0])
                return f"its rows are {whole[0]} or {other}"
        if mode is PART:
            ever = [row for contents in full.contents for row in contents[name]]
            ever += list(full.sent.get(name, ()))
            for run, history in zip(runs, histories, strict=True):
                rows = [row for content in history for row in content]
                rows += list(run.sent.get(name, ()))
                if not self.below(name, rows, ever):
                    return f"{set(rows)} is no part of {set(ever)}"
        if mode is DET:
            length = min(map(len, histories))
            if any(history[:length] != histories[0][:length] for history in histories):
                return "its history depends on what arrives"
        return ""

    def _is_channel(self, name: str) -> bool:
        return self.inference.system.nodes[name].kind == "channel"

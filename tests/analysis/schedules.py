"""Many schedules of the same messages on the reference evaluator, and what each mode promises.

A schedule is an ordered partition of the arrivals into ticks, with duplicates
and empty ticks; what nodes send to each other and to themselves comes at a tick
of its own choosing, at least once.  The modes of the analyzer are promises about every
collection of the program: `broken` says which of them a set of runs breaks.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from zlib import crc32

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
Place = tuple[str, str]
"""A node and a collection at it."""
NODE = "node-0"
LIMIT = 40


@dataclass
class Run:
    """What one schedule did: contents per round, all rows sent, and whether it came to rest."""

    contents: list[dict[Place, frozenset[Row]]] = field(default_factory=list)
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
    nodes: Sequence[str] = (NODE,),
) -> Run:
    """One run.  `saturated`: everything that ever came comes again at every tick."""
    return _World(program, externals, rng, rosters, saturated, nodes).run(schedule)


class _World:
    """Nodes that tick in rounds, and the messages between them.

    An arrival over a channel goes to the node that it is addressed to, one into
    an input to a node that the row decides; rows for other nodes are lost.
    """

    def __init__(
        self,
        program: ir.Program,
        externals: Externals,
        rng: random.Random,
        rosters: dict[str, tuple[str, ...]],
        saturated: bool,
        nodes: Sequence[str],
    ) -> None:
        self.nodes = {
            name: Reference(program, externals, node=name, rosters=rosters) for name in nodes
        }
        self.rng, self.saturated = rng, saturated
        self.names = [c.name for c in program.collections]
        self.wires = {c.wire or c.name: c.name for c in program.collections if c.kind == "channel"}
        self.beats = [c.name for c in program.collections if c.kind == "periodic"]
        self.result = Run()
        self.waiting: dict[Arrival, None] = {}
        self.seen: dict[Arrival, None] = {}
        self.firings = 0

    def run(self, schedule: Schedule) -> Run:
        try:
            self.round(())
            for batch in schedule:
                back = [one for one in self.waiting if self.rng.random() < 0.5]
                for one in back:
                    if self.rng.random() < 0.8:
                        del self.waiting[one]
                self.round([*batch, *back], self.rng.random() < 0.4)
                if self.rng.random() < 0.2:
                    self.round(())
            self.come_to_rest()
        except TickFailed as failed:
            self.result.failed = failed
        return self.result

    def come_to_rest(self) -> None:
        """Deliver what is under way, one by one or at once, until nothing changes."""
        for _ in range(LIMIT):
            back = list(self.waiting)
            if self.rng.random() < 0.5:
                self.rng.shuffle(back)
                back = back[:1]
            for one in back:
                del self.waiting[one]
            busy = self.round(back, True)
            busy = self.round(()) or busy
            if not busy and not self.waiting and _still(self.result):
                self.result.quiet = True
                break

    def destination(self, arrival: Arrival) -> str:
        name, row = arrival
        if name in self.wires.values():
            return str(row[0])
        known = sorted(self.nodes)
        return known[crc32(repr(row).encode()) % len(known)]

    def round(self, batch: Sequence[Arrival], fire: bool = False) -> bool:
        """One tick of every node; whether there is more to do."""
        for arrival in batch:
            self.seen[arrival] = None
        arriving = list(self.seen) if self.saturated else batch
        self.firings += fire
        busy = False
        contents: dict[Place, frozenset[Row]] = {}
        for address, node in self.nodes.items():
            for name, row in arriving:
                if self.destination((name, row)) == address:
                    node.insert(name, [row])
            for beat in self.beats if fire else ():
                node.insert(beat, [(self.firings,)])
            busy |= node.tick(now=self.rng.choice((0.0, 1.0, 2.5))).again
            for name in self.names:
                contents[address, name] = frozenset(node.contents(name))
        for node in self.nodes.values():
            busy |= self.send(node)
        self.result.contents.append(contents)
        return busy

    def send(self, node: Reference) -> bool:
        moved = False
        for to, wire, row in node.sends():
            name = self.wires[wire]
            if row not in self.result.sent.setdefault(name, set()):
                self.result.sent[name].add(row)
                moved = True
            if to in self.nodes and (name, row) not in self.seen:
                self.waiting[name, row] = None
        return moved


def _still(result: Run) -> bool:
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
        for place in runs[0].contents[0]:
            why = self._broken(place, runs, full)
            if why:
                return f"{place[1]} ({self.modes[place[1]].word}) at {place[0]}: {why}"
        return ""

    def _broken(self, place: Place, runs: Sequence[Run], full: Run) -> str:
        name = place[1]
        mode = self.modes[name]
        histories = [[contents[place] for contents in run.contents] for run in runs]
        unions = [
            self.merged(name, (row for content in history for row in content))
            for history in histories
        ]
        system = self.inference.system
        if name in system.external or system.nodes[name].kind == "periodic":
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
            ever = [row for contents in full.contents for row in contents[place]]
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

"""Layered layout, computed here so that a picture needs nothing but a browser.

After Sugiyama, Tagawa and Toda (1981): break cycles, put every box into a
column right of what it depends on, thread long lines through every column
between, and sort each column by the median of its neighbours, to and fro.
Roles are lanes, one below the other.  All steps are near-linear in boxes and
lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import networkx as nx

from bloomish.analysis.report.picture import Box, Line, Picture

COLUMN_GAP, ROW_GAP = 46, 12
LANE_GAP, LANE_HEAD = 30, 26
MARGIN = 24
BOX_HEIGHT, RULE_HEIGHT, THREAD_HEIGHT = 34, 20, 6
SWEEPS = 6


@dataclass(frozen=True, slots=True)
class Place:
    """The middle of a box, and its size."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Band:
    """A role's lane."""

    name: str
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Layout:
    width: float
    height: float
    places: dict[str, Place]
    routes: tuple[tuple[Line, tuple[tuple[float, float], ...]], ...]
    bands: tuple[Band, ...]


@dataclass(slots=True)
class _Slot:
    """A box, or a long line's passage through a column."""

    key: str
    lane: int
    width: float
    height: float
    column: int = 0
    order: float = 0.0
    y: float = 0.0


def lay_out(picture: Picture) -> Layout:
    """Places for all boxes, routes for all lines."""
    lanes = {name: number for number, name in enumerate(picture.lanes)}
    slots = {box.id: _slot(box, lanes) for box in picture.boxes}
    forward = _acyclic(picture, slots)
    _columns(slots, forward)
    chains = _threads(picture.lines, slots)
    columns = _by_column(slots)
    _sort(columns, chains)
    bands, height = _stack(columns, picture.lanes)
    left, width = _widths(columns)
    places = {
        box.id: Place(
            left[slots[box.id].column], slots[box.id].y, slots[box.id].width, slots[box.id].height
        )  # fmt: skip
        for box in picture.boxes
    }
    routes = tuple((line, _route(chain, slots, places, left)) for line, chain in chains)
    return Layout(width, height, places, routes, bands)


def _slot(box: Box, lanes: dict[str, int]) -> _Slot:
    size = len(box.title)
    if box.is_rule:
        return _Slot(box.id, lanes[box.lane], 22 + 5.4 * (size + len(box.shape)), RULE_HEIGHT)
    more = len(box.verdict)
    return _Slot(box.id, lanes[box.lane], 26 + 7.2 * max(size, 0.8 * more), BOX_HEIGHT)


def _acyclic(picture: Picture, slots: dict[str, _Slot]) -> nx.DiGraph:
    """The graph without the lines that close cycles, as a walk from the sources meets them."""
    graph = nx.DiGraph()
    graph.add_nodes_from(slots)
    graph.add_edges_from((line.source, line.target) for line in picture.lines)
    roots = [id for id in graph if not graph.in_degree(id)]
    state: dict[str, int] = {}
    closing: list[tuple[str, str]] = []
    for root in (*roots, *graph):
        if root in state:
            continue
        state[root] = 1
        stack = [(root, iter(list(graph.successors(root))))]
        while stack:
            node, rest = stack[-1]
            for after in rest:
                if state.get(after) == 1:
                    closing.append((node, after))
                elif after not in state:
                    state[after] = 1
                    stack.append((after, iter(list(graph.successors(after)))))
                    break
            else:
                state[node] = 2
                stack.pop()
    graph.remove_edges_from(closing)
    return graph


def _columns(slots: dict[str, _Slot], graph: nx.DiGraph) -> None:
    """As far left as what comes before allows; then right, where that shortens more lines
    than it lengthens."""
    order = list(nx.topological_sort(graph))
    for node in order:
        before = [slots[other].column for other in graph.predecessors(node)]
        slots[node].column = max(before, default=-1) + 1
    for node in reversed(order):
        after = [slots[other].column for other in graph.successors(node)]
        if after and graph.in_degree(node) <= graph.out_degree(node):
            slots[node].column = min(after) - 1


Chain = tuple[Line, list[str]]


def _threads(lines: Sequence[Line], slots: dict[str, _Slot]) -> list[Chain]:
    """For every line the slots that it passes, with new ones in the columns between."""
    chains: list[Chain] = []
    for number, line in enumerate(lines):
        source, target = slots[line.source], slots[line.target]
        low, high = sorted((source.column, target.column))
        chain = []
        for column in range(low + 1, high):
            key = f"thread {number} {column}"
            lane = source.lane if column - low <= high - column else target.lane
            slots[key] = _Slot(key, lane, 0, THREAD_HEIGHT, column)
            chain.append(key)
        if source.column > target.column:
            chain.reverse()
        chains.append((line, [line.source, *chain, line.target]))
    return chains


def _by_column(slots: dict[str, _Slot]) -> list[list[_Slot]]:
    columns: list[list[_Slot]] = [[] for _ in range(max((s.column for s in slots.values()),
                                                        default=0) + 1)]  # fmt: skip
    for slot in slots.values():
        columns[slot.column].append(slot)
    return columns


def _sort(columns: list[list[_Slot]], chains: list[Chain]) -> None:
    """Order within columns: by lane, then by the mean place of the neighbours."""
    known = {slot.key: slot for column in columns for slot in column}
    left: dict[str, list[_Slot]] = {}
    right: dict[str, list[_Slot]] = {}
    for _, chain in chains:
        for a, b in zip(chain, chain[1:], strict=False):
            one, other = known[a], known[b]
            if one.column > other.column:
                one, other = other, one
            right.setdefault(one.key, []).append(other)
            left.setdefault(other.key, []).append(one)
    for column in columns:
        for place, slot in enumerate(sorted(column, key=lambda slot: slot.lane)):
            slot.order = place
    for sweep in range(SWEEPS):
        neighbours = right if sweep % 2 else left
        for column in reversed(columns) if sweep % 2 else columns:
            wanted = {}
            for slot in column:
                near = neighbours.get(slot.key)
                wanted[slot.key] = (
                    sum(other.order for other in near) / len(near) if near else slot.order
                )
            column.sort(key=lambda slot: (slot.lane, wanted[slot.key]))
            for place, slot in enumerate(column):
                slot.order = place


def _stack(columns: list[list[_Slot]], lanes: tuple[str, ...]) -> tuple[tuple[Band, ...], float]:
    """Heights: lanes below each other, each column centred within its lane."""
    bands = []
    top = float(MARGIN)
    head = LANE_HEAD if len(lanes) > 1 else 0
    for number, name in enumerate(lanes):
        inside = [[slot for slot in column if slot.lane == number] for column in columns]
        heights = [sum(slot.height + ROW_GAP for slot in some) for some in inside]
        tallest = max(heights, default=0) + head
        for some, height in zip(inside, heights, strict=True):
            y = top + head + (tallest - head - height) / 2
            for slot in some:
                slot.y = y + slot.height / 2
                y += slot.height + ROW_GAP
        bands.append(Band(name, top, tallest))
        top += tallest + LANE_GAP
    return tuple(bands), top - LANE_GAP + MARGIN


def _widths(columns: list[list[_Slot]]) -> tuple[list[float], float]:
    """The middle of every column, and the whole width."""
    middles = []
    x = float(MARGIN)
    for column in columns:
        width = max((slot.width for slot in column), default=0)
        middles.append(x + width / 2)
        x += width + COLUMN_GAP
    return middles, x - COLUMN_GAP + MARGIN


def _route(
    chain: list[str], slots: dict[str, _Slot], places: dict[str, Place], middles: list[float]
) -> tuple[tuple[float, float], ...]:
    """From the right edge of a box to the left edge of the next; back from below to below."""
    first, last = places[chain[0]], places[chain[-1]]
    between = [(middles[slots[key].column], slots[key].y) for key in chain[1:-1]]
    if slots[chain[0]].column < slots[chain[-1]].column:
        start = (first.x + first.width / 2, first.y)
        end = (last.x - last.width / 2, last.y)
    else:
        start = (first.x, first.y + first.height / 2)
        end = (last.x, last.y + last.height / 2)
    return (start, *between, end)

"""In which partitions streams end: what all who ask and all who send can tell apart.

A stream's partition is the columns that every question about it is asked for,
as far as every sender's host can say that there is no more for them.  A host
ends all that it feeds in one way, so streams that one role feeds agree, or end
as wholes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set

from bloomish import ir
from bloomish.analysis.contracts import Contracts
from bloomish.analysis.coordination.streams import End, Finer, Question, Stream
from bloomish.analysis.graph import System

WHOLE = ir.Column("all", ir.Plain("bool"))
"""What stands for the partition of a stream that ends as a whole: always true."""


def whole(columns: tuple[ir.Column, ...]) -> bool:
    """Whether what says that rows are complete says it of all of them."""
    return [(column.name, column.type) for column in columns] == [(WHOLE.name, WHOLE.type)]


def partition(
    system: System,
    contracts: Contracts,
    streams: Mapping[str, Stream],
    questions: Iterable[Question],
    coarse: Set[str] = frozenset(),
) -> None:
    """Settle `part` of every stream, by no column that is called one of `coarse`."""
    asked: dict[str, frozenset[int]] = {}
    for question in questions:
        for node, columns in question.streams.items():
            asked[node] = asked.get(node, frozenset(columns)) & frozenset(columns)
    for node, stream in streams.items():
        known = [
            frozenset(at for column, at in end.columns if column.name not in coarse)
            for end in stream.ends
        ]
        stream.part = tuple(sorted(asked.get(node, frozenset()).intersection(*known)))
        _as_declared(system, stream)
    for stream in streams.values():
        for end in stream.ends:
            for behind in end.channels:  # what rests on it asks for all of it
                streams[behind].part = ()
    again = True
    while again:
        again = False
        for role, ways in _ways(streams).items():
            for stream in streams.values():
                mine = any(end.role == role and end.inputs for end in stream.ends)
                if len(ways) > 1 and mine and stream.part:
                    stream.part = ()
                    again = True
    for stream in streams.values():
        for end in stream.ends:
            _agree(system, contracts, stream, end)


def _as_declared(system: System, stream: Stream) -> None:
    """Where a program has a word of its own for the end of less columns, and none for all of
    them, these are the partition: who knows the end of a day needs no end of each of its hours."""
    for end in stream.ends:
        if not end.inputs:
            continue
        names = {column.name for column in by_end(stream, end)}
        declared = [
            set(one.key) for one in system.program(end.role).assumptions if one.kind == "ends"
        ]
        fitting = [key for key in declared if key <= names]
        if fitting:
            most = max(fitting, key=lambda key: (len(key), sorted(key)))
            stream.part = tuple(
                at for column, at in end.columns if column.name in most and at in stream.part
            )


def _ways(streams: Mapping[str, Stream]) -> dict[str, set[tuple[ir.Column, ...]]]:
    """Role -> the ways in which its hosts would have to end streams."""
    found: dict[str, set[tuple[ir.Column, ...]]] = {}
    for stream in streams.values():
        for end in stream.ends:
            if end.inputs:
                found.setdefault(end.role, set()).add(by_end(stream, end))
    return found


def by_end(stream: Stream, end: End) -> tuple[ir.Column, ...]:
    """The columns by which what ends a stream says so, in the order of the partition."""
    known = {at: column for column, at in end.columns}
    return tuple(ir.Column(known[at].name, known[at].type) for at in stream.part)


def _agree(system: System, contracts: Contracts, stream: Stream, end: End) -> None:
    """What is sealed already ends in its own partitions, and in no others."""
    for rows in end.sealed:
        complete = contracts.by_rows[rows].complete
        columns = system.nodes[complete].columns
        names = {column.name for column in columns} - ({WHOLE.name} if whole(columns) else set())
        if names != {column.name for column in by_end(stream, end)}:
            per = ", ".join(sorted(names)) or "no column"
            name = system.nodes[stream.node].collection.name
            raise Finer(
                f"what {name} is made of is sealed per {per}, and {name} is asked for otherwise",
                names - {column.name for column in by_end(stream, end)},
            )

"""Whose order the analyzer's verdicts say does not matter: opt-in pruning.

A message is trusted if all that it can reach, over the rules of every node and
the messages that they send, is constant, only grows, or is a set of events that
is the same in every order.  Then one delivery of it stands for all, and what it
cannot reach does not notice it.  This believes the analyzer, so what backs a
verdict (witnesses, cross-validation) must not use it.
"""

from __future__ import annotations

from collections.abc import Mapping

from bloomish import ir
from bloomish.ephemeral import ephemeral_collections, is_ephemeral
from bloomish.runtime.sim.stage import Member, Stage

MONOTONE = ("Const", "Grow", "Event")

Place = tuple[str, str]  # node, collection


def trusted(stage: Stage, modes: Mapping[str, str], alone: bool) -> frozenset[Place]:
    """The collections of nodes whose messages are trusted.

    `modes` is the report's; `alone` if the report is on one role, whose names then stand alone.
    """
    if stage.steps:
        return frozenset()  # of Dedalus every step counts, also one that takes nothing
    follow = _edges(stage)
    doubtful = []
    for member in stage.members:
        notices = _notices_ticks(member.program)
        for collection in member.program.collections:
            mode = modes.get(_id(stage, member, collection, alone), "")
            if notices or not _is_monotone(mode, collection):
                doubtful.append((member.node, collection.name))
    reached_by: dict[Place, list[Place]] = {}
    for source, heads in follow.items():
        for head in heads:
            reached_by.setdefault(head, []).append(source)
    tainted = set(doubtful)
    while doubtful:
        for source in reached_by.get(doubtful.pop(), ()):
            if source not in tainted:
                tainted.add(source)
                doubtful.append(source)
    return frozenset(
        place
        for member, collection in stage.collections("input", "channel")
        if (place := (member.node, collection.name)) not in tainted
    )


def _is_monotone(mode: str, collection: ir.Collection) -> bool:
    """Besides the verdict: rows may not conflict, as a verdict says nothing of ticks that fail.

    Events with lattice columns are the same only once merged: those of one tick are merged into
    one, so which are handed over still tells what shared a tick.
    """
    columns = collection.columns
    merges = any(isinstance(column.type, ir.Lattice) for column in columns)
    keyed = any(column.key for column in columns)
    conflicts = keyed and any(
        not column.key and not isinstance(column.type, ir.Lattice) for column in columns
    )
    return mode in MONOTONE and not conflicts and not (mode == "Event" and merges)


def _notices_ticks(program: ir.Program) -> bool:
    """Whether a tick that takes nothing may bring something new: what stands derives from the
    absence of what came a tick ago.  Then any message at all does more than its rules say."""
    known = ephemeral_collections(program)
    return any(
        isinstance(literal, ir.Atom) and literal.negated and literal.collection in known
        for rule in program.rules
        if not is_ephemeral(program, rule, known)
        for literal in rule.body
    )


def _edges(stage: Stage) -> dict[Place, list[Place]]:
    """From what a rule reads to what it derives; a channel is any node's that has it."""
    receivers: dict[str, list[Place]] = {}
    for member, collection in stage.collections("channel"):
        wire = collection.wire or collection.name
        receivers.setdefault(wire, []).append((member.node, collection.name))
    found: dict[Place, list[Place]] = {}
    for member in stage.members:
        wires = {c.name: c.wire or c.name for c in member.program.collections}
        for rule in member.program.rules:
            sends = rule.op == "<~"
            heads = receivers[wires[rule.head]] if sends else [(member.node, rule.head)]
            for literal in rule.body:
                if isinstance(literal, ir.Atom):
                    found.setdefault((member.node, literal.collection), []).extend(heads)
    return found


def _id(stage: Stage, member: Member, collection: ir.Collection, alone: bool) -> str:
    """The name of a collection in a report."""
    if alone or stage.declared is None:
        return collection.name
    if collection.kind == "channel":
        return collection.wire or collection.name
    return f"{stage.declared.of(member.node).name}.{collection.name}"

"""A plan of coordination, and the deployment that carries it out: plain frozen data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal as OneOf

from bloomish import ir
from bloomish.cluster import CompiledCluster

Mechanism = OneOf["persist", "seal", "local order", "consensus", "atomic commit"]
MECHANISMS: tuple[Mechanism, ...] = (
    "persist",
    "seal",
    "local order",
    "consensus",
    "atomic commit",
)
"""From the cheapest to the dearest (4.6)."""


LogKind = OneOf["paxos", "sequencer", "contract"]
"""Who keeps a log of several nodes: Multi-Paxos, a node that numbers and repeats, or the same
without repeating, which is the log's contract and few enough states to go through."""


@dataclass(frozen=True, slots=True)
class Price:
    """What an insertion costs.

    `messages`: per operation, as a number for this deployment; `formula` says
    the same for n nodes.  `round_trips`: from the request to its effect.
    `stops`: what stands still while a minority, a coordinator or a producer is down.
    """

    messages: float
    formula: str
    round_trips: float
    stops: str


@dataclass(frozen=True, slots=True)
class Insertion:
    """One mechanism at one role.

    `points` are the points of order that it settles, by id in the report;
    `rules` their rules.  `entries` are the collections (as the graph names
    them) at which the graph was cut.  `gate`: the columns by which it may be
    sharded, empty if it may not.  `inserted`: the rules that came in.  `apart`:
    entries of which some rows are kept by the nodes alone that they are for.
    `whole`: shards were asked for, and the rules allow none.
    """

    mechanism: Mechanism
    role: str
    points: tuple[str, ...]
    rules: tuple[str, ...]
    entries: tuple[str, ...]
    gate: tuple[str, ...]
    what: str
    price: Price
    inserted: tuple[str, ...] = ()
    shards: int = 1
    apart: tuple[str, ...] = ()
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """A point of order for which nothing is inserted, and why."""

    point: str
    rule: str
    span: ir.Span
    why: str


@dataclass(frozen=True, slots=True)
class Proposal:
    """A rewrite that would do without coordination: proposed, not forced."""

    point: str
    rule: str
    text: str


@dataclass(frozen=True, slots=True)
class Plan:
    """All that is inserted into a target, all that is refused, all that could be had cheaper."""

    name: str
    insertions: tuple[Insertion, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    proposals: tuple[Proposal, ...] = ()


@dataclass(frozen=True, slots=True)
class Inserted:
    """What a pass gives back: the deployment after it, what it put in, what it would not."""

    deployed: CompiledCluster
    insertions: tuple[Insertion, ...] = ()
    refusals: tuple[Refusal, ...] = ()

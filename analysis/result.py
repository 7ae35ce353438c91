"""What `check` returns: plain frozen data, the same for text, JSON, SARIF and pictures."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal as OneOf

from bloomish import ir
from bloomish.analysis.points import Step

Word = OneOf[
    "monotone", "snapshot", "eventual", "ordered", "local", "protocol", "needs coordination"
]  # fmt: skip
Cost = OneOf["nothing", "persist", "rewrite", "seal", "consensus", "atomic commit"]
COSTS: tuple[Cost, ...] = ("nothing", "persist", "rewrite", "seal", "consensus", "atomic commit")
"""From the cheapest to the dearest (4.6)."""


@dataclass(frozen=True, slots=True)
class Mend:
    """One way out, spelled out for the rule."""

    cost: Cost
    text: str


@dataclass(frozen=True, slots=True)
class Hop:
    """One step of a blame path: a collection, and the rule by which one comes to it."""

    collection: str
    rule: str = ""


@dataclass(frozen=True, slots=True)
class Point:
    """A point of order: a rule whose effect depends on the schedule.

    `gate`: the columns within which order or completeness matters; empty means
    the whole collection.  `entry` leads from the channel or input where the
    asynchrony comes in to the rule's head.  `guards` is not empty where a
    protocol declares what guards it.
    """

    id: str
    kind: str
    role: str
    rule: str
    text: str
    span: ir.Span
    why: str
    inference: str
    gate: tuple[str, ...]
    source: str
    entry: tuple[Hop, ...]
    mends: tuple[Mend, ...]
    guards: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Flag:
    """A point of order as it reaches one collection: the whole way from the channel."""

    point: Point
    path: tuple[Hop, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What can be relied on for one output, durable table or unread collection.

    `label` is Blazes' for a replicated component (4.5), "" if it is not replicated.
    """

    collection: str
    role: str
    kind: ir.Kind
    word: Word
    mode: str
    span: ir.Span
    advice: str
    flags: tuple[Flag, ...] = ()
    label: str = ""

    @property
    def points(self) -> tuple[Point, ...]:
        return tuple(flag.point for flag in self.flags)


@dataclass(frozen=True, slots=True)
class Invariance:
    """Whether replicas that each keep an invariant keep it when they merge (4.7)."""

    collection: str
    role: str
    confluent: bool
    span: ir.Span
    why: str
    mends: tuple[Mend, ...] = ()


@dataclass(frozen=True, slots=True)
class Derivation:
    """How a rule came by its mode, one line per inference rule."""

    role: str
    rule: str
    head: str
    mode: str
    text: str
    span: ir.Span
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """All that `check` has to say about a program or deployment.

    `points` are those that reach a verdict; `modes` are those of all collections.
    """

    name: str
    roles: tuple[str, ...]
    verdicts: tuple[Verdict, ...]
    points: tuple[Point, ...]
    modes: dict[str, str]
    invariants: tuple[Invariance, ...] = ()
    derivations: tuple[Derivation, ...] = ()
    warnings: tuple[str, ...] = ()
    replicas: dict[str, int] = field(default_factory=dict)

    @property
    def needs_coordination(self) -> bool:
        return any(verdict.word == "needs coordination" for verdict in self.verdicts)

    @property
    def unguarded(self) -> tuple[Point, ...]:
        """The points that reach a verdict and that no protocol guards."""
        found = {
            flag.point.id: flag.point
            for verdict in self.verdicts
            if verdict.word == "needs coordination"
            for flag in verdict.flags
            if not flag.point.guards
        }
        return tuple(found.values())

    @property
    def status(self) -> int:
        """The exit status of `check`: 1 where coordination is needed."""
        return int(self.needs_coordination)

    def verdict(self, collection: str) -> Verdict:
        """The verdict on a collection; KeyError lists what there is."""
        for verdict in self.verdicts:
            if collection in (verdict.collection, verdict.collection.rpartition(".")[2]):
                return verdict
        known = ", ".join(verdict.collection for verdict in self.verdicts)
        raise KeyError(f"no verdict on {collection!r}; there is one on {known}")

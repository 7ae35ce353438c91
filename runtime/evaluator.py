"""What every evaluator of programs offers, and the data it hands back.

Two evaluators stand behind this one interface: the engine (Rust) and the
reference (Python, the semantics by definition).  Nodes and the simulator know
this module only.  An evaluator holds one node's state; it neither knows the
network nor the clock: arrivals come in, a tick runs, frames go out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from bloomish.ir import Span

Row = tuple[object, ...]
Arrival = tuple[str, Row]

MIB = 1 << 20
FRAME_LIMIT = MIB
"""Outbound frames are split at this size."""
FRAME_MAXIMUM = 16 * MIB
"""Inbound frames above this size are refused whole."""
FRAME_VERSION = 1


@dataclass(slots=True)  # not frozen: that would quadruple what one costs, and each tick makes one
class Tick:
    """What one tick did.

    `again`: another tick would change something without any new arrival.
    `events`: rows of outputs and invariants that ephemeral rules derived at
    this tick.  `added` and `removed`: how the views among them changed.
    `durable`: per durable table, the rows (removed, added) between the state
    that the last tick committed and the one that the next tick starts with.
    Rows are in value order everywhere; collections without rows are left out.
    `rows_in` counts the distinct rows that arrived, `rows_out` those queued to
    be sent.
    """

    number: int
    again: bool = False
    events: dict[str, list[Row]] = field(default_factory=dict)
    added: dict[str, list[Row]] = field(default_factory=dict)
    removed: dict[str, list[Row]] = field(default_factory=dict)
    durable: dict[str, tuple[list[Row], list[Row]]] = field(default_factory=dict)
    rows_in: int = 0
    rows_out: int = 0


@dataclass(slots=True)
class Series(Tick):
    """Several ticks in a row, as one: `number` and `again` are the last one's, `durable` is
    what all of them did together, and rows are counted over all.

    `shown`: in order, those ticks that have events, or added or removed rows.
    """

    count: int = 1
    shown: list[Tick] = field(default_factory=list)


class TickFailed(Exception):
    """A tick that could not be taken; the node and its arrivals are as before it.

    `rule` names the rule, or several joined by commas.  `rows` are the rows at
    fault, each with its collection.
    """

    def __init__(
        self,
        rule: str,
        rows: Sequence[Arrival] = (),
        message: str = "",
        span: Span | None = None,
    ) -> None:
        super().__init__(rule, rows, message, span)
        self.rule = rule
        self.rows: tuple[Arrival, ...] = tuple(rows)
        self.message = message
        self.span = span or Span()

    def __str__(self) -> str:
        place = f"{self.span.file}:{self.span.line}: " if self.span.file else ""
        text = f"{place}{self.rule}: {self.message}"
        for collection, row in self.rows:
            text += f"\n  {collection}{row!r}"
        return text


class RowRefused(ValueError):
    """A row given by the host that its collection cannot take; nothing was inserted."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Rows refused at the door: an omission to the outside world, counted and logged.

    `channel` is "" when the whole frame is refused; `rows` is how many rows
    were refused for this reason (1 for a frame that cannot be read).
    """

    reason: str
    channel: str = ""
    rows: int = 1
    row: object = None


@dataclass(slots=True)  # not frozen, as Tick
class Received:
    """How many rows of a frame were taken, who says to have sent it, what was refused."""

    rows: int
    refused: tuple[Refusal, ...] = ()
    sender: str = ""


class Evaluator(Protocol):
    """One node's state and the rules that change it."""

    node: str
    name: str  # "engine" or "reference"

    def insert(self, collection: str, rows: Sequence[Row]) -> None:
        """Rows for the next tick: of an input, a periodic, or (simulator) a channel.

        Raises RowRefused, and takes none of them, if one does not fit its columns.
        """

    def receive(self, frame: bytes) -> Received:
        """A frame body from a peer, rows for the next tick.  Never raises on bytes."""

    def tick(self, now: float = 0.0) -> Tick:
        """Take what has arrived, run the rules.  Raises TickFailed and changes nothing then."""

    def series(self, now: float, limit: int, patience: float) -> Series:
        """A tick, and for as long as each wants another up to `limit` ticks, begun within
        `patience` seconds.

        It ends sooner after a tick that sends to this very node, or that sends what must not
        share a frame with another tick's rows, and before one that fails.  Raises TickFailed
        if the first one fails, and changes nothing then.
        """

    def probe(self, now: float, arrivals: Sequence[Arrival]) -> TickFailed | None:
        """Would a tick with exactly these arrivals fail?  Changes nothing."""

    def arrivals(self) -> list[Arrival]:
        """What the next tick will take, ordered by collection and value."""

    def set_arrivals(self, arrivals: Sequence[Arrival]) -> None:
        """Put these in place of what has arrived."""

    def frames(self, limit: int = FRAME_LIMIT) -> list[tuple[str, bytes]]:
        """What is to be sent since the last call: (peer, frame body), split at `limit`.

        Peers are in value order, rows for this very node included.
        """

    def sends(self) -> list[tuple[str, str, Row]]:
        """The same queue as rows: (destination, channel's wire name, row)."""

    def resend(self) -> int:
        """Queue all standing sends again; how many rows that are."""

    def resend_stood(self) -> tuple[int, int]:
        """The same of those that stood at the last call of this; how many, and how many stand."""

    def keep_to_itself(self) -> None:
        """From here on ticks need not say what became of durable tables."""

    def contents(self, collection: str) -> list[Row]:
        """Rows in value order, of any collection, as the rules of the last tick saw it
        at their fixpoint (what the tick's end clears included, `<+` not yet shown)."""

    def fingerprint(self) -> bytes:
        """Equal for equal state that influences the future, the tick's number left out."""

    def snapshot(self) -> object:
        """The whole state, to `restore` later, any number of times."""

    def restore(self, snapshot: object) -> None:
        """Go back to a snapshot of this or an equally made evaluator."""

    def load(self, tables: Mapping[str, Sequence[Row]]) -> None:
        """Before the first tick: durable tables as they were committed; their facts
        are then not inserted again."""

"""The virtual network: when a message arrives, how often, or not at all.

A message is what one tick of a node sends to one peer.  Every link has its own
stream of chance, from which each message takes the same number of draws, so
leaving out one fault leaves the rest of a run as alike as can be.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from bloomish.runtime.evaluator import Row
from bloomish.runtime.framing import Kind, pack, plain_rows
from bloomish.runtime.sim.rates import Rates
from bloomish.runtime.sim.schedule import SECOND, Fault, LinkFault, MessageFault

Rows = Mapping[str, Sequence[Row]]

FASTEST, SLOWEST = SECOND // 5_000, SECOND // 500  # 0.2 to 2 ms
REORDERED = SECOND // 50
DELAYED = 2 * SECOND
LOOPBACK = SECOND // 50_000


class Message(NamedTuple):
    """One frame under way."""

    sender: str
    receiver: str
    number: int
    body: bytes

    @property
    def rows(self) -> Rows:
        """What it carries, by the channel's name on the wire."""
        return plain_rows(self.body)

    @property
    def id(self) -> str:
        return f"{self.sender}>{self.receiver}#{self.number}"


Arrival = tuple[int, Message]


@dataclass(slots=True)
class Link:
    """One direction between two nodes."""

    chance: random.Random
    sent: int = 0


@dataclass
class Network:
    """Decides the fate of messages.

    `rates` draw faults until `quiet` is set; `planned` are faults to repeat.
    `happened` collects the message faults that took effect, as a schedule.
    """

    seed: int
    rates: Rates
    planned: Iterable[Fault] = ()
    happened: list[MessageFault] = field(default_factory=list)
    healed: bool = False

    def __post_init__(self) -> None:
        self._links: dict[tuple[str, str], Link] = {}
        self._drawing = self.rates.of_messages
        self._cuts = [fault for fault in self.planned if isinstance(fault, LinkFault)]
        self._plan: dict[tuple[str, str, int], list[MessageFault]] = {}
        for fault in self.planned:
            if isinstance(fault, MessageFault):
                key = (fault.sender, fault.receiver, fault.number)
                self._plan.setdefault(key, []).append(fault)

    def send(
        self, now: int, sender: str, receiver: str, body: bytes
    ) -> tuple[Message, list[Arrival]]:
        """The message, and when it arrives: never, once or several times."""
        key = (sender, receiver)
        link = self._links.get(key)
        if link is None:
            chance = random.Random(f"link/{self.seed}/{sender}/{receiver}")
            link = self._links[key] = Link(chance)
        link.sent += 1
        message = Message(sender, receiver, link.sent, body)
        if sender == receiver:
            return message, [(now + LOOPBACK, message)]
        draw = link.chance.random
        latency = FASTEST + int(draw() * (SLOWEST - FASTEST))
        what, more = draw(), draw()
        faults: Iterable[MessageFault] = ()
        if self._plan:
            faults = self._plan.get((sender, receiver, link.sent), ())
        elif self._drawing and not self.healed:
            faults = self._drawn(message, what, more)
        if faults:
            self.happened += faults
            return message, list(self._faulty(now + latency, message, faults))
        return message, [(now + latency, message)]

    def _drawn(self, message: Message, what: float, more: float) -> list[MessageFault]:
        """At most one fault per message: five slices of the unit interval."""
        rates = self.rates
        edge = rates.loss
        name = (message.sender, message.receiver, message.number)
        if what < edge:
            return [MessageFault("drop", *name)]
        edge += rates.duplicate
        if what < edge:
            return [MessageFault("duplicate", *name, 1 + int(more * DELAYED))]
        edge += rates.delay
        if what < edge:
            return [MessageFault("delay", *name, 1 + int(more * DELAYED))]
        edge += rates.reorder
        if what < edge:
            return [MessageFault("delay", *name, 1 + int(more * REORDERED))]
        edge += rates.split
        if what < edge and sum(map(len, message.rows.values())) > 1:
            return [MessageFault("split", *name)]
        return []

    @staticmethod
    def _faulty(at: int, message: Message, faults: Iterable[MessageFault]) -> Iterator[Arrival]:
        kinds = {fault.kind: fault.extra for fault in faults}
        if "drop" in kinds:
            return
        at += kinds.get("delay", 0)
        if "split" in kinds:
            parts = [(wire, row) for wire, rows in message.rows.items() for row in rows]
            for place, (wire, row) in enumerate(parts):
                body = pack([Kind.ROWS, message.sender, {wire: [row]}])
                yield at + place * (SLOWEST + 1), message._replace(body=body)
        else:
            yield at, message
        if "duplicate" in kinds:
            yield at + kinds["duplicate"], message

    def passes(self, sender: str, receiver: str, now: int) -> bool:
        """Is there no partition between the two now?"""
        if self.healed or not self._cuts:
            return True
        return not any(
            cut.start <= now < cut.end and cut.blocks(sender, receiver) for cut in self._cuts
        )

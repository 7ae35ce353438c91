"""A simulated run as records of the common trace format."""

from __future__ import annotations

from collections.abc import Sequence

from bloomish.runtime.evaluator import Row, Tick
from bloomish.runtime.sim.network import Message
from bloomish.runtime.sim.schedule import SECOND
from bloomish.runtime.sim.stage import Stage
from bloomish.runtime.trace import Happening, Receive, Record, RunRecord, Send, TickRecord


class Recorder:
    """Collects `records`, a tick with what came before it and what it sent."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self._inserts: dict[str, dict[str, list[Row]]] = {}
        self._receives: dict[str, list[Receive]] = {}
        self._sends: dict[str, list[Send]] = {}
        self._ticks: dict[str, tuple[Tick, int]] = {}
        self._numbers: dict[str, int] = {}
        self._lost: list[tuple[Message, int]] = []

    def begin(self, stage: Stage, seed: int) -> None:
        """The first record: who runs what."""
        self.records.append(RunRecord(stage.target, stage.nodes, "simulator", seed=seed))

    def inserted(self, node: str, collection: str, rows: Sequence[Row]) -> None:
        """Rows of a host or a timer."""
        self._inserts.setdefault(node, {}).setdefault(collection, []).extend(rows)

    def received(self, message: Message) -> None:
        """A message, for the receiver's next tick."""
        receive = Receive(message.id, message.sender, message.rows)
        self._receives.setdefault(message.receiver, []).append(receive)

    def sent(self, message: Message, resend: bool, now: int) -> None:
        """A message of the sender's tick, or of its resend timer between ticks."""
        send = Send(message.id, message.receiver, message.rows, resend)
        if message.sender in self._ticks:
            self._sends.setdefault(message.sender, []).append(send)
        else:
            number = self._numbers.get(message.sender, 0)
            self.records.append(TickRecord(message.sender, number, now / SECOND, sends=(send,)))

    def lost(self, message: Message, now: int) -> None:
        """It never arrives."""
        self._lost.append((message, now))
        if message.sender not in self._ticks:
            self._tell_lost()

    def ticked(self, node: str, tick: Tick, now: int) -> None:
        """A tick has been taken; its sends follow, then `flush`."""
        self._numbers[node] = tick.number
        self._ticks[node] = (tick, now)

    def flush(self, node: str) -> None:
        """The record of the tick, whole."""
        tick, now = self._ticks.pop(node)
        self.records.append(
            TickRecord(
                node,
                tick.number,
                now / SECOND,
                self._inserts.pop(node, {}),
                self._receives.pop(node, ()),
                self._sends.pop(node, ()),
                tick.events,
                tick.added,
                tick.removed,
            )
        )
        self._tell_lost()

    def _tell_lost(self) -> None:
        for message, now in self._lost:
            self.records.append(Happening("lost", message.sender, now / SECOND, ids=(message.id,)))
        self._lost.clear()

    def happened(self, what: str, node: str, now: int, text: str = "") -> None:
        """Anything else on a node's line."""
        self.records.append(Happening(what, node, now / SECOND, text))

"""What a plan says of inserted seals: who waits for whom, at what price, and what stops."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from bloomish import ir
from bloomish.analysis.coordination.data import Insertion, Price
from bloomish.analysis.coordination.seal_splice import Place, Splice
from bloomish.analysis.coordination.splice import role_of
from bloomish.analysis.coordination.streams import Question


def insertions(splice: Splice, questions: Sequence[Question]) -> Iterator[Insertion]:
    """One for each role that asks."""
    plan = _Plan(splice)
    for role in dict.fromkeys(question.unit.role for question in questions):
        yield plan.insertion(role, [q for q in questions if q.unit.role == role])


class _Plan:
    def __init__(self, splice: Splice) -> None:
        self.splice, self.system = splice, splice.system
        self.places: dict[str, Place] = splice.places

    def insertion(self, role: str, questions: Sequence[Question]) -> Insertion:
        streams = list(dict.fromkeys(node for one in questions for node in self.beneath(one)))
        gate = tuple(dict.fromkeys(column.name for node in streams for column in self.gate(node)))
        return Insertion(
            "seal",
            role,
            tuple(question.point.id for question in questions),
            tuple(question.unit.rule.name for question in questions),
            tuple(streams),
            gate,
            self.what(questions, streams),
            self.price(streams, gate),
            tuple(self.splice.inserted),
        )

    def what(self, questions: Sequence[Question], streams: Sequence[str]) -> str:
        rules = ", ".join(question.unit.rule.name for question in questions)
        wait = "waits" if len(questions) == 1 else "wait"
        if not streams:
            return f"{rules} {wait} for what is sealed already"
        there = ", and all of it is there" if any(map(self.is_channel, streams)) else ""
        ends = self.ends_of(streams)
        by = f" (said by {' and '.join(ends)})" if ends else ""
        return f"{rules} {wait} until {' and '.join(self.told(streams))}{there}{by}"

    def price(self, streams: Sequence[str], gate: tuple[str, ...]) -> Price:
        """What is said besides the rows themselves, and how long it takes."""
        channels = [node for node in streams if self.is_channel(node)]
        messages = sum(map(self.messages, channels))
        rounds = [node for node in channels if self.places[node].stream.goes_round]
        per = [*([", ".join(gate)] if gate else []), *(["channel"] if len(channels) > 1 else [])]
        formula = "nothing: its own host says it"
        if rounds:
            formula = "2 * nodes * (nodes - 1) once all are at rest, more for each that moves again"
        if len(rounds) < len(channels):
            often = f"per {' and '.join(per)}" if per else "once"
            formula = f"2 * producers * consumers {often}" + (f"; {formula}" if rounds else "")
        if channels:
            formula += "; rows cost what they did"
        only = f"that {', '.join(gate)} alone" if gate else "the answer"
        who = "producer that does not end, or is down," if channels else "host that does not say so"
        stops = f"a {who} keeps {only} waiting"
        trips = max(map(self.round_trips, channels), default=0.0)
        return Price(float(messages), formula, trips, stops)

    def beneath(self, question: Question) -> Iterator[str]:
        """The streams that are sealed for a question, those behind them included."""
        queue = list(question.streams)
        seen: dict[str, None] = {}
        while queue:
            node = queue.pop(0)
            if node not in seen:
                seen[node] = None
                queue += [other for end in self.places[node].stream.ends for other in end.channels]
        yield from seen

    def gate(self, node: str) -> tuple[ir.Column, ...]:
        """The columns by which a stream ends."""
        place = self.places[node]
        return place.part if place.stream.part else ()

    def is_channel(self, node: str) -> bool:
        return self.places[node].channel

    def size(self, role: str) -> int:
        return self.system.roles[role].size

    def producers(self, node: str) -> int:
        """How many nodes send on a channel."""
        roles = {unit.role for unit in self.places[node].stream.senders}
        return sum(self.size(role) for role in roles)

    def consumers(self, node: str) -> int:
        """How many nodes ask for the rows of a channel."""
        return sum(map(self.size, self.splice.receivers(node)))

    def messages(self, node: str) -> int:
        """How many a partition of a channel costs: a manifest and its acknowledgement between
        each producer and each consumer; of what goes round, between each two nodes."""
        if self.places[node].stream.goes_round:
            nodes = sum(map(self.size, self.splice.declaring(node)))
            return 2 * nodes * (nodes - 1)
        return 2 * self.producers(node) * self.consumers(node)

    def round_trips(self, node: str) -> float:
        """From the end of what it is made of to its own."""
        place = self.places[node]
        if not place.channel:
            return 0.0
        behind = {other for end in place.stream.ends for other in end.channels}
        return 0.5 + max(map(self.round_trips, behind), default=0.0)

    def told(self, nodes: Sequence[str]) -> Iterator[str]:
        """Who says that there is no more, in words."""
        own: dict[str, list[str]] = {}
        for node in nodes:
            if not self.places[node].channel:
                own.setdefault(self._per(node), []).append(self._named(node))
        for per, names in own.items():
            yield f"the node's own host has no more {' or '.join(names)}{per}"
        yield from (self._told(node) for node in nodes if self.places[node].channel)

    def _named(self, node: str) -> str:
        return self.system.nodes[node].collection.name

    def _per(self, node: str) -> str:
        per = ", ".join(column.name for column in self.gate(node))
        return f" for the {per}" if per else ""

    def _told(self, node: str) -> str:
        place = self.places[node]
        if place.stream.goes_round:
            return f"no node has any {self._named(node)} left to send or under way"
        roles = list(dict.fromkeys(unit.role for unit in place.stream.senders))
        who = " and ".join(
            f"the {self.size(role)} nodes of {role}" if self.size(role) > 1 else f"{role}-0"
            for role in roles
        )
        has = "have" if self.producers(node) > 1 else "has"
        return f"{who} {has} no more {self._named(node)}{self._per(node)}"

    def ends_of(self, streams: Iterable[str]) -> list[str]:
        """The inputs by which hosts end these streams."""
        found: dict[str, None] = {}
        for node in streams:
            for end in self.places[node].stream.ends:
                if end.inputs:
                    signal = self.splice.signals[end.role]
                    program = role_of(self.splice.deployed, end.role).program
                    declared = next(c for c in program.collections if c.name == signal)
                    columns = ", ".join(column.name for column in declared.columns)
                    found[f"{end.role}:{signal}({columns})"] = None
        return list(found)

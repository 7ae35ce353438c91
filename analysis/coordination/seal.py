"""Insertion of seals: an answer waits until all who add have said that they are done.

Every channel beneath a question (`streams.py`) goes through a module of
`programs/sealing.py`: its senders say how many rows they sent once they have
ended, its receivers know when all of a partition is there, and the rule that
asks waits for that, and no other rule: what only grows flows as it did.  An
input beneath a question is kept by its own node until its host has ended.  An
event that asks is kept until the answer is there.

A host ends by a row of `seal.end`, or of an input that the program declares by
`assume("ends", ...)`.  Source: ANALYSIS 4.6, number 3; Blazes (ICDE 2014).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from bloomish.analysis.coordination.data import Inserted, Insertion, Price, Refusal
from bloomish.analysis.coordination.partitions import partition
from bloomish.analysis.coordination.seal_splice import Splice
from bloomish.analysis.coordination.streams import NotYet, Question, Survey, Unsealable
from bloomish.analysis.graph import System
from bloomish.analysis.inference import Inference, infer
from bloomish.analysis.result import Point, Report
from bloomish.cluster import CompiledCluster


def sealable(inference: Inference, report: Report, point: Point) -> str:
    """Why a point cannot be sealed, "" if it can, or can once another one is."""
    survey = Survey(inference)
    try:
        _settle(survey, [_surveyed(survey, point)])
    except NotYet as why:
        others = (other for other in report.points if other.id != point.id)
        return "" if any(_is_ready(inference, other) for other in others) else str(why)
    except Unsealable as why:
        return str(why)
    return ""


def _surveyed(survey: Survey, point: Point) -> Question:
    question = survey.question(point)
    for node in question.streams:
        survey.stream(node)
    return question


def _settle(survey: Survey, questions: Sequence[Question]) -> None:
    partition(survey.system, survey.contracts, survey.streams, questions)


def _is_ready(inference: Inference, point: Point) -> bool:
    survey = Survey(inference)
    try:
        _settle(survey, [_surveyed(survey, point)])
    except Unsealable:
        return False
    return True


def seals(
    given: CompiledCluster, inference: Inference, report: Report, points: Sequence[Point]
) -> Inserted:
    """Seals for these points, as far as they can have them.

    What rests on another point of order comes when that one is sealed: until then
    it is neither inserted nor refused, if there is such a one.
    """
    ready: list[Point] = []
    refusals: list[Refusal] = []
    later: list[Refusal] = []
    for point in points:
        alone = Survey(inference)
        try:
            _settle(alone, [_surveyed(alone, point)])
        except NotYet as why:
            later.append(_refusal(point, str(why)))
        except Unsealable as why:
            refusals.append(_refusal(point, str(why)))
        else:
            ready.append(point)
    if not ready:
        return Inserted(given, (), (*refusals, *later))
    survey = Survey(inference)
    questions = [_surveyed(survey, point) for point in ready]
    _settle(survey, questions)
    splice = Splice(given, survey, questions)
    made = splice.insert()
    refusals += _without_effect(made, questions)
    return Inserted(made, tuple(_insertions(splice, questions)), tuple(refusals))


def _refusal(point: Point, why: str) -> Refusal:
    return Refusal(point.id, point.rule, point.span, why)


def _without_effect(deployed: CompiledCluster, questions: Iterable[Question]) -> Iterator[Refusal]:
    """Questions that depend on the schedule even so."""
    found = infer(System(deployed.deployment))
    flagged = {(c.unit.role, c.unit.rule.name): c.findings for c in found.conclusions if c.findings}
    for question in questions:
        findings = flagged.get((question.unit.role, question.unit.rule.name))
        if findings:
            yield _refusal(question.point, f"sealed, and still: {findings[0].why}")


# ------------------------------------------------------------------------- the price


def _insertions(splice: Splice, questions: Sequence[Question]) -> Iterator[Insertion]:
    """One per role that asks."""
    for role in dict.fromkeys(question.unit.role for question in questions):
        mine = [question for question in questions if question.unit.role == role]
        streams = list(dict.fromkeys(node for q in mine for node in splice.beneath(q)))
        gate = dict.fromkeys(column.name for node in streams for column in splice.gate(node))
        yield Insertion(
            "seal",
            role,
            tuple(question.point.id for question in mine),
            tuple(question.unit.rule.name for question in mine),
            tuple(streams),
            tuple(gate),
            _what(splice, mine, streams),
            _price(splice, streams, tuple(gate)),
            tuple(splice.inserted),
        )


def _what(splice: Splice, questions: Sequence[Question], streams: Sequence[str]) -> str:
    rules = ", ".join(question.unit.rule.name for question in questions)
    wait = "waits" if len(questions) == 1 else "wait"
    if not streams:
        return f"{rules} {wait} for what is sealed already"
    there = ", and all of it is there" if any(map(splice.is_channel, streams)) else ""
    ends = splice.ends_of(streams)
    by = f" (said by {' and '.join(ends)})" if ends else ""
    return f"{rules} {wait} until {' and '.join(splice.told(streams))}{there}{by}"


def _price(splice: Splice, streams: Sequence[str], gate: tuple[str, ...]) -> Price:
    """What is said besides the rows themselves, and how long it takes."""
    channels = [node for node in streams if splice.is_channel(node)]
    messages = sum(map(splice.messages, channels))
    rounds = [node for node in channels if splice.places[node].stream.goes_round]
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
    trips = max(map(splice.round_trips, channels), default=0.0)
    return Price(float(messages), formula, trips, stops)

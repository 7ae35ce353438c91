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

from collections.abc import Iterable, Iterator, Sequence, Set

from bloomish.analysis.coordination.data import Inserted, Refusal
from bloomish.analysis.coordination.partitions import partition
from bloomish.analysis.coordination.seal_plan import insertions
from bloomish.analysis.coordination.seal_splice import Splice
from bloomish.analysis.coordination.streams import Finer, NotYet, Question, Survey, Unsealable
from bloomish.analysis.graph import System
from bloomish.analysis.inference import Inference, infer
from bloomish.analysis.result import Point, Report
from bloomish.cluster import CompiledCluster


def sealable(inference: Inference, report: Report, point: Point) -> str:
    """Why a point cannot be sealed, "" if it can, or can once another one is."""
    why = _hindrance(inference, point)
    if isinstance(why, NotYet):
        others = (other for other in report.points if other.id != point.id)
        return "" if any(_hindrance(inference, other) is None for other in others) else str(why)
    return "" if why is None else str(why)


def too_fine(inference: Inference, point: Point) -> frozenset[str]:
    """Columns by which there should be no parts in what is sealed already, so that a point that
    rests on it can be sealed."""
    why = _hindrance(inference, point)
    return why.names if isinstance(why, Finer) else frozenset()


def _hindrance(
    inference: Inference, point: Point, coarse: Set[str] = frozenset()
) -> Unsealable | None:
    """What keeps a point, for itself, from being sealed."""
    try:
        _settled(inference, [point], coarse)
    except Unsealable as why:
        return why
    return None


def _settled(
    inference: Inference, points: Sequence[Point], coarse: Set[str]
) -> tuple[Survey, list[Question]]:
    """What these points ask, and in which parts it is sealed; raises Unsealable."""
    survey = Survey(inference)
    questions = []
    for point in points:
        question = survey.question(point)
        questions.append(question)
        for node in question.streams:
            survey.stream(node)
    partition(survey.system, survey.contracts, survey.streams, questions, coarse)
    return survey, questions


def seals(
    given: CompiledCluster,
    inference: Inference,
    report: Report,
    points: Sequence[Point],
    coarse: Set[str] = frozenset(),
) -> Inserted:
    """Seals for these points, as far as they can have them, in parts by no column that is called
    one of `coarse`.

    What rests on another point of order comes when that one is sealed: until then
    it is neither inserted nor refused, if there is such a one.
    """
    ready: list[Point] = []
    refusals: list[Refusal] = []
    later: list[Refusal] = []
    for point in points:
        why = _hindrance(inference, point, coarse)
        if why is None:
            ready.append(point)
        else:
            (later if isinstance(why, NotYet) else refusals).append(_refusal(point, str(why)))
    if not ready:
        return Inserted(given, (), (*refusals, *later))
    survey, questions = _settled(inference, ready, coarse)
    splice = Splice(given, survey, questions)
    made = splice.insert()
    refusals += _without_effect(made, questions)
    return Inserted(made, tuple(insertions(splice, questions)), tuple(refusals))


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

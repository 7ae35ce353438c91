"""The report as quiet, aligned text: one line per collection, the trouble under it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from bloomish.analysis.result import Derivation, Flag, Hop, Invariance, Mend, Point, Report, Verdict
from bloomish.errors import where

WIDTH = 100


def render(report: Report) -> str:
    """The whole report; ends with a newline."""
    return "\n".join(_lines(report)) + "\n"


def render_verdict(verdict: Verdict) -> str:
    """One verdict alone, with all that is under it."""
    return "\n".join(_verdict(verdict, len(verdict.collection), set()))


def _lines(report: Report) -> Iterator[str]:
    for warning in report.warnings:
        yield f"warning: {warning}"
    if not report.verdicts:
        yield f"{report.name}: nothing to judge: no output, and every collection is read"
    shown = [verdict for verdict in report.verdicts if not _inner(verdict)]
    wide = max((len(verdict.collection) for verdict in shown), default=0)
    told: set[str] = set()
    for verdict in shown:
        yield from _verdict(verdict, wide, told)
    yield from _modules([verdict for verdict in report.verdicts if _inner(verdict)])
    for invariance in report.invariants:
        yield from _invariance(invariance)
    for derivation in report.derivations:
        yield from _derivation(derivation)
    yield _summary(report)


def _inner(verdict: Verdict) -> str:
    """The path of an embedded protocol that guards all that a collection of it depends on."""
    own = verdict.collection.removeprefix(f"{verdict.role}.")
    path, dot, _ = own.partition(".")
    return path if dot and verdict.word == "protocol" else ""


def _modules(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """Embedded protocols, a line each: what they keep is their own business."""
    found: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        role = f"{verdict.role}." if verdict.collection.startswith(f"{verdict.role}.") else ""
        found.setdefault(f"{role}{_inner(verdict)}", []).append(verdict)
    wide = max(map(len, found), default=0)
    for path, inside in found.items():
        guards = dict.fromkeys(g for v in inside for p in v.points for g in p.guards)
        names = "1 collection" if len(inside) == 1 else f"{len(inside)} collections"
        line = f"{path:<{wide}}  protocol: {names}, guarded by {', '.join(guards)}"
        yield from textwrap.wrap(line, WIDTH, subsequent_indent=" " * (wide + 2))


def _verdict(verdict: Verdict, wide: int, told: set[str]) -> Iterator[str]:
    label = f"  [{verdict.label}]" if verdict.label else ""
    head = f"{verdict.collection:<{wide}}  {verdict.word:<18}{label}"
    yield f"{head}  {verdict.advice}".rstrip()
    for flag in verdict.flags:
        yield ""
        yield from _flag(flag, flag.point.id in told)
        told.add(flag.point.id)
    if verdict.flags:
        yield ""


def _flag(flag: Flag, told: bool) -> Iterator[str]:
    point = flag.point
    place = where(point.span) or point.rule
    yield f"  {point.id}  {place}: {point.kind}"
    if told:
        yield from _field("path", way(flag.path))
        yield from _field("see", f"{point.id} above")
        return
    if point.guards:
        yield from _field("why", point.why)
        yield from _field("guarded", "by " + ", ".join(point.guards))
        return
    for line in point.text.splitlines():
        yield f"      {line}"
    yield from _field("why", point.why)
    yield from _field("gate", gate(point))
    yield from _field("path", way(flag.path))
    for number, mend in enumerate(point.mends, 1):
        yield from _field("mend" if number == 1 else "", f"{number}. {mend.cost}: {mend.text}")


def gate(point: Point) -> str:
    """The columns within which order matters."""
    return f"per ({', '.join(point.gate)})" if point.gate else "the whole collection"


def way(hops: tuple[Hop, ...]) -> str:
    """`put -> store_1 -> store`: collections, and in brackets the rules between them."""
    text = ""
    for hop in hops:
        if not text:
            text = hop.collection
        else:
            text += f" -[{hop.rule}]-> {hop.collection}" if hop.rule else f" -> {hop.collection}"
    return text


def _field(name: str, text: str) -> Iterator[str]:
    indent = " " * 15
    lines = textwrap.wrap(text, WIDTH - len(indent), break_on_hyphens=False) or [""]
    for number, line in enumerate(lines):
        label = name if number == 0 else ""
        yield f"      {label:<9}{line}".rstrip()


def _invariance(invariance: Invariance) -> Iterator[str]:
    place = where(invariance.span)
    state = "kept by merging" if invariance.confluent else "may be broken by merging"
    yield f"invariant {invariance.collection}  {state}" + (f"  ({place})" if place else "")
    if not invariance.confluent:
        yield from _field("why", invariance.why)
        yield from _mends(invariance.mends)


def _mends(mends: tuple[Mend, ...]) -> Iterator[str]:
    for number, mend in enumerate(mends, 1):
        yield from _field("mend" if number == 1 else "", f"{number}. {mend.cost}: {mend.text}")


def _derivation(derivation: Derivation) -> Iterator[str]:
    place = where(derivation.span) or derivation.role
    yield f"{derivation.rule}  {derivation.mode}  ({place})"
    for line in derivation.text.splitlines():
        yield f"    {line}"
    for step in derivation.steps:
        yield f"    {step.rule:<4}{step.mode:<8}{step.text}"


def _summary(report: Report) -> str:
    flagged = sum(verdict.word == "needs coordination" for verdict in report.verdicts)
    total = len(report.verdicts)
    judged = f"{total} verdict{'s' if total != 1 else ''}"
    if not flagged:
        return f"{judged}, none needs coordination"
    return f"{judged}, {flagged} need{'s' if flagged == 1 else ''} coordination"

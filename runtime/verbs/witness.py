"""`bloomish check --witness`: every verdict backed by executions.

At each point of order: two schedules of the same messages that end differently,
or that none was found and within which bounds.  For what needs no coordination:
what was explored, without any reduction.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from bloomish.analysis.checking import check
from bloomish.analysis.report.text import render
from bloomish.analysis.result import Report, Verdict
from bloomish.errors import BloomishError
from bloomish.runtime.diagram.pair import pair_page
from bloomish.runtime.sim.explore.sites import SET_ASIDE
from bloomish.runtime.sim.explore.space import Limits
from bloomish.runtime.sim.explore.witness import Searched, Witness, witness
from bloomish.runtime.sim.stage import Stage, stage_of_target
from bloomish.targets import Target, load

FLAGGED = "needs coordination"
BY_DESIGN = ("snapshot", FLAGGED)  # words that allow schedules to end differently
TWO = ("node-0", "node-1")


@dataclass(frozen=True)
class Backed:
    """What exploration says of a point of order (`point`) or of collections that need none."""

    point: str
    text: str
    collections: tuple[str, ...]
    searched: Searched

    @property
    def contradicts(self) -> bool:
        """A verdict that executions refute; rows that a tick was failed by, and that were
        set aside, are another matter."""
        found = self.searched.witness
        return (
            not self.point
            and found is not None
            and not any(one.collection.startswith(SET_ASIDE) for one in found.differences)
        )


def check_with_witness(
    target: str, replicas: int, explain: bool, form: str, states: int, page: Path | None
) -> int:
    """The report, then its executions; 1 if something needs coordination (or is refuted)."""
    loaded = load(target)
    report = check(loaded, replicas, explain)
    found = back(report, stages(loaded), states)
    if form == "json":
        click.echo(json.dumps([_data(one) for one in found], ensure_ascii=False, indent=2))
    else:
        click.echo(render(report), nl=False)
        for one in found:
            _print(one)
    if page is not None:
        points = [(f"{one.point}  {one.text}", one.searched) for one in found if one.point]
        try:
            page.write_text(pair_page(report.name, points), encoding="utf-8")
        except OSError as failure:
            raise BloomishError(f"cannot write {page}: {failure.strerror}") from None
    return 1 if any(one.contradicts for one in found) else report.status


def stages(loaded: Target) -> list[Stage]:
    """The target as it runs; a program alone also as two nodes."""
    if loaded.cluster is not None or len(loaded.programs) != 1:
        return [stage_of_target(loaded)]
    program = loaded.programs[0].program
    sends = program.notation != "dedalus" and any(rule.op == "<~" for rule in program.rules)
    return [stage_of_target(loaded), *([stage_of_target(loaded, TWO)] if sends else [])]


def back(report: Report, where: Sequence[Stage], states: int) -> list[Backed]:
    """Explores every point of order, and all other verdicts together."""
    found = []
    for point in report.points:
        names = tuple(_name(v) for v in report.verdicts if _flagged(v, point.id))
        searched = _search(where, names, Limits(states=states))
        found.append(Backed(point.id, point.text, names, searched))
    sure = [v for v in report.verdicts if v.word not in BY_DESIGN]
    rest = tuple(_name(v) for v in sure)
    if rest:
        searched = _search(where, rest, Limits(states=states, reduce=False))
        words = ", ".join(sorted({v.word for v in sure}))
        found.append(Backed("", words, rest, searched))
    return found


def _name(verdict: Verdict) -> str:
    """The collection as its program calls it: reports put the role before it."""
    return verdict.collection.removeprefix(f"{verdict.role}.")


def _flagged(verdict: Verdict, point: str) -> bool:
    return any(flag.point.id == point for flag in verdict.flags)


def _search(where: Sequence[Stage], names: Sequence[str], limits: Limits) -> Searched:
    searched = None
    for stage in where:
        searched = witness(stage, names, limits)
        if searched.witness is not None:
            break
    assert searched is not None
    return searched


def _print(one: Backed) -> None:
    names = ", ".join(one.collections)
    searched = one.searched
    explored = f"{searched.states:,} states explored ({searched.bounds})"
    click.echo("")
    if one.point and searched.witness is None:
        click.echo(f"{one.point}  unconfirmed: no two schedules end differently in {names}")
        click.echo(f"    {explored}")
        return
    if searched.witness is None:
        ways = "unreduced, all schedules end alike" if searched.complete else "unreduced, in part"
        click.echo(f"{names}: {one.text}; {ways}")
        click.echo(f"    {explored}")
        return
    if not one.point and not one.contradicts:
        click.echo(f"{names}: {one.text}; but rows that made a tick fail were set aside")
    elif one.contradicts:
        click.echo(f"REFUTED: {names} ({one.text}) ends differently under two schedules")
    else:
        click.echo(f"{one.point}  witness: the same messages end differently in {names}")
    for line in _schedules(searched.witness):
        click.echo(f"    {line}")


def _schedules(found: Witness) -> list[str]:
    lines = []
    for name, schedule in (("first", found.first), ("second", found.second)):
        lines.append(f"{name}:")
        lines += [f"  {n}. {tick}" for n, tick in enumerate(schedule.ticks, start=1)]
    for one in found.differences:
        first, second = (
            ", ".join(map(repr, rows)) or "nothing" for rows in (one.first, one.second)
        )
        lines.append(f"{one.collection} at {one.node}: first has {first}; second has {second}")
    return lines


def _data(one: Backed) -> dict[str, object]:
    searched = one.searched
    data: dict[str, object] = {
        "point": one.point,
        "collections": list(one.collections),
        "states": searched.states,
        "bounds": searched.bounds,
        "complete": searched.complete,
        "refuted": one.contradicts,
        "witness": None,
    }
    if searched.witness is not None:
        found = searched.witness
        data["witness"] = {
            "first": [str(tick) for tick in found.first.ticks],
            "second": [str(tick) for tick in found.second.ticks],
            "differences": [
                {
                    "node": each.node,
                    "collection": each.collection,
                    "first": [repr(row) for row in each.first],
                    "second": [repr(row) for row in each.second],
                }
                for each in found.differences
            ],
        }
    return data

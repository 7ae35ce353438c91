"""`bloomish explore`: all schedules within bounds; how many ways they end."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import click

from bloomish.errors import BloomishError
from bloomish.runtime.coordinated import load, plain
from bloomish.runtime.feeds import parse_feed
from bloomish.runtime.sim.explore.outcomes import Outcome, by_decided_log, outcomes
from bloomish.runtime.sim.explore.space import Limits, Space, explore
from bloomish.runtime.sim.explore.witness import Difference, differences, schedule_of
from bloomish.runtime.sim.stage import Stage, stage_of_target
from bloomish.runtime.sim.workload import Insert, fed, make_up, systematic
from bloomish.targets import Target

SHOWN = 5


@dataclass(frozen=True)
class Options:
    """What the command line gives."""

    target: str
    rows: int
    seed: int | None
    feeds: Sequence[str]
    nodes: str
    states: int
    duplicates: int
    crashes: int
    idle: int
    unreduced: bool
    trust_verdicts: bool
    step: Literal["tick", "action"]
    protocol: bool
    evaluator: str
    form: Literal["text", "json"]


def run(options: Options) -> int:
    """0: one outcome (or one for each decided log) and no violation; 1: otherwise, also where a
    bound cut it short before any schedule had come to its end, and where verdicts were trusted:
    then nothing is claimed."""
    nodes = tuple(name.strip() for name in options.nodes.split(",") if name.strip())
    if options.protocol and plain(options.target) == options.target:
        raise BloomishError("--protocol says what of --coordinate to explore: give that too")
    target = load(options.target, "paxos" if options.protocol else "contract")
    stage = stage_of_target(target, nodes)
    inserts = _inserts(options, stage)
    limits = Limits(
        options.states,
        options.duplicates,
        options.crashes,
        options.idle,
        not options.unreduced,
        options.step,
        trusted=_trusted(options, target, stage),
    )
    started = time.perf_counter()
    space = explore(stage, inserts, limits, options.seed or 0, options.evaluator)
    found = outcomes(space)
    spent = time.perf_counter() - started
    groups = list(by_decided_log(space, found).values())
    alike = bool(found) and all(len(group) == 1 for group in groups)
    status = 0 if alike and not space.violations and not options.trust_verdicts else 1
    report = _report(options, space, inserts, found, groups, spent, status)
    if options.form == "json":
        click.echo(json.dumps(report, ensure_ascii=False, indent=2))
    else:
        _print(report)
    return status


def _trusted(options: Options, target: Target, stage: Stage) -> frozenset[tuple[str, str]]:
    if not options.trust_verdicts:
        return frozenset()
    if options.unreduced:
        raise BloomishError("--unreduced leaves nothing out; --trust-verdicts does")
    from bloomish.analysis.checking import check
    from bloomish.runtime.sim.explore.trust import trusted

    report = check(target)
    return trusted(stage, report.modes, len(report.roles) == 1)


def _inserts(options: Options, stage: Stage) -> Sequence[Insert]:
    if options.feeds:
        if stage.declared is None:
            raise BloomishError("--feed needs a cluster or a single node")
        return fed([parse_feed(text, stage.declared) for text in options.feeds], 1, stage)
    if options.seed is None:
        return systematic(stage, options.rows)
    return make_up(stage, options.seed, options.rows, 1_000)


def _report(
    options: Options,
    space: Space,
    inserts: Sequence[Insert],
    found: Sequence[Outcome],
    groups: Sequence[Sequence[Outcome]],
    spent: float,
    status: int,
) -> dict[str, Any]:
    report: dict[str, Any] = {
        "target": options.target,
        "status": status,
        "inserts": [f"{one.node}: {one.collection}{row!r}" for one in inserts for row in one.rows],
        "states": len(space.states),
        "steps": space.steps,
        "seconds": round(spent, 3),
        "outcomes": len(found),
        "decided_logs": len(groups),
        "bounded": sorted(space.bounded),
        "bounds": {
            "states": options.states,
            "duplicates": options.duplicates,
            "crashes": options.crashes,
            "reduced": not options.unreduced,
            "step": options.step,
        },
        "trusting_verdicts": options.trust_verdicts,
        "violations": [
            {"what": str(one), "schedule": [str(tick) for tick in schedule_of(space, path).ticks]}
            for one, path in list(space.violations.items())[:SHOWN]
        ],
    }
    pair = next((group for group in groups if len(group) > 1), None)
    if pair is not None:
        report["differ"] = _differ(space, pair[0], pair[1])
    elif len(found) == 1:
        report["outcome"] = _contents(found[0])
    return report


def _differ(space: Space, one: Outcome, other: Outcome) -> dict[str, Any]:
    return {
        "first": [str(tick) for tick in schedule_of(space, space.path(one.state)).ticks],
        "second": [str(tick) for tick in schedule_of(space, space.path(other.state)).ticks],
        "differences": [_difference(each) for each in differences(one.content, other.content)],
    }


def _difference(one: Difference) -> dict[str, str]:
    return {
        "where": f"{one.collection} at {one.node}",
        "first": ", ".join(map(repr, one.first)),
        "second": ", ".join(map(repr, one.second)),
    }


def _contents(outcome: Outcome) -> list[str]:
    return [
        f"{name} at {node}: {', '.join(map(repr, rows))}" for node, name, rows in outcome.content
    ]


def _print(report: dict[str, Any]) -> None:
    rate = report["states"] / report["seconds"] if report["seconds"] else 0.0
    click.echo(
        f"{report['target']}: {report['states']:,} states, {report['steps']:,} steps in "
        f"{report['seconds']:.2f} s ({rate:,.0f} states/s), {report['outcomes']} outcome(s)"
    )
    if report["decided_logs"] > 1:
        click.echo(f"  over {report['decided_logs']} decided log(s)")
    if not report["outcomes"]:
        click.echo("  bounded: no schedule was followed to its end")
    if report["trusting_verdicts"]:
        click.echo("  trusting verdicts: no claim about the schedules left out")
    for text in report["inserts"]:
        click.echo(f"  given: {text}")
    for text in report["bounded"]:
        click.echo(f"  bounded: {text}")
    for violation in report["violations"]:
        click.echo(f"\nVIOLATED: {violation['what']}")
        _print_schedule(violation["schedule"])
    if "differ" in report:
        differ = report["differ"]
        click.echo("\ntwo schedules of the same messages end differently:")
        for one in differ["differences"]:
            click.echo(f"  {one['where']}")
            click.echo(f"    first:  {one['first'] or 'nothing more'}")
            click.echo(f"    second: {one['second'] or 'nothing more'}")
        for name in ("first", "second"):
            click.echo(f"\nthe {name}:")
            _print_schedule(differ[name])
    for text in report.get("outcome", ()):
        click.echo(f"  ends with {text}")


def _print_schedule(ticks: Sequence[str]) -> None:
    for number, text in enumerate(ticks, start=1):
        click.echo(f"  {number:>3}. {text}")

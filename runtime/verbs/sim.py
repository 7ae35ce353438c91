"""`bloomish sim`: many runs under faults; what breaks is shrunk and can be replayed."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import click

from bloomish.errors import BloomishError
from bloomish.runtime.coordinated import arguments
from bloomish.runtime.feeds import parse_feed
from bloomish.runtime.sim.random_runs import SAFETY, Outcome, Settings, run_seed, workload
from bloomish.runtime.sim.rates import parse_rates
from bloomish.runtime.sim.recorder import Recorder
from bloomish.runtime.sim.schedule import SECOND, Schedule, from_text, to_text
from bloomish.runtime.sim.shrink import shrink
from bloomish.runtime.sim.stage import Stage, stage_of
from bloomish.runtime.sim.workload import Insert, fed
from bloomish.runtime.trace import to_line


@dataclass(frozen=True)
class Options:
    """What the command line gives."""

    target: str
    seed: int | None
    seeds: int
    faults: str
    ticks: int
    rows: int
    feeds: Sequence[str]
    nodes: str
    schedule: str | None
    trace: Path | None
    evaluator: str
    form: Literal["text", "json"]


def sim(options: Options) -> int:
    """0: nothing broke; 1: a property did."""
    nodes = tuple(name.strip() for name in options.nodes.split(",") if name.strip())
    stage = stage_of(options.target, nodes)
    settings = Settings(
        stage,
        parse_rates(options.faults),
        options.ticks,
        options.rows,
        _inserts(options, stage),
        options.evaluator,
    )
    first = options.seed or 0
    seeds = range(first, first + (1 if options.seed is not None else options.seeds))
    schedule = None
    if options.schedule is not None:
        schedule = from_text(options.schedule, stage.nodes)
    started = time.perf_counter()
    outcomes: list[Outcome] = []
    for seed in seeds:
        outcomes.append(run_seed(settings, seed, schedule))
        if outcomes[-1].violations:
            break
    spent = time.perf_counter() - started
    last = outcomes[-1]
    shrunk = last.schedule
    if last.violations and schedule is None:
        shrunk, last = _shrunk(settings, last)
    report = _report(options, settings, outcomes, last, shrunk, spent)
    if options.form == "json":
        click.echo(json.dumps(report, ensure_ascii=False, indent=2))
    else:
        _print(report)
    if options.trace is not None:
        _write_trace(options.trace, settings, last.seed, shrunk)
    return 1 if last.violations else 0


def _inserts(options: Options, stage: Stage) -> list[Insert] | None:
    if not options.feeds:
        return None
    if stage.declared is None:
        raise BloomishError("--feed needs a cluster or a single node")
    return fed([parse_feed(text, stage.declared) for text in options.feeds], SAFETY // 2, stage)


def _shrunk(settings: Settings, failed: Outcome) -> tuple[Schedule, Outcome]:
    """The least schedule that breaks the same property, and its run."""
    kinds = {(one.kind, one.collection) for one in failed.violations}

    def fails(candidate: Sequence[Any]) -> bool:
        outcome = run_seed(settings, failed.seed, tuple(candidate))
        return any((one.kind, one.collection) in kinds for one in outcome.violations)

    if not fails(failed.schedule):
        return failed.schedule, failed
    schedule = tuple(shrink(failed.schedule, fails))
    return schedule, run_seed(settings, failed.seed, schedule)


def _report(
    options: Options,
    settings: Settings,
    outcomes: Sequence[Outcome],
    last: Outcome,
    shrunk: Schedule,
    spent: float,
) -> dict[str, Any]:
    ticks = sum(one.ticks for one in outcomes)
    virtual = sum(one.time for one in outcomes) / SECOND
    report: dict[str, Any] = {
        "target": options.target,
        "nodes": list(settings.stage.nodes),
        "seeds": [one.seed for one in outcomes],
        "ticks": ticks,
        "messages": sum(one.messages for one in outcomes),
        "lost": sum(one.lost for one in outcomes),
        "set_aside": sum(one.set_aside for one in outcomes),
        "not_quiet": [one.seed for one in outcomes if not one.quiet],
        "seconds": round(spent, 3),
        "virtual_seconds": round(virtual, 3),
        "trace_hash": last.trace_hash,
        "violations": [str(one) for one in last.violations],
    }
    if last.violations:
        report["seed"] = last.seed
        report["schedule"] = [str(fault) for fault in shrunk]
        report["inserts"] = [_insert_text(one) for one in workload(settings, last.seed)]
        report["replay"] = _replay(options, last.seed, shrunk)
    return report


def _insert_text(one: Insert) -> str:
    rows = ", ".join(f"{one.collection}{row!r}" for row in one.rows)
    return f"{one.time / SECOND:.6f} s  {one.node}  {rows}"


def _replay(options: Options, seed: int, schedule: Schedule) -> str:
    parts = ["bloomish", "sim", *arguments(options.target), "--seed", str(seed)]
    parts += ["--schedule", to_text(schedule), "--for", str(options.ticks)]
    if options.rows != Settings.rows:
        parts += ["--rows", str(options.rows)]
    for text in options.feeds:
        parts += ["--feed", text]
    if options.nodes:
        parts += ["--nodes", options.nodes]
    if options.evaluator != "auto":
        parts += ["--evaluator", options.evaluator]
    return shlex.join(parts)


def _print(report: dict[str, Any]) -> None:
    seeds = report["seeds"]
    which = f"seed {seeds[0]}" if len(seeds) == 1 else f"{len(seeds)} seeds"
    rate = report["ticks"] / report["seconds"] if report["seconds"] else 0.0
    click.echo(
        f"{report['target']}: {len(report['nodes'])} node(s), {which}, {report['ticks']:,} ticks, "
        f"{report['messages']:,} messages ({report['lost']:,} lost), "
        f"{report['virtual_seconds']:,.1f} virtual s in {report['seconds']:.2f} s "
        f"({rate:,.0f} ticks/s)"
    )
    if report["set_aside"]:
        click.echo(f"  {report['set_aside']} row(s) set aside by ticks that failed with them")
    if report["not_quiet"]:
        click.echo(f"  {len(report['not_quiet'])} run(s) were not quiet at the end of their ticks")
    click.echo(f"  trace hash of seed {seeds[-1]}: {report['trace_hash']}")
    if not report["violations"]:
        click.echo("  no property was violated")
        return
    click.echo(f"\nVIOLATED with seed {report['seed']}:")
    for text in report["violations"][:10]:
        click.echo(f"  {text}")
    click.echo("\nfaults (the fewest that break it):")
    for text in report["schedule"] or ["none"]:
        click.echo(f"  {text}")
    click.echo("\nwhat the hosts inserted:")
    for text in report["inserts"][:20] or ["nothing"]:
        click.echo(f"  {text}")
    click.echo(f"\nreplay: {report['replay']}")


def _write_trace(path: Path, settings: Settings, seed: int, schedule: Schedule) -> None:
    recorder = Recorder()
    run_seed(replace(settings), seed, schedule, recorder)
    text = "".join(to_line(record) + "\n" for record in recorder.records)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as failure:
        raise BloomishError(f"cannot write {path}: {failure.strerror}") from None

"""`bloomish ldfi`: faults that break a program, or a certificate that none do."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import click

from bloomish import ir
from bloomish.errors import BloomishError
from bloomish.readers.dedalus import read_dedalus
from bloomish.runtime.coordinated import arguments, plain
from bloomish.runtime.feeds import parse_feed
from bloomish.runtime.sim.ldfi import sweep_report
from bloomish.runtime.sim.ldfi.faults import Bounds, CrashMode
from bloomish.runtime.sim.ldfi.global_program import NotFollowed, global_program
from bloomish.runtime.sim.ldfi.report import (
    CERTIFIED,
    COUNTEREXAMPLE,
    as_json,
    as_text,
    lineage_dot,
    word,
)
from bloomish.runtime.sim.ldfi.search import Attack, Verdict
from bloomish.runtime.sim.ldfi.sweep import judged_by, sweep
from bloomish.runtime.sim.stage import Stage, stage_of
from bloomish.runtime.sim.workload import Insert, fed, systematic

STOPPED_STATUS = 3
NUMBERED = "one node numbers all"
"""What a sequencer is guarded `by`."""
SEQUENCER = "a log of several nodes is kept by one of them here, which numbers and repeats"


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line gives."""

    nodes: str
    rows: int
    feeds: Sequence[str]
    eot: int
    eff: int
    crashes: int
    mode: CrashMode
    exhaustive: bool
    limit: int | None
    form: Literal["text", "json"]
    trace: Path | None
    lineage: Path | None


def ldfi(targets: Sequence[str], options: Options) -> int:
    """0: certified within the bounds; 1: counterexample; 3: stopped at `--limit`."""
    if all(target.endswith(".ded") for target in targets):
        nodes = _nodes(options)
        if not nodes:
            raise BloomishError("--nodes names no node; write --nodes a,b,c")
        reading = read_dedalus([Path(target) for target in targets])
        told = list(map(str, reading.warnings))
        return _search(reading.program, _bounds(nodes, options), told, targets, options)
    stage, inserts = _staged(targets, options)
    bounds = _bounds(stage.nodes, options)
    program = _followed(stage, inserts, options)
    if program is None:
        return _sweep(stage, inserts, bounds, targets, options)
    return _search(program, bounds, _notes(stage), targets, options)


def _nodes(options: Options) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name.strip() for name in options.nodes.split(",") if name.strip()))


def _bounds(nodes: tuple[str, ...], options: Options) -> Bounds:
    return Bounds(nodes, options.eot, options.eff, options.crashes, options.mode)


def _staged(targets: Sequence[str], options: Options) -> tuple[Stage, list[Insert]]:
    """The nodes of a Python program, and what its hosts insert."""
    if len(targets) > 1 and not all(plain(target).endswith(".ded") for target in targets):
        raise BloomishError("several targets are for .ded files, which make one program together")
    stage = stage_of(targets[0], _nodes(options), "sequencer")
    inserts = systematic(stage, options.rows)
    if options.feeds:
        if stage.declared is None:
            raise BloomishError("--feed needs a cluster or a single node")
        inserts = fed([parse_feed(text, stage.declared) for text in options.feeds], 1, stage)
    return stage, inserts


def _followed(stage: Stage, inserts: Sequence[Insert], options: Options) -> ir.Program | None:
    """A stage as one program over all nodes, whose lineage says what to try; None where lineage
    does not go, or there is an `invariant` or an `eventually`, of which it does not speak."""
    if not judged_by(stage):
        raise BloomishError(
            f"{stage.target}: there is nothing to judge a run by; state an `invariant`, an "
            "`eventually`, or `pre` and `post`"
        )
    if any(stage.collections("invariant", "eventually")):
        return None
    try:
        return global_program(stage, inserts, options.eot)
    except NotFollowed:
        return None


def _search(
    program: ir.Program,
    bounds: Bounds,
    told: Sequence[str],
    targets: Sequence[str],
    options: Options,
) -> int:
    """The faults that lineage suggests; all of them with `--exhaustive`."""
    warnings = [*told, *_strangers(program, bounds)]
    attack = Attack(program, bounds, options.limit)
    verdict = _exhaust(attack) if options.exhaustive else attack.search()
    if options.form == "json":
        click.echo(json.dumps(as_json(verdict, warnings), ensure_ascii=False, indent=2))
    else:
        for warning in (*warnings, *verdict.warnings):
            click.echo(f"warning: {warning}", err=True)
        for line in as_text(verdict, _command(targets, options)):
            click.echo(line)
    _write(verdict, options, " ".join(targets))
    return {CERTIFIED: 0, COUNTEREXAMPLE: 1}.get(word(verdict), STOPPED_STATUS)


def _sweep(
    stage: Stage,
    inserts: Sequence[Insert],
    bounds: Bounds,
    targets: Sequence[str],
    options: Options,
) -> int:
    """All faults, tick by tick."""
    if options.exhaustive or options.lineage is not None or options.trace is not None:
        raise BloomishError(
            "--exhaustive, --trace and --lineage are for programs that lineage follows; this one "
            "is gone through state by state"
        )
    swept = sweep(stage, inserts, bounds, options.limit)
    notes = _notes(stage)
    if options.form == "json":
        click.echo(json.dumps(sweep_report.as_json(swept, notes), ensure_ascii=False, indent=2))
    else:
        for note in notes:
            click.echo(f"note: {note}", err=True)
        for warning in swept.warnings:
            click.echo(f"warning: {warning}", err=True)
        for line in sweep_report.as_text(swept, _command(targets, options)):
            click.echo(line)
    found = sweep_report.word(swept)
    return {CERTIFIED: 0, COUNTEREXAMPLE: 1}.get(found, STOPPED_STATUS)


def _notes(stage: Stage) -> list[str]:
    """What was put into a program for this purpose, and is not what would run."""
    if plain(stage.target) == stage.target:
        return []
    keepers = Counter(
        (member.program.name, guard.scope)
        for member in stage.members
        for guard in member.program.guards
        if NUMBERED in guard.by
    )
    return [SEQUENCER] if any(count > 1 for count in keepers.values()) else []


def _exhaust(attack: Attack) -> Verdict:
    from bloomish.runtime.sim.ldfi.exhaustive import exhaust

    return exhaust(attack)


def _strangers(program: ir.Program, bounds: Bounds) -> list[str]:
    """Bounds that do not fit the program's facts."""
    known = {value for facts in program.facts for row in facts.rows for value in row}
    constants = {
        arg.value
        for rule in program.rules
        for atom in rule.body
        if isinstance(atom, ir.Atom)
        for arg in atom.args
        if isinstance(arg, ir.Const)
    }
    warnings = [
        f"node {node} occurs in no fact of the program"
        for node in bounds.nodes
        if node not in known | constants
    ]
    late = sorted({facts.at for facts in program.facts if facts.at and facts.at > bounds.eot})
    if late:
        warnings.append(f"facts at {', '.join(map(str, late))} come after the end, {bounds.eot}")
    return warnings


def _command(targets: Sequence[str], options: Options) -> str:
    parts = ["bloomish", "ldfi", *(word for target in targets for word in arguments(target))]
    parts += ["--nodes", options.nodes] if options.nodes else []
    for text in options.feeds:
        parts += ["--feed", text]
    if options.rows != 1:
        parts += ["--rows", str(options.rows)]
    parts += ["--eot", str(options.eot), "--eff", str(options.eff)]
    parts += ["--crashes", str(options.crashes), "--crash", options.mode]
    if options.exhaustive:
        parts.append("--exhaustive")
    return shlex.join(parts)


def _write(verdict: Verdict, options: Options, target: str) -> None:
    """The files that were asked for: of the failing run, or of the run without faults."""
    from bloomish.runtime.sim.ldfi.tracing import records
    from bloomish.runtime.trace import to_line

    run = verdict.counterexample.run if verdict.counterexample else verdict.good
    try:
        if options.trace is not None:
            lines = [to_line(record) for record in records(run, verdict.bounds, target)]
            options.trace.write_text("\n".join(lines) + "\n", encoding="utf-8")
        if options.lineage is not None:
            text = "\n".join(lineage_dot(verdict)) + "\n"
            options.lineage.write_text(text, encoding="utf-8")
    except OSError as failure:
        raise BloomishError(f"cannot write {failure.filename}: {failure.strerror}") from None

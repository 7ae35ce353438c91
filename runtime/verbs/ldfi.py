"""`bloomish ldfi`: faults that break a program, or a certificate that none do."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import click

from bloomish import ir
from bloomish.errors import BloomishError
from bloomish.readers.dedalus import read_dedalus
from bloomish.runtime.coordinated import arguments
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
from bloomish.runtime.sim.ldfi.sweep import Swept, sweep
from bloomish.runtime.sim.ldfi.verdict import POST, PRE
from bloomish.runtime.sim.stage import Stage, stage_of
from bloomish.runtime.sim.workload import Insert, fed, systematic

STOPPED_STATUS = 3
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
    swept = _sweep(targets, options)
    if swept is not None:
        return _tell_sweep(swept, targets, options)
    program, nodes, told = _program(targets, options)
    bounds = Bounds(nodes, options.eot, options.eff, options.crashes, options.mode)
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


def _sweep(targets: Sequence[str], options: Options) -> Swept | None:
    """All faults tick by tick, of a program that lineage does not follow; None if it does."""
    if all(target.endswith(".ded") for target in targets):
        return None
    stage, inserts = _staged(targets, options)
    nodes = stage.nodes
    bounds = Bounds(nodes, options.eot, options.eff, options.crashes, options.mode)
    judged = {c.name for _, c in stage.collections("invariant", "eventually")}
    specified = all(
        any(c.name == name for member in stage.members for c in member.program.collections)
        for name in (PRE, POST)
    )
    if not judged:
        try:
            global_program(stage, inserts, options.eot)
        except NotFollowed:
            if not specified:
                raise BloomishError(
                    f"{targets[0]}: there is nothing to judge a run by; state an `invariant`, an "
                    "`eventually`, or `pre` and `post`"
                ) from None
        else:
            return None
    if options.exhaustive or options.lineage is not None or options.trace is not None:
        raise BloomishError(
            "--exhaustive, --trace and --lineage are for programs that lineage follows; this one "
            "is gone through state by state"
        )
    return sweep(stage, inserts, bounds, options.limit)


def _tell_sweep(swept: Swept, targets: Sequence[str], options: Options) -> int:
    notes = [SEQUENCER] if any(arguments(t) != [t] for t in targets) else []
    if options.form == "json":
        click.echo(json.dumps(sweep_report.as_json(swept, notes), ensure_ascii=False, indent=2))
    else:
        for note in notes:
            click.echo(f"note: {note}", err=True)
        for line in sweep_report.as_text(swept, _command(targets, options)):
            click.echo(line)
    found = sweep_report.word(swept)
    return {CERTIFIED: 0, COUNTEREXAMPLE: 1}.get(found, STOPPED_STATUS)


def _exhaust(attack: Attack) -> Verdict:
    from bloomish.runtime.sim.ldfi.exhaustive import exhaust

    return exhaust(attack)


def _program(
    targets: Sequence[str], options: Options
) -> tuple[ir.Program, tuple[str, ...], list[str]]:
    """The program over all nodes, the nodes, and the reader's warnings."""
    nodes = tuple(dict.fromkeys(name.strip() for name in options.nodes.split(",") if name.strip()))
    if all(target.endswith(".ded") for target in targets):
        if not nodes:
            raise BloomishError("--nodes names no node; write --nodes a,b,c")
        reading = read_dedalus([Path(target) for target in targets])
        return reading.program, nodes, list(map(str, reading.warnings))
    stage, inserts = _staged(targets, options)
    return global_program(stage, inserts, options.eot), stage.nodes, []


def _staged(targets: Sequence[str], options: Options) -> tuple[Stage, list[Insert]]:
    """The nodes of a Python program, and what its hosts insert."""
    nodes = tuple(dict.fromkeys(name.strip() for name in options.nodes.split(",") if name.strip()))
    if len(targets) > 1:
        raise BloomishError("several targets are for .ded files, which make one program together")
    stage = stage_of(targets[0], nodes, "sequencer")
    inserts = systematic(stage, options.rows)
    if options.feeds:
        if stage.declared is None:
            raise BloomishError("--feed needs a cluster or a single node")
        inserts = fed([parse_feed(text, stage.declared) for text in options.feeds], 1, stage)
    return stage, inserts


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

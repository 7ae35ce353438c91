"""`bloomish torture`: runs on real processes under faults, each judged by its histories."""

from __future__ import annotations

import asyncio
import json
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import click

from bloomish.errors import BloomishError
from bloomish.runtime.chaos import faults
from bloomish.runtime.chaos.operations import read
from bloomish.runtime.chaos.torture import Outcome, Settings, planned, resized, torture
from bloomish.runtime.coordinated import arguments, load
from bloomish.runtime.roles import Roles, roles
from bloomish.runtime.sim.explain import as_data, heading, words
from bloomish.runtime.sim.schedule import from_text, to_text


@dataclass(frozen=True)
class Options:
    """What the command line gives."""

    target: str
    operations: Path | None = None
    sizes: Sequence[str] = ()
    runs: int = 1
    seed: int = 0
    seconds: float = 10.0
    faults: str = ",".join(faults.KINDS)
    schedule: str | None = None
    clients: int = 4
    patience: float = 1.0
    recovery: float = 30.0
    data: Path | None = None
    histories: Path | None = None
    evaluator: str = "auto"
    form: Literal["text", "json"] = "text"


def run(options: Options) -> int:
    """0: every run went well; 1: one did not; 3: a judgement is unknown."""
    settings = _settings(options)
    worst = 0
    for seed in range(options.seed, options.seed + options.runs):
        if options.form == "text":
            click.echo(f"seed {seed}: {to_text(planned(settings, seed)) or 'no faults'}")
        outcome = asyncio.run(torture(settings, seed))
        if options.form == "json":
            click.echo(json.dumps(_data(options, outcome), ensure_ascii=False))
        else:
            for line in _lines(options, outcome):
                click.echo(f"  {line}")
        if worst != 1 and outcome.status:
            worst = outcome.status
    return worst


def _settings(options: Options) -> Settings:
    declared = resized(roles(load(options.target)), dict(_size(one) for one in options.sizes))
    if options.data is not None and not options.data.is_dir():
        raise BloomishError(f"--data {options.data}: there is no such folder")
    if options.histories is not None:
        try:
            options.histories.mkdir(parents=True, exist_ok=True)
        except OSError as fault:
            raise BloomishError(f"--histories {options.histories}: {fault.strerror}") from None
    schedule = None
    if options.schedule is not None:
        schedule = from_text(options.schedule, declared.nodes)
        faults.check(schedule)
    return Settings(
        options.target,
        declared,
        read(options.operations or _beside(declared), declared),
        options.seconds,
        _kinds(options.faults),
        schedule,
        options.clients,
        patience=options.patience,
        recovery=options.recovery,
        evaluator=options.evaluator,
        data=options.data,
        folder=options.histories,
    )


def _beside(declared: Roles) -> Path:
    """The operations that a program brings along."""
    looked: dict[str, None] = {}
    for role in declared.roles:
        file = Path(role.program.span.file)
        for found in (file.with_suffix(".ops"), file.parent / "data" / f"{file.stem}.ops"):
            if found.is_file():
                return found
            looked[str(found)] = None
    raise BloomishError(f"--operations FILE is needed: there is none of {', '.join(looked)}")


def _size(text: str) -> tuple[str, int]:
    role, equals, number = text.partition("=")
    if not equals or not number.isdecimal() or not int(number):
        raise BloomishError(f"--size {text}: write ROLE=N, such as replica=5")
    return role, int(number)


def _kinds(text: str) -> tuple[str, ...]:
    kinds = tuple(word.strip() for word in text.split(",") if word.strip() not in ("", "none"))
    for kind in kinds:
        if kind not in faults.KINDS:
            raise BloomishError(f"--faults {text}: there are {', '.join(faults.KINDS)}; or `none`")
    return kinds


# ----------------------------------------------------------------- what is told


def _lines(options: Options, outcome: Outcome) -> Iterator[str]:
    counts = outcome.counts
    recovered = "" if outcome.recovered is None else f"; all answered {outcome.recovered:.1f} s "
    yield (
        f"{counts.get('ok', 0):,} answered, {counts.get('info', 0):,} of unknown outcome, "
        f"{counts.get('fail', 0):,} not done{recovered}{'after the last fault' * bool(recovered)}"
    )
    for name, judgement in outcome.judgements.items():
        yield heading(judgement, judgement.verdict, "linearizable", name)
        yield from words(judgement)
    yield from outcome.problems
    if outcome.status:
        for path in outcome.histories.values():
            yield f"bloomish history {shlex.quote(str(path))}"
        yield f"again: {again(options, outcome)}"


def again(options: Options, outcome: Outcome) -> str:
    """A command for the same faults and the same load; processes will not do the same again."""
    parts = ["bloomish", "torture", *arguments(options.target)]
    if options.operations is not None:
        parts += ["--operations", str(options.operations)]
    for size in options.sizes:
        parts += ["--size", size]
    parts += ["--seed", str(outcome.seed), "--for", f"{options.seconds:g}"]
    parts += ["--clients", str(options.clients), "--schedule", to_text(outcome.schedule)]
    if options.patience != Options.patience:
        parts += ["--patience", f"{options.patience:g}"]
    if options.recovery != Options.recovery:
        parts += ["--recovery", f"{options.recovery:g}"]
    if options.data is not None:
        parts += ["--data", str(options.data)]
    if options.evaluator != Options.evaluator:
        parts += ["--evaluator", options.evaluator]
    return shlex.join(parts)


def _data(options: Options, outcome: Outcome) -> dict[str, Any]:
    return {
        "seed": outcome.seed,
        "status": outcome.status,
        "faults": [str(one) for one in outcome.schedule],
        "operations": outcome.counts,
        "seconds": round(outcome.seconds, 3),
        "recovered": None if outcome.recovered is None else round(outcome.recovered, 3),
        "histories": [
            as_data(judgement, "linearizable", name)
            for name, judgement in outcome.judgements.items()
        ],
        "files": {name: str(path) for name, path in outcome.histories.items()},
        "problems": outcome.problems,
        "again": again(options, outcome),
    }

"""`bloomish history`: judges a recorded history."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import click

from bloomish.errors import BloomishError
from bloomish.runtime.history import History, read
from bloomish.runtime.sim.check import SECONDS, STATES, Judgement, linearizable
from bloomish.runtime.sim.explain import as_data, heading, words
from bloomish.runtime.sim.objects import MODELS, WrongOperation, model
from bloomish.runtime.sim.sequential import sequential

Property = Literal["linearizable", "sequential"]
NAMES = {"linearizable": "linearizable", "sequential": "sequentially consistent"}
STATUS = {"yes": 0, "no": 1, "unknown": 3}


@dataclass(frozen=True)
class Options:
    """What the command line gives."""

    file: Path
    model: str | None = None
    initial: str | None = None
    consistency: Property = "linearizable"
    states: int = STATES
    seconds: float = SECONDS
    form: Literal["text", "json"] = "text"


def history(options: Options) -> int:
    """0: it is what was asked; 1: it is not; 3: a limit was reached."""
    given = read(options.file)
    kind = options.model or given.header.model or "register"
    judgement = judged(given, kind, options)
    if options.form == "json":
        click.echo(json.dumps(as_data(judgement, options.consistency, kind), ensure_ascii=False))
    else:
        click.echo(heading(judgement, judgement.verdict, NAMES[options.consistency], kind))
        for line in words(judgement):
            click.echo(line)
    return STATUS[judgement.verdict]


def judged(given: History, kind: str, options: Options) -> Judgement:
    """The judgement that the options ask for."""
    initial = given.header.initial
    if options.initial is not None:
        try:
            initial = json.loads(options.initial)
        except ValueError as fault:
            raise BloomishError(f"--initial {options.initial}: not JSON: {fault}") from None
    if options.model is None and kind not in MODELS:
        raise BloomishError(f"{given.name}:1: no model {kind!r}; there are {', '.join(MODELS)}")
    judge = linearizable if options.consistency == "linearizable" else sequential
    try:
        return judge(given, model(kind), initial, states=options.states, seconds=options.seconds)
    except WrongOperation as fault:
        raise BloomishError(f"{given.name}: {fault}") from None
    except ValueError:
        raise BloomishError(
            f"{given.name}: no {kind} begins as {json.dumps(initial, ensure_ascii=False)}"
        ) from None
    except RecursionError:
        raise BloomishError(f"{given.name}: a value is nested too deep") from None

"""`bloomish coordinate`, and `check --coordinate`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from bloomish.analysis.checking import check
from bloomish.analysis.coordinate import Coordinated
from bloomish.analysis.coordinate import coordinate as insert
from bloomish.analysis.report.plan import as_data, render
from bloomish.analysis.result import Report
from bloomish.analysis.verbs.check import renderer
from bloomish.errors import BloomishError, where
from bloomish.ir_json import to_json
from bloomish.show import printed


def coordinate(
    target: str,
    plan: bool,
    mechanism: str,
    shards: int,
    replicas: int,
    output: Path | None,
    form: str,
) -> int:
    """Prints the plan with `--plan`, else the program; 0: nothing is flagged any more."""
    made = insert(target, mechanism, nodes=replicas, shards=shards)
    if plan or output is not None or form == "json":
        _tell(made, form)
    if made.after.status:
        if not plan and output is None and form != "json":
            click.echo(render(made), err=True, nl=False)
        if output is not None:
            click.echo(f"bloomish: {output} is not written: rules are still flagged", err=True)
        return 1
    if output is not None:
        _write(output, made)
    elif not plan and form != "json":
        click.echo(printed(made.deployed.deployment), nl=False)
    return 0


def _tell(made: Coordinated, form: str) -> None:
    if form == "json":
        click.echo(json.dumps(as_data(made), ensure_ascii=False, indent=2))
    else:
        click.echo(render(made), nl=False)


def _write(output: Path, made: Coordinated) -> None:
    data = made.deployed.deployment
    text = to_json(data, indent=2) + "\n" if output.suffix == ".json" else printed(data)
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise BloomishError(f"{output}: {error.strerror}") from None


def check_coordinated(
    target: str, mechanism: str, shards: int, replicas: int, explain: bool, form: str
) -> int:
    """The report on a target with its coordination; what was refused goes before it."""
    made = insert(target, mechanism, nodes=replicas, shards=shards)
    for refusal in made.plan.refusals:
        at = f"{where(refusal.span)}: " if where(refusal.span) else ""
        click.echo(f"bloomish: {at}{refusal.rule}: nothing inserted: {refusal.why}", err=True)
    report: Report = made.after
    if explain:
        report = check(made.deployed.deployment, explain=True)
    if form in ("html", "dot"):
        from bloomish.analysis.verbs.picture import picture

        click.echo(picture(made.deployed.deployment, form)[0], nl=False)
    else:
        click.echo(renderer(form)(report), nl=False)
    return report.status

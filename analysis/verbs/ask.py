"""`bloomish ask`: a Datalog question to a program's catalog, answers as aligned columns."""

from __future__ import annotations

import click

from bloomish.analysis.ask import Answers
from bloomish.analysis.ask import ask as put
from bloomish.analysis.catalog import RELATIONS, Catalog
from bloomish.analysis.checking import analyse


def ask(target: str, query: str | None, seconds: float) -> int:
    """Prints the answers; 0: there are some, 1: there are none."""
    if query is None:
        click.echo(_listing(), nl=False)
        return 0
    answers = put(Catalog(*analyse(target)), query, seconds)
    if not answers.rows:
        click.echo("no")
        return 1
    click.echo(_table(answers), nl=False)
    return 0


def _table(answers: Answers) -> str:
    """Columns under the names of the variables; `yes` where a question has none."""
    if not answers.variables:
        return "yes\n"
    rows = [answers.variables, *([str(value) for value in row] for row in answers.rows)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(answers.variables))]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
    return "\n".join(lines) + "\n"


def _listing() -> str:
    heads = {f"{r.name}({', '.join(r.columns)})": r.meaning for r in RELATIONS.values()}
    wide = max(map(len, heads))
    return "".join(f"{head:<{wide}}  {meaning}\n" for head, meaning in heads.items())

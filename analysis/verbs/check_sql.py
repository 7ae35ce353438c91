"""`bloomish check views.sql`: verdicts on views instead of rules."""

from __future__ import annotations

from pathlib import Path

import click

from bloomish.analysis.sql.json import sql_json
from bloomish.analysis.sql.sarif import sql_sarif
from bloomish.analysis.sql.text import sql_text
from bloomish.analysis.sql.verdicts import check_sql
from bloomish.errors import BloomishError
from bloomish.targets import read_text


def check_sql_file(target: str, explain: bool, form: str, dialect: str) -> int:
    """Prints the report on a file; its status says what `SqlReport.status` says."""
    path = Path(target)
    if not path.is_file():
        raise BloomishError(f"{target}: there is no such file")
    report = check_sql(read_text(path), target, dialect)
    render = {"json": sql_json, "sarif": sql_sarif}.get(form)
    click.echo(render(report) if render else sql_text(report, explain), nl=False)
    return report.status

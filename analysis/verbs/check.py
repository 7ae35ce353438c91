"""`bloomish check`: the report on a target, and the exit status."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

import click

from bloomish.analysis.checking import check as analyse
from bloomish.analysis.result import Report
from bloomish.errors import BloomishError

FORMATS = ("text", "json", "sarif", "html", "dot")


def renderer(form: str) -> Callable[[Report], str]:
    """The module of the same name knows the form."""
    render: Callable[[Report], str] = import_module(f"bloomish.analysis.report.{form}").render
    return render


def check(target: str, replicas: int, explain: bool, form: str, dialect: str = "") -> int:
    """Prints the report; 0: nothing needs coordination, 1: something does."""
    if target.endswith(".sql") and form in ("text", "json", "sarif"):
        from bloomish.analysis.verbs.check_sql import check_sql_file

        return check_sql_file(target, explain, form, dialect)
    if dialect:
        raise BloomishError("--dialect is for .sql files")
    if form in ("html", "dot"):
        from bloomish.analysis.verbs.picture import picture

        text, report = picture(target, form, replicas)
    else:
        report = analyse(target, replicas, explain or form == "sarif")
        text = renderer(form)(report)
    click.echo(text, nl=False)
    return report.status

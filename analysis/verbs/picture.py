"""Pictures: `bloomish show --format html|dot`, and the same of `check`."""

from __future__ import annotations

import click

from bloomish.analysis.checking import Checkable
from bloomish.analysis.report import dot, html
from bloomish.analysis.report.picture import picture_of
from bloomish.analysis.result import Report


def picture(target: Checkable, form: str, replicas: int = 1) -> tuple[str, Report]:
    """The picture's text and the report that it shows."""
    drawn = picture_of(target, replicas)
    text = html.render(drawn) if form == "html" else dot.render(drawn)
    return text, drawn.report


def show_picture(target: str, form: str) -> None:
    """Print a target's picture."""
    click.echo(picture(target, form)[0], nl=False)

"""`bloomish trace`: a recorded run as a space-time diagram."""

from __future__ import annotations

from pathlib import Path

import click

from bloomish.errors import BloomishError
from bloomish.runtime.diagram.layout import layout
from bloomish.runtime.diagram.page import page
from bloomish.runtime.trace import read


def trace(file: Path, output: Path | None) -> None:
    """Writes the page beside the trace, or where it is wanted."""
    where = output or file.with_suffix(".html")
    if where == file:
        raise BloomishError(f"{file} is the trace itself; name the page with --output")
    try:
        with file.open("rb") as lines:
            picture = layout(read(lines))
        where.write_text(page(picture), encoding="utf-8")
    except OSError as failure:
        raise BloomishError(f"{file}: {failure}") from None
    except ValueError as failure:
        raise BloomishError(f"{file}: not a trace: {failure}") from None
    click.echo(
        f"{where}: {len(picture.nodes)} node(s), {len(picture.ticks):,} ticks, "
        f"{len(picture.arrows):,} messages"
    )

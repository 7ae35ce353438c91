"""`python -m benchmarks [GROUP ...]`: one aligned table, all groups or those named.

A group is a module of this folder with `def run(quick: bool) -> Iterable[Row]`.  What it logs as
`info` is shown to whoever waits.
"""

from __future__ import annotations

import json
import logging
import os
import platform
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules

import click
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from benchmarks.row import Row

HEADS = ("name", "ours", "peer", "", "ratio", "target", "met", "note")


def groups() -> list[str]:
    """The modules of this folder that have a `run`."""
    import benchmarks

    names = sorted(module.name for module in iter_modules(benchmarks.__path__))
    modules = {name: import_module(f"benchmarks.{name}") for name in names if name != "__main__"}
    return [name for name, module in modules.items() if hasattr(module, "run")]


class Steps(logging.Handler):
    """What the groups log: the latest beside the clock, or a line each where no terminal is."""

    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self._progress = progress
        self._task = progress.add_task("", total=None)

    def emit(self, record: logging.LogRecord) -> None:
        step = f"{record.name.removeprefix('benchmarks.')}: {record.getMessage()}"
        if self._progress.console.is_terminal:
            self._progress.update(self._task, description=step)
        else:
            click.echo(step, err=True)


@contextmanager
def shown() -> Iterator[None]:
    """Until the end of the block it is shown how far the groups are."""
    log = logging.getLogger("benchmarks")
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    console = Console(stderr=True)
    disable = not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=disable) as progress:
        steps, level = Steps(progress), log.level
        log.addHandler(steps)
        log.setLevel(logging.INFO)
        try:
            yield
        finally:
            log.setLevel(level)
            log.removeHandler(steps)


def measured(names: list[str], quick: bool, failed: list[str]) -> Iterator[tuple[str, Row]]:
    """The rows of every group, in order, as they come.

    A group that fails ends there and is told in `failed`; what else was measured stays.
    """
    for name in names:
        log = logging.getLogger(f"benchmarks.{name}")
        log.info("begins")
        try:
            for row in import_module(f"benchmarks.{name}").run(quick):
                log.info("%s: done", row.name)
                yield name, row
        except Exception:
            failed.append(f"{name} failed: {traceback.format_exc()}")


def number(value: float | None) -> str:
    """Three to four figures, thousands apart: a table is for reading."""
    if value is None:
        return ""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


def cells(row: Row) -> tuple[str, ...]:
    met = {None: "", True: "yes", False: "NO"}[row.met]
    ratio = "" if row.ratio is None else f"{row.ratio:.2f}x"
    ours = f"{number(row.ours)} {row.unit}"
    return (row.name, ours, number(row.peer), row.peer_name, ratio, row.target, met, row.note)


def table(rows: list[tuple[str, Row]]) -> Table:
    shown = Table(box=None, pad_edge=False, header_style="bold")
    for head in HEADS:
        right = head in ("ours", "peer", "ratio")
        shown.add_column(head, justify="right" if right else "left", no_wrap=head != "note")
    group = ""
    for name, row in rows:
        if name != group:
            shown.add_row(f"[bold]{name}[/bold]")
            group = name
        style = {None: None, True: "green", False: "red"}[row.met]
        shown.add_row(*cells(row), style=style)
    return shown


@click.command(epilog="Example: python -m benchmarks datalog ticks --quick")
@click.argument("names", nargs=-1, metavar="[GROUP]...")
@click.option("--quick", is_flag=True, help="Smaller inputs: minutes become seconds.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
def main(names: tuple[str, ...], quick: bool, form: str) -> None:
    """Measure, beside the peers, and say which targets are met."""
    known = groups()
    for name in names:
        if name not in known:
            raise click.UsageError(f"no group {name!r}; there are: {', '.join(known)}")
    chosen = [name for name in known if not names or name in names]
    wide = int(os.environ.get("COLUMNS", "160"))
    failed: list[str] = []
    with shown():
        rows = list(measured(chosen, quick, failed))
    if form == "json":
        machine = {"python": platform.python_version(), "cpus": os.cpu_count(),
                   "engine": find_spec("bloomish._engine") is not None}  # fmt: skip
        listed = [{"group": name, **asdict(row)} for name, row in rows]
        click.echo(json.dumps({"machine": machine, "rows": listed}, indent=1))
    else:
        out = Console(width=None if Console().is_terminal else wide)
        out.print(table(rows))
        judged = [row for _, row in rows if row.met is not None]
        out.print(f"{sum(row.met is True for row in judged)} of {len(judged)} targets met")
    for text in failed:
        click.echo(text, err=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    # Whatever ends it, it takes what it has started with it.  A background job ignores SIGINT.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    main()

"""The command line: one function per verb, no logic.

A verb's work is in `runtime/verbs/` or `analysis/verbs/` and imported when the
verb is called, so that `bloomish --help` is quick.  An int that a verb returns is its
exit status; wrong input of any kind, raised as BloomishError, is 2.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import click

from bloomish.errors import BloomishError

TARGET = click.argument("target", metavar="TARGET")
"""Everywhere the same: path/to/file.py[:Name], package.module[:Name], .ded, .sql, .dl."""


def _version(context: click.Context, parameter: click.Parameter, wanted: bool) -> None:
    if not wanted or context.resilient_parsing:
        return
    from bloomish.runtime.verbs.version import version

    click.echo(version())
    context.exit()


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_version,
    help="The version, and which evaluator runs programs.",
)
def bloomish() -> None:
    """Distributed programs as rules: which of them need coordination, and real processes
    that run them.

    TARGET is everywhere path/to/file.py[:Name] or package.module[:Name], where Name is a
    Program class or a Cluster, or a .ded, .sql or .dl file.
    """


@bloomish.command()
@TARGET
@click.option(
    "--format",
    "form",
    type=click.Choice(["rules", "json"]),
    default="rules",
    show_default=True,
    help="rules: a program file; json: the program as data.",
)
def show(target: str, form: str) -> None:
    """Print a program back: as rules, or as data.

    \b
    Example:
        bloomish show programs/vote.py
        bloomish show programs/kvs.py:Server --format json
    """
    from bloomish.show import show

    show(target, form)


@bloomish.command()
@click.option(
    "--actions", type=click.IntRange(min=1), metavar="N", help="Only the first N recorded acts."
)
@click.option(
    "--evaluator",
    type=click.Choice(["auto", "engine", "reference"]),
    default="auto",
    show_default=True,
)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
def demo(actions: int | None, evaluator: str, form: str) -> int:
    """Three shopping carts on six processes each, their replicas side by side.

    \b
    Example:
        bloomish demo
        bloomish demo --actions 500 --format json
    """
    from bloomish.runtime.verbs.demo import demo

    return demo(actions, evaluator, form)


@bloomish.command()
@click.argument("targets", metavar="TARGET...", nargs=-1, required=True)
@click.option("--nodes", metavar="A,B,C", default="", help="The nodes, by name (.ded).")
@click.option("--eot", type=click.IntRange(min=1), required=True, help="The last tick.")
@click.option(
    "--eff",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Messages may be lost at ticks before this one.",
)
@click.option(
    "--crashes",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="At most so many nodes crash.",
)
@click.option(
    "--crash",
    "mode",
    type=click.Choice(["zombie", "frozen"]),
    default="zombie",
    show_default=True,
    help="zombie: a crashed node sends nothing; frozen: it does nothing.",
)
@click.option("--exhaustive", is_flag=True, help="Try every fault set instead of searching.")
@click.option("--limit", type=click.IntRange(min=1), help="Stop after so many runs (status 3).")
@click.option("--trace", type=click.Path(path_type=Path), help="Write the failing run's trace.")
@click.option("--lineage", type=click.Path(path_type=Path), help="Write post's lineage (.dot).")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
def ldfi(targets: tuple[str, ...], **options: Any) -> int:
    """Find faults that break a program, or certify that none do within bounds.

    A program states what must hold at the end: `post(X)` wherever `pre(X)` holds. Status 0:
    certified; 1: counterexample.

    \b
    Example:
        bloomish ldfi programs/dedalus/broadcast_retry.ded --nodes a,b,c --eot 6 --eff 4
        bloomish ldfi two.ded agreement.ded --nodes C,a,b --eot 9 --eff 1 --crashes 1
    """
    from bloomish.runtime.verbs.ldfi import Options, ldfi

    return ldfi(targets, Options(**options))


@bloomish.command("run")
@TARGET
@click.option(
    "--feed",
    "feeds",
    multiple=True,
    metavar="[WHO:]COLLECTION=FILE",
    help="Rows of a CSV or JSON lines file (- for standard input) into an input. WHO is a node, "
    "a role (its nodes take turns) or ROLE-* (each node gets every row).",
)
@click.option(
    "--watch",
    "watches",
    multiple=True,
    metavar="[WHO:]COLLECTION",
    help="Print this output's rows as they come; without it, all outputs'.",
)
@click.option("--no-watch", is_flag=True, help="Print no outputs (violated invariants still are).")
@click.option("--for", "seconds", type=click.FloatRange(min=0), help="Stop after so many seconds.")
@click.option("--until-quiet", is_flag=True, help="Stop when the feeds are done and nothing moves.")
@click.option("--format", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--trace", metavar="FILE", help="Write what every tick took and sent (JSON lines).")
@click.option(
    "--evaluator",
    type=click.Choice(["auto", "engine", "reference"]),
    default="auto",
    show_default=True,
)
@click.option("--seed", type=int, default=0, show_default=True, help="For choose() and random().")
@click.option("--data", metavar="DIR", help="Where durable tables are kept.")
@click.option("--directory", metavar="FILE", help="Write where the nodes are, for connect().")
@click.option("--tls", metavar="DIR", help="ca.pem, and NAME.pem, NAME.key per node and for host.")
@click.option(
    "--restart",
    type=click.Choice(["never", "on-failure"]),
    default="never",
    show_default=True,
    help="What to do about a node that dies.",
)
def run_(**options: Any) -> int:
    """Run a cluster, each node a process, until Ctrl-C.

    Status 0: all went well; 1: a node died, rows were refused or set aside, or an invariant
    was violated; 2: a wrong target or option; 130: stopped by Ctrl-C.

    \b
    Example:
        bloomish run programs/kvs.py --feed client-0:want=puts.csv --until-quiet
        echo '[1, "key", "value"]' | bloomish run programs/kvs.py --feed client:want=- --for 2
    """
    from bloomish.runtime.verbs.run import Options, run

    return run(Options(**options))


@bloomish.command()
@TARGET
@click.option(
    "--evaluator",
    type=click.Choice(["auto", "engine", "reference"]),
    default="auto",
    show_default=True,
)
@click.option("--seed", type=int, default=0, show_default=True, help="For choose() and random().")
def repl(target: str, evaluator: str, seed: int) -> int:
    """Insert rows, tick, look at collections: one node in this very process, step by step.

    \b
    Example:
        bloomish repl programs/closure.py
        printf 'help\\nquit\\n' | bloomish repl programs/kvs.py:Server
    """
    from bloomish.runtime.verbs.repl import repl

    return repl(target, evaluator, seed)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """The `bloomish` command."""
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a verb; gives the exit status.  The one place that catches wrong input."""
    try:
        result: Any = bloomish.main(
            args=None if arguments is None else list(arguments),
            prog_name="bloomish",
            standalone_mode=False,
        )
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return 2
    except (click.Abort, KeyboardInterrupt):
        return 130
    except BloomishError as error:
        click.echo(f"bloomish: {error}", err=True)
        return 2
    except BrokenPipeError:  # the reader has seen enough: `bloomish show ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return result if isinstance(result, int) else 0

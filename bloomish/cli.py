"""The command line: one function per verb, no logic.

A verb's work is in `runtime/verbs/` or `analysis/verbs/` and imported when the
verb is called, so that `bloomish --help` is quick.  An int that a verb returns is its
exit status; wrong input of any kind, raised as BloomishError, is 2.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import click

from bloomish.errors import BloomishError


class Seconds(click.FloatRange):
    """A number of seconds; `nan`, which no limit of a range keeps out, is none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number."""
        seconds = super().convert(value, param, ctx)
        if seconds != seconds:
            self.fail(f"{value} is no number of seconds.", param, ctx)
        return seconds


TARGET = click.argument("target", metavar="TARGET")
"""Everywhere the same: path/to/file.py[:Name], package.module[:Name], .ded, .sql, .dl."""
EVALUATOR = click.option(
    "--evaluator",
    type=click.Choice(["auto", "engine", "reference"]),
    default="auto",
    show_default=True,
)
FORM = click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True
)
FEEDS = click.option(
    "--feed", "feeds", multiple=True, metavar="[WHO:]INPUT=FILE", help="As in run."
)
MECHANISM = click.option(
    "--with",
    "mechanism",
    type=click.Choice(["paxos", "2pc", "seal"]),
    default=None,
    help="Insert this and nothing else.",
)
SHARDS = click.option(
    "--shards",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    metavar="N",
    help="So many logs instead of one, split by key, where the rules keep to one key.",
)


def coordinated(verb: Callable[..., Any]) -> Callable[..., Any]:
    """The options of a verb that can insert coordination first."""
    insert = click.option(
        "--coordinate", is_flag=True, help="Insert the coordination that TARGET needs first."
    )
    return insert(MECHANISM(SHARDS(verb)))


SEED = click.option(
    "--seed", type=int, default=0, show_default=True, help="For choose() and random()."
)


def _target(target: str, coordinate: bool, mechanism: str | None, shards: int) -> str:
    """TARGET for a verb that executes it, with or without its coordination."""
    if not coordinate and mechanism is None and shards == 1:
        return target
    from bloomish.runtime.coordinated import marked

    return marked(target, coordinate, mechanism or "", shards)


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
    type=click.Choice(["rules", "json", "html", "dot"]),
    default="rules",
    show_default=True,
    help="rules: a program file; json: the program as data; html, dot: a picture.",
)
def show(target: str, form: str) -> None:
    """Print a program back: as rules, as data, or as a picture with its verdicts.

    \b
    Example:
        bloomish show programs/quorum.py
        bloomish show programs/kvs.py:Server --format json
        bloomish show programs/cart.py:disorderly --format html > cart.html
    """
    if form in ("html", "dot"):
        from bloomish.analysis.verbs.picture import show_picture

        show_picture(target, form)
        return
    from bloomish.show import show

    show(target, form)


@bloomish.command()
@TARGET
@click.option(
    "--replicas",
    type=click.IntRange(min=1),
    default=1,
    metavar="N",
    help="Every role runs on N nodes: say what replicas may disagree about.",
)
@click.option("--explain", is_flag=True, help="How every rule came by its mode.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "sarif", "html", "dot"]),
    default="text",
    show_default=True,
)
@click.option("--dialect", default="", metavar="NAME", help="Of a .sql file; duckdb if not said.")
@click.option("--witness", is_flag=True, help="Back every verdict by exploring schedules.")
@click.option(
    "--states",
    type=click.IntRange(min=1),
    default=20_000,
    show_default=True,
    help="Of each exploration for --witness.",
)
@click.option("--page", type=click.Path(path_type=Path), help="Draw the witnesses (HTML).")
@coordinated
def check(
    target: str,
    replicas: int,
    explain: bool,
    form: str,
    dialect: str,
    witness: bool,
    states: int,
    page: Path | None,
    coordinate: bool,
    mechanism: str | None,
    shards: int,
) -> int:
    """Which outputs are right without coordination, and why the others are not.

    Exit status 0: nothing needs coordination; 1: something does; 2: the input is wrong.

    \b
    Example:
        bloomish check programs/quorum.py
        bloomish check programs/cart.py:disorderly --explain
        bloomish check views.sql --dialect postgres
        bloomish check programs/kvs.py --witness --page kvs.html
        bloomish check programs/cart.py:destructive --coordinate
    """
    if coordinate or mechanism or shards > 1:
        from bloomish.analysis.verbs.coordinate import check_coordinated

        if not coordinate or witness or page is not None or dialect:
            raise click.UsageError(
                "--with and --shards need --coordinate, which goes without --witness, --page "
                "and --dialect"
            )
        return check_coordinated(target, mechanism or "", shards, replicas, explain, form)
    if witness or page is not None:
        from bloomish.runtime.verbs.witness import check_with_witness

        return check_with_witness(target, replicas, explain, form, states, page)
    from bloomish.analysis.verbs.check import check

    return check(target, replicas, explain, form, dialect)


@bloomish.command()
@TARGET
@click.option("--plan", is_flag=True, help="Say what would be inserted, and insert nothing.")
@MECHANISM
@SHARDS
@click.option(
    "--replicas",
    type=click.IntRange(min=1),
    default=1,
    metavar="N",
    help="The nodes of a program that stands alone.",
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Write the program there (.py, .json)."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Of the plan.",
)
def coordinate(
    target: str,
    plan: bool,
    mechanism: str | None,
    shards: int,
    replicas: int,
    output: Path | None,
    form: str,
) -> int:
    """Insert coordination where a program needs it, and print the program that comes of it.

    Where a total or an absence is asked for, a seal; where rivals race, one log (Multi-Paxos);
    where nodes must agree to act together, two-phase commit; nothing where nothing is needed.

    Exit status 0: nothing is flagged any more; 1: something is for which nothing can be inserted
    (the plan says why); 2: the input is wrong.

    \b
    Example:
        bloomish coordinate programs/cart.py:destructive --plan
        bloomish coordinate programs/cart.py:destructive -o cart_in_order.py
        bloomish run programs/cart.py:destructive --coordinate --for 5
    """
    from bloomish.analysis.verbs.coordinate import coordinate as verb

    return verb(target, plan, mechanism or "", shards, replicas, output, form)


@bloomish.command()
@TARGET
@click.argument("query", required=False)
@click.option("--seconds", type=float, default=10.0, show_default=True, help="Time limit.")
def ask(target: str, query: str | None, seconds: float) -> int:
    """Ask a program's catalog a question in Datalog; without QUERY, list its relations.

    Exit status 0: there is an answer; 1: there is none; 2: the input is wrong.

    \b
    Example:
        bloomish ask programs/cart.py:disorderly "mode(C, 'Flux')"
        bloomish ask programs/kvs.py:cluster "reaches_negated('Kvs.put', O), output(O)"
    """
    from bloomish.analysis.verbs.ask import ask

    return ask(target, query, seconds)


@bloomish.command()
@click.option(
    "--actions", type=click.IntRange(min=1), metavar="N", help="Only the first N recorded acts."
)
@EVALUATOR
@FORM
def demo(actions: int | None, evaluator: str, form: str) -> int:
    """CALM in a minute: replicas that disagree, why, and with coordination inserted.

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
@click.option(
    "--rows",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="Made-up rows for each input, at the first tick (Python programs).",
)
@FEEDS
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
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    help="Stop after so many runs, or states (status 3).",
)
@click.option("--trace", type=click.Path(path_type=Path), help="Write the failing run's trace.")
@click.option("--lineage", type=click.Path(path_type=Path), help="Write post's lineage (.dot).")
@FORM
@coordinated
def ldfi(
    targets: tuple[str, ...], coordinate: bool, mechanism: str | None, shards: int, **options: Any
) -> int:
    """Find faults that break a program, or certify that none do within bounds.

    A program states what must hold at the end: `post(X)` wherever `pre(X)` holds; a Python
    program also by `invariant` and `eventually`. Faults are found by lineage; where it does not
    go (lattices, functions), by trying all of them, equal states once. Status 0: certified;
    1: counterexample; 3: stopped at --limit.

    \b
    Example:
        bloomish ldfi programs/dedalus/broadcast_retry.ded --nodes a,b,c --eot 6 --eff 4
        bloomish ldfi two.ded agreement.ded --nodes C,a,b --eot 9 --eff 1 --crashes 1
        bloomish ldfi programs/user_names.py --coordinate --eot 7 --eff 3
    """
    from bloomish.runtime.verbs.ldfi import Options, ldfi

    told = tuple(_target(target, coordinate, mechanism, shards) for target in targets)
    return ldfi(told, Options(**options))


@bloomish.command()
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option(
    "--model",
    type=click.Choice(["register", "once", "lock", "list", "text", "counter", "set"]),
    help="What each key is; without it, as the file says, else a register.",
)
@click.option("--initial", metavar="JSON", help="What each is at first; else as the file says.")
@click.option(
    "--consistency",
    type=click.Choice(["linearizable", "sequential"]),
    default="linearizable",
    show_default=True,
)
@click.option("--states", type=click.IntRange(min=1), default=5_000_000, show_default=True)
@click.option("--seconds", type=Seconds(min=0), default=60.0, show_default=True, help="Time limit.")
@FORM
def history(file: Path, **options: Any) -> int:
    """Judge a recorded history of operations: could each have taken effect at one moment?

    Status 0: yes; 1: no, with the operation that no order explains; 2: the file is wrong; 3: a
    limit was reached first.

    \b
    Example:
        bloomish history run.jsonl
        bloomish history run.jsonl --model lock --format json
    """
    from bloomish.runtime.verbs.history import Options, history

    return history(Options(file, **options))


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
@click.option("--for", "seconds", type=Seconds(min=0), help="Stop after so many seconds.")
@click.option("--until-quiet", is_flag=True, help="Stop when the feeds are done and nothing moves.")
@click.option("--format", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--trace", metavar="FILE", help="Write what every tick took and sent (JSON lines).")
@EVALUATOR
@SEED
@click.option(
    "--data",
    metavar="DIR",
    help="Where durable tables are kept; without it, in memory only.",
)
@click.option("--directory", metavar="FILE", help="Write where the nodes are, for connect().")
@click.option("--tls", metavar="DIR", help="ca.pem, and NAME.pem, NAME.key per node and for host.")
@click.option(
    "--restart",
    type=click.Choice(["never", "on-failure"]),
    default="never",
    show_default=True,
    help="What to do about a node that dies.",
)
@coordinated
def run_(target: str, coordinate: bool, mechanism: str | None, shards: int, **options: Any) -> int:
    """Run a cluster, each node a process, until Ctrl-C.

    Status 0: all went well; 1: a node died, rows were refused or set aside, or an invariant
    was violated; 2: a wrong target or option; 130: stopped by Ctrl-C.

    \b
    Example:
        bloomish run programs/kvs.py --feed client-0:want=puts.csv --until-quiet
        echo '[1, "key", "value"]' | bloomish run programs/kvs.py --feed client:want=- --for 2
    """
    from bloomish.runtime.verbs.run import Options, run

    return run(Options(_target(target, coordinate, mechanism, shards), **options))


@bloomish.command()
@TARGET
@EVALUATOR
@SEED
def repl(target: str, evaluator: str, seed: int) -> int:
    """Insert rows, tick, look at collections: one node in this very process, step by step.

    \b
    Example:
        bloomish repl programs/closure.py
        printf 'help\\nquit\\n' | bloomish repl programs/kvs.py:Server
    """
    from bloomish.runtime.verbs.repl import repl

    return repl(target, evaluator, seed)


@bloomish.command()
@TARGET
@click.option("--seed", type=int, help="One run, of this seed.")
@click.option("--seeds", type=click.IntRange(min=1), default=100, show_default=True)
@click.option(
    "--faults",
    default="default",
    show_default=True,
    metavar="RATES",
    help="none, network, default, all, or NAME=RATE,... such as loss=0.2,restart=1.",
)
@click.option(
    "--for",
    "ticks",
    type=click.IntRange(min=1),
    default=2_000,
    show_default=True,
    metavar="TICKS",
    help="At most so many ticks of nodes with faults, and as many after them.",
)
@click.option(
    "--rows",
    type=click.IntRange(min=0),
    default=3,
    show_default=True,
    help="Made-up rows for each input of each node, without --feed.",
)
@FEEDS
@click.option("--nodes", metavar="A,B,C", default="", help="The nodes of a .ded program.")
@click.option("--schedule", metavar="FAULTS", help="These faults and no others.")
@click.option("--trace", type=click.Path(path_type=Path), help="Write the last run's trace.")
@EVALUATOR
@FORM
@coordinated
def sim(target: str, coordinate: bool, mechanism: str | None, shards: int, **options: Any) -> int:
    """Run a target many times in one process, under faults, from seeds.

    Status 1 where a row enters an `invariant`, an `eventually` is empty at the end, or a
    node cannot go on; the seed, the least schedule of faults and a command to replay it
    are printed.

    \b
    Example:
        bloomish sim programs/quorum.py --seeds 200
        bloomish sim programs/kvs.py --faults network,crash=1 --trace run.jsonl
    """
    from bloomish.runtime.verbs.sim import Options, sim

    return sim(Options(_target(target, coordinate, mechanism, shards), **options))


@bloomish.command()
@TARGET
@click.option(
    "--rows",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="Made-up rows for each input of each node, without --feed.",
)
@click.option("--seed", type=int, help="Make up rows at random instead, from this seed.")
@FEEDS
@click.option(
    "--nodes", metavar="A,B,C", default="", help="The nodes of a program without cluster."
)
@click.option("--states", type=click.IntRange(min=1), default=200_000, show_default=True)
@click.option(
    "--duplicates",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="So many messages of a schedule may arrive once more.",
)
@click.option("--crashes", type=click.IntRange(min=0), default=0, show_default=True)
@click.option(
    "--idle",
    type=click.IntRange(min=0),
    default=2,
    show_default=True,
    help="Ticks without reason, where a program asks for the clock or the tick's number.",
)
@click.option("--unreduced", is_flag=True, help="Without partial-order reduction.")
@click.option(
    "--trust-verdicts",
    is_flag=True,
    help="One order only for messages that, `check` says, reach nothing but what is monotone. "
    "It finds, and claims nothing: the status is never 0.",
)
@click.option(
    "--step",
    type=click.Choice(["tick", "action"]),
    default="tick",
    show_default=True,
    help="action: one message at a time, and messages stay (as in TLA+).",
)
@click.option(
    "--protocol",
    is_flag=True,
    help="With --coordinate: explore the inserted protocol, too. Without it a log is taken by its "
    "contract, numbered by one node.",
)
@EVALUATOR
@FORM
@coordinated
def explore(
    target: str, coordinate: bool, mechanism: str | None, shards: int, **options: Any
) -> int:
    """Try every order, delay, batching and duplication of messages, within bounds.

    Status 0: all schedules end alike (or alike for each decided log) and none violates an
    invariant; 1: otherwise, with two schedules that end differently, or `bounded` where a bound
    cut it short before any schedule had ended.

    \b
    Example:
        bloomish explore programs/quorum.py
        bloomish explore programs/kvs.py --rows 1 --crashes 1
    """
    from bloomish.runtime.verbs.explore import Options, run

    return run(Options(_target(target, coordinate, mechanism, shards), **options))


@bloomish.command()
@TARGET
@click.option(
    "--operations",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Which row is inserted for a read, a write, ..., and which row answers it; without it "
    "NAME.ops beside TARGET's NAME.py, or in the folder data there.",
)
@click.option(
    "--size", "sizes", multiple=True, metavar="ROLE=N", help="So many nodes of a role (replica=5)."
)
@click.option("--runs", type=click.IntRange(min=1), default=1, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the first run.")
@click.option(
    "--for", "seconds", type=Seconds(min=1), default=10.0, show_default=True, help="A run."
)
@click.option(
    "--faults",
    default="restart,pause,partition,oneway",
    show_default=True,
    metavar="KINDS",
    help="Those that may come; or none.",
)
@click.option("--schedule", metavar="FAULTS", help="These faults and no others.")
@click.option(
    "--clients", type=click.IntRange(min=1), default=4, show_default=True, help="For each model."
)
@click.option(
    "--patience",
    type=Seconds(min=0.01),
    default=1.0,
    show_default=True,
    help="Seconds after which the outcome of an operation is unknown.",
)
@click.option(
    "--recovery",
    type=Seconds(min=1),
    default=30.0,
    show_default=True,
    help="Seconds after the last fault in which every client must be answered.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Where durable tables are kept during a run; in memory (/dev/shm) there is more load.",
)
@click.option(
    "--histories",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Keep all histories; without it, those of runs that fail.",
)
@coordinated
@EVALUATOR
@FORM
def torture(
    target: str, coordinate: bool, mechanism: str | None, shards: int, **options: Any
) -> int:
    """Run a cluster on real processes while they are killed, stopped, restarted and cut off from
    each other, and judge by what its clients saw whether it is linearizable.

    Status 0: every run is, and its clients were answered again after the last fault; 1: one is
    not; 2: wrong input; 3: a judgement reached its limit.

    \b
    Example:
        bloomish torture programs/register.py
        bloomish torture programs/register.py --coordinate
        bloomish torture programs/multipaxos.py --size replica=5 --size client=2 --runs 20
    """
    from bloomish.runtime.verbs.torture import Options, run

    return run(Options(_target(target, coordinate, mechanism, shards), **options))


@bloomish.command()
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The page (FILE.html).")
def trace(file: Path, output: Path | None) -> None:
    """Draw a recorded run (`run --trace`, `sim --trace`, `ldfi --trace`): one HTML page.

    \b
    Example:
        bloomish sim programs/kvs.py --seed 1 --trace run.jsonl
        bloomish trace run.jsonl
    """
    from bloomish.runtime.verbs.trace import trace

    trace(file, output)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """The `bloomish` command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # rows hold what a terminal may not know
            stream.reconfigure(errors="backslashreplace")
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

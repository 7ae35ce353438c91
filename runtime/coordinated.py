"""TARGET, as verbs that execute take it: as it is, or with its coordination inserted.

`programs/cart.py:destructive --coordinate` and `... --coordinate --with 2pc` are
targets like others: a node's process, a replay command and a trace's title name
them so, and each of these makes the same deployment of it again, since insertion
is a function of the program.
"""

from __future__ import annotations

import importlib
import re
import sys
from typing import Any

from bloomish import ir
from bloomish.analysis.coordination.data import LogKind, Plan
from bloomish.elaborate import Compiled
from bloomish.errors import BloomishError
from bloomish.externals import Externals
from bloomish.targets import Target
from bloomish.targets import load as load_plain

_MARK = re.compile(
    r"^(?P<plain>.*\S) --coordinate(?: --with (?P<mechanism>\w+))?(?: --shards (?P<shards>\d+))?$"
)


def marked(target: str, coordinate: bool, mechanism: str, shards: int = 1) -> str:
    """The text of a target with what the command line says of coordination."""
    if not coordinate:
        if mechanism or shards > 1:
            raise BloomishError("--with and --shards say how to --coordinate: give that too")
        return target
    text = f"{target} --coordinate" + (f" --with {mechanism}" if mechanism else "")
    return text + (f" --shards {shards}" if shards > 1 else "")


def load(target: str, log: LogKind = "paxos") -> Target:
    """The target's programs; raises BloomishError where coordination is asked for and cannot
    be inserted.

    `log` says who keeps a log of several nodes.
    """
    found = _MARK.match(target)
    if found is None:
        return load_plain(target)
    from bloomish.analysis.coordinate import coordinate

    shards = int(found["shards"] or 1)
    made = coordinate(found["plain"], found["mechanism"] or "", log, shards=shards)
    if made.after.status:
        raise BloomishError(f"{found['plain']} cannot be coordinated: {_reasons(made.plan)}")
    cluster = made.deployed
    programs = {
        role.program.name: Compiled(role.program, cluster.externals[role.name])
        for role in cluster.deployment.roles
    }
    return Target(target, tuple(programs.values()), cluster)


def arguments(target: str) -> list[str]:
    """A target as a command line has it."""
    found = _MARK.match(target)
    if found is None:
        return [target]
    said = ["--with", found["mechanism"]] if found["mechanism"] else []
    said += ["--shards", found["shards"]] if found["shards"] else []
    return [found["plain"], "--coordinate", *said]


def plain(target: str) -> str:
    """The target without what was said of coordination."""
    found = _MARK.match(target)
    return found["plain"] if found else target


def python_behind(program: ir.Program) -> Externals | None:
    """The functions and lattices of a program that travelled as data, found by their paths in
    modules that are loaded or can be; None where one is not to be found so."""
    try:
        functions = {decl.name: _named(decl.path).__wrapped__ for decl in program.functions}
        lattices = {decl.name: _named(decl.path) for decl in program.lattices}
    except (AttributeError, ImportError):
        return None
    return Externals(functions, lattices)


def _named(path: str) -> Any:
    module, _, name = path.partition(":")
    found: Any = sys.modules.get(module) or importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found


def _reasons(plan: Plan) -> str:
    if not plan.refusals:
        return "see `bloomish coordinate --plan`"
    return "; ".join(
        f"{refusal.span.file}:{refusal.span.line}: {refusal.rule}: {refusal.why}"
        for refusal in plan.refusals
    )

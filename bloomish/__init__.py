"""Distributed programs as rules: `from bloomish import ...` is all that a program needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bloomish.cluster import Cluster
from bloomish.collections import (
    channel,
    const,
    eventually,
    input,
    invariant,
    output,
    periodic,
    roster,
    scratch,
    table,
    use,
)
from bloomish.columns import Address, Key
from bloomish.declarations import assume, protocol
from bloomish.errors import BloomishError, ProgramError
from bloomish.functions import function
from bloomish.lattices import (
    Antichain,
    Bool,
    GCounter,
    Lattice,
    Lex,
    LWWRegister,
    MapUnion,
    Max,
    Min,
    MVRegister,
    ORSet,
    Pair,
    PNCounter,
    SetUnion,
    VectorClock,
    monotone,
    morphism,
)
from bloomish.program import Program, compile
from bloomish.sqltext import sql
from bloomish.terms import (
    _,
    argmax,
    argmin,
    at,
    avg,
    choose,
    collect,
    count,
    div,
    each,
    either,
    field,
    here,
    index,
    max_,
    min_,
    not_,
    notin,
    now,
    random,
    size,
    sum_,
    tick_number,
    variables,
)
from bloomish.version import __version__

__all__ = [
    "Any",
    "Antichain",
    "Bool",
    "GCounter",
    "LWWRegister",
    "Lattice",
    "Lex",
    "MVRegister",
    "MapUnion",
    "Max",
    "Min",
    "ORSet",
    "PNCounter",
    "Pair",
    "SetUnion",
    "VectorClock",
    "monotone",
    "morphism",
    "Address",
    "BloomishError",
    "Cluster",
    "Key",
    "Program",
    "ProgramError",
    "__version__",
    "_",
    "argmax",
    "argmin",
    "assume",
    "at",
    "avg",
    "channel",
    "choose",
    "collect",
    "compile",
    "connect",
    "const",
    "count",
    "div",
    "each",
    "either",
    "eventually",
    "field",
    "function",
    "here",
    "index",
    "input",
    "invariant",
    "max_",
    "min_",
    "not_",
    "notin",
    "now",
    "output",
    "periodic",
    "protocol",
    "random",
    "roster",
    "scratch",
    "size",
    "sql",
    "sum_",
    "table",
    "tick_number",
    "use",
    "variables",
]

if TYPE_CHECKING:
    from bloomish.runtime.host import connect


def __getattr__(name: str) -> Any:
    """`connect` is the runtime's; it is imported when it is asked for."""
    if name == "connect":
        from bloomish.runtime.host import connect

        return connect
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

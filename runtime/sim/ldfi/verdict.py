"""Is a run good?  `pre` and `post` at the last tick, as Molly's verifier reads them.

A run violates the specification where a row that `post` holds without faults
is missing although `pre` holds it.  Further rows in `post` are never wrong.
"""

from __future__ import annotations

from collections.abc import Collection

from bloomish import ir
from bloomish.errors import ProgramError
from bloomish.runtime.sim.ldfi.forward import Run
from bloomish.runtime.sim.ldfi.joins import Row

PRE, POST = "pre", "post"


def check_specification(program: ir.Program) -> None:
    """`pre` and `post` exist and have the same number of columns."""
    arities = {c.name: len(c.columns) for c in program.collections}
    for name in (PRE, POST):
        if name not in arities:
            raise ProgramError(
                program.span,
                f"the program has no `{name}`",
                "`post(X)` must hold at the end wherever `pre(X)` does; define both",
            )
    if arities[PRE] != arities[POST]:
        raise ProgramError(
            program.span,
            f"`pre` has {arities[PRE]} column(s) and `post` {arities[POST]}",
            "they are compared row by row; give them the same columns",
        )


def vacuous(goals: Collection[object], pre: Collection[object]) -> str:
    """Why `post`, with these rows in the run without faults, says nothing of others; or ""."""
    if not goals:
        return "`post` is empty at the end of the run without faults: nothing is certified by it"
    if not any(goal in pre for goal in goals):
        return "`pre` holds no row of `post` in the run without faults: nothing is certified by it"
    return ""


def violations(run: Run, goals: Collection[Row], eot: int) -> list[Row]:
    """The goals (rows of `post` without faults) that are missed."""
    pre, post = run.rows(PRE, eot), run.rows(POST, eot)
    return [row for row in goals if row not in post and row in pre]

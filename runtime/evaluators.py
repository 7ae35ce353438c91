"""Which evaluator runs a program: the engine where it was built, else the reference."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Literal

from bloomish.externals import Externals
from bloomish.ir import Program
from bloomish.runtime.evaluator import Evaluator

Which = Literal["auto", "engine", "reference"]
VARIABLE = "BLOOMISH_EVALUATOR"
"""The environment's say, where the caller leaves it at "auto"."""


def engine_built() -> bool:
    """Whether the Rust extension is there."""
    return find_spec("bloomish._engine") is not None


def chosen(which: Which | str = "auto") -> Literal["engine", "reference"]:
    """The evaluator that `which`, the environment and the build settle on."""
    wanted = which if which != "auto" else os.environ.get(VARIABLE, "auto") or "auto"
    if wanted == "auto":
        return "engine" if engine_built() else "reference"
    if wanted == "engine":
        if not engine_built():
            raise RuntimeError(
                "the engine (bloomish._engine) was not built here; "
                "build it with a Rust toolchain, or ask for the reference evaluator"
            )
        return "engine"
    if wanted == "reference":
        return "reference"
    raise ValueError(f"no evaluator {wanted!r}: engine, reference or auto")


def make_evaluator(
    program: Program,
    externals: Externals | None = None,
    *,
    node: str = "node-0",
    rosters: Mapping[str, Sequence[str]] | None = None,
    seed: int = 0,
    which: Which | str = "auto",
) -> Evaluator:
    """An evaluator of `program` for `node`; its `name` says which one it is.

    `rosters` maps roles to the addresses of who runs as them.
    """
    externals = externals or Externals()
    rosters = rosters or {}
    if chosen(which) == "engine":
        from bloomish.runtime.native import NativeEvaluator

        return NativeEvaluator(program, externals, node=node, rosters=rosters, seed=seed)
    from bloomish.runtime.reference import Reference

    return Reference(program, externals, node=node, rosters=rosters, seed=seed)

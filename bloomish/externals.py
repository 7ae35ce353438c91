"""The Python behind a program: what `ir.Program` names but cannot hold as data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Externals:
    """User functions by their name in `Program.functions`, lattice classes by
    their name in `Program.lattices`."""

    functions: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    lattices: Mapping[str, type[Any]] = field(default_factory=dict)

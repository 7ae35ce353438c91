"""Bugs planted in the protocols: programs whose text differs in a place or two from the right one.

Inheritance only ever adds rules, so a wrong rule cannot be had by a subclass.  A bug is therefore a
change of the program's text; the same campaign that the right program stands must find it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bloomish.runtime.sim.stage import Stage, stage_of
from tests.programs.campaigns import Campaign

HERE = Path(__file__).parent
PROGRAMS = HERE.parents[2] / "programs"
WORLDS = HERE.parent / "worlds"


@dataclass(frozen=True)
class Bug:
    """A name, the program it is in, and what was changed: (right, wrong) pieces of text."""

    name: str
    program: str
    changes: Sequence[tuple[str, str]]
    breaks: str
    """The property by which it shows."""
    seed: int = 0
    """The first of the seeds from 0 that shows it, where the search may begin."""

    @property
    def module(self) -> str:
        return f"{self.program}_with_{self.name.replace(' ', '_')}"


def found(campaign: Campaign, bug: Bug) -> int | None:
    """The first of 1,000 seeds that shows the bug; the one that is known to comes first, so that a
    search is needed only when the chances have changed."""
    for seed in (bug.seed, *range(1_000)):
        if bug.breaks in campaign.broken(seed):
            return seed
    return None


def planted(bug: Bug, world: str, folder: Path) -> Stage:
    """The world (a module, or `module:cluster`) over the program with the bug in it."""
    text = (PROGRAMS / f"{bug.program}.py").read_text()
    for right, wrong in bug.changes:
        assert right in text, f"{bug.program}.py no longer has {right!r}"
        text = text.replace(right, wrong)
    (folder / f"{bug.module}.py").write_text(text)
    name, _, cluster = world.partition(":")
    right_import = f"from bloomish.programs.{bug.program} import"
    body = (WORLDS / f"{name}.py").read_text()
    assert right_import in body
    path = folder / f"{bug.module}_world.py"
    path.write_text(body.replace(right_import, f"from {bug.module} import"))
    sys.path.insert(0, str(folder))
    try:
        return stage_of(str(path) + (f":{cluster}" if cluster else ""))
    finally:
        sys.path.remove(str(folder))

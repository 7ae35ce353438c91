"""The plans of coordination that are held to a file each in tests/golden/coordinate.

python -m tests.programs.plans      writes them anew
"""

from __future__ import annotations

from pathlib import Path

from bloomish.analysis.coordinate import coordinate
from bloomish.analysis.report.plan import render

GOLDEN = Path(__file__).parent.parent / "golden" / "coordinate"


def file_of(target: str) -> Path:
    """Where the plan of a target is kept."""
    return GOLDEN / f"{target.rpartition('.')[2].replace(':', '_')}.txt"


def plan_of(target: str) -> str:
    """What is inserted where, at what price; not by how many rules."""
    lines = render(coordinate(target)).splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("   inserts "))


def write() -> None:
    """All plans, from what is there now."""
    from tests.programs.applications import APPLICATIONS

    for one in APPLICATIONS:
        file_of(one.target).write_text(plan_of(one.target))


if __name__ == "__main__":
    write()

"""Coordination analysis: which rules need it, and why.

from bloomish.analysis import check

report = check(Program)
report.verdict("elected").word  # "monotone"
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bloomish.analysis.checking import check
    from bloomish.analysis.result import Flag, Hop, Mend, Point, Report, Verdict

__all__ = ["Flag", "Hop", "Mend", "Point", "Report", "Verdict", "check"]


def __getattr__(name: str) -> Any:
    """Loaded when asked for: pytest imports this package in every run, for its plugin."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name == "check":
        from bloomish.analysis.checking import check

        return check
    from bloomish.analysis import result

    return getattr(result, name)

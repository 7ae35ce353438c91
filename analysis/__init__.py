"""Coordination analysis: which rules need it, and why.

from bloomish.analysis import check

report = check(Program)
report.verdict("elected").word  # "monotone"
"""

from __future__ import annotations

from bloomish.analysis.check import check
from bloomish.analysis.result import Flag, Hop, Mend, Point, Report, Verdict

__all__ = ["Flag", "Hop", "Mend", "Point", "Report", "Verdict", "check"]

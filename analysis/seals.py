"""Seals: when a partition of a collection is known to be complete (R11).

The form that is recognised: rows `q(b, x)` and a manifest `m(b, n)` that one
producer derives from the same constant rows, `n` being their count per `b`;
where the rows that have come, counted per `b`, are as many as `n` (or more),
`q` is complete for that `b`.  Source: Bloom's "sealing" (Alvaro et al., CIDR
2011, section 5) and Blazes' punctuations.
"""

from __future__ import annotations

from collections.abc import Mapping

from bloomish.analysis.graph import Unit, Use
from bloomish.analysis.lineage import Lineage
from bloomish.analysis.modes import Mode


def sealed_by(lineage: Lineage, unit: Unit, use: Use, modes: Mapping[str, Mode]) -> str:
    """Why the partition that an atom asks about is complete, "" if that is not known."""
    return ""

"""What `check` must say of each micro-program (ANALYSIS, section 5)."""

from __future__ import annotations

from dataclasses import dataclass

from bloomish import Program
from tests.programs.micro import growing, racing, sealed, unsettled


@dataclass(frozen=True)
class Expected:
    """The verdict on one collection; for a flagged one the kind of its only point of order,
    its gate, and the costs of mends that must be offered, in their order."""

    program: type[Program]
    collection: str
    word: str
    kind: str = ""
    gate: tuple[str, ...] = ()
    mends: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.program.__name__


FLAGGED = "needs coordination"

EXPECTED = (
    Expected(growing.M1, "log", "monotone"),
    Expected(growing.M2, "path", "monotone"),
    Expected(unsettled.M3, "jilted", FLAGGED, "latch", ("ceremony", "who"), ("seal",)),
    Expected(unsettled.M4, "jilted", "eventual"),
    Expected(unsettled.M5, "reports", FLAGGED, "export", (), ("rewrite", "seal")),
    Expected(growing.M6, "alarms", "monotone"),
    Expected(unsettled.M7, "single", FLAGGED, "latch", (), ("rewrite", "seal")),
    Expected(unsettled.M8, "live", "eventual"),
    Expected(racing.M9, "store", FLAGGED, "delete race", ("id",), ("rewrite", "consensus")),
    Expected(racing.M10, "both", FLAGGED, "unguarded join", (), ("persist",)),
    Expected(growing.M11, "both", "monotone"),
    Expected(growing.M12, "fine", "monotone"),
    Expected(racing.M13, "register", FLAGGED, "overwrite", ("key",), ("rewrite", "consensus")),
    Expected(unsettled.M14, "latest", "eventual"),
    Expected(sealed.M15, "absent", "monotone"),
    Expected(unsettled.M16, "absent", FLAGGED, "latch", ("id",), ("seal",)),
    Expected(racing.M17, "lock", FLAGGED, "key race", ("name",), ("consensus",)),
    Expected(growing.M18, "noticed", "monotone"),
    Expected(growing.M19, "log", "monotone"),
    Expected(racing.M20, "seen", FLAGGED, "clock"),
    Expected(unsettled.M21, "cached", FLAGGED, "latch", (), ("seal", "consensus")),
    Expected(racing.M22, "spent", "eventual"),
    Expected(growing.M23, "register", "monotone"),
    Expected(racing.M24, "register", FLAGGED, "key race", ("key",), ("consensus",)),
    Expected(unsettled.M25, "garbage", FLAGGED, "latch", ("id",), ("seal",)),
    Expected(unsettled.M26, "reports", FLAGGED, "export", ("id",), ("seal",)),
    Expected(growing.M27, "overall", "monotone"),
    Expected(racing.M28, "history", FLAGGED, "export", (), ("rewrite",)),
    Expected(growing.M29, "commit", "monotone"),
    Expected(racing.M30, "abort", FLAGGED, "clock", ("tx", "agent"), ("atomic commit",)),
    Expected(growing.M31, "elected", "monotone"),
    Expected(unsettled.M31b, "elected", FLAGGED, "latch", ("ballot",), ("rewrite",)),
    Expected(growing.M32, "enough", "monotone"),
    Expected(sealed.M34, "absent", FLAGGED, "latch", ("kind", "item")),
    Expected(racing.M35, "total", FLAGGED, "overwrite", ("key",)),
    Expected(unsettled.M36, "answer", "snapshot"),
    Expected(unsettled.M37, "answers", FLAGGED, "unguarded join", (), ("persist",)),
    Expected(racing.M38, "lock", FLAGGED, "key race", ("name",), ("consensus",)),
    Expected(growing.M39, "heard", "monotone"),
    Expected(racing.M40, "register", FLAGGED, "overwrite", ("key",), ("consensus",)),
    Expected(racing.M40batch, "register", FLAGGED, "overwrite", ("key",)),
    Expected(racing.M40slots, "register", "ordered"),
    Expected(growing.M41, "commit", "monotone"),
    Expected(racing.M41timeout, "abort", FLAGGED, "clock", ("tx", "agent"), ("atomic commit",)),
)

"""`bloomish check views.sql`: a verdict for each view, with the clause to blame.

A view is `append-only` where its mode is Const or Grow, `retracting` where it is
Flux: it converges, and must not be acted upon irrevocably without coordination.
It `needs coordination` where its content depends on the schedule: because rows
that were taken from a retracting query are kept (T5: INSERT ... SELECT into a
table), because a choice, a clock or a race decides (T8, T11 to T13).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal as OneOf

from bloomish.analysis.sql.changes import Gap, Reason, Relation, Way, shown
from bloomish.analysis.sql.statements import Found, Statements
from bloomish.ir import Span
from bloomish.readers.sql.script import read_script

Verdict = OneOf["append-only", "retracting", "needs coordination", "not analysed"]
_MODES: dict[Way, str] = {
    "const": "Const", "grow": "Grow", "shrink": "Flux", "flux": "Flux", "nondet": "Nondet",
}  # fmt: skip
_WORDS = {
    "Const": "monotone",
    "Grow": "monotone",
    "Flux": "eventual",
    "Nondet": "needs coordination",
}


@dataclass(frozen=True)
class SqlVerdict:
    """One view, INSERT ... SELECT, table made by a query, or query that stands alone.

    `word` is the verdict in the words of the rule analysis (ANALYSIS 4.3).
    """

    name: str
    what: OneOf["view", "insert", "table", "query"]
    verdict: Verdict
    mode: str
    word: str
    span: Span
    reasons: tuple[Reason, ...] = ()
    gaps: tuple[Gap, ...] = ()
    reads: tuple[str, ...] = ()


@dataclass(frozen=True)
class SqlTable:
    """How a table was taken: as declared, or as an undeclared append-only stream."""

    name: str
    declared: OneOf["stream", "const", "changing", "undeclared"]
    span: Span


@dataclass(frozen=True)
class SqlReport:
    """What `check` says about a SQL text."""

    filename: str
    dialect: str
    tables: tuple[SqlTable, ...]
    verdicts: tuple[SqlVerdict, ...]
    gaps: tuple[Gap, ...] = ()  # statements of which nothing is said

    @property
    def status(self) -> int:
        """The exit status: 2 where something could not be analysed, 1 where
        something needs coordination, else 0."""
        if self.gaps or any(v.verdict == "not analysed" for v in self.verdicts):
            return 2
        return 1 if any(v.verdict == "needs coordination" for v in self.verdicts) else 0


def check_sql(text: str, filename: str = "", dialect: str = "") -> SqlReport:
    """Verdicts for all views of a text; raises `ProgramError` where it is not SQL."""
    script = read_script(text, filename, dialect)
    statements = Statements(script)
    statements.run()
    tables = [SqlTable(t.name, t.declared, t.span) for t in script.tables.values()]
    tables += [SqlTable(n, "undeclared", s) for n, s in statements.catalog.undeclared.items()]
    return SqlReport(
        filename,
        script.dialect,
        tuple(tables),
        tuple(_verdict(found) for found in statements.found),
        tuple(statements.gaps),
    )


def _verdict(found: Found) -> SqlVerdict:
    rows = shown(found.relation)
    mode = _MODES[rows.way]
    verdict: Verdict = "append-only"
    if found.relation.gaps:
        verdict, mode = "not analysed", "unknown"
    elif mode == "Nondet":
        verdict = "needs coordination"
    elif mode == "Flux":
        verdict = "retracting"
    return SqlVerdict(
        found.name,
        found.what,
        verdict,
        mode,
        _WORDS.get(mode, "not analysed"),
        found.span,
        rows.reasons if verdict in ("retracting", "needs coordination") else (),
        found.relation.gaps,
        found.relation.sources,
    )


__all__ = ["Relation", "SqlReport", "SqlTable", "SqlVerdict", "check_sql"]

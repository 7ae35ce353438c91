"""How a reader refuses: line, column, the text, the reason and the mend."""

from __future__ import annotations

from bloomish.errors import ProgramError
from bloomish.ir import Span


def refusal(span: Span, what: str, mend: str = "") -> ProgramError:
    """A `ProgramError` that names the column too: one line of these notations
    often holds a whole rule."""
    place = f" (column {span.column})" if span.column else ""
    return ProgramError(span, f"{what}{place}", mend)

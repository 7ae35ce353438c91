"""One question to a pyDatalog text, answered by our evaluators.

>>> from bloomish.runtime.queries import ask
>>> sorted(ask("+link('a', 'b')", "link(X, Y)"))
[('a', 'b')]
"""

from __future__ import annotations

from typing import Any

from bloomish.readers.pydatalog import ANSWER, read_query
from bloomish.runtime.evaluators import Which, make_evaluator


def ask(
    text: str, query: str, *, which: Which = "auto", filename: str = ""
) -> frozenset[tuple[Any, ...]]:
    """The answer to `query`: a row per binding of its variables, as pyDatalog has them.

    A query without variables has the one empty row where it holds, and none
    where it does not.
    """
    compiled, variables = read_query(text, query, filename)
    evaluator = make_evaluator(compiled.program, compiled.externals, which=which)
    evaluator.tick()
    rows = evaluator.contents(ANSWER)
    return frozenset(tuple(row) if variables else () for row in rows)

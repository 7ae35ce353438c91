"""What the pyDatalog reader refuses: line, column, reason, and never a guess."""

from __future__ import annotations

import pytest

from bloomish.errors import ProgramError
from bloomish.readers.pydatalog import read

REFUSED = [
    ("+p(X)", 1, 1, "constants only"),
    ("+p({1,2})", 1, 4, "sets and dicts"),
    ("p(X) <= q(X) & (Y==(lambda Z: Z))", 1, 21, "lambda"),
    ("q(1)\nfor i in range(3):\n    +p(i)", 2, 1, "for statement"),
    ("import math", 1, 1, "Python imports"),
    ("b(X) <= s(X,Y) | s(Y,X)", 1, 9, "no `|`"),
    ("b(X) <= s(X,Y) and s(Y,X)", 1, 1, "Python's own"),
    ("b(X) <= s(X,Y) & 1<Y", 1, 1, "chained"),
    ("b(X) <= s(X,Y) & (1<Y<3)", 1, 19, "chained"),
    ("b(X,Z) <= s(X,Y)", 1, 1, "Z stands in the head"),
    ("b(X+1) <= s(X,Y)", 1, 1, "expression in a head"),
    ("b(X) <= (X==Y) & s(X,Y)", 1, 10, "Y is not bound"),
    ("b(X) <= (Y>1) & s(X,Y)", 1, 10, "Y is not bound"),
    ("b(X) <= ~r(X) & s(X,Y)", 1, 9, "not bound left of this negation"),
    ("(t[K]==sum_(V)) <= s(K,V)", 1, 8, "needs for_each="),
    ("(t[K]==min_(V)) <= s(K,V)", 1, 8, "needs order_by="),
    ("(t[K]==sum_(V*2, for_each=K)) <= s(K,V)", 1, 13, "must be variables"),
    ("b(Y) <= s(X,Z) & (Y==len_(X))", 1, 22, "head alone"),
    ("(c[1]==concat_(K, order_by=-K, sep=',')) <= s(K,V)", 1, 1, "ignores the minus"),
    ("+p(2)\n+p(True)", 1, 1, "kinds bool, int"),
    ("+p(1)\n\n  +p(2)", 3, 2, "not pyDatalog text"),
    ("p(X) <= q(X\n+r(1)", 1, 10, "not pyDatalog text"),
    ("s.a(X) <= s(X,Y)", 1, 1, "Python classes"),
    ("p('a')\n+p('b')", 2, 1, "follows a query"),
    ("p(X) <= q(X.year)", 1, 11, "attributes"),
    ("+p(99999999999999999999)", 1, 4, "64 bits"),
    ("b(X) <= s(X,Y)\nb(X) <= None", 2, 1, "takes clauses away"),
    ("b(Y) <= s(X,Z) & (Y==X[1:2])", 1, 24, "slices"),
]


@pytest.mark.parametrize(("text", "line", "column", "reason"), REFUSED)
def test_refused_with_line_column_and_reason(
    text: str, line: int, column: int, reason: str
) -> None:
    with pytest.raises(ProgramError) as caught:
        read(text, "clauses.dl")
    assert reason in str(caught.value)
    assert (caught.value.span.line, caught.value.span.column) == (line, column)
    assert caught.value.span.file == "clauses.dl"


def test_columns_count_the_indentation_that_was_cut_off() -> None:
    with pytest.raises(ProgramError) as caught:
        read("\n    +p(1)\n    +q(X)\n")
    assert (caught.value.span.line, caught.value.span.column) == (3, 5)

"""CALM's table of operators: seven monotone ones, five that are not (SYSTEMS 5.29).

Every program takes rows from two channels into tables, applies one operator,
and hands the result out: the verdict is the operator's.
"""

from __future__ import annotations

import pytest

from bloomish import Address, Program, _, channel, count, notin, output, scratch, table, variables
from bloomish.analysis import check

a, b, c, n, x, y, z = variables("a b c n x y z")


class Tables(Program):
    """r and s grow by what arrives."""

    get_r = channel(to=Address, a=int, b=int)
    get_s = channel(to=Address, a=int, b=int)
    r = table(a=int, b=int)
    s = table(a=int, b=int)
    result = output(a=int, b=int)

    r(x, y) <= get_r(_, x, y)
    s(x, y) <= get_s(_, x, y)


class Selection(Tables):
    Tables.result(x, y) <= Tables.r(x, y) & (x > 1)


class Projection(Tables):
    Tables.result(x, x) <= Tables.r(x, _)


class NaturalJoin(Tables):
    Tables.result(x, z) <= Tables.r(x, y) & Tables.s(y, z)


class CrossProduct(Tables):
    Tables.result(x, z) <= Tables.r(x, _) & Tables.s(_, z)


class Union(Tables):
    Tables.result(x, y) <= Tables.r(x, y)
    Tables.result(x, y) <= Tables.s(x, y)


class RecursiveDatalog(Tables):
    path = table(a=int, b=int)
    path(x, y) <= Tables.r(x, y)
    path(x, z) <= Tables.r(x, y) & path(y, z)
    Tables.result(x, y) <= path(x, y)


class Intersection(Tables):
    Tables.result(x, y) <= Tables.r(x, y) & Tables.s(x, y)


class Negation(Tables):
    Tables.result(x, y) <= Tables.r(x, y) & notin(Tables.s(y, _))


class Difference(Tables):
    Tables.result(x, y) <= Tables.r(x, y) & notin(Tables.s(x, y))


class Division(Tables):
    """The a of r that stand with every b of s."""

    lacks = scratch(a=int)
    lacks(x) <= Tables.r(x, _) & Tables.s(_, y) & notin(Tables.r(x, y))
    Tables.result(x, x) <= Tables.r(x, _) & notin(lacks(x))


class ForAll(Tables):
    """Whether all of r is in s, which still grows."""

    outside = scratch(a=int)
    outside(x) <= Tables.r(x, _) & notin(Tables.s(x, _))
    Tables.result(1, 1) <= Tables.r(_, _) & notin(outside(_))


class Aggregation(Tables):
    Tables.result(x, count(y)) <= Tables.r(x, y)


MONOTONE = (
    Selection, Projection, NaturalJoin, CrossProduct, Union, RecursiveDatalog, Intersection,
)  # fmt: skip
NOT_MONOTONE = (Negation, Difference, Division, ForAll, Aggregation)


def test_the_table_is_seven_and_five() -> None:
    assert (len(MONOTONE), len(NOT_MONOTONE)) == (7, 5)


@pytest.mark.parametrize("program", MONOTONE, ids=lambda program: program.__name__)
def test_monotone(program: type[Program]) -> None:
    assert check(program).verdict("result").word == "monotone"


@pytest.mark.parametrize("program", NOT_MONOTONE, ids=lambda program: program.__name__)
def test_not_monotone(program: type[Program]) -> None:
    verdict = check(program).verdict("result")
    assert verdict.word == "needs coordination"
    assert {point.kind for point in verdict.points} == {"final output"}

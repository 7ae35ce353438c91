# ruff: noqa: E501
"""Random queries over random data give what DuckDB gives: three-valued logic, joins of
all kinds, subqueries, grouping, set operations, in whatever combination."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bloomish.errors import ProgramError
from tests.readers.sql_oracle import SCHEMA, ours, theirs
from tests.readers.test_sql_queries import inserted, t_rows, u_rows

JOINS = ["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"]


@st.composite
def values(draw: st.DrawFn, columns: tuple[str, ...], depth: int) -> str:
    """An int expression."""
    kinds = ["column", "column", "number"] + (
        ["add", "coalesce", "case", "scalar"] if depth else []
    )
    match draw(st.sampled_from(kinds)):
        case "column":
            return draw(st.sampled_from(columns))
        case "number":
            return str(draw(st.integers(0, 3)))
        case "add":
            one, two = draw(values(columns, depth - 1)), draw(values(columns, depth - 1))
            return f"({one} {draw(st.sampled_from(['+', '-', '*']))} {two})"
        case "coalesce":
            return f"COALESCE({draw(values(columns, depth - 1))}, {draw(st.integers(0, 2))})"
        case "case":
            test = draw(conditions(columns, depth - 1))
            one, two = draw(values(columns, depth - 1)), draw(values(columns, depth - 1))
            return f"CASE WHEN {test} THEN {one} ELSE {two} END"
    function = draw(st.sampled_from(["MAX(w.x)", "COUNT(*)", "SUM(w.x)", "COUNT(w.x)", "MIN(w.k)"]))
    return f"(SELECT {function} FROM u w WHERE w.k = {draw(st.sampled_from(columns))})"


@st.composite
def conditions(draw: st.DrawFn, columns: tuple[str, ...], depth: int) -> str:
    """A condition."""
    kinds = ["compare", "compare", "null", "list"]
    if depth:
        kinds += ["and", "or", "not", "exists", "in", "not in", "any", "all"]
    one = draw(values(columns, max(depth - 1, 0)))
    match draw(st.sampled_from(kinds)):
        case "compare":
            operator = draw(st.sampled_from(["=", "<>", "<", "<=", ">", ">="]))
            return f"{one} {operator} {draw(values(columns, max(depth - 1, 0)))}"
        case "null":
            return f"{one} IS {draw(st.sampled_from(['', 'NOT ']))}NULL"
        case "list":
            return f"{one} {draw(st.sampled_from(['IN', 'NOT IN']))} (1, 2, {draw(values(columns, 0))})"
        case "and":
            return f"({draw(conditions(columns, depth - 1))} AND {draw(conditions(columns, depth - 1))})"
        case "or":
            return f"({draw(conditions(columns, depth - 1))} OR {draw(conditions(columns, depth - 1))})"
        case "not":
            return f"NOT ({draw(conditions(columns, depth - 1))})"
        case "exists":
            inner = draw(conditions((*columns, "w.k", "w.x"), depth - 1))
            return f"EXISTS (SELECT 1 FROM u w WHERE {inner})"
        case "in":
            return f"{one} IN (SELECT w.x FROM u w)"
        case "not in":
            inner = draw(conditions((*columns, "w.k", "w.x"), depth - 1))
            return f"{one} NOT IN (SELECT w.x FROM u w WHERE {inner})"
        case "any":
            return f"{one} < ANY (SELECT w.x FROM u w)"
    return f"{one} >= ALL (SELECT w.x FROM u w WHERE w.k <> 0)"


@st.composite
def queries(draw: st.DrawFn) -> str:
    """A query of one of the usual shapes."""
    columns = ("t.id", "t.a", "t.b")
    where = draw(conditions(columns, 2))
    match draw(st.sampled_from(["plain", "join", "group", "distinct", "set", "derived", "window"])):
        case "plain":
            return f"SELECT t.a, {draw(values(columns, 2))} AS v FROM t WHERE {where}"
        case "join":
            both = (*columns, "u.k", "u.x")
            on = draw(conditions(both, 1))
            kind = draw(st.sampled_from(JOINS))
            left = draw(st.sampled_from(["t.a = u.k AND ", ""]))
            return f"SELECT t.id, u.x, {draw(values(both, 1))} AS v FROM t {kind} u ON {left}{on}"
        case "group":
            having = draw(st.sampled_from(["", " HAVING COUNT(*) > 1", " HAVING SUM(b) > 1"]))
            key = draw(values(columns, 1))
            functions = "COUNT(*) AS n, COUNT(b) AS c, SUM(b) AS s, MIN(s) AS m, AVG(a) AS v"
            return (
                f"SELECT g, {functions} FROM (SELECT t.*, {key} AS g FROM t WHERE {where}) q "
                f"GROUP BY g{having}"
            )
        case "distinct":
            return f"SELECT DISTINCT t.b, {draw(values(columns, 1))} AS v FROM t WHERE {where}"
        case "set":
            operator = draw(st.sampled_from(["UNION", "UNION ALL", "EXCEPT", "INTERSECT"]))
            return f"SELECT t.a FROM t WHERE {where} {operator} SELECT {draw(values(('u.k', 'u.x'), 1))} FROM u"
        case "derived":
            inner = f"SELECT t.a AS k2, {draw(values(columns, 1))} AS x2 FROM t WHERE {where}"
            return (
                f"SELECT u.k, q.x2 FROM u {draw(st.sampled_from(JOINS))} ({inner}) q ON u.k = q.k2"
            )
    function = draw(st.sampled_from(["RANK()", "DENSE_RANK()", "SUM(b)", "COUNT(b)", "COUNT(*)"]))
    part = draw(st.sampled_from(["", "PARTITION BY s ", "PARTITION BY a "]))
    down = draw(st.sampled_from(["", " DESC"]))
    return f"SELECT id, {function} OVER ({part}ORDER BY b{down}) AS v FROM t WHERE {where}"


@given(t_rows, u_rows, st.lists(queries(), min_size=3, max_size=3))
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
def test_random_queries(
    t: list[tuple[object, ...]], u: list[tuple[object, ...]], chosen: list[str]
) -> None:
    numbered = [(number, *row) for number, row in enumerate(t)]
    script = SCHEMA + inserted("t", numbered) + inserted("u", u)
    for query in chosen:
        whole = f"{script}CREATE VIEW v AS {query};\n"
        try:
            mine = ours(whole, ["v"])
        except ProgramError as error:  # a query of very many cases may be refused, never guessed
            assert "too many cases" in str(error), whole
            continue
        assert mine == theirs(whole, ["v"]), whole

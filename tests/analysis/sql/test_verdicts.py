# ruff: noqa: E501
"""Verdicts on SQL views, and the clause to blame (ANALYSIS 4.9)."""

from __future__ import annotations

import pytest

from bloomish.analysis.sql.verdicts import SqlReport, SqlVerdict, check_sql
from bloomish.errors import BloomishError, ProgramError

TABLES = """
-- bloomish: const
CREATE TABLE agents (id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE votes (agent INTEGER, ballot INTEGER);
CREATE TABLE orders (id INTEGER PRIMARY KEY, customer INTEGER, amount DOUBLE);
CREATE TABLE payments (order_id INTEGER, amount DOUBLE);
CREATE TABLE stock (
    item INTEGER, -- bloomish: changing
    n INTEGER
);
"""
LINES = TABLES.count("\n")

APPEND = [
    "SELECT * FROM orders",
    "SELECT id, amount * 2 AS twice FROM orders WHERE amount > 3",
    "SELECT o.id, p.amount FROM orders o JOIN payments p ON p.order_id = o.id",
    "SELECT DISTINCT customer FROM orders",
    "SELECT id FROM orders UNION ALL SELECT order_id FROM payments",
    "SELECT id FROM orders INTERSECT SELECT order_id FROM payments",
    "SELECT id FROM orders WHERE EXISTS (SELECT 1 FROM payments p WHERE p.order_id = orders.id)",
    "SELECT id FROM orders WHERE id IN (SELECT order_id FROM payments)",
    "SELECT id FROM orders WHERE id = ANY (SELECT order_id FROM payments)",
    "SELECT id FROM orders o SEMI JOIN payments p ON o.id = p.order_id",
    # a quorum threshold is not flagged
    "SELECT ballot FROM votes GROUP BY ballot HAVING COUNT(DISTINCT agent) >= 2",
    "SELECT ballot FROM votes GROUP BY ballot HAVING 2 <= COUNT(*) AND MAX(agent) > 1",
    "SELECT customer FROM (SELECT customer, COUNT(*) AS n FROM orders GROUP BY customer) c WHERE n > 3",
    "SELECT customer FROM orders GROUP BY customer HAVING NOT COUNT(*) < 3",
    "SELECT id FROM orders WHERE amount < (SELECT MAX(amount) FROM payments)",
    "SELECT customer FROM orders GROUP BY customer HAVING MIN(amount) < 1",
    # R1: negation and aggregates over what is complete
    "SELECT ballot FROM votes WHERE agent NOT IN (SELECT id FROM agents)",
    "SELECT COUNT(*) AS n FROM agents",
    "SELECT v.ballot, a.name FROM votes v LEFT JOIN agents a ON a.id = v.agent",
    "SELECT id, ROW_NUMBER() OVER (ORDER BY id) AS n FROM agents",
    "SELECT * FROM agents ORDER BY id LIMIT 1",
    # R7: for all agents there is a vote
    "SELECT DISTINCT b.ballot FROM votes b WHERE NOT EXISTS (SELECT 1 FROM agents a WHERE NOT EXISTS"
    " (SELECT 1 FROM votes v WHERE v.agent = a.id AND v.ballot = b.ballot))",
    # an outer join of which WHERE needs the partner
    "SELECT o.id FROM orders o LEFT JOIN payments p ON p.order_id = o.id WHERE p.amount > 2",
    "WITH RECURSIVE r(a, b) AS (SELECT agent, ballot FROM votes UNION SELECT r.a, v.ballot FROM r"
    " JOIN votes v ON v.agent = r.b) SELECT * FROM r",
    "SELECT id, CASE WHEN amount > 1 THEN 'big' ELSE 'small' END AS size FROM orders",
    "SELECT * FROM (VALUES (1), (2)) AS w(x)",
]

# query, kind of the reason, its text
RETRACTING = [
    ("SELECT customer, COUNT(*) AS n FROM orders GROUP BY customer", "aggregate", "COUNT(*)"),
    ("SELECT COUNT(*) FROM orders", "aggregate", "COUNT(*)"),
    ("SELECT SUM(amount) FROM orders", "aggregate", "SUM(amount)"),
    ("SELECT customer FROM orders GROUP BY customer HAVING COUNT(*) = 3", "threshold", "HAVING"),
    ("SELECT customer FROM orders GROUP BY customer HAVING COUNT(*) < 3", "threshold", "HAVING"),
    ("SELECT customer FROM orders GROUP BY customer HAVING SUM(amount) > 3", "threshold", "HAVING"),
    ("SELECT id FROM orders WHERE amount > (SELECT MAX(amount) FROM payments)", "threshold", "WHERE"),
    (
        "SELECT id FROM orders o WHERE NOT EXISTS (SELECT 1 FROM payments p WHERE p.order_id = o.id)",
        "negation",
        "NOT EXISTS",
    ),
    ("SELECT id FROM orders WHERE id NOT IN (SELECT order_id FROM payments)", "negation", "NOT IN"),
    ("SELECT id FROM orders WHERE id > ALL (SELECT order_id FROM payments)", "negation", "id > ALL"),
    ("SELECT id FROM orders EXCEPT SELECT order_id FROM payments", "negation", "EXCEPT"),
    ("SELECT id FROM orders o ANTI JOIN payments p ON o.id = p.order_id", "outer join", "ANTI"),
    ("SELECT o.id, p.amount FROM orders o LEFT JOIN payments p ON p.order_id = o.id", "outer join", "LEFT"),
    ("SELECT a.id, v.ballot FROM agents a LEFT JOIN votes v ON v.agent = a.id", "outer join", "LEFT"),
    ("SELECT * FROM votes v FULL JOIN agents a ON a.id = v.agent", "outer join", "FULL"),
    ("SELECT id, RANK() OVER (PARTITION BY customer ORDER BY amount) AS r FROM orders", "window", "RANK"),
    ("SELECT * FROM orders ORDER BY amount DESC LIMIT 3", "top-n", "LIMIT 3"),
    ("SELECT DISTINCT ON (customer) * FROM orders ORDER BY customer, amount", "top-n", "DISTINCT"),
    ("SELECT item FROM stock WHERE n > 0", "changing table", "CREATE TABLE stock"),
    ("SELECT id, EXISTS (SELECT 1 FROM payments p WHERE p.order_id = id) AS paid FROM orders", "", ""),
    ("SELECT DISTINCT n FROM (SELECT customer, COUNT(*) AS n FROM orders GROUP BY customer) c", "", ""),
    ("SELECT ballot FROM votes v WHERE v.agent NOT IN (SELECT agent FROM votes w WHERE w.ballot > 1)", "negation", "NOT IN"),
]  # fmt: skip

COORDINATION = [
    ("SELECT * FROM orders LIMIT 3", "choice", "LIMIT 3"),
    (
        "SELECT id, ROW_NUMBER() OVER (PARTITION BY customer) AS n FROM orders",
        "choice",
        "ROW_NUMBER",
    ),
    ("SELECT ANY_VALUE(amount) FROM orders", "choice", "ANY_VALUE"),
    ("SELECT STRING_AGG(name, ',') FROM agents", "choice", ""),
    ("SELECT id, CURRENT_TIMESTAMP AS seen FROM orders", "clock", "CURRENT_TIMESTAMP"),
    ("SELECT id FROM orders WHERE amount > RANDOM()", "choice", ""),
    ("SELECT * FROM orders TABLESAMPLE 10%", "choice", "TABLESAMPLE"),
    ("SELECT DISTINCT ON (customer) * FROM orders", "choice", "DISTINCT"),
]


def one(query: str) -> SqlVerdict:
    report = check_sql(f"{TABLES}CREATE VIEW v AS\n{query};\n", "views.sql")
    (verdict,) = report.verdicts
    return verdict


@pytest.mark.parametrize("query", APPEND)
def test_append_only(query: str) -> None:
    verdict = one(query)
    assert (verdict.verdict, verdict.word) == ("append-only", "monotone"), verdict.reasons
    assert not verdict.reasons


@pytest.mark.parametrize(("query", "kind", "text"), RETRACTING)
def test_retracting(query: str, kind: str, text: str) -> None:
    verdict = one(query)
    assert (verdict.verdict, verdict.word) == ("retracting", "eventual")
    assert verdict.reasons
    if kind:
        assert verdict.reasons[0].kind == kind
        assert verdict.reasons[0].span.text.startswith(text)
        if kind != "changing table":
            assert verdict.reasons[0].span.line == LINES + 2


@pytest.mark.parametrize(("query", "kind", "text"), COORDINATION)
def test_needs_coordination(query: str, kind: str, text: str) -> None:
    verdict = one(query)
    assert (verdict.verdict, verdict.mode) == ("needs coordination", "Nondet")
    assert kind in [reason.kind for reason in verdict.reasons]
    assert any(reason.span.text.startswith(text) for reason in verdict.reasons)


def report(text: str) -> SqlReport:
    return check_sql(TABLES + text, "views.sql")


def by_name(text: str) -> dict[str, str]:
    return {v.name: v.verdict for v in report(text).verdicts}


def test_a_retracting_view_that_is_acted_upon_needs_coordination() -> None:
    found = report(
        "CREATE VIEW unpaid AS SELECT id FROM orders EXCEPT SELECT order_id FROM payments;\n"
        "CREATE TABLE reminders (id INTEGER);\n"
        "INSERT INTO reminders SELECT id FROM unpaid;\n"
        "CREATE VIEW reminded AS SELECT * FROM reminders;\n"
    )
    assert [(v.name, v.verdict) for v in found.verdicts] == [
        ("unpaid", "retracting"),
        ("reminders", "needs coordination"),
        ("reminded", "needs coordination"),
    ]
    assert [reason.kind for reason in found.verdicts[1].reasons] == ["latch", "negation"]
    assert found.status == 1


def test_what_only_grows_may_be_inserted() -> None:
    text = (
        "CREATE TABLE big (id INTEGER);\nINSERT INTO big SELECT id FROM orders WHERE amount > 9;\n"
    )
    assert by_name(text) == {"big": "append-only"}
    assert report(text).status == 0


def test_a_cycle_of_inserts_is_a_fixpoint() -> None:
    text = (
        "CREATE TABLE done (id INTEGER);\n"
        "CREATE VIEW open_ AS SELECT id FROM orders EXCEPT SELECT id FROM done;\n"
        "INSERT INTO done SELECT id FROM open_;\n"
    )
    assert by_name(text) == {"open_": "needs coordination", "done": "needs coordination"}


def test_keys_race_unless_the_source_determines_them() -> None:
    text = "CREATE TABLE first_ (customer INTEGER PRIMARY KEY, id INTEGER);\n"
    raced = report(text + "INSERT INTO first_ SELECT customer, id FROM orders;\n").verdicts[0]
    assert (raced.verdict, raced.reasons[0].kind) == ("needs coordination", "key-race")
    assert raced.reasons[0].gate == ("customer",)
    same = "CREATE TABLE copy_ (id INTEGER PRIMARY KEY, amount DOUBLE);\n"
    assert by_name(same + "INSERT INTO copy_ SELECT id, amount FROM orders;\n") == {
        "copy_": "append-only"
    }
    only = "CREATE TABLE customers (id INTEGER PRIMARY KEY);\n"
    assert by_name(only + "INSERT INTO customers SELECT customer FROM orders;\n") == {
        "customers": "append-only"
    }


def test_replacing_is_an_overwrite() -> None:
    text = "CREATE TABLE last_ (customer INTEGER PRIMARY KEY, id INTEGER);\n"
    found = report(text + "INSERT OR REPLACE INTO last_ SELECT customer, id FROM orders;\n")
    assert found.verdicts[0].reasons[0].kind == "overwrite"


def test_a_table_made_by_a_query_keeps_a_moment() -> None:
    found = report("CREATE TABLE now_ AS SELECT * FROM orders;\n").verdicts[0]
    assert (found.verdict, found.reasons[0].kind) == ("needs coordination", "latch")


def test_views_over_views_blame_the_clause_where_it_stands() -> None:
    found = report(
        "CREATE VIEW c AS SELECT customer, COUNT(*) AS n FROM orders GROUP BY customer;\n"
        "CREATE VIEW d AS SELECT customer FROM c WHERE n = 3;\n"
        "CREATE VIEW e AS SELECT customer, n FROM c;\n"
        "CREATE VIEW f AS SELECT customer FROM c;\n"
    )
    verdicts = {v.name: v for v in found.verdicts}
    assert verdicts["d"].verdict == "retracting"
    assert verdicts["e"].reasons[0].span.line == LINES + 1
    assert verdicts["f"].verdict == "append-only"


def test_what_cannot_be_analysed_is_said_clause_by_clause() -> None:
    found = report(
        "CREATE VIEW a AS SELECT foo(amount), bar(id) FROM orders;\n"
        "CREATE VIEW b AS SELECT * FROM a;\n"
        "DELETE FROM payments WHERE amount = 0;\n"
        "CREATE VIEW c AS SELECT * FROM payments;\n"
        "CREATE VIEW d AS SELECT * FROM orders;\n"
    )
    verdicts = {v.name: v for v in found.verdicts}
    assert [gap.span.text for gap in verdicts["a"].gaps] == ["foo(amount)", "bar(id)"]
    assert [v.verdict for v in found.verdicts] == ["not analysed"] * 3 + ["append-only"]
    assert "reads a" in verdicts["b"].gaps[0].what
    assert "DELETE of payments" in found.gaps[0].what
    assert found.status == 2


def test_undeclared_tables_are_streams_and_said_to_be_so() -> None:
    found = check_sql(
        "CREATE VIEW v AS SELECT x FROM elsewhere WHERE x NOT IN (SELECT y FROM other);"
    )
    assert {t.name: t.declared for t in found.tables} == {
        "elsewhere": "undeclared",
        "other": "undeclared",
    }
    assert found.verdicts[0].verdict == "retracting"


@pytest.mark.parametrize(
    "dialect", ["postgres", "mysql", "sqlite", "snowflake", "bigquery", "spark"]
)
def test_dialects(dialect: str) -> None:
    text = "CREATE VIEW v AS SELECT a, COUNT(*) AS n FROM t GROUP BY a"
    found = check_sql(text, "v.sql", dialect)
    assert (found.dialect, found.verdicts[0].verdict) == (dialect, "retracting")


def test_the_text_may_name_its_dialect() -> None:
    found = check_sql("-- bloomish: dialect=mysql\nCREATE VIEW v AS SELECT `a` FROM `t`;")
    assert (found.dialect, found.status) == ("mysql", 0)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("CREATE VIEW v AS SELECT FROM WHERE", "not SQL"),
        ("-- bloomish: constant\nCREATE TABLE t (a INT);", "says nothing"),
        ("-- bloomish: const\nCREATE VIEW v AS SELECT 1;", "belongs to no CREATE TABLE"),
        ("SELECT 'open", "not SQL"),
        (
            "-- bloomish: const\nCREATE TABLE t (a INT);\nCREATE TABLE s (a INT);\n"
            "INSERT INTO t SELECT a FROM s;",
            "declared `bloomish: const`",
        ),
    ],
)
def test_wrong_input(text: str, what: str) -> None:
    with pytest.raises(ProgramError) as caught:
        check_sql(text, "views.sql")
    assert what in str(caught.value)
    assert caught.value.span.line


def test_an_unknown_dialect() -> None:
    with pytest.raises(BloomishError, match="no SQL dialect 'cobol'"):
        check_sql("SELECT 1", "", "cobol")

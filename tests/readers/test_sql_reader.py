"""SQL files as programs: tables, what is inserted, what is refused."""

from __future__ import annotations

import pytest

from bloomish.errors import ProgramError
from bloomish.readers.sql import read_sql
from bloomish.readers.sql.reader import read_sql_warning
from bloomish.runtime.evaluators import make_evaluator
from bloomish.targets import load
from tests.readers.sql_oracle import ROWS, SCHEMA, ours, theirs


def test_tables_by_their_declaration() -> None:
    program = read_sql(
        "CREATE TABLE s (x INTEGER, id INTEGER PRIMARY KEY);\n"
        "-- bloomish: const\nCREATE TABLE c (a TEXT PRIMARY KEY);\n"
        "-- bloomish: changing\nCREATE TABLE d (a TEXT NOT NULL);\n"
    ).program
    kinds = {c.name: c.kind for c in program.collections}
    assert kinds == {
        "s": "table", "insert_s": "input", "c": "const",
        "d": "table", "insert_d": "input", "delete_d": "input",
    }  # fmt: skip
    columns = {c.name: [(k.name, k.key) for k in c.columns] for c in program.collections}
    assert columns["s"] == [("id", True), ("x", False)]
    assert columns["d"] == [("a", False), ("rowid", False)]
    assert program.notation == "sql"


def test_views_follow_what_the_host_inserts() -> None:
    compiled = read_sql(
        "-- bloomish: changing\nCREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER NOT NULL);\n"
        "CREATE VIEW v AS SELECT a, COUNT(*) AS n FROM t GROUP BY a;\n"
    )
    evaluator = make_evaluator(compiled.program, compiled.externals)
    evaluator.tick()
    evaluator.insert("insert_t", [(1, 7), (2, 7), (3, 8)])
    evaluator.tick()
    assert evaluator.contents("v") == [(7, 2), (8, 1)]
    evaluator.insert("delete_t", [(2, 7)])
    evaluator.tick()
    evaluator.tick()
    assert evaluator.contents("v") == [(7, 1), (8, 1)]


def test_insert_select_is_a_rule_that_stands() -> None:
    script = (
        SCHEMA + ROWS + "CREATE TABLE w (k INTEGER, x INTEGER);\n"
        "INSERT INTO w SELECT k, x FROM u;\nINSERT INTO w (k) SELECT a FROM t;\n"
        "CREATE VIEW v AS SELECT * FROM w;\n"
    )
    assert ours(script, ["v"]) == theirs(script, ["v"])


def test_views_over_views() -> None:
    script = (
        SCHEMA + ROWS + "CREATE VIEW v AS SELECT a FROM t;\n"
        "CREATE VIEW w(x, n) AS SELECT a, COUNT(*) FROM v GROUP BY a;\n"
        "CREATE VIEW z AS SELECT v.a, w.n FROM v JOIN w ON v.a = w.x;\n"
    )
    assert ours(script, ["v", "w", "z"]) == theirs(script, ["v", "w", "z"])


def test_constraints_that_only_reject_rows_are_warned_about(tmp_path: object) -> None:
    text = "CREATE TABLE t (a INTEGER NOT NULL UNIQUE CHECK (a > 0), PRIMARY KEY (a));"
    _, warnings = read_sql_warning(text, "t.sql")
    assert len(warnings) == 2
    assert all("is not enforced" in warning for warning in warnings)


def test_a_target(tmp_path: object) -> None:
    path = tmp_path / "views.sql"  # type: ignore[operator]
    path.write_text("CREATE TABLE t (a INTEGER PRIMARY KEY);\nCREATE VIEW v AS SELECT a FROM t;")
    (compiled,) = load(str(path)).programs
    assert compiled.program.name == "Views"


@pytest.mark.parametrize(
    ("query", "what", "text"),
    [
        ("SELECT a FROM t LIMIT 2", "LIMIT without ORDER BY", "LIMIT 2"),
        ("SELECT a, b FROM t ORDER BY a LIMIT 2", "rows that tie", "LIMIT 2"),
        ("SELECT ROW_NUMBER() OVER (ORDER BY k) FROM u", "numbered either way", "ROW_NUMBER"),
        ("SELECT STRING_AGG(s, ',') FROM t", "the aggregate", ""),
        ("SELECT ARG_MAX(a, b) FROM t", "the aggregate", ""),
        ("SELECT DISTINCT ON (a) a, id FROM t", "DISTINCT ON", "DISTINCT"),
        ("SELECT a FROM t GROUP BY ROLLUP (a)", "ROLLUP", "GROUP BY"),
        ("SELECT a, b FROM t GROUP BY a", "neither grouped nor aggregated", "b"),
        ("SELECT (SELECT x FROM u) FROM t", "may have several rows", ""),
        ("SELECT a FROM t WHERE a = 'x'", "compares int with str", "a = 'x'"),
        ("SELECT a FROM t WHERE a", "no condition", "a"),
        ("SELECT a + 0.1 FROM t", "exact decimal", "0.1"),
        ("SELECT CAST(s AS INTEGER) FROM t", "CAST of str to int", ""),
        ("SELECT a FROM t EXCEPT ALL SELECT k FROM u", "EXCEPT ALL", "EXCEPT"),
        ("SELECT * FROM t ASOF JOIN u ON t.a >= u.k", "ASOF", ""),
        ("SELECT * FROM t, LATERAL (SELECT k FROM u WHERE u.k = t.a) l", "LATERAL", ""),
        ("SELECT k FROM t, u, t AS t2 WHERE id = 1", "several tables", "id"),
        ("SELECT nothing FROM t", "no table that is read here", "nothing"),
        ("SELECT * FROM elsewhere", "there is no table or view elsewhere", "elsewhere"),
        ("SELECT LAG(a) OVER (ORDER BY id) FROM t", "window function", ""),
        ("SELECT SUM(a) OVER (ORDER BY id ROWS 2 PRECEDING) FROM t", "window frame", ""),
        ("SELECT id FROM t WHERE s LIKE 'a!%' ESCAPE '!'", "ESCAPE", ""),
        ("SELECT foo(a) FROM t", "the function foo", "foo(a)"),
        ("SELECT a FROM t TABLESAMPLE 10%", "SAMPLE", ""),
        ("SELECT a FROM t WHERE b BETWEEN SYMMETRIC 2 AND 1", "SYMMETRIC", ""),
    ],
)
def test_refused_with_the_clause(query: str, what: str, text: str) -> None:
    with pytest.raises(ProgramError) as caught:
        read_sql(f"{SCHEMA}CREATE VIEW v AS\n{query};", "views.sql")
    assert what in str(caught.value)
    assert caught.value.span.line == SCHEMA.count("\n") + 2
    assert caught.value.span.text.startswith(text)


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("CREATE TABLE x (a DECIMAL(10, 2))", "DECIMAL"),
        ("CREATE TABLE x (a FLOAT)", "write DOUBLE"),
        ("CREATE TABLE x (a TIMESTAMP)", "TIMESTAMP"),
        ("CREATE TABLE x (a INTEGER DEFAULT 3)", "it makes values"),
        ("CREATE TABLE x AS SELECT * FROM t", "CREATE TABLE"),
        ("UPDATE t SET a = 1", "UPDATE"),
        ("DELETE FROM t", "DELETE"),
        ("INSERT INTO t VALUES (1, NULL, 2, 'x')", "may not be NULL"),
        ("INSERT INTO t VALUES (1, 'x', 2, 'x')", "is no int"),
        ("INSERT INTO t VALUES (1, 2)", "2 values for 4 columns"),
        ("INSERT INTO t SELECT k, x, x, 'a' FROM u", "may be NULL here"),
        ("INSERT INTO t VALUES (1, 1, 1, 'x') ON CONFLICT DO NOTHING", "CONFLICT"),
        ("CREATE VIEW t AS SELECT 1", "is there already"),
    ],
)
def test_refused_statements(statement: str, what: str) -> None:
    with pytest.raises(ProgramError) as caught:
        read_sql(f"{SCHEMA}{statement};", "views.sql")
    assert what in str(caught.value)


def test_other_dialects_get_verdicts_only() -> None:
    with pytest.raises(ProgramError, match="no rules for the dialect mysql"):
        read_sql("SELECT 1", "v.sql", "mysql")

"""`sql("CREATE VIEW ...")` in a Program: views over its collections, used by its rules."""

from __future__ import annotations

import subprocess
import sys

import pytest

from bloomish import Key, Max, Program, ProgramError, compile, output, sql, table, variables
from bloomish.runtime.evaluators import make_evaluator

a, b, n = variables("a b n")


class Links(Program):
    link = table(src=str, dst=str)
    cell = table(node=Key(str), best=Max(int))


class Views(Links):
    down = table(node=str)

    Links.link <= [("a", "b"), ("b", "c"), ("c", "a"), ("a", "c")]
    down <= [("c",)]

    sql(
        """
        CREATE VIEW reach AS
            WITH RECURSIVE r(x, y) AS (
                SELECT src, dst FROM link UNION SELECT r.x, l.dst FROM r JOIN link l ON l.src = r.y
            )
            SELECT x, y FROM r;
        CREATE VIEW degree AS SELECT src, COUNT(*) AS n FROM link GROUP BY src;
        CREATE VIEW up AS SELECT DISTINCT src FROM link WHERE dst NOT IN (SELECT node FROM down);
        """,
        outputs="degree",
    )
    hub = output(node=str)
    hub(a) <= degree(a, n) & (n > 1) & reach(a, a)  # noqa: F821


def test_views_are_collections_of_the_program() -> None:
    compiled = compile(Views)
    kinds = {c.name: c.kind for c in compiled.program.collections}
    assert (kinds["reach"], kinds["degree"], kinds["up"]) == ("scratch", "output", "scratch")
    evaluator = make_evaluator(compiled.program, compiled.externals)
    evaluator.tick()
    assert evaluator.contents("degree") == [("a", 2), ("b", 1), ("c", 1)]
    assert evaluator.contents("up") == [("a",), ("c",)]
    assert evaluator.contents("hub") == [("a",)]
    assert len(evaluator.contents("reach")) == 9


def test_lattice_columns_are_not_sqls() -> None:
    with pytest.raises(ProgramError, match="no table that is read here has a column best"):

        class Bad(Links):
            sql("CREATE VIEW v AS SELECT best FROM cell")


def test_errors_stand_where_the_text_stands() -> None:
    with pytest.raises(ProgramError) as caught:

        class Bad(Links):
            sql("""
                CREATE VIEW v AS
                SELECT nothing FROM link""")

    assert caught.value.span.file == __file__
    assert (
        caught.value.span.line
        == test_errors_stand_where_the_text_stands.__code__.co_firstlineno + 6
    )


def test_only_views_are_made_inside_a_program() -> None:
    with pytest.raises(ProgramError, match="only views"):

        class Bad(Links):
            sql("CREATE TABLE t (a INT)")


def test_sql_outside_of_a_program() -> None:
    with pytest.raises(ProgramError, match="outside the body"):
        sql("CREATE VIEW v AS SELECT 1")


def test_programs_without_sql_do_not_load_sqlglot() -> None:
    code = "import sys, bloomish; from bloomish import sql; print('sqlglot' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"

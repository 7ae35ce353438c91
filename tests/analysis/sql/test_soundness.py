"""What is called append-only never takes a row back: random queries over random data,
of which a part comes first.  DuckDB is the judge."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bloomish.analysis.sql.verdicts import check_sql
from tests.readers.sql_oracle import SCHEMA, Bag, theirs
from tests.readers.test_sql_queries import QUERIES, inserted, t_rows, u_rows
from tests.readers.test_sql_random import queries

CONST = SCHEMA.replace("CREATE TABLE u", "-- bloomish: const\nCREATE TABLE u")


def rows(t: list[tuple[object, ...]], u: list[tuple[object, ...]], query: str) -> Bag:
    numbered = [(number, *row) for number, row in enumerate(t)]
    script = SCHEMA + inserted("t", numbered) + inserted("u", u)
    return theirs(f"{script}CREATE VIEW v AS {query};", ["v"])["v"]


@given(
    t_rows,
    u_rows,
    st.integers(0, 6),
    st.integers(0, 6),
    st.booleans(),
    queries() | st.sampled_from([query for _, query in QUERIES]),
)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_append_only_views_only_gain_rows(
    t: list[tuple[object, ...]],
    u: list[tuple[object, ...]],
    t_first: int,
    u_first: int,
    const: bool,
    query: str,
) -> None:
    (verdict,) = check_sql(f"{CONST if const else SCHEMA}CREATE VIEW v AS {query};").verdicts
    if verdict.verdict != "append-only":
        return
    early = rows(t[:t_first], u if const else u[:u_first], query)
    late = rows(t, u, query)
    assert early <= late, query

"""A corpus of queries (tests/readers/sql) gives what DuckDB gives, duplicates and NULLs
included, on fixed and on generated data."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.readers.sql_oracle import ROWS, SCHEMA, ours, theirs

FOLDER = Path(__file__).parent / "sql"
QUERIES = [
    (file.stem, line.rstrip(";"))
    for file in sorted(FOLDER.glob("*.sql"))
    for line in file.read_text().splitlines()
    if line and not line.startswith("--")
]


@pytest.mark.parametrize(("kind", "query"), QUERIES)
def test_the_query_gives_what_duckdb_gives(kind: str, query: str) -> None:
    script = f"{SCHEMA}{ROWS}CREATE VIEW v AS {query};"
    assert ours(script, ["v"]) == theirs(script, ["v"])


small = st.integers(-2, 4)
maybe = st.none() | small
texts = st.none() | st.sampled_from(["", "x", "xy", "ä"])
floats = st.none() | st.sampled_from([-1.5, 0.0, 0.5, 2.25])
t_rows = st.lists(st.tuples(small, maybe, texts), max_size=6)
u_rows = st.lists(st.tuples(small, maybe, floats), max_size=6)


def literal(value: object) -> str:
    if value is None:
        return "NULL"
    return "'" + value + "'" if isinstance(value, str) else repr(value)


def inserted(table: str, rows: list[tuple[object, ...]]) -> str:
    values = ", ".join("(" + ", ".join(map(literal, row)) + ")" for row in rows)
    return f"INSERT INTO {table} VALUES {values};\n" if rows else ""


@given(t_rows, u_rows, st.lists(st.sampled_from(QUERIES), min_size=6, max_size=6, unique=True))
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_generated_data(
    t: list[tuple[object, ...]], u: list[tuple[object, ...]], chosen: list[tuple[str, str]]
) -> None:
    numbered = [(number, *row) for number, row in enumerate(t)]
    script = SCHEMA + inserted("t", numbered) + inserted("u", u)
    views = []
    for number, (_, query) in enumerate(chosen):
        script += f"CREATE VIEW v{number} AS {query};\n"
        views.append(f"v{number}")
    assert ours(script, views) == theirs(script, views), script

"""DuckDB as the oracle: the same script, and each view's rows as a bag."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import duckdb

from bloomish.readers.sql.model import ROW
from bloomish.readers.sql.reader import read_sql
from bloomish.runtime.evaluators import Which, engine_built, make_evaluator

Bag = Counter[tuple[Any, ...]]

SCHEMA = """
CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER NOT NULL, b INTEGER, s VARCHAR);
CREATE TABLE u (k INTEGER NOT NULL, x INTEGER, d DOUBLE);
"""
ROWS = """
INSERT INTO t VALUES (1,1,10,'x'),(2,1,NULL,'y'),(3,2,20,NULL),(4,3,NULL,NULL),(5,3,10,'x');
INSERT INTO u VALUES (1,10,1.5),(1,10,1.5),(2,NULL,2.5),(7,20,NULL),(3,5,0.5);
"""


def theirs(script: str, views: Iterable[str]) -> dict[str, Bag]:
    """DuckDB's rows."""
    with duckdb.connect() as connection:
        connection.execute(script)
        return {view: bag(connection.execute(f"SELECT * FROM {view}").fetchall()) for view in views}


def ours(script: str, views: Iterable[str]) -> dict[str, Bag]:
    """Our rows, of which all evaluators that are here agree."""
    views = list(views)
    found = evaluated(script, views, "reference")
    if engine_built():
        assert evaluated(script, views, "engine") == found, script
    return found


def evaluated(script: str, views: Iterable[str], which: Which) -> dict[str, Bag]:
    """One evaluator's rows, without the hidden column that tells equal ones apart."""
    compiled = read_sql(script, "views.sql")
    evaluator = make_evaluator(compiled.program, compiled.externals, which=which)
    evaluator.tick()
    columns = {c.name: c.columns for c in compiled.program.collections}
    found = {}
    for view in views:
        hidden = columns[view][-1].name == ROW
        rows = evaluator.contents(view)
        found[view] = bag(row[:-1] if hidden else row for row in rows)
    return found


def bag(rows: Iterable[tuple[Any, ...]]) -> Bag:
    """Rows with their multiplicities; floats to nine digits, as sums may round otherwise."""
    return Counter(tuple(_value(value) for value in row) for row in rows)


def _value(value: Any) -> Any:
    return float(f"{value:.9g}") + 0.0 if isinstance(value, float) else value

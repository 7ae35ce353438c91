"""W1 to W7 on DuckDB, egglog and CPython loops: `python -m benchmarks.datalog_peers PEER W FOLDER`.

Each reads the files by its own means and reports what it had used when the result was known.
"""

from __future__ import annotations

import json
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from benchmarks.usage import mark

Result = dict[str, Any]

# ----------------------------------------------------------------- DuckDB

READ = "read_csv('{path}', delim='\t', header=false, columns={columns})"
CHECKSUM = "sum(x * 31 + y * 17 + x * y % 1009)"

CLOSURE_SQL = """
WITH RECURSIVE path(x, y) AS (
    SELECT x, y FROM edge UNION SELECT path.x, edge.y FROM path JOIN edge ON path.y = edge.x
) SELECT count(*), {checksum} FROM path
"""
SAME_SQL = """
WITH RECURSIVE same(x, y) AS (
    SELECT a.x, b.x FROM edge a JOIN edge b ON a.y = b.y
    UNION
    SELECT a.x, b.x FROM same JOIN edge a ON a.y = same.x JOIN edge b ON b.y = same.y
) SELECT count(*), {checksum} FROM same
"""
DISTANCE_SQL = """
WITH RECURSIVE distance(x, y) USING KEY (x) AS (
    SELECT 0::BIGINT, 0::BIGINT
    UNION
    SELECT new.x, new.y FROM (
        SELECT edge.y AS x, min(distance.y + edge.c) AS y
        FROM distance JOIN edge ON distance.x = edge.x GROUP BY edge.y
    ) new LEFT JOIN recurring.distance old ON old.x = new.x
    WHERE old.y IS NULL OR new.y < old.y
) SELECT count(*), {checksum} FROM distance
"""


def duckdb(name: str, folder: Path) -> Result:
    import duckdb as duck

    base = duck.connect()
    base.execute("SET threads = 1")
    columns = "{'x': 'BIGINT', 'y': 'BIGINT'}"
    if name == "w4":
        columns = "{'x': 'BIGINT', 'y': 'BIGINT', 'c': 'BIGINT'}"
    if name == "w5":
        return _duckdb_aliases(base, folder)
    path = folder / f"{name}.tsv"
    base.execute(f"CREATE TABLE edge AS FROM {READ.format(path=path, columns=columns)}")
    sql = {"w3": SAME_SQL, "w4": DISTANCE_SQL}.get(name, CLOSURE_SQL)
    found = base.execute(sql.format(checksum=CHECKSUM)).fetchone()
    assert found is not None
    return {"rows": found[0], **mark(), "checksum": int(found[1])}


def _duckdb_aliases(base: Any, folder: Path) -> Result:
    """Mutual recursion is not SQL's: semi-naive rounds of statements."""
    columns = "{'x': 'BIGINT', 'y': 'BIGINT'}"
    for table in ("assign", "dereference"):
        path = folder / f"w5_{table}.tsv"
        base.execute(f"CREATE TABLE {table} AS FROM {READ.format(path=path, columns=columns)}")
    views = ("value_flow", "memory_alias", "value_alias")
    for view in views:
        base.execute(f"CREATE TABLE {view} (x BIGINT, y BIGINT)")
        base.execute(f"CREATE TABLE d_{view} (x BIGINT, y BIGINT)")
    loops = "SELECT x, x FROM assign UNION SELECT y, y FROM assign"
    base.execute(f"INSERT INTO d_value_flow SELECT x, y FROM assign UNION {loops}")
    base.execute(f"INSERT INTO d_memory_alias {loops}")
    while True:
        for view in views:
            base.execute(f"INSERT INTO {view} FROM d_{view}")
        base.execute(
            """CREATE TABLE n_value_flow AS
            SELECT a.x AS x, m.y AS y FROM assign a JOIN d_memory_alias m ON a.y = m.x
            UNION SELECT f.x, g.y FROM d_value_flow f JOIN value_flow g ON f.y = g.x
            UNION SELECT f.x, g.y FROM value_flow f JOIN d_value_flow g ON f.y = g.x
            EXCEPT FROM value_flow"""
        )
        base.execute(
            """CREATE TABLE n_memory_alias AS
            SELECT d.y AS x, e.y AS y FROM dereference d JOIN d_value_alias v ON d.x = v.x
                JOIN dereference e ON v.y = e.x
            EXCEPT FROM memory_alias"""
        )
        base.execute(
            """CREATE TABLE n_value_alias AS
            SELECT f.y AS x, g.y AS y FROM d_value_flow f JOIN value_flow g ON f.x = g.x
            UNION SELECT f.y, g.y FROM value_flow f JOIN d_value_flow g ON f.x = g.x
            UNION SELECT f.y, g.y FROM d_value_flow f JOIN memory_alias m ON f.x = m.x
                JOIN value_flow g ON m.y = g.x
            UNION SELECT f.y, g.y FROM value_flow f JOIN d_memory_alias m ON f.x = m.x
                JOIN value_flow g ON m.y = g.x
            UNION SELECT f.y, g.y FROM value_flow f JOIN memory_alias m ON f.x = m.x
                JOIN d_value_flow g ON m.y = g.x
            EXCEPT FROM value_alias"""
        )
        news = 0
        for view in views:
            base.execute(f"DROP TABLE d_{view}")
            base.execute(f"ALTER TABLE n_{view} RENAME TO d_{view}")
            news += base.execute(f"SELECT count(*) FROM d_{view}").fetchone()[0]
        if not news:
            break
    rows = [base.execute(f"SELECT count(*), {CHECKSUM} FROM {v}").fetchone() for v in views]
    return {"rows": sum(r[0] for r in rows), **mark(), "checksum": int(sum(r[1] for r in rows))}


# ----------------------------------------------------------------- egglog

EGGLOG = {
    "closure": """
(relation edge (i64 i64)) (relation path (i64 i64))
(rule ((edge x y)) ((path x y)))
(rule ((path x y) (edge y z)) ((path x z)))
""",
    "w3": """
(relation edge (i64 i64)) (relation path (i64 i64))
(rule ((edge x z) (edge y z)) ((path x y)))
(rule ((edge x z) (path z w) (edge y w)) ((path x y)))
""",
    "w4": """
(relation edge (i64 i64 i64)) (function distance (i64) i64 :merge (min old new))
(set (distance 0) 0)
(rule ((= d (distance x)) (edge x y c)) ((set (distance y) (+ d c))))
""",
    "w5": """
(relation assign (i64 i64)) (relation dereference (i64 i64))
(relation value_flow (i64 i64)) (relation memory_alias (i64 i64)) (relation value_alias (i64 i64))
(rule ((assign x y)) ((value_flow x y) (value_flow x x) (value_flow y y)
                      (memory_alias x x) (memory_alias y y)))
(rule ((assign x z) (memory_alias z y)) ((value_flow x y)))
(rule ((value_flow x z) (value_flow z y)) ((value_flow x y)))
(rule ((dereference y x) (value_alias y z) (dereference z w)) ((memory_alias x w)))
(rule ((value_flow z x) (value_flow z y)) ((value_alias x y)))
(rule ((value_flow z x) (memory_alias z w) (value_flow w y)) ((value_alias x y)))
""",
}


def egglog(name: str, folder: Path) -> Result:
    from egglog.bindings import EGraph

    graph = EGraph(fact_directory=str(folder))

    def run(text: str) -> str:
        commands = graph.parse_program(text)
        return " ".join(str(output) for output in graph.run_program(*commands))

    program = EGGLOG.get(name, EGGLOG["closure"])
    inputs = {"w5": [("assign", "w5_assign"), ("dereference", "w5_dereference")]}
    files = inputs.get(name, [("edge", "w1" if name == "w6" else name)])
    read = " ".join(f'(input {relation} "{file}.tsv")' for relation, file in files)
    run(program + read + " (run-schedule (saturate (run)))")
    counted = {"w4": ["distance"], "w5": ["value_flow", "memory_alias", "value_alias"]}
    views = counted.get(name, ["path"])

    def rows() -> int:
        shown = [run(f"(print-size {view})") for view in views]
        return sum(int("".join(filter(str.isdigit, text))) for text in shown)

    result: Result = {"rows": rows(), **mark()}
    if name == "w6":
        times = []
        for line in (folder / "w6.tsv").read_text().splitlines():
            begun = time.process_time()
            run(f"(edge {line}) (run-schedule (saturate (run)))")
            times.append(time.process_time() - begun)
        result = {"rows": rows(), "times": times}
    return result


# ------------------------------------------------------ tight CPython loops


def cpython(name: str, folder: Path) -> Result:
    def read(file: str) -> list[tuple[int, ...]]:
        with (folder / f"{file}.tsv").open() as lines:
            return [tuple(map(int, line.split())) for line in lines]

    views: list[Any]
    if name in ("w1", "w2"):
        views = [_closure(read(name))]
    elif name == "w3":
        views = [_same(read(name))]
    elif name == "w4":
        views = [set(_distances(read(name)).items())]
    else:
        views = list(_aliases(read("w5_assign"), read("w5_dereference")))
    result = {"rows": sum(map(len, views)), **mark()}
    checksum = sum(a * 31 + b * 17 + a * b % 1009 for view in views for a, b in view)
    return {**result, "checksum": checksum}


def _closure(edges: list[tuple[int, ...]]) -> set[tuple[int, int]]:
    after: dict[int, list[int]] = defaultdict(list)
    for x, y in edges:
        after[x].append(y)
    found: set[tuple[int, int]] = set()
    for start in list(after):
        seen: set[int] = set()
        open_ = [start]
        while open_:
            for y in after.get(open_.pop(), ()):
                if y not in seen:
                    seen.add(y)
                    open_.append(y)
        found.update((start, y) for y in seen)
    return found


def _same(parents: list[tuple[int, ...]]) -> set[tuple[int, int]]:
    children: dict[int, list[int]] = defaultdict(list)
    for child, parent in parents:
        children[parent].append(child)
    found: set[tuple[int, int]] = set()
    fresh = [(a, b) for group in children.values() for a in group for b in group]
    while fresh:
        found.update(fresh)
        derived = {
            (a, b)
            for x, y in fresh
            if x in children and y in children
            for a in children[x]
            for b in children[y]
        }
        fresh = list(derived - found)
    return found


def _distances(edges: list[tuple[int, ...]]) -> dict[int, int]:
    after: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for x, y, c in edges:
        after[x].append((y, c))
    best = {0: 0}
    fresh = {0}
    while fresh:
        changed = set()
        for x in fresh:
            d = best[x]
            for y, c in after.get(x, ()):
                if d + c < best.get(y, d + c + 1):
                    best[y] = d + c
                    changed.add(y)
        fresh = changed
    return best


Index = dict[int, set[int]]


def _aliases(
    assign: list[tuple[int, ...]], dereference: list[tuple[int, ...]]
) -> tuple[set[tuple[int, int]], ...]:
    """Worklist over single rows, each view indexed both ways."""
    flow_to: Index = defaultdict(set)
    flow_from: Index = defaultdict(set)
    memory_to: Index = defaultdict(set)
    memory_from: Index = defaultdict(set)
    assign_from: dict[int, list[int]] = defaultdict(list)
    points: dict[int, list[int]] = defaultdict(list)
    for y, x in dereference:
        points[y].append(x)
    flow: set[tuple[int, int]] = set()
    memory: set[tuple[int, int]] = set()
    alias: set[tuple[int, int]] = set()
    work: list[tuple[int, int, int]] = []

    def add(view: int, rows: Any) -> None:
        known = (flow, memory, alias)[view]
        for row in rows:
            if row not in known:
                known.add(row)
                work.append((view, *row))

    for x, y in assign:
        assign_from[y].append(x)
        add(0, ((x, y), (x, x), (y, y)))
        add(1, ((x, x), (y, y)))
    while work:
        view, x, y = work.pop()
        if view == 0:
            flow_to[x].add(y)
            flow_from[y].add(x)
            add(0, [(x, z) for z in flow_to[y]])
            add(0, [(z, y) for z in flow_from[x]])
            add(2, [pair for z in flow_to[x] for pair in ((y, z), (z, y))])
            add(2, [(y, z) for w in memory_to[x] for z in flow_to[w]])
            add(2, [(z, y) for w in memory_from[x] for z in flow_to[w]])
        elif view == 1:
            memory_to[x].add(y)
            memory_from[y].add(x)
            add(0, [(z, y) for z in assign_from[x]])
            add(2, [(a, b) for a in flow_to[x] for b in flow_to[y]])
        else:
            add(1, [(a, b) for a in points.get(x, ()) for b in points.get(y, ())])
    return flow, memory, alias


PEERS = {"duckdb": duckdb, "egglog": egglog, "cpython": cpython}


def main() -> None:
    peer, name, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    print(json.dumps(PEERS[peer](name, folder)))


if __name__ == "__main__":
    main()

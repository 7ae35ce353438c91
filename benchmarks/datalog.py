"""W1 to W7: Datalog beside DuckDB, egglog, C++ by hand and tight CPython loops.

Every system runs in a process of its own and reads the same files by its own
means.  Counted is the CPU of the whole process until its result is known, start
and imports included.  Row counts and checksums must agree.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks import datalog_inputs
from benchmarks.row import Row, at_most, beside

WHOLE = {
    "w1": "W1 closure, random digraph",
    "w2": "W2 closure, chain",
    "w3": "W3 same generation",
    "w4": "W4 shortest paths, Min lattice",
    "w5": "W5 mutual recursion",
}
Result = dict[str, Any]


def run(quick: bool) -> Iterator[Row]:
    """The figures of this group."""
    if find_spec("bloomish._engine") is None:
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        datalog_inputs.make(folder, quick)
        compiled = _compile(folder)
        for workload, title in WHOLE.items():
            yield from _whole(workload, title, folder, compiled)
        yield from _additions(folder)
        yield from _replacements(folder)


def _python(module: str, *args: str) -> Result | None:
    """What the last line of a Python process says; None if the peer is not there or fails."""
    command = [sys.executable, "-m", module, *args]
    # Installed packages are not compiled at every start: ours, in its tree, need not be either.
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, env=env)
    if done.returncode:
        if module == "benchmarks.datalog_programs":
            raise RuntimeError(done.stderr)
        return None
    found: Result = json.loads(done.stdout.splitlines()[-1])
    return found


def _compile(folder: Path) -> Path | None:
    compiler = shutil.which("g++") or shutil.which("c++")
    if compiler is None:
        return None
    source, program = Path(__file__).with_suffix(".cpp"), folder / "datalog"
    subprocess.run([compiler, "-O3", "-std=c++17", "-o", program, source], check=True)
    return program


def _cpp(program: Path | None, workload: str, folder: Path) -> Result | None:
    if program is None:
        return None
    child = subprocess.Popen([program, workload, folder], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    rows, checksum = child.stdout.read().split()
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    child.stdout.close()
    cpu = used.ru_utime + used.ru_stime
    return {"rows": int(rows), "checksum": int(checksum), "cpu": cpu}


def _least(results: list[Result]) -> Result:
    return min(results, key=lambda result: result["cpu"])


def _whole(workload: str, title: str, folder: Path, program: Path | None) -> Iterator[Row]:
    where = (workload, str(folder))
    mine = [_python("benchmarks.datalog_programs", *where) for _ in range(3)]
    ours = _least([result for result in mine if result is not None])
    peers = {
        "egglog": _python("benchmarks.datalog_peers", "egglog", *where),
        "DuckDB": _python("benchmarks.datalog_peers", "duckdb", *where),
        "C++ by hand": _cpp(program, workload, folder),
        "CPython loops": _python("benchmarks.datalog_peers", "cpython", *where),
    }
    limits = {"egglog": 0.4}
    if workload != "w5":
        limits["DuckDB"] = 2.0
    for name, peer in peers.items():
        if peer is None:
            continue
        note = f"{ours['rows']:,} rows"
        agree = peer["rows"] == ours["rows"]
        agree &= peer.get("checksum", ours["checksum"]) == ours["checksum"]
        if not agree:
            raise RuntimeError(f"{workload}: {name} has another result: {peer} {ours}")
        limit = limits.get(name)
        yield beside(title, "s CPU", ours["cpu"], name, peer["cpu"], at_most=limit, note=note)
    if workload == "w1":
        yield at_most("W1 peak memory", "MiB", ours["memory"], 150)


def _additions(folder: Path) -> Iterator[Row]:
    ours = _python("benchmarks.datalog_programs", "w6", str(folder))
    assert ours is not None
    title, median = "W6 add an edge to W1", statistics.median(ours["times"]) * 1000
    yield at_most(title, "ms median", median, 0.2)
    peer = _python("benchmarks.datalog_peers", "egglog", "w6", str(folder))
    if peer is not None:
        if peer["rows"] != ours["rows"]:
            raise RuntimeError(f"w6: egglog has another result: {peer['rows']} {ours['rows']}")
        theirs = statistics.median(peer["times"]) * 1000
        yield beside(title, "ms median", median, "egglog", theirs)


def _replacements(folder: Path) -> Iterator[Row]:
    ours = _python("benchmarks.datalog_programs", "w7", str(folder))
    assert ours is not None
    deletion = statistics.mean(ours["deletions"]) * 1000
    insertion = statistics.mean(ours["insertions"]) * 1000
    yield beside(
        "W7 delete an edge", "ms mean", deletion, "put it back", insertion, at_most=50,
        note="per edge, two ticks and one",
    )  # fmt: skip

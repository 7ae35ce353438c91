"""W1 to W7 as programs of ours, run by `python -m benchmarks.datalog_programs W FOLDER`."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.usage import mark
from bloomish import Key, Min, Program, _, input, scratch, table, variables
from bloomish.program import compile
from bloomish.runtime.evaluators import make_evaluator

x, y, z, w, d, c = variables("x y z w d c")


class Closure(Program):
    """Transitive closure, maintained as edges come and go."""

    edges = input(x=int, y=int)
    drop = input(x=int, y=int)
    edge = table(x=int, y=int)
    path = scratch(x=int, y=int)

    edge(x, y) <= edges(x, y)
    edge(x, y) < -drop(x, y)
    path(x, y) <= edge(x, y)
    path(x, z) <= path(x, y) & edge(y, z)


class SameGeneration(Program):
    """Nodes at equal distance from a common ancestor."""

    edges = input(x=int, y=int)
    parent = table(x=int, y=int)
    same = scratch(x=int, y=int)

    parent(x, y) <= edges(x, y)
    same(x, y) <= parent(x, z) & parent(y, z)
    same(x, y) <= parent(x, z) & same(z, w) & parent(y, w)


class Distances(Program):
    """Single-source shortest paths with a Min lattice."""

    edges = input(x=int, y=int, c=int)
    edge = table(x=int, y=int, c=int)
    distance = scratch(x=Key(int), d=Min(int))

    edge(x, y, c) <= edges(x, y, c)
    distance(0, 0) <= edge(_, _, _)
    distance(y, d + c) <= distance(x, d) & edge(x, y, c)


class Aliases(Program):
    """valueFlow, memoryAlias and valueAlias of a points-to analysis (Zheng and Rugina, 2008)."""

    assigns = input(x=int, y=int)
    dereferences = input(x=int, y=int)
    assign = table(x=int, y=int)
    dereference = table(x=int, y=int)
    value_flow = scratch(x=int, y=int)
    memory_alias = scratch(x=int, y=int)
    value_alias = scratch(x=int, y=int)

    assign(x, y) <= assigns(x, y)
    dereference(x, y) <= dereferences(x, y)
    value_flow(x, y) <= assign(x, y)
    value_flow(x, x) <= assign(x, _)
    value_flow(x, x) <= assign(_, x)
    value_flow(x, y) <= assign(x, z) & memory_alias(z, y)
    value_flow(x, y) <= value_flow(x, z) & value_flow(z, y)
    memory_alias(x, x) <= assign(_, x)
    memory_alias(x, x) <= assign(x, _)
    memory_alias(x, w) <= dereference(y, x) & value_alias(y, z) & dereference(z, w)
    value_alias(x, y) <= value_flow(z, x) & value_flow(z, y)
    value_alias(x, y) <= value_flow(z, x) & memory_alias(z, w) & value_flow(w, y)


def evaluator(program: type[Program]) -> Any:
    compiled = compile(program)
    node = make_evaluator(compiled.program, compiled.externals, which="engine")
    node.tick()
    return node


def rows(path: Path) -> list[tuple[int, ...]]:
    return [tuple(map(int, line.split())) for line in path.read_text().splitlines()]


def checksum(found: list[tuple[int, ...]]) -> int:
    """Of a set of rows, in any order."""
    return sum(a * 31 + b * 17 + a * b % 1009 for a, b in found)


def closure(folder: Path, name: str) -> tuple[Any, dict[str, Any]]:
    node = evaluator(Closure)
    node.insert_file("edges", str(folder / f"{name}.tsv"), "\t")
    node.tick()
    return node, {"rows": node.count("path"), **mark()}


def whole(folder: Path, name: str) -> dict[str, Any]:
    """W1 to W5: everything in one tick."""
    if name in ("w1", "w2"):
        node, result = closure(folder, name)
        return {**result, "checksum": checksum(node.contents("path"))}
    if name == "w3":
        node, collection = evaluator(SameGeneration), "same"
    elif name == "w4":
        node, collection = evaluator(Distances), "distance"
    else:
        node, collection = evaluator(Aliases), ""
        node.insert_file("assigns", str(folder / "w5_assign.tsv"), "\t")
        node.insert_file("dereferences", str(folder / "w5_dereference.tsv"), "\t")
    if collection:
        node.insert_file("edges", str(folder / f"{name}.tsv"), "\t")
    node.tick()
    views = [collection] if collection else ["value_flow", "memory_alias", "value_alias"]
    result = {"rows": sum(map(node.count, views)), **mark()}
    return {**result, "checksum": sum(checksum(node.contents(view)) for view in views)}


def additions(folder: Path) -> dict[str, Any]:
    """W6: after W1, edges one tick each."""
    node, _ = closure(folder, "w1")
    times = []
    for row in rows(folder / "w6.tsv"):
        begun = time.process_time()
        node.insert("edges", [row])
        node.tick()
        times.append(time.process_time() - begun)
    return {"rows": node.count("path"), "times": times}


def replacements(folder: Path) -> dict[str, Any]:
    """W7: each edge is deleted in a tick of its own and put back in the next."""
    node, result = closure(folder, "w7")
    deletions, insertions = [], []
    for row in rows(folder / "w7.tsv"):
        begun = time.process_time()
        node.insert("drop", [row])
        node.tick()  # the deletion is staged here
        node.tick()  # and shows here
        middle = time.process_time()
        node.insert("edges", [row])
        node.tick()
        deletions.append(middle - begun)
        insertions.append(time.process_time() - middle)
    assert node.count("path") == result["rows"]
    return {**result, "deletions": deletions, "insertions": insertions}


def main() -> None:
    name, folder = sys.argv[1], Path(sys.argv[2])
    if name == "w6":
        result = additions(folder)
    elif name == "w7":
        result = replacements(folder)
    else:
        result = whole(folder, name)
    print(json.dumps(result))


if __name__ == "__main__":
    main()

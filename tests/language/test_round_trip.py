"""What goes out as text comes back equal: printed programs and JSON."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import pytest

from bloomish import (
    Address,
    Antichain,
    Key,
    MapUnion,
    Max,
    MVRegister,
    Pair,
    SetUnion,
    _,
    channel,
    input,
    ir,
    table,
    use,
    variables,
)
from bloomish.cluster import Cluster
from bloomish.errors import BloomishError
from bloomish.ir_json import from_json, to_json
from bloomish.pretty_file import deployment_text, program_text
from bloomish.program import Program, ProgramMeta, compile
from bloomish.runtime.evaluators import make_evaluator
from bloomish.targets import load
from tests.language import examples

ROOT = Path(__file__).parent.parent.parent
NUMBERS = itertools.count()


def _shipped() -> list[ir.Program]:
    found = []
    for path in sorted((ROOT / "programs").glob("*.py")):
        if path.stem != "__init__":
            module = __import__(f"bloomish.programs.{path.stem}", fromlist=["x"])
            found += [
                value.ir
                for value in vars(module).values()
                if isinstance(value, ProgramMeta) and value is not Program
            ]
    return found


PROGRAMS = [cls.ir for cls in examples.PROGRAMS] + _shipped()


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_a_printed_program_compiles_to_the_same(program: ir.Program, tmp_path: Path) -> None:
    text = program_text(program)
    file = tmp_path / f"printed_{next(NUMBERS)}.py"
    file.write_text(text)
    again = load(f"{file}:{program.name}").programs[0].program
    assert again == program
    assert program_text(again) == text


def unnamed(program: ir.Program) -> ir.Program:
    """A program of another notation, without what only that notation says."""
    rules = tuple(replace(rule, name="", origin="") for rule in program.rules)
    return replace(program, rules=rules, notation="python")


@pytest.mark.parametrize(
    "path", sorted((ROOT / "programs" / "dedalus").glob("*.ded")), ids=lambda path: path.stem
)
def test_printed_dedalus_compiles_to_the_same(path: Path, tmp_path: Path) -> None:
    program = load(str(path)).programs[0].program
    file = tmp_path / f"printed_{next(NUMBERS)}.py"
    file.write_text(program_text(program))
    assert unnamed(load(str(file)).programs[0].program) == unnamed(program)


def test_printed_clauses_compile_to_the_same(tmp_path: Path) -> None:
    clauses = tmp_path / "clauses.dl"
    clauses.write_text(
        "+link('a','b')\npath(X,Y) <= link(X,Y)\npath(X,Y) <= link(X,Z) & path(Z,Y)\n"
        "far(X,Y) <= path(X,Y) & ~link(X,Y) & (X != Y)\n(deg[X] == len_(Y)) <= link(X,Y)\n"
        "odd(X, Y) <= link(X, Z) & (Y == 1 + 2) & (3 > 2)\n"
    )
    program = load(str(clauses)).programs[0].program
    file = tmp_path / f"printed_{next(NUMBERS)}.py"
    file.write_text(program_text(program))
    assert unnamed(load(str(file)).programs[0].program) == unnamed(program)


def test_a_printed_cluster_compiles_to_the_same(tmp_path: Path) -> None:
    deployment = examples.kvs.compile("kvs").deployment
    file = tmp_path / "printed_cluster.py"
    file.write_text(deployment_text(deployment))
    loaded = load(str(file)).cluster
    assert loaded is not None
    assert loaded.deployment == deployment


def test_classes_of_one_name_are_told_apart(tmp_path: Path) -> None:
    def inner(column: type) -> type[Program]:
        class Inner(Program):
            msg = channel(to=Address, value=column)

        return Inner

    one, two = inner(int), inner(str)

    class Outer(Program):
        left = use(one)
        right = use(two)

    deployment = Cluster(node=Outer * 2).compile().deployment
    file = tmp_path / "printed_twice.py"
    file.write_text(deployment_text(deployment))
    loaded = load(str(file)).cluster
    assert loaded is not None
    assert loaded.deployment == deployment


def test_values_under_versions_that_python_cannot_hash(tmp_path: Path) -> None:
    k, n, v, w = variables("k n v w")

    class Versions(Program):
        put = input(k=str, v=str, n=int, w=Address)
        latest = table(k=Key(str), v=MVRegister(str))
        seen = table(k=Key(str), v=MapUnion(str, Antichain(SetUnion(int), str)))
        both = table(k=Key(str), v=Pair(MVRegister(str), Max(int)))

        latest(k, ({w: n}, v)) <= put(k, v, n, w)
        seen(k, {v: ({n}, v)}) <= put(k, v, n, _)
        seen(k, {v: {(frozenset({n}), v), (frozenset({1}), v)}}) <= put(k, v, n, _)
        both(k, (({w: n}, v), n)) <= put(k, v, n, w)

    file = tmp_path / "printed_versions.py"
    file.write_text(program_text(Versions.ir))
    assert load(str(file)).programs[0].program == Versions.ir

    compiled = compile(Versions)
    node = make_evaluator(compiled.program, compiled.externals, node="node-0", which="reference")
    node.insert("put", [("a", "x", 1, "n0"), ("a", "y", 1, "n1"), ("a", "z", 2, "n0")])
    node.tick()
    (row,) = node.contents("latest")
    assert row == ("a", frozenset({((("n0", 2),), "z"), ((("n1", 1),), "y")}))


def test_names_that_clash_in_python_are_kept_apart(tmp_path: Path) -> None:
    program = ir.Program(
        "Clash",
        (
            ir.Collection("count", "table", (ir.Column("x", ir.Plain("int")),)),
            ir.Collection("table", "scratch", (ir.Column("x", ir.Plain("int")),)),
        ),
        (
            ir.Rule(
                "table_1",
                "table",
                (ir.Aggregate("count"),),
                "<=",
                (ir.Atom("count", (ir.Var("count"),)),),
            ),
            ir.Rule(
                "table_2",
                "table",
                (ir.Var("class"),),
                "<=",
                (ir.Atom("count", (ir.Var("class"),)), ir.Atom("count", (ir.Var("$1"),))),
            ),
        ),
    )
    file = tmp_path / "clash.py"
    file.write_text(program_text(program))
    assert load(str(file)).programs[0].program == program


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_json_round_trip(program: ir.Program) -> None:
    text = to_json(program)
    again = from_json(text)
    assert again == program
    assert again.rules == program.rules and again.span == program.span
    assert to_json(again) == text
    bare = to_json(program, spans=False)
    assert "examples.py" not in bare
    assert from_json(bare) == program


def test_json_of_a_deployment_and_of_values() -> None:
    deployment = examples.kvs.compile("kvs").deployment
    assert from_json(to_json(deployment)) == deployment
    odd = (1, 1.0, True, None, float("-inf"), b"\x00", "é", (1, (2,)), frozenset({1, "a"}))
    const = ir.Const(odd)
    again = from_json(to_json(const))
    assert again == const
    assert [type(value) for value in again.value] == [type(value) for value in odd]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"is": "Rule"}',
        '{"bloomish_ir": 1, "is": "Rule"}',
        '{"bloomish_ir": 1, "is": "Nothing"}',
        '{"bloomish_ir": 1, "is": "Var", "name": "x", "more": 1}',
        '{"bloomish_ir": 1, "is": "Const", "value": {"bytes": "zz"}}',
        '{"bloomish_ir": 1, "is": "Const", "value": {"list": []}}',
        '{"bloomish_ir": 1, "is": "Const", "value": NaN}',
        '{"bloomish_ir": 1, "is": "Facts", "collection": "a", "rows": [1]}',
        '{"bloomish_ir": 2, "is": "Var", "name": "x"}',
    ],
)
def test_json_that_is_no_ir_is_refused(text: str) -> None:
    with pytest.raises(BloomishError):
        from_json(text)

"""Statement order never matters: permuted class bodies give the same program."""

from __future__ import annotations

import itertools
import linecache
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bloomish
from bloomish import ir
from bloomish.pretty import rule_text
from bloomish.strata import strata
from tests.language import examples

STATEMENTS = """
link <= [("a", "b"), ("b", "c")]
link <= [("c", "d")]
path <= link
path(x, z) <= link(x, y) & path(y, z)
path(x, y) <= path(y, x) & (x != y)
far(x, count(y)) <= path(x, y)
lonely(x) <= link(_, x) & notin(link(x, _))
link(x, y) <- link(x, y) & link(y, x) & (x < y)
link(x, y) <+ far(x, _) & lonely(y)
""".strip().splitlines()
HEAD = """
class Permuted(Program):
    link = table(src=str, dst=str)
    path = scratch(src=str, dst=str)
    far = output(src=str, n=int)
    lonely = output(node=str)
"""
NUMBERS = itertools.count()


def build(statements: list[str]) -> ir.Program:
    text = HEAD + "".join(f"    {line}\n" for line in statements)
    file = f"<permuted {next(NUMBERS)}>"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    names = {name: getattr(bloomish, name) for name in bloomish.__all__ if name != "connect"}
    names |= {name: getattr(examples, name) for name in "xyz"} | {"__name__": __name__}
    exec(compile(text, file, "exec"), names)
    program = names["Permuted"].ir
    assert isinstance(program, ir.Program)
    return program


def unordered(program: ir.Program) -> tuple[object, ...]:
    """Everything but the order of rules and facts, and the ordinals that follow it."""
    return (
        Counter((replace(rule, name=""), rule.span.text) for rule in program.rules),
        Counter(row for facts in program.facts for row in facts.rows),
        Counter(program.collections),
        sorted(rule.name for rule in program.rules),
        [sorted(group) for group in sorted(strata(program))],
    )


BUILT = build(STATEMENTS)


@settings(max_examples=30, deadline=None)
@given(st.permutations(STATEMENTS))
def test_permuted_statements_give_the_same_program(statements: list[str]) -> None:
    assert unordered(build(list(statements))) == unordered(BUILT)


# Any expression that the language writes comes back from its text.

names = st.sampled_from("xyz")
numbers = st.integers(-5, 5) | st.floats(allow_nan=False, width=32)


def _pairs(inner: st.SearchStrategy[ir.Expr]) -> st.SearchStrategy[ir.Expr]:
    arithmetic = st.sampled_from(["+", "-", "*", "/", "//", "%", "div"])
    return st.builds(ir.Binary, arithmetic, inner, inner) | st.builds(
        lambda operand: ir.Unary("-", operand), inner.filter(lambda e: not isinstance(e, ir.Const))
    )


arithmetic = st.recursive(
    names.map(ir.Var) | numbers.map(lambda n: ir.Const(n + 0)), _pairs, max_leaves=8
)
comparison = st.builds(
    ir.Binary, st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), arithmetic, arithmetic
)
condition = st.recursive(
    comparison,
    lambda inner: (
        st.builds(lambda a, b: ir.Binary("or", a, b), inner, inner)
        | inner.map(lambda a: ir.Unary("not", a))
    ),
    max_leaves=4,
)


@settings(max_examples=60, deadline=None)
@given(arithmetic, condition)
def test_expressions_come_back_from_their_text(head: ir.Expr, test: ir.Expr) -> None:
    rule = ir.Rule(
        "real_1",
        "real",
        (head,),
        "<=",
        (ir.Atom("num", tuple(map(ir.Var, "xyz"))), ir.Condition(test)),
    )
    text = rule_text(rule)
    file = f"<expression {next(NUMBERS)}>"
    body = (
        "class Read(Program):\n    num = table(x=int, y=int, z=int)\n"
        f"    real = scratch(x=Any)\n    {text}\n"
    )
    linecache.cache[file] = (len(body), None, body.splitlines(keepends=True), file)
    scope = {name: getattr(bloomish, name) for name in bloomish.__all__ if name != "connect"}
    scope |= {name: getattr(examples, name) for name in "xyz"} | {"__name__": __name__}
    scope["lift"] = bloomish.terms.lift
    try:
        exec(compile(body, file, "exec"), scope)
    except bloomish.ProgramError as error:
        if "div` is for ints" in error.what or "does not fit" in error.what:
            return
        raise
    assert scope["Read"].ir.rules[0] == rule


def test_permutation_is_tested_on_something() -> None:
    assert len(BUILT.rules) == 7 and len(BUILT.facts) == 2
    with pytest.raises(bloomish.ProgramError):
        build([*STATEMENTS, "path(x, y) <= lonely(x) & notin(path(y, x)) & link(x, y)"])

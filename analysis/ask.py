"""Datalog questions about a program: pyDatalog over the catalog, in a process of its own.

pyDatalog's program text is global to its process and a query cannot be
interrupted from within, so every question is put in a fresh process with a time
limit.

What carries the inference itself is Python (`bloomish.analysis.inference`) and
not pyDatalog.  It was measured: a fragment of the rules as Datalog clauses
(asynchrony, T1, T2 and T5 without lattices, keys or refinements) over a program
of 200 rules took 6.6 s for asynchrony alone and 13 s in all with pyDatalog 0.22,
of 400 rules 27 s, where a whole `check` of 1,000 rules takes less than 2 s here.
For the same reason the closures of the catalog (`reaches`) are facts that graph
searches have found.  Ad-hoc questions join and negate few hundred facts, and
take about a third of a second, most of it to start Python.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from dataclasses import dataclass
from typing import NoReturn

from bloomish.analysis.catalog import RELATIONS, Catalog, Row
from bloomish.errors import BloomishError


@dataclass(frozen=True, slots=True)
class Answers:
    """The variables of a question, in the order of their first mention, and the rows."""

    variables: tuple[str, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """A checked question: one body of Datalog, ready for pyDatalog."""

    body: str
    variables: tuple[str, ...]
    relations: tuple[str, ...]


def ask(catalog: Catalog, query: str, seconds: float = 10.0) -> Answers:
    """The answers to a question; BloomishError says what is wrong with it."""
    question = parse(query)
    facts = {name: sorted(set(RELATIONS[name].rows(catalog)), key=str)
             for name in question.relations}  # fmt: skip
    task = {"facts": facts, "body": question.body, "variables": question.variables}
    command = [sys.executable, "-m", "bloomish.analysis.ask_process"]
    try:
        done = subprocess.run(
            command, input=json.dumps(task), capture_output=True, text=True, timeout=seconds
        )
    except subprocess.TimeoutExpired:
        raise BloomishError(
            f"no answer within {seconds:g} s; bind a column to a constant, or allow more with "
            "--seconds"
        ) from None
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["pyDatalog failed"]
        raise BloomishError(f"pyDatalog refuses the question: {last[0]}")
    rows = json.loads(done.stdout)
    return Answers(question.variables, tuple(sorted((tuple(row) for row in rows), key=_order)))


def _order(row: Row) -> tuple[tuple[bool, str | int], ...]:
    return tuple((isinstance(value, str), value) for value in row)


# -------------------------------------------------------------------- parsing


def parse(query: str) -> Question:
    """A question: literals joined by `,` or `&`; `~p(X)` negates, `X != Y` compares.

    It is read as Python syntax and rebuilt from the parts that are known, so
    nothing else of it reaches pyDatalog, which would execute it.
    """
    text = query.strip().rstrip(".;").strip()
    if not text:
        _refuse(query, "it is empty")
    try:
        tree = ast.parse(text, mode="eval").body
    except SyntaxError as error:
        _refuse(query, error.msg)
    reader = _Reader(query)
    elements = tree.elts if isinstance(tree, ast.Tuple) else [tree]
    parts = [part for element in elements for part in reader.conjuncts(element)]
    if not any(positive for _, positive in parts):
        _refuse(query, "at least one literal must not be negated")
    ordered = [part for part, positive in parts if positive]
    ordered += [part for part, positive in parts if not positive]
    return Question(
        " & ".join(ordered), tuple(reader.variables), tuple(dict.fromkeys(reader.relations))
    )


class _Reader:
    def __init__(self, query: str) -> None:
        self.query = query
        self.variables: dict[str, None] = {}
        self.relations: list[str] = []
        self.blanks = 0

    def conjuncts(self, node: ast.expr) -> list[tuple[str, bool]]:
        """The literals of an expression as text, each with whether it binds."""
        match node:
            case ast.BinOp(left=left, op=ast.BitAnd(), right=right):
                return self.conjuncts(left) + self.conjuncts(right)
            case ast.UnaryOp(op=ast.Invert(), operand=operand):
                return [(f"~{self.literal(operand)}", False)]
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                sign = _COMPARE.get(type(op))
                if sign is None:
                    _refuse(self.query, "comparisons are ==, !=, <, <=, >, >=")
                return [(f"({self.term(left)} {sign} {self.term(right)})", False)]
            case _:
                return [(self.literal(node), True)]

    def literal(self, node: ast.expr) -> str:
        match node:
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]):
                relation = RELATIONS.get(name)
                if relation is None:
                    known = ", ".join(RELATIONS)
                    _refuse(self.query, f"there is no relation {name}; there are {known}")
                if len(args) != len(relation.columns):
                    columns = ", ".join(relation.columns)
                    _refuse(self.query, f"it is {name}({columns}), not with {len(args)} columns")
                self.relations.append(name)
                return f"{name}({', '.join(self.term(argument) for argument in args)})"
            case _:
                _refuse(
                    self.query,
                    f"`{ast.unparse(node)}` is no literal; write name(X, 'constant', _)",
                )

    def term(self, node: ast.expr) -> str:
        match node:
            case ast.Name(id="_"):
                self.blanks += 1
                return f"Blank{self.blanks}"
            case ast.Name(id=name) if name[:1].isupper():
                self.variables[name] = None
                return name
            case ast.Name(id=name) | ast.Constant(value=str(name)):
                return repr(name)
            case ast.Constant(value=value) if isinstance(value, (int, float)):
                return repr(value)
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=value)) if isinstance(
                value, (int, float)
            ):
                return repr(-value)
            case ast.Attribute():
                return repr(ast.unparse(node))  # server.store, unquoted
            case _:
                _refuse(self.query, f"`{ast.unparse(node)}` is neither a variable nor a constant")


_COMPARE: dict[type[ast.cmpop], str] = {
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
}  # fmt: skip


def _refuse(query: str, why: str) -> NoReturn:
    raise BloomishError(
        f"the question {query!r}: {why}\n"
        "  write literals joined by commas, such as: channel(X), reaches_negated(X, Y), output(Y)"
    )

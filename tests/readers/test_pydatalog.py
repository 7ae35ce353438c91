"""pyDatalog programs answer here as they answer there."""

from __future__ import annotations

import pytest

from bloomish.runtime.queries import ask
from tests.readers.pydatalog_cases import CASES, LINKS
from tests.readers.pydatalog_oracle import OracleError, canonical, oracle


@pytest.fixture(scope="module")
def answers() -> dict[str, object]:
    """pyDatalog's answers to all cases, in one process of its own."""
    found = oracle([(program, query) for _, program, query in CASES], seconds=110)
    return {name: answer for (name, _, _), answer in zip(CASES, found, strict=True)}


@pytest.mark.parametrize(("name", "program", "query"), CASES, ids=[case[0] for case in CASES])
def test_answers_as_pydatalog_does(
    name: str, program: str, query: str, answers: dict[str, object]
) -> None:
    expected = answers[name]
    assert not isinstance(expected, OracleError), expected
    assert canonical(ask(program, query)) == expected


def test_names_are_the_clause_texts_own() -> None:
    from bloomish.readers.pydatalog import read

    program = read(LINKS + "path(X,Y) <= link(X,Y)\npath(X,Y) <= path(X,Z) & link(Z,Y)").program
    kinds = {c.name: c.kind for c in program.collections}
    assert kinds == {"link": "table", "path": "output"}
    assert [r.name for r in program.rules] == ["path_1", "path_2"]
    assert program.notation == "pydatalog"


def test_types_are_inferred() -> None:
    from bloomish.readers.pydatalog import read

    program = read("+p('a', 1, 1.5, (1, 2), True)\nq(X, Y) <= p(A, X, Y, B, C)").program
    types = {
        c.name: [str(getattr(k.type, "name", "")) for k in c.columns] for c in program.collections
    }
    assert types["p"] == ["str", "int", "float", "Any", "bool"]
    assert types["q"] == ["int", "float"]


def test_queries_of_a_text_are_outputs() -> None:
    from bloomish.readers.pydatalog import read

    program = read(LINKS + "print(link('a', X))\nask(link(X, X))").program
    outputs = [c.name for c in program.collections if c.kind == "output"]
    assert outputs == ["query_1", "query_2"]


def test_a_text_with_pydatalogs_own_preamble() -> None:
    text = "from pyDatalog import pyDatalog\npyDatalog.create_terms('X, p')\n+p(1)\n+p(2)"
    assert ask(text, "p(X)") == {(1,), (2,)}

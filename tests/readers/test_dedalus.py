"""The `.ded` reader against DEDALUS.md section 1, gotcha by gotcha."""

from __future__ import annotations

from pathlib import Path

import pytest

from bloomish import ir
from bloomish.errors import ProgramError
from bloomish.readers.dedalus import Reading, read_dedalus, read_dedalus_text


def read(text: str) -> Reading:
    return read_dedalus_text(text)


def rules(text: str) -> dict[str, ir.Rule]:
    return {rule.name: rule for rule in read(text).program.rules}


def types(reading: Reading, name: str) -> list[str]:
    (found,) = [c for c in reading.program.collections if c.name == name]
    return [column.type.name for column in found.columns if isinstance(column.type, ir.Plain)]


def messages(reading: Reading) -> str:
    return "\n".join(map(str, reading.warnings))


X, Y = ir.Var("X"), ir.Var("Y")


def test_operators_and_location_first() -> None:
    found = rules("""
        log(X, Y)@next :- log(X, Y);
        log(Y, X)@async :- log(X, Y);
        seen(X) :- log(X, _);
    """)
    assert found["log_1"].op == "<+" and found["log_1"].head == "log"
    assert found["log_2"].op == "<~" and found["log_2"].head == "log@async"
    assert found["seen_1"].op == "<="
    assert found["seen_1"].body == (ir.Atom("log", (X, ir.Wild())),)
    assert found["log_arrival"].body[0].collection == "log@async"  # type: ignore[union-attr]


def test_usual_precedence_and_integer_division() -> None:
    found = rules("q(X) :- p(X, Y), Y - 1 > 2 + 4 / 2 * 3;")
    condition = found["q_1"].body[1]
    assert isinstance(condition, ir.Condition)
    four_halves = ir.Binary("div", ir.Const(4), ir.Const(2))
    assert condition.test == ir.Binary(
        ">",
        ir.Binary("-", Y, ir.Const(1)),
        ir.Binary("+", ir.Const(2), ir.Binary("*", four_halves, ir.Const(3))),
    )


@pytest.mark.parametrize("sign", ["==", "!=", "<", ">", "<=", ">="])
def test_all_comparisons(sign: str) -> None:
    condition = rules(f"q(X) :- p(X, Y), Y {sign} 3;")["q_1"].body[1]
    assert isinstance(condition, ir.Condition)
    assert isinstance(condition.test, ir.Binary) and condition.test.op == sign


def test_lower_case_names_are_constants_and_wilds_repeat() -> None:
    body = rules('q(X) :- p(X, _, a, _, 3, "a b");')["q_1"].body
    assert body == (
        ir.Atom("p", (X, ir.Wild(), ir.Const("a"), ir.Wild(), ir.Const(3), ir.Const("a b"))),
    )


def test_facts_carry_their_time() -> None:
    program = read('p("a", 1)@1; p("b", x)@1; p("a", 2)@4; q(X) :- p(X, _);').program
    assert [(f.collection, f.at, f.rows) for f in program.facts] == [
        ("p", 1, (("a", 1), ("b", "x"))),
        ("p", 4, (("a", 2),)),
    ]


def test_absolute_times_in_bodies() -> None:
    body = rules("q(X) :- p(X, Y), notin p(X, Y)@1;")["q_1"].body
    assert body[1] == ir.Atom("p", (X, Y), negated=True, at=1)


def test_existential_negation_is_a_wild_with_a_warning() -> None:
    reading = read('q(X) :- p(X), notin r(X, Id); p("a")@1; r("a", 1)@1;')
    assert reading.program.rules[0].body[1] == ir.Atom("r", (X, ir.Wild()), negated=True)
    assert "column 26: Id occurs only in a negated predicate" in messages(reading)


def test_the_clock_binds_a_free_location_and_destination() -> None:
    found = rules("""
        idle(X) :- notin busy(X, _);
        hello(Y, X)@async :- start(X);
    """)
    everyone = "node@all"
    assert found["idle_1"].body == (
        ir.Atom("busy", (X, ir.Wild()), negated=True),
        ir.Atom(everyone, (X,)),
    )
    assert found["hello_1"].body == (ir.Atom("start", (X,)), ir.Atom(everyone, (Y,)))


def test_aggregates() -> None:
    found = rules("n(X, count<Y>, max<Z>, min<Z>) :- p(X, Y, Z);")
    assert found["n_1"].args == (
        X,
        ir.Aggregate("count", Y),
        ir.Aggregate("max", ir.Var("Z")),
        ir.Aggregate("min", ir.Var("Z")),
    )


def test_a_sum_ranges_over_named_variables_only() -> None:
    found = rules("total(X, sum<Y>) :- p(X, Y, _);")
    assert found["total_1@vars"].args == (X, Y)
    assert found["total_1"].body == (ir.Atom("total_1@vars", (X, Y)),)
    assert "total_1@vars" not in rules("total(X, sum<Y>) :- p(X, Y);")


def test_types_are_unified_and_locations_beat_strings() -> None:
    reading = read("""
        log(N, P, T) :- bcast(N, P), T == 1;
        out(P, T) :- log(_, P, T);
        bcast("a", "hello")@1;
    """)
    assert types(reading, "log") == ["Address", "Address", "int"]
    assert types(reading, "out") == ["Address", "int"]
    assert reading.warnings == ()


def test_a_type_conflict_is_a_warning() -> None:
    reading = read('p("a", 1)@1; p("a", "x")@1; q(X, Y) :- p(X, Y);')
    assert types(reading, "p") == ["Address", "Any"]
    assert "column 2 of p is used as INT and STRING" in messages(reading)


def test_columns_without_evidence_are_warned_of() -> None:
    assert "nothing tells the type of column 2 of p" in messages(read("q(X) :- p(X, _);"))


def test_comments_anywhere() -> None:
    assert rules("// one\nq(X) /* two\n three */ :- p(X); // four")["q_1"].head == "q"


def test_names_with_dots_and_question_marks() -> None:
    assert rules("is.it?(X) :- p.q(X);")["is.it?_1"].head == "is.it?"


def test_nonlocal_protocol_rules_are_linted_and_specifications_are_not() -> None:
    reading = read("""
        clients(Z, C)@async :- client(C), zookeeper(M, Z);
        post(X) :- clients(X, Y), clients(Y, X);
        client("c")@1; zookeeper("m", "z")@1;
    """)
    assert messages(reading).count("reads rows of other nodes") == 1
    assert "2: column 9" in messages(reading)


def test_provided_relations() -> None:
    reading = read('p(X, T) :- q(X), clock(X, X, T, _), notin crash(X, X, _); q("a")@1;')
    kinds = {c.name: c.kind for c in reading.program.collections}
    assert kinds["crash"] == "input" and kinds["node@all"] == "roster"
    (clock,) = [rule for rule in reading.program.rules if rule.head == "clock"]
    assert clock.origin == "provided" and clock.args[2] == ir.TickNumber()
    assert reading.warnings == ()


def test_undefined_predicates_are_warned_of() -> None:
    assert "r has no facts and no rules" in messages(read('q(X) :- p(X), r(X); p("a")@1;'))


ERRORS = [
    ("q(X) :- p(X)\nr(X) :- p(X);", 2, 1, "expected `;`"),
    ('p("a");', 1, 1, "a fact must carry its time"),
    ('p("a")@next;', 1, 1, "facts hold at one moment only"),
    ("p(X)@1;", 1, 3, "a fact's columns are constants"),
    ("q(X)@3 :- p(X);", 1, 1, "cannot carry an absolute time"),
    ("q(X) :- p(X)@next;", 1, 9, "is for heads"),
    ("q(X) :- p(X)@soon;", 1, 14, "is not a time"),
    ("notin q(X) :- p(X);", 1, 1, "a head cannot be negated"),
    ("q(X, Y) :- p(X);", 1, 6, "Y in this head is bound by no positive predicate"),
    ("q(X, _) :- p(X);", 1, 6, "`_` has no value"),
    ("q(X) :- p(X), Y > 1;", 1, 15, "Y in this comparison"),
    ("q(X) :- X == 1;", 1, 1, "the body has no predicate"),
    ("q(X) :- p(X, count<X>);", 1, 14, "an aggregate stands in a head only"),
    ("q(X, avg<Y>) :- p(X, Y);", 1, 6, "`avg` is not an aggregate"),
    ("q(X) :- p(X), X;", 1, 15, "predicates and comparisons"),
    ("q(X) :- p(X, X > 1);", 1, 16, "a comparison is not a column"),
    ("q(X) :- p(X), p(X, X);", 1, 15, "p has 2 column(s) here and 1 at"),
    ("q(X) :- p(X), crash(X, X);", 1, 15, "crash has 2 column(s)"),
    ('q(X) :- p(X, "abc);', 1, 14, "this string is never closed"),
    ("q(X) :- /* p(X);", 1, 9, "this comment is never closed"),
    ("q(X) :- p(X), !r(X);", 1, 15, "unexpected character '!'"),
    ("q(X) :- p(X), 9999999999999999999 > 1;", 1, 15, "does not fit 64 bits"),
    ("q(X) :- p(X,);", 1, 13, "expected a variable or a constant"),
    ("q(X) :-", 1, 6, "the end of the text"),
    ("q()@async :- p(X);", 1, 1, "needs a column, its destination"),
    ('include "nowhere.ded";', 1, 1, "there is no file"),
]


@pytest.mark.parametrize(("text", "line", "column", "message"), ERRORS)
def test_errors_name_line_and_column(text: str, line: int, column: int, message: str) -> None:
    with pytest.raises(ProgramError) as caught:
        read(text)
    assert message in caught.value.what
    assert (caught.value.span.line, caught.value.span.column) == (line, column)
    assert f"column {column}:" in str(caught.value)
    assert caught.value.mend


def test_files_are_concatenated_and_includes_resolve_from_the_first(tmp_path: Path) -> None:
    (tmp_path / "commit").mkdir()
    (tmp_path / "util").mkdir()
    (tmp_path / "commit" / "main.ded").write_text('include "../util/timer.ded"; q(X) :- p(X);')
    (tmp_path / "util" / "timer.ded").write_text('include "edb.ded"; include "edb.ded"; t("a")@1;')
    (tmp_path / "commit" / "edb.ded").write_text('p("commit")@1;')
    (tmp_path / "util" / "edb.ded").write_text('p("util")@1;')
    (tmp_path / "spec.ded").write_text("post(X) :- q(X), t(X);")
    reading = read_dedalus([tmp_path / "commit" / "main.ded", tmp_path / "spec.ded"])
    facts = {fact.collection: fact.rows for fact in reading.program.facts}
    assert facts == {"p": (("commit",),), "t": (("a",),)}
    assert {rule.head for rule in reading.program.rules} == {"q", "post"}
    assert reading.warnings == ()
    (post,) = [rule for rule in reading.program.rules if rule.head == "post"]
    assert post.span.file.endswith("spec.ded") and post.span.line == 1


def test_includes_fall_back_to_other_directories_with_a_warning(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "main.ded").write_text('include "edb.ded"; q(X) :- p(X);')
    (tmp_path / "edb.ded").write_text('p("a")@1;')
    reading = read_dedalus([tmp_path / "deep" / "main.ded"])
    assert [fact.collection for fact in reading.program.facts] == ["p"]
    assert "edb.ded is not in" in messages(reading)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ProgramError, match="cannot read"):
        read_dedalus([tmp_path / "none.ded"])

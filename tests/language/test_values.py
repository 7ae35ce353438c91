"""Values: one order, one form for each type, and refusals that say what is wrong."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloomish import ir
from bloomish.lattices.structure import lattice
from bloomish.order import order_key
from bloomish.values import DEPTH, Misfit, Values, type_text

INT, FLOAT, STR, ANY = (ir.Plain("int"), ir.Plain("float"), ir.Plain("str"), ir.Plain("Any"))
VALUES = Values()

plain = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False).map(lambda value: value + 0.0),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=4),
    st.binary(max_size=4),
)
values = st.recursive(plain, lambda inner: st.lists(inner, max_size=3).map(tuple), max_leaves=6)


@given(values, values)
def test_the_order_is_total_and_tells_all_values_apart(a: Any, b: Any) -> None:
    one, two = order_key(a), order_key(b)
    assert (one < two) + (one == two) + (one > two) == 1
    if one == two:
        assert a == b and type(a) is type(b)


def test_the_order_goes_by_kind_and_within_numbers_by_value() -> None:
    ordered = [
        None, False, True, -1.5, 0, 0.0, 1, 1.0, 2, 2**53 + 1, float("inf"),
        "", "a", "b", "é", "😀", b"", b"a", (), (1,), (1, "a"), (2,),
        frozenset(), frozenset({1}), frozenset({1, 2}), frozenset({2}),
    ]  # fmt: skip
    shuffled = random.Random(1).sample(ordered, len(ordered))
    found = sorted(shuffled, key=order_key)
    assert [(type(v), v) for v in found] == [(type(v), v) for v in ordered]


@given(st.text(), st.text())
def test_strings_order_as_their_utf_8_bytes(a: str, b: str) -> None:
    try:
        encoded = a.encode() < b.encode()
    except UnicodeEncodeError:
        return
    assert (order_key(a) < order_key(b)) == encoded


@given(values)
def test_conform_of_any_changes_nothing(value: Any) -> None:
    found = VALUES.lift(value, ANY)
    assert order_key(found) == order_key(value)


FORMS: list[tuple[ir.Type, Any, Any]] = [
    (FLOAT, 3, 3.0),
    (FLOAT, -0.0, 0.0),
    (ir.TupleOf((INT, STR)), [1, "a"], (1, "a")),
    (ANY, [1, [2]], (1, (2,))),
    (lattice("Max", INT), None, None),
    (lattice("SetUnion", STR), ["b", "a", "b"], frozenset({"a", "b"})),
    (lattice("SetUnion", STR), {"a"}, frozenset({"a"})),
    (lattice("MapUnion", STR, lattice("Max", INT)), {"b": 1, "a": 2}, (("a", 2), ("b", 1))),
    (
        lattice("MapUnion", STR, lattice("Max", INT)),
        [("a", 1), ("b", None), ("a", 3)],
        (("a", 3),),
    ),
    (lattice("Pair", lattice("Max", INT), lattice("Bool")), [1, True], (1, True)),
    (lattice("Lex", lattice("Max", INT), lattice("SetUnion", INT)), (None, []), None),
    (
        lattice("Antichain", lattice("SetUnion", INT), STR),
        [({1}, "old"), ({1, 2}, "new"), ({3}, "other")],
        frozenset({(frozenset({1, 2}), "new"), (frozenset({3}), "other")}),
    ),
    (lattice("GCounter"), {"node-1": 2}, (("node-1", 2),)),
    (
        lattice("PNCounter"),
        ({"node-1": 2}, {}),
        ((("node-1", 2),), ()),
    ),
]


@pytest.mark.parametrize(("type_", "given_", "form"), FORMS, ids=map(str, range(len(FORMS))))
def test_conform_brings_to_one_form(type_: ir.Type, given_: Any, form: Any) -> None:
    found = VALUES.lift(given_, type_)
    assert found == form and type(found) is type(form)
    assert VALUES.lift(found, type_) == form, "a form is its own form"


MISFITS: list[tuple[ir.Type, Any, str]] = [
    (INT, True, "True (bool) is not of type int"),
    (INT, 1.0, "1.0 (float) is not of type int"),
    (INT, 2**63, "64 bits"),
    (FLOAT, float("nan"), "NaN is not a value"),
    (FLOAT, "1", "'1' (str) is not of type float"),
    (STR, b"a", "b'a' (bytes) is not of type str"),
    (STR, "\ud800", "no UTF-8 encoding"),
    (ir.Plain("bool"), 1, "1 (int) is not of type bool"),
    (ir.TupleOf((INT, STR)), (1,), "is not of type (int, str)"),
    (ir.TupleOf((INT,)), ("a",), "'a' (str) is not of type int"),
    (ANY, object, "is not of type Any"),
    (lattice("SetUnion", INT), 1, "1 (int) is not of type SetUnion(int)"),
    (lattice("MapUnion", STR, lattice("Bool")), {1: True}, "1 (int) is not of type str"),
    (lattice("Pair", lattice("Bool"), lattice("Bool")), (True,), "Pair(Bool(), Bool())"),
]


@pytest.mark.parametrize(("type_", "value", "message"), MISFITS, ids=lambda p: str(p)[:40])
def test_a_misfit_says_what_is_wrong(type_: ir.Type, value: Any, message: str) -> None:
    with pytest.raises(Misfit) as misfit:
        VALUES.lift(value, type_)
    assert message in str(misfit.value)


def test_values_do_not_nest_without_end() -> None:
    deep: Any = 1
    for _ in range(DEPTH):
        deep = (deep,)
    assert VALUES.lift(deep, ANY) == deep
    with pytest.raises(Misfit):
        VALUES.lift((deep,), ANY)


def test_a_long_value_is_shown_short() -> None:
    with pytest.raises(Misfit) as misfit:
        VALUES.lift("x" * 100_000, INT)
    assert len(str(misfit.value)) < 300


def test_types_as_text() -> None:
    type_ = lattice("MapUnion", STR, lattice("Max", ir.TupleOf((INT, STR))))
    assert type_text(type_) == "MapUnion(str, Max((int, str)))"

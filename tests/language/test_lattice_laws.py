"""The laws of the shipped lattices, and the teeth of what checks them."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bloomish import ir
from bloomish.externals import Externals
from bloomish.lattices import Bool, Lattice, Max, SetUnion, methods_of, monotone, morphism
from bloomish.lattices.elements import Elements
from bloomish.lattices.operations import same
from bloomish.lattices.structure import ARITY, lattice, structure
from bloomish.laws import Broken, broken_laws, check_laws
from bloomish.values import Values

INT, STR, ANY = ir.Plain("int"), ir.Plain("str"), ir.Plain("Any")
PAIR = ir.TupleOf((INT, STR))
SETS = lattice("SetUnion", STR)

SHIPPED = [
    lattice("Max", INT),
    lattice("Max", STR),
    lattice("Max", PAIR),
    lattice("Max", ANY),
    lattice("Min", INT),
    lattice("Min", ir.Plain("float")),
    lattice("Bool"),
    SETS,
    lattice("SetUnion", INT),
    lattice("MapUnion", STR, lattice("Max", INT)),
    lattice("MapUnion", INT, SETS),
    lattice("MapUnion", STR, lattice("Bool")),
    lattice("MapUnion", STR, lattice("MapUnion", INT, lattice("Min", INT))),
    lattice("Pair", lattice("Max", INT), SETS),
    lattice("Lex", lattice("Max", INT), SETS),
    lattice("Lex", lattice("Min", INT), lattice("Max", STR)),
    lattice("Antichain", SETS, INT),
    lattice("Antichain", lattice("VectorClock"), STR),
    lattice("VectorClock"),
    lattice("LWWRegister", STR),
    lattice("MVRegister", STR),
    lattice("GCounter"),
    lattice("PNCounter"),
    lattice("ORSet", STR),
]
VALUES = Values()
ELEMENTS = Elements(VALUES)


def test_every_shipped_lattice_is_among_those_tried() -> None:
    assert {type_.name for type_ in SHIPPED} == set(ARITY)


@pytest.mark.parametrize("type_", SHIPPED, ids=str)
def test_shipped_lattices_keep_every_law_and_mark(type_: ir.Lattice) -> None:
    assert [str(broken) for broken in check_laws(type_, VALUES)] == []


@pytest.mark.parametrize("type_", SHIPPED, ids=str)
@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_merge_is_the_least_upper_bound_of_the_order_that_it_defines(
    type_: ir.Lattice, seed: int
) -> None:
    rng = random.Random(seed)
    a, b, c = (ELEMENTS.draw(type_, rng) for _ in range(3))
    operations = VALUES.operations(type_)
    merge, leq = operations.merge, operations.leq
    top = merge(a, b)
    assert leq(a, a)
    assert leq(operations.bottom, a)
    assert leq(a, top) and leq(b, top)
    if leq(a, b) and leq(b, a):
        assert same(a, b)
    if leq(a, b) and leq(b, c):
        assert leq(a, c)
    upper = merge(top, c)  # some upper bound of a and b: none is below their merge
    assert leq(top, upper)
    # a carrier is a normal form: conform changes nothing, and merge gives conformed values
    assert same(VALUES.lift(top, type_), top)


@pytest.mark.parametrize("type_", SHIPPED, ids=str)
def test_named_lattices_are_their_structure(type_: ir.Lattice) -> None:
    core = structure(type_)
    assert structure(core) == core
    rng = random.Random(1)
    for _ in range(30):
        a, b = ELEMENTS.draw(type_, rng), ELEMENTS.draw(type_, rng)
        assert same(VALUES.operations(type_).merge(a, b), VALUES.operations(core).merge(a, b))


@pytest.mark.parametrize("type_", SHIPPED, ids=str)
def test_methods_have_a_polarity_for_each_argument_and_types(type_: ir.Lattice) -> None:
    for name, method in methods_of(type_).items():
        parameters = method.parameters(type_)
        assert len(method.polarity) == 1 + len(parameters), name
        result = method.result(type_, parameters)
        assert method.kind == "plain" or isinstance(result, ir.Lattice), name


# ------------------------------------------------------------------------ teeth


def broken(cls: type[Lattice]) -> dict[str, Broken]:
    program = ir.Program("Test", (), (), lattices=(cls.__ir_decl__(),))
    found = broken_laws(program, Externals(lattices={cls.__name__: cls}))
    return {law.law: law for law in found}


class Highest(Lattice):
    carrier = int
    bottom = 0
    elements = range(5)

    @staticmethod
    def merge(a: int, b: int) -> int:
        return max(a, b)

    @morphism(Bool)
    @staticmethod
    def above(a: int, n: int) -> bool:
        return a > n and a > 0

    @monotone(Max(int))
    @staticmethod
    def doubled(a: int) -> int:
        return 2 * a

    @staticmethod
    def parity(a: int) -> int:
        return a % 2


def test_a_good_lattice_passes() -> None:
    assert broken(Highest) == {}


class Sum(Lattice):
    """A raw counter: a message that comes twice counts twice."""

    carrier = int
    bottom = 0

    @staticmethod
    def merge(a: int, b: int) -> int:
        return a + b


def test_a_raw_counter_is_not_idempotent() -> None:
    found = broken(Sum)
    assert set(found) == {"idempotent"}
    (element,) = found["idempotent"].elements
    assert element + element != element
    text = str(found["idempotent"])
    assert "test_lattice_laws.py:" in text
    assert "Sum is not a lattice: merge is not idempotent, merge(1, 1) = 2 and not 1" in text
    assert "mend:" in text and "GCounter" in text


class Average(Lattice):
    carrier = float
    bottom = 0.0

    @staticmethod
    def merge(a: float, b: float) -> float:
        return (a + b) / 2


def test_an_average_is_not_associative() -> None:
    found = broken(Average)
    a, b, c = found["associative"].elements
    merge = Average.merge
    assert merge(merge(a, b), c) != merge(a, merge(b, c))
    assert "bottom" in found


class First(Lattice):
    carrier = int
    bottom = 0
    elements = (0, 1, 2)

    @staticmethod
    def merge(a: int, b: int) -> int:
        return a or b


def test_first_come_is_not_commutative() -> None:
    assert broken(First)["commutative"].elements == (1, 2)


class LowBottom(Lattice):
    carrier = int
    bottom = 0

    @staticmethod
    def merge(a: int, b: int) -> int:
        return max(a, b)


def test_a_bottom_must_be_below_all_that_the_carrier_has() -> None:
    assert set(broken(LowBottom)) == {"bottom"}
    assert broken(LowBottom)["bottom"].elements == (-1,)


class Group(Lattice):
    carrier = SetUnion(int)
    bottom: frozenset[int] = frozenset()

    @staticmethod
    def merge(a: frozenset[int], b: frozenset[int]) -> frozenset[int]:
        return a | b

    @monotone
    @staticmethod
    def complete(a: frozenset[int]) -> bool:
        return len(a) == 3


def test_size_equal_3_is_not_monotone() -> None:
    found = broken(Group)["monotone"]
    low, high = found.elements
    assert len(low) == 3 and low < high
    assert "def complete" in found.span.text
    assert found.span.line


class Counted(Lattice):
    carrier = SetUnion(int)
    bottom: frozenset[int] = frozenset()

    @staticmethod
    def merge(a: frozenset[int], b: frozenset[int]) -> frozenset[int]:
        return a | b

    @morphism(Max(int))
    @staticmethod
    def size(a: frozenset[int]) -> int:
        return len(a)


def test_size_is_monotone_and_no_morphism() -> None:
    assert "morphism" in broken(Counted)


class Foreign(Lattice):
    carrier = int
    bottom = 0

    @staticmethod
    def merge(a: int, b: int) -> str:
        return "many"


def test_a_merge_must_give_carriers() -> None:
    assert "'many'" in str(broken(Foreign)["carrier"])


class Raising(Lattice):
    carrier = SetUnion(int)
    bottom: frozenset[int] = frozenset()

    @staticmethod
    def merge(a: frozenset[int], b: frozenset[int]) -> frozenset[int]:
        return a | b

    @monotone(Max(int))
    @staticmethod
    def greatest(a: frozenset[int]) -> int:
        return max(a)


def test_a_marked_method_must_give_a_value_for_every_element() -> None:
    assert "raised ValueError" in str(broken(Raising)["monotone"])

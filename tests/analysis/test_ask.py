"""Questions to a program's catalog, answered by pyDatalog."""

from __future__ import annotations

import pytest

from bloomish.analysis.ask import ask, parse
from bloomish.analysis.catalog import RELATIONS, Catalog
from bloomish.analysis.checking import analyse
from bloomish.cli import run
from bloomish.errors import BloomishError
from tests.programs.micro import unsettled


@pytest.fixture(scope="module")
def cart() -> Catalog:
    return Catalog(*analyse("bloomish.programs.cart:disorderly"))


def test_which_outputs_a_channel_reaches_through_a_negation(cart: Catalog) -> None:
    answers = ask(cart, "reaches_negated('Shop.act', O), output(O)")
    assert answers.variables == ("O",)
    assert answers.rows == (("replica.receipt",),)


def test_variables_join_and_constants_select(cart: Catalog) -> None:
    answers = ask(cart, "point(P, Kind, R), place(R, _, L), rule(R, H, Op)")
    assert answers.variables == ("P", "Kind", "R", "L", "H", "Op")
    (row,) = answers.rows
    assert row[:3] == ("P1", "final output", "replica.receipt_1")
    assert row[4:] == ("replica.receipt", "<=")


def test_negation_and_comparison(cart: Catalog) -> None:
    sends = ask(cart, "~output(H), rule(R, H, Op), Op != '<='")
    assert {row[1] for row in sends.rows} == {"shopper.act_1", "shopper.checkout_1"}


def test_a_question_without_variables_is_yes_or_no(
    cart: Catalog, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask(cart, "mode('replica.cart', 'Flux')").rows == ((),)
    assert ask(cart, "mode('replica.cart', 'Grow')").rows == ()
    target = "bloomish.programs.cart:disorderly"
    assert run(["ask", target, "mode('replica.cart', 'Flux')"]) == 0
    assert capsys.readouterr().out == "yes\n"
    assert run(["ask", target, "mode('replica.cart', 'Grow')"]) == 1
    assert capsys.readouterr().out == "no\n"


def test_relations_without_rows_are_empty_and_no_error(cart: Catalog) -> None:
    assert ask(cart, "periodic(C), persisted(C)").rows == ()


def test_every_relation_has_the_columns_that_it_says(cart: Catalog) -> None:
    other = Catalog(*analyse(unsettled.M25))
    for relation in RELATIONS.values():
        for catalog in (cart, other):
            for row in relation.rows(catalog):
                assert len(row) == len(relation.columns), relation.name
                assert all(isinstance(value, (str, int)) for value in row)


def test_the_listing(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["ask", "bloomish.programs.quorum"]) == 0
    said = capsys.readouterr().out
    assert all(name in said for name in RELATIONS)


@pytest.mark.parametrize(
    "query, why",
    [
        ("", "it is empty"),
        ("modes(C, M)", "there is no relation modes"),
        ("mode(C)", "mode(C, Mode)"),
        ("mode(C, M", "'(' was never closed"),
        ("~mode(C, M)", "must not be negated"),
        ("mode(C, open('x'))", "neither a variable nor a constant"),
        ("__import__('os').system('true')", "is no literal"),
        ("mode(C, M) or table(C)", "is no literal"),
        ("table(C), C in D", "comparisons are"),
    ],
)
def test_what_is_wrong_with_a_question(query: str, why: str) -> None:
    with pytest.raises(BloomishError, match="question") as caught:
        parse(query)
    assert why in str(caught.value)


def test_a_question_that_takes_too_long_is_given_up(cart: Catalog) -> None:
    with pytest.raises(BloomishError, match="no answer within"):
        ask(cart, "mode(A, M)", seconds=0.01)


def test_closures_are_what_walking_the_graph_gives() -> None:
    catalog = Catalog(*analyse(unsettled.M26))
    reaches = set(RELATIONS["reaches"].rows(catalog))
    hard = set(RELATIONS["reaches_negated"].rows(catalog))
    later = set(RELATIONS["reaches_later"].rows(catalog))
    assert ("add", "reports") in reaches and ("reports", "add") not in reaches
    assert ("remove", "reports") in hard and ("add", "reports") not in hard
    assert ("add", "reports") in later and ("add", "live") not in later
    assert hard | later <= reaches

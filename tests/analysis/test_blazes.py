"""The vectors of the Blazes paper: word count and the ad report (ICDE 2014, section VI)."""

from __future__ import annotations

import pytest

from bloomish import (
    Address,
    Cluster,
    Program,
    _,
    channel,
    count,
    input,
    output,
    roster,
    scratch,
    table,
    variables,
)
from bloomish.analysis import blazes, check
from bloomish.analysis.blazes import (
    ASYNC,
    CR,
    CW,
    Annotation,
    Component,
    Dataflow,
    Label,
    Path,
    order_read,
    order_write,
    seal,
)

n, q, to, who, x = variables("n q to who x")


def word_count(tweets: Label) -> dict[str, Label]:
    """Splitter CR, Count OW(word, batch), Commit CW."""
    return blazes.label(
        Dataflow(
            (
                Component("Splitter", (Path("tweets", "words", CR),)),
                Component("Count", (Path("words", "counts", order_write("word", "batch")),)),
                Component("Commit", (Path("counts", "store", CW),)),
            ),
            {"tweets": tweets},
        )
    )


def test_word_count_without_seals_differs_from_run_to_run() -> None:
    assert str(word_count(ASYNC)["store"]) == "Run"


def test_word_count_sealed_by_batch_is_asynchronous_at_worst() -> None:
    assert str(word_count(seal("batch"))["store"]) == "Async"


def ad_report(query: Annotation, clicks: Label) -> dict[str, Label]:
    """A replicated report of clicks behind a replicated cache."""
    return blazes.label(
        Dataflow(
            (
                Component(
                    "Report",
                    (Path("click", "response", CW), Path("query", "response", query)),
                    replicated=True,
                ),
                Component(
                    "Cache",
                    (
                        Path("response", "cached", CW),
                        Path("request", "cached", CR),
                        Path("request", "query", CR),
                    ),
                    replicated=True,
                ),
            ),
            {"click": clicks},
        )
    )


@pytest.mark.parametrize(
    "name, query, clicks, report, cache",
    [
        ("THRESH", CR, ASYNC, "Async", "Async"),
        ("POOR", order_read("id"), ASYNC, "Inst", "Diverge"),
        ("CAMPAIGN", order_read("id", "campaign"), seal("campaign"), "Async", "Async"),
        ("WINDOW", order_read("id", "window"), seal("window"), "Async", "Async"),
        ("CAMPAIGN by window", order_read("id", "campaign"), seal("window"), "Inst", "Diverge"),
    ],
)
def test_ad_report(name: str, query: Annotation, clicks: Label, report: str, cache: str) -> None:
    labels = ad_report(query, clicks)
    assert str(labels["response"]) == report
    assert str(labels["cached"]) == cache


def test_an_unknown_gate_is_compatible_with_no_seal() -> None:
    unknown = Annotation(False, False, None)
    assert str(ad_report(unknown, seal("campaign"))["response"]) == "Inst"


def test_an_injective_function_carries_a_seal_to_the_gate() -> None:
    flow = Dataflow(
        (Component("Count", (Path("words", "counts", order_write("day")),), True),),
        {"words": seal("batch")},
        frozenset({("batch", "day")}),
    )
    assert str(blazes.label(flow)["counts"]) == "Async"


def test_a_cycle_has_the_worst_label_in_it() -> None:
    flow = Dataflow(
        (
            Component("A", (Path("in", "x", CW), Path("y", "x", CW)), True),
            Component("B", (Path("x", "y", order_write("k")),), True),
        )
    )
    labels = blazes.label(flow)
    assert str(labels["x"]) == str(labels["y"]) == "Diverge"


class Report(Program):
    """Paths that are found in rules: a count read at a point in time."""

    click = channel(to=Address, id=int)
    query = channel(to=Address, question=int, who=Address)
    response = channel(to=Address, question=int, n=int)
    clicks = table(id=int)
    total = scratch(n=int)

    clicks(x) <= click(_, x)
    total(count(x)) <= clicks(x)
    response(who, q, n) < ~query(_, q, who) & total(n)


class Client(Report):
    asked = input(question=int)
    reports = roster("report")
    cache = table(question=int, n=int)
    shown = output(question=int, n=int)

    cache(q, n) <= Report.response(_, q, n)
    shown(q, n) <= cache(q, n)


def test_labels_from_rules() -> None:
    """An answer out of order differs between replicas; cached, it differs for good."""
    alone = check(Report, replicas=3)
    assert alone.verdict("response").label == "Inst"
    both = check(Cluster(report=Report * 3, client=Client * 2))
    assert both.verdict("client.shown").label == "Diverge"
    one = check(Cluster(report=Report, client=Client))
    assert one.verdict("client.shown").label == ""

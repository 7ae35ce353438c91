"""What the analyzer says of the programs; of the carts, what the CALM papers say."""

from __future__ import annotations

import pytest

from bloomish.analysis import check

WANTED = {
    "chat": {"client.screen": "snapshot"},
    "kvs": {
        "server.store": "needs coordination",
        "client.done": "monotone",
        "client.answer": "needs coordination",
    },
    "quorum": {"teller.elected": "monotone"},
    "closure": {"reachable": "monotone"},
    "shortest_path": {"shortest": "monotone"},
    "cart:destructive": {"replica.receipt": "needs coordination"},
    "cart:disorderly": {"replica.receipt": "needs coordination"},
    "cart:lattice": {"replica.receipt": "monotone"},
}


@pytest.mark.parametrize("target", WANTED)
def test_the_verdict(target: str) -> None:
    module, _, cluster = target.partition(":")
    report = check(f"bloomish.programs.{module}" + (f":{cluster}" if cluster else ""))
    words = {one.collection: one.word for one in report.verdicts}
    assert words == WANTED[target]


def flagged(cluster: str) -> set[str]:
    """The rules at which the points of order stand."""
    report = check(f"bloomish.programs.cart:{cluster}")
    return {flag.point.rule for verdict in report.verdicts for flag in verdict.flags}


def test_the_destructive_cart_is_flagged_at_the_update() -> None:
    assert {"cart_1", "cart_2"} <= flagged("destructive")


def test_the_disorderly_cart_is_flagged_at_the_checkout_alone() -> None:
    assert flagged("disorderly") == {"receipt_1"}

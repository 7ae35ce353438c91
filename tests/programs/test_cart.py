"""The three carts: what depends on the order of arrival, and what does not."""

from __future__ import annotations

import asyncio
import csv
import json
import random
import subprocess
import sys
from collections import defaultdict

import pytest

from bloomish import Program
from bloomish.programs.cart import DestructiveCart, DisorderlyCart, LatticeCart
from bloomish.runtime.evaluators import make_evaluator
from bloomish.runtime.verbs import demo_carts as demo
from tests.programs import record_cart_actions

Row = tuple[object, ...]


def acts(sessions: int) -> list[tuple[str, Row]]:
    """The recorded acts of the first sessions, as rows of `act` and `checkout`, to replica-0."""
    rows = []
    for mine in demo.recorded(None).values():
        for collection, row in mine:
            if row[0] <= f"s{sessions:02}":
                channel = {"do": "act", "pay": "checkout"}[collection]
                rows.append((channel, ("replica-0", *row)))
    return rows


def deliver(
    program: type[Program], rows: list[tuple[str, Row]], rng: random.Random
) -> demo.Replica:
    """Some order, some batches, some duplicates; what the replica ends with."""
    replica = make_evaluator(program.ir, program_externals(program), node="replica-0")
    replica.tick()
    order = rows + rng.sample(rows, len(rows) // 10)
    rng.shuffle(order)
    receipts: set[Row] = set()
    while order:
        batch = defaultdict(list)
        for channel, row in (order.pop() for _ in range(min(len(order), rng.randint(1, 40)))):
            batch[channel].append(row)
        for channel, some in batch.items():
            replica.insert(channel, some)
        tick = replica.tick()
        while tick.again:
            receipts.update(tick.events.get("receipt", []), tick.added.get("receipt", []))
            tick = replica.tick()
        receipts.update(tick.events.get("receipt", []), tick.added.get("receipt", []))
        assert not tick.removed.get("receipt")
    carts = demo.holdings(replica.contents("cart"))
    return demo.Replica(carts, demo.holdings(sorted(receipts)))


def program_externals(program: type[Program]) -> object:
    from bloomish import compile

    return compile(program).externals


def endings(program: type[Program], schedules: int = 6) -> list[demo.Replica]:
    rows = acts(sessions=2)
    return [deliver(program, rows, random.Random(seed)) for seed in range(schedules)]


def test_the_lattice_cart_ends_equally_under_every_order() -> None:
    ends = endings(LatticeCart)
    assert all(end == ends[0] for end in ends)
    assert set(ends[0].receipts) == {"s01", "s02"}


def test_the_lattice_carts_receipt_is_what_the_checkout_lists() -> None:
    wanted: dict[str, dict[str, int]] = {}
    recorded = [row for mine in demo.recorded(None).values() for row in mine]
    changes = {row[1]: row for collection, row in recorded if collection == "do"}
    for collection, row in recorded:
        if collection == "pay" and row[0] <= "s02":
            total: dict[str, int] = defaultdict(int)
            for request in row[1]:
                total[changes[request][2]] += changes[request][3]
            wanted[row[0]] = {item: n for item, n in sorted(total.items()) if n > 0}
    assert endings(LatticeCart, 1)[0].receipts == wanted


def test_the_disorderly_cart_agrees_on_carts_and_not_on_receipts() -> None:
    ends = endings(DisorderlyCart)
    assert all(end.carts == ends[0].carts for end in ends)
    assert any(end.receipts != ends[0].receipts for end in ends)


def test_the_destructive_cart_agrees_on_nothing() -> None:
    ends = endings(DestructiveCart)
    assert any(end.carts != ends[0].carts for end in ends)
    assert any(end.receipts != ends[0].receipts for end in ends)


def test_the_recorded_acts_are_what_the_script_makes() -> None:
    with record_cart_actions.TARGET.open(newline="") as file:
        head, *lines = csv.reader(file)
    assert tuple(head) == record_cart_actions.COLUMNS
    assert lines == [[str(value) for value in line] for line in record_cart_actions.record()]


@pytest.mark.parametrize("cart", demo.CARTS, ids=lambda cart: cart.name)
def test_six_processes(cart: demo.Cart) -> None:
    """The start of the record on real processes, each replica in an order of its own."""
    some = demo.recorded(300)
    outcome = asyncio.run(demo.run_cart(cart, some, "auto", lambda acts: None))
    assert set(outcome.replicas) == set(demo.REPLICAS)
    assert all(replica.carts for replica in outcome.replicas.values())
    assert outcome.agrees or not cart.must_agree


def test_the_demo_tells_the_story() -> None:
    def demonstrate(*options: str) -> str:
        command = [sys.executable, "-m", "bloomish", "demo", "--actions", "300", *options]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    text = demonstrate()
    for cart in demo.CARTS:
        assert cart.name in text
    assert "needs coordination" in text and "consensus at replica" in text
    assert text.count("replicas agree on all") >= 2
    report = json.loads(demonstrate("--format", "json"))
    assert [one["program"] for one in report["runs"]] == [cart.name for cart in demo.CARTS]
    for run in report["runs"][1:]:
        assert run["carts_agree"] and run["receipts_agree"]
    assert {one["rule"] for one in report["points"]} == {"batch_1", "cart_1", "cart_2"}
    assert report["witness"][0] != report["witness"][1]
    assert [one["mechanism"] for one in report["insertions"]] == ["consensus"]

"""R14: what a module declares to be sealed is trusted as far as that goes, and no further."""

from __future__ import annotations

import pytest

from bloomish import (
    Address,
    Any,
    Key,
    Program,
    _,
    argmax,
    channel,
    choose,
    count,
    here,
    input,
    max_,
    notin,
    output,
    periodic,
    roster,
    scratch,
    table,
    use,
    variables,
)
from bloomish.analysis import check
from bloomish.programs.sealing import Keeper, Receiver, Sender

k, n, node, q, v, w, x = variables("k n node q v w x")


class Asking(Program):
    """Questions with the right key, with another one, and about something else."""

    seal = use(Receiver)
    tick = periodic(1.0)
    ask = input(key=Any)
    asked = table(key=Any)
    more = channel(to=Address, key=Any, value=Any)
    others = table(key=Any, value=Any)
    rows = table(key=Any, value=Any)
    size = scratch(key=Key(Any), n=int)
    pairs = scratch(key=Any, n=int)
    late = table(key=Any, n=int)
    stale = table(key=Any, n=int)

    total = output(key=Any, n=int)
    direct = output(key=Any, n=int)
    missing = output(key=Any)
    stored = table(key=Key(Any), n=int)
    first = table(key=Key(Any), value=Any)
    one = output(key=Any, value=Any)
    through = output(key=Any, n=int)
    grown = output(key=Any, value=Any)

    wrong = output(key=Any, n=int)
    all_keys = output(key=Any, n=int)
    early = table(key=Any, n=int)
    elsewhere = output(key=Any)
    mixed = output(key=Any, n=int)
    after = output(key=Any, n=int)
    taken = output(key=Any, n=int)
    chosen_by_timer = output(key=Any, n=int)

    asked(k) <= ask(k)
    others(k, v) <= more(_, k, v)
    rows(k, v) <= seal.arrived(k, v)
    size(k, count(v)) <= rows(k, v)
    pairs(k, n) <= size(k, n) & notin(rows(k, "stop"))
    late(k, n) < +size(k, n)
    stale(k, n) <= size(k, n)

    total(k, n) <= asked(k) & size(k, n) & seal.complete(k)
    direct(k, count(v)) <= rows(k, v) & seal.complete(k)
    missing(k) <= asked(k) & notin(rows(k, _)) & seal.complete(k)
    stored(k, n) <= asked(k) & size(k, n) & seal.complete(k)
    first(k, argmax(v, by=v)) <= rows(k, v) & seal.complete(k)
    one(k, choose(v)) <= rows(k, v) & seal.complete(k)
    through(k, n) <= pairs(k, n) & (n == 2) & seal.complete(k)
    grown(k, v) <= others(k, v) & notin(rows(k, v)) & seal.complete(k)

    wrong(k, n) <= asked(k) & size(k, n) & seal.complete(q) & asked(q)
    all_keys("all", count(v)) <= rows(k, v) & seal.complete(k)
    early(k, n) <= ask(k) & size(k, n) & seal.complete(k)
    elsewhere(k) <= asked(k) & notin(others(k, _)) & seal.complete(k)
    mixed(k, count(v)) <= others(k, v) & rows(k, v) & seal.complete(k)
    after(k, n) <= late(k, n) & seal.complete(k)
    taken(k, n) <= stale(k, n) & seal.complete(k)
    chosen_by_timer(k, n) <= tick(_) & size(k, n)


REPORT = check(Asking)


@pytest.mark.parametrize(
    "collection",
    ["total", "direct", "missing", "stored", "first", "one", "through", "grown"],
)
def test_what_is_complete_is_settled(collection: str) -> None:
    assert REPORT.verdict(collection).word == "monotone"


@pytest.mark.parametrize(
    "collection",
    ["wrong", "all_keys", "early", "elsewhere", "mixed", "after", "taken", "chosen_by_timer"],
)
def test_what_is_not_asked_of_the_partition_is_flagged(collection: str) -> None:
    assert REPORT.verdict(collection).word == "needs coordination"


def test_the_explanation_names_the_rule() -> None:
    (derivation,) = [d for d in check(Asking, explain=True).derivations if d.rule == "missing_1"]
    assert ("R14", "all of rows is there") in {(s.rule, s.text) for s in derivation.steps}


class Giving(Program):
    """What is given to a module is judged like what is sent."""

    seal = use(Sender)
    takers = roster("taker")
    give = input(key=str, value=int)
    given = table(key=str, value=int)
    size = scratch(key=Key(str), n=int)

    given(k, v) <= give(k, v)
    size(k, count(v)) <= given(k, v)
    seal.consumers(node) <= takers(node)


class Steady(Giving):
    Giving.seal.send(node, k, v) <= Giving.give(k, v) & Giving.takers(node)


class Hasty(Giving):
    """Gives a count that may be another one later."""

    Giving.seal.send(node, k, n) <= Giving.size(k, n) & Giving.takers(node)


class Meeting(Giving):
    """Gives what is there when a message comes."""

    Giving.seal.send(node, k, v) <= Giving.give(k, _) & Giving.given(k, v) & Giving.takers(node)


class Racing(Giving):
    """Gives what happens to share a tick."""

    Giving.seal.send(node, k, max_(v)) <= Giving.give(k, v) & Giving.takers(node)


def test_what_grows_may_be_given() -> None:
    assert check(Steady).status == 0


@pytest.mark.parametrize(
    ("program", "kind"),
    [(Hasty, "export"), (Meeting, "unguarded join"), (Racing, "choice")],
)
def test_what_may_be_taken_back_may_not(program: type[Program], kind: str) -> None:
    report = check(program)
    assert report.status == 1
    (point,) = [p for p in report.points if not p.guards]
    assert (point.kind, point.rule) == (kind, "seal.send_1")
    assert report.verdict("seal.sent").word == "needs coordination"


class Keeping(Program):
    """A host's own rows, and a question that its end answers."""

    mine = use(Keeper)
    give = input(key=str, value=int)
    end = input(key=str)
    total = output(key=Any, n=int)

    mine.give(k, v) <= give(k, v)
    mine.ends(k) <= end(k)
    total(k, count(v)) <= mine.kept(k, v) & mine.closed(k)


def test_a_host_seals_its_own() -> None:
    report = check(Keeping)
    assert report.verdict("total").word == "monotone"
    assert report.status == 0


class Replying(Program):
    """An event that asks misses what is complete later: a snapshot, not the answer."""

    seal = use(Receiver)
    ask = channel(to=Address, sender=Address, key=Any)
    size = scratch(key=Key(Any), n=int)
    answer = channel(to=Address, sender=Address, key=Any, n=int)
    answers = output(key=Any, n=int)

    size(k, count(v)) <= seal.arrived(k, v)
    answer(w, here, k, n) < ~ask(_, w, k) & size(k, n) & seal.complete(k)
    answers(k, n) <= answer(_, _, k, n)


def test_an_answer_to_who_asks_too_early_is_partial() -> None:
    assert check(Replying).verdict("answers").word == "snapshot"


def test_without_the_contract_there_is_no_trust() -> None:
    class Bare(Program):
        complete = input(key=int)
        closed = table(key=int)
        item = channel(to=Address, key=int, value=int)
        rows = table(key=int, value=int)
        total = output(key=int, n=int)

        closed(k) <= complete(k)
        rows(k, x) <= item(_, k, x)
        total(k, count(x)) <= rows(k, x) & closed(k)

    assert check(Bare).verdict("total").word == "needs coordination"

"""Each rule of inference by a program that it alone decides, or decides otherwise."""

from __future__ import annotations

from typing import Any

import pytest

from bloomish import (
    Address,
    Key,
    MapUnion,
    Max,
    Min,
    Program,
    SetUnion,
    _,
    argmax,
    assume,
    channel,
    choose,
    const,
    count,
    each,
    here,
    input,
    max_,
    min_,
    not_,
    notin,
    now,
    output,
    periodic,
    protocol,
    roster,
    scratch,
    size,
    sum_,
    table,
    tick_number,
    variables,
)
from bloomish.analysis.checking import analyse
from bloomish.analysis.points import PointKind
from bloomish.analysis.result import Report
from bloomish.analysis.rules import REFINEMENTS, TRANSFER

k, n, q, s, t, to, v, w, who, x, y, z = variables("k n q s t to v w who x y z")


def report(program: type[Program]) -> Report:
    return analyse(program, explain=True)[1]


def mode(program: type[Program], collection: str) -> str:
    return report(program).modes[collection]


def kinds(program: type[Program]) -> list[str]:
    return [point.kind for point in report(program).points]


def used(program: type[Program], rule: str) -> set[str]:
    """The rules of inference that a derivation names."""
    return {s.rule for d in report(program).derivations if d.rule == rule for s in d.steps}


def test_every_rule_stands_in_its_tuple_and_says_where_it_is_from() -> None:
    names = {rule.__name__.split("_")[0] for rule in (*TRANSFER, *REFINEMENTS)}
    assert {f"t{i}" for i in range(1, 15)} <= names
    assert {f"r{i}" for i in range(1, 14)} <= names
    for rule in (*TRANSFER, *REFINEMENTS):
        assert rule.__doc__ and rule.__doc__.strip().startswith(rule.__name__.split("_")[0].upper())


class Arrivals(Program):
    """What the programs below take from."""

    a = channel(to=Address, k=int, v=int)
    b = channel(to=Address, k=int, v=int)
    got_a = table(k=int, v=int)
    got_b = table(k=int, v=int)
    fixed = const(k=int, v=int)
    peers = roster("node")
    sent = channel(to=Address, k=int, v=int)
    out = output(k=int, v=int)
    kept = table(k=int, v=int)
    view = scratch(k=int, v=int)

    fixed <= [(1, 1), (2, 2)]
    got_a(k, v) <= a(_, k, v)
    got_b(k, v) <= b(_, k, v)


A = Arrivals


# ------------------------------------------------------------------- transfer


class T1:
    class ConstConst(Arrivals):
        A.view(k, y) <= A.fixed(k, x) & A.fixed(x, y)

    class ConstEvent(Arrivals):
        A.view(k, y) <= A.a(_, k, x) & A.fixed(x, y)

    class GrowGrow(Arrivals):
        A.view(k, y) <= A.got_a(k, x) & A.got_b(x, y)

    class EventGrow(Arrivals):
        A.view(k, y) <= A.a(_, k, x) & A.got_b(x, y)

    class EventEvent(Arrivals):
        A.view(k, y) <= A.a(_, k, x) & A.b(_, x, y)

    class EventItself(Arrivals):
        A.view(k, y) <= A.a(_, k, x) & A.a(_, x, y)

    class FluxGrow(Arrivals):
        flux = scratch(k=int, v=int)
        flux(k, v) <= A.got_a(k, v) & notin(A.got_b(k, v))
        A.view(k, y) <= flux(k, x) & A.got_b(x, y)

    class FluxEvent(Arrivals):
        flux = scratch(k=int, v=int)
        flux(k, v) <= A.got_a(k, v) & notin(A.got_b(k, v))
        A.view(k, y) <= flux(k, x) & A.b(_, x, y)

    class ChangingEvent(Arrivals):
        turn = scratch(n=int)
        turn(1) < +notin(turn(1))
        A.view(k, v) <= turn(1) & A.a(_, k, v)

    class GrowingLocalEvent(Arrivals):
        step = table(n=int)
        step(x) < +A.fixed(x, _)
        A.view(k, v) <= step(k) & A.a(_, k, v)


@pytest.mark.parametrize(
    "name, wanted",
    [
        ("ConstConst", "Const"),
        ("ConstEvent", "Event"),
        ("GrowGrow", "Grow"),
        ("EventGrow", "Part"),
        ("EventEvent", "Part"),
        ("EventItself", "Part"),
        ("FluxGrow", "Flux"),
        ("FluxEvent", "Nondet"),
        ("ChangingEvent", "Nondet"),
        ("GrowingLocalEvent", "Part"),
    ],
)
def test_t1_joins(name: str, wanted: str) -> None:
    assert mode(getattr(T1, name), "view") == wanted


class T2:
    class OfConst(Arrivals):
        A.view(k, v) <= A.got_a(k, v) & notin(A.fixed(k, v))

    class OfGrow(Arrivals):
        A.view(k, v) <= A.got_a(k, v) & notin(A.got_b(k, v))

    class OfFlux(Arrivals):
        flux = scratch(k=int, v=int)
        flux(k, v) <= A.got_a(k, v) & notin(A.got_b(k, v))
        A.view(k, v) <= A.got_b(k, v) & notin(flux(k, v))

    class AskedByAMessage(Arrivals):
        A.view(k, v) <= A.a(_, k, v) & notin(A.got_b(k, v))

    class OfEvent(Arrivals):
        A.view(k, v) <= A.got_a(k, v) & notin(A.b(_, k, v))

    class InACycleThroughTime(Arrivals):
        A.kept(k, v) <= A.view(k, v)
        A.view(k, v) < +A.got_a(k, v) & notin(A.kept(k, _))


@pytest.mark.parametrize(
    "name, wanted",
    [
        ("OfConst", "Grow"),
        ("OfGrow", "Flux"),
        ("OfFlux", "Flux"),
        ("AskedByAMessage", "Nondet"),
        ("OfEvent", "Nondet"),
        ("InACycleThroughTime", "Nondet"),
    ],
)
def test_t2_negation(name: str, wanted: str) -> None:
    assert mode(getattr(T2, name), "view") == wanted


class T3:
    class CountAsCell(Arrivals):
        cell = scratch(k=Key(int), n=Max(int))
        cell(k, count(v)) <= A.got_a(k, v)

    class CountAsValue(Arrivals):
        cell = scratch(k=Key(int), n=int)
        cell(k, count(v)) <= A.got_a(k, v)

    class MinIntoMax(Arrivals):
        cell = scratch(k=Key(int), n=Max(int))
        cell(k, min_(v)) <= A.got_a(k, v)

    class SumOfAnything(Arrivals):
        cell = scratch(k=Key(int), n=Max(int))
        cell(k, sum_(v)) <= A.got_a(k, v)

    class SumOfWhatIsNotNegative(Arrivals):
        cell = scratch(k=Key(int), n=Max(int))
        cell(k, sum_(v)) <= A.got_a(k, v) & (v >= 0)

    class MaxOfABatchIntoATable(Arrivals):
        cell = table(k=Key(int), n=Max(int))
        cell(k, max_(v)) <= A.a(_, k, v)

    class CountOfABatch(Arrivals):
        cell = table(k=Key(int), n=Max(int))
        cell(k, count(v)) <= A.a(_, k, v)

    class MaxOfPartIntoATable(Arrivals):
        cell = table(k=Key(int), n=Max(int))
        cell(k, max_(y)) <= A.a(_, k, x) & A.got_b(x, y)


@pytest.mark.parametrize(
    "name, wanted",
    [
        ("CountAsCell", "Grow"),
        ("CountAsValue", "Flux"),
        ("MinIntoMax", "Flux"),
        ("SumOfAnything", "Flux"),
        ("SumOfWhatIsNotNegative", "Grow"),
        ("MaxOfABatchIntoATable", "Grow"),
        ("CountOfABatch", "Nondet"),
        ("MaxOfPartIntoATable", "Part"),
    ],
)
def test_t3_aggregates(name: str, wanted: str) -> None:
    assert mode(getattr(T3, name), "cell") == wanted


class Cells(Arrivals):
    high = table(k=Key(int), n=Max(int))
    low = table(k=Key(int), n=Min(int))
    bag = table(k=Key(int), s=SetUnion(int))
    batch = scratch(k=Key(int), s=SetUnion(int))
    peak = scratch(k=Key(int), n=Max(int))
    who = scratch(k=int)

    high(k, v) <= A.a(_, k, v)
    low(k, v) <= A.a(_, k, v)
    bag(k, {v}) <= A.a(_, k, v)
    batch(k, {v}) <= A.a(_, k, v)
    peak(k, v) <= A.a(_, k, v)


C = Cells


class T4:
    class MaxAbove(Cells):
        C.who(k) <= C.high(k, n) & (n >= 3)

    class MaxBelow(Cells):
        C.who(k) <= C.high(k, n) & (n < 3)

    class MinBelow(Cells):
        C.who(k) <= C.low(k, n) & (n <= 3)

    class MaxEqual(Cells):
        C.who(k) <= C.high(k, n) & (n == 3)

    class Contains(Cells):
        C.who(k) <= C.bag(k, s) & s.contains(3)

    class Element(Cells):
        C.who(x) <= C.bag(_, s) & each(x, s)

    class SizeAbove(Cells):
        C.who(k) <= C.bag(k, s) & (size(s) > 1)

    class SizeOfABatch(Cells):
        C.who(k) <= C.batch(k, s) & (size(s) > 1)

    class MaxOfABatch(Cells):
        C.who(k) <= C.peak(k, n) & (n > 1)

    class Matched(Cells):
        C.who(k) <= C.high(k, 3)


@pytest.mark.parametrize(
    "name, wanted",
    [
        ("MaxAbove", "Grow"),
        ("MaxBelow", "Flux"),
        ("MinBelow", "Grow"),
        ("MaxEqual", "Flux"),
        ("Contains", "Grow"),
        ("Element", "Grow"),
        ("SizeAbove", "Grow"),
        ("SizeOfABatch", "Nondet"),
        ("MaxOfABatch", "Event"),
        ("Matched", "Flux"),
    ],
)
def test_t4_thresholds(name: str, wanted: str) -> None:
    assert mode(getattr(T4, name), "who") == wanted


class Plain(Arrivals):
    """Aggregates as plain values: cells that nobody declared."""

    total = scratch(k=Key(int), n=int)
    best = scratch(k=Key(int), n=int, v=int)
    balance = scratch(k=Key(int), n=int)
    who = scratch(k=int)

    total(k, count(v)) <= A.got_a(k, v)
    best(k, max_(v), argmax(v, by=v)) <= A.got_a(k, v)
    balance(k, sum_(v)) <= A.got_a(k, v)


class T4Implicit:
    class Above(Plain):
        Plain.who(k) <= Plain.total(k, n) & (n > 1)

    class Exists(Plain):
        Plain.who(k) <= Plain.total(k, _)

    class OfTheBest(Plain):
        Plain.who(k) <= Plain.best(k, n, _) & (n > 1)

    class AMajority(Plain):
        """Half of a constant group: a count that does not move."""

        group = scratch(n=int)
        group(count()) <= A.peers(_)
        Plain.who(k) <= Plain.total(k, n) & group(x) & (n > x / 2)

    class OfWhoHasJoined(Plain):
        group = scratch(n=int)
        group(count()) <= A.got_b(_, _)
        Plain.who(k) <= Plain.total(k, n) & group(x) & (n > x / 2)

    class Below(Plain):
        Plain.who(k) <= Plain.total(k, n) & (n < 3)

    class Equal(Plain):
        Plain.who(k) <= Plain.total(k, n) & (n == 2)

    class Joined(Plain):
        Plain.who(k) <= Plain.total(k, n) & A.fixed(n, _)

    class Shown(Plain):
        Plain.who(n) <= Plain.total(_, n)

    class Chosen(Plain):
        Plain.who(v) <= Plain.best(_, n, v) & (n > 1)

    class OfASum(Plain):
        Plain.who(k) <= Plain.balance(k, n) & (n > 1)

    class Absent(Plain):
        Plain.who(k) <= A.fixed(k, _) & notin(Plain.total(k, _))


@pytest.mark.parametrize(
    "name, wanted",
    [
        ("Above", "Grow"),
        ("Exists", "Grow"),
        ("OfTheBest", "Grow"),
        ("AMajority", "Grow"),
        ("OfWhoHasJoined", "Flux"),
        ("Below", "Flux"),
        ("Equal", "Flux"),
        ("Joined", "Flux"),
        ("Shown", "Flux"),
        ("Chosen", "Flux"),
        ("OfASum", "Flux"),
        ("Absent", "Flux"),
    ],
)
def test_t4_on_aggregates_that_nobody_declared_a_lattice(name: str, wanted: str) -> None:
    program: Any = getattr(T4Implicit, name)
    assert mode(program, "who") == wanted
    assert mode(program, "total") == "Flux"  # the row itself is taken back all the time


class Unsettled(Arrivals):
    flux = scratch(k=int, v=int)
    flux(k, v) <= A.got_a(k, v) & notin(A.got_b(k, v))


class T5:
    class Latch(Unsettled):
        A.kept(k, v) <= Unsettled.flux(k, v)

    class Export(Unsettled):
        A.sent(to, k, v) < ~Unsettled.flux(k, v) & A.peers(to)

    class FinalOutput(Unsettled):
        A.out(k, v) <= Unsettled.flux(k, v)

    class UnguardedJoin(Arrivals):
        A.kept(k, y) <= A.a(_, k, x) & A.got_b(x, y)

    class CarriedByACycle(Unsettled):
        A.view(k, v) < +A.got_a(k, v)
        A.view(k, v) < +A.view(k, x) & Unsettled.flux(x, v)


@pytest.mark.parametrize(
    "name, wanted",
    [
        ("Latch", "latch"),
        ("Export", "export"),
        ("FinalOutput", "final output"),
        ("UnguardedJoin", "unguarded join"),
        ("CarriedByACycle", "latch"),
    ],
)
def test_t5_irreversible_uses(name: str, wanted: str) -> None:
    assert kinds(getattr(T5, name)) == [wanted]


def test_t5_a_part_that_is_handed_out_stays_part() -> None:
    class Answer(Arrivals):
        A.out(k, y) <= A.a(_, k, x) & A.got_b(x, y)

    assert mode(Answer, "out") == "Part"
    assert not kinds(Answer)


def test_t6_accumulation() -> None:
    class Accumulated(Arrivals):
        later = scratch(k=int, v=int)
        A.kept(k, v) <= A.a(_, k, v)
        later(k, v) < +A.fixed(k, v)
        A.sent(to, k, v) < ~A.kept(k, v) & A.peers(to)

    assert mode(Accumulated, "kept") == "Grow"
    assert mode(Accumulated, "later") == "Grow"  # not there from the first tick
    assert mode(Accumulated, "sent") == "Event"


class T7:
    class ByEvent(Arrivals):
        A.got_a(k, v) < -A.got_a(k, v) & A.b(_, k, v)

    class ByWhatStays(Arrivals):
        A.got_a(k, v) < -A.got_a(k, v) & A.got_b(k, v)

    class ByWhatMayGo(Unsettled):
        A.got_b(k, v) < -A.got_b(k, v) & Unsettled.flux(k, v)

    class ByHand(Arrivals):
        A.kept(k, v) <= A.a(_, k, v)
        A.kept(k, v) < -A.kept(k, v) & A.a(_, k, w) & (v < w)

    class Local(Arrivals):
        job = table(k=int)
        job <= [(1,), (2,)]
        job(k) < -job(k) & A.fixed(k, _)


@pytest.mark.parametrize(
    "name, collection, wanted, kind",
    [
        ("ByEvent", "got_a", "Nondet", ["delete race"]),
        ("ByWhatStays", "got_a", "Flux", []),
        ("ByWhatMayGo", "got_b", "Nondet", ["delete race"]),
        ("ByHand", "kept", "Nondet", ["overwrite"]),
        ("Local", "job", "Det", []),
    ],
)
def test_t7_deletions(name: str, collection: str, wanted: str, kind: list[str]) -> None:
    program: Any = getattr(T7, name)
    assert mode(program, collection) == wanted
    assert kinds(program) == kind


def test_t8_overwriting() -> None:
    class Register(Arrivals):
        reg = table(k=Key(int), v=int)
        reg(k, v) < +-A.a(_, k, v)

    class Local(Arrivals):
        reg = table(k=Key(int), v=int)
        reg <= [(1, 0)]
        reg(k, v + 1) < +-reg(k, v)

    assert kinds(Register) == ["overwrite"]
    assert mode(Local, "reg") == "Det"
    assert not kinds(Local)


def test_t9_a_cell_is_sent_to_where_it_is_merged_or_to_where_it_is_not() -> None:
    class Merged(Cells):
        news = channel(to=Key(Address), k=Key(int), n=Max(int))
        all_high = table(k=Key(int), n=Max(int))
        news(to, k, n) < ~C.high(k, n) & A.peers(to)
        all_high(k, n) <= news(_, k, n)

    class Raw(Cells):
        A.sent(to, k, n) < ~C.high(k, n) & A.peers(to)

    assert mode(Merged, "all_high") == "Grow"
    assert "T9" in used(Merged, "news_1")
    assert kinds(Raw) == ["export"]


def test_t10_a_local_clock_in_data_from_messages() -> None:
    class Stamped(Arrivals):
        A.kept(k, tick_number()) <= A.a(_, k, _)

    class Alone(Arrivals):
        mine = scratch(k=int)
        mine(tick_number()) <= A.fixed(_, _)

    assert kinds(Stamped) == ["clock"]
    assert mode(Alone, "mine") == "Det"


def test_t11_rivals_for_a_key() -> None:
    class Lock(Arrivals):
        lock = table(k=Key(int), v=int)
        lock(k, v) <= A.a(_, k, v)

    class Keyless(Arrivals):
        lock = table(k=int, v=int)
        lock(k, v) <= A.a(_, k, v)

    (point,) = report(Lock).points
    assert (point.kind, point.gate) == ("key race", ("k",))
    assert mode(Keyless, "lock") == "Grow"


def test_t12_choosing_in_a_batch_and_among_what_is_stored() -> None:
    class Batch(Arrivals):
        best = scratch(k=int, v=int)
        best(k, choose(v)) <= A.a(_, k, v)

    class Stored(Arrivals):
        best = scratch(k=int, v=int)
        best(k, choose(v)) <= A.got_a(k, v)

    assert kinds(Batch) == ["choice"]
    assert mode(Stored, "best") == "Flux"


def test_t13_clocks_and_timers() -> None:
    class Told(Arrivals):
        late = scratch(k=int, at=float)
        late(k, now()) <= A.got_a(k, _)

    class Beat(Arrivals):
        beat = periodic(1.0)

    class Prompted(Beat):
        A.sent(to, k, v) < ~Beat.beat(_) & A.got_a(k, v) & A.peers(to)

    class Numbered(Beat):
        A.sent(to, n, n) < ~Beat.beat(n) & A.peers(to)

    class Sampled(Beat):
        A.sent(to, k, v) < ~Beat.beat(_) & A.got_a(k, v) & A.peers(to) & notin(A.got_b(k, v))

    assert kinds(Told) == ["clock"]
    assert mode(Prompted, "sent") == "Event"
    assert kinds(Numbered) == ["clock"]
    assert kinds(Sampled) == ["clock"]


class Logged(Program):
    """A decided log, and a cursor that takes one slot per tick."""

    decided = channel(to=Key(Address), slot=Key(int), k=int, v=int)
    log = table(slot=int, k=int, v=int)
    at = table(one=Key(int), slot=int)
    apply = scratch(k=int, v=int)
    reg = table(k=Key(int), v=int)

    protocol(by="total order", ordered=log)
    at <= [(0, 1)]
    log(x, k, v) <= decided(_, x, k, v)
    apply(k, v) <= at(_, x) & log(x, k, v)
    at(y, x + 1) < +-at(y, x) & log(x, _, _)


L = Logged


def test_t14_over_a_log_that_is_applied_slot_by_slot() -> None:
    class Overwritten(Logged):
        L.reg(k, v) < +-L.apply(k, v)

    class WithAStranger(Logged):
        stranger = channel(to=Address, k=int)
        L.reg(k, v) < +-L.apply(k, v) & stranger(_, k)

    assert mode(Overwritten, "reg") == "Seq"
    assert report(Overwritten).verdict("reg").word == "ordered"
    assert mode(WithAStranger, "reg") == "Nondet"


# ----------------------------------------------------------------- refinements


def test_r1_negation_of_a_constant() -> None:
    assert "R1" in used(T2.OfConst, "view_1")


def test_r2_negation_where_nothing_asynchronous_is() -> None:
    class Local(Arrivals):
        done = table(k=int)
        open = scratch(k=int)
        done(k) < +A.fixed(k, 1)
        open(k) <= A.fixed(k, _) & notin(done(k))

    assert mode(Local, "open") == "Det"
    assert "R2" in used(Local, "open_1")
    assert report(Local).verdict("open").word == "local"


def test_r3_tombstones_that_stay_and_facts_that_no_insert_can_overtake() -> None:
    class Facts(Arrivals):
        todo = table(k=int)
        todo <= [(1,), (2,)]
        todo(k) < -todo(k) & A.a(_, k, _)

    assert "R3" in used(T7.ByWhatStays, "got_a_2")
    assert mode(Facts, "todo") == "Flux"


class R4:
    class Guarded(Arrivals):
        """The source has one value per key, so the guard keeps nothing else out."""

        put = channel(to=Address, k=int, v=int)
        reg = table(k=Key(int), v=int)
        put(to, k, v) < ~A.fixed(k, v) & A.peers(to)
        reg(k, v) < +put(_, k, v) & notin(reg(k, _))

    class Vouched(Arrivals):
        reg = table(k=Key(int), v=int)
        assume("fd", A.a, key="k", value="v")
        reg(k, v) <= A.a(_, k, v)

    class Computed(Arrivals):
        reg = table(k=Key(int), v=int)
        reg(k, k * 2) <= A.a(_, k, _)

    class PerSender(Arrivals):
        mine = table(k=Key(int), v=int)
        put = channel(to=Address, sender=Address, k=int, v=int)
        reg = table(sender=Key(Address), k=Key(int), v=int)
        mine(k, 0) <= A.a(_, k, _)
        put(to, here, k, v) < ~mine(k, v) & A.peers(to)
        reg(who, k, v) <= put(_, who, k, v)

    class NotPerSender(Arrivals):
        mine = table(k=Key(int), v=int)
        put = channel(to=Address, k=int, v=int)
        reg = table(k=Key(int), v=int)
        mine(k, v) <= A.got_a(k, v) & A.fixed(k, v)
        put(to, k, v) < ~mine(k, v) & A.peers(to)
        reg(k, v) <= put(_, k, v)

    class TwoRules(Arrivals):
        reg = table(k=Key(int), v=int)
        reg(k, 1) <= A.a(_, k, _)
        reg(k, 2) <= A.b(_, k, _)

    class TwoRulesApart(Arrivals):
        reg = table(c=Key(str), k=Key(int), v=int)
        reg("a", k, 1) <= A.a(_, k, _)
        reg("b", k, 2) <= A.b(_, k, _)


@pytest.mark.parametrize(
    "name, wanted",
    [
        ("Guarded", "Grow"),
        ("Vouched", "Grow"),
        ("Computed", "Grow"),
        ("PerSender", "Grow"),
        ("TwoRules", "Nondet"),
        ("TwoRulesApart", "Grow"),
    ],
)
def test_r4_one_value_per_key(name: str, wanted: str) -> None:
    assert mode(getattr(R4, name), "reg") == wanted


def test_r4_tables_of_other_nodes_may_disagree() -> None:
    """`mine` has one value per key at each node; what arrives here comes from all of them."""

    class Elsewhere(Arrivals):
        given = input(k=Key(int), v=int)
        mine = table(k=Key(int), v=int)
        put = channel(to=Address, k=int, v=int)
        reg = table(k=Key(int), v=int)
        mine(k, v) <= given(k, v)
        put(to, k, v) < ~mine(k, v) & A.peers(to)
        reg(k, v) <= put(_, k, v)

    assert mode(Elsewhere, "mine") == "Grow"
    assert mode(Elsewhere, "reg") == "Nondet"


class Retry(Program):
    say = input(x=int)
    wanted = table(x=int)
    peers = roster("node")
    msg = channel(to=Address, sender=Address, x=int)
    ack = channel(to=Address, by=Address, x=int)
    acked = table(by=Address, x=int)

    wanted(x) <= say(x)
    ack(who, here, x) < ~msg(_, who, x)
    acked(who, x) <= ack(_, who, x)


def test_r5_retry_until_this_very_row_is_acknowledged() -> None:
    class Exact(Retry):
        Retry.msg(to, here, x) < ~Retry.wanted(x) & Retry.peers(to) & notin(Retry.acked(to, x))

    class ByAnyone(Retry):
        Retry.msg(to, here, x) < ~Retry.wanted(x) & Retry.peers(to) & notin(Retry.acked(_, x))

    class OfAnything(Retry):
        Retry.msg(to, here, x) < ~Retry.wanted(x) & Retry.peers(to) & notin(Retry.acked(to, _))

    assert "R5" in used(Exact, "msg_1")
    assert not kinds(Exact)
    assert kinds(ByAnyone) == ["export"]
    assert kinds(OfAnything) == ["export"]


def test_r6_thresholds_are_noted_and_keep_what_they_test() -> None:
    assert mode(T4.SizeAbove, "who") == "Grow"
    assert "R6" in used(T4.SizeAbove, "who_1")
    assert mode(T4.MaxBelow, "who") == "Flux"


def test_r7_for_all_of_a_constant_domain() -> None:
    class Base(Arrivals):
        votes = table(k=int, x=int)
        open = table(k=int)
        done = scratch(k=int)
        missing = scratch(k=int)
        votes(k, x) <= A.a(_, k, x)
        open(k) <= A.b(_, k, _)

    class Constant(Base):
        Base.missing(k) <= Base.open(k) & A.fixed(x, _) & notin(Base.votes(k, x))
        Base.done(k) <= Base.open(k) & notin(Base.missing(k))

    class Growing(Base):
        """The domain grows: one more may come that lacks a vote."""

        Base.missing(k) <= Base.open(k) & A.got_b(x, _) & notin(Base.votes(k, x))
        Base.done(k) <= Base.open(k) & notin(Base.missing(k))

    class OtherGuard(Base):
        """What is asked for is not what the rule itself holds."""

        Base.missing(k) <= Base.open(k) & A.fixed(x, _) & notin(Base.votes(k, x))
        Base.done(k) <= Base.votes(k, _) & notin(Base.missing(k))

    class AnotherTick(Base):
        Base.missing(k) < +Base.open(k) & A.fixed(x, _) & notin(Base.votes(k, x))
        Base.done(k) <= Base.open(k) & notin(Base.missing(k))

    assert mode(Constant, "done") == "Grow"
    assert "R7" in used(Constant, "done_1")
    assert [mode(p, "done") for p in (Growing, OtherGuard, AnotherTick)] == ["Flux"] * 3


def test_r8_the_incumbent_competes() -> None:
    class Base(Arrivals):
        put = channel(to=Address, k=int, n=int, v=int)
        cand = scratch(k=int, n=int, v=int)
        reg = table(k=Key(int), n=int, v=int)
        cand(k, n, v) <= put(_, k, n, v)

    class Competes(Base):
        Base.cand(k, n, v) <= Base.reg(k, n, v)
        Base.reg(k, max_(n), argmax(v, by=n)) < +-Base.cand(k, n, v)

    class Absent(Base):
        Base.reg(k, max_(n), argmax(v, by=n)) < +-Base.cand(k, n, v)

    class ByAnotherColumn(Base):
        Base.cand(k, n, v) <= Base.reg(k, v, n)
        Base.reg(k, max_(n), argmax(v, by=n)) < +-Base.cand(k, n, v)

    assert mode(Competes, "reg") == "Flux"
    assert mode(Absent, "reg") == "Nondet"
    assert mode(ByAnotherColumn, "reg") == "Nondet"


def test_r9_is_t9_seen_from_the_use() -> None:
    class Sent(Cells):
        news = channel(to=Key(Address), k=Key(int), s=SetUnion(int))
        news(to, k, s) < ~C.bag(k, s) & A.peers(to)

    assert mode(Sent, "news") == "Event"
    assert not kinds(Sent)
    assert "R9" in used(Sent, "news_1")


def test_r10_turned_round_twice() -> None:
    class Twice(Cells):
        C.who(k) <= C.high(k, n) & not_(n < 3)

    class Once(Cells):
        C.who(k) <= C.high(k, n) & not_(n > 3)

    class Negated(Cells):
        C.who(k) <= C.low(k, n) & (-n > -3)

    assert mode(Twice, "who") == "Grow"
    assert "R10" in used(Twice, "who_1")
    assert mode(Once, "who") == "Flux"
    assert mode(Negated, "who") == "Grow"


def test_r11_is_tried_by_m15_and_m34() -> None:
    from tests.programs.micro.sealed import M15, M34

    assert "R11" in used(M15, "absent_1")
    assert "R11" in used(M15, "complete_1")
    assert "R11" not in used(M34, "absent_1")


def test_r12_two_events_of_one_message() -> None:
    class Split(Program):
        msg = channel(to=Address, id=int, p=int, q=int)
        left = scratch(id=int, p=int)
        right = scratch(id=int, q=int)
        both = scratch(id=int, p=int, q=int)
        left(x, y) <= msg(_, x, y, _)
        right(x, z) <= msg(_, x, _, z)

    class ById(Split):
        """Two messages may have one id: then their halves meet, or not."""

        Split.both(x, y, z) <= Split.left(x, y) & Split.right(x, z)

    class ByIdThatIdentifies(Split):
        assume("fd", Split.msg, key="id", value="p q")
        Split.both(x, y, z) <= Split.left(x, y) & Split.right(x, z)

    class ByAllThatIsLookedAt(Split):
        Split.both(x, y, y) <= Split.left(x, y) & Split.msg(_, x, y, _)

    class Filtered(Split):
        """What one message denies itself no other can grant."""

        odd = scratch(id=int, p=int)
        odd(x, y) <= Split.msg(_, x, y, _) & (y == 1)
        Split.both(x, y, y) <= Split.left(x, y) & notin(odd(x, y))

    assert mode(ById, "both") == "Part"
    assert mode(ByIdThatIdentifies, "both") == "Event"
    assert mode(ByAllThatIsLookedAt, "both") == "Event"
    assert mode(Filtered, "both") == "Event"


def test_r13_what_the_user_vouches_for() -> None:
    class Sealed(Arrivals):
        assume("sealed", A.got_b, key="k")
        A.view(k, v) <= A.got_a(k, v) & notin(A.got_b(k, v))

    class OtherKey(Arrivals):
        assume("sealed", A.got_b, key="v")
        A.view(k, v) <= A.got_a(k, v) & notin(A.got_b(k, _))

    assert mode(Sealed, "view") == "Grow"
    assert "R13" in used(Sealed, "view_1")
    assert mode(OtherKey, "view") == "Flux"


# -------------------------------------------------------------------- the rest


def test_a_guard_makes_points_of_order_those_of_a_protocol() -> None:
    class Ballots(Arrivals):
        protocol(by=("ballot order", "stable storage"))
        reg = table(k=Key(int), v=int)
        reg(k, v) < +-A.a(_, k, v)

    verdict = report(Ballots).verdict("reg")
    assert verdict.word == "protocol"
    assert verdict.points[0].guards == ("ballot order", "stable storage")
    assert not report(Ballots).needs_coordination


def test_maps_are_cells_within_cells() -> None:
    class Counts(Arrivals):
        votes = table(k=Key(int), m=MapUnion(int, Max(int)))
        enough = scratch(k=int, x=int)
        votes(k, {v: 1}) <= A.a(_, k, v)
        enough(k, x) <= votes(k, s) & each((x, n), s) & (n > 0)

    assert mode(Counts, "enough") == "Grow"


def test_every_kind_of_point_has_its_program() -> None:
    seen = set()
    for group in (T5, T7, T1, T2, T3):
        for program in vars(group).values():
            if isinstance(program, type):
                seen |= {point.kind for point in report(program).points}
    seen |= {"export", "key race", "clock"}  # above, in tests of their own
    assert seen == {kind.value for kind in PointKind}

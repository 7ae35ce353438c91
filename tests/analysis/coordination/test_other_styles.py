"""Programs in other hands than ours: what is inserted suits them as well."""

from __future__ import annotations

import pytest

from bloomish import (
    Address,
    Any,
    Cluster,
    Key,
    Program,
    _,
    assume,
    channel,
    const,
    count,
    field,
    here,
    index,
    input,
    invariant,
    max_,
    min_,
    notin,
    now,
    output,
    roster,
    scratch,
    size,
    sum_,
    table,
    variables,
)
from bloomish.analysis.coordinate import Coordinated, coordinate
from bloomish.runtime.sim.explore.outcomes import Outcome, by_decided_log, outcomes
from bloomish.runtime.sim.explore.space import Limits, explore
from bloomish.runtime.sim.stage import stage_of_target
from bloomish.runtime.sim.workload import Insert, ended
from bloomish.targets import Target

account, at, card, deal, have, n, place, source, target, topic, who, x, y = variables(
    "account at card deal have n place source target topic who x y"
)


def mechanisms(made: Coordinated) -> list[tuple[str, str]]:
    assert made.after.status == 0, [refusal.why for refusal in made.plan.refusals]
    return [(one.mechanism, one.role) for one in made.plan.insertions]


def ends(made: Coordinated, inserts: list[Insert]) -> list[list[Outcome]]:
    """The outcomes of each decided log."""
    stage = stage_of_target(Target("foreign", (), made.deployed), ())
    inserts = [*inserts, *ended(stage, inserts, 0)]
    space = explore(stage, inserts, Limits(states=20_000, duplicates=0))
    assert not space.violations
    found = list(by_decided_log(space, outcomes(space)).values())
    assert found and all(len(group) == 1 for group in found)
    return found


def rows(outcome: Outcome, table: str) -> list[tuple[object, ...]]:
    """What a table holds at the end, at all nodes."""
    return sorted(row for _, name, found in outcome.content if name == table for row in found)


# ------------------------------------------------------- what meets by chance elsewhere


class Bus(Program):
    subscribe = channel(to=Address, who=Address, topic=str)
    publish = channel(to=Address, topic=str, text=int)
    notify = channel(to=Address, topic=str, text=int)


class Broker(Bus):
    subscribers = table(topic=str, who=Address)

    subscribers(topic, who) <= Bus.subscribe(_, who, topic)
    Bus.notify(who, topic, x) < ~Bus.publish(_, topic, x) & subscribers(topic, who)


class Reader(Bus):
    brokers = roster("broker")
    follow = input(topic=str)
    inbox = table(topic=str, text=int, durable=True)

    Bus.subscribe(at, here, topic) < ~follow(topic) & brokers(at)
    inbox(topic, x) <= Bus.notify(_, topic, x)


class Writer(Bus):
    brokers = roster("broker")
    post = input(topic=str, text=int)

    Bus.publish(at, topic, x) < ~post(topic, x) & brokers(at)


def test_what_met_by_chance_is_kept_where_it_meets() -> None:
    """The join is made at the broker, and stored by whoever hears of it."""
    made = coordinate(Cluster(broker=Broker, reader=Reader, writer=Writer), log="contract")
    assert mechanisms(made) == [("persist", "broker")]
    (insertion,) = made.plan.insertions
    assert insertion.entries == ("Bus.publish",)
    inserts = [
        Insert(0, "reader-0", "follow", (("news",),)),
        Insert(0, "writer-0", "post", (("news", 1),)),
        Insert(0, "writer-0", "post", (("sports", 2),)),
    ]
    assert len(ends(made, inserts)) == 1


# ------------------------------------------------------------- a join with what is taken away


class Trading(Program):
    hand_over = channel(to=Address, deal=int, mine=str, yours=str)


class Collector(Trading):
    album = table(card=str, durable=True)
    new = input(card=str)
    has = output(card=str)

    album <= [("x",)]
    album(card) <= new(card)
    album(y) < +Trading.hand_over(_, deal, x, y) & album(x)
    album(x) < -Trading.hand_over(_, deal, x, y) & album(x)
    has(card) <= album(card)


class Dealer(Trading):
    collectors = roster("collector")
    trade = input(deal=int, mine=str, yours=str)

    Trading.hand_over(at, deal, x, y) < ~trade(deal, x, y) & collectors(at)


def test_what_is_taken_away_is_not_waited_for() -> None:
    """Kept, an exchange would happen again whenever the card comes back."""
    made = coordinate(Cluster(collector=Collector, dealer=Dealer), log="contract")
    assert mechanisms(made) == [("local order", "collector")]
    (join,) = [p for p in made.before.points if p.kind == "unguarded join"]
    assert [mend.cost for mend in join.mends] == ["consensus"]
    inserts = [
        Insert(0, "dealer-0", "trade", ((1, "x", "y"),)),
        Insert(0, "dealer-0", "trade", ((2, "x", "z"),)),
    ]
    assert [rows(end, "album") for (end,) in ends(made, inserts)] == [[("y",)], [("z",)]]


# ---------------------------------------------------------- deletes that look at nothing


class Links(Program):
    up = channel(to=Address, source=str, target=str)
    down = channel(to=Address, source=str, target=str)


class Router(Links):
    """Deletes by what the message says, without a look at the table."""

    link = table(source=str, target=str, durable=True)

    link(x, y) < +Links.up(_, x, y)
    link(x, y) < -Links.down(_, x, y)


class Operator(Links):
    routers = roster("router")
    add = input(source=str, target=str)
    cut = input(source=str, target=str)

    Links.up(at, x, y) < ~add(x, y) & routers(at)
    Links.down(at, x, y) < ~cut(x, y) & routers(at)


def test_a_delete_and_what_it_races_with_share_a_log() -> None:
    made = coordinate(Cluster(router=Router * 2, operator=Operator), log="contract")
    assert mechanisms(made) == [("consensus", "router")]
    assert made.plan.insertions[0].entries == ("Links.down", "Links.up")
    inserts = [
        Insert(0, "operator-0", "add", (("a", "b"),)),
        Insert(0, "operator-0", "cut", (("a", "b"),)),
    ]
    both = ends(made, inserts)
    assert sorted(len(rows(end, "link")) for (end,) in both) == [0, 2]


# ------------------------------------------------------------------ a guard behind two views


class Wire(Program):
    take = channel(to=Address, number=int, account=int, amount=int)
    give = channel(to=Address, number=int, account=int, amount=int)


class Vaults(Program):
    vaults = roster("vault")
    ring = scratch(place=Key(int), at=Address)

    ring(index(at), at) <= vaults(at)


class Vault(Wire, Vaults):
    """Accounts live where their number says; what a tick brings is added up."""

    balance = table(account=Key(int), amount=int, durable=True)
    covered = scratch(number=int, account=int, amount=int)
    losses = scratch(account=Key(int), amount=int)
    gains = scratch(account=Key(int), amount=int)

    balance <= [(1, 10), (2, 10)]
    covered(n, account, x) <= Wire.take(_, n, account, x) & balance(account, have) & (have >= x)
    losses(account, sum_(x)) <= covered(_, account, x)
    gains(account, sum_(x)) <= Wire.give(_, _, account, x)
    balance(account, have - x) < +-(losses(account, x) & balance(account, have))
    balance(account, have + x) < +-(
        gains(account, x) & balance(account, have) & notin(losses(account, _))
    )


class Desk(Wire, Vaults):
    move = input(number=Key(int), source=int, target=int, amount=int)

    Wire.take(at, n, source, x) < ~(
        move(n, source, _, x) & Vaults.ring(place, at) & (place == source % size(Vaults.vaults))
    )
    Wire.give(at, n, target, x) < ~(
        move(n, _, target, x) & Vaults.ring(place, at) & (place == target % size(Vaults.vaults))
    )


def test_a_guard_behind_two_views_is_a_veto() -> None:
    made = coordinate(Cluster(vault=Vault * 2, desk=Desk), log="contract")
    assert mechanisms(made) == [("atomic commit", "vault")]
    untouched = [(1, 10), (2, 10)]
    one, other, own = (
        Insert(0, "desk-0", "move", (row,)) for row in ((1, 1, 2, 7), (2, 1, 2, 6), (3, 2, 2, 1))
    )
    left = [sorted([*untouched, *one]) for one in ([(1, 3), (2, 17)], [(1, 4), (2, 16)])]
    assert all(rows(end, "balance") in left for (end,) in ends(made, [one, other]))
    ((end,),) = ends(made, [own])
    assert rows(end, "balance") == sorted([*untouched, *untouched])


# -------------------------------------------------------- parts at nodes of different roles


class Travel(Program):
    fly = channel(to=Address, number=int, seat=int)
    stay = channel(to=Address, number=int, room=int)


class Airline(Travel):
    seats = table(seat=Key(int), number=int, durable=True)

    seats(x, n) < +Travel.fly(_, n, x) & notin(seats(x, _))


class Hotel(Travel):
    rooms = table(room=Key(int), number=int, durable=True)

    rooms(x, n) < +Travel.stay(_, n, x) & notin(rooms(x, _))


class Agency(Travel):
    airlines = roster("airline")
    hotels = roster("hotel")
    book = input(number=Key(int), seat=int, room=int)

    Travel.fly(at, n, x) < ~book(n, x, _) & airlines(at)
    Travel.stay(at, n, x) < ~book(n, _, x) & hotels(at)


def test_a_trip_is_booked_at_both_roles_or_at_none() -> None:
    """Each message goes to all of a roster, and the rosters are not replicas of each other."""
    made = coordinate(Cluster(airline=Airline, hotel=Hotel, agency=Agency), log="contract")
    assert mechanisms(made) == [("atomic commit", "airline")]
    inserts = [
        Insert(0, "agency-0", "book", ((1, 7, 7),)),
        Insert(0, "agency-0", "book", ((2, 8, 7),)),
    ]
    for (end,) in ends(made, inserts):
        (seat,), (room,) = rows(end, "seats"), rows(end, "rooms")
        assert seat[1] == room[1]


class Plane(Travel):
    """Has a list of the seats that are free."""

    plan = table(seat=int)
    taken = table(seat=int, number=int, durable=True)
    free = scratch(seat=int)

    plan <= [(7,), (8,)]
    free(x) <= plan(x) & notin(taken(x, _))
    taken(x, n) < +Travel.fly(_, n, x) & free(x)


class Inn(Travel):
    """Marks a room as taken."""

    rooms = table(room=Key(int), state=str, number=int, durable=True)

    rooms <= [(7, "free", 0)]
    rooms(x, "taken", n) < +-(Travel.stay(_, n, x) & rooms(x, "free", _))


class Pension(Travel):
    """Crosses a room off the list."""

    vacant = table(room=int, durable=True)
    rooms = table(room=int, number=int, durable=True)

    vacant <= [(7,)]
    vacant(x) < -Travel.stay(_, _, x) & vacant(x)
    rooms(x, n) < +Travel.stay(_, n, x) & vacant(x)


@pytest.mark.parametrize("hotel", [Inn, Pension])
def test_a_row_that_need_not_stay_is_a_condition(hotel: type[Program]) -> None:
    made = coordinate(Cluster(airline=Plane, hotel=hotel, agency=Agency), log="contract")
    assert mechanisms(made) == [("atomic commit", "airline")]
    inserts = [
        Insert(0, "agency-0", "book", ((1, 7, 7),)),
        Insert(0, "agency-0", "book", ((2, 8, 7),)),
    ]
    for (end,) in ends(made, inserts):
        (seat,), (room,) = rows(end, "taken"), rows(end, "rooms")
        assert seat[-1] == room[-1]


class Diary(Travel):
    """Takes notes of trips, and refuses none."""

    trips = table(number=int)

    trips(n) <= Travel.stay(_, n, _)


def test_who_only_takes_notes_has_no_part_in_it() -> None:
    made = coordinate(Cluster(airline=Airline, hotel=Diary, agency=Agency))
    assert mechanisms(made) == [("local order", "airline")]


# ------------------------------------------------------------------- an end of its own


class Sold(Program):
    sold = channel(to=Address, day=int, region=str, number=int, amount=int)


class Shop(Sold):
    """Says when a day is over, and not when a region is."""

    adders = roster("adder")
    sell = input(day=int, region=str, number=int, amount=int)
    day_over = input(day=int)
    assume("ends", day_over, key="day")

    Sold.sold(at, n, place, y, x) < ~sell(n, place, y, x) & adders(at)


class Adder(Sold):
    sales = table(day=int, region=str, number=int, amount=int)
    total = output(day=int, region=str, amount=int)

    sales(n, place, y, x) <= Sold.sold(_, n, place, y, x)
    total(n, place, sum_(x)) <= sales(n, place, _, x)


def test_the_end_that_a_program_declares_serves_for_what_is_within() -> None:
    made = coordinate(Cluster(shop=Shop * 2, adder=Adder))
    assert mechanisms(made) == [("seal", "adder")]
    (insertion,) = made.plan.insertions
    assert insertion.gate == ("day",)
    assert insertion.what.endswith("(said by shop:day_over(day))")


# --------------------------------------------------- what a log feeds, in whatever order stated


class Pump(Program):
    request = channel(to=Address, who=Address, number=int, amount=int)
    reply = channel(to=Address, number=int)


class Tank(Pump):
    """Serves one request at a time, each once; the table of those it served has no `Key`, and
    is stated before what it is made of."""

    first = const(amount=int)
    tank = table(one=Key(int), amount=int, durable=True)
    served = table(who=Address, number=int, amount=int, durable=True)
    fresh = scratch(who=Address, number=int, amount=int)
    pick = scratch(one=Key(int), what=Any)
    below_nothing = invariant(amount=int)

    first <= [(3,)]
    tank(0, x) < +(first(x) & notin(tank(0, _)))
    served(who, n, x) < +(
        pick(0, y) & (who == field(y, 0, Address)) & (n == field(y, 1, int)) & fresh(who, n, x)
    )
    tank(0, have - field(y, 2, int)) < +-(pick(0, y) & tank(0, have))
    pick(0, min_((who, n, x))) <= fresh(who, n, x) & tank(0, have) & (x <= have)
    fresh(who, n, x) <= Pump.request(_, who, n, x) & notin(served(who, n, _))
    Pump.reply(who, n) < ~Pump.request(_, who, n, _) & served(who, n, _)
    below_nothing(x) <= tank(_, x) & (x < 0)


class Driver(Pump):
    tanks = roster("tank")
    want = input(number=Key(int), amount=int)
    pending = table(number=Key(int), amount=int)
    done = table(number=int)

    pending(n, x) <= want(n, x)
    Pump.request(at, here, n, x) < ~pending(n, x) & notin(done(n)) & tanks(at)
    done(n) <= Pump.reply(_, n)


def test_what_a_cycle_after_a_log_reads_first_is_not_constant_for_good() -> None:
    made = coordinate(Cluster(tank=Tank * 2, driver=Driver))
    assert mechanisms(made) == [("consensus", "tank")]
    alone = coordinate(Cluster(tank=Tank, driver=Driver), log="contract")
    inserts = [Insert(0, "driver-0", "want", (row,)) for row in ((1, 2), (2, 2))]
    left = [rows(end, "tank") for (end,) in ends(alone, inserts)]
    assert set(map(tuple, left)) == {((0, 1),)}


# ------------------------------------------------ a cycle of which a log has a part


class Rooms(Program):
    enter = channel(to=Address, room=int, who=int)
    leave = channel(to=Address, room=int, who=int)


class Warden(Rooms):
    """Lets in while there is space, and out by what the message says."""

    inside = table(room=int, who=int, durable=True)
    heads = scratch(room=Key(int), people=int)

    heads(n, count(x)) <= inside(n, x)
    inside(n, x) < +Rooms.enter(_, n, x) & notin(heads(n, 1))
    inside(n, x) < -Rooms.leave(_, n, x)


class Porter(Rooms):
    wardens = roster("warden")
    come = input(room=int, who=int)
    go = input(room=int, who=int)

    Rooms.enter(at, n, x) < ~come(n, x) & wardens(at)
    Rooms.leave(at, n, x) < ~go(n, x) & wardens(at)


def test_what_is_beside_the_log_in_a_cycle_is_found_and_ordered() -> None:
    made = coordinate(Cluster(warden=Warden * 2, porter=Porter), log="contract")
    assert mechanisms(made) == [("consensus", "warden")]
    assert set(made.plan.insertions[0].entries) == {"Rooms.enter", "Rooms.leave"}
    inserts = [
        Insert(0, "porter-0", "come", ((1, 1),)),
        Insert(0, "porter-0", "come", ((1, 2),)),
        Insert(0, "porter-0", "go", ((1, 1),)),
    ]
    assert all(len(rows(end, "inside")) <= 2 for (end,) in ends(made, inserts))


# ----------------------------------------------------------- totals of totals


class Counts(Program):
    said = channel(to=Address, number=int, word=str, place=int)
    counted = channel(to=Address, number=int, word=str, times=int)


class Mouth(Counts):
    counters = roster("counter")
    say = input(number=int, word=str, place=int)

    Counts.said(at, n, topic, place) < ~say(n, topic, place) & counters(at)


class Counter(Counts):
    judges = roster("judge")
    heard = table(number=int, word=str, place=int)
    times = scratch(number=int, word=str, times=int)

    heard(n, topic, place) <= Counts.said(_, n, topic, place)
    times(n, topic, count()) <= heard(n, topic, _)
    Counts.counted(at, n, topic, x) < ~times(n, topic, x) & judges(at)


class Judge(Counts):
    all_counts = table(number=int, word=str, times=int)
    most = table(number=Key(int), times=int)

    all_counts(n, topic, x) <= Counts.counted(_, n, topic, x)
    most(n, max_(x)) <= all_counts(n, _, x)


def test_what_a_later_question_cannot_tell_apart_is_no_part_of_an_earlier_seal() -> None:
    """Words are counted one by one, and the most frequent is asked for."""
    cluster = Cluster(mouth=Mouth, counter=Counter, judge=Judge)
    made = coordinate(cluster)
    assert mechanisms(made) == [("seal", "counter"), ("seal", "judge")]
    assert [one.gate for one in made.plan.insertions] == [("number",), ("number",)]
    inserts = [
        Insert(0, "mouth-0", "say", ((1, "a", 1),)),
        Insert(0, "mouth-0", "say", ((1, "b", 2),)),
        Insert(0, "mouth-0", "say", ((1, "b", 3),)),
    ]
    ((end,),) = ends(made, inserts)
    assert rows(end, "most") == [(1, 2)]


# ------------------------------------------------------------- what a node does by itself


class Adding(Program):
    add = channel(to=Address, number=int, amount=int)


class Register(Adding):
    """Is filled by way of another table, two ticks after the start."""

    first = const(number=int, amount=int)
    ready = table(number=int, amount=int)
    register = table(number=Key(int), amount=int, durable=True)

    first <= [(1, 0)]
    ready(n, x) < +first(n, x)
    register(n, x) < +(ready(n, x) & notin(register(n, _)))
    register(n, have + x) < +-(Adding.add(_, n, x) & register(n, have))


class Plus(Adding):
    registers = roster("register")
    plus = input(number=int, amount=int)

    Adding.add(at, n, x) < ~plus(n, x) & registers(at)


def test_a_refusal_names_the_rule_that_writes_beside_the_log() -> None:
    made = coordinate(Cluster(register=Register * 2, adder=Plus))
    assert made.after.status == 1
    (refusal,) = made.plan.refusals
    assert refusal.why.startswith("register_1 writes to register at a tick of the node's own")


# ------------------------------------------------------------- what a clock decides


class Claims(Program):
    claim = channel(to=Address, topic=str, who=str)


class Lessor(Claims):
    """Each node asks its own clock."""

    lease = table(topic=Key(str), who=str, until=float, durable=True)

    lease(topic, min_(who), now() + 5.0) < +(
        Claims.claim(_, topic, who) & notin(lease(topic, _, _))
    )
    lease(topic, who, x) < -(lease(topic, who, x) & (x < now()))


class Stamper(Claims):
    """The clock has a say in one table of two."""

    owner = table(topic=Key(str), who=str, durable=True)
    stamps = table(topic=str, at=float)

    owner(topic, min_(who)) < +(Claims.claim(_, topic, who) & notin(owner(topic, _)))
    stamps(topic, now()) <= Claims.claim(_, topic, _)


class Claimant(Claims):
    nodes = roster("node")
    want = input(topic=str, who=str)

    Claims.claim(at, topic, who) < ~want(topic, who) & nodes(at)


def test_no_log_is_put_before_what_a_clock_decides() -> None:
    made = coordinate(Cluster(node=Lessor * 3, claimant=Claimant))
    assert not made.plan.insertions
    assert {refusal.rule for refusal in made.plan.refusals} == {"lease_1", "lease_2"}
    assert all("asks for now()" in refusal.why for refusal in made.plan.refusals)


def test_a_log_says_that_it_settles_what_it_settles_beside_a_clock() -> None:
    made = coordinate(Cluster(node=Stamper * 3, claimant=Claimant))
    assert [one.rules for one in made.plan.insertions] == [("owner_1",)]
    assert [refusal.rule for refusal in made.plan.refusals] == ["stamps_1"]


# ------------------------------------------------- a total of what it lets in itself


class Purse(Program):
    """Pays while the sum of its entries covers it; what it paid is one of them a tick later."""

    earn = input(number=int, amount=int)
    spend = input(number=int, amount=int)
    earned = table(number=int, amount=int, durable=True)
    spent = table(number=int, amount=int, durable=True)
    entries = scratch(number=int, amount=int)
    total = scratch(one=Key(int), amount=int)
    overdrawn = invariant(amount=int)

    earned(n, x) <= earn(n, x)
    entries(n, x) <= earned(n, x)
    entries(n, 0 - x) <= spent(n, x)
    total(1, sum_(x)) <= entries(_, x)
    spent(n, x) < +(spend(n, x) & total(_, have) & (have >= x))
    overdrawn(x) <= total(_, x) & (x < 0)


def test_what_goes_round_within_a_node_is_ordered_there() -> None:
    """Nothing under way is waited for, as what goes round goes by no message."""
    made = coordinate(Purse, log="contract")
    assert mechanisms(made) == [("local order", "purse")]
    costs = [mend.cost for point in made.before.points for mend in point.mends]
    assert "seal" not in costs
    inserts = [
        Insert(0, "purse-0", "earn", ((1, 5),)),
        Insert(0, "purse-0", "spend", ((2, 4),)),
        Insert(0, "purse-0", "spend", ((3, 3),)),
    ]
    found = ends(made, inserts)
    assert {tuple(rows(end, "spent")) for (end,) in found} == {(), ((2, 4),), ((3, 3),)}


# ------------------------------------------------------ an overwrite in two halves


class Setting(Program):
    put = channel(to=Address, value=int)


class Cell(Setting):
    """Deletes what is there and inserts what has come, in place of `<+-`."""

    current = table(value=int, durable=True)
    fresh = scratch(one=Key(int), value=int)

    fresh(0, max_(x)) <= Setting.put(_, x)
    current(x) < -(current(x) & fresh(_, _))
    current(x) < +fresh(_, x)


class Setter(Setting):
    cells = roster("cell")
    write = input(value=int)

    Setting.put(at, x) < ~write(x) & cells(at)


def test_a_batch_that_takes_the_place_of_another_is_not_waited_for() -> None:
    made = coordinate(Cluster(cell=Cell * 2, setter=Setter), log="contract")
    assert mechanisms(made) == [("consensus", "cell")]
    inserts = [Insert(0, "setter-0", "write", ((value,),)) for value in (1, 2)]
    found = [rows(end, "current") for (end,) in ends(made, inserts)]
    assert sorted(found) == [[(1,), (1,)], [(2,), (2,)]]


# --------------------------------------------------------- steps of a node's own


class Queueing(Program):
    ask = channel(to=Address, who=int)
    release = channel(to=Address, who=int)


class Queue(Queueing):
    """Who waits is let in a tick later, and may have been overtaken by then."""

    owner = table(one=Key(int), who=int, durable=True)
    waiting = table(who=int, durable=True)
    following = scratch(one=Key(int), who=int)

    waiting(x) < +Queueing.ask(_, x)
    following(1, min_(x)) <= waiting(x) & notin(owner(1, _))
    owner(1, x) < +following(_, x)
    waiting(x) < -following(_, x)
    owner(1, x) < -(Queueing.release(_, x) & owner(1, x))


class Waiter(Queueing):
    queues = roster("queue")
    come = input(who=int)
    go = input(who=int)

    Queueing.ask(at, x) < ~come(x) & queues(at)
    Queueing.release(at, x) < ~go(x) & queues(at)


def test_what_a_node_does_between_two_slots_is_no_function_of_the_log() -> None:
    made = coordinate(Cluster(queue=Queue * 2, waiter=Waiter))
    assert made.after.status == 1
    assert any("goes on by itself" in refusal.why for refusal in made.plan.refusals)

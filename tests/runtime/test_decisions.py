"""Each decision about what a tick is, on every evaluator: a test named after it."""
# ruff: noqa: B015 -- rules are expressions that stand alone
# fmt: off

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgpack
import pytest

from bloomish import (
    Address,
    Key,
    Lattice,
    LWWRegister,
    MapUnion,
    Max,
    Min,
    Program,
    ProgramError,
    SetUnion,
    _,
    argmax,
    avg,
    channel,
    choose,
    collect,
    const,
    count,
    each,
    function,
    here,
    index,
    input,
    invariant,
    notin,
    now,
    output,
    periodic,
    random,
    roster,
    scratch,
    size,
    sum_,
    table,
    tick_number,
    variables,
)
from bloomish.program import compile
from bloomish.runtime.evaluator import Evaluator, RowRefused, TickFailed
from tests.runtime.conftest import Make

a, b, c, k, n, p, v, w, x, y, z = variables("a b c k n p v w x y z")


def tick(node: Evaluator, now: float = 0.0, **rows: list[Any]) -> Any:
    """Insert and tick; a value stands for a row of one column."""
    for collection, given in rows.items():
        node.insert(collection, [row if isinstance(row, tuple) else (row,) for row in given])
    return node.tick(now)


def settle(node: Evaluator) -> int:
    """Tick until nothing changes; how many ticks that took."""
    for count_ in range(1, 20):
        if not node.tick(0.0).again:
            return count_
    raise AssertionError("it never settles")


def decoded(frame: bytes) -> Any:
    return msgpack.unpackb(frame, use_list=False)


# ----------------------------------------------------------------------- what a tick is


class Moving(Program):
    put, drop, later = input(x=int), input(x=int), input(x=int)
    kept = table(x=int)
    view = output(x=int)
    kept(x) <= put(x)
    kept(x) <- drop(x)
    kept(x) <+ later(x)
    view(x) <= kept(x)


def test_all_rules_read_the_state_of_their_tick_and_the_staged_shows_in_the_next(
    make: Make,
) -> None:
    node = make(Moving)
    one = tick(node, put=[1], later=[2])
    assert one.added == {"view": [(1,)]} and one.again
    two = tick(node, drop=[1])
    assert two.added == {"view": [(2,)]} and two.again, "the deletion shows in the next tick"
    three = tick(node)
    assert three.removed == {"view": [(1,)]} and not three.again


def test_a_row_both_deleted_and_inserted_for_the_next_tick_is_there(make: Make) -> None:
    node = make(Moving)
    tick(node, put=[1])
    assert not tick(node, drop=[1], later=[1]).again
    tick(node)
    assert node.contents("kept") == [(1,)]


def test_a_deleted_fact_stays_deleted(make: Make) -> None:
    class Deleted(Program):
        drop = input(x=int)
        kept = table(x=int)
        kept <= [(1,), (2,)]
        kept(x) <- drop(x)

    node = make(Deleted)
    tick(node)
    tick(node, drop=[1])
    for _again in range(3):
        tick(node)
        assert node.contents("kept") == [(2,)]


def test_facts_hold_at_the_first_tick_of_a_durable_table_at_its_first_ever_in_a_const_always(
    make: Make,
) -> None:
    class Facts(Program):
        drop = input(x=int)
        kept = table(x=int, durable=True)
        passing = table(x=int)
        always = const(x=int)
        kept <= [(1,), (2,)]
        passing <= [(1,)]
        always <= [(7,)]
        kept(x) <- drop(x)

    node = make(Facts)
    assert tick(node).durable == {"kept": ([], [(1,), (2,)])}
    assert tick(node, drop=[1]).durable == {"kept": ([(1,)], [])}
    restarted = make(Facts)
    restarted.load({"kept": [(2,)]})
    assert restarted.contents("kept") == [(2,)]
    assert tick(restarted).durable == {}
    assert restarted.contents("kept") == [(2,)], "facts of a durable table: at its first tick ever"
    assert restarted.contents("passing") == [(1,)]
    for _again in range(2):
        assert restarted.contents("always") == [(7,)]
        tick(restarted)


def test_scratch_channel_input_and_periodic_are_cleared_a_table_is_kept(make: Make) -> None:
    class Clearing(Program):
        put = input(x=int)
        beat = periodic(1.0)
        mail = channel(to=Address, x=int)
        passing = scratch(x=int)
        kept = table(x=int)
        passing(x) <= put(x)
        kept(x) <= mail(_, x)

    node = make(Clearing)
    tick(node, put=[1], mail=[("node-0", 2)], beat=[1])
    assert [node.contents(name) for name in ("put", "passing", "mail", "beat", "kept")] == [
        [(1,)], [(1,)], [("node-0", 2)], [(1,)], [(2,)],
    ]
    tick(node)
    assert [node.contents(name) for name in ("put", "passing", "mail", "beat", "kept")] == [
        [], [], [], [], [(2,)],
    ]


def test_a_node_with_nothing_to_do_asks_for_no_tick(make: Make) -> None:
    class Busy(Program):
        put = input(x=int)
        kept = table(x=int)
        echo = table(x=int)
        flash = scratch(x=int)
        kept(x) <= put(x)
        echo(x) <+ kept(x)
        flash(x) <+ kept(x)
        kept(x) <- echo(x) & (x > 100)

    node = make(Busy)
    assert tick(node, put=[1]).again
    assert settle(node) <= 2
    assert not tick(node).again


class Conflicting(Program):
    put = input(k=int, v=str)
    late = input(k=int, v=str)
    kept = table(k=Key(int), v=str, durable=True)
    kept(k, v) <= put(k, v)
    kept(k, v) <+ late(k, v)


def test_a_tick_that_fails_leaves_the_node_as_it_was_and_names_the_rule_and_the_rows(
    make: Make,
) -> None:
    node = make(Conflicting)
    tick(node, put=[(1, "a")])
    before = node.fingerprint()
    node.insert("put", [(1, "b"), (2, "b")])
    arrived = node.fingerprint()
    with pytest.raises(TickFailed) as failure:
        node.tick(0.0)
    assert "kept_1" in failure.value.rule
    assert set(failure.value.rows) >= {("kept", (1, "a")), ("kept", (1, "b"))}
    assert "key" in failure.value.message
    assert node.fingerprint() == arrived != before
    assert node.arrivals() == [("put", (1, "b")), ("put", (2, "b"))]
    node.set_arrivals([("put", (2, "b"))])
    assert node.tick(0.0).number == 2
    assert node.contents("kept") == [(1, "a"), (2, "b")]


def test_staged_rows_that_conflict_fail_the_tick_that_stages_them(make: Make) -> None:
    node = make(Conflicting)
    tick(node, put=[(1, "a")])
    with pytest.raises(TickFailed):
        tick(node, late=[(1, "b")])


def test_a_key_conflict_is_one_whatever_operators_put_the_rows_there(make: Make) -> None:
    class Inputs(Program):
        put = input(k=Key(int), v=str)
        seen = output(k=int, v=str)
        seen <= put

    node = make(Inputs)
    node.insert("put", [(1, "a"), (1, "b")])
    with pytest.raises(TickFailed):
        node.tick(0.0)
    node.set_arrivals([("put", (1, "a"))])
    assert node.tick(0.0).events == {"seen": [(1, "a")]}


def test_a_conflict_between_operators_is_told_in_the_same_words(make: Make) -> None:
    class Both(Program):
        add, replace = input(k=int, v=int), input(k=int, v=int)
        kept = table(k=Key(int), v=int)
        kept(k, v) <+ add(k, v)
        kept(k, v) <+- replace(k, v)

    node = make(Both)
    with pytest.raises(TickFailed) as failed:
        tick(node, add=[(1, 7)], replace=[(1, 6)])
    assert failed.value.rule == "kept_1, kept_2"
    assert failed.value.rows == (("kept", (1, 7)), ("kept", (1, 6)))
    assert failed.value.span.text == "kept(k, v) <+- replace(k, v)"


def test_probe_says_whether_a_tick_with_these_arrivals_would_fail(make: Make) -> None:
    node = make(Conflicting)
    tick(node, put=[(1, "a")])
    node.insert("put", [(3, "c")])
    before = node.fingerprint()
    assert isinstance(node.probe(0.0, [("put", (1, "b"))]), TickFailed)
    assert node.probe(0.0, [("put", (2, "b"))]) is None
    assert node.fingerprint() == before


def test_a_tick_commits_its_durable_tables_as_the_next_tick_will_start_with_them(
    make: Make,
) -> None:
    class Durable(Program):
        put, late, drop = input(k=int, v=str), input(k=int, v=str), input(k=int, v=str)
        kept = table(k=Key(int), v=str, durable=True)
        forgotten = table(k=int)
        kept(k, v) <= put(k, v)
        kept(k, v) <+- late(k, v)
        kept(k, v) <- drop(k, v)
        forgotten(k) <= put(k, _)

    node = make(Durable)
    assert tick(node, put=[(1, "a")], late=[(2, "b")]).durable == {
        "kept": ([], [(1, "a"), (2, "b")])
    }
    assert node.contents("kept") == [(1, "a")]
    assert tick(node, late=[(1, "c")]).durable == {"kept": ([(1, "a")], [(1, "c")])}
    assert tick(node, drop=[(1, "c")]).durable == {"kept": ([(1, "c")], [])}
    assert tick(node).durable == {}


SCRIPT = """
import sys
from tests.runtime.test_decisions import Hashed
from bloomish.program import compile
from bloomish.runtime.evaluators import make_evaluator
compiled = compile(Hashed)
node = make_evaluator(compiled.program, compiled.externals, which=sys.argv[1])
words = "the quick brown fox".split()
node.insert("put", [(word, number % 3) for number, word in enumerate(words)])
print(node.tick(1.0))
print(node.frames())
print(node.fingerprint().hex())
"""


class Hashed(Program):
    put = input(v=str, n=int)
    best = output(v=str)
    one = output(v=str)
    mail = channel(to=Address, v=str, many=SetUnion(str))
    best(argmax(v, by=n)) <= put(v, n)
    one(choose(v)) <= put(v, _)
    mail("node-1", x, {v}) <~ put(v, n) & put(x, n)


def test_the_same_state_and_inputs_give_the_same_bits_on_every_hash_seed(make: Make) -> None:
    which = make(Hashed).name
    found = set()
    for seed in ("0", "1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, which],
            env=os.environ | {"PYTHONHASHSEED": seed},
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=True,
        )
        found.add(done.stdout)
    assert len(found) == 1


def test_time_enters_through_periodic_and_now_alone_and_is_frozen_within_a_tick(
    make: Make,
) -> None:
    class Timed(Program):
        beat = periodic(1.0)
        put = input(x=int)
        beats = output(n=int)
        stamped = output(x=int, at=float)
        late = output(x=int)
        kept = table(x=int)
        beats <= beat
        kept <= put
        stamped(x, now()) <= put(x)
        late(x) <= kept(x) & (now() > 5.0)

    node = make(Timed)
    assert tick(node, now=3.0, put=[1, 2]).events == {"stamped": [(1, 3.0), (2, 3.0)]}
    assert tick(node, now=4.0, beat=[1]).events == {"beats": [(1,)]}
    for _again in range(2):  # a rule that asks the clock speaks anew at every tick
        assert tick(node, now=6.0).events == {"late": [(1,), (2,)]}


# ----------------------------------------------------------------------- sets, messages


def test_every_collection_a_delivered_batch_included_is_a_set_per_tick(make: Make) -> None:
    class Counting(Program):
        mail = channel(to=Address, x=int)
        total = output(n=int)
        total(count()) <= mail(_, x)

    node = make(Counting)
    node.insert("mail", [("node-0", 1), ("node-0", 1), ("node-0", 2)])
    node.insert("mail", [("node-0", 2)])
    one = node.tick(0.0)
    assert one.rows_in == 2 and one.events == {"total": [(2,)]}


def test_lattice_values_of_equal_key_sent_in_one_tick_are_merged_before_they_leave(
    make: Make,
) -> None:
    class Merging(Program):
        put = input(k=int, v=str)
        mail = channel(to=Address, k=int, values=SetUnion(str))
        mail("node-1", k, {v}) <~ put(k, v)

    node = make(Merging)
    assert tick(node, put=[(1, "b"), (1, "a"), (2, "c")]).rows_out == 2
    ((peer, frame),) = node.frames()
    assert peer == "node-1"
    version, sender, contents = decoded(frame)
    assert (version, sender) == (1, "node-0")
    (rows,) = contents.values()
    assert rows == (("node-1", 1, ("a", "b")), ("node-1", 2, ("c",)))


def test_arriving_lattice_rows_of_equal_key_merge(make: Make) -> None:
    class Arriving(Program):
        mail = channel(to=Address, k=int, values=SetUnion(str))
        seen = output(k=int, n=int)
        seen(k, size(v)) <= mail(_, k, v)

    node = make(Arriving)
    node.insert("mail", [("node-0", 1, {"a"}), ("node-0", 1, {"b"})])
    assert node.tick(0.0).events == {"seen": [(1, 2)]}


class Gossip(Program):
    peers = roster("peer")
    put = input(x=int)
    known = table(x=int)
    told = channel(to=Address, x=int)
    known <= put
    known(x) <= told(_, x)
    told(y, x) <~ known(x) & peers(y) & (y != here)


def test_a_standing_send_leaves_when_it_becomes_derivable_and_not_because_something_else_came(
    make: Make,
) -> None:
    node = make(Gossip, peer=["node-0", "node-1"])
    assert tick(node, put=[1]).rows_out == 1
    assert tick(node).rows_out == 0
    assert tick(node, put=[2]).rows_out == 1
    told = wire(Gossip, "told")
    assert node.sends() == [("node-1", told, ("node-1", 1)), ("node-1", told, ("node-1", 2))]
    assert node.resend() == 2
    assert [row for _peer, _wire, row in node.sends()] == [("node-1", 1), ("node-1", 2)]
    assert node.sends() == []


def test_what_has_only_begun_to_stand_is_not_sent_again_yet(make: Make) -> None:
    node = make(Gossip, peer=["node-0", "node-1"])
    tick(node, put=[1])
    node.sends()
    assert node.resend_stood() == (0, 1)
    tick(node, put=[2])
    node.sends()
    assert node.resend_stood() == (1, 2)
    assert [row for _peer, _wire, row in node.sends()] == [("node-1", 1)]
    assert node.resend_stood() == (2, 2)
    assert [row for _peer, _wire, row in node.sends()] == [("node-1", 1), ("node-1", 2)]


def test_who_keeps_to_itself_tells_nothing_of_durable_tables(make: Make) -> None:
    class Kept(Program):
        put = input(x=int)
        kept = table(x=int, durable=True)
        kept <= put

    node = make(Kept)
    assert tick(node, put=[1]).durable == {"kept": ([], [(1,)])}
    node.keep_to_itself()
    assert tick(node, put=[2]).durable == {}
    assert node.contents("kept") == [(1,), (2,)]


def wire(program: Any, channel_: str) -> str:
    """A channel's name between nodes."""
    return next(c.wire for c in compile(program).program.collections if c.name == channel_)


def test_a_send_that_lapses_and_comes_back_leaves_again(make: Make) -> None:
    class Lapsing(Program):
        put, drop = input(x=int), input(x=int)
        kept = table(x=int)
        mail = channel(to=Address, x=int)
        kept <= put
        kept(x) <- drop(x)
        mail("node-1", x) <~ kept(x)

    node = make(Lapsing)
    assert tick(node, put=[1]).rows_out == 1
    tick(node, drop=[1])
    assert tick(node).rows_out == 0 and node.resend() == 0
    assert tick(node, put=[1]).rows_out == 1


def test_an_ephemeral_send_leaves_at_every_tick_that_derives_it(make: Make) -> None:
    class Answering(Program):
        ask = channel(to=Address, sender=Address, x=int)
        answer = channel(to=Address, x=int)
        answer(y, x) <~ ask(_, y, x)

    node = make(Answering)
    for _again in range(2):
        assert tick(node, ask=[("node-0", "node-1", 5)]).rows_out == 1
    assert node.resend() == 0


def test_two_nodes_with_standing_sends_to_each_other_do_not_ping_pong(make: Make) -> None:
    names = ["node-0", "node-1"]
    nodes = {name: make(Gossip, node=name, peer=names) for name in names}
    tick(nodes["node-0"], put=[1])
    tick(nodes["node-1"], put=[2])
    rounds = 0
    while frames := [frame for node in nodes.values() for frame in node.frames()]:
        rounds += 1
        assert rounds < 5
        for peer, body in frames:
            assert not nodes[peer].receive(body).refused
        for node in nodes.values():
            node.tick(0.0)
    assert all(node.contents("known") == [(1,), (2,)] for node in nodes.values())


def test_a_row_to_the_node_itself_goes_by_a_frame_too(make: Make) -> None:
    class Looping(Program):
        put = input(x=int)
        mail = channel(to=Address, x=int)
        got = output(x=int)
        mail(here, x) <~ put(x)
        got(x) <= mail(_, x)

    node = make(Looping)
    assert tick(node, put=[1]).events == {}
    ((peer, frame),) = node.frames()
    assert peer == "node-0"
    assert node.receive(frame).rows == 1
    assert node.tick(0.0).events == {"got": [(1,)]}


class Posting(Program):
    put = input(to=Address, x=int, v=str)
    mail = channel(to=Address, x=int, v=str)
    also = channel(to=Address, x=int)
    got = table(x=int, v=str)
    mail(y, x, v) <~ put(y, x, v)
    also(y, x) <~ put(y, x, v)
    got(x, v) <= mail(_, x, v)


def test_one_frame_per_peer_channels_and_rows_in_value_order(make: Make) -> None:
    node = make(Posting)
    rows = [("node-2", 1, "a"), ("node-1", 2, "é"), ("node-1", -1, "z"), ("node-1", 2, "a")]
    tick(node, put=rows)
    frames = node.frames()
    assert [peer for peer, _frame in frames] == ["node-1", "node-2"]
    contents = decoded(frames[0][1])[2]
    also, mail = sorted(contents)
    assert list(contents) == [also, mail]
    assert contents[mail] == (
        ("node-1", -1, "z"), ("node-1", 2, "a"), ("node-1", 2, "é"),
    )
    assert contents[also] == (("node-1", -1), ("node-1", 2))
    assert node.frames() == []


def test_a_frame_is_split_at_its_limit_and_nothing_is_lost(make: Make) -> None:
    node = make(Posting)
    rows = [("node-1", number, "x" * 100) for number in range(500)]
    tick(node, put=rows)
    frames = node.frames(4096)
    assert len(frames) > 10 and all(len(frame) <= 4096 for _peer, frame in frames)
    other = make(Posting, node="node-1")
    assert sum(other.receive(frame).rows for _peer, frame in frames) == 1000
    other.tick(0.0)
    assert other.contents("got") == [(number, "x" * 100) for number in range(500)]


def test_a_message_refused_at_the_door_is_an_omission(make: Make) -> None:
    node = make(Posting)
    mail = wire(Posting, "mail")
    good = ["node-0", 1, "a"]
    for bad, channel_ in (
        (["node-0", "1", "a"], mail),  # not an int
        (["node-0", 1.0, "a"], mail),  # not an int either
        (["node-0", True, "a"], mail),
        (["node-0", 1], mail),  # a column is missing
        (["node-0", 1, "a", 2], mail),
        (["node-0", 2**63, "a"], mail),  # 64 bits
        (["node-0", 1, b"a"], mail),
        (["node-0", 1, None], mail),
        (["node-9", 1, "a"], mail),  # somebody else's
        ("node-0", mail),
        (good, "nobody.knows"),
    ):
        frame = msgpack.packb([1, "node-1", {channel_: [bad]}])
        before = node.fingerprint()
        received = node.receive(frame)
        assert received.rows == 0 and received.refused, bad
        assert node.fingerprint() == before
    received = node.receive(msgpack.packb([1, "node-1", {mail: [good, ["node-0", 2.5, "a"]]}]))
    assert received.rows == 1 and len(received.refused) == 1, "the others of its frame are taken"
    for garbage in (
        b"", b"\xc1", b"\x93", b"\xff" * 40, msgpack.packb([]), msgpack.packb({}),
        msgpack.packb([2, "node-1", {}]), msgpack.packb([1, 5, {}]), msgpack.packb([1, "n", []]),
        msgpack.packb([1, "n", {}]) + b"\x00", b"\x91" * 5000, b"\xdd\xff\xff\xff\xff",
    ):
        received = node.receive(garbage)
        assert received.rows == 0 and len(received.refused) == 1, garbage
    assert node.arrivals() == [("mail", ("node-0", 1, "a"))]


def test_a_host_is_told_what_its_row_lacks_and_nothing_of_its_batch_is_taken(make: Make) -> None:
    node = make(Posting)
    for bad in (("node-1", "1", "a"), ("node-1", 1), ("node-1", 2**63, "a"), ("node-1", 1, 5)):
        with pytest.raises(RowRefused):
            node.insert("put", [("node-1", 1, "a"), bad])
    with pytest.raises(RowRefused):
        node.insert("got", [(1, "a")])
    assert node.arrivals() == []


# --------------------------------------------------------------- deletion and replacement


def test_deletion_matches_whole_rows(make: Make) -> None:
    class Whole(Program):
        put, drop = input(k=int, v=str), input(k=int, v=str)
        kept = table(k=Key(int), v=str)
        kept(k, v) <= put(k, v)
        kept(k, v) <- drop(k, v)

    node = make(Whole)
    tick(node, put=[(1, "a")])
    assert not tick(node, drop=[(1, "b")]).again
    tick(node)
    assert node.contents("kept") == [(1, "a")]
    tick(node, drop=[(1, "a")])
    tick(node)
    assert node.contents("kept") == []


class Register(Program):
    put = input(k=int, v=str)
    kept = table(k=Key(int), v=str)
    kept(k, v) <+- put(k, v)


def test_replacement_goes_by_key(make: Make) -> None:
    node = make(Register)
    tick(node, put=[(1, "a"), (2, "b")])
    tick(node, put=[(1, "c")])
    tick(node)
    assert node.contents("kept") == [(1, "c"), (2, "b")]


def test_two_different_replacements_of_one_key_in_one_tick_are_a_key_conflict(
    make: Make,
) -> None:
    node = make(Register)
    with pytest.raises(TickFailed):
        tick(node, put=[(1, "a"), (1, "b")])
    node.set_arrivals([])
    tick(node, put=[(1, "a")])


def test_rivals_of_one_tick_are_resolved_by_argmax_choose_or_a_lattice(make: Make) -> None:
    class Resolved(Program):
        put = input(k=int, n=int, v=str)
        latest = table(k=Key(int), v=str)
        chosen = table(k=Key(int), v=str)
        merged = table(k=Key(int), v=Max(str))
        latest(k, argmax(v, by=n)) <+- put(k, n, v)
        chosen(k, choose(v)) <+- put(k, _, v)
        merged(k, v) <+- put(k, _, v)

    node = make(Resolved)
    tick(node, put=[(1, 5, "a"), (1, 7, "b"), (1, 7, "c"), (2, 1, "d")])
    tick(node)
    assert node.contents("latest") == [(1, "c"), (2, "d")], "ties by the greatest"
    assert node.contents("merged") == [(1, "c"), (2, "d")]
    assert node.contents("chosen")[0][1] in ("a", "b", "c")


# ---------------------------------------------------------------------- what is derived


def test_a_derivation_holds_at_every_tick_at_which_its_body_holds(make: Make) -> None:
    class Standing(Program):
        put, drop, stop = input(x=int), input(x=int), input(x=int)
        wish = table(x=int)
        kept = table(x=int)
        wish <= put
        wish(x) <- stop(x)
        kept(x) <+ wish(x)
        kept(x) <- drop(x)

    node = make(Standing)
    tick(node, put=[1])
    tick(node)
    for _again in range(2):  # a standing <+ re-inserts at every tick
        tick(node, drop=[1])
        tick(node)
        assert node.contents("kept") == [(1,)]
    tick(node, stop=[1])
    tick(node, drop=[1])
    tick(node)
    assert node.contents("kept") == []


def test_a_standing_deletion_deletes_at_every_tick(make: Make) -> None:
    class Banned(Program):
        put, ban = input(x=int), input(x=int)
        banned = table(x=int)
        kept = table(x=int)
        kept <= put
        banned <= ban
        kept(x) <- kept(x) & banned(x)

    node = make(Banned)
    tick(node, ban=[1])
    for _again in range(2):
        assert tick(node, put=[1]).again
        assert node.contents("kept") == [(1,)]
        assert not tick(node).again
        assert node.contents("kept") == []


def test_a_row_that_now_put_into_a_table_stays_when_its_body_lapses(make: Make) -> None:
    class Lapsing(Program):
        put, drop, undo = input(x=int), input(x=int), input(x=int)
        source = table(x=int)
        kept = table(x=int)
        view = scratch(x=int)
        source <= put
        source(x) <- drop(x)
        kept(x) <= source(x)
        kept(x) <- undo(x)
        view(x) <= source(x)

    node = make(Lapsing)
    tick(node, put=[1])
    # while the rule still derives it, a deleted row comes back
    tick(node, undo=[1])
    assert not tick(node).again
    assert node.contents("kept") == [(1,)]
    tick(node, drop=[1])
    tick(node)
    assert node.contents("view") == [], "a view that follows its body is a scratch"
    assert node.contents("kept") == [(1,)]
    tick(node, undo=[1])
    tick(node)
    assert node.contents("kept") == []


class Handed(Program):
    put, drop = input(x=int), input(x=int)
    kept = table(x=int)
    kept <= put
    kept(x) <- drop(x)
    event = output(x=int)
    view = output(x=int)
    both = output(x=int)
    wrong = invariant(x=int)
    event(x) <= put(x)
    view(x) <= kept(x)
    both(x) <= kept(x)
    both(x) <= put(x)
    wrong(x) <= kept(x) & (x < 0)


def test_an_output_row_derived_with_an_ephemeral_literal_is_an_event_others_are_views(
    make: Make,
) -> None:
    node = make(Handed)
    one = tick(node, put=[1])
    assert one.events == {"both": [(1,)], "event": [(1,)]}
    assert one.added == {"both": [(1,)], "view": [(1,)]}
    two = tick(node, put=[1])
    assert two.events == {"both": [(1,)], "event": [(1,)]}, "handed over at each tick"
    assert two.added == {} and two.removed == {}
    three = tick(node, drop=[1], put=[-1])
    assert three.added == {"both": [(-1,)], "view": [(-1,)], "wrong": [(-1,)]}
    four = tick(node)
    assert four.removed == {"both": [(1,)], "view": [(1,)]} and four.events == {}


def test_a_late_reader_of_a_view_sees_it_whole(make: Make) -> None:
    node = make(Handed)
    tick(node, put=[1])
    tick(node, put=[2])
    tick(node)
    assert node.contents("view") == [(1,), (2,)]
    assert node.contents("event") == []


def test_a_negated_ephemeral_literal_makes_no_event(make: Make) -> None:
    class Quiet(Program):
        put, mute = input(x=int), input(x=int)
        kept = table(x=int)
        kept <= put
        view = output(x=int)
        view(x) <= kept(x) & notin(mute(x))

    node = make(Quiet)
    assert tick(node, put=[1]).added == {"view": [(1,)]}
    assert tick(node, mute=[1]).removed == {"view": [(1,)]}
    assert tick(node).added == {"view": [(1,)]}


def test_events_reach_an_output_through_the_next_tick_and_views_of_it(make: Make) -> None:
    class Staged(Program):
        put = input(x=int)
        later = scratch(x=int)
        seen = output(x=int)
        later(x) <+ put(x)
        seen(x) <= later(x)

    node = make(Staged)
    one = tick(node, put=[1])
    assert one.events == {} and one.again
    two = tick(node)
    assert two.events == {"seen": [(1,)]} and not two.again


# ------------------------------------------------------------------ aggregates, strata


class Grouped(Program):
    put, drop = input(k=str, v=int), input(k=str, v=int)
    kept = table(k=str, v=int)
    kept <= put
    kept(k, v) <- drop(k, v)
    total = output(k=str, n=int, s=int)
    everything = output(n=int)
    mean = output(k=str, m=float)
    all_of = output(k=str, vs=Any)
    total(k, count(), sum_(v)) <= kept(k, v)
    everything(count()) <= kept(k, v)
    mean(k, avg(v)) <= kept(k, v)
    all_of(k, collect(v)) <= kept(k, v)


def test_a_view_staged_by_a_persistent_rule_asks_for_a_tick_when_it_lapses(make: Make) -> None:
    class Late(Program):
        off = input(x=int)
        on = table(x=int)
        seen = scratch(x=int)
        view = output(x=int)

        on <= [(1,)]
        on(x) <- off(x)
        seen(x) <+ on(x)
        view(x) <= seen(x)

    node = make(Late)
    assert [node.tick().again, node.tick().again] == [True, False]
    node.insert("off", [(1,)])
    assert node.tick().again  # `on` changes
    assert node.tick().again  # what was staged into `seen` lapses
    last = node.tick()
    assert (last.removed, last.again) == ({"view": [(1,)]}, False)


def test_aggregates_make_no_row_for_an_empty_group(make: Make) -> None:
    node = make(Grouped)
    assert tick(node).added == {}, "not even a count of 0"
    one = tick(node, put=[("a", 2), ("a", 1), ("b", 3)])
    assert one.added == {
        "all_of": [("a", (1, 2)), ("b", (3,))],
        "everything": [(3,)],
        "mean": [("a", 1.5), ("b", 3.0)],
        "total": [("a", 2, 3), ("b", 1, 3)],
    }
    tick(node, drop=[("b", 3)])
    two = tick(node)
    assert two.removed["total"] == [("b", 1, 3)] and "total" not in two.added


def test_aggregates_range_over_the_distinct_matches_of_the_body(make: Make) -> None:
    class Matches(Program):
        left = input(k=str, v=int)
        right = input(k=str, w=int)
        matches = output(k=str, n=int)
        values = output(k=str, n=int)
        total = output(k=str, n=int)
        matches(k, count()) <= left(k, _) & right(k, _)
        values(k, count(v)) <= left(k, v) & right(k, _)
        total(k, sum_(v)) <= left(k, v) & right(k, _)

    node = make(Matches)
    one = tick(node, left=[("a", 1), ("a", 2)], right=[("a", 5), ("a", 6), ("a", 7)])
    assert one.events == {"matches": [("a", 6)], "values": [("a", 2)], "total": [("a", 9)]}


def test_only_the_rules_of_one_tick_must_stratify(make: Make) -> None:
    with pytest.raises(ProgramError):

        class Paradox(Program):
            put = input(x=int)
            p = scratch(x=int)
            q = scratch(x=int)
            p(x) <= put(x) & notin(q(x))
            q(x) <= p(x)

    with pytest.raises(ProgramError):

        class Feedback(Program):
            put = input(x=int)
            p = scratch(x=int)
            p <= put
            p(count()) <= p(x)

    class Toggle(Program):
        go = input(x=int)
        state = table(x=int)
        known = table(x=int)
        known <= go
        state(x) <+ known(x) & notin(state(x))
        state(x) <- state(x)

    node = make(Toggle)
    tick(node, go=[1])
    for number in range(4):
        assert tick(node).again
        assert node.contents("state") == [(1,)] * ((number + 1) % 2)


def test_recursion_within_a_tick_runs_to_its_fixpoint(make: Make) -> None:
    class Closure(Program):
        link = input(a=int, b=int)
        path = table(a=int, b=int)
        path <= link
        path(a, c) <= path(a, b) & path(b, c)

    node = make(Closure)
    assert not tick(node, link=[(number, number + 1) for number in range(30)]).again
    assert len(node.contents("path")) == 30 * 31 // 2


def test_a_lattice_recursion_ends_at_the_least_fixpoint(make: Make) -> None:
    class Shortest(Program):
        link, cut = input(a=str, b=str, w=int), input(a=str, b=str, w=int)
        edge = table(a=str, b=str, w=int)
        edge <= link
        edge(a, b, w) <- cut(a, b, w)
        dist = scratch(b=Key(str), d=Min(int))
        view = output(b=str, d=int)
        dist("a", 0) <= edge(_, _, _)
        dist(b, n + w) <= dist(a, n) & edge(a, b, w)
        view(b, n) <= dist(b, n)

    node = make(Shortest)
    one = tick(node, link=[("a", "b", 7), ("a", "c", 1), ("c", "b", 2), ("b", "a", 1)])
    assert one.added == {"view": [("a", 0), ("b", 3), ("c", 1)]}
    tick(node, cut=[("c", "b", 2)])
    two = tick(node)
    assert two.removed == {"view": [("b", 3)]} and two.added == {"view": [("b", 7)]}


# -------------------------------------------------------------------- order and chance


class Chance(Program):
    put = input(k=int, v=str)
    kept = table(k=int, v=str)
    kept <= put
    ranked = output(k=int, v=str, rank=int)
    one = output(k=int, v=str)
    roll = output(v=str, r=float)
    ranked(k, v, index(v)) <= kept(k, v)
    one(k, choose(v)) <= kept(k, v)
    roll(v, random()) <= put(_, v)


def test_index_is_the_rank_in_value_order(make: Make) -> None:
    node = make(Chance)
    one = tick(node, put=[(1, "b"), (1, "é"), (1, "a"), (2, "z")])
    assert one.added["ranked"] == [(1, "a", 0), (1, "b", 1), (1, "é", 2), (2, "z", 0)]


def test_choose_and_random_are_functions_of_the_ticks_set_and_the_seed(make: Make) -> None:
    def played(seed: int, rows: list[tuple[int, str]]) -> Any:
        node = make(Chance, seed=seed)
        return [node.tick(0.0), tick(node, put=rows)][1]

    rows = [(1, letter) for letter in "abcdefgh"]
    assert played(3, rows) == played(3, rows[::-1])
    chosen = {played(seed, rows).added["one"][0][1] for seed in range(20)}
    assert len(chosen) > 1
    rolls = {played(seed, rows).events["roll"][0][1] for seed in range(5)}
    assert len(rolls) == 5 and all(0 <= roll < 1 for roll in rolls)
    node = make(Chance)
    first = tick(node, put=[(1, "a")]).events["roll"]
    assert tick(node, put=[(1, "a")]).events["roll"] != first, "keyed by the tick"
    other = make(Chance, node="node-1")
    assert tick(other, put=[(1, "a")]).events["roll"] != first, "keyed by the node"


def test_ties_fall_by_value_order(make: Make) -> None:
    class Tied(Program):
        put = input(v=str, n=int)
        best = output(v=str)
        best(argmax(v, by=n)) <= put(v, n)

    node = make(Tied)
    assert tick(node, put=[("b", 1), ("c", 1), ("a", 1)]).events == {"best": [("c",)]}


# -------------------------------------------------------------------------- lattices


def test_a_collection_whose_other_columns_are_lattices_merges_rows_of_equal_key(
    make: Make,
) -> None:
    class Tally(Program):
        vote = input(k=int, v=str)
        tally = table(k=Key(int), voters=SetUnion(str))
        top = table(highest=Max(int))
        clock = table(k=Key(str), at=MapUnion(str, Max(int)))
        elected = output(k=int)
        tally(k, {v}) <= vote(k, v)
        top(k) <= vote(k, _)
        clock("all", {v: k}) <= vote(k, v)
        elected(k) <= tally(k, v) & (size(v) > 1)

    node = make(Tally)
    assert tick(node, vote=[(1, "a"), (2, "a")]).added == {}
    assert tick(node, vote=[(1, "b")]).added == {"elected": [(1,)]}
    assert node.contents("tally") == [(1, frozenset("ab")), (2, frozenset("a"))]
    assert node.contents("top") == [(2,)], "no key at all: one cell"
    assert node.contents("clock") == [("all", (("a", 2), ("b", 1)))]


def test_a_bottom_passes_no_threshold_and_makes_no_plain_value(make: Make) -> None:
    class Bottom(Program):
        put = input(k=str, v=int)
        low = table(m=MapUnion(str, Min(int)))
        seen = output(k=str, v=int)
        passed = output(k=str)
        low({k: v}) <= put(k, v)
        seen("b", v) <= low(w) & (v == w.at("b"))
        passed("b") <= low(w) & (w.at("b") < 5)

    node = make(Bottom)
    assert tick(node, put=[("a", 1)]).added == {}
    assert tick(node, put=[("b", 9)]).added == {"seen": [("b", 9)]}
    assert tick(node, put=[("b", 2)]).added == {"seen": [("b", 2)], "passed": [("b",)]}


def test_each_ranges_over_the_elements_of_sets_maps_and_tuples(make: Make) -> None:
    class Spread(Program):
        put = input(k=str, v=int)
        sets = table(m=SetUnion(int))
        maps = table(m=MapUnion(str, Max(int)))
        ints = output(v=int)
        pairs = output(k=str, v=int)
        parts = output(v=int)
        sets({v}) <= put(_, v)
        maps({k: v}) <= put(k, v)
        ints(x) <= sets(w) & each(x, w)
        pairs(k, v) <= maps(w) & each(k, v, w)
        parts(x) <= put(_, v) & each(x, (v, v + 1))

    node = make(Spread)
    one = tick(node, put=[("a", 1), ("a", 3)])
    assert one.added == {"ints": [(1,), (3,)], "pairs": [("a", 3)]}
    assert one.events == {"parts": [(1,), (2,), (3,), (4,)]}


class Highest(Lattice):
    carrier = int
    bottom = 0

    @staticmethod
    def merge(a: int, b: int) -> int:
        if 13 in (a, b):
            raise ValueError("thirteen")
        return max(a, b)


def test_a_users_lattice_merges_and_fails_a_tick_by_its_name(make: Make) -> None:
    class Own(Program):
        put = input(v=int)
        high = table(h=Highest)
        high(v) <= put(v)

    node = make(Own)
    tick(node, put=[3, 8, 5])
    assert node.contents("high") == [(8,)]
    with pytest.raises(TickFailed) as failure:
        tick(node, put=[13])
    assert "Highest" in failure.value.message and "thirteen" in failure.value.message
    assert node.contents("high") == [(8,)]


def test_the_last_writer_wins_by_time_then_address(make: Make) -> None:
    class Writing(Program):
        put = input(at=int, by=Address, v=str)
        kept = table(r=LWWRegister(str))
        shown = output(v=str)
        kept(((n, k), v)) <= put(n, k, v)
        shown(w.value()) <= kept(w)

    node = make(Writing)
    rows = [(1, "node-2", "old"), (5, "node-1", "b"), (5, "node-3", "c"), (4, "node-9", "x")]
    assert tick(node, put=rows).added == {"shown": [("c",)]}


# --------------------------------------------------------------------- values, failures


class Arithmetic(Program):
    put = input(x=int, y=int)
    quotient = output(q=float)
    floor = output(q=int)
    twice = output(q=int)
    quotient(x / y) <= put(x, y) & (x < 100)
    floor(x // y) <= put(x, y) & (x < 100)
    twice(x * 2) <= put(x, _)


def test_int_overflow_and_division_by_zero_fail_the_tick(make: Make) -> None:
    node = make(Arithmetic)
    assert tick(node, put=[(-7, 2)]).events == {
        "quotient": [(-3.5,)], "floor": [(-4,)], "twice": [(-14,)],
    }
    for row in ((1, 0), (2**62, 1), (-(2**62) - 1, 1)):
        with pytest.raises(TickFailed) as failure:
            tick(node, put=[row])
        assert failure.value.rule and ("put", row) in failure.value.rows
        node.set_arrivals([])
    assert tick(node, put=[(2**62 - 1, 1)]).events["twice"] == [(2**63 - 2,)]


def test_a_condition_that_fails_counts_only_where_no_other_literal_rules_the_match_out(
    make: Make,
) -> None:
    class Guarded(Program):
        put = input(x=int)
        allowed = table(x=int)
        after = output(x=int)
        before = output(x=int)
        joined = output(x=int)
        bound = output(x=int, q=int)
        after(x) <= put(x) & (10 // x > 1) & (x != 0)
        before(x) <= put(x) & (x != 0) & (10 // x > 1)
        joined(x) <= put(x) & (10 // x > 1) & allowed(x)
        bound(x, y) <= put(x) & (y == 10 // x) & (x > 0)

    node = make(Guarded)
    assert tick(node, put=[0, 3]).events == {
        "after": [(3,)], "before": [(3,)], "bound": [(3, 3)],
    }


def test_floats_refuse_nan_and_have_one_zero(make: Make) -> None:
    class Floats(Program):
        put = input(x=float)
        less = output(x=float)
        total = output(x=float)
        less(x - x) <= put(x)
        total(sum_(x)) <= put(x)

    node = make(Floats)
    with pytest.raises(RowRefused):
        node.insert("put", [(float("nan"),)])
    assert tick(node, put=[0.0, -0.0]).rows_in == 1
    with pytest.raises(TickFailed):
        tick(node, put=[float("inf")])
    node.set_arrivals([])
    assert tick(node, put=[1e16, 1.0, -1e16]).events["total"] == [(1.0,)], "exactly rounded"


def test_values_of_any_are_told_apart_by_kind_and_have_one_order(make: Make) -> None:
    class Mixed(Program):
        put = input(x=Any)
        kept = table(x=Any)
        kept <= put

    node = make(Mixed)
    rows = [(1,), (1.0,), (True,), ("1",), (b"1",), ((1, "a"),), (None,), (2,), (1.5,)]
    tick(node, put=rows)
    found = node.contents("kept")
    expected = [(None,), (True,), (1,), (1.0,), (1.5,), (2,), ("1",), (b"1",), ((1, "a"),)]
    assert [(type(row[0]), row) for row in found] == [(type(row[0]), row) for row in expected]


@function
def named(x: int) -> str:
    if x == 1:
        raise KeyError("no name")
    return 5 if x == 2 else "fine"  # type: ignore[return-value]


def test_a_function_that_raises_or_lies_about_its_type_fails_the_tick(make: Make) -> None:
    class Named(Program):
        put = input(x=int)
        names = output(n=str)
        names(named(x)) <= put(x)

    node = make(Named)
    for wrong in (1, 2):
        with pytest.raises(TickFailed) as failure:
            tick(node, put=[wrong])
        assert "named" in failure.value.message and failure.value.rule == "names_1"
        assert ("put", (wrong,)) in failure.value.rows
        node.set_arrivals([])
    assert tick(node, put=[3]).events == {"names": [("fine",)]}


# --------------------------------------------------------------------------- the state


class Remembering(Program):
    put = input(x=int)
    kept = table(x=int)
    kept <= put
    mail = channel(to=Address, x=int)
    mail("node-1", x) <~ kept(x)
    view = output(x=int, t=int)
    view(x, tick_number()) <= kept(x)


def test_a_snapshot_restores_the_whole_state_any_number_of_times(make: Make) -> None:
    node = make(Remembering)
    tick(node, put=[1])
    node.insert("put", [(2,)])
    saved, state = node.snapshot(), node.fingerprint()
    plays = []
    for _again in range(2):
        plays.append((node.tick(0.0), node.frames(), node.contents("kept"), node.fingerprint()))
        tick(node, put=[3])
        node.restore(saved)
        assert node.fingerprint() == state
        assert node.arrivals() == [("put", (2,))]
    assert plays[0] == plays[1]
    assert plays[0][0].number == 2


def test_a_fingerprint_leaves_out_the_number_of_the_tick(make: Make) -> None:
    node = make(Handed)
    tick(node, put=[1])
    state = node.fingerprint()
    tick(node)
    tick(node)
    assert node.fingerprint() == state
    tick(node, put=[2])
    assert node.fingerprint() != state
    other = make(Handed)
    tick(other, put=[2])
    tick(other, put=[1])
    assert other.fingerprint() == node.fingerprint(), "the same state by another way"


def test_here_rosters_and_ticks_from_one(make: Make) -> None:
    class Where(Program):
        electorate = roster("voter")
        put = input(x=int)
        told = output(here=Address, many=int, tick=int)
        told(here, size(electorate), tick_number()) <= put(x)

    node = make(Where, node="voter-1", voter=["voter-0", "voter-1", "voter-2"])
    assert tick(node, put=[1]).events == {"told": [("voter-1", 3, 1)]}
    assert node.contents("electorate") == [("voter-0",), ("voter-1",), ("voter-2",)]

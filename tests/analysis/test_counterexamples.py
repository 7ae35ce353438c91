"""Programs that once broke the promise of their mode: what the explorer found, kept.

Each was a mutant or random program for which some schedule showed an excuse
given without its ground; the rule was mended, and this is the program.
"""

from __future__ import annotations

from bloomish import (
    Address,
    Key,
    Max,
    Program,
    _,
    channel,
    const,
    notin,
    output,
    protocol,
    roster,
    scratch,
    table,
    use,
    variables,
)
from bloomish.analysis import check
from tests.analysis.test_soundness import verify

k, n, peer, slot, v, x = variables("k n peer slot v x")


def test_r4_needs_the_columns_of_the_guard_to_determine_the_row() -> None:
    """The key is `value`, the guard asks for `key`: of two values for one key the first wins."""

    class Guarded(Program):
        source = const(value=Key(str), key=int)
        peers = roster("node")
        put = channel(to=Address, value=str, key=int)
        has = scratch(key=int)
        register = table(value=Key(str), key=int)

        source <= [("a", 1), ("b", 1)]
        put(peer, v, k) < ~source(v, k) & peers(peer)
        has(k) <= register(_, k)
        register(v, k) < +put(_, v, k) & notin(has(k))

    assert check(Guarded).verdict("register").word == "needs coordination"
    assert verify(Guarded.ir, []) == "kept"


def test_r4_needs_a_head_that_keeps_what_the_guard_has_seen() -> None:
    """`removed` is no projection of `live`: it comes back through a channel."""

    class Echo(Program):
        peers = roster("node")
        add = channel(to=Address, id=int)
        added = table(id=int)
        removed = table(id=int)
        live = scratch(id=int)
        report = channel(to=Address, id=int)

        added(x) <= add(_, x)
        removed(x) <= report(_, x)
        live(x) <= added(x) & notin(removed(x))
        report(peer, x) < ~live(x) & peers(peer)

    assert check(Echo).modes["live"] == "Nondet"
    verify(Echo.ir, [("add", ("node-0", 0)), ("add", ("node-0", 2))])


class Log(Program):
    decided = channel(to=Key(Address), slot=Key(int), key=str, value=str)
    entries = table(slot=int, key=str, value=str)

    protocol(by="total order", ordered=entries)
    entries(slot, k, v) <= decided(_, slot, k, v)


SLOTS = [
    ("log.decided", ("node-0", 1, "a", "b")),
    ("log.decided", ("node-0", 2, "a", "c")),
]


def test_t14_a_log_from_which_the_program_deletes_is_no_decided_log() -> None:
    class Truncated(Program):
        log = use(Log)
        cursor = table(one=Key(int), slot=int)
        apply = scratch(slot=int, key=str, value=str)

        cursor <= [(0, 1)]
        apply(slot, k, v) <= cursor(_, slot) & log.entries(slot, k, v)
        cursor(n, slot + 1) < +-cursor(n, slot) & log.entries(slot, _, _)
        log.entries(slot, k, v) < -apply(slot, k, v)

    assert check(Truncated).modes["log.entries"] != "Grow"
    verify(Truncated.ir, SLOTS)


def test_t14_a_log_that_passes_by_is_missed_by_its_cursor() -> None:
    class Passing(Program):
        decided = channel(to=Key(Address), slot=Key(int), key=str, value=str)
        entries = scratch(slot=int, key=str, value=str)
        cursor = table(one=Key(int), slot=int)
        register = table(key=Key(str), value=str)

        protocol(by="total order", ordered=entries)
        entries(slot, k, v) <= decided(_, slot, k, v)
        cursor <= [(0, 1)]
        cursor(n, slot + 1) < +-cursor(n, slot) & entries(slot, _, _)
        register(k, v) < +-cursor(_, slot) & entries(slot, k, v)

    assert check(Passing).modes["register"] == "Nondet"


def test_t14_a_cursor_that_keeps_its_old_slots_takes_several_per_tick() -> None:
    class Widening(Program):
        log = use(Log)
        cursor = table(slot=int)
        register = table(key=Key(str), value=str)

        cursor <= [(1,)]
        cursor(slot + 1) < +cursor(slot) & log.entries(slot, _, _)
        register(k, v) < +-cursor(slot) & log.entries(slot, k, v)

    assert check(Widening).modes["register"] == "Nondet"


def test_lattice_rows_of_events_are_what_shared_a_tick() -> None:
    """Handed over as (1), (2) or, where both arrive together, as (2) alone."""

    class Passing(Program):
        put = channel(to=Address, key=int, value=int)
        best = output(key=Key(int), value=Max(int))
        ever = table(key=Key(int), value=Max(int))

        best(k, n) <= put(_, k, n)
        ever(k, n) <= best(k, n)

    words = {verdict.collection: verdict.word for verdict in check(Passing).verdicts}
    assert words == {"best": "snapshot", "ever": "monotone"}

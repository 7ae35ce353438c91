"""The lineage-driven search against the exhaustive one, program by program."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bloomish.errors import ProgramError
from bloomish.readers.dedalus import read_dedalus, read_dedalus_text
from bloomish.runtime.sim.ldfi.exhaustive import MOST_SETS, exhaust, how_many
from bloomish.runtime.sim.ldfi.faults import Bounds
from bloomish.runtime.sim.ldfi.forward import forward
from bloomish.runtime.sim.ldfi.search import Attack, Verdict
from bloomish.runtime.sim.ldfi.verdict import violations
from tests.sim.random_dedalus import random_program

PROGRAMS = sorted((Path(__file__).parent / "ded").glob("*.ded"))
HEADER = re.compile(r"// nodes (\S+) eot (\d+) eff (\d+) crashes (\d+) mode (zombie|frozen): (\w+)")


def word(verdict: Verdict) -> str:
    return "counterexample" if verdict.counterexample else "certified"


def check_counterexample(attack: Attack, verdict: Verdict) -> None:
    """It violates when run anew, lies within the bounds, and needs each of its faults."""
    found = verdict.counterexample
    assert found is not None
    for fewer in [found.faults, *(found.faults - {fault} for fault in found.faults)]:
        run = forward(attack.code, attack.bounds, fewer)
        missed = violations(run, verdict.goals, attack.bounds.eot)
        assert bool(missed) == (fewer == found.faults)


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_search_and_exhaustion_agree(path: Path) -> None:
    header = HEADER.match(path.read_text())
    assert header is not None
    nodes, eot, eff, crashes, mode, expected = header.groups()
    bounds = Bounds(
        tuple(nodes.split(",")),
        int(eot),
        int(eff),
        int(crashes),
        mode,  # type: ignore[arg-type]
    )
    program = read_dedalus([path]).program
    attack = Attack(program, bounds)
    found = attack.search()
    assert found.goals and word(found) == expected
    if found.counterexample:
        check_counterexample(attack, found)
    if how_many(bounds) <= (MOST_SETS if expected == "counterexample" else 10_000):
        assert word(exhaust(Attack(program, bounds))) == expected


@pytest.mark.parametrize("seed", range(60))
def test_search_and_exhaustion_agree_on_random_programs(seed: int) -> None:
    nodes = ("a", "b") if seed % 3 else ("a", "b", "c")
    mode = "frozen" if seed % 4 == 0 else "zombie"
    crashes = seed % 3 if len(nodes) == 2 else seed % 2
    bounds = Bounds(nodes, 4, 3 if len(nodes) == 2 else 2, crashes, mode)
    program = read_dedalus_text(random_program(seed, nodes)).program
    attack = Attack(program, bounds)
    found = attack.search()
    assert word(found) == word(exhaust(Attack(program, bounds)))
    if found.counterexample:
        check_counterexample(attack, found)


def attack(text: str, nodes: str, eot: int, eff: int = 1, crashes: int = 0) -> Attack:
    bounds = Bounds(tuple(nodes.split(",")), eot, eff, crashes)
    return Attack(read_dedalus_text(text).program, bounds)


def test_facts_hold_at_their_tick_only() -> None:
    run = attack('p("a")@2; pre(X) :- p(X); post(X) :- p(X);', "a", 3).good
    assert [len(run.rows("p", time)) for time in (1, 2, 3)] == [0, 1, 0]


def test_a_rule_fires_only_where_its_location_is_a_node() -> None:
    text = """
        log("a", "payload")@1;
        good(D) :- log(_, D);
        never(D) :- good(D);
        also(X, D) :- log(X, D), good(D);
        pre(X) :- also(X, _); post(X) :- also(X, _);
    """
    run = attack(text, "a", 1).good
    assert set(run.rows("good", 1)) == {("payload",)}
    assert not run.rows("never", 1)
    assert set(run.rows("also", 1)) == {("a", "payload")}


def test_messages_to_what_is_no_node_vanish() -> None:
    text = 'p("a", "x")@1; q(Y)@async :- p(X, Y); pre(X) :- q(X); post(X) :- q(X);'
    assert not attack(text, "a", 2).good.rows("q", 2)


def test_a_location_in_a_negated_first_predicate_counts() -> None:
    text = """
        all("a")@1; all("b")@1; busy("b", "x")@1;
        idle(X) :- notin busy(X, _), all(X);
        free(X) :- notin busy(X, _);
        pre(X) :- idle(X); post(X) :- free(X);
    """
    run = attack(text, "a,b,c", 1).good
    assert set(run.rows("idle", 1)) == {("a",)}
    assert set(run.rows("free", 1)) == {("a",), ("c",)}


def test_losses_are_strictly_before_eff() -> None:
    text = """
        go("a", "b")@2; got(Y)@async :- go(X, Y); got(X)@next :- got(X);
        pre(X) :- go(X, _)@2; post(X) :- go(X, Y)@2, got(Y);
    """
    assert word(attack(text, "a,b", 4, eff=2).search()) == "certified"
    assert word(attack(text, "a,b", 4, eff=3).search()) == "counterexample"


def test_aggregates_of_sends_count_what_arrives() -> None:
    text = """
        part("a", "c", 1)@1; part("b", "c", 2)@1;
        total(Y, count<N>)@async :- part(X, Y, N);
        total(X, N)@next :- total(X, N);
        pre(X) :- total(X, _); post(X) :- total(X, 2);
    """
    verdict = attack(text, "a,b,c", 3, eff=2).search()
    assert [str(fault) for fault in verdict.counterexample.faults] in (  # type: ignore[union-attr]
        ["loss from a to c at 1"],
        ["loss from b to c at 1"],
    )


def test_integer_division_and_precedence() -> None:
    text = """
        n("a", 7)@1; half(X, N / 2) :- n(X, N); much(X) :- n(X, N), N - 1 > 2 * 2 + 1;
        pre(X) :- much(X); post(X) :- half(X, 3);
    """
    assert attack(text, "a", 1).verdict.goals == (("a",),)


def test_counts_are_of_distinct_values_and_sums_of_named_variables() -> None:
    text = """
        p("a", 1, "x")@1; p("a", 1, "y")@1; p("a", 2, "x")@1;
        n(X, count<N>) :- p(X, N, _); s(X, sum<N>) :- p(X, N, _); t(X, sum<N>) :- p(X, N, K);
        pre(X) :- n(X, _); post(X) :- n(X, 2), s(X, 3), t(X, 4);
    """
    assert attack(text, "a", 1).verdict.goals == (("a",),)


def test_crash_is_known_to_all_at_every_tick() -> None:
    text = """
        go("a")@1; go(X)@next :- go(X);
        knew(X, T) :- go(X), crash(X, "b", T);
        knew(X, T)@next :- knew(X, T);
        pre(X) :- go(X); post(X) :- go(X), notin knew(X, _)@1;
    """
    verdict = attack(text, "a,b", 4, crashes=1).search()
    assert verdict.counterexample is not None
    assert word(attack(text, "a,b", 4, crashes=0).search()) == "certified"


def test_the_clock_shows_what_is_lost() -> None:
    text = """
        go("a")@1; lost(X, T) :- go(X), clock(X, "b", T, 99999);
        fine(X, M) :- go(X), clock(X, "b", _, M);
        pre(X) :- go(X)@1; post(X) :- go(X)@1, fine(X, 2)@1;
    """
    verdict = attack(text, "a,b", 2, eff=2).search()
    assert [str(fault) for fault in verdict.counterexample.faults] == [  # type: ignore[union-attr]
        "loss from a to b at 1"
    ]


def test_only_the_deductive_fragment_must_stratify() -> None:
    with pytest.raises(ProgramError, match="own absence within one tick"):
        attack("p(X) :- q(X), notin p(X); pre(X) :- p(X); post(X) :- p(X);", "a", 1)
    text = """
        q("a")@1; q(X)@next :- q(X); p(X)@next :- q(X), notin p(X);
        pre(X) :- p(X); post(X) :- p(X);
    """
    run = attack(text, "a", 4).good
    assert [len(run.rows("p", time)) for time in (1, 2, 3, 4)] == [0, 1, 0, 1]


def test_deductive_recursion_reaches_its_fixpoint() -> None:
    text = """
        edge("a", "b")@1; edge("b", "c")@1; edge("c", "d")@1;
        path(X, Y) :- edge(X, Y); path(X, Z) :- edge(X, Y), path(Y, Z);
        pre(X, Y) :- path(X, Y); post(X, Y) :- path(X, Y);
    """
    assert len(attack(text, "a,b,c", 1).verdict.goals) == 6


def test_extra_rows_in_post_are_never_violations() -> None:
    text = """
        go("a", "b")@1; got(Y)@async :- go(_, Y);
        other(X) :- watch(X), notin got(X); watch("b")@2;
        pre(X) :- watch(X); post(X) :- other(X); post(X) :- watch(X);
    """
    assert word(attack(text, "a,b", 2, eff=2).search()) == "certified"


def test_an_empty_post_is_said() -> None:
    verdict = attack("pre(X) :- p(X); post(X) :- q(X); q(X) :- p(X);", "a", 2).search()
    assert "nothing is certified" in verdict.warnings[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("post(X) :- p(X);", "the program has no `pre`"),
        ("pre(X) :- p(X);", "the program has no `post`"),
        ("pre(X, X) :- p(X); post(X) :- p(X);", "`pre` has 2 column"),
        ('p("a", 0)@1; pre(X) :- p(X, N), 1 / N > 0; post(X) :- p(X, _);', "division by zero"),
        ('p("a", "b")@1; pre(X) :- p(X, N), N - 1 > 0; post(X) :- p(X, _);', "not a number"),
    ],
)
def test_wrong_input(text: str, message: str) -> None:
    with pytest.raises(ProgramError, match=message):
        attack(text, "a", 1)


def test_symmetric_fault_sets_are_run_once() -> None:
    spread = """
        peer("a", "a")@1; peer("a", "b")@1; peer("b", "a")@1; peer("b", "b")@1;
        peer("a", "c")@1; peer("c", "a")@1; peer("b", "c")@1; peer("c", "b")@1; peer("c", "c")@1;
        peer(X, Y)@next :- peer(X, Y);
        have(X, X) :- peer(X, X);
        have(Y, M)@async :- have(X, M), peer(X, Y);
        pre(X) :- peer(X, X); post(X) :- have(X, _);
    """
    named = spread.replace("pre(X) :- peer(X, X);", 'pre(X) :- peer(X, X), X != "nobody";')
    fewer = attack(spread, "a,b,c", 4, eff=1, crashes=1).search()
    pinned = named.replace('"nobody"', '"c"').replace("post(X)", "post(X)")
    more = attack(pinned, "a,b,c", 4, eff=1, crashes=1).search()
    assert fewer.runs <= more.runs


def test_names_that_are_ordered_are_not_symmetric() -> None:
    text = """
        peer("a", "b")@1; peer("b", "a")@1;
        peer(X, Y)@next :- peer(X, Y);
        ping(Y, X)@async :- peer(X, Y), X < Y;
        ping(X, Y)@next :- ping(X, Y);
        pre(X) :- peer(X, _); post(X) :- ping(X, _);
    """
    verdict = attack(text, "a,b", 4, crashes=1).search()
    assert [str(fault) for fault in verdict.counterexample.faults] == [  # type: ignore[union-attr]
        "crash of a at 1"
    ] or word(verdict) == "certified"
    assert word(verdict) == word(exhaust(attack(text, "a,b", 4, crashes=1)))

"""The linearizability checker: histories by hand, at random, and against every permutation."""

from __future__ import annotations

import random
import time
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bloomish.runtime.history import Event, History, paired
from bloomish.runtime.sim.check import linearizable
from bloomish.runtime.sim.explain import heading, words
from bloomish.runtime.sim.objects import MODELS, WrongOperation, model
from bloomish.runtime.sim.sequential import sequential
from tests.sim.histories import brute_force, brute_force_sequential, simulated, written

GOOD = {
    "a read during a write sees the old value": (
        "register",
        "0 write 1\n1 read\n1 ok null\n0 ok",
    ),
    "a read during a write sees the new value": (
        "register",
        "0 write 1\n1 read\n1 ok 1\n0 ok",
    ),
    "two reads during a write, the later sees the new value": (
        "register",
        "0 write 1\n1 read\n1 ok null\n1 read\n1 ok 1\n0 ok",
    ),
    "a write of unknown outcome is seen": (
        "register",
        "0 write 1\n0 info\n1 read\n1 ok 1",
    ),
    "a write of unknown outcome is seen late": (
        "register",
        "0 write 1\n0 info\n1 read\n1 ok null\n1 write 2\n1 ok\n1 read\n1 ok 2\n1 read\n1 ok 1",
    ),
    "a write of unknown outcome never takes effect": (
        "register",
        "0 write 1\n0 info\n1 read\n1 ok null\n2 read\n2 ok null",
    ),
    "a write that was never answered is one of unknown outcome": (
        "register",
        "0 write 1\n1 read\n1 ok 1",
    ),
    "a write that failed was never there": (
        "register",
        "0 write 1\n0 fail\n1 read\n1 ok null",
    ),
    "a cas of unknown outcome makes another one possible": (
        "register",
        "0 cas [None, 1]\n0 info\n1 cas [1, 2]\n1 ok true\n1 read\n1 ok 2",
    ),
    "a read without an answer says nothing": (
        "register",
        "0 read\n0 info\n1 write 1\n1 ok",
    ),
    "the first claim is for ever": (
        "once",
        "0 claim 1\n1 claim 2\n1 ok true\n0 ok false\n2 read\n2 ok 2\n1 claim 2\n1 ok true",
    ),
    "a claim of unknown outcome comes first": (
        "once",
        "0 claim 1\n0 info\n1 claim 2\n1 ok false",
    ),
    "a lock goes round": (
        "lock",
        "0 acquire 0\n0 ok true\n1 acquire 1\n1 ok false\n0 release 0\n0 ok true\n"
        "1 acquire 1\n1 ok true",
    ),
    "a lock is released while another asks for it": (
        "lock",
        "0 acquire 0\n0 ok true\n1 acquire 1\n0 release 0\n1 ok true\n0 ok true",
    ),
    "a release of unknown outcome frees the lock": (
        "lock",
        "0 acquire 0\n0 ok true\n0 release 0\n0 info\n1 acquire 1\n1 ok true",
    ),
    "fencing tokens grow": (
        "lock",
        "0 acquire 'a'\n0 ok 3\n0 release 'a'\n0 ok\n1 acquire 'b'\n1 ok 7",
    ),
    "appends in the order that the reader saw": (
        "list",
        "0 append 1\n1 append 2\n2 read\n0 ok\n1 ok\n2 ok [2]\n2 read\n2 ok [2, 1]",
    ),
    "an append says what came of it": (
        "text",
        "0 append 'a'\n1 append 'b'\n0 ok 'ba'\n1 ok 'b'",
    ),
    "a counter of which an add is unknown": (
        "counter",
        "0 add 5\n0 info\n1 add 1\n1 ok\n1 read\n1 ok 1\n1 read\n1 ok 6",
    ),
    "a set in any order": (
        "set",
        "0 add 1\n1 add 2\n0 ok\n1 ok\n2 read\n2 ok [2, 1]",
    ),
}  # fmt: skip

BAD = {
    "a stale read": (
        "register",
        "0 write 1\n0 ok\n0 write 2\n0 ok\n1 read\n1 ok 1",
        6,
    ),
    "a lost write": (
        "register",
        "0 write 1\n0 ok\n1 read\n1 ok null",
        4,
    ),
    "a value out of nowhere": (
        "register",
        "0 write 1\n0 ok\n1 read\n1 ok 7",
        4,
    ),
    "a write that failed is seen": (
        "register",
        "0 write 1\n0 fail\n1 read\n1 ok 1",
        4,
    ),
    "a write of unknown outcome is seen and gone again": (
        "register",
        "0 write 1\n0 info\n1 read\n1 ok 1\n1 read\n1 ok null",
        6,
    ),
    "a write of unknown outcome is seen before it was invoked": (
        "register",
        "1 read\n1 ok 1\n0 write 1\n0 info",
        2,
    ),
    "two reads during a write see it come and go": (
        "register",
        "0 write 1\n1 read\n1 ok 1\n2 read\n2 ok null\n0 ok",
        5,
    ),
    "two cas from the same value": (
        "register",
        "0 cas [None, 1]\n1 cas [None, 2]\n0 ok true\n1 ok true",
        4,
    ),
    "a cas that had to swap and did not": (
        "register",
        "0 write 1\n0 ok\n0 cas [1, 2]\n0 ok false",
        4,
    ),
    "true is not 1": (
        "register",
        "0 write 1\n0 ok\n1 read\n1 ok true",
        4,
    ),
    "two have claimed it": (
        "once",
        "0 claim 1\n1 claim 2\n1 ok true\n0 ok true",
        4,
    ),
    "a claim that nobody was before": (
        "once",
        "0 claim 1\n0 ok false\n1 claim 2\n1 ok true",
        2,
    ),
    "two hold the lock": (
        "lock",
        "0 acquire 0\n0 ok true\n1 acquire 1\n1 ok true",
        4,
    ),
    "a lock that nobody holds is refused": (
        "lock",
        "0 acquire 0\n0 ok false",
        2,
    ),
    "released by another": (
        "lock",
        "0 acquire 0\n0 ok true\n1 release 1\n1 ok true",
        4,
    ),
    "a fencing token that does not grow": (
        "lock",
        "0 acquire 'a'\n0 ok 3\n0 release 'a'\n0 ok\n1 acquire 'b'\n1 ok 3",
        6,
    ),
    "two readers disagree about the order": (
        "list",
        "0 append 1\n1 append 2\n2 read\n3 read\n2 ok [1]\n3 ok [2]\n0 ok\n1 ok",
        6,
    ),
    "an append that is lost": (
        "list",
        "0 append 1\n0 ok\n0 append 2\n0 ok\n1 read\n1 ok [2]",
        6,
    ),
    "counted twice": (
        "counter",
        "0 add 1\n0 ok\n1 read\n1 ok 2",
        4,
    ),
    "two adds have one sum, which is what was added": (
        "counter",
        "0 add 1\n1 add 1\n0 ok 1\n1 ok 1",
        4,
    ),
    "an append answers with itself alone": (
        "text",
        "0 append 'a'\n0 ok 'a'\n0 append 'b'\n0 ok 'b'",
        4,
    ),
    "a fencing token does not grow, and is the owner's number": (
        "lock",
        "0 acquire 2\n0 ok 5\n0 release 2\n0 ok\n0 acquire 2\n0 ok 2",
        6,
    ),
    "a member that is gone": (
        "set",
        "0 add 1\n0 ok\n1 read\n1 ok []",
        4,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "text"), GOOD.values(), ids=GOOD)
def test_good(kind: str, text: str) -> None:
    history = written(text)
    assert linearizable(history, model(kind)).verdict == "yes"
    assert brute_force(history.operations, model(kind))
    assert sequential(history, model(kind)).verdict == "yes"


@pytest.mark.parametrize(("kind", "text", "line"), BAD.values(), ids=BAD)
def test_bad(kind: str, text: str, line: int) -> None:
    """And what cannot be placed is the answer that ends the shortest prefix without an order."""
    history = written(text)
    judgement = linearizable(history, model(kind))
    assert judgement.verdict == "no"
    assert not brute_force(history.operations, model(kind))
    (judged,) = judgement.keys
    assert judged.trouble is not None
    assert judged.trouble.operation.end == line
    assert list(words(judgement))


def test_what_is_said_of_a_stale_read() -> None:
    text = "0 write.x 1\n0 ok\n2 write.x 2\n0 write.x 3\n0 ok\n1 read.x\n1 ok 1\n3 write.x 4\n3 ok"
    judgement = linearizable(written(text), model("register"))
    assert heading(judgement, judgement.verdict, "linearizable", "register").startswith(
        "not linearizable: 5 operations on 1 register(s), 1 of them of unknown outcome; "
    )
    assert list(words(judgement)) == [
        'key "x": no order of the operations explains what was seen',
        "  up to line 7 nothing does, up to the answer before it something does",
        "  cannot be placed:",
        "    process 1: read -> 1  (lines 6-7)",
        "  under way beside it:",
        "    process 2: write 2 -> outcome unknown  (line 3)",
        "  an order that gets no further leaves: 2",
        "    process 0: write 1 -> ok  (lines 1-2)",
        "    process 0: write 3 -> ok  (lines 4-5)",
        "    process 2: write 2 -> outcome unknown  (line 3)",
        "  an order that gets no further leaves: 3",
        "    process 0: write 1 -> ok  (lines 1-2)",
        "    process 0: write 3 -> ok  (lines 4-5)",
    ]


def test_each_key_is_judged_by_itself() -> None:
    text = "0 write.x 1\n0 ok\n0 write.y 2\n0 ok\n1 read.x\n1 ok 1\n1 read.y\n1 ok 1"
    judgement = linearizable(written(text), model("register"))
    assert [(one.key, one.verdict) for one in judgement.keys] == [("x", "yes"), ("y", "no")]
    assert judgement.verdict == "no"
    text = "0 write.x 1\n0 ok\n0 read.y\n1 read.x\n1 ok 7\n0 ok 7"
    lines = list(words(linearizable(written(text), model("register"))))
    assert lines[0] == 'key "x": no order of the operations explains what was seen'
    assert lines[-1] == 'key "y": no order either, from line 6 on'


def test_the_order_that_is_found_explains_all() -> None:
    history = paired(simulated("register", random.Random(1), 200, 5))
    (judged,) = linearizable(history, model("register")).keys
    state: object = model("register").first(None)
    for one in judged.order:
        effect = model("register").effect(one)
        assert effect is not None
        state = effect.after(state)
        assert state is not None
    completed = [one for one in history.operations if one.outcome == "ok"]
    assert {one.begin for one in completed} <= {one.begin for one in judged.order}


def test_a_limit_is_unknown_never_a_pass() -> None:
    """Of many writes at once and reads of values that none of them wrote."""
    text = "".join(f"{n} write {n}\n" for n in range(12))
    text += "".join(f"{n} ok\n" for n in range(12)) + "0 read\n0 ok 77"
    history = written(text)
    for limits in ({"states": 100}, {"seconds": 0.0}):
        judgement = linearizable(history, model("register"), **limits)  # type: ignore[arg-type]
        assert judgement.verdict == "unknown"
        assert "limit" in next(words(judgement))
        assert sequential(history, model("register"), **limits).verdict == "unknown"  # type: ignore[arg-type]
    assert linearizable(history, model("register")).verdict == "no"


def test_an_operation_that_the_model_does_not_have() -> None:
    with pytest.raises(WrongOperation, match="line 1: a lock has no operation 'write'; it has: ac"):
        linearizable(written("0 write 1\n0 ok"), model("lock"))
    with pytest.raises(
        WrongOperation, match="lines 1-2: cas of a register cannot have the value 1"
    ):
        linearizable(written("0 cas 1\n0 ok"), model("register"))


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("register", "0 cas 'ab'\n0 ok true"),
        ("register", "0 cas {'a': 1, 'b': 2}\n0 ok true"),
        ("register", "0 cas [null, 2]\n0 ok 7"),
        ("once", "0 claim 'ada'\n0 ok true\n1 claim 'bob'\n1 ok 'ada'"),
        ("once", "0 claim null\n0 ok true"),
        ("lock", "0 acquire 'ada'\n0 ok 'bob'"),
        ("lock", "0 release 'ada'\n0 ok 3"),
        ("list", "0 append 1\n0 ok 1"),
        ("counter", "0 add 1e300\n0 ok"),
    ],
)
def test_a_value_or_an_answer_that_makes_no_sense_is_refused(kind: str, text: str) -> None:
    """It was taken for a yes, or told nothing."""
    with pytest.raises(WrongOperation, match=r"lines \d-\d: \w+ of a \w+ cannot have the value"):
        linearizable(written(text), model(kind))


# ----------------------------------------------------------------- sequential consistency


def test_a_stale_read_of_another_process_is_sequentially_consistent() -> None:
    history = written(BAD["a stale read"][1])
    assert sequential(history, model("register")).verdict == "yes"
    assert linearizable(history, model("register")).verdict == "no"


def test_its_own_write_a_process_must_see() -> None:
    history = written("0 write 1\n0 ok\n0 read\n0 ok null")
    judgement = sequential(history, model("register"))
    assert judgement.verdict == "no"
    assert "read" in "\n".join(words(judgement))


def test_sequential_consistency_does_not_compose() -> None:
    """Two registers, each sequentially consistent, and together not (Takada's chapter 2)."""
    text = "0 write.x 1\n0 ok\n1 write.y 1\n1 ok\n0 read.y\n0 ok null\n1 read.x\n1 ok null"
    whole = written(text)
    for key in ("x", "y"):
        part = History(tuple(one for one in whole.operations if one.key == key))
        assert sequential(part, model("register")).verdict == "yes"
    assert sequential(whole, model("register")).verdict == "no"


# ----------------------------------------------------------------- at random

KINDS = st.sampled_from(sorted(MODELS))
SEEDS = st.integers(0, 1 << 32)


@given(KINDS, SEEDS, st.integers(1, 60), st.integers(1, 6))
@settings(max_examples=150, deadline=None)
def test_what_one_place_does_is_linearizable(
    kind: str, seed: int, operations: int, clients: int
) -> None:
    events = simulated(kind, random.Random(seed), operations, clients, ("x", "y"))
    judgement = linearizable(paired(events), model(kind), INITIAL.get(kind))
    assert judgement.verdict == "yes"


INITIAL: dict[str, object] = {"text": "", "counter": 0}


def mutated(events: list[Event], chance: random.Random) -> list[Event]:
    """One answer is another's, or an event stands elsewhere."""
    changed = list(events)
    answers = [place for place, one in enumerate(changed) if one.type == "ok"]
    if len(answers) > 1 and chance.random() < 0.8:
        place, other = chance.choice(answers), chance.choice(answers)
        if changed[place].f == changed[other].f:
            changed[place] = replace(changed[place], value=changed[other].value)
    elif len(changed) > 1:
        place = chance.randrange(len(changed) - 1)
        first, second = changed[place], changed[place + 1]
        if first.process != second.process:
            changed[place], changed[place + 1] = second, first
    return changed


@given(KINDS, SEEDS, st.integers(1, 6), st.integers(1, 4))
@settings(max_examples=300, deadline=None)
def test_it_agrees_with_every_permutation(
    kind: str, seed: int, operations: int, clients: int
) -> None:
    chance = random.Random(seed)
    events = simulated(kind, chance, operations, clients, unknown=0.3)
    for _ in range(chance.randrange(4)):
        events = mutated(events, chance)
    history = paired(events)
    found = linearizable(history, model(kind), INITIAL.get(kind))
    assert (found.verdict == "yes") == brute_force(
        history.operations, model(kind), INITIAL.get(kind)
    )
    if found.verdict == "no":  # and the prefix is the shortest: without its last answer it passes
        trouble = found.keys[0].trouble
        assert trouble is not None
        last = trouble.operation.end or 0
        before = [one for one in history.operations if one.begin < last and (one.end or 0) < last]
        assert brute_force(before, model(kind), INITIAL.get(kind))


@given(SEEDS, st.integers(1, 6), st.integers(1, 3))
@settings(max_examples=150, deadline=None)
def test_sequential_agrees_with_every_permutation(seed: int, operations: int, clients: int) -> None:
    chance = random.Random(seed)
    events = simulated("register", chance, operations, clients, ("x", "y"), unknown=0.2)
    for _ in range(chance.randrange(4)):
        events = mutated(events, chance)
    history = paired(events)
    found = sequential(history, model("register"))
    assert (found.verdict == "yes") == brute_force_sequential(history.operations, model("register"))


@given(SEEDS, st.integers(1, 25), st.integers(1, 4))
@settings(max_examples=100, deadline=None)
def test_who_is_late_is_sequentially_consistent_all_the_same(
    seed: int, operations: int, clients: int
) -> None:
    """What one place does, seen by processes of which each has a clock of its own."""
    chance = random.Random(seed)
    events = simulated("register", chance, operations, clients, ("x", "y"))
    lanes: dict[int, list[Event]] = {}
    for one in events:
        lanes.setdefault(one.process, []).append(one)
    mixed = []
    while lanes:
        process = chance.choice(list(lanes))
        mixed.append(lanes[process].pop(0))
        if not lanes[process]:
            del lanes[process]
    assert sequential(paired(mixed), model("register")).verdict == "yes"


# ----------------------------------------------------------------- speed


def test_ten_thousand_operations_take_seconds() -> None:
    for kind in MODELS:
        keys = [f"k{n}" for n in range(10)]
        events = simulated(kind, random.Random(kind), 10_000, 10, keys, unknown=0.002)
        started = time.process_time()
        judgement = linearizable(paired(events), model(kind), INITIAL.get(kind))
        assert judgement.verdict == "yes"
        assert time.process_time() - started < 20, kind

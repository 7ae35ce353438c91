"""The text that says how operations are done with a program."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from bloomish.runtime.chaos.loads import Load
from bloomish.runtime.chaos.operations import Name, WrongOperations, parse, read
from bloomish.runtime.chaos.torture import resized
from bloomish.runtime.roles import NoSuchRole, roles
from bloomish.targets import load

HERE = Path(__file__).parent
PROGRAMS = HERE.parents[1] / "programs"
STORE = roles(load("bloomish.programs.multipaxos"))
OPERATIONS = PROGRAMS / "data" / "multipaxos.ops"
ONE_PLACE = roles(load(f"{HERE / 'clusters' / 'one_place.py'}:durable"))


def test_the_operations_of_the_replicated_store() -> None:
    register, lock, text = read(OPERATIONS, STORE)
    assert [one.model for one in (register, lock, text)] == ["register", "lock", "text"]
    assert (register.initial, lock.initial) == ("", None)
    assert register.role.name == "client"
    bound = {"process": 7, "number": 3, "key": "k", "old": "a", "new": "b"}
    assert register.row("cas", bound) == (7, 3, "cas", "k", "a", "b")
    (answers,) = register.forms["cas"].answers
    assert answers.answered((7, 3, False, "c"), bound) == (False,)
    assert answers.answered((7, 4, True, "b"), bound) is None
    (written,) = register.forms["write"].answers
    assert written.answered((7, 3, True, "b"), bound) == (None,)
    assert written.answered((7, 3, False, "b"), bound) is None
    assert lock.row("acquire", bound | {"owner": 9}) == (7, 3, "cas", "k", "", "9")


def test_several_answers_and_what_they_say() -> None:
    text = (
        "# a comment\n"
        "model: lock\n"
        'acquire: write(id, key, owner) -> found(id, "a, b") = true | found(id, _) = false\n'
    )
    (part,) = parse(text, ONE_PLACE)
    yes, no = part.forms["acquire"].answers
    assert yes.answered((4, "a, b"), {"id": 4}) == (True,)
    assert yes.answered((4, "else"), {"id": 4}) is None
    assert no.answered((4, "else"), {"id": 4}) == (False,)
    assert part.outputs == ("found",)


WRONG = {
    "no model": ("read: read(id, key) -> found(id, answer)", ":1: a part begins with `model:"),
    "nothing": ("", "no part begins with `model: NAME`"),
    "no such model": ("model: stack", ":1: no model 'stack'; there are register, once"),
    "a model twice": ("model: lock\nmodel: lock", ":2: there is a part for lock already"),
    "no first": (
        "model: register\nfirst: write\nread: read(id, key) -> found(id, answer)",
        ":2: the register begins with 'write', which is not given",
    ),
    "no colon": ("model: register\nread", ":2: there is no colon"),
    "no arrow": ("model: register\nread: read(id, key)", ":2: there is no `->`"),
    "no operation": ("model: register", ":1: no operation of the register is given"),
    "no such operation": (
        "model: register\npop: read(id, key) -> found(id, answer)",
        ":2: a register has no operation 'pop'; it has: read, write, cas",
    ),
    "no pattern": ("model: register\nread: read -> found(id, answer)", ":2: 'read' is not NAME"),
    "no such name": (
        "model: register\nread: read(id, Key) -> found(id, answer)", ":2: 'Key' is neither a JSON",
    ),
    "an answer to the left": (
        "model: register\nread: read(id, answer) -> found(id, answer)", ":2: `answer`, `_` and `=`",
    ),
    "no such input": (
        "model: register\nread: ask(id, key) -> found(id, answer)",
        ":2: no role of durable has the input(s) ask",
    ),
    "no such output": (
        "model: register\nread: read(id, key) -> store(key, answer)",
        ":2: the role server has no output store",
    ),
    "too few columns": (
        "model: register\nread: read(key) -> found(id, answer)", ":2: read has 2 columns, not 1",
    ),
    "no JSON": ("model: register\ninitial: {", ":2: '{' is no JSON value"),
    "no beginning": ('model: counter\ninitial: "x"', ':2: no counter begins as "x"'),
    "a beginning twice": ("model: lock\ninitial: 1\ninitial: 2", ":3: `initial` is given already"),
    "an operation twice": (
        "model: register\n" + "read: read(id, key) -> found(id, answer)\n" * 2,
        ":3: `read` is given already for the register",
    ),
    "text for a number": (
        'model: register\nread: read("x", key) -> found(id, answer)',
        ':2: "x" is not of type int, which read.',
    ),
    "a key for a number": (
        "model: register\nread: read(key, key) -> found(id, answer)",
        ":2: `key` is not of type int, which read.",
    ),
    "no key": (
        'model: register\nread: read(id, "x") -> found(id, answer)', ":2: `key` is not in the row",
    ),
    "nothing is written": (
        'model: register\nwrite: write(id, key, "x") -> found(id, _)', ":2: `value` is not in the",
    ),
    "nothing is read": (
        "model: register\nread: read(id, key) -> found(id, _)", ":2: read answers something",
    ),
    "an owner of no lock": (
        "model: register\nwrite: write(id, key, owner) -> found(id, _)",
        ":2: write has no `owner`; it has `value`",
    ),
    "the value of a read": (
        "model: register\nread: read(id, key) -> found(id, value) = 1",
        ":2: read has no `value`; it has neither value nor owner",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "said"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_named(text: str, said: str) -> None:
    with pytest.raises(WrongOperations) as fault:
        parse(text, ONE_PLACE, "x.ops")
    assert str(fault.value).startswith("x.ops")
    assert said in str(fault.value)


def test_a_string_may_have_what_stands_between_answers() -> None:
    text = 'model: register\nread: read(id, key) -> found(id, "a|b") = null | found(id, answer)'
    (part,) = parse(text, ONE_PLACE)
    assert [one.terms[1] for one in part.forms["read"].answers] == ["a|b", Name("answer")]


def test_other_sizes() -> None:
    five = resized(STORE, {"replica": 5})
    assert five.nodes == (
        "replica-0",
        "replica-1",
        "replica-2",
        "replica-3",
        "replica-4",
        "client-0",
    )
    assert five.rosters["replica"] == five.role("replica").nodes
    with pytest.raises(NoSuchRole, match="no role 'server'; it has: replica, client"):
        resized(STORE, {"server": 5})


# ----------------------------------------------------------------- what clients ask for


def test_a_lock_is_released_by_who_holds_it_and_left_when_nobody_knows() -> None:
    _, lock, _ = read(OPERATIONS, STORE)
    load = Load(lock, random.Random(0), keys=1, per_key=100)
    first = load.wanted(1)
    assert (first.f, first.value) == ("acquire", "1")
    load.learned(1, first, True)
    assert load.wanted(1).f == "release"
    other = load.wanted(2)
    assert (other.f, other.key) == ("acquire", first.key)
    load.learned(2, other, False)
    assert load.wanted(2).f == "acquire"
    load.lost(2, other)  # it may have it, and nobody will ever release it
    assert load.wanted(3).key != first.key


def test_a_register_is_left_after_a_while_and_values_come_once() -> None:
    register, _, _ = read(OPERATIONS, STORE)
    load = Load(register, random.Random(0), keys=2, per_key=10)
    made = [load.wanted(0) for _ in range(200)]
    assert max(sum(one.key == key for one in made) for key in {one.key for one in made}) == 10
    written = [one.names.get("value", one.names.get("new")) for one in made if one.f != "read"]
    assert len(written) == len(set(written)) > 50


def test_a_cas_is_tried_from_what_was_last_seen() -> None:
    register, _, _ = read(OPERATIONS, STORE)
    load = Load(register, random.Random(0), keys=1, per_key=1_000)
    load.learned(0, load.wanted(0), None)
    swaps = 0
    for _ in range(100):
        wanted = load.wanted(0)
        if wanted.f == "read":
            load.learned(0, wanted, "seen")
        elif wanted.f == "cas":
            swaps += wanted.value[0] == "seen"
    assert swaps

"""Playing a case on an evaluator, and everything that can be seen of it."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import Any

from bloomish.runtime.evaluator import Evaluator, Tick, TickFailed
from bloomish.runtime.evaluators import make_evaluator
from bloomish.values import order_key
from tests.runtime.randomprograms import NODE, Case, Step, has_random


@dataclass(frozen=True)
class Seen:
    """One tick from outside: what it did, or that it failed."""

    failed: bool
    probed: bool  # what probe() said of it before
    tick: Tick | None
    contents: Any
    frames: list[tuple[str, bytes]]
    arrivals: Any
    same_as: int  # the first tick of the play after which the state was equal


def evaluator(case: Case, which: str) -> Evaluator:
    return make_evaluator(
        case.program,
        case.externals,
        node=NODE,
        rosters=dict(case.rosters),
        seed=case.seed,
        which=which,
    )


def play(case: Case, which: str, rewind: bool = True) -> list[Seen]:
    """The whole script.  With `rewind` every tick is taken twice, from a snapshot."""
    node = evaluator(case, which)
    states: list[bytes] = [node.fingerprint()]
    seen = []
    for step in case.steps:
        for collection, rows in step.rows:
            node.insert(collection, rows)
        if step.resend:
            node.resend()
        snapshot = node.snapshot()
        state = node.fingerprint()
        one = _tick(node, case, step, states)
        if rewind:
            node.restore(snapshot)
            assert node.fingerprint() == state, "a restored state has another fingerprint"
            two = _tick(node, case, step, states)
            assert alike(two) == alike(one), "a tick from a snapshot differs"
            one = replace(one, same_as=min(one.same_as, two.same_as))
        seen.append(one)
        if one.failed:
            node.set_arrivals([])
        elif step.loopback:
            for peer, frame in one.frames:
                if peer == NODE:
                    received = node.receive(frame)
                    assert not received.refused, received
    return seen


def _tick(node: Evaluator, case: Case, step: Step, states: list[bytes]) -> Seen:
    arrivals = node.arrivals()
    before = node.fingerprint()
    probed = node.probe(step.now, arrivals) is not None
    assert node.fingerprint() == before, "a probe changed the state"
    tick: Tick | None = None
    try:
        tick = node.tick(step.now)
    except TickFailed:
        assert node.fingerprint() == before, "a failed tick changed the state"
        assert node.arrivals() == arrivals, "a failed tick took its arrivals"
    contents = {c.name: node.contents(c.name) for c in case.program.collections}
    frames = node.frames()
    state = node.fingerprint()
    if state not in states:
        states.append(state)
    return Seen(tick is None, probed, tick, contents, frames, node.arrivals(), states.index(state))


def alike(seen: Seen) -> object:
    """Comparable, with 1, 1.0 and True told apart."""
    tick = None
    if seen.tick is not None:
        tick = {name: getattr(seen.tick, name) for name in Tick.__dataclass_fields__}
    return _tagged(
        {
            "failed": seen.failed,
            "probed": seen.probed,
            "tick": tick,
            "contents": seen.contents,
            "frames": seen.frames,
            "arrivals": seen.arrivals,
            "same_as": seen.same_as,
        }
    )


def _tagged(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _tagged(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_tagged(part) for part in value]
    if isinstance(value, tuple):
        return tuple(map(_tagged, value))
    return order_key(value)


def difference(one: list[Seen], two: list[Seen]) -> str:
    """Where two plays of a case part, or "" if they do not."""
    for number, (a, b) in enumerate(zip(one, two, strict=True), 1):
        left, right = alike(a), alike(b)
        if left == right:
            continue
        assert isinstance(left, dict) and isinstance(right, dict)
        lines = [f"tick {number} differs"]
        for name in left:
            if left[name] == right[name]:
                continue
            x, y = getattr(a, name), getattr(b, name)
            if name == "contents":
                for c in x:
                    if x[c] != y[c]:
                        lines += [f"  {c}:", f"    {x[c]!r}", f"    {y[c]!r}"]
            else:
                lines += [f"  {name}:", f"    {x!r}", f"    {y!r}"]
        return "\n".join(lines)
    return ""


def permuted(case: Case, seed: int) -> Case:
    """The same program in another order: collections, rules, facts, rows, literals."""
    rng = random.Random(seed)

    def shuffled(items: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(rng.sample(items, len(items)))

    program = case.program
    rules = tuple(
        # random() is keyed by the body's rows in the order of the text
        rule if has_random(rule) else replace(rule, body=shuffled(rule.body))
        for rule in program.rules
    )
    facts = tuple(replace(fact, rows=shuffled(fact.rows)) for fact in program.facts)
    steps = tuple(
        replace(
            step,
            rows=shuffled(tuple((name, shuffled(rows)) for name, rows in step.rows)),
        )
        for step in case.steps
    )
    return replace(
        case,
        program=replace(
            program,
            collections=shuffled(program.collections),
            rules=shuffled(rules),
            facts=shuffled(facts),
        ),
        steps=steps,
    )

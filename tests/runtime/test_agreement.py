"""Random programs: the engine and the reference agree, and no order is ever seen."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bloomish.runtime.evaluators import engine_built
from tests.runtime.playing import difference, permuted, play
from tests.runtime.randomprograms import Case, Features, case, cases
from tests.runtime.shrinking import shrunk, text

needs_engine = pytest.mark.skipif(
    not engine_built(), reason="the engine (bloomish._engine) was not built here"
)
SEEDS = 400
SLOW_TO_DRAW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]

ALONE = {
    "negation": Features(negation=False),
    "aggregates": Features(aggregates=False),
    "lattices": Features(lattices=False),
    "next tick": Features(next_tick=False),
}


def disagreement(case: Case) -> str:
    return difference(play(case, "reference"), play(case, "engine"))


def agree(case: Case) -> None:
    """Fails with the smallest case found that differs, and how it does."""
    if disagreement(case):
        smallest = shrunk(case, lambda smaller: bool(disagreement(smaller)))
        found = disagreement(smallest)
        pytest.fail(f"{text(smallest)}\n{found}\n(first the reference, then the engine)")


@needs_engine
@pytest.mark.parametrize("batch", range(8))
def test_engine_and_reference_agree(batch: int) -> None:
    for seed in range(batch * SEEDS // 8, (batch + 1) * SEEDS // 8):
        agree(case(seed))


@needs_engine
@pytest.mark.parametrize("without", ALONE)
def test_engine_and_reference_agree_without(without: str) -> None:
    for seed in range(5000, 5040):
        agree(case(seed, ALONE[without]))


@needs_engine
@settings(max_examples=50, deadline=None, suppress_health_check=SLOW_TO_DRAW)
@given(drawn=cases())
def test_engine_and_reference_agree_as_hypothesis_draws(drawn: Case) -> None:
    assert disagreement(drawn) == ""


@pytest.mark.parametrize("batch", range(4))
def test_permuting_rules_facts_and_literals_changes_nothing(batch: int) -> None:
    for seed in range(1000 + 40 * batch, 1040 + 40 * batch):
        one = case(seed)
        other = permuted(one, seed)
        found = difference(play(one, "reference"), play(other, "reference", rewind=False))
        assert found == "", f"{text(one)}\n{found}"


@settings(max_examples=25, deadline=None, suppress_health_check=SLOW_TO_DRAW)
@given(drawn=cases(), seed=st.integers(0, 1000))
def test_permuting_changes_nothing_as_hypothesis_draws(drawn: Case, seed: int) -> None:
    other = permuted(drawn, seed)
    found = difference(play(drawn, "reference"), play(other, "reference", rewind=False))
    assert found == ""


def test_more_ticks_without_arrivals_change_nothing_once_the_node_is_quiet() -> None:
    """`again` is honest: a program without clock or chance that is quiet stays quiet."""
    features = Features(chance=False, failures=False, sends=False)
    quiet = 0
    for seed in range(2000, 2080):
        made = case(seed, features)
        steps = made.steps + tuple(replace(made.steps[-1], rows=()) for _ in range(6))
        seen = play(replace(made, steps=steps), "reference", rewind=False)
        for one, two in zip(seen[len(made.steps) :], seen[len(made.steps) + 1 :], strict=False):
            if one.tick is not None and not one.tick.again and not one.arrivals:
                assert two.tick is not None
                assert two.tick.durable == {}, text(made)
                tables = [c.name for c in made.program.collections if c.kind == "table"]
                for name in tables:
                    assert one.contents[name] == two.contents[name], text(made)
                quiet += 1
    assert quiet > 100


def test_the_generator_makes_every_kind_of_rule_and_event() -> None:
    seen: set[str] = set()
    rng = random.Random(0)
    for seed in rng.sample(range(10_000), 150):
        made = case(seed)
        seen.update(rule.op for rule in made.program.rules)
        for one in play(made, "reference", rewind=False):
            seen.add("failed" if one.failed else "done")
            if one.tick is not None:
                for name in ("events", "added", "removed", "durable", "again"):
                    if getattr(one.tick, name):
                        seen.add(name)
                if one.frames:
                    seen.add("frames")
    assert seen >= {
        "<=", "<+", "<-", "<+-", "<~",
        "failed", "done", "events", "added", "removed", "durable", "again", "frames",
    }  # fmt: skip

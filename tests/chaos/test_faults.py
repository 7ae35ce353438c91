"""Faults drawn for real processes."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloomish.errors import BloomishError
from bloomish.runtime.chaos.faults import KINDS, LONGEST, check, drawn
from bloomish.runtime.sim.schedule import SECOND, LinkFault, NodeFault, from_text, to_text

SERVERS = ("replica-0", "replica-1", "replica-2")
NODES = (*SERVERS, "client-0")


@given(st.integers(), st.sampled_from([SERVERS, SERVERS[:1]]))
def test_a_seed_is_a_schedule_that_can_be_written_down(
    seed: int, attacked: tuple[str, ...]
) -> None:
    schedule = drawn(seed, attacked, NODES, 7.5)
    assert schedule == drawn(seed, attacked, NODES, 7.5)
    assert from_text(to_text(schedule), NODES) == schedule
    check(schedule)
    for fault in schedule:
        assert isinstance(fault, (NodeFault, LinkFault))
        assert 0 <= fault.start < fault.end <= 7.5 * SECOND
        assert fault.end - fault.start <= LONGEST * SECOND
        if isinstance(fault, NodeFault):
            assert fault.node in attacked
        else:
            assert fault.left
            assert fault.right
    assert all(one.start <= other.start for one, other in pairwise(schedule))  # type: ignore[union-attr]


def test_every_kind_comes() -> None:
    kinds = {one.kind for seed in range(5) for one in drawn(seed, SERVERS, NODES, 7.5)}
    assert kinds == set(KINDS)
    assert {one.kind for one in drawn(1, SERVERS, NODES, 60, ("pause",))} == {"pause"}
    assert drawn(1, SERVERS, NODES, 60, ()) == ()


def test_what_processes_cannot_have() -> None:
    with pytest.raises(BloomishError, match="`drop replica-0>replica-1#3` is for the simulator"):
        check(from_text("drop replica-0>replica-1#3", NODES))
    with pytest.raises(BloomishError, match="is for the simulator"):
        check(from_text("jump replica-0 1 +3", NODES))

"""CALM in numbers: who answers while the network is cut in two, and that receipts never differ."""

from __future__ import annotations

import asyncio

import pytest

from benchmarks import coordination

LOG, SEAL, LATTICE = coordination.VARIANTS


@pytest.mark.parametrize(
    ("variant", "answered"),
    [(LOG, (0, 10, 0)), (SEAL, (0, 0, 0)), (LATTICE, (10, 10, 0))],
    ids=["log", "seal", "lattice"],
)
def test_who_answers_while_cut(
    variant: coordination.Variant, answered: tuple[int, int, int]
) -> None:
    """The minority's customers, the majority's, and those with devices on both sides."""
    rows = asyncio.run(coordination._cut_in_two(variant))
    assert tuple(row.ours for row in rows[:3]) == answered
    assert all(row.met for row in rows[3:])


def test_under_load_no_receipts_differ() -> None:
    throughput, _, _, messages, differing = asyncio.run(coordination._under_load(LATTICE, 0.5))
    assert throughput.ours > 0
    assert messages.ours == pytest.approx(3, abs=0.1)
    assert differing.met

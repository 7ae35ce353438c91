"""What the tests of protocols share."""

from __future__ import annotations

import random

import pytest


@pytest.fixture
def fresh_seeds() -> list[int]:
    """A few seeds that no run has seen; a failure names the one that broke."""
    return [random.SystemRandom().randrange(1 << 31) for _ in range(3)]


@pytest.fixture
def thousand_fresh_seeds() -> range:
    """As many as a campaign takes, from a place of their own at every run."""
    first = random.SystemRandom().randrange(1 << 31)
    return range(first, first + 1_000)

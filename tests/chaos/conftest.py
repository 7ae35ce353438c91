"""What tests under real faults share."""

from __future__ import annotations

import random

import pytest


@pytest.fixture
def fresh_seed() -> int:
    """A seed that no run has seen; a failure names it."""
    return random.SystemRandom().randrange(1 << 31)

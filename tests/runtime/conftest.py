"""The evaluators that a test of the semantics runs on."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from bloomish.program import compile
from bloomish.runtime.evaluator import Evaluator
from bloomish.runtime.evaluators import engine_built, make_evaluator

Make = Callable[..., Evaluator]


@pytest.fixture(
    params=[
        "reference",
        pytest.param(
            "engine",
            marks=pytest.mark.skipif(
                not engine_built(), reason="the engine (bloomish._engine) was not built here"
            ),
        ),
    ]
)
def make(request: pytest.FixtureRequest) -> Make:
    """Makes an evaluator of a program: `make(Vote, node="voter-0", voter=["voter-0"])`."""

    def made(
        program: type[Any], node: str = "node-0", seed: int = 0, **rosters: Sequence[str]
    ) -> Evaluator:
        compiled = compile(program)
        return make_evaluator(
            compiled.program,
            compiled.externals,
            node=node,
            rosters=rosters,
            seed=seed,
            which=request.param,
        )

    return made


@pytest.fixture(scope="module")
def quiet_log() -> Iterator[None]:
    """What nodes say of broken connections is not shown, while these are broken on purpose."""
    logger = logging.getLogger("bloomish")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    yield
    logger.setLevel(level)

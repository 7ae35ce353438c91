"""Verdicts as assertions in a project's own tests.

Installed with the package (entry point `pytest11`): tests take the functions as
fixtures, or import them from here.

    from bloomish.analysis.pytest_plugin import assert_monotone

    def test_quorum():
        assert_monotone(Vote, "elected")
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bloomish.analysis.result import Word

Assertion = Callable[..., None]


def assert_verdict(target: Any, collection: str, *words: Word, replicas: int = 1) -> None:
    """Fails, with the report on it, unless the collection has one of these verdicts."""
    # Imported when called: pytest loads plugins whether a test uses them or not.
    from bloomish.analysis.checking import check
    from bloomish.analysis.report.text import render_verdict

    __tracebackhide__ = True
    report = check(target, replicas)
    try:
        verdict = report.verdict(collection)
    except KeyError as error:
        pytest.fail(str(error.args[0]), pytrace=False)
    if verdict.word not in words:
        wanted = " or ".join(words)
        text = f"{collection} is not {wanted}\n{render_verdict(verdict)}"
        pytest.fail(text, pytrace=False)


def assert_monotone(target: Any, collection: str) -> None:
    """The collection only grows, to the same end whatever the order."""
    __tracebackhide__ = True
    assert_verdict(target, collection, "monotone")


def assert_coordination_free(target: Any, collection: str) -> None:
    """Nothing about the collection needs coordination."""
    __tracebackhide__ = True
    assert_verdict(target, collection, "monotone", "snapshot", "eventual", "ordered", "local",
                   "protocol")  # fmt: skip


@pytest.fixture(name="assert_monotone", scope="session")
def _assert_monotone() -> Assertion:
    """`assert_monotone(Program, "output")`."""
    return assert_monotone


@pytest.fixture(name="assert_coordination_free", scope="session")
def _assert_coordination_free() -> Assertion:
    """`assert_coordination_free(Program, "output")`."""
    return assert_coordination_free


@pytest.fixture(name="assert_verdict", scope="session")
def _assert_verdict() -> Assertion:
    """`assert_verdict(Program, "output", "snapshot")`."""
    return assert_verdict

"""`@simulate` turns a test into a campaign."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bloomish.runtime.sim.testing import Run, simulate

sys.path.insert(0, str(Path(__file__).parent))

import planted  # noqa: E402


@simulate(planted.patient, seeds=10, faults="network,restart=1")
def test_a_patient_client_is_answered(run: Run, tmp_path: Path) -> None:
    assert tmp_path.is_dir()  # fixtures come after the run
    run.insert("client-0", "want", (1,))
    run.go(0.5)
    run.quiet()
    wanted = run.rows("client-0", "open")
    assert run.rows("client-0", "done") == wanted


def test_a_failure_is_shrunk_and_says_how_to_replay_it() -> None:
    def arrives(run: Run) -> None:
        run.insert("client-0", "want", (1,))
        run.quiet()
        assert run.rows("server-0", "seen") == [(1,)], "not seen"

    with pytest.raises(AssertionError) as caught:
        simulate(planted.hasty, seeds=100, faults="loss=0.2,restart=0")(arrives)()
    text = str(caught.value)
    assert "faults: drop client-0>server-0#1\n" in text and "schedule=" in text
    with pytest.raises(AssertionError, match="not seen"):
        simulate(planted.hasty, seeds=[0], schedule="drop client-0>server-0#1")(arrives)()
    simulate(planted.hasty, seeds=[0], schedule="")(arrives)()


def test_declared_properties_are_checked() -> None:
    def stand(run: Run) -> None:
        run.insert("candidate-0", "stand", (1,))
        run.insert("candidate-1", "stand", (1,))
        run.quiet()

    with pytest.raises(AssertionError, match="torn"):
        simulate(planted.forgetful, seeds=200, faults="default,restart=3")(stand)()

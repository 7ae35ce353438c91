"""The shipped `.ded` programs: what they are known for, on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bloomish.cli import run
from bloomish.runtime import trace

DEDALUS = Path(__file__).parents[2] / "programs" / "dedalus"
COMMIT = ("C,a,b,d", 10)
LOG = ("a,b,c,C,Z", 8)
SPREAD = ("a,b,c", 6)

VERDICTS = [
    ("broadcast_naive", SPREAD, 4, 0, "counterexample"),
    ("broadcast_retry", SPREAD, 4, 0, "certified"),
    ("broadcast_retry", SPREAD, 4, 1, "counterexample"),
    ("broadcast_redundant", SPREAD, 4, 1, "certified"),
    ("broadcast_acknowledged", SPREAD, 4, 1, "certified"),
    ("two_phase_commit commit_agreement", COMMIT, 4, 1, "certified"),
    ("two_phase_commit commit_termination", COMMIT, 4, 0, "certified"),
    ("two_phase_commit commit_termination", COMMIT, 1, 1, "counterexample"),
    ("three_phase_commit commit_agreement", COMMIT, 4, 0, "certified"),
    ("three_phase_commit commit_agreement", COMMIT, 4, 1, "counterexample"),
    ("replicated_log", LOG, 5, 0, "certified"),
    ("replicated_log", LOG, 5, 1, "counterexample"),
    ("replicated_log_quorum", LOG, 5, 1, "certified"),
    ("paxos", ("a,b,c", 9), 3, 0, "certified"),
]


def command(names: str, nodes: str, eot: int, eff: int, crashes: int, *more: str) -> list[str]:
    files = [str(DEDALUS / f"{name}.ded") for name in names.split()]
    bounds = ["--nodes", nodes, "--eot", str(eot), "--eff", str(eff), "--crashes", str(crashes)]
    return ["ldfi", *files, *bounds, *more]


@pytest.mark.parametrize(
    ("names", "scope", "eff", "crashes", "expected"),
    VERDICTS,
    ids=[f"{names.replace(' ', '+')}-{eff}-{crashes}" for names, _, eff, crashes, _ in VERDICTS],
)
def test_verdicts(
    names: str,
    scope: tuple[str, int],
    eff: int,
    crashes: int,
    expected: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    status = run(command(names, *scope, eff, crashes, "--format", "json"))
    data = json.loads(capsys.readouterr().out)
    assert data["verdict"] == expected
    assert status == (expected == "counterexample")
    assert data["warnings"] == []
    assert bool(data["faults"]) == bool(data["missed"]) == (expected == "counterexample")


def test_the_text_explains_a_counterexample(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = ["--trace", str(tmp_path / "run.jsonl"), "--lineage", str(tmp_path / "post.dot")]
    assert run(command("broadcast_naive", *SPREAD, 4, 0, *files)) == 1
    text = capsys.readouterr().out
    assert "loss from a to b at 1" in text or "loss from a to c at 1" in text
    assert "no log(" in text and "broadcast_naive.ded:9" in text and "lost: a to" in text
    assert "LOST" in text and "replay: bloomish ldfi" in text
    dot = (tmp_path / "post.dot").read_text()
    assert dot.startswith("digraph") and 'color="red"' in dot
    with (tmp_path / "run.jsonl").open() as lines:
        records = list(trace.read(lines))
    assert isinstance(records[0], trace.RunRecord)
    lost = [r for r in records if isinstance(r, trace.Happening) and r.what == "lost"]
    assert len(lost) == 1 and lost[0].node == "a"


def test_output_does_not_depend_on_the_hash_seed() -> None:
    import os
    import subprocess
    import sys

    outputs = {
        subprocess.run(
            [sys.executable, "-m", "bloomish", *command("replicated_log", *LOG, 5, 1)],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=False,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.ded", "--nodes", "a", "--eot", "3"], "cannot read none.ded"),
        ([str(DEDALUS / "paxos.ded"), "--eot", "3"], "--nodes names no node"),
        ([str(DEDALUS / "timeouts.ded"), "--nodes", "a", "--eot", "3"], "has no `pre`"),
    ],
)
def test_wrong_input_is_status_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["ldfi", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_exhaustion_refuses_what_would_never_end(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(command("paxos", "a,b,c", 9, 5, 1, "--exhaustive")) == 2
    assert "too many" in capsys.readouterr().err


def test_a_limit_is_neither_a_certificate_nor_a_counterexample(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(command("replicated_log_quorum", *LOG, 5, 1, "--limit", "5")) == 3
    captured = capsys.readouterr()
    assert captured.out.startswith("stopped") and "after 5 runs" in captured.err


def test_nodes_that_no_fact_mentions_are_warned_of(capsys: pytest.CaptureFixture[str]) -> None:
    run(command("broadcast_naive", "a,b,c,x", 3, 1, 0))
    assert "node x occurs in no fact" in capsys.readouterr().err

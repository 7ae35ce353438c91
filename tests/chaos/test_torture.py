"""Real processes under real faults, and bugs that the same runs find."""

from __future__ import annotations

import asyncio
import json
import shlex
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from bloomish.cli import bloomish
from bloomish.runtime.chaos import faults
from bloomish.runtime.chaos.operations import read
from bloomish.runtime.chaos.torture import Outcome, Settings, resized, torture
from bloomish.runtime.coordinated import load, marked
from bloomish.runtime.history import read as read_history
from bloomish.runtime.roles import roles
from bloomish.runtime.sim.explain import words
from bloomish.runtime.sim.objects import model
from bloomish.runtime.sim.schedule import from_text, to_text
from bloomish.runtime.sim.sequential import sequential
from bloomish.runtime.verbs.torture import Options, again
from tests.programs.planted import Bug
from tests.programs.planted.multipaxos import BUGS

HERE = Path(__file__).parent
CLUSTERS = HERE / "clusters"
MULTIPAXOS = "bloomish.programs.multipaxos"
PROGRAMS = HERE.parents[1] / "programs"
STORE_OPERATIONS = PROGRAMS / "data" / "multipaxos.ops"
ONE_PLACE = str(CLUSTERS / "one_place.py")
MEMORY = Path("/dev/shm")
"""More load than with files on a disk, where there is such a folder."""
SHORT = 6.0
SETTLED = 250_000_000
"""Nanoseconds after which what was under way when the network was cut has arrived."""


def settings(target: str, operations: Path, folder: Path, **sizes: int) -> Settings:
    declared = resized(roles(load(target)), sizes)
    data = MEMORY if MEMORY.is_dir() else None
    return Settings(target, declared, read(operations, declared), SHORT, data=data, folder=folder)


def run(what: Settings, seed: int = 1) -> Outcome:
    return asyncio.run(torture(what, seed))


def told(outcome: Outcome) -> str:
    """What a failed run says."""
    lines = [f"seed {outcome.seed}: {to_text(outcome.schedule)}", *outcome.problems]
    for judgement in outcome.judgements.values():
        lines += words(judgement)
    return "\n".join(lines)


@pytest.mark.parametrize("replicas", [3, 5])
def test_registers_and_locks_are_linearizable_under_faults(
    replicas: int, tmp_path: Path, fresh_seed: int
) -> None:
    what = settings(MULTIPAXOS, STORE_OPERATIONS, tmp_path, replica=replicas, client=2)
    outcome = run(what, fresh_seed)
    assert outcome.status == 0, told(outcome)
    assert set(outcome.judgements) == {"register", "lock", "text"}
    assert outcome.counts["ok"] > 50
    assert outcome.recovered is not None


def test_in_a_minority_nobody_is_answered_and_in_a_majority_all_are(tmp_path: Path) -> None:
    """Consistency rather than availability where the network is cut (Gilbert, Lynch 2002)."""
    what = settings(MULTIPAXOS, STORE_OPERATIONS, tmp_path, replica=5, client=2)
    cut = "partition replica-0,replica-1,client-0|replica-2,replica-3,replica-4,client-1 1-5.5"
    outcome = run(replace(what, schedule=from_text(cut, what.declared.nodes)))
    assert outcome.status == 0, told(outcome)
    answered = {"client-0": 0, "client-1": 0}
    for path in outcome.histories.values():
        history = read_history(path)
        (begins, ends) = (note.time for _, note in history.notes if "partition" in note.text)
        for one in history.operations:
            if one.ended is not None and begins + SETTLED < one.began and one.ended < ends:
                answered[one.node] += one.outcome == "ok"
    assert answered["client-0"] == 0
    assert answered["client-1"] > 0


def test_reads_that_followers_answer_are_found(tmp_path: Path) -> None:
    target = str(CLUSTERS / "local_reads.py")
    what = settings(target, STORE_OPERATIONS, tmp_path, client=2)
    for seed in range(1, 4):
        outcome = run(replace(what, seconds=3.0, schedule=()), seed)
        assert outcome.judgements["lock"].verdict == "yes"  # which nobody only reads
        history = read_history(outcome.histories["register"])
        assert history.header.model == "register"
        assert history.header.about["seed"] == seed
        if outcome.judgements["register"].verdict == "no":
            return
    pytest.fail("every follower's answer was up to date")


def test_writes_in_one_order_and_reads_at_home_are_sequential_and_no_more(tmp_path: Path) -> None:
    target = str(CLUSTERS / "ordered_writes.py")
    what = settings(target, CLUSTERS / "one_place.ops", tmp_path)
    what = replace(what, seconds=1.5, schedule=(), clients=3)
    for seed in range(3):
        outcome = run(what, seed)
        history = read_history(outcome.histories["register"])
        found = sequential(history, model("register"), "")
        assert found.verdict == "yes", "\n".join(words(found))
        if outcome.judgements["register"].verdict == "no":
            return
    pytest.fail("every read of a replica was up to date")


SPLIT = "partition replica-0,client-0|replica-1,replica-2,client-1 0.5-4"
SLOW = "pause replica-0 0.5-1.2; pause replica-0 2-2.8; pause replica-0 3.5-4.2"
FOUND = {"half for a majority": SPLIT, "sessions not looked at": SLOW}
"""Bugs planted in the protocol that need no rare coincidence, and what brings them out.  The others
are for the simulator, which makes coincidences."""


@pytest.mark.parametrize(
    "bug", [one for one in BUGS if one.name in FOUND], ids=lambda one: one.name
)
def test_a_planted_bug_is_found(bug: Bug, tmp_path: Path) -> None:
    text = (PROGRAMS / "multipaxos.py").read_text()
    for right, wrong in bug.changes:
        assert right in text, f"multipaxos.py no longer has {right!r}"
        text = text.replace(right, wrong)
    target = tmp_path / f"{bug.module}.py"
    target.write_text(text)
    what = settings(str(target), STORE_OPERATIONS, tmp_path, client=2)
    what = replace(what, schedule=from_text(FOUND[bug.name], what.declared.nodes))
    outcomes = (run(what, seed) for seed in range(4))
    assert any("no" in {one.verdict for one in found.judgements.values()} for found in outcomes)


def killed_server(kind: str, folder: Path) -> Settings:
    """Many keys, so that some are read again before they are written again."""
    what = settings(f"{ONE_PLACE}:{kind}", CLUSTERS / "one_place.ops", folder)
    planned = from_text("restart server-0 0.7-0.8; restart server-0 2-2.1", what.declared.nodes)
    return replace(what, schedule=planned, keys=40)


def test_what_a_node_says_is_written_outlives_it(tmp_path: Path) -> None:
    outcome = run(killed_server("durable", tmp_path))
    assert outcome.status == 0, told(outcome)
    assert outcome.counts["info"] > 0  # what was under way when the node was killed
    notes = read_history(outcome.histories["register"]).notes
    assert sum(note.text == "server-0 is killed" for _, note in notes) == 2


def test_what_does_not_reach_the_disk_is_lost_and_that_is_found(tmp_path: Path) -> None:
    outcomes = (run(killed_server("volatile", tmp_path), seed) for seed in range(4))
    assert any(found.judgements["register"].verdict == "no" for found in outcomes)


def test_who_is_not_answered_in_time_goes_on_as_another(tmp_path: Path) -> None:
    target = f"{ONE_PLACE}:durable"
    what = settings(target, CLUSTERS / "one_place.ops", tmp_path)
    schedule = from_text("pause server-0 0.5-2", what.declared.nodes)
    outcome = run(replace(what, seconds=3.0, schedule=schedule, patience=0.3))
    assert outcome.status == 0, told(outcome)
    operations = read_history(outcome.histories["register"]).operations
    unknown = {one.process for one in operations if one.outcome == "open"}
    assert len(unknown) >= what.clients
    for process in unknown:
        assert [one.outcome for one in operations if one.process == process][-1] == "open"


def test_no_progress_after_the_last_fault_is_a_failure(tmp_path: Path) -> None:
    what = settings(MULTIPAXOS, STORE_OPERATIONS, tmp_path)
    schedule = from_text("crash replica-0 0.5; crash replica-1 0.6", what.declared.nodes)
    outcome = run(replace(what, seconds=2.0, schedule=schedule, recovery=2.0))
    assert outcome.status == 1
    assert outcome.problems == [
        "12 of 12 clients were not answered within 2 s after the last fault"
    ]
    assert {one.verdict for one in outcome.judgements.values()} == {"yes"}


# ----------------------------------------------------------------- inserted coordination

SMALL: dict[str, dict[str, int]] = {
    "register": {}, "user_names": {}, "first_come_lock": {"client": 4},
}  # fmt: skip


def application(name: str, coordinate: bool, folder: Path) -> Settings:
    target = marked(str(PROGRAMS / f"{name}.py"), coordinate, "")
    operations = PROGRAMS / "data" / f"{name}.ops"
    return settings(target, operations, folder, **SMALL[name])


@pytest.mark.parametrize("name", SMALL)
def test_what_is_not_coordinated_is_found(name: str, tmp_path: Path) -> None:
    """Several seeds: which message comes first is up to the processes."""
    what = application(name, False, tmp_path)
    outcomes = (run(replace(what, seconds=4.0), seed) for seed in range(5))
    assert any("no" in {one.verdict for one in found.judgements.values()} for found in outcomes)


@pytest.mark.parametrize("name", ["sequenced", "replicated"])
def test_what_goes_through_one_order_holds(name: str, tmp_path: Path, fresh_seed: int) -> None:
    """Clients of the replicas themselves, which are killed under them."""
    target = f"{CLUSTERS / 'ordered_texts.py'}:{name}"
    what = settings(target, CLUSTERS / "ordered_texts.ops", tmp_path)
    outcome = run(what, fresh_seed)
    assert outcome.status == 0, told(outcome)


@pytest.mark.parametrize("name", SMALL)
def test_what_is_coordinated_holds(name: str, tmp_path: Path, fresh_seed: int) -> None:
    outcome = run(application(name, True, tmp_path), fresh_seed)
    assert outcome.status == 0, told(outcome)


# ----------------------------------------------------------------- the command


def command(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(bloomish, ["torture", *arguments], standalone_mode=False)
    if result.exception is not None:
        return 2, str(result.exception)
    return int(result.return_value), result.output


def test_the_command(tmp_path: Path) -> None:
    operations = str(CLUSTERS / "one_place.ops")
    arguments = [f"{ONE_PLACE}:durable", "--operations", operations, "--for", "1", "--runs", "2"]
    status, said = command(*arguments, "--faults", "none", "--format", "json")
    assert status == 0, said
    runs = [json.loads(line) for line in said.splitlines()]
    assert [one["seed"] for one in runs] == [0, 1]
    assert runs[0]["histories"][0]["verdict"] == "yes"
    assert runs[0]["files"] == {}
    status, said = command(
        arguments[0], *arguments[3:-2], "--histories", str(tmp_path), "--seed", "7"
    )
    assert status == 0, said
    assert said.startswith(f"seed 7: {to_text(faults.drawn(7, ['server-0'], ['server-0'], 0.75))}")
    assert "linearizable: " in said
    assert (tmp_path / "1-nodes-seed-7-register.jsonl").exists()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--operations", "/nowhere.ops"], "/nowhere.ops: "),
        (["--faults", "fire"], "--faults fire: there are restart, pause, partition, oneway"),
        (["--size", "server"], "--size server: write ROLE=N"),
        (["--size", "client=2"], "has no role 'client'"),
        (["--schedule", "drop server-0>server-0#1"], "is for the simulator"),
        (["--data", "/nowhere"], "there is no such folder"),
        (["--for", "nan"], "nan is no number of seconds"),
        (["--histories", __file__], "test_torture.py: File exists"),
        (["--schedule", "pause server-0 5-2"], "'pause server-0 5-2': it ends before it begins"),
    ],
)
def test_what_the_command_does_not_take(arguments: list[str], text: str) -> None:
    status, said = command(f"{ONE_PLACE}:durable", *arguments)
    assert status == 2
    assert text in said


@pytest.mark.parametrize(
    "asked",
    [
        Options("programs/register.py"),
        Options("my programs/cart.py:destructive --coordinate"),
        Options("programs/register.py --coordinate --with paxos --shards 2", sizes=("client=1",)),
        Options(
            "programs/bank.py --coordinate --with 2pc",
            operations=Path("a b.ops"),
            seconds=2.5,
            clients=2,
            patience=0.25,
            recovery=5.0,
            data=MEMORY,
            evaluator="reference",
        ),
    ],
    ids=lambda one: one.target,
)
@pytest.mark.parametrize("schedule", ["", "restart replica-0 1.2-2.0"])
def test_what_is_printed_asks_for_the_same_again(
    asked: Options, schedule: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[Options] = []
    monkeypatch.setattr("bloomish.runtime.verbs.torture.run", taken.append)
    outcome = Outcome(7, from_text(schedule, ("replica-0",)))
    program, verb, *arguments = shlex.split(again(asked, outcome))
    assert (program, verb) == ("bloomish", "torture")
    assert "--coordinate" in arguments or " --coordinate" not in asked.target
    CliRunner().invoke(bloomish, [verb, *arguments], standalone_mode=False, catch_exceptions=False)
    assert taken == [replace(asked, seed=7, schedule=to_text(outcome.schedule))]


def test_an_answer_that_the_model_does_not_have_keeps_the_history(tmp_path: Path) -> None:
    operations = tmp_path / "odd.ops"
    operations.write_text("model: text\nappend: write(id, key, value) -> written(id) = 7\n")
    status, said = command(
        f"{ONE_PLACE}:durable", "--operations", str(operations), "--for", "1", "--faults", "none",
        "--histories", str(tmp_path),
    )  # fmt: skip
    assert status == 1, said
    assert "history of the text, lines " in said
    assert "append of a text cannot have the value" in said
    assert (tmp_path / "1-nodes-seed-0-text.jsonl").exists()


def test_operations_are_needed() -> None:
    status, said = command("bloomish.programs.chat")
    assert status == 2
    assert "--operations FILE is needed: there is none of" in said


# ----------------------------------------------------------------- the campaign


@pytest.mark.campaign
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("replicas", [3, 5])
def test_twenty_runs_of_ten_seconds(replicas: int, tmp_path: Path) -> None:
    what = settings(MULTIPAXOS, STORE_OPERATIONS, tmp_path, replica=replicas, client=2)
    for seed in range(20):
        outcome = run(replace(what, seconds=10.0), seed)
        assert outcome.status == 0, told(outcome)

"""The world: same seed, same run; faults do what they say; what breaks is found and shrunk."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from bloomish.cli import run
from bloomish.errors import BloomishError
from bloomish.runtime import trace
from bloomish.runtime.sim.random_runs import Settings, campaign, run_seed
from bloomish.runtime.sim.rates import PRESETS, Rates, draw, parse_rates
from bloomish.runtime.sim.schedule import SECOND, Schedule, from_text, to_text
from bloomish.runtime.sim.shrink import shrink
from bloomish.runtime.sim.stage import Stage, stage_of
from bloomish.runtime.sim.workload import Insert
from bloomish.runtime.sim.world import World

PLANTED = Path(__file__).parent / "planted.py"
PROGRAMS = Path(__file__).parents[2] / "programs"


def planted(name: str) -> Stage:
    return stage_of(f"{PLANTED}:{name}")


def world(name: str, faults: str = "", seed: int = 0) -> World:
    stage = planted(name)
    return World(stage, seed, planned=from_text(faults, stage.nodes))


# ------------------------------------------------------------------ determinism


def test_a_schedule_replays_its_run() -> None:
    settings = Settings(planted("patient"), PRESETS["all"])
    for seed in range(8):
        first = run_seed(settings, seed)
        assert run_seed(settings, seed).trace_hash == first.trace_hash
        again = run_seed(settings, seed, from_text(to_text(first.schedule), settings.stage.nodes))
        assert again.trace_hash == first.trace_hash
    assert run_seed(settings, 1).trace_hash != run_seed(settings, 2).trace_hash


@pytest.mark.parametrize("evaluator", ["auto", "reference"])
def test_the_trace_hash_does_not_depend_on_the_hash_seed(evaluator: str) -> None:
    command = [sys.executable, "-m", "bloomish", "sim", str(PROGRAMS / "quorum.py"), "--seed", "3"]
    command += ["--faults", "all", "--format", "json", "--evaluator", evaluator]
    hashes = set()
    for seed in ("0", "1", "77"):
        done = subprocess.run(
            command,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
            text=True,
        )
        hashes.add(json.loads(done.stdout)["trace_hash"])
    assert len(hashes) == 1


def test_both_evaluators_take_the_same_run() -> None:
    stage = stage_of(str(PROGRAMS / "quorum.py"))
    rates = PRESETS["default"]
    one, other = (
        run_seed(Settings(stage, rates, which=which), 5) for which in ("auto", "reference")
    )
    assert one.trace_hash == other.trace_hash


def test_faults_are_text_and_back() -> None:
    nodes = ("a", "b", "c-0")
    for seed in range(20):
        faults = tuple(draw(PRESETS["all"], nodes, 5 * SECOND, seed))
        assert from_text(to_text(faults), nodes) == faults
    text = "drop a>b#3; duplicate a>b#3 +0.2; delay a>b#4 +1.5; split b>a#1"
    assert to_text(from_text(text, nodes)) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("drop a>b", "is not a fault"),
        ("crash x 1.0", "no node x"),
        ("pause a 1", "is not a fault"),
        ("pause a 2-1", "ends before it begins"),
        ("partition a|b 2-1", "ends before it begins"),
    ],
)
def test_wrong_faults(text: str, message: str) -> None:
    with pytest.raises(BloomishError, match=message):
        from_text(text, ("a", "b"))


@pytest.mark.parametrize("text", ["loss", "loss=2", "crash=0.5", "rain=1", "loss=x"])
def test_wrong_rates(text: str) -> None:
    with pytest.raises(BloomishError):
        parse_rates(text)


def test_later_rates_change_earlier_ones() -> None:
    assert parse_rates("network,loss=0.5").loss == 0.5
    assert parse_rates("loss=0.5,none") == Rates()


# ----------------------------------------------------------------------- faults


def asked(faults: str, until: float = 1.0) -> World:
    made = world("hasty", faults)
    made.insert("client-0", "want", [(7,)])
    made.run(int(until * SECOND))
    return made


def test_without_faults_messages_arrive() -> None:
    made = asked("")
    assert made.rows("server-0", "seen") == [(7,)] and made.rows("client-0", "done") == [(7,)]


def test_drop_duplicate_delay() -> None:
    assert asked("drop client-0>server-0#1").rows("server-0", "seen") == []
    assert asked("duplicate client-0>server-0#1 +0.1").messages == 3
    late = "delay client-0>server-0#1 +0.5"
    assert asked(late, 0.4).rows("server-0", "seen") == []
    assert asked(late, 0.6).rows("server-0", "seen") == [(7,)]


def test_partitions_cut_one_way_or_both() -> None:
    both = asked("partition client-0|server-0 0-0.5")
    assert both.rows("server-0", "seen") == [] and both.lost == 1
    back = asked("oneway server-0>client-0 0-0.5")
    assert back.rows("server-0", "seen") == [(7,)] and back.rows("client-0", "done") == []


def test_a_paused_node_takes_what_came_when_it_goes_on() -> None:
    faults = "pause server-0 0-0.5"
    assert asked(faults, 0.4).rows("server-0", "seen") == []
    assert asked(faults, 0.6).rows("server-0", "seen") == [(7,)]


def test_a_crash_leaves_durable_tables_and_a_lost_disk_nothing() -> None:
    for fault, left in (("restart", [(7,)]), ("losedisk", [])):
        made = world("patient", f"drop client-0>server-0#1; {fault} client-0 0.05-0.2")
        made.insert("client-0", "want", [(7,)])
        made.run(SECOND)
        assert made.rows("client-0", "open") == left
        assert made.rows("client-0", "done") == left


def test_a_crash_for_good_stays() -> None:
    made = world("patient", "crash server-0 0.0001")
    made.insert("client-0", "want", [(7,)])
    made.run(SECOND)
    made.heal()
    made.run(2 * SECOND)
    assert not made.actors["server-0"].up and made.rows("client-0", "done") == []


def test_clocks_are_skewed_and_jump() -> None:
    made = world("lease", "skew holder-0 +3; jump holder-0 0.5 -10")
    actor = made.actors["holder-0"]
    assert actor.clock(0) == 1_700_000_003.0
    made.run(SECOND)
    assert actor.clock(0) == 1_699_999_993.0


def test_healing_ends_partitions_and_brings_nodes_back() -> None:
    made = world("patient", "partition client-0|server-0 0-9; restart server-0 0.1-9")
    made.insert("client-0", "want", [(7,)])
    made.run(SECOND)
    assert made.rows("client-0", "done") == []
    made.heal()
    made.run(5 * SECOND)
    assert made.rows("client-0", "done") == [(7,)]


def test_dedalus_nodes_tick_at_every_step() -> None:
    stage = stage_of(str(PROGRAMS / "dedalus" / "broadcast_acknowledged.ded"), ("a", "b", "c"))
    made = World(stage)
    made.run(6 * SECOND)
    assert made.ticks == 18
    assert [made.rows(node, "log") for node in "abc"] == [[(n, "hello")] for n in "abc"]


# ----------------------------------------------------------------- what is found


def first_violation(name: str, faults: str, inserts: list[Insert], seeds: int = 200) -> Schedule:
    settings = Settings(planted(name), parse_rates(faults), inserts=inserts)
    *_, last = campaign(settings, range(seeds))
    assert last.violations, f"no violation of {name} in {seeds} seeds"

    def fails(candidate: object) -> bool:
        return bool(run_seed(settings, last.seed, tuple(candidate)).violations)  # type: ignore[arg-type]

    return tuple(shrink(last.schedule, fails))


WANT = [Insert(1, "client-0", "want", ((1,),))]
STAND = [Insert(n, f"candidate-{n}", "stand", ((1,),)) for n in (0, 1)]


def test_a_missing_retransmission_is_found_and_shrunk_to_one_loss() -> None:
    schedule = first_violation("hasty", "loss=0.2", WANT)
    assert len(schedule) == 1 and str(schedule[0]).startswith("drop ")


def test_a_volatile_promise_is_found_and_shrunk_to_one_restart() -> None:
    schedule = first_violation("forgetful", "default,restart=3", STAND)
    assert any(str(fault).startswith("restart voter-0") for fault in schedule)
    assert len(schedule) <= 3


def test_a_clock_set_back_is_found() -> None:
    inserts = [Insert(0, "holder-0", "grant", ((1,),))]
    inserts += [Insert(n * SECOND // 2, "holder-0", "check", ((1,),)) for n in range(1, 10)]
    schedule = first_violation("lease", "jump=2", inserts)
    assert [fault.kind for fault in schedule] == ["jump"]


def test_the_mended_programs_hold() -> None:
    for name, faults, inserts in (
        ("patient", "all,crash=0,losedisk=0", WANT),
        ("durable", "default,restart=3", STAND),
        ("lease", "network,restart=1,pause=1", [Insert(0, "holder-0", "grant", ((1,),))]),
    ):
        settings = Settings(planted(name), parse_rates(faults), inserts=inserts)
        assert not any(one.violations for one in campaign(settings, range(40)))


def test_shrinking_leaves_what_is_needed() -> None:
    found = shrink(list(range(30)), lambda some: {3, 17, 28} <= set(some))
    assert found == [3, 17, 28]
    assert shrink([1, 2, 3], lambda some: True) == []


# ----------------------------------------------------------------- command line


def test_the_command_finds_shrinks_and_replays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = f"{PLANTED}:hasty"
    record = tmp_path / "run.jsonl"
    arguments = ["sim", target, "--faults", "loss=0.3", "--rows", "1", "--format", "json"]
    assert run([*arguments, "--trace", str(record)]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["violations"] and len(report["schedule"]) >= 1
    replay = report["replay"]
    assert replay.startswith("bloomish sim ") and "--schedule" in replay
    assert run([*shlex.split(replay)[1:], "--format", "json"]) == 1
    again = json.loads(capsys.readouterr().out)
    assert again["trace_hash"] == report["trace_hash"]
    with record.open() as lines:
        records = list(trace.read(lines))
    assert isinstance(records[0], trace.RunRecord) and records[0].source == "simulator"
    assert any(isinstance(one, trace.Happening) and one.what == "lost" for one in records)


def test_the_command_is_quiet_about_what_holds(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["sim", str(PROGRAMS / "quorum.py"), "--seeds", "5"]) == 0
    assert "no property was violated" in capsys.readouterr().out


def test_wrong_input_is_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["sim", str(PROGRAMS / "quorum.py"), "--faults", "rain=1"]) == 2
    assert run(["sim", str(PROGRAMS / "dedalus" / "timeouts.ded")]) == 2
    assert "--nodes a,b,c" in capsys.readouterr().err


def test_nodes_of_dedalus_programs_are_where_their_facts_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = str(PROGRAMS / "dedalus" / "broadcast_naive.ded")
    assert run(["sim", path, "--seeds", "2", "--for", "30", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["nodes"] == ["a", "b", "c"]

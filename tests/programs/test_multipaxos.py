"""Multi-Paxos: one log everywhere, every command once, and answers that are linearizable."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bloomish.analysis import check
from bloomish.program import compile
from bloomish.programs.multipaxos import NO_OP, Replica
from bloomish.runtime.cluster import launch
from bloomish.runtime.evaluators import make_evaluator
from bloomish.runtime.sim.rates import Rates
from bloomish.runtime.sim.schedule import SECOND, from_text
from bloomish.runtime.sim.stage import Stage, stage_of
from bloomish.runtime.sim.world import World
from tests.programs.campaigns import FAULTS, Campaign, world
from tests.programs.loads import calls, deposed, duels, reads
from tests.programs.planted import Bug, found, planted
from tests.programs.planted.multipaxos import BUGS, READING_BUGS

TARGET = "bloomish.programs.multipaxos"
REPLICAS = ("replica-0", "replica-1", "replica-2")
RATES = replace(FAULTS, restart=14, loss=0.2)


@pytest.fixture(scope="module")
def stage() -> Stage:
    return stage_of(TARGET)


def campaign(stage: Stage) -> Campaign:
    return Campaign(stage, calls, RATES, ticks=5_000, plot=duels)


def reading(stage: Stage) -> Campaign:
    return Campaign(stage, reads, FAULTS, ticks=5_000, plot=deposed)


def started(stage: Stage, faults: str = "") -> World:
    """A leader has been found."""
    run = World(stage, 1, planned=from_text(faults, stage.nodes))
    run.run(SECOND // 5)
    return run


def append(run: World, number: int, session: int = 0, key: str = "k") -> None:
    call = (session, number, "append", key, f"{session}.{number} ", "")
    run.insert("client-0", "invoke", [call])


def stores(run: World) -> list[list[tuple[object, ...]]]:
    return [run.rows(node, "store") for node in REPLICAS if run.actors[node].up]


def test_the_verdicts() -> None:
    assert {one.word for one in check(TARGET).verdicts} == {"protocol"}


def test_a_register_and_a_lock(stage: Stage) -> None:
    run = started(stage)
    for number, (op, a, b) in enumerate(
        [
            ("get", "", ""),
            ("put", "x", ""),
            ("append", "y", ""),
            ("cas", "xy", "z"),
            ("get", "", ""),
        ]
    ):
        run.insert("client-0", "invoke", [(1, number, op, "register", a, b)])
    for session in (2, 3):
        run.insert("client-0", "invoke", [(session, 1, "cas", "lock", "", f"session {session}")])
    run.run(SECOND)
    answers = run.shown("client-0", "answer")
    assert [row[2:] for row in answers if row[0] == 1] == [
        (True, ""), (True, "x"), (True, "xy"), (True, "z"), (True, "z"),
    ]  # fmt: skip
    held = [row[2] for row in answers if row[0] in (2, 3)]
    assert held.count(True) == held.count(False) == 1  # one of the two has the lock
    assert stores(run)[0] == stores(run)[1] == stores(run)[2]


def test_a_batch_takes_one_round_trip(stage: Stage) -> None:
    """Of 50 commands that come together: one slot, one frame to each replica."""
    quiet = started(stage)
    quiet.run(SECOND // 4)
    run = started(stage)
    rows = [(session, 1, "append", "k", f"{session}.1 ", "") for session in range(50)]
    run.insert("client-0", "invoke", rows)
    run.run(SECOND // 4)
    assert len(run.shown("client-0", "answer")) == 50
    # request; accept, vote and decision, to or from the others; an answer per command
    assert run.messages - quiet.messages <= 1 + 3 * 2 + 50
    assert run.rows("replica-1", "applied") == [(51,)]
    assert run.rows("replica-1", "current") == [(2, 51)]


def test_a_leader_falls_and_the_next_goes_on(stage: Stage) -> None:
    run = started(stage, "crash replica-0 0.5")
    for number in range(1, 30):
        run.at(run.now + number * SECOND // 20, append, run, number)
    run.run(5 * SECOND)
    assert len(run.shown("client-0", "answer")) == 29
    words = "".join(f"0.{number} " for number in range(1, 30))
    assert stores(run) == [[("k", words)]] * 2


def test_who_was_away_is_brought_up_to_date(stage: Stage) -> None:
    """Briefly: by entries.  For long: the others have deleted what it lacks, and send an image."""
    for until, image in ((0.6, False), (3, True)):
        run = started(stage, f"restart replica-2 0.25-{until}")
        images = 0
        for number in range(1, 20):
            run.at(run.now + number * SECOND // 50, append, run, number)
        run.run(round((until - 0.05) * SECOND))
        if image:
            assert run.rows("replica-0", "log") == []
        run.run(round((until + 1.5) * SECOND))
        images += run.rows("replica-2", "applied") == [(20,)]
        assert images == 1
        assert stores(run) == [stores(run)[0]] * 3
        assert run.rows("replica-0", "sessions") == run.rows("replica-2", "sessions")


def test_the_log_is_deleted_when_all_have_applied_it(stage: Stage) -> None:
    run = started(stage)
    for number in range(1, 200):
        run.at(run.now + number * SECOND // 100, append, run, number, 0, f"k{number % 7}")
    run.run(4 * SECOND)
    for node in REPLICAS:
        assert run.rows(node, "applied") == [(200,)]
        for kept in ("log", "vote", "proposal", "tally", "promises", "queue", "line"):
            most = 1 if kept == "vote" else 0
            assert len(run.rows(node, kept)) <= most, f"{node} keeps {run.rows(node, kept)}"


def test_nobody_without_a_majority(stage: Stage) -> None:
    run = started(stage, "partition replica-0,client-0|replica-1,replica-2 0.25-3")
    run.run(SECOND // 2)
    append(run, 1)
    run.run(5 * SECOND // 2)
    assert run.shown("client-0", "answer") == []
    run.run(8 * SECOND)
    assert len(run.shown("client-0", "answer")) == 1


def test_an_acceptor_promises_nothing_to_whom_needs_what_it_has_deleted() -> None:
    made = compile(Replica)
    rosters = {"replica": REPLICAS, "client": ("client-0",)}
    acceptor = make_evaluator(made.program, made.externals, node="replica-1", rosters=rosters)
    acceptor.load({"promised": [((1, "x"),)], "vote": [(0, ((0, ""), NO_OP))], "floor": [(7,)],
                   "applied": [(20,)], "current": [(9, 18)]})  # fmt: skip
    acceptor.tick()
    acceptor.sends()
    for first, promises in ((6, 0), (7, 1)):
        ballot = (first, "replica-2")
        acceptor.insert("prepare", [("replica-1", ballot, "replica-2", first)])
        acceptor.tick()
        sent = [row for _, wire, row in acceptor.sends() if wire.endswith("promise")]
        assert len(sent) == promises


def test_an_image_may_be_cut_in_a_batch() -> None:
    """Two of four commands are in it; who installs it goes on with the third."""
    rosters = {"replica": REPLICAS, "client": ("client-0",)}
    made = compile(Replica)
    giver, taker = (
        make_evaluator(made.program, made.externals, node=node, rosters=rosters)
        for node in REPLICAS[:2]
    )
    commands = tuple(("client-0", n, 1, "append", "k", f"{n} ", "") for n in range(4))
    giver.load({"promised": [((0, ""),)], "vote": [(0, ((0, ""), NO_OP))], "floor": [(7,)],
                "log": [(7, (4, commands))], "applied": [(20,)], "current": [(7, 20)]})  # fmt: skip
    giver.tick()
    giver.insert("detector.beat", [(1,)])
    for _ in range(2):
        giver.tick()
    giver.insert("fetch", [("replica-0", "replica-1", 1)])
    giver.tick()
    (image,) = (row for _, wire, row in giver.sends() if wire.endswith("image"))
    assert image[:2] == ("replica-1", (22, 7, 20))
    taker.tick()
    taker.insert("image", [image])
    taker.insert("entry", [("replica-1", 7, (4, commands))])
    for replica in (giver, taker):
        while replica.tick().again:
            pass
        assert replica.contents("store") == [("k", "0 1 2 3 ")]
        assert replica.contents("applied") == [(24,)]
        assert replica.contents("current") == [(8, 24)]


def test_all_faults(fresh_seeds: list[int]) -> None:
    campaign(world("multipaxos")).holds([*range(6), *fresh_seeds])


def test_who_is_deposed_answers_no_reads(fresh_seeds: list[int]) -> None:
    reading(world("multipaxos")).holds([*range(6), *fresh_seeds])


def test_loss_alone_delays_and_nothing_else() -> None:
    Campaign(world("multipaxos"), calls, Rates(loss=0.4), 5_000).holds(range(2))


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_planted_bug_is_found(bug: Bug, tmp_path: Path) -> None:
    assert found(campaign(planted(bug, "multipaxos", tmp_path)), bug) is not None


@pytest.mark.parametrize("bug", READING_BUGS, ids=lambda bug: bug.name)
def test_a_planted_bug_of_reads_is_found(bug: Bug, tmp_path: Path) -> None:
    assert found(reading(planted(bug, "multipaxos", tmp_path)), bug) is not None


@pytest.mark.campaign
@pytest.mark.timeout(7_200)
@pytest.mark.parametrize("made", [campaign, reading])
def test_a_thousand_fresh_seeds(made: Callable[[Stage], Campaign]) -> None:
    made(world("multipaxos")).holds(range(10_000, 11_000))


def test_on_processes(tmp_path: Path) -> None:
    """Commands, the leader killed in between; every word stands once, on every replica."""

    async def session() -> None:
        async with launch(TARGET, data=tmp_path, restart="on-failure") as cluster:
            async with cluster.connect("client-0") as client:
                answers = client.watch("answer")
                for number in range(1, 31):
                    if number == 10:
                        cluster.kill("replica-0")
                    await client.insert("invoke", [(1, number, "append", "k", f"{number} ", "")])
                    assert (await answers.take(1))[0][:3] == (1, number, True)
            words = "".join(f"{number} " for number in range(1, 31))
            await cluster.wait_for("running", *REPLICAS)
            for node in REPLICAS:
                async with cluster.connect(node) as replica:
                    for _ in range(100):
                        if await replica.contents("store") == [("k", words)]:
                            break
                        await asyncio.sleep(0.1)
                    assert await replica.contents("store") == [("k", words)]

    asyncio.run(asyncio.wait_for(session(), 90))

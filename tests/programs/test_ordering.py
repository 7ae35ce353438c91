"""Ordering: one sequence at all replicas, every command once, as long as somebody wants it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from bloomish.analysis import check
from bloomish.runtime.cluster import launch
from bloomish.runtime.sim.explore.outcomes import by_decided_log, outcomes
from bloomish.runtime.sim.explore.space import Limits, explore
from bloomish.runtime.sim.rates import Rates
from bloomish.runtime.sim.schedule import SECOND, from_text
from bloomish.runtime.sim.workload import Insert
from bloomish.runtime.sim.world import World
from tests.programs.campaigns import FAULTS, WORLDS, Campaign, world
from tests.programs.ordering_loads import words, words_and_usurpers
from tests.programs.planted import Bug, found, planted
from tests.programs.planted.ordering import REPLICATED, SEQUENCED

MODULE = "bloomish.programs.ordering"
REPLICAS = ("replica-0", "replica-1", "replica-2")
# Who numbers all is one node: nothing goes on where that one never comes back.
COMES_BACK = replace(FAULTS, crash=0)
RATES = replace(FAULTS, restart=14, loss=0.2)


def campaign(cluster: str, path: Path | None = None, bug: Bug | None = None) -> Campaign:
    name = f"ordering:{cluster}"
    stage = world(name) if bug is None or path is None else planted(bug, name, path)
    if cluster == "sequenced":
        return Campaign(stage, words, COMES_BACK)
    return Campaign(stage, words_and_usurpers, RATES, ticks=5_000)


def started(cluster: str, faults: str = "") -> World:
    """Whoever leads leads."""
    stage = world(f"ordered:{cluster}")
    run = World(stage, 1, planned=from_text(faults, stage.nodes))
    run.run(SECOND // 5)
    return run


def say(run: World, *words: str) -> None:
    say_at(run, "speaker-0", *words)


def say_at(run: World, node: str, *words: str) -> None:
    run.insert(node, "say", [(word,) for word in words])


def registers(run: World) -> list[str]:
    """Of all replicas that are up."""
    return [
        str(run.rows(node, "register")[0][0])
        for node in run.stage.nodes
        if node.startswith("replica") and run.actors[node].up
    ]


@pytest.mark.parametrize(
    "name",
    ["Outbox", "Sequenced", "SequencedPeer", "DetectingOutbox", "Replicated", "ReplicatedPeer"],
)
def test_the_verdicts(name: str) -> None:
    found = {one.word for one in check(f"{MODULE}:{name}").verdicts}
    assert found <= {"protocol", "ordered", "monotone"}


def test_what_is_made_of_delivered_commands_is_ordered() -> None:
    for cluster in ("three", "replicated"):
        verdicts = check(f"{WORLDS / 'ordered.py'}:{cluster}").verdicts
        words = {one.collection: one.word for one in verdicts}
        assert words["replica.register"] == words["replica.heard"] == "ordered"


# ------------------------------------------------------------------ one order


@pytest.mark.parametrize("cluster", ["alone", "three", "replicated"])
def test_commands_are_delivered_once_in_one_order(cluster: str) -> None:
    run = started(cluster)
    say(run, "a", "b")
    say(run, "c")
    run.run(SECOND)
    assert set(registers(run)) == {"abc"}
    assert run.shown("replica-0", "heard") == [("a",), ("b",), ("c",)]


@pytest.mark.parametrize("cluster", ["alone", "three", "replicated"])
def test_equal_commands_of_two_ticks_are_two(cluster: str) -> None:
    """And each is an event, though they come together and nothing comes in between."""
    replicas = "replica-0" if cluster == "alone" else ",".join(REPLICAS)
    run = started(cluster, f"partition speaker-0|{replicas} 0.2-0.5")
    for number in (1, 2, 3):
        run.at(run.now + number * SECOND // 50, say, run, "a")
    run.run(SECOND // 2)
    assert set(registers(run)) == {""}
    run.run(2 * SECOND)
    assert set(registers(run)) == {"aaa"}
    assert run.shown("replica-0", "heard") == [("a",)] * 3


def test_what_is_kept_is_delivered_once_while_it_is_wanted() -> None:
    """Also when the node has been down in between; when it is wanted again, once more."""
    run = started("wishers", "restart wisher-0 0.5-1")
    say_at(run, "wisher-0", "a")
    run.run(2 * SECOND)
    assert registers(run) == ["a"] * 2
    run.insert("wisher-0", "unsay", [("a",)])
    run.run(3 * SECOND)
    assert registers(run) == ["a"] * 2 and run.rows("wisher-0", "order.kept") == []
    say_at(run, "wisher-0", "a")
    run.run(4 * SECOND)
    assert registers(run) == ["aa"] * 2


def test_what_is_wanted_is_delivered_though_the_node_fell_before_it_could_say_so() -> None:
    run = started("wishers", "partition wisher-0|replica-0,replica-1 0.2-1; restart wisher-0 0.5-1")
    run.at(SECOND // 4, say_at, run, "wisher-0", "a")
    run.run(SECOND)
    assert registers(run) == [""] * 2
    run.run(3 * SECOND)
    assert registers(run) == ["a"] * 2


def test_replicas_may_submit_too() -> None:
    run = started("peers")
    say_at(run, "replica-0", "a")
    say_at(run, "replica-1", "b")
    run.run(SECOND)
    assert registers(run) in (["ab"] * 2, ["ba"] * 2)


@pytest.mark.parametrize("cluster", ["race_alone", "race", "replicated_race"])
def test_a_command_that_cannot_be_carried_out_is_passed_over_everywhere(cluster: str) -> None:
    """And no node stops; nor does it come again."""
    run = started(cluster)
    for number, claim in enumerate([("x", "a"), ("x", "b"), ("y", "b"), ("x", "c"), ("z", "c")]):
        run.at(run.now + number * SECOND // 50, run.insert, "claimer-0", "claim", [claim])
    run.run(2 * SECOND)
    for node in run.stage.nodes:
        if node.startswith("replica"):
            assert run.rows(node, "owners") == [("x", "a"), ("y", "b"), ("z", "c")]
            assert run.actors[node].shelf.total == 0
    assert run.rows("claimer-0", "order.outstanding") == [] and run.violations == []


def test_commands_that_fail_together_are_passed_over_one_by_one() -> None:
    for cluster in ("race", "replicated_race"):
        run = started(cluster, "partition claimer-0|replica-0,replica-1 0.2-0.4")
        for number in range(10):
            claims = [(name, str(number)) for name in "xyz"]
            run.at(run.now + number * SECOND // 100, run.insert, "claimer-0", "claim", claims)
        run.run(3 * SECOND)
        owners = [run.rows(node, "owners") for node in run.stage.nodes if node[:7] == "replica"]
        assert [len(rows) for rows in owners] == [3] * len(owners)
        assert all(rows == owners[0] for rows in owners)


# ------------------------------------------------------------------ prices


@pytest.mark.parametrize(("cluster", "per_command"), [("alone", 2), ("three", 6)])
def test_messages_per_command_with_a_sequencer(cluster: str, per_command: int) -> None:
    """Submission and acceptance; entry and receipt for every other replica: 2n."""
    run = started(cluster)
    before = run.messages
    for number in range(50):
        run.at(run.now + number * SECOND // 20, say, run, "a")
    run.run(5 * SECOND)
    assert run.messages - before == 50 * per_command


def test_messages_of_a_batch_with_consensus() -> None:
    """For a slot: accept, vote and decision for every other replica.  What a tick sends to one node
    is one message, so 50 submissions are one, and their acceptances, one per tick, are 50."""
    quiet = started("replicated")
    quiet.run(SECOND // 4)
    run = started("replicated")
    say(run, *(f"{number} " for number in range(50)))
    run.run(SECOND // 4)
    assert len(registers(run)[0].split()) == 50
    assert run.messages - quiet.messages == 1 + 3 * 2 + 50


def test_nothing_is_remembered_for_ever() -> None:
    for cluster in ("three", "replicated"):
        run = started(cluster)
        for number in range(300):
            run.at(run.now + number * SECOND // 200, say, run, "a")
        run.run(4 * SECOND)
        assert set(registers(run)) == {"a" * 300}
        kept = {"seen": 5, "lows": 1, "log": 64, "unstored": 0, "waiting": 0, "proposed": 0}
        kept |= {"log.log": 0}
        for node in REPLICAS:
            for one in run.stage.member(node).program.collections:
                most = kept.get(one.name.removeprefix("order."))
                if most is not None:
                    rows = run.rows(node, one.name)
                    assert len(rows) <= most, f"{node} keeps {one.name}: {rows}"
        assert run.rows("speaker-0", "order.outstanding") == []


def test_what_is_under_way_at_once_is_bounded() -> None:
    """So that what gathers while nobody leads comes in frames that are not too large."""
    run = started("replicated", f"partition speaker-0|{','.join(REPLICAS)} 0.2-0.4")
    run.at(SECOND // 4, say, run, *(f"{number} " for number in range(2_500)))
    waited = set()
    for time in range(40, 120):
        run.run(time * SECOND // 100)
        waited.add(len(run.rows("replica-0", "order.waiting")))
    assert max(waited) <= 1_000
    run.run(4 * SECOND)
    assert sorted(registers(run)[0].split(), key=int) == [str(number) for number in range(2_500)]
    assert len(set(registers(run))) == 1


# ------------------------------------------------------------------ who falls


def test_nothing_goes_on_without_the_sequencer_and_all_goes_on_with_it() -> None:
    run = started("three", "restart replica-0 0.3-2")
    run.run(SECOND // 2)
    say(run, "a")
    run.run(2 * SECOND)
    assert run.rows("replica-1", "register") == [("",)]
    run.run(5 * SECOND)
    assert registers(run) == ["a"] * 3


def test_another_replica_leads_when_the_leader_has_fallen() -> None:
    run = started("replicated", "crash replica-0 0.5")
    text = ""
    for number in range(30):
        run.at(run.now + number * SECOND // 20, say, run, f"{number} ")
        text += f"{number} "
    run.run(6 * SECOND)
    assert [sorted(one.split()) for one in registers(run)] == [sorted(text.split())] * 2
    assert len(set(registers(run))) == 1


def test_who_was_away_gets_an_image_with_what_was_seen() -> None:
    run = started("replicated", "restart replica-2 0.25-3")
    for number in range(30):
        run.at(run.now + number * SECOND // 40, say, run, "a")
    run.run(29 * SECOND // 10)
    assert run.rows("replica-0", "order.log.log") == []
    run.run(6 * SECOND)
    assert registers(run) == ["a" * 30] * 3
    for remembered in ("order.seen", "order.lows"):
        assert run.rows("replica-2", remembered) == run.rows("replica-0", remembered)


# ------------------------------------------------------------------ every schedule


@pytest.mark.parametrize(
    ("cluster", "crashes", "states"),
    [("alone", 0, 341), ("alone", 1, 1_925), ("speakers", 0, 13_967)],
)
def test_schedules_with_equal_logs_end_equally(cluster: str, crashes: int, states: int) -> None:
    """All of them: two who say a word each, at the same time."""
    stage = world(f"ordered:{cluster}")
    who = stage.nodes[-2:]
    inserts = [Insert(0, node, "say", ((word,),)) for node, word in zip(who, "xy", strict=True)]
    space = explore(stage, inserts, Limits(duplicates=0, crashes=crashes))
    ends = outcomes(space)
    assert not space.bounded and not space.violations
    assert all(len(group) == 1 for group in by_decided_log(space, ends).values())
    assert len(space.states) <= states
    texts = {
        tuple(one.rows(node, "register") for node in stage.nodes if node.startswith("replica"))
        for one in ends
    }
    assert all(len(set(registers)) == 1 for registers in texts)
    if not crashes:
        assert {registers[0] for registers in texts} == {(("xy",),), (("yx",),)}


# ------------------------------------------------------------------ campaigns


@pytest.mark.parametrize("cluster", ["sequenced", "replicated"])
def test_all_faults(cluster: str, fresh_seeds: list[int]) -> None:
    campaign(cluster).holds([*range(6), *fresh_seeds])


@pytest.mark.parametrize("cluster", ["sequenced", "replicated"])
def test_loss_alone_delays_and_nothing_else(cluster: str) -> None:
    Campaign(world(f"ordering:{cluster}"), words, Rates(loss=0.4), 5_000).holds(range(2))


@pytest.mark.parametrize("bug", SEQUENCED, ids=lambda bug: bug.name)
def test_a_bug_planted_in_the_sequencer_is_found(bug: Bug, tmp_path: Path) -> None:
    assert found(campaign("sequenced", tmp_path, bug), bug) is not None


@pytest.mark.parametrize("bug", REPLICATED, ids=lambda bug: bug.name)
def test_a_bug_planted_in_the_replicas_is_found(bug: Bug, tmp_path: Path) -> None:
    assert found(campaign("replicated", tmp_path, bug), bug) is not None


@pytest.mark.campaign
@pytest.mark.timeout(7_200)
@pytest.mark.parametrize("cluster", ["sequenced", "replicated"])
def test_a_thousand_fresh_seeds(cluster: str) -> None:
    campaign(cluster).holds(range(10_000, 11_000))


# ------------------------------------------------------------------ processes


@pytest.mark.parametrize(
    ("cluster", "killed"), [("three", "replica-2"), ("replicated", "replica-0")]
)
def test_on_processes(cluster: str, killed: str, tmp_path: Path) -> None:
    """Words, a replica killed in between; every replica has all of them, once, in one order."""

    async def session() -> None:
        target = f"{WORLDS / 'ordered.py'}:{cluster}"
        async with launch(target, data=tmp_path, restart="on-failure") as running:
            async with running.connect("speaker-0") as speaker:
                for number in range(20):
                    if number == 10:
                        running.kill(killed)
                    await speaker.insert("say", [(f"{number} ",)])
                    await asyncio.sleep(0.02)
            await running.wait_for("running", *REPLICAS)
            texts: list[str] = []
            for _ in range(150):
                texts = []
                for node in REPLICAS:
                    async with running.connect(node) as replica:
                        texts.append(str((await replica.contents("register"))[0][0]))
                if {len(text.split()) for text in texts} == {20}:
                    break
                await asyncio.sleep(0.1)
            assert len(set(texts)) == 1
            assert sorted(texts[0].split(), key=int) == [str(number) for number in range(20)]

    asyncio.run(asyncio.wait_for(session(), 90))

"""The applications with their coordination inserted: no flag, no fault, one end for a log."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from itertools import product

import pytest

from bloomish import ir
from bloomish.analysis.coordinate import coordinate, deployed_of
from bloomish.cluster import CompiledCluster
from bloomish.runtime.cluster import launch
from bloomish.runtime.sim.checkers import until_quiet
from bloomish.runtime.sim.explore.outcomes import by_decided_log, outcomes
from bloomish.runtime.sim.explore.space import Limits, explore
from bloomish.runtime.sim.random_runs import SAFETY
from bloomish.runtime.sim.rates import Rates, draw, parse_rates
from bloomish.runtime.sim.stage import Stage, stage_of
from bloomish.runtime.sim.world import World
from tests.programs.application_loads import LOADS
from tests.programs.applications import APPLICATIONS, Application
from tests.programs.plans import file_of, plan_of

FAULTS = parse_rates("default,restart=2,pause=1")
TICKS = 20_000
RECOVERY = 6_000

every = pytest.mark.parametrize("application", APPLICATIONS, ids=lambda one: one.name)


@every
def test_the_plan(application: Application) -> None:
    assert plan_of(application.target) == file_of(application.target).read_text()


@every
def test_the_flag_is_gone(application: Application) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bloomish", "check", application.target, "--coordinate"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def without_rules(deployed: CompiledCluster) -> set[str]:
    """The channels that no rule of any role names."""
    programs = [role.program for role in deployed.deployment.roles]
    wires = {
        (program.name, one.name): one.wire
        for program in programs
        for one in program.collections
        if one.kind == "channel"
    }
    named = {
        (program.name, name)
        for program in programs
        for rule in program.rules
        for name in (rule.head, *(p.collection for p in rule.body if isinstance(p, ir.Atom)))
    }
    return set(wires.values()) - {wire for key, wire in wires.items() if key in named}


@every
def test_no_channel_is_left_without_rules(application: Application) -> None:
    """Else the explorer and the simulator would make up rows for it, as for a host's channel."""
    made = coordinate(application.target)
    assert without_rules(made.deployed) <= without_rules(deployed_of(application.target))


def run(application: Application, stage: Stage, seed: int, faults: Rates = FAULTS) -> World:
    """A campaign: acts under the faults of a seed, then what it takes to recover."""
    world = World(stage, seed, faults, draw(faults, stage.nodes, SAFETY, seed))
    chance = random.Random(f"load/{seed}")
    load = LOADS[application.name](chance)
    times = sorted(chance.randrange(SAFETY) for _ in load)
    for time, (node, collection, row) in zip(times, load, strict=True):
        world.at(time, world.insert, node, collection, [row])
    world.run(SAFETY, TICKS)
    world.heal()
    for node, collection, row in application.ends:
        world.insert(node, collection, [row])
    until_quiet(world, RECOVERY)
    return world


def campaign(application: Application, seeds: Sequence[int]) -> None:
    stage = stage_of(f"{application.target} --coordinate")
    for seed in seeds:
        world = run(application, stage, seed)
        assert not application.wrong(world), f"seed {seed}: {world.violations[:3]}"
        assert world.set_aside == 0, f"seed {seed}"


@every
def test_no_fault_breaks_it(application: Application) -> None:
    campaign(application, range(4))


@pytest.mark.campaign
@every
def test_no_fault_breaks_it_in_many_seeds(application: Application) -> None:
    campaign(application, range(1_000, 1_300))


def named(name: str) -> Application:
    return next(one for one in APPLICATIONS if one.name == name)


def test_a_refusal_that_was_told_is_kept_when_the_coordinator_falls() -> None:
    """Found by a campaign: what it had open came again under a new ticket, and was committed."""
    bank = named("bank")
    world = run(bank, stage_of(f"{bank.target} --coordinate"), 2023)
    assert world.shown("teller-0", "uncovered") and not world.violations


def test_money_is_neither_made_nor_lost() -> None:
    bank = named("bank")
    stage = stage_of(f"{bank.target} --coordinate")
    moved = 0
    for seed in range(4):
        world = run(bank, stage, seed)
        drawn, paid = (
            {(row[0], row[2]) for node in ("bank-0", "bank-1") for row in world.rows(node, name)}
            for name in ("drawn", "paid")
        )
        assert drawn == paid, f"seed {seed}"
        moved += len(drawn)
    assert moved > 20


def test_totals_are_exact() -> None:
    application = named("word_count")
    stage = stage_of(f"{application.target} --coordinate")
    for seed in range(4):
        world = run(application, stage, seed, parse_rates("network,pause=1"))
        words: Counter[tuple[str, str]] = Counter()
        for _, _, (job, _, text) in LOADS["word_count"](random.Random(f"load/{seed}")):
            words.update((job, word) for word in str(text).split())
        totals = [row for node in stage.nodes[2:] for row in world.shown(node, "total")]
        assert {(job, word): times for job, word, times in totals} == words, f"seed {seed}"
        assert len(totals) == len(words)


def test_what_is_collected_is_what_no_root_reaches() -> None:
    application = named("garbage")
    stage = stage_of(f"{application.target} --coordinate")
    swept = 0
    for seed in range(4):
        world = run(application, stage, seed, parse_rates("network,pause=1"))
        acts = LOADS["garbage"](random.Random(f"load/{seed}"))
        alive = {row[0] for _, collection, row in acts if collection == "pin"}
        for _ in acts:
            alive |= {r[2] for _, name, r in acts if name == "refer" and r[0] in alive}
        garbage = {row[0] for _, name, row in acts if name == "make"} - alive
        collected = {row[0] for node in stage.nodes for row in world.rows(node, "collected")}
        assert collected == garbage, f"seed {seed}"
        swept += len(collected)
    assert swept > 4


@every
def test_nothing_goes_wrong_in_the_story(application: Application) -> None:
    """Where the program alone went wrong, in the same world and in others."""
    stage = stage_of(f"{application.target} --coordinate")
    for seed in range(application.seed, application.seed + 3):
        world = application.played(stage, seed, application.ends)
        assert not application.wrong(world), f"seed {seed}"
        assert application.answered(world), f"seed {seed}"


@every
def test_exploration(application: Application) -> None:
    """In every schedule the replicas agree, and equal logs end equally; after a seal there is one
    end.  Where a bound cuts it short (transactions, and timers that fire for ever), in all that
    were seen."""
    stage = stage_of(f"{application.target} --coordinate", log="contract")
    acts = application.small or application.acts[: application.explored]
    inserts = application.inserts([*acts, *application.explored_ends(acts)])
    space = explore(stage, inserts, Limits(states=25_000, duplicates=0))
    assert not space.violations
    found = outcomes(space)
    assert len(found) == application.outcomes
    assert all(len(group) == 1 for group in by_decided_log(space, found).values())
    replicas = [node for node in stage.nodes if node.rpartition("-")[0] == application.role]
    for outcome in found:
        for name in application.agree:
            assert len({outcome.rows(node, name) for node in replicas}) == 1


@every
def test_replicas_agree_on_processes(application: Application) -> None:
    async def run() -> tuple[dict[str, list[object]], set[str]]:
        async with launch(f"{application.target} --coordinate") as cluster, AsyncExitStack() as all:
            hosts = {
                node: await all.enter_async_context(cluster.connect(node))
                for node in cluster.members
            }
            watches = [
                (name, host.watch(name))
                for host, name in product(hosts.values(), application.answers)
                if name in host.collections
            ]
            for node, collection, row in (*application.acts, *application.ends):
                await hosts[node].insert(collection, [row])
            await asyncio.sleep(1.5)
            held = {
                node: [await host.contents(name) for name in application.agree]
                for node, host in hosts.items()
                if node.rpartition("-")[0] == application.role
            }
            return held, {name for name, watch in watches if watch.ready()}

    held, answered = asyncio.run(asyncio.wait_for(run(), 60))
    assert len({repr(one) for one in held.values()}) <= 1, held
    assert answered == set(application.answers)


def ldfi(target: str, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bloomish", "ldfi", target, "--eot", "8", *options]
    return subprocess.run(command, capture_output=True, text=True)


def test_faults_chosen_by_lineage_find_two_owners_and_with_a_log_none() -> None:
    names = "bloomish.programs.user_names"
    broken = ldfi(names, "--eff", "3")
    assert broken.returncode == 1 and "two_owners" in broken.stdout
    certified = ldfi(names, "--coordinate", "--eff", "2", "--crashes", "1")
    assert certified.returncode == 0 and "certified" in certified.stdout, certified.stdout

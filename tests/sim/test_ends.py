"""Hosts that say when they have no more: at the end of what is made up, fed or explored."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from bloomish import Address, Any, Cluster, Program, assume, input, output, table, variables
from bloomish.elaborate import Compiled, compiled
from bloomish.runtime.cluster import launch
from bloomish.runtime.ends import Ends, endings
from bloomish.runtime.evaluator import Row
from bloomish.runtime.feeds import parse_feed
from bloomish.runtime.sim.explore.outcomes import outcomes
from bloomish.runtime.sim.explore.space import Limits, explore
from bloomish.runtime.sim.stage import Stage, stage_of_target
from bloomish.runtime.sim.workload import Insert, fed, make_up, systematic
from bloomish.targets import Target

ROOT = Path(__file__).parents[2]
WORD_COUNT = str(ROOT / "programs" / "word_count.py")
MICRO = str(ROOT / "tests" / "programs" / "micro" / "asking.py")

k, n, why = variables("k n why")


class Shop(Program):
    """Ends by session, with a reason; what comes later is too late."""

    do = input(session=str, number=int)
    look = input(number=int)
    finished = input(session=str, reason=str, urgent=bool, level=int, weight=float)
    assume("ends", finished, key="session")

    over = table(session=str)
    done = table(session=str, number=int)
    late = output(session=str, number=int)

    over(k) <= finished(session=k)
    done(k, n) <= do(k, n)
    late(k, n) <= do(k, n) & over(k)


class Closing(Program):
    """Ends as a whole, at an address that nobody can make up."""

    do = input(number=int)
    closed = input(by=Address)
    given = input(value=Any)
    assume("ends", closed)

    kept = table(number=int)
    kept(n) <= do(n)


cluster = Cluster(shop=Shop * 2, closing=Closing)


def stage() -> Stage:
    return stage_of_target(Target("made", _programs(), cluster.compile()))


def _programs() -> tuple[Compiled, ...]:
    return tuple(compiled(role.program) for role in cluster.roles.values())


def lasts(inserts: Sequence[Insert]) -> list[tuple[str, str, Row]]:
    """What comes at the end, and nothing but that."""
    names = ("finished", "closed")
    found = [(one.node, one.collection, one.rows[0]) for one in inserts if one.collection in names]
    assert [one.collection in names for one in inserts] == sorted(
        one.collection in names for one in inserts
    )
    latest = max(one.time for one in inserts)
    assert all(one.time == latest for one in inserts if one.collection in names)
    return found


def test_the_inputs_that_end() -> None:
    (ending,) = endings(Shop.ir)
    assert ending.collection.name == "finished"
    assert ending.row(("a",)) == ("a", "", True, 0, 0.0)
    (ending,) = endings(Closing.ir)
    assert ending.row(()) is None


def test_every_partition_ends_at_every_node() -> None:
    made = systematic(stage(), 2)
    assert [one.collection for one in made].count("do") == 6
    assert lasts(made) == [
        (node, "finished", ("x", "", True, 0, 0.0)) for node in ("shop-0", "shop-1")
    ]
    drawn = make_up(stage(), 3, 4, 1_000)
    sessions = sorted({one.rows[0][0] for one in drawn if one.node[:4] == "shop" and
                       one.collection == "do"})  # fmt: skip
    assert lasts(drawn) == [
        (node, "finished", (session, "", True, 0, 0.0))
        for node in ("shop-0", "shop-1")
        for session in sessions
    ]


def test_who_ends_by_himself_is_not_ended() -> None:
    ends = Ends({"shop-0": Shop.ir, "shop-1": Shop.ir})
    ends.note("shop-0", "do", [("a", 1), ("b", 1), ("a", 2)])
    ends.note("shop-0", "look", [(7,)])
    ends.note("shop-1", "finished", [("c", "tired", True, 0, 0.0)])
    rows = tuple((session, "", True, 0, 0.0) for session in "ab")
    assert ends.rows(["shop-0", "shop-1"]) == [("shop-0", "finished", rows)]


def test_an_exploration_takes_the_end_last() -> None:
    space = explore(stage(), systematic(stage(), 2), Limits())
    assert not space.bounded
    (outcome,) = outcomes(space)
    assert not [name for _, name, _ in outcome.content if name == "late"]


def test_a_file_ends_what_it_feeds(tmp_path: Path) -> None:
    path = tmp_path / "lines.csv"
    path.write_text("job,number,text\na,1,x y\na,2,x\nb,1,z\n")
    from bloomish.runtime.coordinated import load

    sealed = stage_of_target(load(f"{WORD_COUNT} --coordinate --with seal"))
    assert sealed.declared is not None
    inserts = fed([parse_feed(f"line={path}", sealed.declared)], 1_000, sealed)
    assert [(one.node, one.rows) for one in inserts if one.collection == "seal.end"] == [
        (node, ((job,),)) for node in ("mapper-0", "mapper-1") for job in "ab"
    ]


def bloomish(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bloomish", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=180,
    )


LINES = "job,number,text\na,1,the cat and the dog\na,2,a dog\na,3,the end\nb,1,cat\n"
TOTALS = {
    ("a", "the", 3), ("a", "cat", 1), ("a", "and", 1), ("a", "dog", 2), ("a", "a", 1),
    ("a", "end", 1), ("b", "cat", 1),
}  # fmt: skip


def test_word_count_on_processes_says_exact_totals_once(tmp_path: Path) -> None:
    path = tmp_path / "lines.csv"
    path.write_text(LINES)
    done = bloomish(
        "run", WORD_COUNT, "--coordinate", "--with", "seal", "--feed", f"line={path}",
        "--until-quiet", "--data", str(tmp_path / "data"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = sorted(line.split("  ")[1] for line in done.stdout.splitlines())
    assert lines == sorted(f'total("{job}", "{word}", {n})' for job, word, n in TOTALS)


def test_word_count_on_processes_that_are_killed(tmp_path: Path) -> None:
    """A mapper and a reducer fall between the lines and the end, and come back from their disks."""

    async def session() -> list[Row]:
        target = f"{WORD_COUNT} --coordinate --with seal"
        async with launch(target, data=tmp_path / "data") as cluster:
            for n in range(2):
                async with cluster.connect(f"mapper-{n}") as mapper:
                    await mapper.insert("line", [("a", 10 * n + i, "x y x") for i in range(5)])
            fallen = ("mapper-1", "reducer-0", "reducer-1")
            for name in fallen:
                cluster.kill(name)
            await cluster.wait_for("dead", *fallen)
            for name in fallen:
                await cluster.restart(name)
            await cluster.wait_for("running", *fallen)
            for n in range(2):
                async with cluster.connect(f"mapper-{n}") as mapper:
                    await mapper.insert("seal.end", [("a",)])
            await cluster.quiet()
            totals: list[Row] = []
            for n in range(2):
                async with cluster.connect(f"reducer-{n}") as reducer:
                    totals += await reducer.contents("total")
            return totals

    totals = asyncio.run(asyncio.wait_for(session(), 180))
    assert sorted(totals) == [("a", "x", 20), ("a", "y", 10)]


def test_the_standard_input_ends_too() -> None:
    rows = "".join(f"[{n}]\n" for n in range(7))
    done = bloomish(
        "run", f"{MICRO}:passing", "--coordinate", "--feed", "giver:give=-", "--until-quiet",
        "--watch", "total", stdin=rows,
    )  # fmt: skip
    assert done.stdout == "taker-0  total(7)\n", done.stderr


@pytest.mark.parametrize(("verb", "options"), [("sim", ["--seeds", "3"]), ("explore", [])])
def test_other_verbs_end_what_they_make_up(verb: str, options: list[str]) -> None:
    done = bloomish(verb, f"{MICRO}:single", "--coordinate", *options)
    assert done.returncode == 0, done.stdout + done.stderr
    if verb == "explore":
        assert "given: giver-0: seal.end(True,)" in done.stdout
        assert "1 outcome(s)" in done.stdout

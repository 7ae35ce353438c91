"""Clusters of real processes: life, death, hosts, views, timers, durable tables, TLS."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from bloomish.runtime.cluster import StartFailed, launch
from bloomish.runtime.evaluators import engine_built
from bloomish.runtime.host import Change, HostFault, NodeGone, connect
from tests.runtime.nodes.certificates import write_certificates
from tests.runtime.nodes.support import HERE, WEATHER, Peer, counted, counter, going, until

EVALUATORS = ["reference", *(["engine"] if engine_built() else [])]
TIMERS = str(HERE / "timers.py")


async def say(cluster_node: object, *numbers: int, text: str = "fine") -> None:
    await cluster_node.insert("say", [("receiver-0", n, text) for n in numbers])  # type: ignore[attr-defined]


# ------------------------------------------------------------------ the hosts


@going
async def test_every_reader_gets_all_and_a_late_reader_of_a_view_sees_it_whole() -> None:
    async with launch(WEATHER) as cluster:
        async with cluster.connect("receiver-0") as receiver, cluster.connect("sender-0") as sender:
            early = await receiver.changes("shown")
            events = await receiver.watch("heard")
            await say(sender, 1, 2)
            assert {one.row for one in await early.take(2)} == {(1, "fine"), (2, "fine")}
            await receiver.insert("forget", [(1,)])
            (gone,) = await early.take(1)
            assert (gone.row, gone.added, gone.first) == ((1, "fine"), False, False)
            async with cluster.connect("receiver-0") as another:
                late = await another.changes("shown")
                late_events = await another.watch("heard")
                assert [(c.row, c.added, c.first) for c in await late.take(1)] == [
                    ((2, "fine"), True, True)
                ]
                await say(sender, 3)
                for watch in (early, late):
                    (change,) = await watch.take(1)
                    assert change == Change((3, "fine"), True, change.tick, False)
                assert await late_events.take(1) == [("sender-0", 3, "fine")]
            assert sorted(await events.take(3))[2] == ("sender-0", 3, "fine")
            await early.close()
            assert [row async for row in early] == []


@going
async def test_an_insert_larger_than_a_message_arrives_whole() -> None:
    async with launch(f"{HERE / 'failing.py'}:Failing") as cluster:
        async with cluster.connect("failing-0") as node:
            await node.insert("note", [(n, "x" * 1000) for n in range(20_000)])
            rows = await node.contents("notes")
            assert len(rows) == 20_000
            watch = node.watch("shown")
            assert len(await watch.take(20_000)) == 20_000


@going
async def test_connecting_where_nobody_is_says_so() -> None:
    with pytest.raises(NodeGone, match="cannot be reached"):
        await connect("127.0.0.1:1")
    with pytest.raises(NodeGone, match="host:port"):
        await connect("replica-0")
    async with launch(WEATHER) as cluster:
        with pytest.raises(NodeGone, match="no node 'mallory-0'"):
            await cluster.connect("mallory-0")


@going
async def test_requests_that_make_no_sense_get_an_answer_or_a_closed_door() -> None:
    async with launch(WEATHER) as cluster:
        async with cluster.connect("receiver-0") as node:
            with pytest.raises(HostFault, match="no request 'dance'"):
                await node._ask("dance")
            with pytest.raises(NodeGone, match="arguments of watch"):
                await node._ask("watch", 1, 2, 3)
        async with cluster.connect("receiver-0") as node:
            with pytest.raises(HostFault, match="no collection"):
                await node.watch("nothing")
            with pytest.raises(HostFault, match="1 is not a row: .* takes a list of tuples"):
                await node.insert("say", (1, "x"))


# ------------------------------------------------------------- life and death


@going
async def test_a_directory_file_tells_hosts_where_the_nodes_are(tmp_path: Path) -> None:
    file = tmp_path / "nodes.json"
    async with launch(WEATHER, directory=file):
        async with connect("receiver-0", directory=file) as node:
            assert node.address == "receiver-0"
            assert node.collections["heard"].kind == "output"
    assert not file.exists()


@going
async def test_a_node_that_dies_is_restarted_when_asked_to() -> None:
    told: list[str] = []
    async with launch(WEATHER, restart="on-failure", report=told.append) as cluster:
        for time in range(1, 3):
            cluster.kill("receiver-0")
            await until_incarnation(cluster, time + 1)
        async with cluster.connect("receiver-0") as receiver, cluster.connect("sender-0") as sender:
            heard = await receiver.watch("heard")
            await say(sender, 1)
            assert await heard.take(1) == [("sender-0", 1, "fine")]
    assert told == ["receiver-0 is gone (its process was killed by SIGKILL): restarting it"] * 2


async def until_incarnation(cluster: object, wanted: int) -> None:
    async def there() -> bool:
        status = await cluster.status_of("receiver-0")  # type: ignore[attr-defined]
        return status is not None and status["incarnation"] == wanted

    await until(there)


@going
async def test_a_target_that_does_not_load_is_a_failed_start(tmp_path: Path) -> None:
    program = tmp_path / "fragile.py"
    # It loads where it is started, and no longer in the nodes' own processes.
    program.write_text(
        "import multiprocessing, os\n"
        "from bloomish import Program, table\n"
        "if os.getpid() != int(os.environ['BLOOMISH_TEST_PID']):\n"
        "    raise RuntimeError('not here')\n"
        "class Fragile(Program):\n"
        "    kept = table(number=int)\n"
    )
    os.environ["BLOOMISH_TEST_PID"] = str(os.getpid())
    try:
        with pytest.raises(StartFailed, match="fragile-0 did not start.*not here"):
            async with launch(program):
                raise AssertionError("it must not start")
    finally:
        del os.environ["BLOOMISH_TEST_PID"]


def test_no_orphan_outlives_a_supervisor_that_is_killed() -> None:
    code = (
        "import asyncio, sys\n"
        "from bloomish.runtime.cluster import launch\n"
        "async def main():\n"
        f"    async with launch({WEATHER!r}) as cluster:\n"
        "        print(*(m.process.pid for m in cluster.members.values()), flush=True)\n"
        "        await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    supervisor = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=HERE.parents[2]
    )
    assert supervisor.stdout is not None
    processes = [psutil.Process(int(pid)) for pid in supervisor.stdout.readline().split()]
    assert len(processes) == 3
    supervisor.kill()
    supervisor.wait()
    supervisor.stdout.close()
    _, alive = psutil.wait_procs(processes, timeout=30)
    assert [one for one in alive if one.status() != psutil.STATUS_ZOMBIE] == []


# --------------------------------------------------------- idleness and timers


@going
async def test_a_node_with_nothing_to_do_uses_no_cpu() -> None:
    async with launch(f"{TIMERS}:idle") as cluster:
        processes = [psutil.Process(one.process.pid) for one in cluster.members.values()]  # type: ignore[union-attr]
        used = [1.0]
        for _ in range(5):  # who polls does so every second; what a start leaves to do ends
            before = [sum(one.cpu_times()[:2]) for one in processes]
            await asyncio.sleep(1.0)
            after = [sum(one.cpu_times()[:2]) for one in processes]
            used = [b - a for a, b in zip(before, after, strict=True)]
            if max(used) <= 0.021:
                break
        assert max(used) <= 0.021, used


@going
async def test_standing_sends_to_each_other_do_not_ping_pong() -> None:
    """Resends back off: 0.05, 0.1, 0.2, ... s; each makes one tick at the other node."""
    async with launch(f"{TIMERS}:gossip", resend=(0.05, 100.0)) as cluster:
        async with cluster.connect("talker-0") as node:
            known = await node.watch("known")
            assert sorted(await known.take(2)) == [("talker-0",), ("talker-1",)]
        await asyncio.sleep(1.6)
        for name in cluster.running:
            assert await counter(cluster, name, "ticks") < 20
            assert await counter(cluster, name, "rows_resent") <= 2 * 8
            await counted(cluster, name, "rows_resent", 2 * 2)


@going
async def test_a_standing_send_is_resent_until_it_stands_no_more() -> None:
    async with launch(f"{TIMERS}:stubborn", resend=(0.02, 0.05)) as cluster:
        async with cluster.connect("asker-0") as asker, cluster.connect("answerer-0") as answerer:
            answered = await asker.watch("answered")
            await asker.insert("ask", [(7,)])
            # The answerer ignores questions until it is told to listen.
            await counted(cluster, "asker-0", "rows_resent", 3)
            assert answered.ready() == []
            await answerer.insert("listen", [(True,)])
            assert await answered.take(1) == [(7,)]
            sent = await counter(cluster, "asker-0", "rows_resent")
            await asyncio.sleep(0.3)
            assert await counter(cluster, "asker-0", "rows_resent") <= sent + 1


@going
async def test_a_suspended_process_fires_no_burst() -> None:
    async with launch(f"{TIMERS}:Clock") as cluster:
        async with cluster.connect("clock-0") as node:
            beats = await node.watch("beat")
            await beats.take(3)
            cluster.kill("clock-0", signal.SIGSTOP)
            await asyncio.sleep(0.5)
            beats.ready()
            clock = asyncio.get_running_loop()
            started = clock.time()  # before it goes on: we may be the ones who are late
            cluster.kill("clock-0", signal.SIGCONT)
            await beats.take(5)
            # Five beats of 0.05 s take their time; a burst of the ten missed would not.
            assert clock.time() - started > 0.1


# --------------------------------------------------------------- durable tables


@going
async def test_a_killed_node_restarts_from_its_last_committed_tick(tmp_path: Path) -> None:
    async with launch(WEATHER, data=tmp_path) as cluster:
        async with cluster.connect("receiver-0") as receiver, cluster.connect("sender-0") as sender:
            shown = await receiver.changes("shown")
            await say(sender, *range(100))
            await shown.take(100)
            await receiver.insert("forget", [(n,) for n in range(50)])
            await shown.take(50)
        # The sender first: it would say again to the new process what the old one had taken.
        for name in ("sender-0", "receiver-0"):
            cluster.kill(name)
            await cluster.wait_for("dead", name)
        await cluster.restart("receiver-0")
        await cluster.wait_for("running", "receiver-0")
        async with cluster.connect("receiver-0") as receiver:
            assert await receiver.contents("kept") == [(n, "fine") for n in range(50, 100)]
            # A view over it is there as well, for a late reader.
            assert len(await receiver.watch("shown").take(50)) == 50
    # One SQL table per collection, for the tools that people have.
    with contextlib.closing(sqlite3.connect(tmp_path / "receiver-0.sqlite")) as db:
        assert db.execute("SELECT count(*), min(number), max(text) FROM kept").fetchone() == (
            50,
            50,
            "fine",
        )


@going
async def test_what_a_host_was_shown_is_on_disk(tmp_path: Path) -> None:
    """Nothing leaves the receiver, so its ticks may wait for a commit; who asks must not see more
    than lasts."""
    async with launch(WEATHER, data=tmp_path) as cluster:
        async with cluster.connect("sender-0") as sender:
            seen: list[object] = []
            for number in range(5):
                async with cluster.connect("receiver-0") as receiver:
                    await say(sender, number)
                    while len(await receiver.contents("kept")) <= len(seen):
                        continue
                    cluster.kill("receiver-0")
                seen.append((number, "fine"))
                await cluster.wait_for("dead", "receiver-0")
                await cluster.restart("receiver-0")
                await cluster.wait_for("running", "receiver-0")
                async with cluster.connect("receiver-0") as receiver:
                    assert await receiver.contents("kept") == seen


@pytest.mark.parametrize("evaluator", EVALUATORS)
@going
async def test_values_of_every_sort_pass_through_hosts_and_the_disk(
    tmp_path: Path, evaluator: str
) -> None:
    first = ("x", (1, "q", None, True, 2.0), {1, 2}, {3: 3}, ({1: "a"}, True))
    second = ("x", b"\0", {5}, {4: 3, 3: 1}, ({2: "b"}, False))
    merged = ("x", frozenset({1, 2, 5}), ((3, 3), (4, 3)), (((1, "a"), (2, "b")), True))
    anything = [("x", b"\0"), ("x", (1, "q", None, True, 2.0))]
    for restarted in (False, True):
        async with launch(HERE / "lattices.py", data=tmp_path, evaluator=evaluator) as cluster:
            async with cluster.connect("keeper-0") as node:
                shown = node.changes("shown")
                if restarted:
                    assert [one.row for one in await shown.take(1)] == [merged]
                else:
                    await node.insert("put", [first])
                    await node.insert("put", [second])
                    changes = await shown.take(3)
                    assert [(one.added, one.row[1]) for one in changes] == [
                        (True, frozenset({1, 2})),
                        (False, frozenset({1, 2})),
                        (True, frozenset({1, 2, 5})),
                    ]
                    assert changes[2].row == merged
                assert await node.contents("kept") == [merged]
                assert repr(sorted(await node.contents("anything"), key=repr)) == repr(
                    sorted(anything, key=repr)
                )


@going
async def test_an_insert_returns_after_its_commit(tmp_path: Path) -> None:
    program = f"{HERE / 'failing.py'}:Failing"
    for round_ in range(3):
        async with launch(program, data=tmp_path) as cluster:
            async with cluster.connect("failing-0") as node:
                assert len(await node.contents("notes")) == round_
                await node.insert("note", [(round_, "x")])
                cluster.kill("failing-0")


@going
async def test_a_torn_store_is_named(tmp_path: Path) -> None:
    file = tmp_path / "receiver-0.sqlite"
    file.write_bytes(b"this is no database" * 1000)
    with pytest.raises(StartFailed, match="receiver-0.sqlite: file is not a database; the file is"):
        async with launch(WEATHER, data=tmp_path):
            raise AssertionError("it must not start")


# -------------------------------------------------------------------------- TLS


@going
async def test_with_tls_rows_flow_between_those_who_prove_their_names(tmp_path: Path) -> None:
    write_certificates(tmp_path, "sender-0", "sender-1", "receiver-0", "host")
    async with launch(WEATHER, tls=tmp_path) as cluster:
        async with cluster.connect("receiver-0") as receiver, cluster.connect("sender-0") as sender:
            heard = await receiver.watch("heard")
            await say(sender, 1)
            assert await heard.take(1) == [("sender-0", 1, "fine")]
            # Without a certificate: no entry.
            host, port = cluster.directory.find("receiver-0")
            with pytest.raises(NodeGone):
                await connect(f"{host}:{port}", timeout=5)
            peer = await Peer.to(cluster, "receiver-0")
            peer.write(b"hello?" * 100)
            await peer.closed()
            await counted(cluster, "receiver-0", "connections_refused", 2)
            await say(sender, 2)
            assert await heard.take(1) == [("sender-0", 2, "fine")]


@going
async def test_a_node_with_anothers_certificate_is_refused(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write_certificates(tmp_path, "sender-0", "sender-1", "receiver-0", "host")
    for kind in ("pem", "key"):
        (tmp_path / f"sender-1.{kind}").write_bytes((tmp_path / f"sender-0.{kind}").read_bytes())
    async with launch(WEATHER, tls=tmp_path) as cluster:
        # sender-1 holds sender-0's certificate: hosts that look for sender-1 are not fooled.
        with pytest.raises(NodeGone, match="certificate"):
            await cluster.connect("sender-1")
        host, port = cluster.directory.find("sender-1")
        async with connect(f"{host}:{port}", tls=tmp_path) as impostor:
            await say(impostor, 1)
            await counted(cluster, "receiver-0", "connections_refused")
        async with cluster.connect("receiver-0") as receiver:
            assert await receiver.contents("kept") == []
    assert "says it is sender-1 and has a certificate for sender-0" in capfd.readouterr().err


@going
async def test_a_missing_certificate_is_named(tmp_path: Path) -> None:
    write_certificates(tmp_path, "sender-0", "receiver-0", "host")
    with pytest.raises(StartFailed, match="sender-1.pem is missing"):
        async with launch(WEATHER, tls=tmp_path):
            raise AssertionError("it must not start")


# ------------------------------------------------------------------- the trace


@going
async def test_a_trace_can_be_read_back(tmp_path: Path) -> None:
    from bloomish.runtime.trace import Happening, TickRecord, read, to_line

    file = tmp_path / "trace.jsonl"
    async with launch(WEATHER, trace=file) as cluster:
        async with cluster.connect("receiver-0") as receiver, cluster.connect("sender-0") as sender:
            heard = await receiver.watch("heard")
            await say(sender, 1, text="boom")
            await say(sender, 2)
            await heard.take(1)
    text = file.read_text()
    records = list(read(text.splitlines(keepends=True)))
    assert [json.loads(to_line(one)) for one in records] == [
        json.loads(line) for line in text.splitlines()
    ]
    whats = {one.what for one in records if isinstance(one, Happening)}
    assert whats == {"start", "stop", "set aside"}
    ticks = [one for one in records if isinstance(one, TickRecord)]
    assert any(one.events.get("heard") for one in ticks)

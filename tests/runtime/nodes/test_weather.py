"""Bad weather on real processes: each with a clear message and a counter, none ends a node
or loses another peer's rows."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path

import pytest

from bloomish.runtime.cluster import RunningCluster, launch
from bloomish.runtime.evaluator import FRAME_MAXIMUM
from bloomish.runtime.framing import LENGTH, Kind
from bloomish.runtime.host import HostFault, NodeGone, RowsSetAside
from tests.runtime.nodes.support import WEATHER, Peer, counted, counter, going, until


async def another_peers_rows_arrive(cluster: RunningCluster, first: int = 1) -> None:
    """What sender-0 says goes through, whatever somebody else does."""
    async with cluster.connect("receiver-0") as receiver, cluster.connect("sender-0") as sender:
        heard = await receiver.watch("heard")
        await sender.insert("say", [("receiver-0", n, "fine") for n in range(first, first + 50)])
        wanted = {("sender-0", n, "fine") for n in range(first, first + 50)}
        while wanted:  # what came before may still come
            wanted -= set(await heard.take(1))


GARBAGE = {
    "garbage": b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n",
    "random bytes": bytes(range(256)) * 4,
    "a frame that is not MessagePack": LENGTH.pack(3) + b"\xc1\xc1\xc1",
    "a frame that is too big": LENGTH.pack(FRAME_MAXIMUM + 1),
    "an empty frame": LENGTH.pack(0),
    "MessagePack, but no message": LENGTH.pack(1) + b"\x01",
}


@going
async def test_garbage_at_the_door(capfd: pytest.CaptureFixture[str]) -> None:
    async with launch(WEATHER) as cluster:
        for data in GARBAGE.values():
            peer = await Peer.to(cluster, "receiver-0")
            peer.write(data)
            await peer.closed()
            peer.close()
        await counted(cluster, "receiver-0", "connections_refused", len(GARBAGE))
        assert await counter(cluster, "receiver-0", "frames_refused") >= len(GARBAGE)
        await another_peers_rows_arrive(cluster)
        assert cluster.running == list(cluster.members)
    assert "[receiver-0] connection of 127.0.0.1" in capfd.readouterr().err


@going
async def test_hellos_that_are_refused() -> None:
    async with launch(WEATHER) as cluster:
        good: dict[str, object] = {
            "protocol": 1,
            "cluster": cluster.directory.cluster,
            "from": "sender-0",
            "to": "receiver-0",
            "incarnation": 7,
        }
        wrong: dict[str, dict[str, object]] = {
            "version 99": {"protocol": 99},
            "another cluster": {"cluster": "elsewhere"},
            "no node 'mallory-0'": {"from": "mallory-0"},
            "this is receiver-0": {"to": "sender-1"},
        }
        for text, change in wrong.items():
            peer = await Peer.to(cluster, "receiver-0")
            peer.say(Kind.HELLO, good | change)
            kind, reason = await peer.hear()
            assert kind == Kind.REFUSED
            assert text in reason
            await peer.closed()
            peer.close()
        assert await counter(cluster, "receiver-0", "connections_refused") == len(wrong)
        await another_peers_rows_arrive(cluster)


@going
async def test_frames_that_are_wrong_after_a_hello(capfd: pytest.CaptureFixture[str]) -> None:
    async with launch(WEATHER) as cluster:
        async with cluster.connect("receiver-0") as receiver:
            heard = await receiver.watch("heard")

            # Rows that do not fit are refused; the connection goes on.
            peer = await Peer.as_node(cluster, "sender-1", "receiver-0")
            peer.rows("sender-1", note=[["receiver-0", "sender-1", "no number", "x"]])
            peer.rows("sender-1", note=[["receiver-0", "sender-1", 1]])
            peer.rows("sender-1", unknown=[["receiver-0", 1]])
            peer.rows("sender-1", note=[["receiver-0", "sender-1", 7, "right"]])
            assert await heard.take(1) == [("sender-1", 7, "right")]
            assert await counter(cluster, "receiver-0", "rows_refused") == 3

            # Rows in another's name, or frames that make no sense, end it.
            peer.rows("sender-0", note=[["receiver-0", "sender-0", 1, "a lie"]])
            await peer.closed()
            for data in (LENGTH.pack(FRAME_MAXIMUM + 1), LENGTH.pack(2) + b"\xc1\x00"):
                peer = await Peer.as_node(cluster, "sender-1", "receiver-0", incarnation=100)
                peer.write(data)
                await peer.closed()
            assert await counter(cluster, "receiver-0", "frames_refused") == 3
        await another_peers_rows_arrive(cluster, first=100)
    log = capfd.readouterr().err
    assert "that say they are of 'sender-0'" in log
    assert "refused 1 row(s) from sender-1 for Post.note" in log
    assert "Post.unknown" in log


@going
async def test_a_peer_that_is_killed_and_restarted() -> None:
    async with launch(WEATHER) as cluster:
        await another_peers_rows_arrive(cluster)
        cluster.kill("receiver-0")
        await cluster.wait_for("dead", "receiver-0")
        assert cluster.deaths == ["receiver-0: its process was killed by SIGKILL"]
        async with cluster.connect("sender-0") as sender:
            # Its queue keeps them; others go on meanwhile.
            await sender.insert("say", [("receiver-0", 500, "later")])
            back = await sender.watch("back")
            async with cluster.connect("sender-1") as other:
                await other.insert("say", [("sender-0", 1, "over here")])
            assert await back.take(1) == [("sender-1", 1)]
            await cluster.restart("receiver-0")
            await cluster.wait_for("running", "receiver-0")
            async with cluster.connect("receiver-0") as receiver:

                async def kept() -> bool:
                    return (500, "later") in await receiver.contents("kept")

                await until(kept)
        await another_peers_rows_arrive(cluster, first=600)
        assert await counter(cluster, "sender-0", "rows_lost") == 0


@going
async def test_a_peer_that_dies_while_much_is_under_way(capfd: pytest.CaptureFixture[str]) -> None:
    """What it left behind is taken; that nobody hears this any more is no reason to grumble."""
    async with launch(WEATHER) as cluster:
        for incarnation in range(99, 102):
            peer = await Peer.as_node(cluster, "sender-1", "receiver-0", incarnation)
            cluster.kill("receiver-0", signal.SIGSTOP)
            try:
                for number in range(1_000):
                    peer.rows("sender-1", note=[["receiver-0", "sender-1", number, "x"]])
                await peer.writer.drain()
                peer.writer.transport.abort()
            finally:
                cluster.kill("receiver-0", signal.SIGCONT)
            await another_peers_rows_arrive(cluster, first=100_000 * incarnation)
        assert await counter(cluster, "receiver-0", "rows_in") > 3 * 50
    log = capfd.readouterr().err
    assert "socket.send()" not in log and "never retrieved" not in log


@going
async def test_a_half_open_connection(capfd: pytest.CaptureFixture[str]) -> None:
    """A suspended process holds its connections and answers nothing."""
    async with launch(WEATHER, limits={"keepalive": 0.2, "handshake": 3.0}) as cluster:
        await another_peers_rows_arrive(cluster)
        cluster.kill("receiver-0", signal.SIGSTOP)
        try:
            await counted(cluster, "sender-0", "peers_disconnected")
            async with cluster.connect("sender-0") as sender:
                await sender.insert("say", [("receiver-0", 900, "after the sleep")])
        finally:
            cluster.kill("receiver-0", signal.SIGCONT)
        async with cluster.connect("receiver-0") as receiver:

            async def kept() -> bool:
                return (900, "after the sleep") in await receiver.contents("kept")

            await until(kept)
        # A peer that said hello and fell silent is given up by the listener as well.
        silent = await Peer.as_node(cluster, "sender-1", "receiver-0")
        await silent.closed()
        await counted(cluster, "receiver-0", "peers_disconnected")
        # So is one that never says hello.
        mute = await Peer.to(cluster, "receiver-0")
        await mute.closed()
        await counted(cluster, "receiver-0", "connections_refused")
    assert "receiver-0 does not answer: disconnected" in capfd.readouterr().err


@going
async def test_a_peer_that_takes_nothing_while_its_queue_is_full() -> None:
    """It is disconnected and its rows counted; inserts wait meanwhile, other peers do not."""
    limits = {"high_mark": 1 << 20, "stall": 0.5}
    async with launch(WEATHER, limits=limits) as cluster:
        async with cluster.connect("sender-0") as sender, cluster.connect("sender-1") as other:
            back = await other.watch("back")
            await another_peers_rows_arrive(cluster, first=2_000_000)
            cluster.kill("receiver-0", signal.SIGSTOP)
            try:
                big = "x" * 10_000
                total = 0
                while not await counter(cluster, "sender-0", "rows_lost"):
                    rows = [("receiver-0", n, big) for n in range(total + 1, total + 101)]
                    total += len(rows)
                    await sender.insert("say", [*rows, ("sender-1", total, "on")])
                    assert await back.take(1) == [("sender-0", total)]
                assert await counter(cluster, "sender-0", "peers_disconnected") == 1
                assert 0 < await counter(cluster, "sender-0", "rows_lost") <= total
            finally:
                cluster.kill("receiver-0", signal.SIGCONT)
        await another_peers_rows_arrive(cluster, first=1_000_000)


@going
async def test_inserts_wait_above_the_high_mark() -> None:
    limits = {"high_mark": 1 << 20, "stall": 1000.0}
    async with launch(WEATHER, limits=limits) as cluster:
        async with cluster.connect("sender-0") as sender:
            await another_peers_rows_arrive(cluster, first=2_000_000)
            cluster.kill("receiver-0", signal.SIGSTOP)
            try:
                big, total = "x" * 10_000, 0
                waiting: asyncio.Task[None] | None = None
                while waiting is None or waiting.done():
                    rows = [("receiver-0", n, big) for n in range(total + 1, total + 101)]
                    total += len(rows)
                    waiting = asyncio.create_task(sender.insert("say", rows))
                    await asyncio.wait({waiting}, timeout=1.0)
            finally:
                cluster.kill("receiver-0", signal.SIGCONT)
            await waiting
        await cluster.quiet(0.2)
        async with cluster.connect("receiver-0") as receiver:
            assert len(await receiver.contents("kept")) == total + 50
        assert await counter(cluster, "sender-0", "rows_lost") == 0


@going
async def test_a_user_function_that_raises(capfd: pytest.CaptureFixture[str]) -> None:
    async with launch(WEATHER) as cluster:
        async with cluster.connect("receiver-0") as receiver, cluster.connect("sender-0") as sender:
            heard = await receiver.watch("heard")
            rows = [("receiver-0", n, "boom" if n in (3, 8) else "fine") for n in range(10)]
            await sender.insert("say", rows)
            fine = sorted(await heard.take(8))
            assert fine == [("sender-0", n, "fine") for n in range(10) if n not in (3, 8)]
            aside = await receiver.set_aside()
            assert [(one.collection, one.row[2]) for one in aside] == [("note", 3), ("note", 8)]
            assert "a word that it does not like" in aside[0].reason
            assert "checked" in aside[0].reason
            assert await counter(cluster, "receiver-0", "rows_set_aside") == 2
            # Replayed, they fail again, and are set aside again.
            assert await receiver.replay([aside[0].number]) == 1
            await counted(cluster, "receiver-0", "rows_set_aside", 3)
            assert [one.row[2] for one in await receiver.set_aside()] == [8, 3]
            assert heard.ready() == []
        await another_peers_rows_arrive(cluster, first=100)
    assert "set aside (no. 1) note('receiver-0', 'sender-0', 3, 'boom')" in capfd.readouterr().err


@going
async def test_a_key_conflict() -> None:
    async with launch(WEATHER) as cluster:
        async with cluster.connect("receiver-0") as receiver, cluster.connect("sender-0") as sender:
            heard = await receiver.watch("heard")
            await sender.insert("say", [("receiver-0", 1, "one"), ("receiver-0", 2, "two")])
            await heard.take(2)
            await sender.insert("say", [("receiver-0", 1, "another"), ("receiver-0", 3, "three")])
            assert await heard.take(1) == [("sender-0", 3, "three")]
            (aside,) = await receiver.set_aside()
            assert aside.row == ("receiver-0", "sender-0", 1, "another")
            assert "kept" in aside.reason
            kept = await receiver.contents("kept")
            assert kept == [(1, "one"), (2, "two"), (3, "three")]
            # Once the cause is gone, the row can be replayed.
            await receiver.insert("forget", [(1,)])
            assert await receiver.replay() == 1
            assert await heard.take(1) == [("sender-0", 1, "another")]
            assert (await receiver.contents("kept"))[0] == (1, "another")
            assert await receiver.set_aside() == []


@going
async def test_an_insert_that_the_tick_cannot_take() -> None:
    program = Path(__file__).with_name("failing.py")
    async with launch(f"{program}:Failing") as cluster:
        async with cluster.connect("failing-0") as node:
            with pytest.raises(RowsSetAside) as caught:
                await node.insert("give", [(1, 0), (2, 1), (3, 0)])
            assert [row for row, _ in caught.value.rows] == [(1, 0), (3, 0)]
            assert await node.contents("shares") == [(2, 10)]
            with pytest.raises(HostFault, match="give"):
                await node.insert("give", [(4, 1), ("five", 1)])
            with pytest.raises(HostFault, match="no collection 'nothing'"):
                await node.insert("nothing", [(1,)])
            with pytest.raises(HostFault, match="into inputs"):
                await node.insert("shares", [(1, 1)])
            with pytest.raises(HostFault, match="watch outputs"):
                await node.watch("shares").take(1)
            assert await node.contents("shares") == [(2, 10)]
            # More than 64 failing rows: the whole batch.
            with pytest.raises(RowsSetAside) as caught:
                await node.insert("give", [(n, 0) for n in range(100, 200)] + [(500, 1)])
            assert (caught.value.count, len(caught.value.rows)) == (101, 100)


@going
async def test_a_tick_that_fails_without_arrivals_stops_the_node() -> None:
    program = Path(__file__).with_name("failing.py")
    told: list[str] = []
    async with launch(f"{program}:Hopeless", report=told.append) as cluster:
        async with cluster.connect("hopeless-0") as node:
            await node.insert("arm", [(0,)])
            reason = await node.gone()
        assert "the tick fails without any arrival" in reason
        await cluster.wait_for("dead", "hopeless-0")
    assert "the tick fails without any arrival" in told[0]
    assert "hopeless-0 is gone" in told[0]


@going
async def test_a_full_disk_for_the_trace(capfd: pytest.CaptureFixture[str]) -> None:
    async with launch(WEATHER, trace="/dev/full") as cluster:
        await another_peers_rows_arrive(cluster)
        assert await counter(cluster, "receiver-0", "trace_records_lost") > 0
    log = capfd.readouterr().err
    assert log.count("[receiver-0] the trace /dev/full cannot be written") == 1


@going
async def test_the_trace_tells_what_was_sent_and_taken(tmp_path: Path) -> None:
    file = tmp_path / "trace.jsonl"
    async with launch(WEATHER, trace=file) as cluster:
        await another_peers_rows_arrive(cluster)
        await cluster.quiet(0.1)
    records = [json.loads(line) for line in file.read_text().splitlines()]
    ticks = [one for one in records if one["kind"] == "tick"]
    sent = {s["id"] for one in ticks for s in one.get("sends", ())}
    taken = {r["id"] for one in ticks for r in one.get("receives", ())}
    assert sent == taken
    assert sent and all(name.startswith("sender-0>receiver-0#") for name in sent)


@going
async def test_a_reader_that_does_not_keep_up_is_disconnected_and_told() -> None:
    async with launch(WEATHER, limits={"reader": 1 << 20}) as cluster:
        async with cluster.connect("receiver-0") as slow, cluster.connect("sender-0") as sender:
            stuck = await slow.watch("heard")
            slow._wire.transport.pause_reading()
            big, number = "x" * 10_000, 0
            while not await counter(cluster, "receiver-0", "readers_disconnected"):
                rows = [("receiver-0", n, big) for n in range(number, number + 100)]
                number += len(rows)
                await sender.insert("say", rows)
                await cluster.quiet(0.05)
            slow._wire.transport.resume_reading()
            with pytest.raises(NodeGone, match="you do not keep up"):
                while True:
                    await stuck.take(1)
        await another_peers_rows_arrive(cluster, first=1_000_000)


@going
async def test_one_who_watches_and_does_not_take_is_told_by_his_own_side() -> None:
    async with launch(WEATHER) as cluster:
        async with cluster.connect("receiver-0") as receiver, cluster.connect("sender-0") as sender:
            lazy = receiver.watch("heard", limit=10)
            other = await receiver.watch("heard")
            await sender.insert("say", [("receiver-0", n, "fine") for n in range(20)])
            await other.take(20)
            with pytest.raises(HostFault, match="does not keep up"):
                await lazy.take(21)


@going
async def test_rows_that_cannot_be_delivered_are_lost_and_told(
    capfd: pytest.CaptureFixture[str],
) -> None:
    async with launch(WEATHER) as cluster:
        async with cluster.connect("sender-0") as sender:
            await sender.insert("say", [("nobody-0", 1, "hello?"), ("nobody-0", 2, "hello?")])
            assert await counter(cluster, "sender-0", "rows_lost") == 2
            # A row that fits the host's message and, with the channel's name, no frame.
            text = "x" * (FRAME_MAXIMUM - 45)
            await sender.insert("say", [("receiver-0", 3, text)])
            assert await counter(cluster, "sender-0", "rows_lost") == 3
        await another_peers_rows_arrive(cluster)
    log = capfd.readouterr().err
    assert "no node 'nobody-0' belongs to this cluster" in log
    assert "which nobody takes" in log

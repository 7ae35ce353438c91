"""The key-value store on three processes."""

from __future__ import annotations

import asyncio
from pathlib import Path

from bloomish.runtime.cluster import launch

TARGET = "bloomish.programs.kvs"


def test_what_is_put_is_acknowledged_and_got() -> None:
    async def session() -> None:
        async with launch(TARGET) as cluster, cluster.connect("client-0") as client:
            done, answer = client.watch("done"), client.watch("answer")
            await client.insert("want", [(1, "colour", "red")])
            assert await done.take(1) == [(1,)]
            await client.insert("want", [(2, "colour", "blue"), (3, "size", "big")])
            assert sorted(await done.take(2)) == [(2,), (3,)]
            await client.insert("ask", [(4, "colour")])
            assert await answer.take(1) == [(4, "blue")]
            async with cluster.connect("client-1") as other:
                told = other.watch("answer")
                await other.insert("ask", [(5, "size")])
                assert await told.take(1) == [(5, "big")]

    asyncio.run(asyncio.wait_for(session(), 60))


def test_of_the_puts_that_share_a_tick_the_latest_request_wins() -> None:
    async def session() -> None:
        async with launch(TARGET) as cluster, cluster.connect("client-0") as client:
            done = client.watch("done")
            await client.insert("want", [(n, "key", f"value {n}") for n in range(1, 10)])
            await done.take(9)
            async with cluster.connect("server-0") as server:
                assert await server.contents("store") == [("key", "value 9")]

    asyncio.run(asyncio.wait_for(session(), 60))


def test_the_store_outlives_its_process(tmp_path: Path) -> None:
    async def session() -> None:
        async with launch(TARGET, data=tmp_path, restart="on-failure") as cluster:
            async with cluster.connect("client-0") as client:
                done, answer = client.watch("done"), client.watch("answer")
                await client.insert("want", [(1, "colour", "red")])
                await done.take(1)
                cluster.kill("server-0")
                await cluster.wait_for("dead", "server-0")
                await cluster.wait_for("running", "server-0")
                for request in range(2, 100):  # a channel may lose while the peer is down
                    await client.insert("ask", [(request, "colour")])
                    await asyncio.sleep(0.1)
                    if rows := answer.ready():
                        assert rows[0][1] == "red"
                        return
                raise AssertionError("no answer")

    asyncio.run(asyncio.wait_for(session(), 60))

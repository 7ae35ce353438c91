"""Chat on three processes: what one says all hear, and who joins late has missed something."""

from __future__ import annotations

import asyncio

from bloomish.runtime.cluster import launch

TARGET = "bloomish.programs.chat"


def test_everybody_hears_what_one_says() -> None:
    async def talk() -> None:
        async with launch(TARGET) as cluster:
            await cluster.quiet()
            async with cluster.connect("client-0") as anna, cluster.connect("client-1") as ben:
                screens = [anna.watch("screen"), ben.watch("screen")]
                await anna.insert("line", [("hello",)])
                for screen in screens:
                    assert await screen.take(1) == [("client-0", "hello")]
                await ben.insert("line", [("hello",), ("again",)])
                for screen in screens:
                    heard = await screen.take(2)
                    assert sorted(heard) == [("client-1", "again"), ("client-1", "hello")]

    asyncio.run(asyncio.wait_for(talk(), 60))


def test_a_client_is_welcomed_once_and_then_asks_no_more() -> None:
    async def join() -> None:
        async with launch(TARGET) as cluster:
            await cluster.quiet()
            async with cluster.connect("server-0") as server:
                assert await server.contents("present") == [("client-0",), ("client-1",)]
            async with cluster.connect("client-0") as client:
                assert await client.contents("joined") == [("server-0",)]
            before = await cluster.status()
            await asyncio.sleep(0.5)
            after = await cluster.status()
            assert {name: one["tick"] for name, one in after.items()} == {
                name: one["tick"] for name, one in before.items()
            }

    asyncio.run(asyncio.wait_for(join(), 60))

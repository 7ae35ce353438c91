"""Closure and shortest paths over links that are spread over nodes, against networkx."""

from __future__ import annotations

import asyncio
import random

import networkx as nx

from bloomish.runtime.cluster import RunningCluster, launch

SECONDS = 90


def test_closure_of_a_link_table_split_over_three_nodes() -> None:
    rng = random.Random(7)
    graph = nx.gnm_random_graph(30, 45, seed=7, directed=True)
    links = [(f"v{a}", f"v{b}") for a, b in graph.edges]
    rng.shuffle(links)
    wanted = {(f"v{a}", f"v{b}") for a, b in nx.transitive_closure(graph, reflexive=False).edges}

    async def close() -> None:
        async with launch("bloomish.programs.closure") as cluster:
            hosts = [await cluster.connect(name) for name in cluster.members]
            watches = [host.changes("reachable") for host in hosts]
            for link in links:
                await rng.choice(hosts).insert("edge", [link])
            await cluster.quiet()
            changes = [change for watch in watches for change in watch.ready()]
            assert all(change.added for change in changes), "a path was taken back"
            assert {change.row for change in changes} == wanted
            assert len(changes) == len(wanted), "a path has one home"
            parts = [len(await host.contents("link")) for host in hosts]
            assert sum(parts) == len(links) and all(parts), "every node has a part of the links"
            for host in hosts:
                await host.close()

    asyncio.run(asyncio.wait_for(close(), SECONDS))


async def attach(cluster: RunningCluster, a: str, b: str, cost: int) -> None:
    """A link is known at both of its ends."""
    for here, there in ((a, b), (b, a)):
        async with cluster.connect(here) as host:
            await host.insert("attach", [(there, cost)])


async def distances(cluster: RunningCluster) -> dict[tuple[str, str], int]:
    await cluster.quiet()
    found = {}
    for name in cluster.members:
        async with cluster.connect(name) as host:
            for target, cost in await host.contents("shortest"):
                found[name, target] = cost
    return found


def test_shortest_paths_settle_and_a_cheaper_link_makes_them_shorter() -> None:
    links = [(0, 1, 4), (1, 2, 1), (2, 3, 7), (0, 3, 20)]

    async def route() -> None:
        graph = nx.Graph()
        async with launch("bloomish.programs.shortest_path") as cluster:
            for a, b, cost in links:
                graph.add_edge(f"router-{a}", f"router-{b}", weight=cost)
                await attach(cluster, f"router-{a}", f"router-{b}", cost)
            assert await distances(cluster) == expected(graph)
            graph.add_edge("router-0", "router-3", weight=2)
            await attach(cluster, "router-0", "router-3", 2)
            assert await distances(cluster) == expected(graph)

    asyncio.run(asyncio.wait_for(route(), SECONDS))


def expected(graph: nx.Graph) -> dict[tuple[str, str], int]:
    lengths = nx.all_pairs_dijkstra_path_length(graph)
    return {(a, b): cost for a, reached in lengths for b, cost in reached.items() if a != b}

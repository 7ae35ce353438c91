"""Majority vote: progress with a majority, never two winners, and a tooth that shows both tests."""

from __future__ import annotations

import asyncio
from itertools import product

import pytest

from bloomish import Address, Key, SetUnion, _, output, roster, size, table, variables
from bloomish.programs.quorum import Poll, Vote
from bloomish.runtime.cluster import launch
from bloomish.runtime.evaluators import make_evaluator

ballot, voter, voters = variables("ballot voter voters")
VOTERS = tuple(f"voter-{n}" for n in range(5))


class HalfIsEnough(Poll):
    """The planted bug: two of five are taken for a majority."""

    electorate = roster("voter")
    tally = table(ballot=Key(int), voters=SetUnion(Address))
    elected = output(ballot=int)

    tally(ballot, {voter}) <= Poll.vote(_, ballot, voter)
    elected(ballot) <= tally(ballot, voters) & (size(voters) >= size(electorate) // 2)


def winners(program: type[Poll], votes: dict[str, int]) -> set[int]:
    """Who is elected when these votes arrive one by one."""
    teller = make_evaluator(program.ir, node="teller-0", rosters={"voter": VOTERS})
    elected: set[int] = set()
    teller.tick()
    for name, ballot in votes.items():
        teller.insert("vote", [("teller-0", ballot, name)])
        tick = teller.tick()
        elected |= {row[0] for row in tick.added.get("elected", [])}
        elected |= {row[0] for row in tick.events.get("elected", [])}
        assert not tick.removed.get("elected")
    return elected


@pytest.mark.parametrize("up", list(product((False, True), repeat=5)))
def test_progress_exactly_with_a_majority(up: tuple[bool, ...]) -> None:
    votes = {name: 1 for name, alive in zip(VOTERS, up, strict=True) if alive}
    assert winners(Vote, votes) == ({1} if sum(up) >= 3 else set())


def test_never_two_winners_whoever_votes_for_whom() -> None:
    for choice in product((None, 1, 2), repeat=5):
        votes = {name: b for name, b in zip(VOTERS, choice, strict=True) if b is not None}
        assert len(winners(Vote, votes)) <= 1


def test_half_is_not_enough() -> None:
    """The test above would see a wrong threshold."""
    votes = dict(zip(VOTERS, (1, 1, 2, 2, 1), strict=True))
    assert winners(HalfIsEnough, votes) == {1, 2}


def test_on_processes_two_of_five_voters_may_be_down() -> None:
    async def election() -> None:
        async with launch("bloomish.programs.quorum") as cluster:
            cluster.kill("voter-3")
            cluster.kill("voter-4")
            await cluster.wait_for("dead", "voter-3", "voter-4")
            async with cluster.connect("teller-0") as teller:
                elected = teller.watch("elected")
                for name in VOTERS[:2]:
                    async with cluster.connect(name) as host:
                        await host.insert("cast", [(7,)])
                await cluster.quiet()
                assert elected.ready() == []
                async with cluster.connect("voter-2") as host:
                    await host.insert("cast", [(7,)])
                assert await elected.take(1) == [(7,)]

    asyncio.run(asyncio.wait_for(election(), 60))

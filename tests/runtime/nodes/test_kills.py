"""SIGKILL at any moment: no acknowledged write is lost, and nobody votes twice.

Here some twenty kills; `pytest -m campaign tests/runtime/nodes/test_kills.py` kills two hundred
times in each of the three ways.  Nodes that answer before they commit are caught by the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from bloomish.runtime.launcher import LocalProcesses
from tests.runtime.nodes.kills import Hasty, kill_a_host_s_node, kill_a_store, kill_acceptors

HERE = Path(__file__).parent
NOTES = f"{HERE / 'failing.py'}:Failing"
MANY = 200


def store(folder: Path, kills: int, launcher: LocalProcesses | None = None) -> list[str]:
    """Writes that a client had an acknowledgement of, over the network."""
    told, lost = asyncio.run(kill_a_store(folder, kills, 1, launcher))
    assert told >= 3 * kills
    return lost


def host(folder: Path, kills: int, launcher: LocalProcesses | None = None) -> list[str]:
    """Rows of a host whose insert has returned."""
    told, lost = asyncio.run(kill_a_host_s_node(NOTES, folder, kills, 2, launcher))
    assert told >= 3 * kills
    return lost


def acceptors(folder: Path, kills: int, launcher: LocalProcesses | None = None) -> list[str]:
    """Promises and votes of Paxos, as its peers heard them."""
    votes = asyncio.run(kill_acceptors(folder, kills, 3, launcher))
    assert votes.told >= 20 * kills and len(votes.decided) >= kills
    return votes.contradictions()


Way = Callable[..., list[str]]
WAYS: list[Way] = [store, host, acceptors]


@pytest.mark.parametrize("way", WAYS)
def test_a_killed_node_keeps_its_word(way: Way, tmp_path: Path) -> None:
    assert way(tmp_path, 7) == []


@pytest.mark.parametrize("way", WAYS)
def test_a_node_that_answers_before_it_commits_is_caught(way: Way, tmp_path: Path) -> None:
    kills = 12 if way is acceptors else 4  # what was forgotten has to be asked for again
    for attempt in range(3):  # what is under way at the moment of a kill is up to the processes
        folder = tmp_path / str(attempt)
        folder.mkdir()
        if way(folder, kills, Hasty()):
            return
    pytest.fail("nothing that was told was forgotten")


@pytest.mark.campaign
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("way", WAYS)
def test_two_hundred_kills(way: Way, tmp_path: Path) -> None:
    assert way(tmp_path, MANY) == []

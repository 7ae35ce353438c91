"""The table of figures: ratios, targets, and how it looks."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner

from benchmarks import __main__ as figures
from benchmarks import durable, etcd
from benchmarks.row import Row, at_least, at_most, beside


def test_a_ratio_is_ours_over_the_peers() -> None:
    row = beside("closure", "s", 1.0, "egglog", 4.0, at_most=0.4)
    assert (row.ratio, row.target, row.met) == (0.25, "<= 0.4x", True)
    assert beside("echo", "/s", 5.0, "asyncio", 10.0, at_least=0.6).met is False
    assert beside("closure", "s", 1.0, "egglog", 4.0).met is None


def test_limits_include_themselves() -> None:
    assert at_most("import", "s", 0.15, 0.15).met
    assert at_least("ticks", "/s", 150_000, 150_000).met
    assert not at_most("import", "s", 0.16, 0.15).met


@pytest.mark.parametrize(
    ("value", "text"), [(None, ""), (0.0321, "0.0321"), (12.34, "12.3"), (2_600_000.0, "2,600,000")]
)
def test_numbers_are_short(value: float | None, text: str) -> None:
    assert figures.number(value) == text


def test_one_table_or_json(monkeypatch: pytest.MonkeyPatch) -> None:
    class Group:
        @staticmethod
        def run(quick: bool) -> Iterable[Row]:
            yield beside("closure", "s", 1.0, "egglog", 4.0, at_most=0.4, note="quick" * quick)
            yield at_most("import", "s", 0.2, 0.15)

    monkeypatch.setattr(figures, "groups", lambda: ["made_up"])
    monkeypatch.setattr(figures, "import_module", lambda name: Group)
    text = CliRunner().invoke(figures.main, ["made_up", "--quick"]).output
    assert "closure" in text and "0.25x" in text and "1 of 2 targets met" in text
    told = CliRunner().invoke(figures.main, ["--format", "json"])
    rows = json.loads(told.stdout)["rows"]
    assert [row["met"] for row in rows] == [True, False]
    assert "no group" in CliRunner().invoke(figures.main, ["nothing"]).output


def test_what_a_group_logs_is_shown_to_who_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    class Group:
        @staticmethod
        def run(quick: bool) -> Iterable[Row]:
            logging.getLogger("benchmarks.made_up").info("turn %d of %d", 2, 5)
            yield at_most("import", "s", 0.1, 0.15)

    monkeypatch.setattr(figures, "groups", lambda: ["made_up"])
    monkeypatch.setattr(figures, "import_module", lambda name: Group)
    result = CliRunner().invoke(figures.main, [])
    assert result.stderr.splitlines() == [
        "made_up: begins", "made_up: turn 2 of 5", "made_up: import: done"
    ]  # fmt: skip
    assert "turn 2 of 5" not in result.stdout


def test_what_is_ended_early_leaves_nothing_behind(tmp_path: Path) -> None:
    """SIGTERM is handed on as Ctrl-C."""
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks", "durable", "--quick"],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        cwd=Path(__file__).parent.parent,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        assert any("turn 1" in line for line in process.stderr)
        nodes = psutil.Process(process.pid).children(recursive=True)
        assert len(nodes) == 2 and list(tmp_path.iterdir())
        process.terminate()
        assert "Aborted!" in process.stderr.read()
    assert process.returncode == 1
    assert not any(node.is_running() for node in nodes)
    assert not list(tmp_path.iterdir())


def test_a_group_that_fails_loses_no_other_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    class Group:
        @staticmethod
        def run(quick: bool) -> Iterable[Row]:
            yield at_most("import", "s", 0.1, 0.15)
            raise OSError("the peer is gone")

    monkeypatch.setattr(figures, "groups", lambda: ["made_up"])
    monkeypatch.setattr(figures, "import_module", lambda name: Group)
    result = CliRunner().invoke(figures.main, [])
    assert result.exit_code == 1
    assert "1 of 1 targets met" in result.output and "the peer is gone" in result.output


def test_every_group_says_what_it_measures() -> None:
    """`python -m benchmarks` takes any module of the folder that has a `run`."""
    assert all(name.isidentifier() for name in figures.groups())


def test_where_etcd_is_not_installed_its_rows_are_a_notice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(etcd, "there", lambda: False)
    (row,) = asyncio.run(durable._beside_etcd(1, 0.0))
    assert row.note == "skipped: etcd is not installed (apt-get install etcd-server)"


@pytest.mark.skipif(not etcd.there(), reason="etcd is not installed (apt-get install etcd-server)")
def test_our_client_of_etcd_speaks_with_a_real_member(tmp_path: Path) -> None:
    async def spoken() -> etcd.Played:
        async with etcd.leader(tmp_path, members=1) as channel:
            await channel.ask(etcd.PUT, etcd.put(b"key", b"value"))
            found = etcd.numbers(await channel.ask(etcd.RANGE, etcd.get(b"key")))
            pair = etcd.numbers(bytes(found[2]))
            assert (pair[1], pair[5]) == (b"key", b"value")
            with pytest.raises(ConnectionError, match="Range was refused"):
                await channel.ask(etcd.RANGE, etcd.get(b""))
            return await etcd.played(channel, 4, 0.2, [("a", "1"), ("b", "2")])

    played = asyncio.run(spoken())
    assert played.operations == len(played.latencies) > 4


def test_who_waits_for_an_etcd_that_is_gone_is_told() -> None:
    async def played() -> None:
        server = await asyncio.start_server(lambda _, peer: peer.close(), "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        _, channel = await asyncio.get_running_loop().create_connection(
            lambda: etcd.Channel("etcd"), "127.0.0.1", port
        )
        async with server, asyncio.timeout(5):
            await etcd.played(channel, 4, 60.0, [("a", "1")])

    with pytest.raises(ConnectionError, match="is gone"):
        asyncio.run(played())


def test_the_fields_of_a_protocol_buffer() -> None:
    message = etcd.text(1, etcd.varint(3 << 3) + etcd.varint(300)) + etcd.varint(2 << 3) + b"\x05"
    fields = etcd.numbers(message)
    assert fields[2] == 5 and etcd.numbers(bytes(fields[1])) == {3: 300}

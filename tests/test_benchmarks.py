"""The table of figures: ratios, targets, and how it looks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable

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
    (row,) = asyncio.run(durable._beside_etcd(0.0))
    assert row.note == "skipped: etcd is not installed (apt-get install etcd-server)"


def test_the_fields_of_a_protocol_buffer() -> None:
    message = etcd.text(1, etcd.varint(3 << 3) + etcd.varint(300)) + etcd.varint(2 << 3) + b"\x05"
    fields = etcd.numbers(message)
    assert fields[2] == 5 and etcd.numbers(bytes(fields[1])) == {3: 300}  # type: ignore[arg-type]

"""`bloomish trace`: what the page holds, and that a real browser draws it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from bloomish.cli import run
from bloomish.runtime.diagram.layout import layout
from bloomish.runtime.diagram.page import page
from bloomish.runtime.trace import Happening, Receive, Record, RunRecord, Send, TickRecord, to_line

PROGRAMS = Path(__file__).parents[2] / "programs"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
browser = pytest.mark.skipif(CHROMIUM is None, reason="no chromium")


def small() -> list[Record]:
    rows = {"put": [("b", "</x>")]}
    return [
        RunRecord("demo", ("a", "b"), "simulator"),
        TickRecord("a", 1, 0.0, {"go": [(1,)]}, sends=[Send("a>b#1", "b", rows)]),
        Happening("partition", "a", 0.5, "a|b"),
        TickRecord("a", 2, 0.7, sends=[Send("a>b#2", "b", {"get": [("b", 2)]})]),
        Happening("lost", "a", 0.7, ids=("a>b#2",)),
        Happening("heal", "a", 0.9, "a|b"),
        TickRecord("b", 1, 1.0, receives=[Receive("a>b#1", "a", rows)]),
        Happening("crashed", "b", 1.5),
        Happening("restarted", "b", 2.5),
        TickRecord("b", 1, 2.6, receives=[Receive("a>b#1", "a", rows)]),
    ]


def dump(path: Path, fragment: str = "") -> str:
    assert CHROMIUM is not None
    done = subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=2000",
         "--dump-dom", f"file://{path}{fragment}"],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    found = re.search(r'<output id="counts">(.*?)</output>', done.stdout)
    assert found is not None
    return found[1]


def test_layout() -> None:
    picture = layout(small())
    assert picture.nodes == ["a", "b"]
    assert picture.moments == [
        0.0,
        0.5,
        0.7,
        0.9,
        1.0,
        1.5,
        2.5,
        2.6,
    ]
    # The first message came twice, the second never.
    assert [arrow[:4] for arrow in picture.arrows] == [[0, 0, 1, 4], [0, 0, 1, 7], [0, 2, 1, -1]]
    assert picture.downs == [[1, 5, 6]] and picture.cuts == [[1, 3, "a|b"]]
    assert "in: go(1)" in picture.ticks[0][3]


def test_the_page_cannot_be_broken_by_what_rows_hold() -> None:
    text = page(layout(small()))
    assert "</x>" not in text and text.count("</script>") == 2
    data = re.search(r'<script id="data" type="application/json">(.*?)</script>', text, re.DOTALL)
    assert data is not None and "'</x>'" in json.loads(data[1])["arrows"][0][5]


@browser
def test_a_browser_draws_a_simulated_run_and_filters_it(tmp_path: Path) -> None:
    record = tmp_path / "run.jsonl"
    assert run(["sim", str(PROGRAMS / "kvs.py"), "--seed", "1", "--trace", str(record)]) == 0
    assert run(["trace", str(record)]) == 0
    counts = dump(tmp_path / "run.html")
    everything = re.fullmatch(r"3 nodes, \d+ ticks, (\d+) of \1 messages(, \d+ lost)?", counts)
    assert everything is not None
    some = re.search(r"(\d+) of (\d+) messages", dump(tmp_path / "run.html", "#collection=Kvs.put"))
    assert some is not None and 0 < int(some[1]) < int(some[2])
    none = dump(tmp_path / "run.html", "#text=nothing-like-this")
    assert " 0 of " in none


@browser
def test_twenty_nodes_and_ten_thousand_messages(tmp_path: Path) -> None:
    nodes = tuple(f"node-{number}" for number in range(20))
    records: list[Record] = [RunRecord("big", nodes, "simulator")]
    for number in range(10_000):
        sender, receiver = nodes[number % 20], nodes[(number * 7 + 1) % 20]
        rows = {"say": [(receiver, number)]}
        name = f"{sender}>{receiver}#{number}"
        records.append(TickRecord(sender, number, number / 100, sends=[Send(name, receiver, rows)]))
        records.append(
            TickRecord(
                receiver, number, number / 100 + 0.005, receives=[Receive(name, sender, rows)]
            )
        )
    record = tmp_path / "big.jsonl"
    record.write_text("".join(to_line(one) + "\n" for one in records))
    started = time.perf_counter()
    assert run(["trace", str(record), "-o", str(tmp_path / "big.html")]) == 0
    assert "10,000 of 10,000 messages" in dump(tmp_path / "big.html")
    assert time.perf_counter() - started < 30
    assert (tmp_path / "big.html").stat().st_size < 8_000_000


@pytest.mark.parametrize("text", ["not json\n", '{"kind":"run","version":99}\n'])
def test_what_is_no_trace_is_refused(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x.jsonl").write_text(text)
    assert run(["trace", str(tmp_path / "x.jsonl")]) == 2
    assert "not a trace: line 1" in capsys.readouterr().err
    assert run(["trace", str(tmp_path / "none.jsonl")]) == 2

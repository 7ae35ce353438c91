"""Histories: written and read back, and what is wrong with a file that is none."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from bloomish.cli import bloomish
from bloomish.errors import BloomishError
from bloomish.runtime.history import (
    Event,
    Header,
    HistoryFault,
    HistoryFile,
    Note,
    parse,
    read,
)

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)


@given(
    st.lists(
        st.tuples(VALUES, VALUES, VALUES, st.sampled_from(["ok", "fail", "info", ""])), max_size=8
    )
)
@settings(max_examples=50, deadline=None)
def test_what_is_written_is_read(
    operations: list[tuple[object, object, object, str]],
) -> None:
    file = io.StringIO()
    history = HistoryFile(file, Header("list", [], {"seed": 7}))
    for process, (key, value, answer, outcome) in enumerate(operations):
        history.write(Event(process * 10, process, "invoke", "append", key, value))
        if outcome:
            history.write(Event(process * 10 + 5, process, outcome, "append", key, answer))  # type: ignore[arg-type]
    history.write(Note(1_000, "partition a|b begins"))
    found = parse(io.StringIO(file.getvalue()))
    assert found.header == Header("list", [], {"seed": 7})
    assert [note.text for _, note in found.notes] == ["partition a|b begins"]
    assert len(found.operations) == len(operations)
    for one, (key, value, answer, outcome) in zip(found.operations, operations, strict=True):
        assert (one.key, one.value) == (key, value)
        if outcome in ("ok", "fail"):
            assert (one.outcome, one.answer, one.ended) == (outcome, answer, one.began + 5)
        else:
            assert (one.outcome, one.answer, one.end) == ("open", None, None)


def line(process: int, kind: str, f: str = "read", **more: object) -> str:
    return json.dumps({"process": process, "type": kind, "f": f, **more}) + "\n"


WRONG = {
    "nested too deep": (["[" * 100_000 + "\n"], 1, "nested too deep"),
    "two headers": (['{"type": "history"}\n'] * 2, 2, "type history comes first, and once"),
    "not JSON": (["{\n"], 1, "not JSON"),
    "no object": (["[1]\n"], 1, r"an event is an object, this is \[1\]"),
    "no type": (['{"process": 1, "f": "read"}\n'], 1, "`type` is None; it is one of invoke, ok"),
    "no f": (['{"process": 1, "type": "invoke"}\n'], 1, "`f`, what is done, is missing"),
    "no process": (['{"type": "invoke", "f": "read"}\n'], 1, "`process` is missing"),
    "a process of no number": (
        ['{"type": "invoke", "f": "read", "process": true}\n'], 1, "`process` is no whole number",
    ),
    "two at once": (
        [line(1, "invoke"), line(1, "invoke")], 2, "process 1 still waits for .* in line 1",
    ),
    "nothing under way": (
        [line(1, "invoke"), line(2, "ok")], 2, "process 2 has nothing under way that could be ok",
    ),
    "alive after info": (
        [line(1, "invoke"), line(1, "info"), line(1, "invoke")], 3,
        "process 1 ended with the info of line 2; who goes on is a process of another number",
    ),
    "another operation": (
        [line(1, "invoke"), line(1, "ok", "write")], 2, "invoked read in line 1, not write",
    ),
    "another key": (
        [line(1, "invoke", key="x"), line(1, "ok", key="y")], 2, 'is "x" in line 1, here "y"',
    ),
    "time goes back": (
        [line(1, "invoke", time=9), line(1, "ok", time=8)], 2, "its time, 8, is before that",
    ),
    "header in the middle": (
        [line(1, "invoke"), '{"type": "history"}\n'], 2, "a line of type history comes first",
    ),
    "another version": (['{"type": "history", "version": 2}\n'], 1, "version 2; this reads"),
}  # fmt: skip


@pytest.mark.parametrize(("lines", "number", "text"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_named(lines: list[str], number: int, text: str) -> None:
    with pytest.raises(HistoryFault, match=text) as fault:
        parse(lines, "run.jsonl")
    assert str(fault.value).startswith(f"run.jsonl:{number}: ")


def test_a_last_line_that_was_cut_off_is_left_out() -> None:
    (one,) = parse([line(1, "invoke"), '{"process": 1, "ty']).operations
    assert one.outcome == "open"


def test_a_last_line_that_was_cut_off_within_a_character_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "cut.jsonl"
    whole = line(1, "invoke", "write", value=1).encode()
    file.write_bytes(whole + '{"process": 2, "value": "é'.encode()[:-1])
    assert [one.process for one in read(file).operations] == [1]
    file.write_bytes(whole + b'{"process": 2, "value": "\xe9"}\n')
    with pytest.raises(HistoryFault, match=r"cut.jsonl:2: not UTF-8: byte 26: "):
        read(file)


def test_a_byte_order_mark_is_no_part_of_the_first_line(tmp_path: Path) -> None:
    file = tmp_path / "marked.jsonl"
    file.write_bytes(b"\xef\xbb\xbf" + line(1, "invoke").replace("\n", "\r\n").encode())
    assert [one.process for one in read(file).operations] == [1]


def test_a_clock_may_begin_before_zero() -> None:
    found = parse([line(1, "invoke", time=-5), line(1, "ok", time=-3)])
    assert [(one.began, one.ended) for one in found.operations] == [(-5, -3)]


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BloomishError, match="none.jsonl"):
        read(tmp_path / "none.jsonl")


# ----------------------------------------------------------------- the verb


def judged(folder: Path, lines: list[str], *options: str) -> tuple[int, str]:
    """Exit status and output of `bloomish history`."""
    path = folder / "run.jsonl"
    path.write_text("".join(lines))
    result = CliRunner().invoke(bloomish, ["history", str(path), *options], standalone_mode=False)
    if isinstance(result.exception, BloomishError):
        return 2, str(result.exception)
    assert result.exception is None, result.output
    return int(result.return_value), result.output


STALE = [
    line(0, "invoke", "write", value=1), line(0, "ok", "write"),
    line(1, "invoke"), line(1, "ok", value=None),
]  # fmt: skip


def test_the_status_says_what_came_out(tmp_path: Path) -> None:
    assert judged(tmp_path, STALE[:3])[0] == 0
    status, said = judged(tmp_path, STALE)
    assert status == 1
    assert said.startswith("not linearizable: 2 operations on 1 register(s); ")
    assert "process 1: read -> null  (lines 3-4)" in said
    assert judged(tmp_path, STALE, "--consistency", "sequential")[0] == 0
    assert judged(tmp_path, [*STALE[:2], *STALE], "--states", "1")[0] == 3
    status, said = judged(tmp_path, STALE, "--model", "lock")
    assert status == 2
    assert "run.jsonl: line 1: a lock has no operation 'write'; it has: acquire, release" in said
    assert judged(tmp_path, STALE, "--initial", "{")[0] == 2
    assert judged(tmp_path, ["nonsense\n"])[0] == 2


def test_the_file_says_what_it_is_of(tmp_path: Path) -> None:
    header = '{"type": "history", "version": 1, "model": "text", "initial": "a"}\n'
    lines = [header, line(1, "invoke"), line(1, "ok", value="a")]
    assert judged(tmp_path, lines)[0] == 0
    assert judged(tmp_path, lines, "--initial", '""')[0] == 1
    status, said = judged(tmp_path, lines, "--initial", "7")
    assert (status, said) == (2, f"{tmp_path / 'run.jsonl'}: no text begins as 7")


def test_a_model_that_there_is_not_is_named_with_the_file(tmp_path: Path) -> None:
    said = {
        '{"type": "history", "model": "queue"}\n': ":1: no model 'queue'; there are register, once",
        '{"type": "history", "model": "counter", "initial": "x"}\n': ': no counter begins as "x"',
        f'{{"process": 1, "type": "invoke", "f": "write", "value": {"[" * 990 + "]" * 990}}}\n': (
            "nested too deep"
        ),
    }
    for header, text in said.items():
        status, told = judged(tmp_path, [header, line(2, "invoke"), line(2, "ok")])
        assert (status, "run.jsonl:" in told, text in told) == (2, True, True), told
    assert judged(tmp_path, ['{"type": "history", "model": null}\n', line(1, "invoke")])[0] == 0


def test_as_data(tmp_path: Path) -> None:
    status, said = judged(tmp_path, STALE, "--format", "json")
    assert status == 1
    data = json.loads(said)
    assert (data["verdict"], data["model"], data["operations"]) == ("no", "register", 2)
    trouble = data["keys"][0]["trouble"]
    assert trouble["line"] == 4
    assert trouble["operation"]["lines"] == [3, 4]
    assert trouble["dead_ends"][0]["state"] == "1"

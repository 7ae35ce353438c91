"""The parts of a node by themselves: what is set aside, the store, timers, rows as text."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bloomish import ir
from bloomish.runtime.directory import Directory, UnknownNode, parse_place, place_text
from bloomish.runtime.evaluator import Arrival, Tick, TickFailed
from bloomish.runtime.rowtext import BadRow, Format, RowReader, guess, row_text
from bloomish.runtime.setaside import KEEP, LIMIT, Shelf, Stuck, rescue
from bloomish.runtime.store import Store, StoreFault
from bloomish.runtime.timers import Periodic, Resend
from bloomish.runtime.trace import (
    Happening,
    Record,
    RunRecord,
    TickRecord,
    TraceFile,
    read,
    to_line,
)
from bloomish.values import Values
from tests.runtime.nodes.support import going, spelt

# ------------------------------------------------------------------- set aside


class Picky:
    """An evaluator as far as a rescue needs one: a tick fails as `wrong` says."""

    def __init__(self, rows: Sequence[int], wrong: Callable[[list[int]], bool]) -> None:
        self._arrivals: list[Arrival] = [("given", (n,)) for n in rows]
        self._wrong = wrong
        self.probes = 0

    def _fails(self, arrivals: Sequence[Arrival]) -> TickFailed | None:
        numbers = [row[0] for _, row in arrivals]
        return TickFailed("rule_1", (), "it is wrong") if self._wrong(numbers) else None  # type: ignore[arg-type]

    def probe(self, now: float, arrivals: Sequence[Arrival]) -> TickFailed | None:
        self.probes += 1
        return self._fails(arrivals)

    def arrivals(self) -> list[Arrival]:
        return list(self._arrivals)

    def set_arrivals(self, arrivals: Sequence[Arrival]) -> None:
        self._arrivals = list(arrivals)

    def tick(self, now: float = 0.0) -> Tick:
        failure = self._fails(self._arrivals)
        if failure is not None:
            raise failure
        return Tick(7, rows_in=len(self._arrivals))


def rescued(picky: Picky) -> tuple[list[int], int]:
    """The rows set aside and how many the tick took."""
    shelf = Shelf()
    try:
        picky.tick()
    except TickFailed as failure:
        saved = rescue(picky, shelf, failure, 0.0, 7)  # type: ignore[arg-type]
        assert saved.aside == shelf.rows
        return [one.row[0] for one in saved.aside], saved.tick.rows_in  # type: ignore[misc]
    return [], len(picky.arrivals())


@given(st.sets(st.integers(0, 300), max_size=80), st.sets(st.integers(0, 300), max_size=40))
@settings(max_examples=80, deadline=None)
def test_each_row_that_fails_by_itself_is_set_aside_and_no_other(
    rows: set[int], bad: set[int]
) -> None:
    picky = Picky(sorted(rows), lambda numbers: any(n in bad for n in numbers))
    aside, taken = rescued(picky)
    assert aside == sorted(rows & bad)
    assert taken == len(rows - bad)


def test_of_rows_that_conflict_the_last_of_the_shortest_failing_prefix_goes() -> None:
    picky = Picky(range(100), lambda numbers: {20, 70} <= set(numbers))
    assert rescued(picky) == ([70], 99)
    assert picky.probes < 10


def test_a_tick_that_fails_by_what_a_log_delivers_goes_on_without_it() -> None:
    """Of two logs, the one that it takes; rows that fail beside are set aside as ever."""

    def wrong(numbers: list[object]) -> bool:
        return "rule_1" not in numbers or 7 in numbers

    picky = Picky(range(10), wrong)  # type: ignore[arg-type]
    shelf = Shelf()
    failure = picky.probe(0.0, picky.arrivals())
    assert failure is not None
    saved = rescue(picky, shelf, failure, 0.0, 7, ["order.skip", "other.skip"])  # type: ignore[arg-type]
    assert [one.row for one in saved.aside] == [(7,)]
    assert saved.passed_over is not None and saved.tick.rows_in == 10
    assert [name for name, _ in picky.arrivals() if name != "given"] == ["order.skip"]


def test_above_the_limit_the_whole_batch_goes() -> None:
    picky = Picky(range(LIMIT + 40), lambda numbers: any(n >= 2 for n in numbers))
    aside, taken = rescued(picky)
    assert (len(aside), taken) == (LIMIT + 40, 0)


def test_a_tick_that_fails_without_arrivals_is_stuck() -> None:
    with pytest.raises(Stuck):
        rescued(Picky([1, 2], lambda numbers: True))


def test_the_shelf_keeps_the_newest_and_gives_back_what_is_asked_for() -> None:
    shelf = Shelf()
    shelf.put([("c", (n,)) for n in range(KEEP + 10)], 1, "why")
    assert (len(shelf.rows), shelf.total) == (KEEP, KEEP + 10)
    assert [one.row for one in shelf.take([11, 13])] == [(10,), (12,)]
    assert len(shelf.take()) == KEEP - 2
    assert shelf.rows == []


# -------------------------------------------------------------------- the store

INT, STR, ANY = ir.Plain("int"), ir.Plain("str"), ir.Plain("Any")


def durable(name: str, *columns: tuple[str, ir.Type, bool]) -> ir.Collection:
    return ir.Collection(name, "table", tuple(ir.Column(*one) for one in columns), durable=True)


STORED = ir.Program(
    "Stored",
    (
        durable("inner.keyed", ("key", STR, True), ("value", ANY, False)),
        durable("rows", ("a", INT, False), ("b", ir.TupleOf((INT, STR)), False)),
        durable(
            "merged",
            ("key", INT, True),
            ("highest", ir.Lattice("Max", (INT,)), False),
            ("seen", ir.Lattice("SetUnion", (ir.TupleOf((INT, ir.Plain("bytes"))),)), False),
            ("on", ir.Lattice("Bool"), False),
        ),
        durable(
            "plain",
            ("f", ir.Plain("float"), True),
            ("b", ir.Plain("bool"), False),
            ("x", ir.Plain("bytes"), False),
        ),
        ir.Collection("volatile", "table", (ir.Column("a", INT),)),
    ),
    (),
)
CONTENT: dict[str, list[tuple[Any, ...]]] = {
    "inner.keyed": [("a", 1), ("b", 1.0), ("c", True), ("d", None), ('"', (1, ("x", b"\0"), None))],
    "rows": [(1, (2, "x")), (1, (3, 'y"')), (-(1 << 63), (0, ""))],
    "merged": [(1, None, frozenset(), False), (2, 9, frozenset({(1, b"z"), (2, b"")}), True)],
    "plain": [(0.5, True, b"\xff"), (float("inf"), False, b"")],
}


def opened(path: Path, node: str = "a-0", program: ir.Program = STORED) -> Store:
    return Store(path, node, program, Values())


def test_what_is_committed_comes_back_with_its_types(tmp_path: Path) -> None:
    store = opened(tmp_path / "x.sqlite")
    assert store.tables() is None
    store.commit(Tick(1, durable={name: ([], list(rows)) for name, rows in CONTENT.items()}))
    store.commit(Tick(2, durable={"rows": ([CONTENT["rows"][0]], [(5, (5, "new"))])}))
    store.commit(Tick(3, durable={"merged": ([CONTENT["merged"][0]], [(1, 4, frozenset(), True)])}))
    store.close()
    store = opened(tmp_path / "x.sqlite")
    tables = store.tables()
    assert tables is not None
    expected = dict(CONTENT)
    expected["rows"] = [*expected["rows"][1:], (5, (5, "new"))]
    expected["merged"] = [(1, 4, frozenset(), True), expected["merged"][1]]
    for name, rows in expected.items():
        assert sorted(map(spelt, tables[name])) == sorted(map(spelt, rows))
    store.close()


def test_a_tick_without_durable_rows_is_remembered_as_the_first(tmp_path: Path) -> None:
    store = opened(tmp_path / "x.sqlite")
    store.commit(Tick(1))
    store.close()
    store = opened(tmp_path / "x.sqlite")
    assert store.tables() == {name: [] for name in CONTENT}
    store.close()


def test_a_store_of_another_node_or_program_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "x.sqlite"
    opened(file).close()
    with pytest.raises(StoreFault, match="its node is a-0, this node's is b-0"):
        opened(file, node="b-0")
    other = ir.Program("Other", (durable("rows", ("a", INT, False)),), ())
    with pytest.raises(StoreFault, match="its schema is"):
        opened(file, program=other)


def test_a_store_in_use_or_torn_is_named(tmp_path: Path) -> None:
    file = tmp_path / "x.sqlite"
    first = opened(file)
    first.commit(Tick(1, durable={"rows": ([], [(n, (n, "x" * 50)) for n in range(2000)])}))
    with pytest.raises(StoreFault, match="locked"):
        opened(file)
    first.close()
    data = bytearray(file.read_bytes())
    data[8192:16384] = os.urandom(8192)
    file.write_bytes(data)
    with pytest.raises(StoreFault, match="x.sqlite.*torn"):
        store = opened(file)
        store.tables()


def test_names_that_sql_takes_for_one_or_for_its_own(tmp_path: Path) -> None:
    names = ["kept", "Kept", "KEPT", "sqlite_x", "bloomish", "select", 'a"b']
    columns = (("a", INT, True), ("A", INT, False), ("order", INT, False))
    program = ir.Program("Names", tuple(durable(name, *columns) for name in names), ())
    store = opened(tmp_path / "x.sqlite", program=program)
    rows: dict[str, list[tuple[object, ...]]] = {
        name: [(place, place + 1, place + 2)] for place, name in enumerate(names)
    }
    store.commit(Tick(1, durable={name: ([], some) for name, some in rows.items()}))
    store.close()
    store = opened(tmp_path / "x.sqlite", program=program)
    assert store.tables() == rows
    store.close()


def test_a_commit_that_fails_leaves_nothing_of_the_tick(tmp_path: Path) -> None:
    file = tmp_path / "x.sqlite"
    store = opened(file)
    store.commit(Tick(1, durable={"rows": ([], [(1, (1, "x"))])}))
    with pytest.raises(StoreFault):
        store.commit(
            Tick(2, durable={"plain": ([], [(1.0, True, b"")]), "rows": ([], [(1, (1, "x"))])})
        )
    store.close()
    with sqlite3.connect(file) as db:
        assert db.execute("SELECT count(*) FROM plain").fetchone() == (0,)
    db.close()


def test_what_is_taken_lasts_once_it_is_settled(tmp_path: Path) -> None:
    file = tmp_path / "x.sqlite"
    store = opened(file)
    for number in range(3):
        store.take(Tick(number, durable={"rows": ([], [(number, (number, "x"))])}))
        assert store.owes
    store.settle()
    assert not store.owes
    store.take(Tick(4, durable={"rows": ([(0, (0, "x"))], [])}))
    store.close()
    store = opened(file)
    assert sorted((store.tables() or {})["rows"]) == [(n, (n, "x")) for n in range(3)]
    store.close()


# ----------------------------------------------------------------------- timers


class Rings:
    """A resend timer whose standing rows we set; when it sent."""

    def __init__(self) -> None:
        self.standing: int | None = 1
        self.stood: int | None = None
        self.at: list[float] = []
        self.timer = Resend(self._look, self._sent, first=0.02, last=0.16)
        self.started = asyncio.get_running_loop().time()

    def _look(self) -> int | None:
        stood, self.stood = self.stood, self.standing
        return 0 if stood != self.standing and self.standing is not None else self.standing

    def _sent(self) -> None:
        self.at.append(asyncio.get_running_loop().time() - self.started)

    @property
    def gaps(self) -> list[float]:
        return [b - a for a, b in zip([0.0, *self.at], self.at, strict=False)]


@going
async def test_resends_back_off_while_the_same_stands() -> None:
    rings = Rings()
    rings.timer.sent_something()
    while len(rings.at) < 5:
        await asyncio.sleep(0.01)
    for gap, least in zip(rings.gaps, (0.02, 0.04, 0.08, 0.16, 0.16), strict=False):
        assert gap >= least - 0.005
    rings.timer.stop()


@going
async def test_an_answer_that_changes_nothing_does_not_start_the_waits_anew() -> None:
    rings = Rings()
    rings.timer.sent_something()
    for _ in range(60):
        await asyncio.sleep(0.01)
        rings.timer.sent_something()
    # However long the loop took: three sends until the longest wait is reached, one in each.
    assert len(rings.at) <= 4 + (asyncio.get_running_loop().time() - rings.started) / 0.16
    before = len(rings.at)
    rings.standing = 2
    rings.timer.sent_something()
    while len(rings.at) == before:
        await asyncio.sleep(0.005)
    rings.standing = None
    while rings.timer._timer is not None:
        await asyncio.sleep(0.005)


@going
async def test_a_periodic_counts_its_firings() -> None:
    fired: list[int] = []
    periodic = Periodic(0.01, fired.append)
    periodic.start()
    while len(fired) < 4:
        await asyncio.sleep(0.005)
    periodic.stop()
    assert fired[:4] == [1, 2, 3, 4]


# ----------------------------------------------------------------- rows as text

COLUMNS = (
    ir.Column("n", INT),
    ir.Column("text", STR),
    ir.Column("flag", ir.Plain("bool")),
    ir.Column("pair", ir.TupleOf((INT, STR))),
    ir.Column("seen", ir.Lattice("SetUnion", (INT,))),
)


def parse(lines: str, form: Format = "csv") -> list[tuple[object, ...]]:
    reader = RowReader("file", "given", COLUMNS, Values())
    return list(reader.rows(lines.splitlines(keepends=True), form))


ROW = (1, "a,b", True, (2, "x"), frozenset({3, 4}))


def test_csv_cells_are_read_by_their_types() -> None:
    line = '1,"a,b",true,"[2, ""x""]","[4, 3]"\n'
    assert parse(line) == [ROW]
    assert parse('text,n,seen,flag,pair\n"a,b",1,"[3,4]",1,"[2,""x""]"\n\n') == [ROW]
    assert parse('1\ta,b\tTRUE\t[2, "x"]\t[3, 4]\n', "tsv") == [ROW]


def test_json_rows_are_arrays_or_objects() -> None:
    assert parse('[1, "a,b", true, [2, "x"], [3, 4]]\n\n', "json") == [ROW]
    named = '{"n": 1, "text": "a,b", "flag": true, "pair": [2, "x"], "seen": [4, 3]}'
    assert parse(named, "json") == [ROW]


@pytest.mark.parametrize(
    ("lines", "form", "complaint"),
    [
        ('1,x,maybe,"[1,""x""]",[]', "csv", "file:1: column flag: 'maybe' is not true or false"),
        ("1,x,true,[1,[]", "csv", "file:1: 6 cells for 5 columns|column pair"),
        ('1,x,true,"[1]",[]', "csv", "file:1: column pair"),
        ("\n[1]", "json", "file:2: 1 values for 5 columns"),
        ("{", "json", "file:1: not JSON"),
        ('{"n": 1, "m": 2}', "json", "missing: flag, pair, seen, text; no such column: m"),
        ("7", "json", "neither an array nor an object"),
        ('[1, "x", true, {"bytes": "zz"}, []]', "json", "'zz' is not bytes in hexadecimal"),
        ("[" * 100_000, "json", "file:1: not JSON: it is nested too deeply"),
        ("1,x,true," + "[" * 100_000 + ",[]", "csv", "file:1: column pair: .* too deeply"),
    ],
)
def test_a_bad_line_is_named(lines: str, form: Format, complaint: str) -> None:
    with pytest.raises(BadRow, match=complaint):
        parse(lines, form)


def test_a_byte_order_mark_is_no_part_of_a_row() -> None:
    assert parse('\ufeff1,"a,b",true,"[2, ""x""]","[4, 3]"\n') == [ROW]
    assert parse('\ufeff[1, "a,b", true, [2, "x"], [3, 4]]', "json") == [ROW]
    assert guess('\ufeff{"a": 1}') == "json"


def test_formats_are_guessed_and_rows_are_written_as_programs_write_them() -> None:
    assert [guess(one) for one in ("[1]", ' {"a": 1}', "a,b")] == ["json", "json", "csv"]
    assert row_text("given", (1, "x", frozenset({2, 1}))) == 'given(1, "x", {1, 2})'


# -------------------------------------------------------- directories and traces


def test_a_directory_is_written_and_read(tmp_path: Path) -> None:
    directory = Directory("c", {"a-0": ("127.0.0.1", 4000), "b-0": ("::1", 4001)})
    directory.write(tmp_path / "d.json")
    assert Directory.read(tmp_path / "d.json") == directory
    with pytest.raises(UnknownNode, match="there are: a-0, b-0"):
        directory.find("c-0")
    for wrong in ("{}", "[]", '{"cluster": "c", "nodes": {"a": "nowhere"}}', "x"):
        with pytest.raises(ValueError):
            Directory.from_json(wrong)
    assert parse_place(place_text(("::1", 80))) == ("::1", 80)


def test_a_trace_that_was_cut_off_is_read_up_to_there(tmp_path: Path) -> None:
    file = tmp_path / "t.jsonl"
    trace = TraceFile(str(file), lambda text: None)
    records: list[Record] = [
        RunRecord("x.py", ("a-0",), "processes", 1.0, 7, "c"),
        TickRecord("a-0", 1, 1.5, {"given": [[1, "x"]]}),
        Happening("stop", "a-0", 2.0, "why", (), 1),
    ]
    for one in records:
        trace.write(one)
    trace.close()
    whole = file.read_text()
    cut = whole[:-10]
    assert [to_line(one) for one in read(cut.splitlines(keepends=True))] == [
        to_line(one) for one in records[:2]
    ]
    with pytest.raises(ValueError, match="line 1"):
        list(read(["{\n", whole.splitlines()[0]]))


def test_records_that_kills_cut_off_are_left_out_and_what_others_wrote_behind_them_is_read() -> (
    None
):
    """Nodes append to one file: behind the piece of one that was killed the others write on."""
    before, torn, after = (
        Happening("start", "a-0", 1.0),
        TickRecord("b-0", 1, 1.5, {"given": [[1, 'é{"kind":"run"}']]}),
        Happening("stop", "a-0", 2.0, "why", (), 1),
    )
    first, piece, then = (to_line(one).encode() for one in (before, torn, after))
    for place in range(len(piece)):
        for pieces in (piece[:place], piece[:place] + piece[:-1]):
            lines = [first + b"\n", pieces + then + b"\n", then + b"\n", piece[:place]]
            assert list(read(lines)) == [before, after, after]
    assert list(read([first + piece + then + b"\n"])) == [before, torn, after]
    with pytest.raises(ValueError, match="line 2"):
        list(read([first + b"\n", b"x" + then + b"\n"]))
    with pytest.raises(ValueError, match="line 2"):
        list(read([first + b"\n", piece[:20] + b"\n", then + b"\n"]))

"""What a node makes of files that were torn or changed behind its back.

A store is left as a SIGKILL leaves it: its tables partly in the file, partly in SQLite's log, its
mark beside them.  Then bytes are flipped, blocks zeroed, ends cut off, files removed, at places all
over.  The store must open with exactly what was acknowledged, or not at all, and say which file.
"""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from bloomish.runtime.evaluator import Row, Tick
from bloomish.runtime.store import Store, StoreFault
from bloomish.values import Values
from tests.runtime.nodes.support import spelt
from tests.runtime.nodes.test_parts import CONTENT, STORED

NAME = "x.sqlite"
FILES = (NAME, NAME + "-wal", "x.mark")
Content = Mapping[str, list[Row]]


def opened(folder: Path) -> Store:
    return Store(folder / NAME, "a-0", STORED, Values())


def plain(tables: Content) -> dict[str, list[str]]:
    return {name: sorted(map(spelt, rows)) for name, rows in tables.items()}


def ticks() -> Iterator[Tick]:
    """Big commits, then so many small ones, overwriting and deleting, that SQLite has moved its
    log into the file once, and about half of it is live again."""
    yield Tick(1, durable={name: ([], list(rows)) for name, rows in CONTENT.items()})
    for part in range(4):
        rows = [(part * 1000 + n, (n, "x" * 50)) for n in range(400, 900)]
        yield Tick(2, durable={"rows": ([], rows)})
    for n in range(400):
        before = [("hot", n - 1)] if n else []
        yield Tick(
            3, durable={"inner.keyed": (before, [("hot", n)]), "rows": ([], [(n, (-n, "hot"))])}
        )
    yield Tick(4, durable={"rows": ([(n, (-n, "hot")) for n in range(0, 400, 2)], [])})


@dataclass(frozen=True)
class Killed:
    """The files of a store whose process was killed, and what was acknowledged."""

    files: dict[str, bytes]
    earlier: dict[str, bytes]
    """The same files at commit 300."""
    acknowledged: dict[str, list[str]]


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Killed:
    folder = tmp_path_factory.mktemp("killed")
    store = opened(folder)
    content: dict[str, dict[Row, None]] = {name: {} for name in CONTENT}
    earlier = {}
    for number, tick in enumerate(ticks(), 1):
        store.commit(tick)
        if number == 300:
            earlier = {name: (folder / name).read_bytes() for name in FILES}
        for name, (removed, added) in tick.durable.items():
            for row in removed:
                del content[name][row]
            content[name].update(dict.fromkeys(added))
    files = {name: (folder / name).read_bytes() for name in FILES}
    store.close()
    assert len(files[NAME]) > 100_000 and len(files[NAME + "-wal"]) > 100_000
    acknowledged = plain({name: list(rows) for name, rows in content.items()})
    return Killed(files, earlier, acknowledged)


def outcome(folder: Path, files: Mapping[str, bytes], acknowledged: dict[str, list[str]]) -> str:
    """ "whole", or what the refusal says; anything else fails the test."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    try:
        store = opened(folder)
    except StoreFault as fault:
        assert NAME in str(fault), fault
        assert {name: (folder / name).read_bytes() for name in files} == files, "it was touched"
        return str(fault)
    tables = store.tables()
    store.close()
    assert tables is not None and plain(tables) == acknowledged, "silently used"
    return "whole"


def places(size: int, stride: int) -> Iterator[int]:
    chance = random.Random(size)
    for start in range(0, size, stride):
        yield min(size - 1, start + chance.randrange(stride))


def flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ (1 << place % 8)]) + data[place + 1 :]


def block(data: bytes, place: int) -> tuple[int, int]:
    """The page that a place is in; of a small file, the sector."""
    size = 4096 if len(data) > 4096 else 512
    return place // size * size, min(size, len(data) - place // size * size)


def zeroed(data: bytes, place: int) -> bytes:
    start, size = block(data, place)
    return data[:start] + bytes(size) + data[start + size :]


def cut(data: bytes, place: int) -> bytes:
    return data[:place]


def garbled(data: bytes, place: int) -> bytes:
    """Another block of the same file in this one's place: each byte of it could be right."""
    start, size = block(data, place)
    other, _ = block(data, (place + len(data) // 2) % len(data))
    return data[:start] + data[other : other + size] + data[start + size :]


HARMS = [flipped, zeroed, cut, garbled]


def harmed(
    folder: Path, state: Killed, name: str, harm: Callable[[bytes, int], bytes], count: int
) -> set[str]:
    """What is said after harm to one file at so many places, one at a time."""
    data = state.files[name]
    return {
        outcome(folder, state.files | {name: harm(data, place)}, state.acknowledged)
        for place in places(len(data), max(1, len(data) // count))
    }


@pytest.mark.parametrize("harm", HARMS)
@pytest.mark.parametrize("name", FILES)
def test_no_harm_goes_unseen(
    killed: Killed, tmp_path: Path, name: str, harm: Callable[[bytes, int], bytes]
) -> None:
    assert outcome(tmp_path / "a", killed.files, killed.acknowledged) == "whole"
    said = harmed(tmp_path / "a", killed, name, harm, 40)
    if name == NAME:
        assert any("table rows" in text for text in said)
    if name == NAME + "-wal":
        assert any("x.mark knows that commit 406 was acknowledged" in text for text in said)
    if name == "x.mark" and harm is cut:
        assert any("x.mark is torn" in text for text in said)


@pytest.mark.campaign
@pytest.mark.timeout(7_200)
@pytest.mark.parametrize("harm", HARMS)
@pytest.mark.parametrize("name", FILES)
def test_no_harm_goes_unseen_at_a_thousand_places(
    killed: Killed, tmp_path: Path, name: str, harm: Callable[[bytes, int], bytes]
) -> None:
    harmed(tmp_path / "a", killed, name, harm, 1_000)


def test_a_file_that_is_gone_or_older_than_its_mark(killed: Killed, tmp_path: Path) -> None:
    for name in (NAME, NAME + "-wal"):
        left = {one: data for one, data in killed.files.items() if one != name}
        assert "knows that commit 406" in outcome(tmp_path / "a", left, killed.acknowledged)
    older = killed.earlier | {"x.mark": killed.files["x.mark"]}
    assert "ends with commit 300, and x.mark" in outcome(tmp_path / "a", older, {})


def test_a_mark_that_is_behind_or_gone(
    killed: Killed, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A process may die between a commit and its mark; a loss of power may take a second of
    marks; and whoever removes the mark says that what is there will do."""
    behind = killed.files | {"x.mark": killed.earlier["x.mark"]}
    assert outcome(tmp_path / "a", behind, killed.acknowledged) == "whole"
    assert not caplog.records
    alone = {name: data for name, data in killed.files.items() if name != "x.mark"}
    assert outcome(tmp_path / "a", alone, killed.acknowledged) == "whole"
    assert "whether commit 406 was its last cannot be told" in caplog.text


def test_a_store_goes_on_after_it_was_killed(killed: Killed, tmp_path: Path) -> None:
    for name, data in killed.files.items():
        (tmp_path / name).write_bytes(data)
    for number in range(3):
        store = opened(tmp_path)
        tables = store.tables()
        assert tables is not None and ("hot", 399 + number) in tables["inner.keyed"]
        change = ([("hot", 399 + number)], [("hot", 400 + number)])
        store.commit(Tick(1, durable={"inner.keyed": change}))
        store.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.mark", NAME]


def test_a_row_that_is_not_there_cannot_be_deleted(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.commit(Tick(1, durable={"rows": ([], [(1, (1, "x"))])}))
    with pytest.raises(StoreFault, match="table rows: a row to be deleted is not there"):
        store.commit(Tick(2, durable={"rows": ([(1, (1, "y"))], [(2, (2, "z"))])}))
    store.close()
    store = opened(tmp_path)
    assert (store.tables() or {})["rows"] == [(1, (1, "x"))]
    store.close()


def test_a_database_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / NAME)) as db:
        db.execute("CREATE TABLE theirs (a)")
        db.commit()
    before = (tmp_path / NAME).read_bytes()
    with pytest.raises(StoreFault, match="it has no table -bloomish as ours have"):
        opened(tmp_path)
    assert (tmp_path / NAME).read_bytes() == before

"""Ticks through the Python API: single rows, overwrites, batches, strings that come and go."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.row import Row, at_least, beside
from bloomish import Address, Key, Program, _, channel, input, output, table, variables
from bloomish.program import compile
from bloomish.runtime.evaluators import make_evaluator

key, value, text = variables("key value text")


class Insert(Program):
    """Rows that come stay."""

    put = input(key=int, value=int)
    kept = table(key=int, value=int)

    kept(key, value) <= put(key, value)


class Overwrite(Program):
    """The last row of a key stays."""

    put = input(key=int, value=int)
    kept = table(key=Key(int), value=int)

    kept(key, value) < +-put(key, value)


class Passing(Program):
    """Strings that nobody keeps."""

    message = channel(to=Address, text=str)
    found = output(text=str)

    found(text) <= message(_, text) & (text == "never sent")


def evaluator(program: type[Program]) -> Any:
    compiled = compile(program)
    node = make_evaluator(compiled.program, compiled.externals, node="node-0", which="engine")
    node.tick()
    return node


def rate(count: int, play: Callable[[], None]) -> float:
    """Rows a second of CPU."""
    begun = time.process_time()
    play()
    return count / (time.process_time() - begun)


def single(node: Any, batches: list[list[tuple[int, int]]]) -> Callable[[], None]:
    def play() -> None:
        insert, tick = node.insert, node.tick
        for rows in batches:
            insert("put", rows)
            tick()

    return play


def run(quick: bool) -> Iterator[Row]:
    """The figures of this group."""
    if find_spec("bloomish._engine") is None:
        return
    count = 10_000 if quick else 100_000
    fresh = iter(range(1 << 40))
    found = []
    node = evaluator(Insert)
    for _attempt in range(3):
        batches = [[(next(fresh), 0)] for _row in range(count)]
        found.append(rate(count, single(node, batches)))
    yield at_least("single-row insert ticks", "/s", max(found), 150_000)
    found = []
    for _attempt in range(3):
        batches = [[(next(fresh), 0) for _row in range(10_000)] for _tick in range(count // 10_000)]
        found.append(rate(count, single(node, batches)))
    yield at_least("rows in 10,000-row ticks", "/s", max(found), 2_000_000)
    for size in (10, 1000, 100_000) if quick else (10, 1000, 100_000, 1_000_000):
        yield _overwrites(size, count)
    yield _memory(quick)


def _overwrites(size: int, count: int) -> Row:
    """Existing keys and new ones, both drawn at random, turn by turn on tables of one size."""
    rng = random.Random(size)
    rates: dict[bool, list[float]] = {False: [], True: []}
    version = 0
    for _attempt in range(3):
        node = evaluator(Overwrite)
        keys = rng.sample(range(1 << 40), size + count)
        node.insert("put", [(k, version) for k in keys[:size]])
        node.tick()
        node.tick()
        for new in (False, True):
            version += 1
            chosen = keys[size:] if new else rng.choices(keys[:size], k=count)
            # New int objects for both, side by side: Python's own misses are not ours.
            fresh = [int(str(k)) for k in chosen]
            batches = [[(k, version + nth)] for nth, k in enumerate(fresh)]
            rates[new].append(rate(count, single(node, batches)))
    title = f"overwriting ticks, {size:,} rows"
    old, new_rate = max(rates[False]), max(rates[True])
    return beside(title, "/s", old, "new keys", new_rate, at_least=0.9)


def _memory(quick: bool) -> Row:
    """In a process of its own: memory after all strings over that after the first 100,000."""
    count = 1_000_000 if quick else 10_000_000
    command = [sys.executable, "-m", "benchmarks.ticks", str(count)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    first, last = json.loads(done.stdout)
    title = f"{count // 1_000_000} M strings through a channel"
    return beside(title, "MiB", last, "after 100,000", first, at_most=1.2)


def pass_strings(count: int) -> tuple[float, float]:
    node = evaluator(Passing)
    first = 0.0
    for start in range(0, count, 10_000):
        rows = [
            ("node-0", f"a string that is sent once: {n}") for n in range(start, start + 10_000)
        ]
        node.insert("message", rows)
        node.tick()
        if start == 90_000:
            first = resident()
    return first, resident()


def resident() -> float:
    """MiB of memory that the process has now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / (1 << 20)


if __name__ == "__main__":
    print(json.dumps(pass_strings(int(sys.argv[1]))))

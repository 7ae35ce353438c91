"""The inputs of W1 to W7: files of ints, tab between, the same for every system."""

from __future__ import annotations

import random
from collections.abc import Iterable
from pathlib import Path

Pairs = Iterable[tuple[int, ...]]


def digraph(nodes: int, edges: int, seed: int) -> list[tuple[int, ...]]:
    """Distinct random edges."""
    rng = random.Random(seed)
    found: set[tuple[int, ...]] = set()
    while len(found) < edges:
        found.add((rng.randrange(nodes), rng.randrange(nodes)))
    return sorted(found)


def levels(depth: int, width: int, seed: int) -> list[tuple[int, ...]]:
    """parent(child, parent): a root, then `depth` levels of `width`, parents drawn from above."""
    rng = random.Random(seed)
    found: list[tuple[int, ...]] = []
    above, node = [0], 1
    for _ in range(depth):
        level = list(range(node, node + width))
        found += [(child, rng.choice(above)) for child in level]
        above, node = level, node + width
    return found


def weighted(nodes: int, edges: int, seed: int) -> list[tuple[int, ...]]:
    rng = random.Random(seed)
    return [(rng.randrange(nodes), rng.randrange(nodes), rng.randint(1, 100)) for _ in range(edges)]


def within_blocks(blocks: int, size: int, count: int, seed: int) -> list[tuple[int, ...]]:
    """Distinct random pairs, each inside one block of `size` variables: functions of a program
    whose variables flow and alias within it."""
    rng = random.Random(seed)
    found: set[tuple[int, ...]] = set()
    while len(found) < count:
        block = rng.randrange(blocks) * size
        found.add((block + rng.randrange(size), block + rng.randrange(size)))
    return sorted(found)


def write(path: Path, rows: Pairs) -> None:
    path.write_text("".join("\t".join(map(str, row)) + "\n" for row in rows))


def make(folder: Path, quick: bool) -> None:
    """All input files."""
    scale = 4 if quick else 1
    write(folder / "w1.tsv", digraph(2000 // scale, 4000 // scale, 1))
    write(folder / "w2.tsv", [(i, i + 1) for i in range(2000 // scale - 1)])
    write(folder / "w3.tsv", levels(10, 330 // scale, 3))
    write(folder / "w4.tsv", weighted(100_000 // scale, 500_000 // scale, 4))
    blocks = 1000 // scale
    write(folder / "w5_assign.tsv", within_blocks(blocks, 30, 30 * blocks, 5))
    write(folder / "w5_dereference.tsv", within_blocks(blocks, 30, 16 * blocks, 6))
    write(folder / "w6.tsv", digraph(2000 // scale, 1000 // scale, 7))
    write(folder / "w7.tsv", digraph(500 // scale, 1000 // scale, 8))

"""The mark: which commit of a store was the last, said a second time in a place of its own.

When a file is torn, SQLite's log ends at the last frame whose checksum holds, and
commits that were acknowledged are gone without a word.  The mark knows of them.
It is written after a commit has reached the disk and before anybody is told, so
it never speaks of a commit that is not there.

Two slots take turns: a slot that is torn leaves the one before it.  A slot is
written into the page cache, which a killed process leaves whole, and forced to
the disk once a second: after a loss of power the mark may be as much behind.
"""

from __future__ import annotations

import os
import struct
import time
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

SECTOR = 512
SEAL_BYTES = 16
_SLOT = struct.Struct(f"<8sQ{SEAL_BYTES}s")
_MAGIC = b"bloomsh1"
_CHECK = 16
SYNC_EVERY = 1.0
"""Seconds."""


class MarkTorn(Exception):
    """No slot of the mark is whole."""


@dataclass(frozen=True)
class Marked:
    """A commit: its number, and the seal over what the store held then."""

    number: int
    seal: bytes


def read_mark(path: Path) -> Marked | None:
    """The last commit that the mark knows of; None where there is no mark."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    found = [_parsed(data[place : place + SECTOR]) for place in (0, SECTOR)]
    whole = [one for one in found if one is not None]
    if not whole:
        raise MarkTorn(f"{path.name} is torn: none of its two slots is whole")
    return max(whole, key=lambda one: one.number)


def _parsed(slot: bytes) -> Marked | None:
    body, check = slot[: _SLOT.size], slot[_SLOT.size : _SLOT.size + _CHECK]
    if len(body) < _SLOT.size or blake2b(body, digest_size=_CHECK).digest() != check:
        return None
    magic, number, seal = _SLOT.unpack(body)
    return Marked(number, seal) if magic == _MAGIC else None


def _slot(number: int, seal: bytes) -> bytes:
    body = _SLOT.pack(_MAGIC, number, seal)
    return body + blake2b(body, digest_size=_CHECK).digest()


class Mark:
    """The mark of a store that is open."""

    def __init__(self, path: Path, number: int, seal: bytes) -> None:
        """Write it anew, whole or not at all."""
        fresh = path.with_name(path.name + ".new")
        with open(fresh, "wb") as file:
            file.write(_slot(number, seal).ljust(2 * SECTOR, b"\0"))
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)  # and with it the entry of the store itself
        finally:
            os.close(folder)
        self._file = os.open(path, os.O_WRONLY)
        self._place = SECTOR
        self._synced = time.monotonic()

    def write(self, number: int, seal: bytes) -> None:
        """A commit has reached the disk."""
        os.pwrite(self._file, _slot(number, seal), self._place)
        self._place ^= SECTOR
        now = time.monotonic()
        if now - self._synced >= SYNC_EVERY:
            self._synced = now
            os.fdatasync(self._file)

    def close(self) -> None:
        """Nothing more will be marked."""
        os.fdatasync(self._file)
        os.close(self._file)

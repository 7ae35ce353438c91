"""What a node counts.  Nothing that it refuses, loses or sets aside goes uncounted."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import asdict, dataclass


@dataclass(slots=True)
class Counters:
    """A node's counters since it started."""

    ticks: int = 0
    ticks_failed: int = 0
    commits: int = 0
    """Transactions of durable tables, each with a sync."""
    rows_in: int = 0
    rows_out: int = 0
    rows_resent: int = 0
    frames_in: int = 0
    frames_out: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    rows_refused: int = 0
    """Rows that did not fit their channel, or for a channel that is not ours."""
    frames_refused: int = 0
    """Frames that could not be read, or did not come from who they said."""
    connections_refused: int = 0
    """Garbage, wrong cluster, wrong version, unknown or unproven name."""
    rows_set_aside: int = 0
    rows_lost: int = 0
    """Rows for a peer that took nothing while its queue was full, or that was not there."""
    frames_missed: int = 0
    """Frames that a peer sent and that never came, by their numbers."""
    peers_disconnected: int = 0
    """Connections that we gave up: stalled, or silent for too long."""
    connections_lost: int = 0
    connections_made: int = 0
    readers_disconnected: int = 0
    resends_held_back: int = 0
    violations: int = 0
    """Rows of invariants."""
    trace_records_lost: int = 0

    def as_dict(self) -> dict[str, int]:
        """Counter by name."""
        return asdict(self)


class Complaints:
    """Log lines that cannot flood: the first few of a kind, then at every power of two."""

    FEW = 4
    LONG = 2_000
    """A line is cut after so many characters: rows can be big."""

    def __init__(self, log: logging.Logger | logging.LoggerAdapter[logging.Logger]) -> None:
        self._log = log
        self._seen: Counter[str] = Counter()

    def __call__(self, kind: str, text: str) -> None:
        """Log `text`, unless its kind has been seen often.  Kinds must be few: they are kept."""
        if len(text) > self.LONG:
            text = f"{text[: self.LONG]}... ({len(text):,} characters)"
        self._seen[kind] += 1
        times = self._seen[kind]
        if times <= self.FEW:
            self._log.warning("%s", text)
        elif times & (times - 1) == 0:
            self._log.warning("%s (and so %s times now)", text, f"{times:,}")

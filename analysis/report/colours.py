"""One colour per mode, distinct without red and green; red is for points of order alone."""

from __future__ import annotations

RED = "#d4202a"

MODE_COLOURS: dict[str, str] = {
    "Const": "#e4e4e0",
    "Grow": "#9fd3c7",
    "Event": "#a9cdf0",
    "Part": "#cfc3ee",
    "Flux": "#f7d87c",
    "Det": "#d9cdbc",
    "Seq": "#7fb3b0",
    "Nondet": "#f4b6a6",
}

MODE_MEANING: dict[str, str] = {
    "Const": "complete from the first tick",
    "Grow": "only grows",
    "Event": "comes and goes, the same in all schedules",
    "Part": "part of a whole that no schedule changes",
    "Flux": "may be taken back, settles at rest",
    "Det": "local: a function of the node's own ticks",
    "Seq": "a function of a decided log",
    "Nondet": "depends on the schedule",
}

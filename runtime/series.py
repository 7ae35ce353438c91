"""Several ticks in a row by an evaluator that takes one at a time (see `Evaluator.series`)."""

from __future__ import annotations

import time
from collections.abc import Callable

from bloomish.order import order_key
from bloomish.runtime.evaluator import Row, Series, Tick, TickFailed


def alone(tick: Tick) -> Series:
    """A series of one tick."""
    return Series(
        tick.number,
        tick.again,
        durable=tick.durable,
        rows_in=tick.rows_in,
        rows_out=tick.rows_out,
        shown=[tick] if tick.events or tick.added or tick.removed else [],
    )


def followed(first: Series, then: Series) -> Series:
    """Two in a row as one; each one's durable changes have been seen to."""
    return Series(
        then.number,
        then.again,
        durable=first.durable or then.durable,
        rows_in=first.rows_in + then.rows_in,
        rows_out=first.rows_out + then.rows_out,
        count=first.count + then.count,
        shown=first.shown + then.shown,
    )


def series(tick: Callable[[float], Tick], now: float, limit: int, patience: float) -> Series:
    """Ends after a tick that sends anything, which leaves all frames as they are."""
    end = time.monotonic() + patience
    done = [tick(now)]
    while done[-1].again and not done[-1].rows_out and len(done) < limit and time.monotonic() < end:
        try:
            done.append(tick(now))
        except TickFailed:
            break  # it is the first one of the next series, and says so then
    last = done[-1]
    return Series(
        last.number,
        last.again,
        durable=_together(done),
        rows_in=sum(one.rows_in for one in done),
        rows_out=sum(one.rows_out for one in done),
        count=len(done),
        shown=[one for one in done if one.events or one.added or one.removed],
    )


def _together(ticks: list[Tick]) -> dict[str, tuple[list[Row], list[Row]]]:
    """What all of them did to durable tables: rows that came and went are left out."""
    if len(ticks) == 1:
        return ticks[0].durable
    changes: dict[str, tuple[dict[object, Row], dict[object, Row]]] = {}
    for tick in ticks:
        for name, (removed, added) in tick.durable.items():
            gone, new = changes.setdefault(name, ({}, {}))
            for rows, undone, done in ((removed, new, gone), (added, gone, new)):
                for row in rows:
                    key = order_key(row)
                    if undone.pop(key, None) is None:
                        done[key] = row
    return {
        name: (sorted(gone.values(), key=order_key), sorted(new.values(), key=order_key))
        for name, (gone, new) in changes.items()
        if gone or new
    }

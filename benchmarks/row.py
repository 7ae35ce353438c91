"""One figure: what was measured, beside its peer, and whether it is what it should be."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """`ratio` is ours over the peer's; `target` says in words what `met` judged.

    A row without a peer has `peer` and `ratio` None; one without a target has `met` None.
    """

    name: str
    unit: str
    ours: float
    peer_name: str = ""
    peer: float | None = None
    ratio: float | None = None
    target: str = ""
    met: bool | None = None
    note: str = ""


def at_most(name: str, unit: str, ours: float, limit: float, *, note: str = "") -> Row:
    """A figure that has to stay at or below a limit."""
    return Row(name, unit, ours, target=f"<= {limit:g}", met=ours <= limit, note=note)


def at_least(name: str, unit: str, ours: float, limit: float, *, note: str = "") -> Row:
    """A figure that has to reach a limit."""
    return Row(name, unit, ours, target=f">= {limit:g}", met=ours >= limit, note=note)


def beside(
    name: str,
    unit: str,
    ours: float,
    peer_name: str,
    peer: float,
    *,
    at_most: float | None = None,
    at_least: float | None = None,
    note: str = "",
) -> Row:
    """A figure beside a peer's of the same run, with a bound on their ratio."""
    ratio = ours / peer if peer else float("inf")
    target, met = "", None
    if at_most is not None:
        target, met = f"<= {at_most:g}x", ratio <= at_most
    elif at_least is not None:
        target, met = f">= {at_least:g}x", ratio >= at_least
    return Row(name, unit, ours, peer_name, peer, ratio, target, met, note)

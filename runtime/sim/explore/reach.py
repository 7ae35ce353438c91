"""Which node's steps can bring which node another message: measured, not inferred.

Ticks of different nodes touch nothing in common but the messages under way.
So if nothing that may happen elsewhere can bring a node another message, what
the node does next commutes with all of it, and may be explored first: its
steps are a persistent set (Godefroid 1996).  What a message leads to is the
footprint seen in execution: the sends of ticks that took such a message.  Where
the footprint grows later, the states that were cut short on the old one are
expanded again (as in dynamic partial-order reduction, Flanagan and Godefroid
2005).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

Place = int  # a message's number, or `alone(site)`: a tick of that site without messages


def alone(site: int) -> Place:
    """Stands for ticks of a site that take no message."""
    return -1 - site


class Reach:
    """Footprints so far.  `site_of` gives the site that a message is for."""

    def __init__(self, site_of: Callable[[int], int]) -> None:
        self.version = 0
        self._site_of = site_of
        self._next: dict[Place, set[int]] = {}
        self._closures: dict[tuple[frozenset[Place], int], frozenset[int]] = {}

    def note(self, site: int, taken: Sequence[int], sent: Iterable[int]) -> None:
        """A tick of a site that took these messages sent those.

        What one of the messages is known to lead to is put down to that one.
        """
        places = taken or (alone(site),)
        new = set(sent).difference(*(self._next.get(place, ()) for place in places))
        if new:
            for place in places:
                self._next.setdefault(place, set()).update(new)
            self.version += 1
            self._closures.clear()

    def sites(self, start: Iterable[Place], without: int) -> frozenset[int]:
        """Sites that may get a message, if these messages are taken and what follows from
        them; the site `without` itself does nothing.

        A site that takes a message may tick again afterwards, without one.
        """
        key = (frozenset(start), without)
        known = self._closures.get(key)
        if known is None:
            seen: set[Place] = set()
            sent: set[int] = set()
            pending = list(key[0])
            while pending:
                place = pending.pop()
                site = self._site_of(place) if place >= 0 else -1 - place
                if place not in seen and site != without:
                    seen.add(place)
                    follow = self._next.get(place, set()) | self._next.get(alone(site), set())
                    sent |= follow
                    pending += follow
            known = self._closures[key] = frozenset(map(self._site_of, sent))
        return known

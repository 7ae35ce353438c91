"""What all connections of a node share: limits, counters, and whom to tell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from bloomish.runtime.counters import Complaints, Counters
from bloomish.runtime.directory import Directory
from bloomish.runtime.tls import Credentials

if TYPE_CHECKING:
    from bloomish.runtime.door import Inbound


@dataclass(frozen=True)
class Limits:
    """Sizes in bytes, times in seconds."""

    high_mark: int = 64 << 20
    """A peer's queue above this presses: inserts wait."""
    stall: float = 10.0
    """A live peer above the mark that takes nothing for so long is disconnected."""
    handshake: float = 10.0
    """A connection that has not said who it is by then is closed."""
    keepalive: float = 10.0
    """A silent connection is asked after so long; closed after three times as long."""
    backoff_first: float = 0.05
    backoff_last: float = 2.0
    reader: int = 32 << 20
    """A host that lets more than this wait, beyond what it watched first, is disconnected."""


class Receiver(Protocol):
    """What the transport tells its node."""

    def rows_arrived(self, sender: str, incarnation: int, number: int, body: bytes) -> None:
        """A frame of rows, its length and its sender checked, its content not."""

    def batch_arrived(self) -> None:
        """All frames of one read have been handed over."""

    def peer_reached(self, peer: str) -> None:
        """A link stands (again): standing sends may go out now."""

    def pressure_changed(self) -> None:
        """`pressed` is another now."""

    def host_joined(self, host: Inbound) -> dict[str, Any]:
        """A host said hello; the answer tells it what there is."""

    def host_asked(self, host: Inbound, message: tuple[Any, ...]) -> None:
        """A request of a host."""

    def host_left(self, host: Inbound) -> None:
        """A host's connection is gone."""


@dataclass
class Shared:
    """What all connections of a node have in common."""

    address: str
    incarnation: int
    directory: Directory
    receiver: Receiver
    counters: Counters
    complain: Complaints
    limits: Limits = field(default_factory=Limits)
    credentials: Credentials | None = None
    lost: Callable[[str, int, int], None] = lambda peer, first, frames: None

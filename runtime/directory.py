"""Who is where: addresses (node names) to hosts and ports.

A trace, a verdict and a simulation know addresses only; this is the one place
that knows hosts and ports.  A running cluster keeps its directory in a file
when asked to, so that `connect("replica-0", directory=...)` finds its nodes.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

Place = tuple[str, int]


class UnknownNode(LookupError):
    """An address that the directory does not list."""


def parse_place(text: str) -> Place:
    """`host:port`, `[v6 host]:port`."""
    host, separator, port = text.rpartition(":")
    if not separator or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError(f"{text!r} is not host:port")
    return (host.strip("[]") or "127.0.0.1", int(port))


def place_text(place: Place) -> str:
    """The text that parse_place reads."""
    host, port = place
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@dataclass
class Directory:
    """A cluster's identity and its nodes."""

    cluster: str = ""
    nodes: dict[str, Place] = field(default_factory=dict)

    def find(self, address: str) -> Place:
        """Where a node is; raises UnknownNode."""
        try:
            return self.nodes[address]
        except KeyError:
            known = ", ".join(sorted(self.nodes)) or "none"
            raise UnknownNode(f"no node {address!r} in this cluster; there are: {known}") from None

    def to_json(self) -> str:
        """As the directory file has it."""
        nodes = {name: place_text(place) for name, place in self.nodes.items()}
        return json.dumps({"cluster": self.cluster, "nodes": nodes})

    @staticmethod
    def from_json(text: str) -> Directory:
        """Raises ValueError where the text is no directory."""
        try:
            data = json.loads(text)
            nodes = {str(name): parse_place(place) for name, place in data["nodes"].items()}
            return Directory(str(data["cluster"]), nodes)
        except (KeyError, TypeError, AttributeError) as fault:
            raise ValueError(f"not a directory of nodes: {fault!r}") from fault

    def write(self, path: str | Path) -> None:
        """Put the file there in one piece: a reader sees the old one or the new one."""
        target = Path(path)
        draft = target.with_name(f".{target.name}.{os.getpid()}")
        draft.write_text(self.to_json() + "\n", encoding="utf-8")
        draft.replace(target)

    @staticmethod
    def read(path: str | Path) -> Directory:
        """The directory in a file; raises OSError or ValueError."""
        return Directory.from_json(Path(path).read_text(encoding="utf-8"))

"""TLS with certificates on both sides: who says to be a node proves it.

One authority signs for the whole cluster.  A node's certificate carries its
address (`replica-0`) as a DNS name; a frame that names another sender is
refused.  A host's certificate may carry any name.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class CredentialsMissing(FileNotFoundError):
    """A file that the TLS mode needs is not there."""


@dataclass(frozen=True)
class Credentials:
    """The files of one party: the authority's certificate, its own, its key."""

    authority: str
    certificate: str
    key: str

    @staticmethod
    def of(folder: str | Path, name: str) -> Credentials:
        """`ca.pem`, `NAME.pem` and `NAME.key` in a folder."""
        root = Path(folder)
        files = (root / "ca.pem", root / f"{name}.pem", root / f"{name}.key")
        for file in files:
            if not file.is_file():
                raise CredentialsMissing(
                    f"{file} is missing: the TLS folder must hold ca.pem and, for {name}, "
                    f"{name}.pem and {name}.key"
                )
        return Credentials(*map(str, files))

    def server(self) -> ssl.SSLContext:
        """For the side that listens."""
        return self._context(ssl.PROTOCOL_TLS_SERVER)

    def client(self) -> ssl.SSLContext:
        """For the side that dials.  Names are compared with addresses by us, not with
        host names by the ssl module."""
        return self._context(ssl.PROTOCOL_TLS_CLIENT)

    def _context(self, protocol: int) -> ssl.SSLContext:
        context = ssl.SSLContext(protocol)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_REQUIRED
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_verify_locations(self.authority)
        context.load_cert_chain(self.certificate, self.key)
        return context


def names(certificate: dict[str, Any] | None) -> frozenset[str]:
    """The DNS names that a peer's certificate carries."""
    if not certificate:
        return frozenset()
    return frozenset(
        value for kind, value in certificate.get("subjectAltName", ()) if kind == "DNS"
    )


def some(certified: frozenset[str]) -> str:
    """Names for a message."""
    return ", ".join(sorted(certified)) or "nobody"

"""SQL into the IR, and what its reader and its analysis share (sqlglot 30).

`read_sql` is imported when it is asked for: sqlglot takes its time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bloomish.readers.sql.reader import read_sql

__all__ = ["read_sql"]


def __getattr__(name: str) -> Any:
    if name == "read_sql":
        from bloomish.readers.sql.reader import read_sql

        return read_sql
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

"""What every SARIF 2.1.0 log of ours has in common (OASIS, Static Analysis Results
Interchange Format 2.1.0): the envelope of one run, and how files are named."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

from bloomish.version import __version__

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def log(
    rules: list[dict[str, Any]], results: list[dict[str, Any]], verdicts: dict[str, str]
) -> dict[str, Any]:
    """A log with one run; `verdicts`, by name, are its properties."""
    driver = {"name": "bloomish", "version": __version__, "rules": rules}
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": driver},
                "columnKind": "unicodeCodePoints",
                "results": results,
                "properties": {"verdicts": verdicts},
            }
        ],
    }


def uri(file: str) -> str:
    """Relative to where the tool runs, as review tools expect; else a file URI."""
    path = Path(file)
    if not path.is_absolute():
        return quote(path.as_posix())
    try:
        return quote(path.relative_to(Path.cwd()).as_posix())
    except ValueError:
        return path.as_uri()

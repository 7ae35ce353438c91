"""`bloomish --version`: the version, and which evaluator runs programs."""

from __future__ import annotations

from bloomish.runtime.evaluators import engine_built
from bloomish.version import __version__


def version() -> str:
    """One line, and a loud second one where the engine was not built."""
    if engine_built():
        return f"bloomish {__version__} (engine)"
    return (
        f"bloomish {__version__} (reference evaluator)\n"
        "NOTICE: the engine was not built here; programs run on the slow reference evaluator"
    )

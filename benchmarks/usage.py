"""What a process has used so far."""

from __future__ import annotations

import resource


def mark() -> dict[str, float]:
    """Seconds of CPU since the process began, and its greatest memory in MiB."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {"cpu": used.ru_utime + used.ru_stime, "memory": used.ru_maxrss / 1024}

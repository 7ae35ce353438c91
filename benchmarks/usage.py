"""What a process has used so far."""

from __future__ import annotations

import resource
from pathlib import Path


def mark() -> dict[str, float]:
    """Seconds of CPU since the process began, and its greatest memory in MiB.

    `ru_maxrss` would not do: a child begins with the memory of the process that forked it.
    """
    used = resource.getrusage(resource.RUSAGE_SELF)
    status = Path("/proc/self/status").read_text()
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return {"cpu": used.ru_utime + used.ru_stime, "memory": int(peak.split()[1]) / 1024}

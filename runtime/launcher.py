"""Where nodes' processes come from: a launcher starts one and holds its control socket.

`LocalProcesses` starts them on this machine.  Another launcher (Ray, ssh) is
another class with the same `start`; rows flow over the nodes' own channels, so
placement is all that it decides.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import bloomish
from bloomish.runtime.control import Control, Orders


@dataclass
class NodeProcess:
    """A node's process and the way to talk to it."""

    process: asyncio.subprocess.Process
    control: Control

    @property
    def pid(self) -> int:
        """The process's id."""
        return self.process.pid

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; a process that is gone gets none."""
        if self.process.returncode is None:
            try:
                self.process.send_signal(number)
            except ProcessLookupError:
                return

    async def end(self, patience: float) -> None:
        """Ask it to stop; make it, if it does not in time."""
        self.control.say(stop=True)
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                await asyncio.wait_for(self.process.wait(), patience)
                return
            except TimeoutError:
                self.signal(number)
        await self.process.wait()


class Launcher(Protocol):
    """Starts nodes' processes."""

    async def start(self, orders: Orders) -> NodeProcess:
        """Start one; it answers on its control socket when its door is open."""


class LocalProcesses:
    """Processes of this machine, each in a session of its own, so that a terminal's
    Ctrl-C reaches the supervisor alone, which then stops them in order.

    `output` is the file descriptor that they print to, standard error if not said."""

    module = "bloomish.runtime.node_process"

    def __init__(self, output: int = 2) -> None:
        self._output = output

    async def start(self, orders: Orders) -> NodeProcess:
        """See Launcher."""
        ours, theirs = socket.socketpair()
        with theirs:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                self.module,
                str(theirs.fileno()),
                pass_fds=(theirs.fileno(),),
                stdin=asyncio.subprocess.DEVNULL,
                # What a user's function prints must not mix with watched rows.
                stdout=self._output,
                stderr=self._output,
                start_new_session=True,
                env=_environment(),
            )
        control = await Control.over(ours)
        control.say(orders=orders.as_dict())
        return NodeProcess(process, control)


def _environment() -> dict[str, str]:
    """Ours, with the folder that `bloomish` was imported from in front."""
    assert bloomish.__file__ is not None
    root = str(Path(bloomish.__file__).resolve().parent.parent)
    path = os.environ.get("PYTHONPATH", "")
    return os.environ | {"PYTHONPATH": os.pathsep.join([root, path]) if path else root}

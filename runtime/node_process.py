"""The process of one node: `python -m bloomish.runtime.node_process FD`, started by a launcher.

FD is our end of the control socket.  The process ends when told to, when its
node stops, and when the control socket ends: it never outlives who started it.
"""

from __future__ import annotations

import asyncio
import ctypes
import logging
import signal
import socket
import sys
import traceback
from pathlib import Path
from typing import Any

from bloomish import ir
from bloomish.errors import BloomishError
from bloomish.externals import Externals
from bloomish.ir_json import from_json
from bloomish.runtime.connections import Limits
from bloomish.runtime.control import Control, Orders
from bloomish.runtime.coordinated import load, plain, python_behind
from bloomish.runtime.directory import Directory
from bloomish.runtime.evaluators import make_evaluator
from bloomish.runtime.node import Node, Settings
from bloomish.runtime.store import Store, StoreFault
from bloomish.runtime.timers import FIRST, LAST
from bloomish.runtime.tls import Credentials
from bloomish.runtime.trace import TraceFile
from bloomish.values import Values

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Be a node until it is over."""
    _die_with_parent()
    end = socket.socket(fileno=int(sys.argv[1]))
    sys.exit(asyncio.run(_serve(end)))


def _die_with_parent() -> None:
    """The end of the control socket tells us that our parent died; this tells the kernel,
    for a node that is deep in a long tick just then."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


async def _serve(end: socket.socket) -> int:
    control = await Control.over(end)
    message = await control.hear()
    if message is None:
        return 1
    orders = Orders(**message["orders"])
    _log_as(orders.address)
    ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def end_with(reason: str = "") -> None:
        if not ended.done():
            ended.set_result(reason)

    try:
        node, directory = _make(orders, end_with)
        place = await node.open(orders.host, orders.port)
    except (BloomishError, StoreFault, OSError, RuntimeError, ValueError) as fault:
        control.say(failed=str(fault))
        await control.flush()
        return 1
    except Exception:
        control.say(failed=traceback.format_exc())
        await control.flush()
        return 1
    directory.nodes[orders.address] = place
    control.say(listening=place, evaluator=node.evaluator.name)
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, end_with)
    loop.add_signal_handler(signal.SIGINT, end_with)
    listening = loop.create_task(_obey(control, node, directory, end_with))
    reason = await ended
    listening.cancel()
    await node.close()
    control.say(stopped=reason)
    await control.flush()
    control.close()
    return 1 if reason else 0


async def _obey(control: Control, node: Node, directory: Directory, end_with: Any) -> None:
    """Do what the supervisor says until it says stop, or nothing more."""
    begun = False
    async for message in control:
        if "stop" in message:
            break
        directory.nodes.update(Directory.from_json(message["directory"]).nodes)
        if not begun:
            begun = True
            node.begin()
            control.say(running=True)
    end_with()


def _make(orders: Orders, on_stop: Any) -> tuple[Node, Directory]:
    program, externals = _program(orders)
    values = Values(program.lattices, externals.lattices)
    evaluator = make_evaluator(
        program,
        externals,
        node=orders.address,
        rosters=orders.rosters,
        seed=orders.seed,
        which=orders.evaluator,
    )
    directory = Directory(orders.cluster)
    store = None
    if orders.data is not None and any(one.durable for one in program.collections):
        store = Store(
            Path(orders.data) / f"{orders.address}.sqlite", orders.address, program, values
        )
    else:
        evaluator.keep_to_itself()
    trace = None
    if orders.trace is not None:
        trace = TraceFile(orders.trace, logging.getLogger(f"bloomish.node.{orders.address}").error)
    first, last = orders.resend or (FIRST, LAST)
    limits: dict[str, Any] = dict(orders.limits)
    node = Node(
        program,
        evaluator,
        directory,
        values=values,
        settings=Settings(orders.incarnation, Limits(**limits), first, last),
        credentials=Credentials.of(orders.tls, orders.address) if orders.tls else None,
        store=store,
        trace=trace,
        on_stop=on_stop,
    )
    return node, directory


def _program(orders: Orders) -> tuple[ir.Program, Externals]:
    """The role's program, from the target that the whole cluster was started with."""
    from bloomish.runtime.roles import roles

    if orders.program is not None:
        load(plain(orders.target))  # for the Python in its modules
        program = from_json(orders.program)
        if isinstance(program, ir.Program) and (python := python_behind(program)) is not None:
            return program, python
    role = roles(load(orders.target)).role(orders.role)
    return role.program, role.externals


def _log_as(address: str) -> None:
    """Warnings and errors on standard error, each line with the node's name."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(f"[{address}] %(message)s"))
    logger = logging.getLogger("bloomish")
    logger.addHandler(handler)
    logger.setLevel(logging.WARNING)


if __name__ == "__main__":
    main()

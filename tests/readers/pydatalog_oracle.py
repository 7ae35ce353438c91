"""pyDatalog itself as the oracle: a subprocess, because its program text is global
state and some of its programs do not finish."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

_CHILD = """
import json, signal, sys
from pyDatalog import pyDatalog

def late(*_):
    raise TimeoutError("pyDatalog did not finish")

signal.signal(signal.SIGALRM, late)
answers = []
for text, query in json.load(sys.stdin):
    signal.alarm(10)
    try:
        pyDatalog.clear()
        pyDatalog.load(text)
        answer = pyDatalog.ask(query)
        rows = [] if answer is None else [()] if answer.answers is True else answer.answers
        answers.append({"rows": [list(row) for row in rows]})
    except BaseException as error:
        answers.append({"error": f"{type(error).__name__}: {error}"})
    finally:
        signal.alarm(0)
sys.__stdout__.write(json.dumps(answers))
"""


class OracleError(Exception):
    """pyDatalog refused or failed."""


def oracle(questions: Sequence[tuple[str, str]], seconds: float = 60) -> list[Any]:
    """pyDatalog's answers: a set of rows each, or an OracleError."""
    done = subprocess.run(
        [sys.executable, "-c", _CHILD],
        input=json.dumps(list(questions)),
        capture_output=True,
        text=True,
        timeout=seconds,
        check=True,
    )
    result: list[Any] = []
    for answer in json.loads(done.stdout):
        if "error" in answer:
            result.append(OracleError(answer["error"]))
        else:
            result.append(canonical(answer["rows"]))
    return result


def canonical(rows: Any) -> set[Any]:
    """Rows as both sides can be compared: pyDatalog keeps 8 digits of a float, and
    1, 1.0 are one value to it."""
    return {tuple(_value(value) for value in row) for row in rows}


def _value(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return tuple(_value(item) for item in value)
    if isinstance(value, float):
        value = float(f"{value:.6g}")
        return int(value) if value == int(value) else value
    return value

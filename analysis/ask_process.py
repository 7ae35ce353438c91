"""The process that puts one question to pyDatalog: a task as JSON in, rows as JSON out."""

from __future__ import annotations

import json
import sys

from pyDatalog import pyDatalog

from bloomish.analysis.catalog import RELATIONS


def main() -> None:
    """Facts, one body, and the variables wanted of it."""
    task = json.load(sys.stdin)
    for name, rows in task["facts"].items():
        for row in rows:
            pyDatalog.assert_fact(name, *row)
        if not rows:  # pyDatalog does not know a predicate of which there was never a fact
            nothing = [""] * len(RELATIONS[name].columns)
            pyDatalog.assert_fact(name, *nothing)
            pyDatalog.retract_fact(name, *nothing)
    variables = task["variables"]
    head = ", ".join(variables) or "1"
    pyDatalog.load(f"answer({head}) <= {task['body']}")
    found = pyDatalog.ask(f"answer({head})")
    if found is None:
        rows = []
    elif not variables:
        rows = [()]
    else:
        rows = [list(row) for row in found.answers]
    json.dump(rows, sys.stdout)


if __name__ == "__main__":
    main()

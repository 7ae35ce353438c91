"""`bloomish show`: a target's programs as rules, or as data."""

from __future__ import annotations

import sys

from bloomish.ir_json import to_json
from bloomish.pretty_file import deployment_text, program_text
from bloomish.targets import load


def show(target: str, form: str) -> None:
    """Print the target in the form that was asked for."""
    loaded = load(target)
    for warning in loaded.warnings:
        print(f"bloomish: {warning}", file=sys.stderr)
    cluster = loaded.cluster.deployment if loaded.cluster is not None else None
    program = loaded.programs[0].program
    if form == "json":
        print(to_json(cluster if cluster is not None else program, indent=2))
    else:
        text = deployment_text(cluster) if cluster is not None else program_text(program)
        sys.stdout.write(text)

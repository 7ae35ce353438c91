"""`bloomish show`: a target's programs as rules, or as data."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from bloomish import ir
from bloomish.ir_json import to_json
from bloomish.pretty_file import deployment_text, program_text
from bloomish.targets import load


def show(target: str, form: str) -> None:
    """Print the target in the form that was asked for."""
    loaded = load(target)
    for warning in loaded.warnings:
        print(f"bloomish: {warning}", file=sys.stderr)
    data = loaded.cluster.deployment if loaded.cluster is not None else loaded.programs[0].program
    if form == "json":
        print(to_json(data, indent=2))
    else:
        sys.stdout.write(printed(data))


def printed(data: ir.Program | ir.Deployment) -> str:
    """A program or a cluster as a file that may be put anywhere."""
    if isinstance(data, ir.Program):
        programs, text = [data], program_text(data)
    else:
        programs, text = [role.program for role in data.roles], deployment_text(data)
    return "".join(map(_findable, _folders(programs))) + text


def _folders(programs: Iterable[ir.Program]) -> list[str]:
    """Where the modules are that the printed program imports functions and lattices from, as
    far as they were found beside the target only."""
    paths = {decl.path for one in programs for decl in one.functions}
    paths |= {decl.path for one in programs for decl in one.lattices}
    modules = {path.partition(":")[0] for path in paths}
    files = [
        getattr(sys.modules.get(name), "__file__", None) for name in modules if "." not in name
    ]
    return sorted({str(Path(file).resolve().parent) for file in files if file is not None})


def _findable(folder: str) -> str:
    """The printed program may be put anywhere."""
    return f"import sys\n\nsys.path.insert(0, {folder!r})\n\n"

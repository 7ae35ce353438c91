"""Runs what a page of documentation shows, so that no page can show what does not work.

A page is run in a folder of its own, block by block, in the order of the page:

- ```` ```python ```` whose first line is `# name.py` is saved as that file; any other Python block
  is run as a script next to the saved files.
- ```` ```python rules ```` is the body of a program class: it is compiled under the names that the
  page's `<!-- prelude ... -->` comment brings.
- ```` ```console ```` has commands after `$ ` and below each what it prints, if the page shows it;
  a line `...` stands for any lines, `...` within a line for any text. `exit=1` after the word
  console says with which status the last command ends.
- ```` ```csv ````, ```` ```sql ```` and ```` ```ded ```` with a first line `# name`, `-- name` or
  `// name` are saved.
- Anything else (```` ```text ````) is there to be looked at.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
FENCE = re.compile(r"^```(\w*)[ ]?(.*)$")
FILE_NAME = re.compile(r"^(?:#|--|//) (\S+\.\w+)\s*$")
SECONDS = 60


@dataclass(frozen=True)
class Block:
    """One fenced block and the line of the page at which its text starts."""

    page: Path
    line: int
    language: str
    options: str
    text: str

    @property
    def where(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(page: Path) -> Iterator[Block]:
    opened: tuple[int, str, str] | None = None
    lines: list[str] = []
    for number, line in enumerate(page.read_text().splitlines(), start=1):
        fence = FENCE.match(line)
        if opened is None and fence:
            opened, lines = (number + 1, fence[1], fence[2].strip()), []
        elif opened is not None and line == "```":
            yield Block(page, *opened, "\n".join(lines) + "\n")
            opened = None
        elif opened is not None:
            lines.append(line)
    assert opened is None, f"{page}: a block that is not closed"


def prelude(page: Path) -> str:
    found = re.search(r"<!-- prelude\n(.*?)-->", page.read_text(), re.DOTALL)
    return found[1] if found else ""


def run_page(page: Path, folder: Path) -> None:
    """Every block of the page, in order; an AssertionError names the block that fails."""
    for number, block in enumerate(blocks(page)):
        named = FILE_NAME.match(block.text.partition("\n")[0])
        if block.language in ("python", "csv", "sql", "ded") and named:
            (folder / named[1]).write_text(contents(block))
            if block.language == "python":
                execute(block, [sys.executable, named[1]], folder)
        elif block.language == "python":
            script = folder / f"block_{number}.py"
            script.write_text(in_class(block) if block.options == "rules" else block.text)
            execute(block, [sys.executable, script.name], folder)
        elif block.language == "console":
            run_console(block, folder)


def contents(block: Block) -> str:
    """A Python or SQL file keeps its first line, a comment; a table of rows has no comments."""
    return block.text.partition("\n")[2] if block.language == "csv" else block.text


def in_class(block: Block) -> str:
    """A script that states the rules in a class and compiles it."""
    body = textwrap.indent(block.text, "    ")
    return f"{prelude(block.page)}\n\nclass Page(Program):\n{body}\n\nPage.ir\n"


def execute(block: Block, command: list[str] | str, folder: Path, status: int = 0) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "COLUMNS": "100", "NO_COLOR": "1"}
    done = subprocess.run(
        command,
        cwd=folder,
        env=env,
        shell=isinstance(command, str),
        executable="/bin/bash" if isinstance(command, str) else None,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    output = done.stdout + done.stderr
    ended = f"{block.where}: {command} ended with {done.returncode}\n{output}"
    assert done.returncode == status, ended
    return output


def run_console(block: Block, folder: Path) -> None:
    commands = [part for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE) if part.strip()]
    wanted = re.search(r"exit=(\d+)", block.options)
    for position, part in enumerate(commands):
        command, _, shown = part.partition("\n")
        while command.endswith("\\"):
            more, _, shown = shown.partition("\n")
            command += "\n" + more
        if command.startswith(("make ", "git ", "pip ")):
            continue  # set-up, which CI runs itself
        last = position == len(commands) - 1
        output = execute(block, command, folder, int(wanted[1]) if wanted and last else 0)
        if shown.strip():
            assert matches(shown, output), f"{block.where}: {command}\nprinted:\n{output}"


def matches(shown: str, output: str) -> bool:
    """Whether the output is what is shown, `...` standing for anything."""
    pattern = re.escape("\n".join(line.rstrip() for line in shown.strip("\n").splitlines()))
    pattern = re.sub(r"(?:^|(?<=\n))\\\.\\\.\\\.(?:\\\n|$)", r"[\\s\\S]*?", pattern)
    pattern = pattern.replace(re.escape("..."), "[^\n]*?")
    printed = "\n".join(line.rstrip() for line in output.strip("\n").splitlines())
    return re.fullmatch(pattern, printed) is not None

"""Makes docs/reference/command-line.md from the commands themselves.

    python -m tests.command_line_page

A test holds the page to this.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path

import click

from bloomish.cli import bloomish

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "command-line.md"
HEAD = """\
# The command line

<!-- made by `python -m tests.command_line_page` -->

`bloomish` and `python -m bloomish` are the same. A TARGET is everywhere `path/to/file.py[:Name]` or
`package.module[:Name]`, where Name is a Program class or a Cluster; or a `.ded`, `.sql` or `.dl`
file. Without a Name, a Cluster in the module is meant, else its only Program. Wrong input of any
kind ends with status 2. `bloomish --version` says which evaluator runs programs.
"""


def page() -> str:
    """The whole page."""
    return HEAD + "".join(part for name in sorted(bloomish.commands) for part in verb(name))


def verb(name: str) -> Iterator[str]:
    """One verb: what it does, an example, its options."""
    command = bloomish.commands[name]
    about, _, example = inspect.cleandoc(command.help or "").partition("\b\n")
    arguments = "".join(
        f" [{one.name.upper()}]" if not one.required else f" {one.name.upper()}"
        for one in command.params
        if isinstance(one, click.Argument) and one.name
    )
    yield f"\n## bloomish {name}{arguments}\n\n{about.strip()}\n"
    lines = [line.strip() for line in example.splitlines() if line.startswith("    ")]
    if lines:
        yield "\n```text\n" + "\n".join(lines) + "\n```\n"
    options = [one for one in command.params if isinstance(one, click.Option)]
    if options:
        yield "\n| option | |\n|---|---|\n"
        yield from map(option, options)


def option(one: click.Option) -> str:
    """One line of the table of options."""
    value = ""
    if isinstance(one.type, click.Choice):
        value = " " + "\\|".join(map(str, one.type.choices))
    elif not one.is_flag:
        value = f" {one.metavar or one.type.name.upper().split()[0]}"
    names = ", ".join(f"`{name}{value}`" for name in one.opts)
    about = one.help or ""
    if one.show_default and one.default is not None:
        about = f"{about} [{one.default}]".strip()
    return f"| {names} | {about} |\n"


def main() -> None:
    PAGE.write_text(page())


if __name__ == "__main__":
    main()

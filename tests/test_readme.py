"""The README keeps what it promises, and the reference pages leave nothing out.

That its code runs is tests/test_docs.py's business.
"""

from __future__ import annotations

import re
import subprocess

import click
import pytest

from bloomish import __all__ as language
from bloomish import __version__
from bloomish.cli import bloomish
from bloomish.lattices import METHODS
from tests import command_line_page
from tests.pages import ROOT

README = (ROOT / "README.md").read_text()
VERBS = bloomish.commands


def test_one_screen_of_code_and_then_two_commands() -> None:
    opening = README.split("## ")[0]
    assert opening.index("```python") < opening.index("make demo") < opening.index("make test")
    assert len(opening.splitlines()) < 65


@pytest.mark.parametrize("target", re.findall(r"^\$ make (\w+)", README, re.MULTILINE))
def test_the_commands_are_targets_of_the_makefile(target: str) -> None:
    done = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_help_of_every_verb_has_an_example(verb: str) -> None:
    command = VERBS[verb]
    text = command.get_help(click.Context(command, info_name=verb))
    assert re.search(rf"Examples?:\s+.*bloomish {verb}", text, re.DOTALL), text


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_examples_name_programs_that_are_there(verb: str) -> None:
    for file in re.findall(r"programs/[\w/]+\.\w+", VERBS[verb].help or ""):
        assert (ROOT / file).exists(), file


def test_the_page_of_the_command_line_is_what_the_commands_say() -> None:
    assert command_line_page.PAGE.read_text() == command_line_page.page(), (
        "make it anew: python -m tests.command_line_page"
    )


def test_every_method_of_a_lattice_is_in_the_reference() -> None:
    page = (ROOT / "docs/reference/lattices.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \|(.*)$", page, re.MULTILINE))
    for lattice, methods in METHODS.items():
        for name in methods:
            assert f"`{name}(" in rows[lattice], f"{lattice}.{name}"


def test_every_name_of_the_language_is_in_the_reference() -> None:
    folder = ROOT / "docs"
    pages = "".join(page.read_text() for page in folder.rglob("*.md"))
    names = [name for name in language if not name.startswith("__")]
    missing = [name for name in names if not re.search(rf"\b{re.escape(name)}\b", pages)]
    assert not missing


def test_the_changelog_knows_the_version() -> None:
    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text()

"""TARGET in all its forms, the command line round it, and what an import costs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bloomish.cli import run
from bloomish.errors import BloomishError
from bloomish.ir_json import from_json
from bloomish.targets import load

ROOT = Path(__file__).parent.parent.parent
EXAMPLES = "tests.language.examples"
PROGRAM = """
from bloomish import Cluster, Program, output, scratch, table, use, variables

x = variables("x")


class Base(Program):
    a = table(x=int)


class Used(Program):
    u = table(x=int)


class Leaf(Base):
    used = use(Used)
    o = output(x=int)
    o(x) <= Base.a(x) & used.u(x)
"""
DOUBLING = """
from bloomish import Program, function, input, output, variables

x = variables("x")


@function
def twice(n: int) -> int:
    return 2 * n


class Doubling(Program):
    given = input(n=int)
    doubled = output(n=int)
    doubled(twice(x)) <= given(x)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return tmp_path


def write(folder: Path, name: str, text: str) -> str:
    (folder / name).write_text(text)
    return name


def test_the_only_program_that_no_other_builds_on(folder: Path) -> None:
    loaded = load(write(folder, "leaf.py", PROGRAM))
    assert [made.program.name for made in loaded.programs] == ["Leaf"]
    assert loaded.cluster is None
    assert load("leaf.py:Base").programs[0].program.name == "Base"
    assert load("./leaf.py:Leaf").programs[0].program.span.line == 15


def test_a_cluster_wins(folder: Path) -> None:
    loaded = load(write(folder, "one.py", PROGRAM + "\nhall = Cluster(base=Base, leaf=Leaf * 2)\n"))
    assert loaded.cluster is not None
    assert loaded.cluster.deployment.name == "hall"
    assert [made.program.name for made in loaded.programs] == ["Base", "Leaf"]
    assert load("one.py:Leaf").cluster is None


def test_several_choices_are_listed(folder: Path) -> None:
    write(folder, "two.py", PROGRAM + "\nclass Other(Program):\n    a = table(x=int)\n")
    with pytest.raises(BloomishError, match="which one is meant.*program Leaf, the program Other"):
        load("two.py")
    with pytest.raises(BloomishError, match="there is no `Nope`; it has the program Base"):
        load("two.py:Nope")


def test_modules() -> None:
    assert load(f"{EXAMPLES}:Vote").programs[0].program.name == "Vote"
    loaded = load(EXAMPLES)
    assert loaded.cluster is not None and loaded.cluster.deployment.name == "kvs"


def test_files_may_import_their_neighbours(folder: Path) -> None:
    write(folder, "neighbour_of_it.py", PROGRAM)
    text = "from neighbour_of_it import Leaf\n\n\nclass Mine(Leaf):\n    pass\n"
    assert load(write(folder, "importer.py", text)).programs[0].program.name == "Mine"


def test_relative_imports_within_a_package(folder: Path) -> None:
    package = folder / "a_package_of_programs"
    package.mkdir()
    write(package, "__init__.py", "")
    write(package, "base.py", PROGRAM)
    write(package, "mine.py", "from .base import Leaf\n\n\nclass Mine(Leaf):\n    pass\n")
    assert load("a_package_of_programs/mine.py").programs[0].program.name == "Mine"


def test_a_changed_file_is_read_anew(folder: Path) -> None:
    write(folder, "changing.py", PROGRAM)
    load("changing.py")
    write(folder, "changing.py", PROGRAM.replace("o(x) <= Base.a(x)", "o(x) <= Base.a(x + 1)"))
    rule = load("changing.py").programs[0].program.rules[-1]
    assert "x + 1" in rule.span.text


def test_a_file_may_have_the_name_of_a_module(folder: Path) -> None:
    import json

    write(folder, "json.py", PROGRAM)
    assert load("json.py").programs[0].program.name == "Leaf"
    assert sys.modules["json"] is json


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("missing.py", "there is no such file"),
        ("missing.py:Name", "there is no such file"),
        ("no_such_package.module", "there is no such module"),
        ("what is this", "it is not a module's name"),
        ("folder", "is a folder; name a file in it, such as folder/inside.py"),
        ("empty.py", "no Program class and no Cluster in it"),
        ("notes.txt", "not a program file"),
        ("latin.py", "not UTF-8"),
        ("exits.py", "ends the process while it is loaded"),
        ("file.py:not-a-name", "is not a target"),
        ("prog.ded:Name", "takes no `:Name`"),
    ],
)
def test_wrong_targets(folder: Path, target: str, said: str) -> None:
    (folder / "folder").mkdir()
    write(folder / "folder", "inside.py", PROGRAM)
    write(folder, "empty.py", "x = 1\n")
    write(folder, "notes.txt", "hello\n")
    write(folder, "exits.py", "raise SystemExit(3)\n")
    write(folder, "prog.ded", "")
    (folder / "latin.py").write_bytes(b"# caf\xe9\n")
    with pytest.raises(BloomishError, match=said):
        load(target)
    assert run(["show", target]) == 2


def test_show(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(folder, "leaf.py", PROGRAM)
    assert run(["show", "leaf.py"]) == 0
    text = capsys.readouterr().out
    assert "o(x) <= Base.a(x) & used.u(x)" in text or "o(x) <= a(x) & used.u(x)" in text
    assert run(["show", "leaf.py", "--format", "json"]) == 0
    assert from_json(capsys.readouterr().out).name == "Leaf"


def test_what_show_prints_of_a_file_can_be_put_anywhere(folder: Path, tmp_path: Path) -> None:
    write(folder, "doubling.py", DOUBLING)

    def shown(target: Path) -> str:
        command = [sys.executable, "-m", "bloomish", "show", str(target)]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        return subprocess.run(
            command, cwd=tmp_path, env=environment, check=True, capture_output=True, text=True
        ).stdout

    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    printed = shown(folder / "doubling.py")
    assert "from doubling import twice" in printed
    (elsewhere / "printed.py").write_text(printed)
    assert shown(elsewhere / "printed.py") == printed


def test_wrong_use_of_the_command_is_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["show"]) == 2
    assert run(["show", "a.py", "--colour", "red"]) == 2
    assert run(["show", "a.py", "--format", "poem"]) == 2
    assert run(["shew", "a.py"]) == 2
    errors = capsys.readouterr().err
    assert "Missing argument 'TARGET'" in errors and "No such command 'shew'" in errors


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    assert run(["show", "--help"]) == 0
    assert "Example:" in capsys.readouterr().out
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("bloomish 0.")


def test_the_import_is_light() -> None:
    heavy = "click rich networkx sqlglot msgpack pyDatalog asyncio numpy"
    code = (
        "import sys; before = set(sys.modules); import bloomish; "
        f"print(*(set('{heavy}'.split()) & (set(sys.modules) - before)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []


def test_python_dash_m_is_the_command(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bloomish", "show", str(folder / "none.py")],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "there is no such file" in done.stderr and "Traceback" not in done.stderr

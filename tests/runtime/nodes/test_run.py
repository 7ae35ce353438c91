"""`bloomish run` as a user runs it: a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pexpect
import psutil
import pytest

from bloomish.runtime.host import connect
from tests.runtime.nodes.support import HERE, WEATHER, going, until

ROOT = HERE.parents[2]
KVS = str(ROOT / "programs" / "kvs.py")
PUTS = "request,key,value\n1,a,x\n2,b,y\n3,a,z\n"


def bloomish(*arguments: str, stdin: str | bytes = b"") -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "bloomish", *arguments],
        input=stdin.encode() if isinstance(stdin, str) else stdin,
        capture_output=True,
        cwd=ROOT,
        timeout=60,
    )
    out, err = done.stdout.decode(), done.stderr.decode()
    return subprocess.CompletedProcess(done.args, done.returncode, out, err)


def printed(done: subprocess.CompletedProcess[str]) -> list[str]:
    return sorted(done.stdout.splitlines())


@pytest.fixture
def puts(tmp_path: Path) -> str:
    file = tmp_path / "puts.csv"
    file.write_text(PUTS)
    return str(file)


def test_feed_watch_until_quiet(puts: str) -> None:
    done = bloomish(
        "run", KVS, "--feed", f"client-0:want={puts}", "--watch", "client:done", "--until-quiet"
    )
    assert printed(done) == ["client-0  done(1)", "client-0  done(2)", "client-0  done(3)"]
    assert done.returncode == 0, done.stderr
    assert "3 node(s) ready after" in done.stderr
    assert "3 rows fed" in done.stderr


def test_a_role_takes_turns_and_a_star_means_every_node(puts: str) -> None:
    done = bloomish("run", KVS, "--feed", f"client:want={puts}", "--until-quiet")
    assert printed(done) == ["client-0  done(1)", "client-0  done(3)", "client-1  done(2)"]
    done = bloomish("run", KVS, "--feed", f"client-*:want={puts}", "--until-quiet")
    assert len(printed(done)) == 6


def test_json_lines_in_and_out_and_standard_input() -> None:
    lines = '[1, "a", "x"]\n{"value": "y", "request": 2, "key": "b"}\n'
    done = bloomish(
        "run", KVS, "--feed", "client-1:want=-", "--until-quiet", "--format", "json", stdin=lines
    )
    *rows, summary = map(json.loads, done.stdout.splitlines())
    assert sorted((one["node"], one["collection"], one["row"][0]) for one in rows) == [
        ("client-1", "done", 1),
        ("client-1", "done", 2),
    ]
    assert {one["kind"] for one in rows} == {"row"}
    assert summary["kind"] == "summary"
    assert summary["fed"] == 2
    assert summary["nodes"]["server-0"]["rows_in"] == 2
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("9,a", "bad.csv:2: 2 cells for 3 columns"),
        ("x,a,b", "bad.csv:2: column request: 'x' is not an int"),
        ('9,"a,b', "bad.csv:2: not CSV"),
    ],
)
def test_a_bad_line_of_a_file_is_told_before_anything_starts(
    tmp_path: Path, line: str, complaint: str
) -> None:
    file = tmp_path / "bad.csv"
    file.write_text(f"1,a,x\n{line}\n")
    done = bloomish("run", KVS, "--feed", f"client:want={file}", "--until-quiet")
    assert done.returncode == 2
    assert complaint in done.stderr
    assert "a row is want(request: int, key: str, value: str)" in done.stderr
    assert "ready" not in done.stderr


@pytest.mark.parametrize(
    ("lines", "complaints"),
    [
        (
            b'[1, "a", "x"]\n["one", "a", "x"]\n{\n[2, "\xff", "x"]\n[2, "a", "x"]\n',
            ["2: column request", "3: not JSON", "4: column key: '\\udcff'"],
        ),
        (
            b'value,key,request\nx,a,1\nx,a\n\nx,"a"b,3\nx,a,one\nx,a,2\n"x,a,4\n',
            ["3: 2 cells for 3", "5: not CSV", "6: column request", "8: not CSV"],
        ),
    ],
)
def test_a_bad_line_of_the_standard_input_is_told_and_the_run_goes_on(
    lines: bytes, complaints: Sequence[str]
) -> None:
    arguments = ["run", KVS, "--feed", "client-1:want=-", "--until-quiet", "--watch", "done"]
    done = bloomish(*arguments, stdin=lines)
    assert printed(done) == ["client-1  done(1)", "client-1  done(2)"]
    told = [line for line in done.stderr.splitlines() if line.startswith("standard input:")]
    assert len(told) == len(complaints)
    for line, complaint in zip(told, complaints, strict=True):
        assert line.startswith(f"standard input:{complaint}")
    assert "2 rows fed" in done.stderr
    assert done.returncode == 1


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["nowhere.py"], "nowhere.py"),
        ([KVS, "--bogus"], "No such option"),
        ([KVS, "--feed", "want"], "a feed is"),
        ([KVS, "--feed", "nothing=x.csv"], "no input 'nothing'; there are: client:ask"),
        ([KVS, "--feed", "server:want=x.csv"], "server has no such collection"),
        ([KVS, "--feed", "mallory:want=x.csv"], "mallory is no role or node"),
        ([KVS, "--feed", "client:want=/nowhere.csv"], "/nowhere.csv"),
        ([KVS, "--watch", "store"], "no output 'store'; there are: client:answer, client:done"),
        ([KVS, "--for", "-1"], "-1"),
        ([KVS, "--evaluator", "abacus"], "abacus"),
        ([KVS, "--trace", "/nowhere/trace"], "--trace /nowhere/trace: there is no folder"),
        ([KVS, "--directory", "/tmp"], "--directory /tmp: it is a folder"),
        ([KVS, "--data", "/dev/null"], "--data /dev/null: it is a file"),
        ([KVS, "--tls", "/nowhere"], "/nowhere/ca.pem is missing"),
        ([KVS, "--feed", "client:want=-", "--feed", "client:ask=-"], "one collection only"),
    ],
)
def test_wrong_options_exit_with_2_and_say_what_would_be_right(
    arguments: Sequence[str], complaint: str
) -> None:
    done = bloomish("run", *arguments)
    assert done.returncode == 2
    assert complaint in done.stderr
    assert done.stderr.startswith(("bloomish: ", "Usage: "))  # click says the latter
    assert "Traceback" not in done.stderr


def test_for_some_seconds_and_a_violated_invariant() -> None:
    note = '["receiver-0", -5, "below zero"]'
    done = bloomish("run", WEATHER, "--feed", "sender-0:say=-", "--for", "3", stdin=note)
    assert "receiver-0  violated: negative(-5)" in printed(done)
    assert done.returncode == 1
    assert "invariant violated at tick" in done.stderr


def test_what_two_options_watch_is_printed_and_counted_once() -> None:
    watches = ["--watch", "negative", "--watch", "receiver-0:negative"]
    arguments = ["--feed", "sender-0:say=-", "--for", "3", "--format", "json", *watches]
    done = bloomish("run", WEATHER, *arguments, stdin='["receiver-0", -5, "below zero"]')
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["kind"] for one in told] == ["violation", "summary"]
    assert told[-1]["violations"] == 1


def test_a_console_that_knows_few_letters_ends_no_run(tmp_path: Path) -> None:
    program = tmp_path / "snow.py"
    program.write_text(
        "from bloomish import Program, const, output\n\n\n"
        "class Snow(Program):\n    falls = const(what=str)\n    seen = output(what=str)\n"
        '    falls <= [("☃",)]\n    seen <= falls\n'
    )
    done = subprocess.run(
        [sys.executable, "-m", "bloomish", "run", str(program), "--until-quiet"],
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (0, 'snow-0  seen("\\u2603")\n'), done.stderr


def test_views_are_printed_as_they_come_and_go(tmp_path: Path) -> None:
    program = tmp_path / "view.py"
    program.write_text(
        "from bloomish import Program, input, output, table, variables\n"
        "n, m = variables('n m')\n"
        "class View(Program):\n"
        "    drop = input(n=int)\n"
        "    kept = table(n=int)\n"
        "    shown = output(n=int)\n"
        "    kept <= [(1,), (2,)]\n"
        "    kept(n) <- drop(n)\n"
        "    shown(n) <= kept(n)\n"
    )
    done = bloomish("run", str(program), "--feed", "drop=-", "--until-quiet", stdin="[2]\n")
    assert done.stdout.splitlines() == [
        "view-0  shown(1)",
        "view-0  shown(2)",
        "view-0  no longer shown(2)",
    ]
    assert done.returncode == 0, done.stderr


def test_the_trace_has_a_header_and_a_full_disk_does_not_end_the_run(
    tmp_path: Path, puts: str
) -> None:
    file = tmp_path / "trace.jsonl"
    file.write_text("what an earlier run left\n")
    feed = ["--feed", f"client-0:want={puts}", "--until-quiet"]
    assert bloomish("run", KVS, *feed, "--trace", str(file)).returncode == 0
    head = json.loads(file.read_text().splitlines()[0])
    assert (head["kind"], head["source"]) == ("run", "processes")
    assert head["nodes"] == ["server-0", "client-0", "client-1"]
    done = bloomish("run", KVS, *feed, "--trace", "/dev/full")
    assert done.returncode == 0
    assert len(printed(done)) == 3
    assert "the trace /dev/full cannot be written" in done.stderr
    assert "trace records lost" in done.stderr


def test_a_node_that_dies_is_reported_and_counts(tmp_path: Path) -> None:
    program = f"{HERE / 'failing.py'}:Hopeless"
    done = bloomish("run", program, "--feed", "arm=-", "--for", "30", stdin="[0]\n")
    assert done.returncode == 1
    assert "hopeless-0 is gone: the tick fails without any arrival" in done.stderr


def test_a_death_that_a_restart_mends_is_told_and_the_watch_goes_on() -> None:
    program = f"{HERE / 'failing.py'}:Hopeless"
    done = bloomish(
        "run", program, "--feed", "arm=-", "--for", "6", "--restart", "on-failure", stdin="[0]\n"
    )
    assert "hopeless-0 is gone (the tick fails without any arrival" in done.stderr
    assert "restarting it" in done.stderr
    assert done.returncode == 0
    assert printed(done) == ["hopeless-0  ready(1)", "hopeless-0  ready(1)"]


def test_durable_tables_in_memory_are_told(tmp_path: Path) -> None:
    told = "durable tables in memory only (--data DIR keeps them)"
    assert told in bloomish("run", KVS, "--for", "0").stderr
    assert told not in bloomish("run", KVS, "--for", "0", "--data", str(tmp_path)).stderr
    closure = str(ROOT / "programs" / "closure.py")
    assert "in memory" not in bloomish("run", closure, "--for", "0").stderr


def test_rows_that_a_tick_cannot_take_are_told() -> None:
    program = f"{HERE / 'failing.py'}:Failing"
    done = bloomish("run", program, "--feed", "give=-", "--until-quiet", stdin="[1, 0]\n[2, 5]\n")
    assert done.returncode == 1
    assert "1 row(s) were set aside" in done.stderr


@going
async def test_ctrl_c_stops_every_node_in_order(tmp_path: Path) -> None:
    file = tmp_path / "nodes.json"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bloomish", "run", KVS, "--directory", str(file), "--data",
        str(tmp_path), cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip

    async def ready() -> bool:
        return file.exists()

    await until(ready)
    async with connect("client-0", directory=file) as client:
        done = await client.watch("done")
        await client.insert("want", [(1, "a", "x")])
        assert await done.take(1) == [(1,)]
        process.send_signal(signal.SIGINT)
        assert await client.gone() == "client-0 has been stopped"
    _, err = await process.communicate()
    assert process.returncode == 130
    assert b"ticks" in err and b"Traceback" not in err
    assert not file.exists()


@pytest.mark.parametrize("presses", [1, 2])
def test_ctrl_c_ends_a_run_of_which_a_node_does_not_answer(presses: int) -> None:
    run = subprocess.Popen(
        [sys.executable, "-m", "bloomish", "run", KVS, "--until-quiet", "--for", "60"],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    )
    with run:
        assert run.stderr is not None and "ready" in run.stderr.readline()
        nodes = psutil.Process(run.pid).children()
        nodes[0].suspend()
        run.send_signal(signal.SIGINT)
        if presses == 2:
            assert "does not answer" in run.stderr.readline()
            run.send_signal(signal.SIGINT)
        pressed = time.monotonic()
        assert run.wait(30) == 130
        if presses == 2:
            assert time.monotonic() - pressed < 5, "the second Ctrl-C waits for nobody"
    assert not any(node.is_running() for node in nodes), "no orphans"


def test_counters_are_shown_on_a_terminal() -> None:
    run = pexpect.spawn(
        sys.executable,
        ["-m", "bloomish", "run", KVS],
        cwd=str(ROOT),
        env=os.environ | {"TERM": "xterm", "COLUMNS": "120"},
        timeout=60,
    )
    run.expect("rows in")
    run.expect("server-0 +running")
    run.sendintr()
    run.expect(pexpect.EOF)
    run.close()
    assert run.exitstatus == 130


REPL = """\
# a comment
put("a", 1)
tick
total
-kept("a", 1)
put("b", 2)
run
kept
collections
rules total
help
quit
this is never read
"""


def repl_program(tmp_path: Path) -> str:
    program = tmp_path / "sums.py"
    program.write_text(
        "from bloomish import Address, Program, channel, here, input, output, sum_, table\n"
        "from bloomish import variables, _\n"
        "name, n = variables('name n')\n"
        "class Sums(Program):\n"
        "    put = input(name=str, n=int)\n"
        "    kept = table(name=str, n=int)\n"
        "    echo = channel(to=Address, n=int)\n"
        "    total = output(n=int)\n"
        "    heard = output(n=int)\n"
        "    kept(name, n) <= put(name, n)\n"
        "    total(sum_(n)) <= kept(_, n)\n"
        "    echo(here, n) <~ put(_, n)\n"
        "    heard(n) <= echo(_, n)\n"
    )
    return str(program)


def test_the_repl_works_through_a_pipe(tmp_path: Path) -> None:
    done = bloomish("repl", repl_program(tmp_path), stdin=REPL)
    assert done.returncode == 0, done.stdout + done.stderr
    text = done.stdout
    assert "tick 1\n  total(1)\n  to sums-0: Sums.echo(" in text
    assert "  total(1)\n  1 row\n" in text
    assert "heard(1)" in text and "heard(2)" in text
    assert "no longer total(" in text
    assert '  kept("b", 2)\n  1 row\n' in text
    assert "kept(name: str, n: int)  1 row" in text
    assert "total(sum_(n)) <= kept(_, n)" in text
    assert 'link("a", "b")' in text
    assert "Traceback" not in done.stderr


def test_the_repl_says_what_is_wrong_and_goes_on(tmp_path: Path) -> None:
    wrong = [
        "nonsense",
        'put("a")',
        "put(1, 2)",
        "put(x)",
        "total(1)",
        "nothing(1)",
        '-put("a", 1)',
    ]
    lines = "\n".join([*wrong, "tick x", 'put("c", 3)', "tick", ""])
    done = bloomish("repl", repl_program(tmp_path), stdin=lines)
    complaints = [line for line in done.stdout.splitlines() if line.startswith("? ")]
    assert len(complaints) == 8, done.stdout
    assert "total(3)" in done.stdout
    assert done.returncode == 1
    done = bloomish("repl", KVS)
    assert done.returncode == 2
    assert f"say {KVS}:Server or {KVS}:Client" in done.stderr


def test_rows_that_fail_the_tick_of_a_repl_can_be_dropped(tmp_path: Path) -> None:
    program = tmp_path / "keyed.py"
    program.write_text(
        "from bloomish import Key, Program, table\n\n\n"
        "class Keyed(Program):\n    kept = table(key=Key(str), value=int)\n"
    )
    lines = 'kept("a", 1)\nkept("a", 2)\ntick\nwaiting\ndrop\ntick\nkept\n'
    done = bloomish("repl", str(program), stdin=lines)
    assert "until you `drop` them" in done.stdout
    rows = [line.strip() for line in done.stdout.splitlines()][-4:]
    assert rows == ['kept("a", 1)', 'kept("a", 2)', "tick 1", "0 rows"]


def test_the_repl_on_a_terminal(tmp_path: Path) -> None:
    repl = pexpect.spawn(
        sys.executable,
        ["-m", "bloomish", "repl", repl_program(tmp_path)],
        cwd=str(ROOT),
        timeout=60,
    )
    repl.expect("help lists the commands")
    repl.expect("> ")
    repl.sendline('put("a", 1)')
    repl.expect("> ")
    repl.sendline("tick")
    repl.expect(r"total\(1\)")
    repl.sendeof()
    repl.expect(pexpect.EOF)
    repl.close()
    assert repl.exitstatus == 0

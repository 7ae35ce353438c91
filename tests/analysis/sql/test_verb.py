"""`bloomish check views.sql` on the command line: forms and exit statuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bloomish.analysis.sql.sarif import KINDS
from bloomish.cli import run

GOOD = "CREATE TABLE t (a INTEGER, b INTEGER);\nCREATE VIEW v AS SELECT a FROM t;\n"
TAKEN = GOOD + "CREATE VIEW w AS\n  SELECT a FROM t EXCEPT\n  SELECT b FROM t;\n"
ACTED = TAKEN + "CREATE TABLE s (a INTEGER);\nINSERT INTO s SELECT a FROM w;\n"
UNKNOWN = GOOD + "CREATE VIEW w AS SELECT foo(a) FROM t;\n"


Capture = pytest.CaptureFixture[str]


def check(folder: Path, text: str, *options: str) -> int:
    path = folder / "views.sql"
    path.write_text(text)
    return run(["check", str(path), *options])


@pytest.mark.parametrize(
    ("text", "status"), [(GOOD, 0), (TAKEN, 0), (ACTED, 1), (UNKNOWN, 2), ("SELECT FROM", 2)]
)
def test_exit_statuses(tmp_path: Path, text: str, status: int) -> None:
    assert check(tmp_path, text) == status


def test_the_clause_to_blame_stands_with_line_and_column(tmp_path: Path, capsys: Capture) -> None:
    check(tmp_path, TAKEN)
    printed = capsys.readouterr().out
    assert "views.sql:4:19: negation: EXCEPT" in printed
    assert "w  retracting: needs coordination when acted upon" in printed


def test_json(tmp_path: Path, capsys: Capture) -> None:
    check(tmp_path, ACTED, "--format", "json")
    data = json.loads(capsys.readouterr().out)
    assert data["needs_coordination"] is True
    verdicts = {(v["what"], v["name"]): v["verdict"] for v in data["verdicts"]}
    assert verdicts == {
        ("view", "v"): "append-only",
        ("view", "w"): "retracting",
        ("insert", "s"): "needs coordination",
    }
    assert data["verdicts"][1]["reasons"][0]["span"]["line"] == 4


def test_sarif(tmp_path: Path, capsys: Capture) -> None:
    check(tmp_path, ACTED, "--format", "sarif")
    (log,) = json.loads(capsys.readouterr().out)["runs"]
    rules = [rule["id"] for rule in log["tool"]["driver"]["rules"]]
    assert len(rules) == len(set(rules)) == len(KINDS)
    levels = {(result["ruleId"], result["level"]) for result in log["results"]}
    assert levels == {
        ("sql-negation", "note"),
        ("sql-negation", "warning"),
        ("sql-latch", "warning"),
    }
    for result in log["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"]
        region = result["locations"][0]["physicalLocation"]["region"]
        assert region["startLine"] and region["startColumn"]


def test_dialects(tmp_path: Path, capsys: Capture) -> None:
    text = "CREATE VIEW v AS SELECT `a` FROM `t`"
    assert check(tmp_path, text, "--dialect", "mysql") == 0
    assert check(tmp_path, text, "--dialect", "cobol") == 2
    assert "no SQL dialect 'cobol'" in capsys.readouterr().err

"""The report in every form: text for people, JSON and SARIF for tools, DOT for drawing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import attr
import pytest
import sarif_om

from bloomish.analysis import check
from bloomish.analysis.report import dot, sarif, text
from bloomish.analysis.report import json as json_report
from bloomish.analysis.report.picture import picture_of
from bloomish.cli import run
from tests.programs.micro import growing, racing, unsettled

KVS = "bloomish.programs.kvs"


# ----------------------------------------------------------------------- text


def test_text_says_verdict_point_gate_path_and_mends() -> None:
    said = text.render(check(unsettled.M26))
    assert said.startswith("reports  needs coordination")
    assert "P1  " in said and ": export\n" in said
    assert "unsettled.py:" in said
    assert "    report(peer, x) <~ live(x) & peers(peer)" in said
    assert "gate     per (id)" in said
    words = " ".join(said.split())
    assert "remove -[removed_1]-> removed -[live_1]-> live -[report_1]-> report" in words
    assert "-[reports_1]-> reports" in words
    assert "1. seal: seal removed on (id)" in said
    assert said.endswith("1 verdict, 1 needs coordination\n")


def test_text_is_quiet_where_all_is_well() -> None:
    said = text.render(check(growing.M1))
    assert said.splitlines() == [
        "log  monotone            only grows, to the same end whatever the order",
        "1 verdict, none needs coordination",
    ]


def test_a_point_is_told_once_and_then_referred_to() -> None:
    said = text.render(check(KVS))
    assert said.count("mend     1.") == 1
    assert "see      P1 above" in said


def test_lines_are_not_longer_than_a_screen() -> None:
    for program in (unsettled.M26, racing.M30, racing.M22):
        own = {line for p in check(program).points for line in p.text.splitlines()}
        for line in text.render(check(program)).splitlines():
            assert len(line) <= 110 or line.strip() in own


def test_explain_shows_how_modes_were_found() -> None:
    said = text.render(check(growing.M19, explain=True))
    assert "R5" in said
    assert "says that this very row has arrived" in said


# ----------------------------------------------------------------- exit status


@pytest.mark.parametrize(
    "target, status",
    [("bloomish.programs.quorum", 0), (KVS, 1), ("bloomish.programs.nothing", 2)],
)
def test_exit_status(target: str, status: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", target]) == status


def test_what_is_wrong_with_a_program_is_said_with_its_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "liar.py"
    file.write_text(
        "from bloomish import Program, input, notin, scratch, variables\n"
        "x = variables('x')\n"
        "class Liar(Program):\n"
        "    given = input(id=int)\n"
        "    p = scratch(id=int)\n"
        "    p(x) <= given(x) & notin(p(x))\n"
    )
    assert run(["check", str(file)]) == 2
    said = capsys.readouterr().err
    assert "liar.py:6" in said and "notin(p(x))" in said and "mend" in said


def test_a_lattice_that_breaks_a_law_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "sums.py"
    file.write_text(
        "from bloomish import Key, Lattice, Program, input, table, variables\n"
        "x = variables('x')\n"
        "class Sum(Lattice):\n"
        "    carrier = int\n"
        "    bottom = 0\n"
        "    @staticmethod\n"
        "    def merge(a: int, b: int) -> int:\n"
        "        return a + b\n"
        "class Total(Program):\n"
        "    given = input(id=int)\n"
        "    total = table(id=Key(int), n=Sum)\n"
        "    total(x, x) <= given(x)\n"
    )
    assert run(["check", str(file)]) == 2
    assert "Sum is not a lattice" in capsys.readouterr().err


# ----------------------------------------------------------------------- JSON


def test_json_carries_the_same() -> None:
    report = check(KVS)
    data = json.loads(json_report.render(report))
    assert data["needs_coordination"] is True
    verdicts = {one["collection"]: one for one in data["verdicts"]}
    assert verdicts["client.done"]["verdict"] == "monotone"
    (flag,) = verdicts["server.store"]["flags"]
    (point,) = [one for one in data["points"] if one["id"] == flag["point"]]
    assert point["kind"] == "overwrite"
    assert point["gate"] == ["key"]
    assert [mend["cost"] for mend in point["mends"]] == ["rewrite", "consensus"]
    assert [hop["collection"] for hop in flag["path"]] == ["Kvs.put", "server.store"]
    assert point["span"]["line"] > 0


def test_json_from_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", KVS, "--format", "json", "--explain", "--replicas", "3"]) == 1
    data = json.loads(capsys.readouterr().out)
    assert data["replicas"] == {"server": 3, "client": 3}
    assert {one["label"] for one in data["verdicts"]} == {"Async", "Diverge"}
    assert any(one["rule"] == "store_1" and one["steps"] for one in data["derivations"])


# ---------------------------------------------------------------------- SARIF

# Which class of the standard's object model a property holds.
INSIDE: dict[tuple[str, str], str] = {
    ("SarifLog", "runs"): "Run",
    ("Run", "tool"): "Tool",
    ("Run", "results"): "Result",
    ("Tool", "driver"): "ToolComponent",
    ("ToolComponent", "rules"): "ReportingDescriptor",
    ("ReportingDescriptor", "shortDescription"): "MultiformatMessageString",
    ("ReportingDescriptor", "defaultConfiguration"): "ReportingConfiguration",
    ("Result", "message"): "Message",
    ("Result", "locations"): "Location",
    ("Result", "codeFlows"): "CodeFlow",
    ("CodeFlow", "threadFlows"): "ThreadFlow",
    ("ThreadFlow", "locations"): "ThreadFlowLocation",
    ("ThreadFlowLocation", "location"): "Location",
    ("Location", "message"): "Message",
    ("Location", "physicalLocation"): "PhysicalLocation",
    ("Location", "logicalLocations"): "LogicalLocation",
    ("PhysicalLocation", "artifactLocation"): "ArtifactLocation",
    ("PhysicalLocation", "region"): "Region",
    ("Region", "snippet"): "ArtifactContent",
}


def conforms(data: dict[str, Any], name: str) -> None:
    """Property names are those of the class, and what it requires is there."""
    fields = attr.fields(getattr(sarif_om, name))
    known = {field.metadata["schema_property_name"] for field in fields}
    required = {
        field.metadata["schema_property_name"] for field in fields if field.default is attr.NOTHING
    }
    assert data.keys() <= known, (name, data.keys() - known)
    assert required <= data.keys(), (name, required - data.keys())
    for key, value in data.items():
        inner = INSIDE.get((name, key))
        if inner:
            for one in value if isinstance(value, list) else [value]:
                conforms(one, inner)
        else:
            parts = value if isinstance(value, list) else [value]
            free = key in ("properties", "partialFingerprints")
            assert free or not any(isinstance(part, dict) for part in parts), (name, key)


@pytest.mark.parametrize("target", [KVS, racing.M30, growing.M1, unsettled.M26, racing.M17])
def test_sarif_conforms_to_the_standard(target: Any) -> None:
    data = json.loads(sarif.render(check(target, explain=True)))
    conforms(data, "SarifLog")
    assert data["version"] == "2.1.0"
    (one_run,) = data["runs"]
    rules = one_run["tool"]["driver"]["rules"]
    assert len({rule["id"] for rule in rules}) == len(rules)
    for result in one_run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in ("none", "note", "warning", "error")
        assert result["message"]["text"]
        (location,) = result["locations"]
        place = location["physicalLocation"]
        assert place["region"]["startLine"] >= 1
        assert place["region"]["startColumn"] >= 1
        assert not place["artifactLocation"]["uri"].startswith("/")
        for flow in result["codeFlows"]:
            assert flow["threadFlows"][0]["locations"]


def test_sarif_names_kind_gate_and_mends() -> None:
    (result,) = sarif.as_data(check(racing.M13))["runs"][0]["results"]
    assert result["ruleId"] == "overwrite"
    assert "per (key)" in result["message"]["text"]
    assert "Mend (consensus)" in result["message"]["text"]


# ------------------------------------------------------------------------ DOT


def test_dot_has_every_box_and_marks_the_points_of_order() -> None:
    said = dot.render(picture_of(KVS))
    assert said.startswith('digraph "cluster" {') and said.rstrip().endswith("}")
    assert '"rule server store_1" [label="store_1 <+-"' in said
    (line,) = [
        line for line in said.splitlines() if line.strip().startswith('"rule server store_1" [')
    ]
    assert "penwidth=3" in line
    assert said.count("subgraph") == 2
    assert said.count("{") == said.count("}")


def test_dot_escapes_what_it_quotes() -> None:
    assert dot.quoted('a "b"\\\nc') == '"a \\"b\\"\\\\\\lc"'

"""Planted bugs are found, and their mended twins hold."""

from __future__ import annotations

from importlib import import_module

import pytest

from benchmarks.bugs import FIRST, LIMIT, PROTOCOLS, SMALLS, Small, first, run, search


def test_the_quick_table() -> None:
    rows = list(run(quick=True))
    assert len(rows) >= 10 and len({row.name for row in rows}) == len(rows)
    assert [row.name for row in rows if not row.met] == []


def test_what_is_not_found_is_not_met() -> None:
    patient = next(bug for bug in SMALLS if bug.right == "patient")
    row = search("mended", patient.campaign(patient.right), patient.breaks, 3)
    assert row.met is False and row.ours == 3 and "did not break" in row.note


def test_at_least_fifteen_bugs_are_planted() -> None:
    names = [bug.name for bug in SMALLS]
    for protocol in PROTOCOLS:
        bugs = import_module(f"tests.programs.planted.{protocol}").BUGS
        names += [f"{protocol}: {bug.name}" for bug in bugs]
    assert len(names) == len(set(names)) >= 15


@pytest.mark.parametrize("bug", SMALLS, ids=lambda bug: bug.name)
def test_a_bug_is_found_and_its_mended_twin_holds(bug: Small) -> None:
    assert first(bug.campaign(bug.wrong), bug.breaks, LIMIT) is not None
    bug.campaign(bug.right).holds(range(FIRST, FIRST + 50))

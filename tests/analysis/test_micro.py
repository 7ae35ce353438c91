"""The micro-programs M1 to M41 get exactly the verdicts of the specification's table."""

from __future__ import annotations

import pytest

from bloomish import Address, Program, ProgramError, _, channel, notin, scratch, table, variables
from bloomish.analysis import check
from tests.programs.micro import racing, unsettled
from tests.programs.micro.expected import EXPECTED, FLAGGED, Expected

x, y = variables("x y")


@pytest.mark.parametrize("expected", EXPECTED, ids=lambda expected: expected.name)
def test_verdict(expected: Expected) -> None:
    report = check(expected.program)
    verdict = report.verdict(expected.collection)
    assert verdict.word == expected.word
    assert report.status == (expected.word == FLAGGED)
    if expected.word != FLAGGED:
        assert not report.points
        return
    (point,) = verdict.points
    assert point.kind == expected.kind
    assert point.gate == expected.gate
    costs = [mend.cost for mend in point.mends]
    assert [cost for cost in costs if cost in expected.mends] == list(expected.mends)


def test_every_number_has_its_program() -> None:
    """M33 is the one that is no program at all (below)."""
    numbers = {int("".join(c for c in e.name[1:] if c.isdigit())) for e in EXPECTED}
    assert numbers == set(range(1, 42)) - {33}


def test_m10_m37_first_mend_is_to_persist_and_no_coordination() -> None:
    for program in (racing.M10, unsettled.M37):
        (verdict,) = check(program).verdicts
        (point,) = verdict.points
        assert [mend.cost for mend in point.mends] == ["persist"]


def test_m21_replicas_diverge_for_good() -> None:
    (verdict,) = check(unsettled.M21, replicas=2).verdicts
    assert verdict.label == "Diverge"


def test_m22_is_confluent_and_its_invariant_is_not() -> None:
    report = check(racing.M22)
    assert not report.needs_coordination
    (invariance,) = report.invariants
    assert not invariance.confluent
    assert [mend.cost for mend in invariance.mends] == ["rewrite", "consensus"]


def test_m25_recursion_over_messages_asks_for_termination_detection() -> None:
    (verdict,) = check(unsettled.M25).verdicts
    (seal,) = [mend for mend in verdict.points[0].mends if mend.cost == "seal"]
    assert "termination" in seal.text


def test_m33_negation_of_itself_is_an_error_within_a_tick_and_fine_across_ticks() -> None:
    with pytest.raises(ProgramError):

        class Liar(Program):
            msg = channel(to=Address, id=int)
            p = scratch(id=int)
            p(x) <= msg(_, x) & notin(p(x))

        check(Liar)

    class Later(Program):
        msg = channel(to=Address, id=int)
        p = table(id=int)
        p(x) < +msg(_, x) & notin(p(x))

    check(Later)


def test_the_blame_path_leads_from_the_channel_to_the_output() -> None:
    (verdict,) = check(unsettled.M26).verdicts
    (flag,) = verdict.flags
    assert [hop.collection for hop in flag.path] == [
        "remove",
        "removed",
        "live",
        "report",
        "reports",
    ]
    assert [hop.rule for hop in flag.path] == [
        "", "removed_1", "live_1", "report_1", "reports_1",
    ]  # fmt: skip
    assert flag.point.span.line > 0
    assert "report(peer, x)" in flag.point.text

"""The assertions that other projects' tests use."""

from __future__ import annotations

from importlib.metadata import entry_points

import pytest

from bloomish.analysis.pytest_plugin import (
    assert_coordination_free,
    assert_monotone,
    assert_verdict,
)
from tests.programs.micro import growing, unsettled

pytest_plugins = ["pytester"]
PLUGIN = "bloomish.analysis.pytest_plugin"


def test_what_holds_passes() -> None:
    assert_monotone(growing.M31, "elected")
    assert_coordination_free(unsettled.M8, "live")
    assert_verdict(unsettled.M36, "answer", "snapshot")


def test_what_does_not_hold_fails_with_the_point_of_order() -> None:
    with pytest.raises(pytest.fail.Exception) as caught:
        assert_monotone(unsettled.M26, "reports")
    said = str(caught.value)
    assert said.startswith("reports is not monotone")
    assert "report(peer, x) <~ live(x) & peers(peer)" in said
    assert "mend" in said


def test_an_unknown_collection_fails_with_what_there_is() -> None:
    with pytest.raises(pytest.fail.Exception, match="there is one on log"):
        assert_monotone(growing.M1, "logg")


def test_the_fixtures_of_the_plugin(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        from bloomish import Address, Key, Program, _, channel, table, variables

        k, v, x = variables("k v x")


        class Kept(Program):
            msg = channel(to=Address, k=int, v=int)
            log = table(k=int, v=int)
            reg = table(k=Key(int), v=int)

            log(k, v) <= msg(_, k, v)
            reg(k, v) <+- msg(_, k, v)


        def test_right(assert_monotone):
            assert_monotone(Kept, "log")


        def test_wrong(assert_coordination_free):
            assert_coordination_free(Kept, "reg")
        """
    )
    installed = any(one.value == PLUGIN for one in entry_points(group="pytest11"))
    given = () if installed else ("-p", PLUGIN)
    result = pytester.runpytest(*given, "-p", "no:cacheprovider", "-q")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*reg is not monotone or*", "*overwrite*"])

"""Bud's labels: its own test programs (tc_labeling) written in this language."""

from __future__ import annotations

import pytest

from bloomish import (
    Address,
    Program,
    _,
    channel,
    count,
    here,
    input,
    notin,
    output,
    scratch,
    table,
    use,
    variables,
)
from bloomish.analysis.bud import bud_labels, then
from bloomish.analysis.graph import System

n, v = variables("n v")


class Basic(Program):
    i1 = input(val=int)
    i2 = input(val=int)
    c1 = channel(to=Address, val=int)
    c2 = channel(to=Address, val=int)
    guard1 = table(val=int)
    guard2 = table(val=int)
    response = output(val=int)

    c1(here, v) < ~i1(v)
    c2(here, v) < ~i2(v)
    guard1(v) <= c1(_, v)
    guard2(v) <= c2(_, v)


class NM(Basic):
    Basic.response(v) <= Basic.guard1(v) & notin(Basic.guard2(v))


class Group(Basic):
    Basic.response(count(v)) <= Basic.guard1(v)


class Mono(Basic):
    Basic.response(v) <= Basic.guard1(v) & Basic.guard2(v)


class Deletion(Mono):
    dguard = input(val=int)
    c3 = channel(to=Address, val=int)

    c3(here, v) < ~dguard(v)
    Basic.guard2(v) < -Basic.guard2(v) & c3(_, v)


class NestMod(Program):
    tnm = use(NM)
    inn1 = input(val=int)
    inn2 = input(val=int)
    left = channel(to=Address, val=int)
    right = channel(to=Address, val=int)
    outt = output(val=int)

    tnm.c1(here, v) < ~inn1(v)
    tnm.c2(here, v) < ~inn2(v)
    outt(v) <= tnm.response(v)


class Buffers(Program):
    lchan = channel(to=Address, val=int)
    rchan = channel(to=Address, val=int)
    ls = scratch(val=int)
    rs = scratch(val=int)
    lt = table(val=int)
    rt = table(val=int)
    result = output(val=int)

    ls(v) <= lchan(_, v)
    rs(v) <= rchan(_, v)
    lt(v) <= lchan(_, v)
    rt(v) <= rchan(_, v)


class BugButt(Buffers):
    Buffers.result(v) <= Buffers.ls(v) & Buffers.rs(v)


class HalfGuard(Buffers):
    Buffers.result(v) <= Buffers.lt(v) & Buffers.rs(v)


class FullGuard(Buffers):
    Buffers.result(v) <= Buffers.lt(v) & Buffers.rt(v)


@pytest.mark.parametrize(
    "program, paths, whole",
    [
        (NM, {"i1": "A", "i2": "D"}, "D"),
        (Group, {"i1": "D"}, "D"),
        (Mono, {"i1": "A", "i2": "A"}, "A"),
        (Deletion, {"i1": "A", "i2": "D", "dguard": "D"}, "D"),
    ],
)
def test_path_labels(program: type[Program], paths: dict[str, str], whole: str) -> None:
    labels = bud_labels(System(program.ir))
    assert labels.paths["response"] == paths
    assert labels.outputs()["response"] == whole


def test_labels_pass_through_an_embedded_program() -> None:
    labels = bud_labels(System(NestMod.ir))
    assert labels.outputs()["outt"] == "D"
    assert labels.paths["outt"]["inn1"] == "A"
    assert labels.paths["outt"]["inn2"] == "D"


@pytest.mark.parametrize(
    "program, unguarded", [(BugButt, True), (HalfGuard, True), (FullGuard, False)]
)
def test_guarded_asynchrony(program: type[Program], unguarded: bool) -> None:
    assert ("result" in bud_labels(System(program.ir)).unguarded) is unguarded


def test_how_labels_follow_each_other() -> None:
    assert then("Bot", "A") == "A"
    assert then("A", "Bot") == "A"
    assert then("A", "N") == "D"
    assert then("N", "A") == "A"
    assert all(then("D", edge) == "D" for edge in ("Bot", "A", "N", "D"))

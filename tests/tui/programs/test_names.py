"""Of which blocks a program is asked who holds them, and how long an answer counts."""

from __future__ import annotations

import msgspec
from said import OBSERVED, OLD, training
from vramtop.accounting.program.report import report
from vramtop.protocol.observed.record import Holder, Holders
from vramtop.protocol.observed.report import StepReport
from vramtop.tui.programs.names import Names
from vramtop.tui.programs.programs import Program

CUDA = "cuda:0"


def step(*unknown: tuple[int, int]) -> StepReport:
    return msgspec.structs.replace(report(training(), 1), unknown=unknown)


def test_it_asks_of_what_has_more_than_a_hundredth_of_the_peak() -> None:
    names = Names()
    peak = step().peak.bytes
    assert names.unasked(CUDA, step((1, peak // 100 + 1))) == (1,)
    small = step((1, peak // 100 - 1))
    assert names.unasked(CUDA, small) == ()
    assert names.unasked(CUDA, small, all_=True) == (1,)


def test_it_asks_of_nothing_twice_even_where_nobody_was_found() -> None:
    names = Names()
    names.add(Holders(CUDA, (Holder(1, "history in train.py"), Holder(2, ""))))
    assert names.of(CUDA) == {1: "history in train.py", 2: ""}
    assert names.unasked(CUDA, step((2, 900), (3, 800))) == (3,)
    assert names.of("cuda:1") == {}


def test_a_name_counts_as_long_as_the_block_is_there_with_its_size() -> None:
    names = Names()
    names.keep(CUDA, {1: 8, 2: 8, 3: 8})
    names.add(Holders(CUDA, tuple(Holder(each, "x") for each in (1, 2, 3))))
    names.keep(CUDA, {1: 8, 2: 16})
    assert names.of(CUDA) == {1: "x"}
    names.keep(CUDA, {1: 8, 2: 16, 3: 8})
    assert names.of(CUDA) == {1: "x"}


def test_a_report_has_the_names_that_the_program_has_answered() -> None:
    program = Program(OBSERVED)
    program.add(training())
    (address,) = program.unasked(CUDA)
    program.add(Holders(CUDA, (Holder(address, "history in train.py"),)))
    (reported,) = program.reports()
    assert [(each.bytes, each.what) for each in reported.other] == [(OLD, "history in train.py")]
    assert program.unasked(CUDA) == ()

"""Boundaries, peak and curve of a whole step, of programs that are written out here."""

from __future__ import annotations

from fake import FakeProgram
from fake_training import FIXED, training
from vramtop.protocol.observed.record import Module
from vramtop.protocol.observed.report import Allocator, Moment, Peak, Split


def test_a_boundary_has_the_split_at_the_end_of_its_phase() -> None:
    result = training().report()
    assert result.boundaries == {
        "load": Split(**FIXED, batch_data=100, activations=4),
        "forward": Split(**FIXED, batch_data=100, activations=304),
        "backward": Split(**FIXED, batch_data=100, activations=4, gradients=1000),
        "optimizer": Split(**FIXED, batch_data=100, activations=4, gradients=1000),
    }
    assert result.phases == ("load", "forward", "backward", "optimizer")


def test_the_peak_has_its_phase_line_module_and_split() -> None:
    assert training().report().peak == Peak(
        4454,
        "backward",
        "",
        "",
        Split(**FIXED, batch_data=100, activations=304, gradients=1000),
    )


def test_the_peak_is_where_the_module_that_allocated_it_ran() -> None:
    program = FakeProgram()
    for _ in range(2):
        program.period()
        with program.call():
            program.give(program.take(8, "train.py:5", "h.0.mlp"))
    program.period()
    peak = program.report().peak
    assert (peak.module, peak.line, peak.phase) == ("h.0.mlp", "train.py:5", "forward")


def test_the_first_period_counts_nowhere() -> None:
    program = FakeProgram()
    for size in (64, 8):
        program.period()
        with program.call():
            held = program.take(size)
        program.give(held)
    program.period()
    result = program.report()
    assert result.high_water == Split(temporaries=8)
    assert [moment.split.total for moment in result.curve] == [0, 8, 0]
    assert result.allocator == Allocator(8, 8 + 512, 8 + 2048, 0)


def test_of_equal_peaks_the_first_counts() -> None:
    program = FakeProgram()
    for _ in range(2):
        program.period()
        with program.call():
            program.give(program.take(8, "train.py:1"))
            program.give(program.take(8, "train.py:2"))
    program.period()
    result = program.report()
    assert result.peak.line == "train.py:1"
    assert [facts.line for facts in result.tensors["temporaries"]] == ["train.py:1"]


def test_memory_of_several_owners_has_the_name_that_the_first_gives_it() -> None:
    program = FakeProgram()
    weight = program.hold(8)
    for _ in range(2):
        program.period()
        with program.call(weight):
            pass
    program.see("parameters", weight, "fc.weight")
    program.period()
    assert [facts.name for facts in program.report().tensors["parameters"]] == ["fc.weight"]


def test_a_step_that_only_releases_peaks_as_it_begins() -> None:
    program = FakeProgram()
    older = program.hold(8)
    program.period()
    program.period()
    program.give(older)
    program.period()
    result = program.report()
    assert result.peak == Peak(8, "load", "", "", Split(other=8))
    assert result.curve == (Moment("load", Split(other=8)), Moment("load", Split()))


def test_the_high_water_is_that_of_each_category_by_itself() -> None:
    assert training().report().high_water == Split(
        **FIXED, batch_data=100, activations=304, gradients=1000, temporaries=800
    )


def test_the_curve_has_a_moment_for_each_event_of_the_step() -> None:
    curve = training().report().curve
    assert curve[0] == Moment("load", Split(**FIXED, activations=4))
    assert curve[1] == Moment("load", Split(**FIXED, activations=4, batch_data=100), "train.py:7")
    assert curve[2] == Moment(
        "forward", Split(**FIXED, activations=304, batch_data=100), "train.py:3", "fc"
    )
    assert [moment.phase for moment in curve[1:]] == [
        "load", *["forward"] * 5, *["backward"] * 6, *["optimizer"] * 2, *["load"] * 2,
    ]  # fmt: skip


def test_the_last_part_of_a_phase_makes_its_boundary() -> None:
    program = FakeProgram()
    for _ in range(2):
        program.period()
        for size in (1, 2):
            held = program.take(size)
            with program.call():
                pass
            with program.backward():
                pass
            program.give(held)
        with program.optimizer():
            pass
        program.give(program.take(64))
    program.period()
    assert program.report().boundaries["load"] == Split(batch_data=2)


def test_the_phases_are_in_the_order_of_their_last_parts() -> None:
    program = FakeProgram()
    for _ in range(2):
        program.period()
        with program.optimizer():
            with program.call():
                pass
            with program.backward():
                pass
    program.period()
    assert program.report().phases == ("load", "forward", "backward", "optimizer")


def test_inference_has_two_boundaries() -> None:
    program = FakeProgram("inference")
    for _ in range(2):
        program.period()
        batch = program.take(1)
        with program.call(batch):
            output = program.take(2)
        program.give(batch, output)
    program.period()
    result = program.report()
    assert result.boundaries == {
        "load": Split(batch_data=1),
        "forward": Split(batch_data=1, temporaries=2),
    }
    assert result.phases == ("load", "forward")


def test_the_report_repeats_what_the_step_is() -> None:
    result = training().report(modules=(Module("fc", "Bilinear"),))
    assert (result.kind, result.inputs, result.steps) == ("training", (), 10)
    assert result.layers[0].kind == "Bilinear"

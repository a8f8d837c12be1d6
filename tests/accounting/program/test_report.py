"""The figures of a whole step, of programs that are written out here."""

from __future__ import annotations

import msgspec
import pytest
from fake import FakeProgram
from vramtop.accounting.program.other import AUTOCAST, BUCKET, OLDER
from vramtop.accounting.program.report import report
from vramtop.protocol.observed.record import Mark, Module, WatchedStep
from vramtop.protocol.observed.report import (
    Allocator,
    Held,
    Layer,
    Moment,
    Peak,
    Split,
    TensorFacts,
)


def training() -> FakeProgram:
    """Two equal steps of a model of one layer, whose loss is released a step later."""
    program = FakeProgram()
    weight = program.hold(1000)
    state = program.hold(2000)
    program.hold(50)
    loss = program.hold(4)
    for _ in range(2):
        program.period()
        batch = program.take(100, "train.py:7")
        with program.call(batch):
            kept = program.take(300, "train.py:3", "fc")
            program.give(program.take(500, "train.py:3", "fc"))
        program.give(loss)
        loss = program.take(4, "train.py:9")
        with program.backward():
            program.give(program.take(800))
            gradient = program.take(1000)
            program.give(kept)
        program.give(program.take(8, "train.py:11"))
        program.see("gradients", gradient, "fc.weight", (10, 25))
        with program.optimizer():
            program.give(program.take(16, "train.py:12"))
        program.give(batch)
        program.give(gradient)
    program.see("parameters", weight, "fc.weight", (10, 25))
    program.see("optimizer_state", state, "fc.weight", (10, 25), "exp_avg")
    program.period()
    return program


FIXED = {"parameters": 1000, "optimizer_state": 2000, "other": 50}


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


# ---- the allocator ----------------------------------------------------------------------------


def test_a_consistent_record_leaves_nothing_unattributed() -> None:
    result = training().report(workspace_sizes=(50,))
    assert result.unattributed == 0
    assert result.allocator == Allocator(
        requested_peak=4454,
        allocated_peak=4154 + 512,  # as backward began and as it ended
        reserved=4154 + 2048,
        workspace=50,
    )
    assert result.high_water.other == 0


def shifted(step: WatchedStep, number: int, size: int) -> WatchedStep:
    """The same record, but the allocator had more at a mark."""
    marks = list(step.marks)
    marks[number] = Mark(marks[number].place, marks[number].kind, marks[number].requested + size)
    return msgspec.structs.replace(step, marks=tuple(marks))


@pytest.mark.parametrize("number", range(7, 15))
@pytest.mark.parametrize("size", [-3, 3])
def test_what_the_allocator_has_beyond_it_is_unattributed(number: int, size: int) -> None:
    """At the cut, at each mark within the step and at its end."""
    step = training().record()
    assert step.marks[7].place == step.cut
    assert report(shifted(step, number, size), 1).unattributed == size


def test_a_mark_of_the_first_period_leaves_nothing_unattributed() -> None:
    assert report(shifted(training().record(), 6, 5), 1).unattributed == 0


def test_without_readings_nothing_is_said_of_the_allocator() -> None:
    step = training().record()
    marks = tuple(Mark(mark.place, mark.kind) for mark in step.marks)
    result = training().report(marks=marks)
    assert result.allocator is None
    assert result.unattributed is None
    assert result.boundaries == training().report().boundaries


# ---- layers, other, tensors -------------------------------------------------------------------


def test_a_layer_has_what_its_parameters_have_and_what_it_made() -> None:
    result = training().report()
    assert result.layers == (Layer("fc", "Linear", 1000, 1000, 2000, 300),)


def test_a_layer_has_nothing_of_its_childrens() -> None:
    program = FakeProgram()
    sizes = {"scale": 1, "h.0.weight": 2, "h.0.mlp.weight": 4, "h.0.mlp.bias": 8}
    owned = {path: program.hold(size) for path, size in sizes.items()}
    for _ in range(2):
        program.period()
        with program.call():
            made = [program.take(16, "", "h.0"), program.take(32, "", ""), program.take(64)]
        with program.backward():
            program.give(*made)
    for path, address in owned.items():
        program.see("parameters", address, path)
    program.period()
    assert program.report().layers == (
        Layer("h.0", "Linear", 2, 0, 0, 16),
        Layer("", "Linear", 1, 0, 0, 32),
        Layer("h.0.mlp", "", 12, 0, 0, 0),
    )


def test_gradients_that_share_a_bucket_are_told_apart_by_their_shapes() -> None:
    program = FakeProgram()
    bucket = program.hold(100)
    program.period()
    program.period()
    program.see("gradients", bucket, "a.weight", (2, 5))
    program.see("gradients", bucket + 40, "b.weight", (10,))
    program.see("gradients", bucket + 40, "b.tied", (10,))
    program.period()
    result = program.report()
    assert [(layer.name, layer.gradients) for layer in result.layers] == [("a", 40), ("b", 40)]
    (facts,) = result.tensors["gradients"]
    assert (facts.bytes, facts.name, facts.shape) == (100, "a.weight.grad and 1 more", None)


def test_a_layer_counts_what_it_has_at_a_categorys_high_water() -> None:
    program = FakeProgram()
    for _ in range(2):
        program.period()
        with program.call():
            made = [program.take(8, "", "a"), program.take(4, "", "b")]
        with program.backward():
            program.give(*made)
        with program.call():
            later = program.take(2, "", "c")
        with program.backward():
            program.give(later)
    program.period()
    result = program.report()
    assert [(layer.name, layer.activations) for layer in result.layers] == [("a", 8), ("b", 4)]


def test_what_is_nobodys_is_listed_alike_together_and_largest_first() -> None:
    program = FakeProgram()
    for size in (8, 8, 30):
        program.hold(size)
    program.period()
    with program.call():
        for _ in range(3):
            program.take(8, "train.py:14")
        program.give(program.take(500, "train.py:14"))
    program.period()
    program.period()
    result = program.report()
    assert result.other == (
        Held(30, 1, "older than both recorded steps", ""),
        Held(24, 3, "kept since the step before", "train.py:14"),
        Held(16, 2, "older than both recorded steps", ""),
    )
    assert sum(held.bytes for held in result.other) == result.high_water.other


def test_a_bucket_of_gradients_is_known_by_its_exact_size_each_once() -> None:
    program = FakeProgram()
    for size in (700, 700, 701):
        program.hold(size)
    for _ in range(3):
        program.period()
    buckets = program.report(bucket_sizes=(700, 300)).other
    assert [(held.bytes, held.what) for held in buckets] == [
        (701, OLDER),
        (700, BUCKET),
        (700, OLDER),
    ]


def test_a_category_lists_its_largest_tensors() -> None:
    tensors = training().report().tensors
    assert tensors["parameters"] == (
        TensorFacts(1000, "fc.weight", "", "", (10, 25), "float32", None),
    )
    assert tensors["gradients"] == (
        TensorFacts(1000, "fc.weight.grad", "", "", (10, 25), "float32", "backward", "load"),
    )
    assert tensors["optimizer_state"] == (
        TensorFacts(2000, "fc.weight.exp_avg", "", "", (10, 25), "float32", None),
    )
    assert tensors["batch_data"] == (
        TensorFacts(100, "inputs[0]", "train.py:7", "", (), "float32", "load", "load"),
    )
    assert tensors["activations"] == (
        TensorFacts(300, "", "train.py:3", "fc", None, None, "forward", "backward"),
        TensorFacts(4, "", "train.py:9", "", None, None, "forward", "forward"),
    )
    assert [facts.bytes for facts in tensors["temporaries"]] == [800]
    assert [facts.bytes for facts in tensors["other"]] == [50]


def test_only_the_largest_tensors_are_listed() -> None:
    program = FakeProgram()
    for size in range(1, 21):
        program.hold(size)
    for _ in range(3):
        program.period()
    sizes = [facts.bytes for facts in program.report().tensors["other"]]
    assert sizes == list(range(20, 12, -1))


def test_the_report_repeats_what_the_step_is() -> None:
    result = training().report(modules=(Module("fc", "Bilinear"),))
    assert (result.kind, result.inputs, result.steps) == ("training", (), 10)
    assert result.layers[0].kind == "Bilinear"


def holding(*sizes: int) -> tuple[FakeProgram, list[int]]:
    """A program that holds this from before, and where it lies."""
    program = FakeProgram()
    places = [program.hold(size) for size in sizes]
    for _ in range(2):
        program.period()
        with program.call():
            program.give(program.take(500))
    program.period()
    return program, places


def test_what_the_program_names_is_listed_by_that_name_whatever_its_sizes() -> None:
    program, places = holding(8, 30, 8, 16)
    names = {places[0]: "history in train.py", places[1]: "history in train.py", places[2]: ""}
    plain, named = report(program.record(), 1), report(program.record(), 1, names)
    assert named.other == (
        Held(38, 2, "history in train.py", ""),
        Held(16, 1, OLDER, ""),
        Held(8, 1, OLDER, ""),
    )
    assert plain.unknown == tuple((places[at], (8, 30, 8, 16)[at]) for at in (1, 3, 0, 2))
    assert named.unknown == ((places[3], 16), (places[2], 8))
    assert [facts.name for facts in named.tensors["other"]] == [
        "history in train.py", "", "history in train.py", "",
    ]  # fmt: skip
    assert msgspec.structs.replace(
        named, other=plain.other, unknown=plain.unknown, tensors=plain.tensors
    ) == plain  # fmt: skip


def test_only_what_is_nobodys_is_named_by_who_holds_it() -> None:
    program = training()
    weight = program.record().blocks[0][0]
    assert program.report() == report(program.record(), 10, {weight: "ema in train.py"})


def test_copies_that_autocast_keeps_are_known_by_their_sizes_where_no_tensor_lies() -> None:
    program, places = holding(8, 8, 8, 16)
    step = program.record(autocast_sizes=(8, 8, 8, 16), tensors=(places[0],))
    assert report(step, 1).other == (Held(32, 3, AUTOCAST, ""), Held(8, 1, OLDER, ""))
    assert report(program.record(autocast_sizes=(8, 16)), 1).other == (
        Held(24, 3, OLDER, ""), Held(16, 1, OLDER, ""),
    )  # fmt: skip

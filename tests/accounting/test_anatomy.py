"""The anatomy and the tensors of a step whose log is written out here."""

from __future__ import annotations

from vramtop.accounting.anatomy import anatomy, split_of
from vramtop.accounting.records import StepLog, StorageRecord
from vramtop.accounting.tensors import tensors
from vramtop.protocol.split import Split, TensorFacts

WEIGHT = StorageRecord(1, None, None, 0, "parameters", "weight", (4,), "float32", 4)
KEPT = StorageRecord(2, "forward", "backward", 1, None, None, (2,), "float32", 4, True)
PASSING = StorageRecord(3, "forward", "forward", 1, None, None, (1,), "float32", 4)
GRADIENT = StorageRecord(4, "backward", None, 2, "gradients", "weight.grad", (3,), "float32", 4)
LOG = StepLog(
    storages=[WEIGHT, KEPT, PASSING, GRADIENT],
    start=[(0, 16)],
    phases=[
        ("load", []),
        ("forward", [(1, 8, 1), (2, 4, 1), (2, -4, 1)]),
        ("backward", [(3, 16, 2), (1, -8, 2)]),
    ],
    operators=["", "aten.addmm", "aten.mm"],
    loss=(1, 2),
)


def test_allocations_of_one_operator_are_one_moment_and_its_releases_another() -> None:
    step = anatomy(LOG)
    assert [moment.split for moment in step.curve] == [
        Split(parameters=16),
        Split(parameters=16, activations=8, temporaries=4),
        Split(parameters=16, activations=8),
        Split(parameters=16, activations=8, gradients=16),
        Split(parameters=16, gradients=16),
    ]
    assert [step.operators[moment.operator] for moment in step.curve] == [
        "", "aten.addmm", "", "aten.mm", "",
    ]  # fmt: skip


def test_the_peak_the_high_water_and_the_boundaries_follow_from_the_curve() -> None:
    step = anatomy(LOG)
    assert (step.peak.bytes, step.peak.phase, step.peak.operator) == (40, "backward", "aten.mm")
    assert step.high_water == Split(16, 16, 0, 0, 8, 4)
    assert step.boundaries == {
        "load": Split(parameters=16),
        "forward": Split(parameters=16, activations=8),
        "backward": Split(parameters=16, gradients=16),
    }
    assert step.loss == 2


def test_a_category_lists_its_tensors_at_its_high_water_mark() -> None:
    found = tensors(LOG, anatomy(LOG))
    (kept,) = found["activations"].largest
    assert kept == TensorFacts(
        8, operator="aten.addmm", shape=(2,), dtype="float32", born="forward", gone="backward"
    )
    (gradient,) = found["gradients"].largest
    assert (gradient.name, gradient.view) == ("weight.grad", True)  # 3 floats of 16 bytes
    assert not found["optimizer_state"].largest


def test_bytes_without_an_owner_are_activations_where_they_survived_forward() -> None:
    held = [("parameters", False, 16), (None, True, 8), (None, True, 1), (None, False, 4)]
    assert split_of(held) == Split(parameters=16, activations=9, temporaries=4)

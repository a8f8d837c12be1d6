"""A recording keeps no tensor alive, survives errors, and leaves out what allocates nothing."""

import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import torch
from programs import (
    CPU,
    INPUTS,
    LOSS,
    OUTPUTS,
    WEIGHT,
    linear,
    settled,
    step,
)
from torch import Tensor, nn
from torch.utils._python_dispatch import _get_current_dispatch_mode
from torch.utils.checkpoint import checkpoint
from vramtop.protocol.split import Anatomy, Split
from vramtop.trainer.training.ledger import Ledger, RecordedStep


def recorded() -> tuple[RecordedStep, list[weakref.ref[Any]]]:
    """A step whose model goes out of scope, and weak references to all its tensors."""
    model = linear()
    optimizer = torch.optim.Adam(model.parameters())
    batch = torch.zeros(2, 8)
    with Ledger(CPU, [model], [optimizer]).record() as recording:
        recording.batch(batch)
        recording.begin("forward")
        output = model(batch)
        recording.begin("backward")
        output.sum().backward()
        recording.begin("optimizer")
        optimizer.step()
    tensors = [batch, output, model.weight, model.weight.grad]
    tensors += [value for state in optimizer.state.values() for value in state.values()]
    storages = [tensor.untyped_storage() for tensor in tensors if tensor is not None]
    return recording, [weakref.ref(value) for value in [*tensors, *storages]]


def test_a_recording_keeps_no_tensor_alive() -> None:
    recording, references = recorded()
    gc.collect()  # modules and optimizers are in reference cycles
    assert [reference() for reference in references] == [None] * len(references)
    assert recording.anatomy().boundaries["optimizer"].gradients == WEIGHT
    assert recording.split().gradients == WEIGHT


def test_tensors_are_released_within_the_step_as_without_the_ledger() -> None:
    with Ledger(CPU, [], []).record() as recording:
        kept = torch.zeros(8)
        reference = weakref.ref(kept)
        assert recording.split() == Split(temporaries=32)
        del kept
        assert reference() is None
        assert recording.split() == Split()


def test_an_error_within_the_step_leaves_the_recording_off_and_its_split_readable() -> None:
    model = linear()
    before = _get_current_dispatch_mode()
    recording = Ledger(CPU, [model], []).record()

    def fail() -> None:
        batch = torch.zeros(2, 8)
        with recording:
            recording.batch(batch)
            recording.begin("forward")
            output = model(batch)
            assert output.shape == (2, 4)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()

    assert _get_current_dispatch_mode() is before
    held = Split(parameters=WEIGHT, batch_data=INPUTS, activations=OUTPUTS)
    assert recording.split() == held
    assert recording.anatomy().boundaries == {
        "load": Split(parameters=WEIGHT, batch_data=INPUTS),
        "forward": held,
    }


def test_an_operator_that_fails_leaves_the_split_of_that_moment() -> None:
    recording = Ledger(CPU, [], []).record()

    def fail() -> None:
        with recording:
            recording.begin("forward")
            one = torch.zeros(8)
            torch.mm(one, one)

    with pytest.raises(RuntimeError, match="matrix"):
        fail()
    assert recording.split() == Split(activations=32)


def test_a_second_step_may_be_recorded_after_one_that_failed() -> None:
    model = linear()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    ledger = Ledger(CPU, [model], [optimizer])
    with pytest.raises(ZeroDivisionError), ledger.record():
        raise ZeroDivisionError
    anatomy = step(ledger, optimizer, torch.zeros(2, 8), lambda batch: model(batch).sum())
    assert anatomy.boundaries["backward"].gradients == WEIGHT


def test_of_two_equal_maxima_the_first_is_the_peak() -> None:
    with Ledger(CPU, [], []).record() as recording:
        recording.begin("forward")
        first = torch.zeros(8)
        del first
        recording.begin("backward")
        second = torch.ones(8)
        del second
    peak = recording.anatomy().peak
    assert (peak.bytes, peak.phase, peak.operator) == (32, "forward", "aten.zeros.default")


def test_a_tensor_made_in_load_that_is_no_batch_is_temporary() -> None:
    with Ledger(CPU, [], []).record() as recording:
        mask = torch.zeros(8)
        recording.begin("forward")
        kept = mask + 1
        recording.begin("backward")
    assert (mask.nbytes, kept.nbytes) == (32, 32)
    assert recording.anatomy().boundaries["forward"] == Split(activations=32, temporaries=32)


# ---- what does not count --------------------------------------------------------------------


def test_views_and_operators_in_place_allocate_nothing() -> None:
    with Ledger(CPU, [], []).record() as recording:
        tensor = torch.zeros(8)
        tensor.view(2, 4).t().add_(1)
        tensor[2:4].zero_()
    assert recording.anatomy().peak.bytes == 32


def test_tensors_on_another_device_do_not_count() -> None:
    with Ledger(CPU, [], []).record() as recording:
        elsewhere = torch.zeros(8, device="meta") + 1
    assert elsewhere.device.type == "meta"
    assert recording.anatomy().peak.bytes == 0


def test_recomputed_activations_are_given_back_after_forward() -> None:
    """With checkpointing, forward releases its activations and backward recomputes them."""
    layers = nn.Sequential(nn.Linear(8, 8, bias=False), nn.Tanh(), nn.Tanh())
    optimizer = torch.optim.SGD(layers.parameters(), lr=0.1)

    def loss_of(batch: Tensor) -> Tensor:
        result: Tensor = checkpoint(layers, batch, use_reentrant=False)
        return result.sum()

    batch = torch.zeros(2, 8)
    plain = settled(layers, optimizer, batch)
    anatomy = settled(layers, optimizer, batch, loss_of)
    assert plain.boundaries["forward"].activations == 2 * INPUTS + LOSS
    assert anatomy.boundaries["forward"].activations == LOSS
    assert anatomy.boundaries["backward"] == plain.boundaries["backward"]


def anatomy_of_forward(compute: Callable[[RecordedStep], object]) -> Anatomy:
    with Ledger(CPU, [], []).record() as recording:
        recording.begin("forward")
        kept = compute(recording)
        recording.begin("backward")
        more = torch.ones(7)
    del kept, more
    return recording.anatomy()


def test_the_first_moment_of_the_loss_is_marked():
    def compute(recording: RecordedStep) -> object:
        output = torch.ones(3)
        recording.loss()
        return output, output + 1

    anatomy = anatomy_of_forward(compute)
    assert [moment.split.total for moment in anatomy.curve[:4]] == [0, 12, 24, 52]
    assert anatomy.loss == 2


def test_a_loss_that_allocates_nothing_is_not_marked():
    def compute(recording: RecordedStep) -> object:
        output = torch.ones(3)
        recording.loss()
        return output

    assert anatomy_of_forward(compute).loss is None


def test_a_step_that_does_not_mark_its_loss_has_none():
    assert anatomy_of_forward(lambda _: torch.ones(3)).loss is None

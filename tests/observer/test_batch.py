"""The batch of a step, and tensors that are older than the step."""

from collections import UserDict
from dataclasses import dataclass

import pytest
import torch
from programs import CPU, FLOAT, LONG, MLP_BYTES, anatomy_of, mlp, sgd
from torch import nn
from vramtop.protocol.split import Split
from vramtop.trainer.training.ledger import Ledger


@pytest.mark.parametrize(
    "pack",
    [
        lambda one, two: (one, two),
        lambda one, two: {"inputs": one, "more": {"targets": [two]}},
        lambda one, two: [(one, 3, None), "names", two],
    ],
)
@pytest.mark.parametrize("made", ["before the step", "within"])
def test_a_batch_may_be_tensors_in_any_nesting(pack, made):
    before = (torch.ones(4, 8), torch.ones(4, dtype=torch.int64))
    with Ledger(CPU, [], []).record() as recording:
        recording.begin("load")
        tensors = before if made == "before the step" else [each.clone() for each in before]
        recording.batch(pack(*tensors))
        recording.begin("forward")
    batch = Split(batch_data=FLOAT * 4 * 8 + LONG * 4)
    anatomy = recording.anatomy()
    assert anatomy.boundaries["load"] == anatomy.high_water == batch
    assert anatomy.curve[0].split == Split()
    assert {moment.phase for moment in anatomy.curve} == {"load"}


@dataclass
class Pair:
    inputs: torch.Tensor
    targets: torch.Tensor


class Named(UserDict):
    """A mapping that is no dict."""


class Rows(list):
    """A subclass of list."""


@pytest.mark.parametrize(
    "pack",
    [
        Pair,
        lambda one, two: Named(inputs=one, targets=two),
        lambda one, two: Rows([one, Rows([two])]),
        lambda one, two: {one, two},
    ],
)
def test_a_batch_may_be_any_collection_that_python_knows(pack):
    batch = pack(torch.ones(4, 8), torch.ones(4, dtype=torch.int64))
    with Ledger(CPU, [], []).record() as recording:
        recording.batch(batch)
    assert recording.split() == Split(batch_data=FLOAT * 4 * 8 + LONG * 4)


def test_a_batch_without_a_tensor_is_refused():
    with pytest.raises(TypeError, match="batch of str, int"), Ledger(CPU, [], []).record() as it:
        it.batch("digits", 4)


def test_a_dataset_on_the_device_counts_from_the_start_when_the_batch_is_a_view_of_it():
    dataset = torch.ones(100, 8)
    model = mlp()
    anatomy = anatomy_of(model, sgd(model), lambda: dataset[20:24])
    assert anatomy.curve[0].split == Split(parameters=MLP_BYTES, batch_data=FLOAT * 800)
    assert anatomy.boundaries["zero_grad"].batch_data == FLOAT * 800
    assert all(moment.split.batch_data == FLOAT * 800 for moment in anatomy.curve)


@pytest.mark.parametrize(
    "use",
    [
        lambda held: held.view(5, 2),
        lambda held: held.add_(1),
        lambda held: torch.add(torch.ones(10), 1, out=held),
        lambda held: torch.split(held, 5),
    ],
)
def test_an_older_tensor_counts_from_the_start_once_an_operator_uses_it(use):
    held = torch.ones(10)
    with Ledger(CPU, [], []).record() as recording:
        recording.begin("forward")
        kept = use(held)
    anatomy = recording.anatomy()
    assert anatomy.curve[0].split == anatomy.boundaries["forward"] == Split(temporaries=FLOAT * 10)
    del kept


def test_a_tensor_made_from_numbers_is_born_within_the_step():
    with Ledger(CPU, [], []).record() as recording:
        numbers = torch.tensor([1.0, 2.0])
    anatomy = recording.anatomy()
    assert anatomy.curve[0].split.total == 0
    assert anatomy.boundaries["load"].total == numbers.nbytes


def test_a_storage_that_replaces_a_tensors_own_counts_from_that_moment():
    with Ledger(CPU, [], []).record() as recording:
        recording.begin("forward")
        tensor = torch.empty(0).set_(torch.UntypedStorage(400))
    anatomy = recording.anatomy()
    assert (anatomy.curve[0].split.total, anatomy.peak.bytes) == (0, 400)
    assert tensor.nbytes == 400


def test_sparse_gradients_that_add_up_are_no_older_than_the_step():
    model = nn.Embedding(1000, 64, sparse=True)
    indices = torch.arange(500)
    with Ledger(CPU, [model], []).record() as recording:
        for _ in range(2):
            recording.begin("load")
            recording.batch(indices)
            recording.begin("forward")
            loss = model(indices).sum()
            recording.begin("backward")
            loss.backward()
    assert recording.anatomy().curve[0].split == Split(parameters=FLOAT * 64_000)
    assert recording.anatomy().boundaries["load"].batch_data == LONG * 500

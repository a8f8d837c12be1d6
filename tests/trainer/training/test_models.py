"""The lesson's two MLPs."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from vramtop.protocol.lesson.formula import mlp_parameters
from vramtop.protocol.lesson.settings import OPTIMIZERS, OptimizerName
from vramtop.trainer.data.batches import Batches, in_order
from vramtop.trainer.data.datasets import Dataset
from vramtop.trainer.training import models, optimizers

MNIST, CIFAR10 = (1, 28, 28), (3, 32, 32)


def parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize(("shape", "expected"), [(MNIST, 101_770), (CIFAR10, 394_634)])
def test_the_models_have_the_lessons_parameters(shape: tuple[int, int, int], expected: int) -> None:
    assert parameters(models.build(shape, hidden=128, seed=42)) == expected


@pytest.mark.parametrize("hidden", [1, 7, 1000])
def test_the_formula_counts_the_parameters_of_any_width(hidden: int) -> None:
    assert parameters(models.build(MNIST, hidden, seed=0)) == mlp_parameters(784, hidden)


def test_the_model_has_the_lessons_parameters_for_the_same_seed() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(42)
        lesson = nn.Sequential(
            nn.Flatten(), nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10)
        ).state_dict()
    built = models.build(MNIST, 128, seed=42).state_dict()
    assert built.keys() == lesson.keys()
    assert all(torch.equal(built[name], lesson[name]) for name in lesson)


def test_another_seed_gives_other_parameters() -> None:
    one, other = (models.build(MNIST, 8, seed) for seed in (0, 1))
    assert not torch.equal(next(one.parameters()), next(other.parameters()))


def test_building_leaves_the_random_state_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "manual_seed_all", lambda _: pytest.fail("seeds every GPU"))
    before = torch.get_rng_state()
    models.build(MNIST, 8, seed=5)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("shape", [MNIST, CIFAR10])
def test_a_batch_becomes_ten_logits_an_image(shape: tuple[int, int, int]) -> None:
    assert models.build(shape, 16, seed=0)(torch.zeros(5, *shape)).shape == (5, 10)


def test_the_layer_table_reads_like_the_lesson() -> None:
    rows = models.layer_table(models.build(MNIST, 128, seed=0), MNIST)
    assert [(row.name, row.output_shape, row.parameters, row.bytes) for row in rows] == [
        ("Flatten", (784,), 0, 0),
        ("Linear 784 → 128", (128,), 100_480, 401_920),
        ("ReLU", (128,), 0, 0),
        ("Linear 128 → 10", (10,), 1_290, 5_160),
    ]


@pytest.mark.parametrize(("shape", "weights"), [(MNIST, 100_352), (CIFAR10, 393_216)])
def test_the_layer_table_separates_weights_and_biases(
    shape: tuple[int, int, int], weights: int
) -> None:
    rows = models.layer_table(models.build(shape, 128, seed=0), shape)
    assert [(row.kind, row.weights, row.biases) for row in rows] == [
        ("Flatten", 0, 0),
        ("Linear", weights, 128),
        ("ReLU", 0, 0),
        ("Linear", 1_280, 10),
    ]
    assert all(row.parameters == row.weights + row.biases for row in rows)


def test_the_layer_table_adds_up_to_the_models_parameters() -> None:
    rows = models.layer_table(models.build(CIFAR10, 128, seed=0), CIFAR10)
    assert sum(row.parameters for row in rows) == 394_634
    assert sum(row.bytes for row in rows) == 1_578_536


def test_the_layer_table_shows_the_shapes_that_really_come_out() -> None:
    model = models.build(CIFAR10, 32, seed=0)
    value = torch.zeros(1, *CIFAR10)
    for layer, row in zip(model, models.layer_table(model, CIFAR10), strict=True):
        value = layer(value)
        assert row.output_shape == tuple(value.shape[1:])


@pytest.mark.parametrize(
    ("name", "kind", "floats"),
    [
        ("sgd", torch.optim.SGD, 0),
        ("momentum", torch.optim.SGD, 1),
        ("adam", torch.optim.Adam, 2),
        ("adamw", torch.optim.AdamW, 2),
    ],
)
def test_optimizers_keep_the_lessons_floats_for_every_parameter(
    name: OptimizerName, kind: type[torch.optim.Optimizer], floats: int
) -> None:
    model = models.build(MNIST, 4, seed=0)
    optimizer = optimizers.build(name, model.parameters(), rate=0.1)
    model(torch.rand(2, *MNIST)).sum().backward()
    optimizer.step()
    kept = [
        value.numel()
        for state in optimizer.state.values()
        for value in state.values()
        if isinstance(value, torch.Tensor) and value.dim() > 0
    ]
    assert isinstance(optimizer, kind)
    assert sum(kept) == floats * parameters(model)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers_have_pytorchs_defaults_but_for_rate_and_momentum(name: OptimizerName) -> None:
    model = models.build(MNIST, 4, seed=0)
    optimizer = optimizers.build(name, model.parameters(), rate=0.25)
    usual = type(optimizer)(model.parameters()).defaults  # type: ignore[call-arg]
    changed = {key for key, value in optimizer.defaults.items() if value != usual[key]}
    assert optimizer.defaults["lr"] == 0.25
    assert changed == ({"lr", "momentum"} if name == "momentum" else {"lr"})
    assert optimizer.defaults.get("momentum", 0) == (0.9 if name == "momentum" else 0)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers_update_as_pytorchs_own_to_the_bit(name: OptimizerName) -> None:
    ours, theirs = (models.build(MNIST, 4, seed=0) for _ in range(2))
    optimizer = optimizers.build(name, ours.parameters(), rate=0.1)
    momentum = {"momentum": 0.9} if name == "momentum" else {}
    usual = type(optimizer).__bases__[0](theirs.parameters(), lr=0.1, **momentum)
    assert type(usual).__module__.startswith("torch.optim.")
    for seed in range(5):
        inputs = torch.rand(2, *MNIST, generator=torch.Generator().manual_seed(seed))
        for model, each in ((ours, optimizer), (theirs, usual)):
            model(inputs).square().sum().backward()
            each.step()
            each.zero_grad()
    for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(one, other)
        assert one.grad is other.grad is None


def test_the_drawings_can_be_learned(synthetic: Dataset) -> None:
    """After a hundred steps accuracy is well above one in ten, and not perfect."""
    model = models.build(synthetic.data.shape, 128, seed=42)
    optimizer = optimizers.build("adam", model.parameters(), 1e-3)
    batches = Batches(synthetic, seed=42)
    for _ in range(100):
        batch = batches.next(128)
        nn.functional.cross_entropy(model(batch.inputs), batch.targets).backward()
        optimizer.step()
        optimizer.zero_grad()
    with torch.no_grad():
        batch = next(in_order(synthetic, synthetic.test, 2_000))
        share = (model(batch.inputs).argmax(1) == batch.targets).float().mean().item()
    assert 0.35 < share < 0.99

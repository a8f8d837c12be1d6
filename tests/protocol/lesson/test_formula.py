"""The lesson's closed forms, against the lesson's own figures."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vramtop.protocol.lesson.formula import lesson, mlp_parameters
from vramtop.protocol.lesson.settings import OPTIMIZERS, OptimizerName

OPTIMIZER = st.sampled_from(OPTIMIZERS)
SIZE = st.integers(1, 10**6)


@pytest.mark.parametrize(("pixels", "parameters"), [(784, 101_770), (3072, 394_634)])
def test_the_parameters_are_the_lessons(pixels: int, parameters: int) -> None:
    assert mlp_parameters(pixels, 128) == parameters


@pytest.mark.parametrize(
    ("optimizer", "state"),
    [("sgd", 0), ("momentum", 407_080), ("adam", 814_160), ("adamw", 814_160)],
)
def test_mnist_at_64_takes_the_lessons_bytes(optimizer: OptimizerName, state: int) -> None:
    figures = lesson(pixels=784, hidden=128, batch_size=64, optimizer=optimizer)
    assert figures.parameters == figures.gradients == 407_080
    assert figures.optimizer_state == state
    assert figures.batch_data == 200_704
    assert figures.activations == 32_768
    assert figures.total == 2 * 407_080 + state + 200_704 + 32_768


def test_cifar10_at_256_takes_the_lessons_bytes() -> None:
    figures = lesson(pixels=3072, hidden=128, batch_size=256, optimizer="adam")
    assert figures.parameters == figures.gradients == 1_578_536
    assert figures.optimizer_state == 3_157_072
    assert figures.batch_data == 3_145_728
    assert figures.activations == 131_072
    assert figures.total == 9_590_944


@given(SIZE, OPTIMIZER)
def test_only_the_batch_and_the_activations_grow_with_the_batch_size(
    batch_size: int, optimizer: OptimizerName
) -> None:
    one = lesson(pixels=784, hidden=128, batch_size=1, optimizer=optimizer)
    many = lesson(pixels=784, hidden=128, batch_size=batch_size, optimizer=optimizer)
    assert many.batch_data == batch_size * one.batch_data
    assert many.activations == batch_size * one.activations
    assert (many.parameters, many.gradients, many.optimizer_state) == (
        one.parameters,
        one.gradients,
        one.optimizer_state,
    )


@given(st.integers(1, 65_536), SIZE)
def test_adam_keeps_two_floats_for_every_parameter(hidden: int, batch_size: int) -> None:
    figures = {
        name: lesson(pixels=784, hidden=hidden, batch_size=batch_size, optimizer=name)
        for name in OPTIMIZERS
    }
    parameters = figures["sgd"].parameters
    assert figures["momentum"].total - figures["sgd"].total == parameters
    assert figures["adam"].total - figures["sgd"].total == 2 * parameters
    assert figures["adamw"] == figures["adam"]

"""Modules and optimizers are found, and what they own has one name each."""

from __future__ import annotations

import torch
from torch import nn
from vramtop.observer.program.owners import Owners


def _of(*found: nn.Module | torch.optim.Optimizer) -> Owners:
    owners = Owners()
    for each in found:
        if isinstance(each, nn.Module):
            owners.add_module(each)
        else:
            owners.add_optimizer(each)
    return owners


def test_what_a_search_finds_is_the_outermost() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.LazyLinear(3))
    optimizer = torch.optim.SGD(model[0].parameters(), 0.1)
    owners = Owners()
    owners.search()
    paths = owners.module_paths()
    assert paths[id(model[0])][0].endswith("0")
    assert paths[id(model)][1] == "Sequential"
    assert optimizer in owners.optimizers()


def test_a_tensor_that_two_modules_share_is_named_once() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    model[1].weight = model[0].weight
    assert [each.path for each in _of(model).parameters()] == ["0.weight", "0.bias", "1.bias"]


def test_frozen_parameters_and_buffers_are_not_trained() -> None:
    model = nn.BatchNorm1d(2)
    model.weight.requires_grad_(False)
    facts = {each.path: (each.trained, each.buffer) for each in _of(model).parameters()}
    assert facts["weight"] == (False, False)
    assert facts["bias"] == (True, False)
    assert facts["running_mean"] == (False, True)


def test_several_roots_are_distinguished() -> None:
    models = [nn.Linear(2, 2), nn.Linear(2, 2), nn.Conv1d(1, 1, 1)]
    owners = _of(*models)
    weights = [each.path for each in owners.parameters() if each.path.endswith("weight")]
    assert weights == ["Linear.weight", "Linear 2.weight", "Conv1d.weight"]


def test_parameters_that_only_an_optimizer_knows_are_named_by_it() -> None:
    alone = nn.Parameter(torch.zeros(2))
    optimizer = torch.optim.Adam([alone])
    (owned,) = _of(optimizer).parameters()
    assert owned.path == "parameter 0 of Adam"
    assert owned.tensor is alone


def test_a_compiled_module_has_the_names_of_the_module() -> None:
    model = nn.Sequential(nn.Linear(2, 2))
    compiled = torch.compile(model, backend="eager")
    owners = _of(compiled, model)
    assert [each.path for each in owners.parameters()] == ["0.weight", "0.bias"]
    assert owners.module_paths()[id(compiled)] == ("", "Sequential")
    assert owners.outside_compiled() == [compiled]


def test_a_model_that_is_gone_is_not_taken_for_one_at_its_place() -> None:
    owners = Owners()
    for _ in range(20):
        model = nn.Linear(2, 2)
        owners.add_module(model)
        assert [each.tensor for each in owners.parameters()] == [model.weight, model.bias]
        del model


def test_methods_that_a_program_has_replaced_are_not_called() -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Linear(2, 2)

        def named_parameters(self, *_: object, **__: object) -> None:  # type: ignore[override]
            raise LookupError

        named_modules = children = modules = buffers = named_buffers = named_parameters  # type: ignore[assignment]

    model = Odd()
    owners = _of(model)
    owners.search()
    assert "inner.weight" in [each.path for each in _of(model).parameters()]


def test_modules_that_hold_each_other_have_the_names_of_the_first() -> None:
    teacher, student = nn.Linear(2, 2), nn.Linear(2, 2)
    owners = _of(teacher, student)
    teacher.student, student.teacher = student, teacher
    assert owners.module_paths()[id(student)] == ("student", "Linear")
    assert {each.path for each in owners.parameters()} == {
        "weight", "bias", "student.weight", "student.bias",
    }  # fmt: skip

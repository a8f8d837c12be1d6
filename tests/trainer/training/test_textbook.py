"""What a training with PyTorch's own optimizers holds is what the textbook says."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from vramtop.accounting.textbook import Dtype, Model, terms
from vramtop.protocol.lesson.settings import OptimizerName

OPTIMIZERS = {
    "sgd": lambda parameters: torch.optim.SGD(parameters, lr=0.1),
    "momentum": lambda parameters: torch.optim.SGD(parameters, lr=0.1, momentum=0.9),
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
}


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("frozen", [False, True])
def test_its_bytes_are_those_of_the_formula(
    dtype: Dtype, optimizer: OptimizerName, *, frozen: bool
) -> None:
    base, added = (nn.Linear(30, 10, dtype=getattr(torch, dtype)) for _ in range(2))
    base.requires_grad_(not frozen)
    trained = [each for each in (*base.parameters(), *added.parameters()) if each.requires_grad]
    update = OPTIMIZERS[optimizer](trained)  # type: ignore[no-untyped-call]
    (base(torch.ones(2, 30, dtype=base.weight.dtype)).sum() + added.weight.sum()).backward()
    for each in trained:
        each.grad = torch.ones_like(each) if each.grad is None else each.grad
    update.step()
    state = sum(
        value.nbytes
        for values in update.state.values()
        for name, value in values.items()
        if torch.is_tensor(value) and name != "step"  # 4 B a tensor, which no textbook counts
    )
    count = sum(each.numel() for each in base.parameters())
    model = Model(count, dtype, adapters=count) if frozen else Model(2 * count, dtype)
    held = {term.name: term.bytes for term in terms(model, optimizer)}
    assert held["parameters"] + held.get("adapters", 0) == sum(
        each.nbytes for each in (*base.parameters(), *added.parameters())
    )
    assert held["gradients"] == sum(each.grad.nbytes for each in trained if each.grad is not None)
    assert held["optimizer state"] == state

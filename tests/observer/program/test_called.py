"""What the calls of modules tell: which run in backward again, and which return one tensor."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from vramtop.observer.program.called import is_one_tensor
from watched import watched

pytestmark = pytest.mark.usefixtures("nothing_else_there", "nothing_is_left")
ONE = torch.zeros(2)


class Split(nn.Module):
    """Returns two tensors."""

    def forward(self, values: Tensor) -> tuple[Tensor, Tensor]:
        return values.exp(), values.sin()


class Sometimes(nn.Module):
    """Returns one tensor, but two where it is called with another width."""

    def forward(self, values: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        return values.exp() if values.shape[-1] == 8 else (values.exp(), values)


class Network(nn.Module):
    def __init__(self, *, checkpointed: bool) -> None:
        super().__init__()
        self.block = nn.Sequential(nn.Linear(8, 8), nn.Tanh())
        self.split, self.sometimes = Split(), Sometimes()
        self.checkpointed = checkpointed

    def forward(self, values: Tensor) -> Tensor:
        if self.checkpointed:
            values = checkpoint(self.block, values, use_reentrant=False)
        else:
            values = self.block(values)
        one, other = self.split(values)
        wide, _ = self.sometimes(torch.cat((one, other), -1))
        return self.sometimes(one) + wide[..., :8]


def _step(*, checkpointed: bool) -> tuple[dict[str, Any], dict[str, int]]:
    """A watched step, and the numbers of its modules by path."""
    model = Network(checkpointed=checkpointed)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def step() -> None:
        optimizer.zero_grad()
        model(torch.ones(3, 8)).sum().backward()
        optimizer.step()

    with watched() as seen:
        seen.until("watched_step", step)
    message: Any = seen.of("watched_step")[0]
    return message, {path: number for number, (path, _) in enumerate(message["modules"])}


def test_those_that_backward_runs_again_are_told() -> None:
    message, number = _step(checkpointed=True)
    # Of an activation function that is the last, only the input is needed again.
    assert {number["block"], number["block.0"]} <= {*message["recomputed"]}
    assert not {number["split"], number["sometimes"], number[""]} & {*message["recomputed"]}


def test_without_checkpointing_none_runs_again() -> None:
    assert _step(checkpointed=False)[0]["recomputed"] == []


def test_those_of_which_each_call_returns_one_tensor_are_told() -> None:
    message, number = _step(checkpointed=False)
    single = {number["block"], number["block.0"], number["block.1"], number[""]}
    assert {*message["single"]} == single


@pytest.mark.parametrize(
    ("returned", "one"),
    [
        (ONE, True),
        ((ONE,), True),
        ((ONE, None), True),
        ((ONE, ONE), False),
        ((ONE, (ONE,)), False),
        ((), False),
        (None, False),
        ([ONE], False),
        ({"logits": ONE}, False),
    ],
)
def test_a_tensor_is_one_alone_or_in_a_tuple_with_none(returned: object, one: bool) -> None:
    assert is_one_tensor(returned) is one

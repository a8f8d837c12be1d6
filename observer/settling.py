"""Waits until autograd has let go of what it held.

PyTorch runs the backward pass of a CUDA device on a thread of its own. That thread lets go of the
last references to a step's tensors only after `backward` has returned or raised.
"""

from __future__ import annotations

from contextlib import suppress
from functools import cache

import torch
from torch import Tensor

from .private import without_dispatch_modes


def prepare(device: torch.device) -> None:
    """Make what `settle` needs; to be called before the first step.

    Of all operators that wait, autograd's thread takes the one that was made last. So the operator
    of `settle` must be older than those of any step.
    """
    _graph(device)


def settle(device: torch.device) -> None:
    """Wait until autograd's thread for this CUDA device holds nothing of what it ran before.

    It runs a backward pass of no bytes, whose turn comes after that. No memory is needed. A device
    that has failed raises nothing here, but at the program's next operator.
    """
    leaf, result = _graph(device)
    # This operator is not the program's, so no dispatch mode is to see it.
    with (
        suppress(RuntimeError),
        without_dispatch_modes(),
        torch.inference_mode(False),
        torch.enable_grad(),
    ):
        torch.autograd.grad(result, leaf, torch.empty_like(result), retain_graph=True)


@cache
def _graph(device: torch.device) -> tuple[Tensor, Tensor]:
    """A parameter without elements, and an operator's result from it."""
    with without_dispatch_modes(), torch.inference_mode(False), torch.enable_grad():
        leaf = torch.empty(0, device=device, requires_grad=True)
        return leaf, leaf.view(0)

"""Waits until autograd has dropped its references to a step's tensors.

PyTorch runs the backward pass of a CUDA device on a thread of its own. That thread drops the last
references to a step's tensors only after `backward` has returned or raised.
"""

from __future__ import annotations

from contextlib import suppress
from functools import cache

import torch
from torch import Tensor

from .private import without_dispatch_modes


def prepare(device: torch.device) -> None:
    """Make the graph that `settle` needs. To be called before the first step.

    Of all operators that wait, autograd's thread takes the newest first. So the operator of
    `settle` must be older than those of any step.
    """
    _graph(device)


def settle(device: torch.device) -> None:
    """Wait until autograd's thread for this CUDA device holds no tensor of an earlier pass.

    This runs a backward pass over an empty tensor, which comes after the earlier ones and needs no
    memory. If the device has failed, nothing is raised here; the program's next operator raises.
    """
    leaf, result = _graph(device)
    # This operator is not the program's, so it is hidden from dispatch modes.
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

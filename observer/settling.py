"""Waits until autograd has let go of what it held.

PyTorch runs the backward pass of a CUDA device on a thread of its own. That thread lets go of the
last references to a step's tensors only after `backward` has returned or raised.
"""

from __future__ import annotations

from contextlib import suppress
from functools import cache

import torch
from torch import Tensor
from torch.utils._python_dispatch import _disable_current_modes


def prepare(device: torch.device) -> None:
    """Make what `settle` needs: before the first step, so that all steps come before it.

    Autograd's thread takes the latest operator first of all that wait.
    """
    _graph(device)


def settle(device: torch.device) -> None:
    """Wait until autograd's thread for this CUDA device holds nothing of what it ran before.

    It runs a backward pass of no bytes, which comes to its turn after that. No memory is needed. A
    device that has failed raises nothing here, but at the next operator of the training.
    """
    leaf, result = _graph(device)
    # Whoever watches the operators of a step has no part in this one.
    with (
        suppress(RuntimeError),
        _disable_current_modes(),
        torch.inference_mode(False),
        torch.enable_grad(),
    ):
        torch.autograd.grad(result, leaf, torch.empty_like(result), retain_graph=True)


@cache
def _graph(device: torch.device) -> tuple[Tensor, Tensor]:
    """A parameter without elements, and an operator's result from it."""
    with _disable_current_modes(), torch.inference_mode(False), torch.enable_grad():
        leaf = torch.empty(0, device=device, requires_grad=True)
        return leaf, leaf.view(0)

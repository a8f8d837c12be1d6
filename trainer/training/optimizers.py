"""The lesson's optimizers: PyTorch's own, called without its compiler.

PyTorch wraps an optimizer's methods so that its compiler leaves them alone. The wrappers import the
compiler at the first call, which takes half as long as importing PyTorch. The lesson compiles
nothing, so its optimizers have the same methods without these wrappers.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import TypeVar

import torch
from torch import nn
from vramtop.protocol.lesson.settings import OptimizerName

MOMENTUM = 0.9
_WRAPPED = ("add_param_group", "zero_grad", "state_dict", "load_state_dict")
Kind = TypeVar("Kind", bound=torch.optim.Optimizer)


def _uncompiled(kind: type[Kind]) -> type[Kind]:
    """A class like this one, with the methods as they were written."""
    methods = {name: inspect.unwrap(getattr(kind, name)) for name in _WRAPPED}
    # The wrapper of `step` also disables gradients.
    methods["step"] = torch.no_grad()(inspect.unwrap(kind.step))
    made: type[Kind] = type(kind.__name__, (kind,), methods)
    return made


SGD = _uncompiled(torch.optim.SGD)
Adam = _uncompiled(torch.optim.Adam)
AdamW = _uncompiled(torch.optim.AdamW)


def build(
    name: OptimizerName, parameters: Iterable[nn.Parameter], rate: float
) -> torch.optim.Optimizer:
    """The optimizer of that name with PyTorch's defaults; momentum is SGD with 0.9."""
    match name:
        case "sgd":
            return SGD(parameters, lr=rate)
        case "momentum":
            return SGD(parameters, lr=rate, momentum=MOMENTUM)
        case "adam":
            return Adam(parameters, lr=rate)
        case "adamw":
            return AdamW(parameters, lr=rate)

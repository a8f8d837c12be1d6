"""Which recorder sees what a program allocates."""

from __future__ import annotations

import torch

from ..accounts import unaccounted
from ..private_cuda import cuda_started
from .numbers import Numbers
from .operator_recorder import OperatorRecorder
from .recorder import CannotRecord, Recorder
from .trace_recorder import TraceRecorder, gpus_in_use


def fitting_recorder(numbers: Numbers) -> Recorder:
    """That of the GPUs if the program has memory on any, else that of the CPU.

    Optimizers start CUDA even where all tensors are the CPU's. Raises `CannotRecord`.
    """
    if cuda_started():
        if (reason := unaccounted(torch.device("cuda"))) is not None:
            raise CannotRecord(reason)
        if gpus := gpus_in_use():
            return TraceRecorder(gpus)
    return OperatorRecorder(torch.device("cpu"), numbers)

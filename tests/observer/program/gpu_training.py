"""A training on simulated GPUs, what an observer could change of it, and processes to run it in.

Each runs in a forked child, so that all begin with the same allocator.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import traceback
from collections.abc import Callable
from tempfile import TemporaryFile
from typing import Any

import torch
import torch._dynamo  # optimizers import it, which takes longer than torch itself
from torch import Tensor, nn
from watched import classifier, held, seed

PLACES = ("forward", "backward", "optimizer")


class Training:
    """It calls back in the middle of everything; with `parallel`, it runs on two GPUs."""

    def __init__(self, *, parallel: bool = False) -> None:
        seed()
        self.model = classifier().cuda()
        self.network: nn.Module = nn.DataParallel(self.model, [0, 1]) if parallel else self.model
        self.optimizer = torch.optim.Adam(self.model.parameters())
        self.done = 0
        self.at: dict[str, Callable[[], object]] = {}
        self.model[1].register_forward_hook(self._come_forward)
        self.model[2].weight.register_hook(lambda _: self._come("backward"))
        self.optimizer.register_step_pre_hook(lambda *_: self._come("optimizer"))

    def _come_forward(self, _: nn.Module, __: object, output: Tensor) -> None:
        if output.get_device() == 0:  # each GPU has a thread of its own
            self._come("forward")

    def _come(self, place: str) -> None:
        if place in self.at:
            self.at[place]()

    def step(self) -> None:
        self.done += 1
        inputs = torch.randn(8, 12).cuda()
        self.network(inputs).square().mean().backward()
        self.optimizer.step()
        self.optimizer.zero_grad()

    def made(self) -> list[object]:
        """Its tensors and random numbers to the bit, and all that each GPU's allocator counted."""
        return [
            [each.tolist() for each in (torch.get_rng_state(), torch.cuda.get_rng_state())],
            held(self.model, self.optimizer),
            [torch.cuda.memory_stats(device) for device in range(torch.cuda.device_count())],
        ]


def in_child(call: Callable[[], object], *, warned: str = "") -> Any:
    """What this returns in a forked child, by way of JSON.

    An error in it is an AssertionError, and so is a word on its standard error; `warned` says which
    lines PyTorch itself writes there.
    """
    gc.freeze()  # the observer's search looks at all objects but these
    with TemporaryFile("w+") as told, TemporaryFile("w+") as complaints:
        child = os.fork()
        if not child:
            os.dup2(complaints.fileno(), 2)
            try:
                json.dump(call(), told)
                told.flush()
            except BaseException:
                traceback.print_exc()
            sys.stderr.flush()
            os._exit(0)
        os.waitpid(child, 0)
        complaints.seek(0)
        said = "".join(line for line in complaints if not warned or warned not in line)
        assert said == "", said
        told.seek(0)
        return json.load(told)


def _broadcast(tensors: list[Tensor], devices: list[int], _: int = 0) -> list[list[Tensor]]:
    return [[tensor.to(f"cuda:{device}") for tensor in tensors] for device in devices]


def _add_up(tensors: list[list[Tensor]], device: int, _: int = 0) -> list[Tensor]:
    return [first + other.to(f"cuda:{device}") for first, other in zip(*tensors, strict=True)]


# NCCL is not simulated.
torch.nn.parallel.comm.broadcast_coalesced = _broadcast
torch.nn.parallel.comm.reduce_add_coalesced = _add_up

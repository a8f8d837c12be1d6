"""A recorded step, replayed through the simulated caching allocator of a CUDA device."""

from __future__ import annotations

import copy

import torch
from vramtop.accounting.anatomy import Change, Life, Log
from vramtop.protocol.split import AllocatorMemory, Phase, Reading

from .caching import Allocator, Block
from .gpu_traits import GpuTraits

_WITH_BIAS = str(torch.ops.aten.addmm.default)
_PRODUCTS = {_WITH_BIAS, str(torch.ops.aten.mm.default)}


class Replay:
    """The allocator of a process that takes these steps one after the other.

    A cuBLAS handle takes its workspace at its first matrix product. Forward's thread and backward's
    have one each. cuBLASLt may take one of its own, at the first product with a bias that has more
    than one output (and more than one input, which a log does not show).
    """

    def __init__(self, gpu: GpuTraits) -> None:
        self.allocator = Allocator(divisions=gpu.divisions)
        self.workspace = 0
        self._gpu = gpu
        self._handles: set[Phase] = set()
        self._lt = gpu.lt_workspace == 0
        self._held: dict[int, Block] = {}  # between steps, by storage

    def copy(self) -> Replay:
        """An independent copy."""
        return copy.deepcopy(self)

    def step(self, log: Log) -> AllocatorMemory:
        """Replay one step and return the allocator's figures.

        Parameters and the optimizer's state stay for the next step. Raises `caching.NoRoom` where
        the step would exceed the limit.
        """
        start, pages = log
        lives: dict[Life, Block] = {}
        for life, size in start:
            lives[life] = self._held.get(life.key) or self.allocator.take(size)
        self.allocator.reset_peaks()
        boundaries: dict[Phase, Reading] = {}
        for phase, changes in pages:
            for change in changes:
                self._change(lives, phase, change)
            boundaries[phase] = Reading(
                self.allocator.requested, self.allocator.allocated, self.workspace
            )
        self._end(lives)
        return AllocatorMemory(
            boundaries=boundaries,
            reserved=self.allocator.reserved,
            inactive=self.allocator.inactive,
            allocated_peak=self.allocator.peak_allocated,
            requested_peak=self.allocator.peak_requested,
            workspace=self.workspace,
        )

    def leave(self) -> None:
        """Free parameters and the optimizer's state, and empty the cache."""
        for block in self._held.values():
            self.allocator.give(block)
        self._held = {}
        self.allocator.empty()

    def _change(self, lives: dict[Life, Block], phase: Phase, change: Change) -> None:
        life, size, (operator,) = change
        if size < 0:
            self.allocator.give(lives.pop(life))
            return
        lives[life] = self.allocator.take(size)
        if phase not in self._handles and str(operator) in _PRODUCTS:
            self._handles.add(phase)
            self._keep(self._gpu.workspace)
        if not self._lt and str(operator) == _WITH_BIAS and life.shape and life.shape[-1] > 1:
            self._lt = True
            self._keep(self._gpu.lt_workspace)

    def _keep(self, workspace: int) -> None:
        self.workspace += workspace
        self.allocator.take(workspace)

    def _end(self, lives: dict[Life, Block]) -> None:
        """Free all but parameters and the optimizer's state."""
        kept = ("parameters", "optimizer_state")
        self._held = {life.key: block for life, block in lives.items() if life.category in kept}
        for life, block in lives.items():
            if life.category not in kept:
                self.allocator.give(block)

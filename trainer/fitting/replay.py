"""A recorded step once more, as the caching allocator of a CUDA device lives through it."""

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
    """The allocator of a process whose steps are told one after the other.

    A cuBLAS handle takes its workspace at its first product: forward's thread has one, and
    backward's another. cuBLASLt, where it takes one, does so at the first product with a bias that
    has more than one output and, which is not seen here, more than one input.
    """

    def __init__(self, gpu: GpuTraits) -> None:
        self.allocator = Allocator(divisions=gpu.divisions)
        self.workspace = 0
        self._gpu = gpu
        self._handles: set[Phase] = set()
        self._lt = gpu.lt_workspace == 0
        self._held: dict[int, Block] = {}  # between steps, by storage

    def copy(self) -> Replay:
        """The same allocator, to try something with."""
        return copy.deepcopy(self)

    def step(self, log: Log) -> AllocatorMemory:
        """What the allocator says of a step that holds on to what stays until the next.

        Raises `caching.NoRoom` where its limit stands against it.
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
        """Parameters and the optimizer's state are freed, and the cache is emptied."""
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
        """Batch, output and loss go with the step; parameters and the optimizer's state stay."""
        kept = ("parameters", "optimizer_state")
        self._held = {life.key: block for life, block in lives.items() if life.category in kept}
        for life, block in lives.items():
            if life.category not in kept:
                self.allocator.give(block)

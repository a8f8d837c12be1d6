"""A recorded step, replayed through the simulated caching allocator of a CUDA device."""

from __future__ import annotations

import copy

import torch
from vramtop.accounting.caching import Allocator, Block
from vramtop.accounting.records import StepLog
from vramtop.protocol.split import AllocatorMemory, Phase, Reading

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

    def step(self, log: StepLog) -> AllocatorMemory:
        """Replay one step and return the allocator's figures.

        Parameters and the optimizer's state stay for the next step. Raises `caching.NoRoom` where
        the step would exceed the limit.
        """
        blocks: dict[int, Block] = {}
        for storage, size in log.start:
            key = log.storages[storage].key
            blocks[storage] = self._held.get(key) or self.allocator.take(size)
        self.allocator.reset_peaks()
        boundaries: dict[Phase, Reading] = {}
        for phase, changes in log.phases:
            for storage, size, run in changes:
                if size < 0:
                    self.allocator.give(blocks.pop(storage))
                    continue
                blocks[storage] = self.allocator.take(size)
                shape = log.storages[storage].shape
                self._take_workspace(phase, log.operators[run], shape)
            boundaries[phase] = Reading(
                self.allocator.requested, self.allocator.allocated, self.workspace
            )
        self._end(log, blocks)
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

    def _take_workspace(self, phase: Phase, operator: str, shape: tuple[int, ...] | None) -> None:
        """Take what cuBLAS takes beside a result of this shape, if the operator is a product."""
        if phase not in self._handles and operator in _PRODUCTS:
            self._handles.add(phase)
            self._keep(self._gpu.workspace)
        if not self._lt and operator == _WITH_BIAS and shape and shape[-1] > 1:
            self._lt = True
            self._keep(self._gpu.lt_workspace)

    def _keep(self, workspace: int) -> None:
        self.workspace += workspace
        self.allocator.take(workspace)

    def _end(self, log: StepLog, blocks: dict[int, Block]) -> None:
        """Free all but parameters and the optimizer's state."""
        self._held = {}
        for storage, block in blocks.items():
            record = log.storages[storage]
            if record.owner in ("parameters", "optimizer_state"):
                self._held[record.key] = block
            else:
                self.allocator.give(block)

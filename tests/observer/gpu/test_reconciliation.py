"""The ledger and PyTorch's own caching allocator, to the byte, on a simulated GPU.

For images of d values, a batch of b, P bytes of parameters and O bytes of optimizer state.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from vramtop.observer.workspaces import lt_bytes
from vramtop.protocol.split import AllocatorMemory, Anatomy, Category, Tensors

if TYPE_CHECKING:
    from simulation import SimulatedGpu

BLOCK = 512  # what the allocator rounds up to
HANDLE = 32 * 2**20  # forward's cuBLAS handle has one, and backward's
WORKSPACE = 2 * HANDLE + lt_bytes()


class Setting(msgspec.Struct):
    d: int
    b: int
    variant: str
    anatomy: Anatomy
    allocator: AllocatorMemory
    tensors: dict[Category, Tensors]

    @property
    def parameters(self) -> int:
        return 4 * (self.d * 128 + 128 + 128 * 10 + 10)

    @property
    def optimizer_state(self) -> int:
        """Adam's step counters stay on the host unless it is fused."""
        moments = {"sgd": 0, "momentum": 1}.get(self.variant, 2)
        return moments * self.parameters + (16 if self.variant == "adam-fused" else 0)


@pytest.fixture(scope="module")
def settings(simgpu: SimulatedGpu) -> list[Setting]:
    printed = simgpu.run_file(Path(__file__).parent / "grid.py", simgpu.environment(devices=1))
    return msgspec.convert(json.loads(printed), list[Setting])


@pytest.fixture(scope="module")
def large(settings: list[Setting]) -> Setting:
    """The setting whose sum over the batch takes a buffer."""
    (found,) = (s for s in settings if (s.d, s.b, s.variant) == (784, 1024, "sgd"))
    return found


def test_no_byte_is_left_over_at_any_boundary(settings: list[Setting]) -> None:
    over = {
        (setting.d, setting.b, setting.variant, phase): reading.requested
        - setting.allocator.workspace
        - setting.anatomy.boundaries[phase].total
        for setting in settings
        for phase, reading in setting.allocator.boundaries.items()
    }
    assert len(over) == 2 * 7 * 6 * 5
    assert set(over.values()) == {0}


def test_the_workspace_is_one_buffer_for_each_of_two_handles(settings: list[Setting]) -> None:
    assert {setting.allocator.workspace for setting in settings} == {WORKSPACE}
    each = None if lt_bytes() else HANDLE  # buffers of several sizes have no size of each
    assert {setting.allocator.workspace_each for setting in settings} == {each}


def test_allocated_bytes_are_the_requested_ones_in_whole_blocks(settings: list[Setting]) -> None:
    for setting in settings:
        for reading in setting.allocator.boundaries.values():
            assert reading.allocated % BLOCK == 0
            assert 0 <= reading.allocated - reading.requested < 30 * BLOCK


def test_the_peak_is_the_allocators_own_less_the_workspace(settings: list[Setting]) -> None:
    peaks = {
        setting.allocator.requested_peak - WORKSPACE - setting.anatomy.peak.bytes
        for setting in settings
    }
    assert peaks == {0}


@cache
def reduction_buffer(b: int) -> int:
    """Bytes of the buffer for partial sums in PyTorch's sum over a batch, from b = 1021 on."""
    groups = -(-b // 4)
    return 0 if groups < 256 else 65_536 * -(-groups // 16) + 4


def test_the_peak_follows_the_closed_form(settings: list[Setting]) -> None:
    for setting in settings:
        d, b, p = setting.d, setting.b, setting.parameters
        before = p + setting.optimizer_state + (4 * d + 8) * b
        first_weight = 4 * d * 128
        temporaries = {"adam": 2 * first_weight, "adam-foreach": p, "adamw": p}
        optimizer = p + 40 * b + 4 + temporaries.get(setting.variant, 0)
        backward = max(1_576 * b + 5_168, 552 * b + p + 8 + reduction_buffer(b))
        assert setting.anatomy.peak.bytes == before + max(1_024 * b, backward, optimizer)


def test_a_buffer_inside_an_operator_counts_as_that_operators(large: Setting) -> None:
    peak = large.anatomy.peak
    assert (peak.phase, peak.operator) == ("backward", "aten.sum.dim_IntList")
    gradient_of_relus_input = 512 * 1024
    assert peak.split.temporaries >= gradient_of_relus_input + reduction_buffer(1024)


def test_the_tensors_of_each_category_are_its_high_water(settings: list[Setting]) -> None:
    over = {
        sum(facts.bytes for facts in of_it.largest)
        + of_it.others_bytes
        - getattr(setting.anatomy.high_water, category)
        for setting in settings
        for category, of_it in setting.tensors.items()
    }
    assert over == {0}


def test_a_buffer_that_only_the_allocator_saw_is_listed(large: Setting) -> None:
    buffer, gradient, *_, semaphores = large.tensors["temporaries"].largest
    assert buffer.bytes + semaphores.bytes == reduction_buffer(1024)
    assert semaphores.operator == buffer.operator
    assert (buffer.operator, buffer.shape, buffer.dtype) == ("aten.sum.dim_IntList", None, None)
    assert (buffer.born, buffer.gone) == ("backward", "backward")
    assert (gradient.operator, gradient.shape) == ("aten.threshold_backward.default", (1024, 128))


def test_every_category_is_what_it_is_on_the_host(settings: list[Setting]) -> None:
    for setting in settings:
        high = setting.anatomy.high_water
        assert high.parameters == high.gradients == setting.parameters
        assert high.optimizer_state == setting.optimizer_state
        assert high.batch_data == (4 * setting.d + 8) * setting.b
        assert high.activations == 592 * setting.b + 8
